"""What clients saw, and whether a correct store could have shown it to them.

Two checkers, each for what its operations can tell.

**`check_items`: items that several regions write, the last writer winning.** Every write has a value of its own,
so whatever is read names the write it came from. A write takes effect somewhere between its invocation and its
completion, at the instant its leader stamps it. Stamps follow physical time, and in these tests all leaders and
clients share one machine's clock; within a region a leader's stamp also outranks every write that it has seen.
So of two writes to one key, if A completed before B was invoked, in whichever regions, B has the later stamp. An
observation that must include B (a strong read in B's region after B was acknowledged, or the end, when the
regions have exchanged everything) and yet shows A has lost B. That is the rule; it needs no order of writes that
overlap. A write without a definite answer may have happened, at any time after its invocation, or never: it
completes at infinity, or by the end of the first observation that shows it; and it never has to be there. A
write that was definitely refused must never be seen. An update keeps what its predecessor put (`base`), so its
image also says which put it was evaluated on: had the region acknowledged a newer put or delete before the update
was invoked, the update was made from a stale image. (Unless an update of another region, which had not heard of
that put yet, brought the older base back with a later stamp: where there may be such a one, nothing is said.)

**`is_linearizable`: registers that one region writes.** Every operation must fit between its invocation and its
completion into one sequence in which it answers what a register answers (Wing and Gong, "Testing and Verifying
Concurrent Objects", 1993; states already seen are not searched again, Lowe 2017). One without an answer may take
any place after its invocation, or none.

Times are seconds of the wall clock, the one that stamps come from.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

CLOCK_SECONDS = 0.002
"""Stamps have milliseconds: two times closer than this are not put in order."""


class Outcome(Enum):
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Write:
    """`value` names the write among all of its key's; `deletes`: it leaves no item. `updates`: it changed the
    value and kept the item's `base`, else it set `base` to its own value."""

    key: str
    region: str
    value: str
    invoked: float
    completed: float
    outcome: Outcome
    deletes: bool = False
    updates: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """An item as a strong read showed it: its `value` and `base`, both None when there is no item. `region`
    None: all regions had exchanged everything, and all showed this."""

    key: str
    region: str | None
    value: str | None
    base: str | None
    invoked: float
    completed: float


def check_items(writes: Iterable[Write], observations: Iterable[Observation]) -> list[str]:
    """What no correct store could have shown, one line each."""
    writes_by_key: dict[str, list[Write]] = defaultdict(list)
    for write in writes:
        writes_by_key[write.key].append(write)
    seen_by_key: dict[str, list[Observation]] = defaultdict(list)
    for observation in observations:
        seen_by_key[observation.key].append(observation)
    violations: list[str] = []
    for key, seen in seen_by_key.items():
        violations += _KeyHistory(writes_by_key[key], seen).violations()
    return violations


