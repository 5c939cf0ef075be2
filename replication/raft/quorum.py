"""Who votes, as a value that answers questions. A joint configuration will be another such value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum


class Outcome(IntEnum):
    PENDING = 0
    WON = 1
    LOST = 2


@dataclass(frozen=True, slots=True)
class Voters:
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"voters must be distinct and at least one: {self.names}")

    def agreed(self, reached: Mapping[str, int]) -> int:
        """The highest value that a majority has reached, each voter's being `reached[name]`."""
        ascending = sorted([reached[name] for name in self.names])
        return ascending[(len(ascending) - 1) // 2]

    def majority(self, names: Collection[str]) -> bool:
        return sum(name in names for name in self.names) * 2 > len(self.names)

    def outcome(self, votes: Mapping[str, bool]) -> Outcome:
        """Of an election, from the votes that have come in."""
        granted = sum(votes.get(name, False) for name in self.names)
        refused = sum(not votes.get(name, True) for name in self.names)
        if granted * 2 > len(self.names):
            return Outcome.WON
        if refused * 2 >= len(self.names):
            return Outcome.LOST
        return Outcome.PENDING
