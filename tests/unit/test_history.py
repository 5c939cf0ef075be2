"""The checkers of tests/kit/history accept what a correct store shows, and only that."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.history import (
    Observation,
    Operation,
    Outcome,
    Write,
    check_items,
    is_linearizable,
    register,
)

KEY = "k"


def put(value: str, invoked: float, completed: float, region: str = "a", **more: Any) -> Write:
    outcome = more.pop("outcome", Outcome.DONE)
    return Write(KEY, region, value, invoked, completed, outcome, **more)


def end(value: str | None, base: str | None = None) -> Observation:
    return Observation(KEY, None, value, base if base is not None else value, 100, 101)


def read(value: str | None, invoked: float, region: str = "a") -> Observation:
    return Observation(KEY, region, value, value, invoked, invoked + 0.1)


# ---- items: scripted -----------------------------------------------------------------------------------------

ONE_THEN_OTHER = [put("1", 1, 2), put("2", 3, 4, "b")]
OVERLAPPING = [put("1", 1, 4), put("2", 2, 3, "b")]
UNSURE = [put("1", 1, 2), put("2", 3, 4, outcome=Outcome.UNKNOWN)]
DELETED = [put("1", 1, 2), put("2", 3, 4, deletes=True)]
UPDATED = [put("1", 1, 2), put("2", 3, 4), put("3", 5, 6, updates=True)]


@pytest.mark.parametrize(
    ("writes", "seen"),
    [
        ([], end(None)),
        (ONE_THEN_OTHER, end("2")),
        (ONE_THEN_OTHER, read("1", 5)),  # the other region's write may be on its way
        (OVERLAPPING, end("1")),
        (OVERLAPPING, end("2")),
        (UNSURE, end("1")),
        (UNSURE, end("2")),
        (DELETED, end(None)),
        ([*DELETED, put("3", 3.5, 5)], end("3")),
        ([*DELETED, put("3", 3.5, 5)], end(None)),
        ([put("1", 1, 2), put("2", 3, 4, deletes=True, outcome=Outcome.UNKNOWN)], end(None)),
        (UPDATED, end("3", "2")),
        # An update of the other region, which knew only the first put, brought that one's base back.
        ([*UPDATED, put("4", 3.5, 4.5, "b", updates=True)], end("3", "1")),
        ([put("1", 1, 2, updates=True)], Observation(KEY, None, "1", None, 100, 101)),
    ],
)
def test_what_a_correct_store_shows(writes: list[Write], seen: Observation) -> None:
    assert check_items(writes, [seen]) == []


@pytest.mark.parametrize(
    ("writes", "seen", "says"),
    [
        (ONE_THEN_OTHER, [end("1")], "has lost"),
        (ONE_THEN_OTHER, [end(None)], "has lost"),
        (ONE_THEN_OTHER, [read("1", 5, "b")], "has lost"),
        ([put("1", 1, 2)], [read(None, 3)], "has lost"),
        (ONE_THEN_OTHER, [end("7")], "nobody wrote"),
        ([put("1", 1, 2, outcome=Outcome.REFUSED)], [end("1")], "was refused"),
        ([put("1", 9, 10)], [read("1", 5)], "came later"),
        (DELETED, [end("1")], "has lost"),
        ([*DELETED, put("3", 5, 6)], [end(None)], "has lost"),
        # A write of unknown fate that was seen had happened by then: it cannot come again.
        ([*UNSURE, put("3", 7, 8)], [read("2", 5), end("2")], "has lost"),
        (UPDATED, [end("3", "1")], "was made from"),
        (UPDATED, [Observation(KEY, None, "3", None, 100, 101)], "was made from"),
        (UPDATED, [end("3", "7")], "nobody wrote its base"),
        (ONE_THEN_OTHER, [end("2", "1")], "another base"),
        (
            [put("1", 1, 2, outcome=Outcome.REFUSED), put("2", 3, 4, updates=True)],
            [end("2", "1")],
            "cannot have been made from",
        ),
    ],
)
def test_what_no_correct_store_shows(writes: list[Write], seen: list[Observation], says: str) -> None:
    violations = check_items(writes, seen)
    assert len(violations) == 1
    assert says in violations[0]


def test_keys_do_not_mix() -> None:
    other = Write("other", "a", "9", 5, 6, Outcome.DONE)
    assert check_items([put("1", 1, 2), other], [end("1")]) == []


# ---- items: a store that is right by construction -----------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Write], list[Observation]]:
    """Two regions that hear of each other late; each write is stamped at an instant between its invocation and
    its completion, and a strong read follows it. At the end the regions have exchanged everything."""
    count = draw(st.integers(1, 8))
    instants = sorted(draw(st.lists(st.integers(1, 60), min_size=count, max_size=count, unique=True)))
    writes: list[Write] = []
    images: dict[str, dict[float, tuple[str | None, str | None]]] = {
        "a": {0.0: (None, None)},
        "b": {0.0: (None, None)},
    }
    observations: list[Observation] = []
    for number, instant in enumerate(instants):
        region = draw(st.sampled_from("ab"))
        # What the peer wrote arrives after any delay, even never before the end, but always whole images.
        for peer_stamp, image in images["b" if region == "a" else "a"].items():
            if draw(st.booleans()):
                images[region][peer_stamp] = image
        kind = draw(st.sampled_from(["put", "update", "delete"]))
        outcome = draw(st.sampled_from([Outcome.DONE, Outcome.DONE, Outcome.UNKNOWN, Outcome.REFUSED]))
        happens = outcome is Outcome.DONE or (outcome is Outcome.UNKNOWN and draw(st.booleans()))
        value = str(number)
        write = Write(
            KEY,
            region,
            value,
            instant - draw(st.floats(0.01, 10)),
            instant + draw(st.floats(0.01, 10)),
            outcome,
            deletes=kind == "delete",
            updates=kind == "update",
        )
        writes.append(write)
        current = images[region][max(images[region])]
        if happens:
            base = current[1] if kind == "update" else value
            images[region][float(instant)] = (None, None) if kind == "delete" else (value, base)
        seen = images[region][max(images[region])]
        observations.append(Observation(KEY, region, *seen, instant + 0.001, instant + 0.002))
    merged = images["a"] | images["b"]
    observations.append(Observation(KEY, None, *merged[max(merged)], 100, 101))
    return writes, observations


@given(histories())
def test_no_false_alarm(history: tuple[list[Write], list[Observation]]) -> None:
    writes, observations = history
    assert check_items(writes, observations) == []


# ---- registers -----------------------------------------------------------------------------------------------


def operation(
    call: tuple[str, ...], answer: Any, invoked: float, completed: float, outcome: Outcome = Outcome.DONE
) -> Operation:
    return Operation(call, answer, invoked, completed, outcome)


WRITTEN = operation(("write", "x"), None, 1, 2)
LOST = operation(("write", "y"), None, 3, 4, Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([], True),
        ([WRITTEN, operation(("read",), "x", 3, 4)], True),
        ([WRITTEN, operation(("read",), None, 3, 4)], False),  # stale
        ([WRITTEN, operation(("read",), None, 1.5, 4)], True),
        ([WRITTEN, operation(("read",), "y", 3, 4)], False),
        ([WRITTEN, LOST, operation(("read",), "y", 50, 51)], True),
        ([WRITTEN, LOST, operation(("read",), "x", 50, 51)], True),
        (
            [WRITTEN, LOST, operation(("read",), "y", 50, 51), operation(("read",), "x", 52, 53)],
            False,  # happened, and then had not
        ),
        ([WRITTEN, operation(("swap", "x", "z"), True, 3, 4), operation(("read",), "z", 5, 6)], True),
        ([WRITTEN, operation(("swap", "y", "z"), True, 3, 4)], False),
        ([WRITTEN, operation(("swap", "x", "z"), False, 3, 4)], False),
        (
            # Two swaps from one value cannot both have worked.
            [WRITTEN, operation(("swap", "x", "1"), True, 3, 6), operation(("swap", "x", "2"), True, 4, 5)],
            False,
        ),
        (
            [operation(("write", "x"), None, 1, 2, Outcome.REFUSED), operation(("read",), "x", 3, 4)],
            False,
        ),
    ],
)
def test_registers(operations: list[Operation], expected: bool) -> None:
    assert is_linearizable(operations, None, register) is expected


CALLS: list[tuple[tuple[str, ...], list[Any]]] = [
    (("read",), [None, "x", "y"]),
    (("write", "x"), [None]),
    (("write", "y"), [None]),
    (("swap", "x", "y"), [True, False]),
]


@st.composite
def small_register_histories(draw: st.DrawFn) -> list[Operation]:
    """Any answers at any times: some linearizable, some not."""
    operations: list[Operation] = []
    for _ in range(draw(st.integers(1, 5))):
        call, answers = draw(st.sampled_from(CALLS))
        invoked = draw(st.integers(0, 8))
        outcome = draw(st.sampled_from([Outcome.DONE, Outcome.DONE, Outcome.UNKNOWN]))
        answer = draw(st.sampled_from(answers))
        completed = invoked + draw(st.integers(1, 4))
        operations.append(Operation(call, answer, invoked, completed, outcome))
    return operations


def explained(order: tuple[Operation, ...]) -> bool:
    """The definition: no operation stands before one that had completed when it was invoked, and every answer
    is the register's."""
    state: Any = None
    latest = -math.inf
    for one in order:
        completed = one.completed if one.outcome is Outcome.DONE else math.inf
        if completed < latest:
            return False
        latest = max(latest, one.invoked)
        state, answer = register(state, one.call)
        if one.outcome is Outcome.DONE and answer != one.answer:
            return False
    return True


@given(small_register_histories())
def test_as_the_definition_says(operations: list[Operation]) -> None:
    done = [one for one in operations if one.outcome is Outcome.DONE]
    unknown = [one for one in operations if one.outcome is not Outcome.DONE]
    expected = any(
        explained(order)
        for taken in range(1 << len(unknown))
        for order in permutations(done + [one for number, one in enumerate(unknown) if taken >> number & 1])
    )
    assert is_linearizable(operations, None, register) is expected