class _KeyHistory:
    def __init__(self, writes: list[Write], seen: list[Observation]) -> None:
        self._seen = seen
        self._by_value = {write.value: write for write in writes}
        assert len(self._by_value) == len(writes), "values must be unique"
        self._done = [write for write in writes if write.outcome is Outcome.DONE]
        self._deletes = [write for write in writes if write.deletes and write.outcome is not Outcome.REFUSED]
        self._effective_by: dict[str, float] = {}
        for write in writes:
            self._effective_by[write.value] = write.completed if write.outcome is Outcome.DONE else math.inf
        for observation in seen:
            if observation.value in self._effective_by:
                by = self._effective_by[observation.value]
                self._effective_by[observation.value] = min(by, observation.completed)

    def violations(self) -> list[str]:
        found = (self._violation(observation) for observation in self._seen)
        return [violation for violation in found if violation is not None]

    def _violation(self, seen: Observation) -> str | None:
        if seen.value is None:
            return self._absence(seen)
        write = self._by_value.get(seen.value)
        if write is None or write.deletes:
            return f"{seen}: nobody wrote this"
        if write.outcome is Outcome.REFUSED:
            return f"{seen}: {write} was refused"
        if write.invoked > seen.completed + CLOCK_SECONDS:
            return f"{seen}: {write} came later"
        newer = self._lost(self._effective_by[seen.value], seen)
        if newer is not None:
            return f"{seen}: shows {write}, has lost {newer}"
        return self._wrong_base(seen, write)

    def _absence(self, seen: Observation) -> str | None:
        """No item: because of a delete that nothing acknowledged followed, or because nothing was written."""
        reasons = [-math.inf]
        reasons += [
            self._effective_by[delete.value]
            for delete in self._deletes
            if delete.invoked <= seen.completed + CLOCK_SECONDS
        ]
        # The latest delete is the best excuse; a write that overlaps it may have lost to it.
        newer = self._lost(max(reasons), seen)
        return None if newer is None else f"{seen}: has lost {newer}"

    def _lost(self, effective_by: float, seen: Observation) -> Write | None:
        """An acknowledged write that `seen` must include and that is surely newer than what it shows."""
        for write in self._done:
            if write.deletes and seen.value is None:
                continue
            known = seen.region is None or write.region == seen.region
            if known and write.completed < seen.invoked and write.invoked > effective_by + CLOCK_SECONDS:
                return write
        return None

    def _wrong_base(self, seen: Observation, write: Write) -> str | None:
        if not write.updates:
            return None if seen.base == write.value else f"{seen}: {write} set another base"
        base = None if seen.base is None else self._by_value.get(seen.base)
        if base is None:
            if seen.base is not None:
                return f"{seen}: nobody wrote its base"
            effective_by = max(
                (self._effective_by[delete.value] for delete in self._deletes), default=-math.inf
            )
        elif base.outcome is Outcome.REFUSED or base.invoked > write.completed + CLOCK_SECONDS:
            return f"{seen}: {write} cannot have been made from {base}"
        else:
            effective_by = self._effective_by[base.value]
        for other in self._done:
            if (
                other.region == write.region
                and not other.updates
                and not (other.deletes and base is None)
                and other.completed + CLOCK_SECONDS < write.invoked
                and other.invoked > effective_by + CLOCK_SECONDS
                and not self._brought_back(write, other)
            ):
                return f"{seen}: {write} was made from {base}, without {other}"
        return None

    def _brought_back(self, write: Write, overwritten: Write) -> bool:
        """Whether another region may have put an image from before `overwritten` in its place."""
        return any(
            other.updates
            and other.region != write.region
            and other.outcome is not Outcome.REFUSED
            and other.invoked < write.completed
            and self._effective_by[other.value] + CLOCK_SECONDS > overwritten.invoked
            for other in self._by_value.values()
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """`call` is what was asked; `answer`, what came back, meaningless when the outcome is not DONE."""

    call: tuple[str, ...]
    answer: Any
    invoked: float
    completed: float
    outcome: Outcome


Step = Callable[[Any, Any], tuple[Any, Any]]
"""(state, call) -> (next state, answer); states are hashable."""


def is_linearizable(operations: Sequence[Operation], initial: Hashable, step: Step) -> bool:
    """Whether some sequence explains every answer. Exponential at worst, in how many operations overlap."""
    happened = sorted(
        (one for one in operations if one.outcome is not Outcome.REFUSED), key=lambda one: one.invoked
    )
    ends = [one.completed if one.outcome is Outcome.DONE else math.inf for one in happened]
    everything = sum(1 << number for number, end in enumerate(ends) if end < math.inf)
    visited: set[tuple[int, Hashable]] = {(0, initial)}
    frontier: list[tuple[int, int, Any]] = [(0, 0, initial)]  # (first not placed, placed, state)
    while frontier:
        first, placed, state = frontier.pop()
        if placed & everything == everything:
            return True
        while placed >> first & 1:
            first += 1
        # Whoever is next was invoked before the first completion among those that are left.
        horizon = math.inf
        for number in range(first, len(happened)):
            if happened[number].invoked > horizon:
                break
            if not placed >> number & 1:
                horizon = min(horizon, ends[number])
        for number in range(first, len(happened)):
            operation = happened[number]
            if operation.invoked > horizon:
                break
            if placed >> number & 1:
                continue
            following, answer = step(state, operation.call)
            if ends[number] < math.inf:
                if answer != operation.answer:
                    continue
            elif following == state:
                continue  # without an answer and without an effect: leaving it out explains as much
            found = (placed | 1 << number, following)
            if found not in visited:
                visited.add(found)
                frontier.append((first, *found))
    return False


def register(state: Any, call: Any) -> tuple[Any, Any]:
    """A `Step`: ("read",) answers the value; ("write", value) answers None; ("swap", old, new) answers whether
    the value was `old`, and then it is `new`."""
    match call:
        case ("read",):
            return state, state
        case ("write", value):
            return value, None
        case ("swap", old, new):
            return (new, True) if state == old else (state, False)
        case _:
            raise AssertionError(f"no operation of a register: {call}")
