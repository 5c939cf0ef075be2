"""The checkers of the cluster simulation accept what a correct store tells, and nothing else: each against histories
with one planted lie."""

from __future__ import annotations

from itertools import count, permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import record as records
from tests.kit.simulation_history import (
    History,
    Item,
    Key,
    Operation,
    Outcome,
    Violation,
    check_counter,
    check_coverage,
    check_fresh,
    check_linearizable,
    check_real,
    check_table_lifecycle,
    check_winners,
    step,
)

KEY: Key = ("t", "p", "s")
KINDS = ("get", "put", "put_new", "put_if", "set", "set_default", "add", "delete", "delete_if")


def operation(
    number: int,
    kind: str,
    invoked: float,
    returned: float,
    seen: Item | None = None,
    outcome: Outcome = Outcome.OK,
    *,
    argument: int = 0,
    region: str = "eu",
) -> Operation:
    return Operation(
        number,
        "c",
        region,
        "r",
        kind,
        KEY,
        invoked,
        argument or number,
        returned=returned,
        outcome=outcome,
        seen=seen,
        answers=1,
    )


def executed(seed: int, kinds: list[str]) -> list[Operation]:
    """A history as one correct register makes it: each operation takes effect at a point of its own, inside a
    stretch of time that overlaps with others; some answers get lost."""
    random = Random(seed)
    state: Item | None = None
    history: list[Operation] = []
    for number, kind in enumerate(kinds, 1):
        each = operation(number, kind, number - random.uniform(0, 3), number + random.uniform(0, 3))
        if kind.endswith("_if"):
            each.expected = random.choice([state.v if state else 0, 99])
        after, each.seen, each.refused = step(state, each)
        if each.refused:
            each.outcome = Outcome.FAILED
        elif random.random() < 0.2:
            each.outcome, each.seen, each.returned = Outcome.UNKNOWN, None, float("inf")
            if random.random() < 0.5:
                after = state
        state = after
        history.append(each)
    return history


def linearizable_by_all_orders(history: list[Operation]) -> bool:
    """The definition, tried on every order of every choice of what happened of the unknown."""
    certain = [each for each in history if each.outcome is not Outcome.UNKNOWN]
    unknown = [each for each in history if each.outcome is Outcome.UNKNOWN and each.kind != "get"]
    for chosen in range(1 << len(unknown)):
        happened = certain + [each for bit, each in enumerate(unknown) if chosen >> bit & 1]
        for order in permutations(happened):
            if any(b.returned < a.invoked for i, a in enumerate(order) for b in order[i + 1 :]):
                continue
            state: Item | None = None
            for each in order:
                state, seen, refused = step(state, each)
                if each.outcome is not Outcome.UNKNOWN and (refused, None if refused else seen) != (
                    each.refused,
                    each.seen,
                ):
                    break
            else:
                return True
    return False


@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(KINDS), min_size=1, max_size=40))
def test_what_a_register_does_is_linearizable(seed: int, kinds: list[str]) -> None:
    check_linearizable(executed(seed, kinds))


@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(KINDS), min_size=1, max_size=5), st.integers(0, 4))
def test_linearizable_means_what_its_definition_says(seed: int, kinds: list[str], changed: int) -> None:
    history = executed(seed, kinds)
    liar = history[changed % len(history)]
    if liar.outcome is Outcome.OK:
        liar.seen = Random(seed).choice([None, Item(1, 1), Item(2, 2), Item(2, 1, 2)])
    if linearizable_by_all_orders(history):
        check_linearizable(history)
    else:
        with pytest.raises(Violation):
            check_linearizable(history)


def test_a_lost_write_and_a_stale_read_are_not_linearizable() -> None:
    put, read = operation(1, "put", 0, 1), operation(2, "get", 2, 3)
    with pytest.raises(Violation):
        check_linearizable([put, read])
    read.seen = Item(1, 1)
    later = operation(3, "put", 4, 5, Item(1, 1))
    stale = operation(4, "get", 6, 7, Item(1, 1))
    check_linearizable([put, read, later])
    with pytest.raises(Violation):
        check_linearizable([put, read, later, stale])
    stale.strong = False  # eventual reads have another checker
    check_linearizable([put, read, later, stale])


def test_a_failure_that_happened_is_not_linearizable() -> None:
    failed = operation(1, "put", 0, 1, outcome=Outcome.FAILED)
    with pytest.raises(Violation):
        check_linearizable([failed, operation(2, "get", 2, 3, Item(1, 1))])
    failed.outcome = Outcome.UNKNOWN
    check_linearizable([failed, operation(2, "get", 2, 3, Item(1, 1))])


