"""What clients of a simulated cluster did and were told, and the checkers of it. Dumb on purpose.

Every write leaves its operation's number in the item (`w`), so that whoever reads an item knows whose write it
is. An operation ends OK, FAILED (it did not and will not happen) or UNKNOWN (it may have).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf

Key = tuple[str, str, str]
"""(table, hash key, sort key)."""


class Violation(AssertionError):
    """A promise was broken."""


class Outcome(IntEnum):
    PENDING = 0
    OK = 1
    FAILED = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Item:
    """An item as the workload makes it. `w`: the operation that wrote last; `v`: a value; `n`: a counter."""

    w: int
    v: int | None = None
    n: int | None = None


@dataclass(slots=True)
class Operation:
    """`kind`: see `step`. `expected`: for conditional writes, the value of `v` that must be there; None: no item
    may be. `seen`: what the answer showed of the item (after an update, before a put or a deletion). `refused`:
    the condition was false."""

    number: int
    client: str
    region: str
    router: str
    kind: str
    key: Key
    invoked: float
    argument: int = 0
    expected: int | None = None
    returned: float = inf
    outcome: Outcome = Outcome.PENDING
    error: str = ""
    seen: Item | None = None
    refused: bool = False
    answers: int = 0
    strong: bool = True

    @property
    def writes(self) -> bool:
        return self.kind != "get"

    @property
    def deletes(self) -> bool:
        return self.kind in ("delete", "delete_if")

    def __str__(self) -> str:
        end = "..." if self.returned is inf else f"{self.returned:.4f}"
        told = "refused" if self.refused else self.seen
        return (
            f"#{self.number} {self.client}@{self.router} {self.kind}{'' if self.strong else ' eventually'}"
            f" {'/'.join(self.key)} {self.argument} if {self.expected}: {self.invoked:.4f}..{end}"
            f" {self.outcome.name} {self.error} {told}"
        )


@dataclass(slots=True)
class History:
    operations: list[Operation] = field(default_factory=list[Operation])

    def add(self, operation: Operation) -> Operation:
        self.operations.append(operation)
        return operation

    def by_key(self) -> dict[Key, list[Operation]]:
        keys: dict[Key, list[Operation]] = {}
        for operation in self.operations:
            keys.setdefault(operation.key, []).append(operation)
        return keys

    def digest(self) -> str:
        """The same for the same run."""
        text = "\n".join(str(operation) for operation in self.operations)
        return hashlib.sha256(text.encode()).hexdigest()


# ---- one item, as DynamoDB's documentation has it ------------------------------------------------------


def step(state: Item | None, operation: Operation) -> tuple[Item | None, Item | None, bool]:
    """(the item after it, what its answer shows, whether its condition was false)."""
    number, argument = operation.number, operation.argument
    match operation.kind:
        case "get":
            return state, state, False
        case "put":
            return Item(number, argument), state, False
        case "put_new":
            return (state, None, True) if state else (Item(number, argument), None, False)
        case "put_if":
            if state is None or state.v != operation.expected:
                return state, None, True
            return Item(number, argument), state, False
        case "set":
            after = Item(number, argument, state.n if state else None)
        case "set_default":
            value = state.v if state and state.v is not None else argument
            after = Item(number, value, state.n if state else None)
        case "add":
            count = (state.n if state and state.n is not None else 0) + argument
            after = Item(number, state.v if state else None, count)
        case "delete":
            return None, state, False
        case "delete_if":
            if state is None or state.v != operation.expected:
                return state, None, True
            return None, state, False
        case kind:
            raise ValueError(kind)
    return after, after, False


# ---- checkers ------------------------------------------------------------------------------------------


def check_linearizable(operations: Iterable[Operation]) -> None:
    """Of one key: some order of the operations, each somewhere between its call and its answer, explains every
    answer. Eventual reads are not looked at. Exact: all orders are tried, states that were met before are not
    (Wing and Gong 1993; Lowe 2017)."""
    chosen = [
        operation
        for operation in operations
        if operation.strong
        and (operation.outcome is not Outcome.FAILED or operation.refused)
        and not (operation.kind == "get" and operation.outcome is not Outcome.OK)
    ]
    chosen.sort(key=lambda operation: operation.invoked)
    certain = 0
    for position, operation in enumerate(chosen):
        if operation.outcome is not Outcome.UNKNOWN and operation.outcome is not Outcome.PENDING:
            certain |= 1 << position
    met: set[tuple[int, Item | None]] = set()
    stack: list[tuple[int, Item | None]] = [(0, None)]
    furthest = 0
    while stack:
        done, state = stack.pop()
        if done & certain == certain:
            return
        if (done, state) in met:
            continue
        met.add((done, state))
        furthest = max(furthest, done, key=lambda bits: (bits & certain).bit_count())
        stack += _next_states(chosen, certain, done, state)
    told = "\n".join(f"{'  ' if furthest >> i & 1 else '> '}{each}" for i, each in enumerate(chosen))
    raise Violation(f"not linearizable (> could not be placed):\n{told}")


def _next_states(
    chosen: list[Operation], certain: int, done: int, state: Item | None
) -> list[tuple[int, Item | None]]:
    before = inf
    for position, operation in enumerate(chosen):
        if not done >> position & 1 and certain >> position & 1:
            before = min(before, operation.returned)
    states: list[tuple[int, Item | None]] = []
    for position, operation in enumerate(chosen):
        if operation.invoked > before:
            break
        if done >> position & 1:
            continue
        after, seen, refused = step(state, operation)
        if certain >> position & 1:
            if refused != operation.refused or (not refused and seen != operation.seen):
                continue
        elif refused or after == state:
            continue  # what nobody was told of and changes nothing need not have happened
        states.append((done | 1 << position, after))
    return states


def check_fresh(
    read: Operation, floor: Iterable[Operation], same_key: Iterable[Operation], orders: Mapping[int, bytes]
) -> None:
    """A read shows the writes of `floor` (acknowledged before it began), or something that came after them.
    `orders`: the place in last-writer-wins order of every put and update that happened, by number; empty for a
    local table, where stamps say nothing once a deletion has come between. What other regions deleted, and what
    deletions here they overwrote, is theirs: it may come at any time."""
    seen = read.seen
    for write in floor:
        if write.deletes:
            if seen is not None and _ended_before(same_key, seen.w, write):
                raise Violation(f"stale read: a deletion was acknowledged before it\n{write}\n{read}")
        elif seen is None:
            if not any(
                other.deletes
                and other.outcome is not Outcome.FAILED
                and (other.returned > write.invoked or other.region != write.region)
                and other.invoked < read.returned
                for other in same_key
            ):
                raise Violation(f"stale read: a write was acknowledged before it\n{write}\n{read}")
        elif (
            orders[seen.w] < orders[write.number]
            if orders
            else _ended_before(same_key, seen.w, write) and seen.w != write.number
        ):
            raise Violation(f"stale read: a newer write was acknowledged before it\n{write}\n{read}")


def _ended_before(same_key: Iterable[Operation], number: int, write: Operation) -> bool:
    return any(
        other.number == number and other.region == write.region and other.returned < write.invoked
        for other in same_key
    )


def check_real(read: Operation, writes: Mapping[int, Operation]) -> None:
    """What was read was written: by an operation on that key that had begun and was not told that it failed."""
    if read.seen is None:
        return
    write = writes.get(read.seen.w)
    if (
        write is None
        or write.key != read.key
        or write.outcome is Outcome.FAILED
        or write.invoked > read.returned
    ):
        raise Violation(f"a read shows what was never written\n{write}\n{read}")


def check_counter(final: int, operations: Iterable[Operation]) -> None:
    """Of one key that is only ever added to: nothing acknowledged is lost, nothing happens twice."""
    acknowledged = unknown = 0
    for operation in operations:
        if operation.kind == "add" and operation.outcome is Outcome.OK:
            acknowledged += operation.argument
        elif operation.kind == "add" and operation.outcome is not Outcome.FAILED:
            unknown += operation.argument
    if not acknowledged <= final <= acknowledged + unknown:
        raise Violation(f"a counter stands at {final}: {acknowledged} acknowledged, {unknown} unknown")


def check_winners(
    final: Mapping[Key, bytes], made: Mapping[Key, Iterable[bytes]], order_of: Callable[[bytes], bytes]
) -> None:
    """`final`: the record of every key as all regions hold it. `made`: every record that any store ever held."""
    for key, records in made.items():
        by_order: dict[bytes, bytes] = {}
        for record in records:
            if by_order.setdefault(order_of(record), record) != record:
                raise Violation(
                    f"{key}: one stamp for two writes: {by_order[order_of(record)]!r}, {record!r}"
                )
        newest = by_order[max(by_order)]
        if final.get(key) != newest:
            raise Violation(f"{key}: the newest write is not what stays: {newest!r}, {final.get(key)!r}")


def check_table_lifecycle(operations: Iterable[tuple[str, Outcome]], exists: bool, name: str) -> None:
    """Of one name, used by one client at a time: `operations` are in order and each is "create" or "delete" in the
    table's home region, or "delete elsewhere". That one ends the table which its region knows of, and that may
    be the one before. An operation of unknown fate may still take effect at any later time."""
    operations = list(operations)
    possible = {False}
    floating: set[bool] = set()
    for kind, outcome in operations:
        effect = kind == "create"
        if outcome is Outcome.OK and kind != "delete elsewhere":
            possible = {effect} | floating
        elif outcome is Outcome.OK:
            possible.add(effect)
        elif outcome is not Outcome.FAILED:
            floating.add(effect)
            possible.add(effect)
    if exists not in possible:
        told = ", ".join(f"{kind} {outcome.name}" for kind, outcome in operations)
        raise Violation(f"table {name} {'exists' if exists else 'does not exist'}: {told}")


def check_coverage(ranges: Iterable[tuple[int, int]], name: str) -> None:
    """Inclusive token ranges: every token in exactly one."""
    expected = 0
    for lower, upper in sorted(ranges):
        if lower != expected or upper < lower:
            raise Violation(
                f"table {name}: tokens from {expected} on are in no partition or in two ({lower})"
            )
        expected = upper + 1
    if expected != 1 << 64:
        raise Violation(f"table {name}: tokens from {expected} on are in no partition")
