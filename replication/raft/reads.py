"""Reads that wait for proof of leadership: one confirmation round serves all that wait (thesis §6.4)."""

from __future__ import annotations

from collections import deque


class ReadQueue:
    """A read that asks gets the commit index of the moment its round begins; a majority's echo of that round,
    or of a later one, confirms it."""

    __slots__ = ("_asked", "_confirmed", "_refused", "_rounds", "newest_round", "waiting")

    def __init__(self) -> None:
        self._asked: list[int] = []
        self._rounds: deque[tuple[int, int, list[int]]] = deque()  # (round, index, contexts)
        self._confirmed: list[tuple[int, int]] = []
        self._refused: list[int] = []
        self.newest_round = 0
        self.waiting = 0

    def ask(self, context: int) -> None:
        self._asked.append(context)
        self.waiting += 1

    def begin_round(self, commit_index: int) -> bool:
        """Whether some reads were waiting for a round to begin."""
        if not self._asked:
            return False
        self.newest_round += 1
        self._rounds.append((self.newest_round, commit_index, self._asked))
        self._asked = []
        return True

    def confirm(self, round_number: int) -> bool:
        """A majority has echoed `round_number`. Whether that confirms a read."""
        rounds = self._rounds
        if not rounds or rounds[0][0] > round_number:
            return False
        while rounds and rounds[0][0] <= round_number:
            _, index, contexts = rounds.popleft()
            self._confirmed += [(context, index) for context in contexts]
            self.waiting -= len(contexts)
        return True

    def refuse_all(self) -> None:
        """Leadership is lost. What is confirmed stays so."""
        for _, _, contexts in self._rounds:
            self._refused += contexts
        self._refused += self._asked
        self._rounds.clear()
        self._asked = []
        self.waiting = 0

    def take_confirmed(self) -> list[tuple[int, int]]:
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def take_refused(self) -> list[int]:
        refused, self._refused = self._refused, []
        return refused
