"""What a write means: outcomes, what they return, and that asking twice changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model.errors import ApiError
from kvorum.model.item import Image, Outcome, apply
from kvorum.model.limits import ITEM_BYTES_MAX
from kvorum.model.requests import Delete, Expressions, Item, Put, ReturnValues, Update, Write
from kvorum.model.table import KeyPart, KeySchema, Table, TableStatus
from kvorum.model.values import dumps, item_size, loads
from tests.kit.items import items
from tests.kit.items import values as attribute_values

TABLE = Table(
    id=1, name="t", status=TableStatus.ACTIVE, keys=KeySchema(KeyPart("pk", "S")), uuid="u", created_ms=0
)
KEY: Item = {"pk": {"S": "k"}}
OLD: Item = KEY | {
    "n": {"N": "1"},
    "m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}},
    "l": {"L": [{"N": "1"}, {"N": "2"}]},
    "set": {"SS": ["a"]},
}


def image(item: Item) -> Image:
    return Image(dumps(item), item_size(item))


def put(item: Item, **options: Any) -> Put:
    return Put(b"k", dumps(item), item_size(item), **options)


def update(text: str | None = None, condition: str | None = None, **options: Any) -> Update:
    names = options.pop("names", {})
    values = options.pop("values", {})
    return Update(b"k", KEY, Expressions(condition, text, names, values), **options)


def returned(outcome: Outcome) -> Item | None:
    return None if outcome.attributes is None else loads(outcome.attributes)


# ---- put ----------------------------------------------------------------------------------------------------


def test_a_put_replaces_the_item() -> None:
    new = KEY | {"z": {"S": "new"}}
    assert apply(put(new), image(OLD), TABLE) == Outcome(dumps(new), item_size(new), None, changed=True)
    assert apply(put(new), None, TABLE).changed


def test_a_put_returns_the_old_item_as_it_is_stored() -> None:
    assert apply(put(KEY, returns=ReturnValues.ALL_OLD), image(OLD), TABLE).attributes == dumps(OLD)
    assert apply(put(KEY, returns=ReturnValues.ALL_OLD), None, TABLE).attributes is None


def test_a_put_of_what_is_there_changes_nothing() -> None:
    assert not apply(put(OLD), image(OLD), TABLE).changed


def test_an_unconditional_put_decodes_nothing() -> None:
    broken = Image(b"not JSON", 8)
    assert apply(put(KEY, returns=ReturnValues.ALL_OLD), broken, TABLE).attributes == b"not JSON"


# ---- delete -------------------------------------------------------------------------------------------------


def test_a_delete_leaves_nothing() -> None:
    assert apply(Delete(b"k"), image(OLD), TABLE) == Outcome(None, 0, None, changed=True)
    outcome = apply(Delete(b"k", returns=ReturnValues.ALL_OLD), image(OLD), TABLE)
    assert outcome.attributes == dumps(OLD)


def test_a_delete_of_nothing_changes_nothing() -> None:
    outcome = apply(Delete(b"k", returns=ReturnValues.ALL_OLD), None, TABLE)
    assert outcome == Outcome(None, 0, None, changed=False)


# ---- conditions ---------------------------------------------------------------------------------------------

ABSENT = Expressions(condition="attribute_not_exists(pk)")
PRESENT = Expressions(condition="attribute_exists(pk)")


@pytest.mark.parametrize(
    "write",
    [
        put(KEY, expressions=ABSENT, return_old_on_failure=True),
        Delete(b"k", ABSENT, return_old_on_failure=True),
        update("SET n = n", ABSENT.condition, return_old_on_failure=True),
    ],
)
def test_a_failed_condition_carries_the_old_item_when_asked(write: Write) -> None:
    with pytest.raises(ApiError) as caught:
        apply(write, image(OLD), TABLE)
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.message == "The conditional request failed"
    assert caught.value.extra == {"Item": OLD}


@pytest.mark.parametrize(
    ("write", "previous"),
    [
        (put(KEY, expressions=ABSENT), OLD),
        (put(KEY, expressions=PRESENT, return_old_on_failure=True), None),
        (Delete(b"k", PRESENT, return_old_on_failure=True), None),
        (update("SET n = :v", PRESENT.condition, values={":v": {"N": "1"}}), None),
    ],
)
def test_a_failed_condition_carries_no_item_otherwise(write: Write, previous: Item | None) -> None:
    with pytest.raises(ApiError) as caught:
        apply(write, None if previous is None else image(previous), TABLE)
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.extra is None


def test_a_condition_that_holds_lets_the_write_through() -> None:
    assert apply(put(KEY, expressions=ABSENT), None, TABLE).json == dumps(KEY)
    assert apply(Delete(b"k", PRESENT), image(OLD), TABLE).json is None


# ---- update -------------------------------------------------------------------------------------------------

V = {":one": {"N": "1"}, ":s": {"S": "s"}}


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        (None, {}, {}),
        ("REMOVE absent SET n = :one", V, {"n": V[":one"]}),
        ("SET n = :one", V, {"n": V[":one"]}),
        ("ADD n :one", V, {"n": V[":one"]}),
        ("SET n = if_not_exists(n, :one) + :one", V, {"n": {"N": "2"}}),
        ("SET n = pk", {}, {"n": KEY["pk"]}),
        ("SET n = if_not_exists(n, pk)", {}, {"n": KEY["pk"]}),
    ],
)
def test_an_update_of_nothing_creates_the_item(text: str | None, values: Any, expected: Item) -> None:
    outcome = apply(update(text, values=values, returns=ReturnValues.ALL_NEW), None, TABLE)
    assert outcome.json == outcome.attributes == dumps(KEY | expected)
    assert outcome.size == item_size(KEY | expected)
    assert outcome.changed


@pytest.mark.parametrize(
    "text", ["REMOVE n", "DELETE n :set", "REMOVE a, b DELETE n :set", "REMOVE a.b, l[0]"]
)
@pytest.mark.parametrize("returns", ReturnValues)
def test_taking_away_from_nothing_creates_nothing(text: str, returns: ReturnValues) -> None:
    taking = update(text, values={":set": {"SS": ["a"]}} if "DELETE" in text else {}, returns=returns)
    assert apply(taking, None, TABLE) == Outcome(None, 0, None, changed=False)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("SET n = n + :one", {"n": {"N": "1"}}, {"n": {"N": "2"}}),
        ("SET m.a = :s", {"m": {"M": {"a": {"S": "x"}}}}, {"m": {"M": {"a": {"S": "s"}}}}),
        (
            "SET l[1] = :s, m.c = :s",
            {"l": {"L": [{"N": "2"}]}},
            {"l": {"L": [V[":s"]]}, "m": {"M": {"c": V[":s"]}}},
        ),
        ("REMOVE n, m.b", {"n": {"N": "1"}, "m": {"M": {"b": {"S": "y"}}}}, None),
        ("ADD fresh :one", None, {"fresh": {"N": "1"}}),
        ("SET n = n", {"n": {"N": "1"}}, {"n": {"N": "1"}}),
    ],
)
def test_updated_attributes_are_those_that_the_update_names(text: str, old: Any, new: Any) -> None:
    for returns, expected in ((ReturnValues.UPDATED_OLD, old), (ReturnValues.UPDATED_NEW, new)):
        assert returned(apply(update(text, values=V, returns=returns), image(OLD), TABLE)) == expected


def test_all_old_and_all_new() -> None:
    text = "SET n = :s"
    old = apply(update(text, values=V, returns=ReturnValues.ALL_OLD), image(OLD), TABLE)
    assert old.attributes == dumps(OLD)
    new = apply(update(text, values=V, returns=ReturnValues.ALL_NEW), image(OLD), TABLE)
    assert returned(new) == OLD | {"n": {"S": "s"}}
    for returns in (ReturnValues.ALL_OLD, ReturnValues.UPDATED_OLD):
        assert apply(update(text, values=V, returns=returns), None, TABLE).attributes is None


@pytest.mark.parametrize("text", [None, "SET n = n", "REMOVE absent", "ADD #s :a", "SET l[0] = n, #s = :a"])
def test_an_update_that_leaves_the_item_equal_changes_nothing(text: str | None) -> None:
    previous = image(OLD)
    outcome = apply(update(text, names={"#s": "set"}, values={":a": {"SS": ["a"]}}), previous, TABLE)
    assert outcome == Outcome(previous.json, previous.size, None, changed=False, decoded=OLD)


def test_an_update_may_not_outgrow_the_limit() -> None:
    room = ITEM_BYTES_MAX - item_size(KEY) - len("big")
    fits = update("SET big = :v", values={":v": {"S": "x" * room}})
    assert apply(fits, None, TABLE).size == ITEM_BYTES_MAX
    with pytest.raises(ApiError) as caught:
        apply(update("SET big = :v", values={":v": {"S": "x" * (room + 1)}}), None, TABLE)
    assert caught.value.message == "Item size to update has exceeded the maximum allowed size"


PART_OF_THE_KEY = (
    "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"
)


@pytest.mark.parametrize("previous", [None, OLD])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET pk = :s", PART_OF_THE_KEY),
        ("REMOVE pk.a", PART_OF_THE_KEY),
        ("SET n = absent", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET a.b = :s", "The document path provided in the update expression is invalid for update"),
    ],
)
def test_what_only_the_item_shows(previous: Item | None, text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        apply(update(text, values=V), None if previous is None else image(previous), TABLE)
    assert caught.value.message == message


# ---- any write ----------------------------------------------------------------------------------------------

conditions = st.sampled_from(
    [None, "attribute_exists(pk)", "attribute_not_exists(pk)", "a = :v OR size(b) > :v"]
)
texts = st.sampled_from(
    [
        None,
        "SET a = :v",
        "SET b = a REMOVE c",
        "SET a.b = :v REMOVE b[0]",
        "ADD a :v",
        "DELETE a :v",
        "SET a = list_append(a, :v), d = if_not_exists(d, b)",
    ]
)


@given(
    st.sampled_from([Put, Update, Delete]),
    conditions,
    texts,
    st.sampled_from(list(ReturnValues)),
    attribute_values,
    st.none() | items,
    items,
)
def test_a_write_means_the_same_twice(kind, condition, text, returns, value, old, new) -> None:  # type: ignore[no-untyped-def]
    given_expressions = Expressions(condition, text if kind is Update else None, {}, {":v": value})
    write: Write
    if kind is Put:
        write = put(KEY | new, expressions=given_expressions, returns=returns, return_old_on_failure=True)
    elif kind is Update:
        write = Update(b"k", KEY, given_expressions, returns, return_old_on_failure=True)
    else:
        write = Delete(b"k", given_expressions, returns, return_old_on_failure=True)
    previous = None if old is None else image(KEY | old)

    def outcome_of(previous: Image | None) -> object:
        try:
            return apply(write, previous, TABLE)
        except ApiError as error:
            return error.code, error.message, error.extra

    first = outcome_of(previous)
    assert outcome_of(previous) == first
    if previous is not None:
        assert loads(previous.json) == previous.attributes == KEY | old, "the old image was changed"
        assert outcome_of(image(KEY | old)) == first
    if isinstance(first, Outcome) and first.json is not None:
        assert first.size == item_size(loads(first.json))
        assert first.changed == (previous is None or loads(previous.json) != loads(first.json))