def test_fresh() -> None:
    old, new = operation(1, "put", 0, 1), operation(2, "put", 2, 3)
    orders = {1: b"\1", 2: b"\2"}
    read = operation(3, "get", 4, 5, Item(1, 1))
    for known in (orders, {}):
        with pytest.raises(Violation, match="stale"):
            check_fresh(read, [old, new], [old, new, read], known)
        read.seen = None
        with pytest.raises(Violation, match="stale"):
            check_fresh(read, [old, new], [old, new, read], known)
        read.seen = Item(2, 2)
        check_fresh(read, [old, new], [old, new, read], known)
        read.seen = Item(1, 1)
    deletion = operation(4, "delete", 3.5, 3.8)
    with pytest.raises(Violation, match="deletion"):
        check_fresh(read, [deletion], [old, new, deletion, read], orders)
    read.seen = None
    check_fresh(read, [old, new, deletion], [old, new, deletion, read], orders)
    old.region = "us"  # may arrive whenever it likes
    read.seen = Item(1, 1)
    check_fresh(read, [deletion], [old, new, deletion, read], orders)


def test_real() -> None:
    put, read = operation(1, "put", 0, 1), operation(2, "get", 0.5, 1, Item(1, 1))
    check_real(read, {1: put})
    for lie in ("nobody", "another key", "failed", "later"):
        write = operation(1, "put", 5 if lie == "later" else 0, 6)
        write.outcome = Outcome.FAILED if lie == "failed" else Outcome.OK
        write.key = ("t", "p", "other") if lie == "another key" else KEY
        with pytest.raises(Violation):
            check_real(read, {} if lie == "nobody" else {1: write})


def test_counter() -> None:
    numbers = count(1)
    adds = [operation(next(numbers), "add", 0, 1, argument=5) for _ in range(3)]
    adds[2].outcome = Outcome.UNKNOWN
    for final in (10, 15):
        check_counter(final, adds)
    for final in (5, 20):
        with pytest.raises(Violation):
            check_counter(final, adds)


def test_winners() -> None:
    old, new = records.encode(b"{}", 2, 1, b"eu"), records.encode_tombstone(2, b"us")
    check_winners({KEY: new}, {KEY: [new, old, new]}, records.order_of)
    with pytest.raises(Violation, match="newest"):
        check_winners({KEY: old}, {KEY: [old, new]}, records.order_of)
    with pytest.raises(Violation, match="newest"):
        check_winners({}, {KEY: [new]}, records.order_of)
    twin = records.encode(b'{"a":{"N":"1"}}', 2, 1, b"eu")
    with pytest.raises(Violation, match="one stamp"):
        check_winners({KEY: new}, {KEY: [old, twin, new]}, records.order_of)


def test_table_lifecycle() -> None:
    ok, failed, unknown = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN
    right: list[tuple[list[tuple[str, Outcome]], set[bool]]] = [
        ([], {False}),
        ([("create", ok)], {True}),
        ([("create", failed)], {False}),
        ([("create", ok), ("delete", ok)], {False}),
        ([("create", ok), ("delete", ok), ("create", ok)], {True}),
        ([("create", unknown)], {True, False}),
        ([("create", ok), ("delete", unknown), ("create", failed)], {True, False}),
        ([("create", ok), ("delete elsewhere", ok)], {True, False}),
        ([("create", unknown), ("create", ok), ("delete", ok)], {True, False}),
    ]
    for operations, possible in right:
        for exists in (True, False):
            if exists in possible:
                check_table_lifecycle(operations, exists, "t")
            else:
                with pytest.raises(Violation):
                    check_table_lifecycle(operations, exists, "t")


def test_coverage() -> None:
    half = 1 << 63
    check_coverage([(half, 2 * half - 1), (0, half - 1)], "t")
    for ranges in (
        [],
        [(0, half - 1)],
        [(1, 2 * half - 1)],
        [(0, half), (half, 2 * half - 1)],
        [(0, half - 2), (half, 2 * half - 1)],
    ):
        with pytest.raises(Violation):
            check_coverage(ranges, "t")


def test_a_digest_notices_any_difference() -> None:
    digests: set[str] = set()
    for seen in (None, Item(1, 1), Item(1, 2)):
        history = History()
        history.add(operation(1, "get", 0, 1, seen))
        digests.add(history.digest())
    assert len(digests) == 3
