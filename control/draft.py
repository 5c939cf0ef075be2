"""A region's state in the making: what one command does, before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from kvorum.control.state import Key, Record, RecordViews, State, Update
from kvorum.model.errors import ApiError

Numbered = Literal["next_table", "next_partition", "next_peer_operation", "next_end"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after a command, the records that it changed, and what to tell the caller when it was refused
    (then nothing changed)."""

    state: State
    updates: list[Update]
    refusal: ApiError | None = None


class Draft(RecordViews):
    """A state in the making: copies a kind's records when it first changes one of them."""

    __slots__ = ("_base", "_copied", "_next", "_updates", "index")

    def __init__(self, state: State, index: int) -> None:
        super().__init__(dict(state.records))
        self.index = index
        self._base = state
        self._copied: dict[str, dict[str, Record]] = {}
        self._updates: dict[Key, Update] = {}
        self._next: dict[str, int] = {}

    @property
    def region(self) -> str:
        return self._base.region

    @property
    def replicas(self) -> int:
        return self._base.replicas

    def put(self, kind: str, name: str, record: Record) -> None:
        if self.records.get(kind, {}).get(name) != record:
            self._own(kind)[name] = record
            self._updates[(kind, name)] = Update(kind, name, record)

    def remove(self, kind: str, name: str) -> None:
        if name in self.records.get(kind, {}):
            del self._own(kind)[name]
            self._updates[(kind, name)] = Update(kind, name, None)

    def take_number(self, counter: Numbered) -> int:
        """The next number of that counter, which nobody gets again."""
        number: int = self._next[counter] if counter in self._next else getattr(self._base.counters, counter)
        self._next[counter] = number + 1
        return number

    def outcome(self) -> Outcome:
        if not self._updates:
            return Outcome(self._base, [])
        counters = replace(self._base.counters, version=self.index, **self._next)
        state = State(self.region, self.replicas, counters, self.records)
        return Outcome(state, list(self._updates.values()))

    def _own(self, kind: str) -> dict[str, Record]:
        records = self._copied.get(kind)
        if records is None:
            records = self._copied[kind] = dict(self.records.get(kind, {}))
            self.records = {**self.records, kind: records}
        return records
