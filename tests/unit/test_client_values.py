"""Native values: what goes in comes out, and what has no DynamoDB value is refused before it is sent."""

from __future__ import annotations

from collections import OrderedDict, UserDict
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.client import ValidationError
from kvorum.client.values import fill_item, fill_value, read_item, read_value
from kvorum.model.limits import NESTING_LEVELS_MAX
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb
from kvorum.router import protobuf

numbers = st.integers(-(10**38) + 1, 10**38 - 1) | st.decimals(
    min_value=-(10**20), max_value=10**20, places=10, allow_nan=False
)
texts = st.text(max_size=20)
blobs = st.binary(max_size=20)
sets = (
    st.sets(texts, min_size=1, max_size=4)
    | st.sets(numbers, min_size=1, max_size=4)
    | st.sets(blobs, min_size=1, max_size=4)
)
native_values: st.SearchStrategy[Any] = st.recursive(
    texts | numbers | blobs | st.booleans() | st.none() | sets,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
native_items = st.dictionaries(texts, native_values, max_size=5)


def sent(value: Any) -> pb.AttributeValue:
    message = pb.AttributeValue()
    fill_value(message, value)
    return message


@given(native_items)
def test_an_item_comes_back_as_it_went(item: dict[str, Any]) -> None:
    message = pb.Item()
    fill_item(message, item)
    assert read_item(pb.Item.FromString(message.SerializeToString())) == item


@given(native_items)
def test_the_router_reads_and_writes_the_same_item(item: dict[str, Any]) -> None:
    message = pb.Item()
    fill_item(message, item)
    answer = pb.Item()
    protobuf.fill_item(answer, protobuf.read_item(message))
    assert answer == message


@given(native_values)
def test_types_survive(value: Any) -> None:
    back = read_value(sent(value))
    assert back == value
    if not isinstance(value, int | Decimal):  # numbers come back as int when they are whole
        assert type(back) is type(value)


def test_whole_numbers_come_back_as_int_and_others_as_decimal() -> None:
    assert type(read_value(pb.AttributeValue(n="12"))) is int
    assert read_value(pb.AttributeValue(n="-0.5")) == Decimal("-0.5")


class Colour(StrEnum):
    RED = "red"


class Level(int, Enum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "back"),
    [
        ((1, "a"), [1, "a"]),
        (frozenset({"a"}), {"a"}),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict({"a": 1}), {"a": 1}),
        ({"a": 1}.keys(), {"a"}),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        ({Level.HIGH}, {3}),
        (Decimal("1E+2"), None),
    ],
)
def test_relatives_of_the_types_are_taken(value: Any, back: Any) -> None:
    if back is None:
        assert sent(value).n == "1E+2"  # the router makes it canonical
    else:
        assert read_value(sent(value)) == back


@pytest.mark.parametrize("value", [0.5, float("nan"), {0.5}, [0.5], {"a": 1.0}])
def test_floats_are_refused_with_the_way_out(value: Any) -> None:
    with pytest.raises(TypeError, match="Decimal"):
        sent(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (set(), "empty set"),
        ({1, "a"}, "N and S"),
        ({True}, "bool"),
        ({None}, "NoneType"),
        ({1: "a"}, "must be str"),
        (object(), "object has no DynamoDB type"),
    ],
)
def test_what_has_no_value_is_refused(value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        sent(value)


def nested(levels: int) -> Any:
    value: Any = "deep"
    for position in range(levels):
        value = [value] if position % 2 else {"m": value}
    return value


def test_the_deepest_item_is_read_in_every_message_and_a_deeper_one_is_not_sent() -> None:
    deepest = nested(NESTING_LEVELS_MAX - 1)
    maps: Any = "deep"
    for _ in range(NESTING_LEVELS_MAX - 1):
        maps = {"m": maps}
    for value in (deepest, maps):
        frame = pb.SessionRequest()
        fill_item(frame.calls.add().batch_write_item.request_items.add().put_item, {"a": value})
        assert pb.SessionRequest.FromString(frame.SerializeToString()) == frame
        found = pb.SessionResponse()
        fill_item(found.answers.add().batch_get_item.responses["t"].items.add(), {"a": value})
        assert pb.SessionResponse.FromString(found.SerializeToString()) == found
    with pytest.raises(ValidationError, match="Nesting Levels"):
        fill_item(pb.Item(), {"a": nested(NESTING_LEVELS_MAX)})
