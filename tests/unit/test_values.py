from __future__ import annotations

from base64 import b64decode, b64encode
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import numbers, values
from kvorum.model.errors import ApiError
from kvorum.model.faults import in_older_words

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
INVALID = "One or more parameter values were invalid: "
EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
SEVERAL = (
    "Supplied AttributeValue has more than one datatypes set, "
    "must contain exactly one of the supported datatypes"
)
TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: "
    "Attributes in the item have nested levels beyond supported limit"
)
STRUCTURE = "Start of structure or map found where not expected"
MAP_TYPE = "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"

# Lone surrogates cannot come over the wire: JSON parsers refuse them.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
names = texts.filter(bool)
binaries = st.binary(max_size=12).map(lambda data: b64encode(data).decode())
number_texts = st.one_of(
    st.integers().filter(lambda n: abs(n) < 10**38).map(str),
    st.decimals(-1000, 1000, places=5).map(str),
    st.builds("{}e{}".format, st.integers(-9999, 9999), st.integers(-120, 120)),
)
scalars = st.one_of(
    st.builds(lambda s: {"S": s}, texts),
    st.builds(lambda n: {"N": n}, number_texts),
    st.builds(lambda b: {"B": b}, binaries),
    st.builds(lambda b: {"BOOL": b}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda m: {"SS": m}, st.lists(texts, min_size=1, max_size=4, unique=True)),
    st.builds(lambda m: {"NS": m}, st.lists(number_texts, min_size=1, max_size=4, unique_by=Decimal)),
    st.builds(lambda m: {"BS": m}, st.lists(binaries, min_size=1, max_size=4, unique=True)),
)
wire_values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(lambda elements: {"L": elements}, st.lists(inner, max_size=3)),
        st.builds(lambda members: {"M": members}, st.dictionaries(names, inner, max_size=3)),
    ),
    max_leaves=6,
)
wire_items = st.dictionaries(names, wire_values, max_size=5)


def read(raw: Any) -> Any:
    return values.read_value(deepcopy(raw))


def refusal(raw: Any) -> tuple[str, str]:
    with pytest.raises(ApiError) as caught:
        values.read_value(raw)
    return caught.value.code, caught.value.message


def nested(levels: int, leaf: dict[str, Any], tag: str = "M") -> dict[str, Any]:
    for _ in range(levels):
        leaf = {"M": {"n": leaf}} if tag == "M" else {"L": [leaf]}
    return leaf


def meaning(value: dict[str, Any]) -> Any:
    """A dumb reading of what a value is, in which equal values are equal."""
    ((tag, content),) = value.items()
    match tag:
        case "N":
            return tag, Decimal(content)
        case "NS":
            return tag, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return tag, frozenset(content)
        case "L":
            return tag, [meaning(element) for element in content]
        case "M":
            return tag, {name: meaning(element) for name, element in content.items()}
        case _:
            return tag, content


# ---- properties -------------------------------------------------------------------------------------------


@given(wire_items)
def test_reading_keeps_the_meaning_and_is_idempotent(raw: dict[str, Any]) -> None:
    item, size = values.read_item(deepcopy(raw))
    assert {name: meaning(value) for name, value in item.items()} == {
        name: meaning(value) for name, value in raw.items()
    }
    assert values.read_item(deepcopy(item)) == (item, size)


@given(wire_items)
def test_the_size_counted_while_reading_is_the_items_size(raw: dict[str, Any]) -> None:
    item, size = values.read_item(raw)
    assert values.item_size(item) == size
    assert size == sum(len(name.encode()) + values.value_size(value) for name, value in item.items())


@given(wire_items)
def test_items_round_trip_through_their_bytes(raw: dict[str, Any]) -> None:
    item, _ = values.read_item(raw)
    assert values.loads(values.dumps(item)) == item


@given(st.lists(number_texts, min_size=1, max_size=5, unique_by=Decimal), st.randoms())
def test_equal_sets_become_equal_json(members: list[str], random: Any) -> None:
    shuffled = [f"{Decimal(member):E}" for member in members]
    random.shuffle(shuffled)
    assert read({"NS": shuffled}) == read({"NS": members})
    assert read({"NS": shuffled})["NS"] == [
        numbers.canonical(str(number)) for number in sorted(map(Decimal, members))
    ]


@given(st.lists(texts, min_size=1, max_size=5, unique=True))
def test_string_sets_lie_in_the_order_of_their_utf8(members: list[str]) -> None:
    assert read({"SS": members})["SS"] == sorted(members, key=str.encode)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=5, unique=True))
def test_binary_sets_lie_in_the_order_of_their_bytes(members: list[bytes]) -> None:
    raw = {"BS": [b64encode(member).decode() for member in members]}
    assert read(raw)["BS"] == [b64encode(member).decode() for member in sorted(members)]


@given(st.text("AB9+/=*é", max_size=9))
def test_base64_is_accepted_exactly_when_it_is_canonical(text: str) -> None:
    try:
        canonical = b64encode(b64decode(text, validate=True)).decode() == text
    except ValueError:
        canonical = False
    if canonical:
        assert read({"B": text}) == {"B": text}
    else:
        assert refusal({"B": text})[0] == "SerializationException"


# ---- sizes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "añ€"}, 6),
        ({"N": "-12.5"}, 4),
        ({"B": "AAAA"}, 3),
        ({"B": "AAA="}, 2),
        ({"B": "AA=="}, 1),
        ({"B": ""}, 0),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "é"]}, 3),
        ({"NS": ["1", "123"]}, 5),
        ({"BS": ["AA==", "AAAA"]}, 4),
        ({"L": []}, 3),
        ({"M": {}}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + 1 + 2 + 1 + 1),
        ({"M": {"né": {"S": "ab"}}}, 3 + 1 + 3 + 2),
    ],
)
def test_sizes(value: dict[str, Any], size: int) -> None:
    assert values.read_item({"name": deepcopy(value)})[1] == 4 + size
    assert values.value_size(read(value)) == size


# ---- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, EMPTY),
        (None, EMPTY),
        ({"S": None}, EMPTY),
        ({"X": "a"}, EMPTY),
        ({"L": [None]}, EMPTY),
        ({"SS": [None]}, EMPTY),
        ({"M": {"a": {}}}, EMPTY),
        ({"S": "a", "N": "1"}, SEVERAL),
        ({"S": "", "N": "b"}, "The parameter cannot be converted to a numeric value: b"),
        ({"N": ""}, "The parameter cannot be converted to a numeric value: "),
        ({"NS": ["1", "b"]}, "The parameter cannot be converted to a numeric value: b"),
        ({"NULL": False}, INVALID + "Null attribute value types must have the value of true"),
        ({"SS": []}, INVALID + "An string set  may not be empty"),
        ({"NS": []}, INVALID + "An number set  may not be empty"),
        ({"BS": []}, INVALID + "Binary sets should not be empty"),
        ({"SS": ["b", "a", "b"]}, INVALID + 'Input collection ["a", "b", "b"] contains duplicates.'),
        (
            {"SS": ["b", "b", "c", "a"]},
            INVALID + 'Input collection ["b", "b", "c", "a"] contains duplicates.',
        ),
        ({"SS": ["", ""]}, INVALID + 'Input collection ["", ""] contains duplicates.'),
        ({"NS": ["1", "1.0"]}, INVALID + "Input collection contains duplicates."),
        ({"NS": ["0", "-0"]}, INVALID + "Input collection contains duplicates."),
        (
            {"BS": ["/w==", "AA==", "AA=="]},
            INVALID + 'Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
        ),
        ({"M": {"": {"S": "a"}}}, "Empty attribute name"),
        (
            {"M": {"é" * 32_768: {"S": "a"}}},
            "Attribute name is too large, must be less than 65536 bytes",
        ),
        (nested(32, {"S": "leaf"}), TOO_DEEP),
        (nested(32, {"S": "leaf"}, "L"), TOO_DEEP),
        (nested(400, {"S": "leaf"}), TOO_DEEP),
    ],
)
def test_values_without_meaning_are_refused(raw: Any, message: str) -> None:
    assert refusal(raw) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"SS": ["b", "a", "b"]}, INVALID + "Input collection [b, a, b] contains duplicates."),
        (
            {"BS": ["/w==", "AA==", "AA=="]},
            INVALID + "Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
        ),
        ({"NS": ["2", "1", "2"]}, "Input collection contains duplicates"),
        ({"N": ""}, "The parameter cannot be converted to a numeric value"),
        ({"N": "b"}, "The parameter cannot be converted to a numeric value: b"),
        ({"N": "1e126"}, OVERFLOW),
        ({"N": "1e2147483647"}, UNDERFLOW),
        ({"N": "1e2147483648"}, "The parameter cannot be converted to a numeric value: 1e2147483648"),
        ({"N": "1e-2147483648"}, "The parameter cannot be converted to a numeric value: 1e-2147483648"),
        ({"N": "-1e99999999999"}, "The parameter cannot be converted to a numeric value: -1e99999999999"),
        ({"N": "1e-2147483647"}, UNDERFLOW),
        (
            {"L": [{"N": "1"}, {"NULL": False}]},
            INVALID + "Null attribute value types must have the value of true",
        ),
    ],
)
def test_the_older_words(raw: Any, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        read(raw)
    assert in_older_words(caught.value).message == message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("text", "Unexpected value type in payload"),
        (1, "Unexpected value type in payload"),
        ([], "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue"),
        ({"S": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({"S": True}, "TRUE_VALUE cannot be converted to String"),
        ({"S": []}, "Unrecognized collection type class java.lang.String"),
        ({"S": {}}, STRUCTURE),
        ({"N": 1}, "NUMBER_VALUE cannot be converted to String"),
        ({"N": 1.5}, "DECIMAL_VALUE cannot be converted to String"),
        ({"N": False}, "FALSE_VALUE cannot be converted to String"),
        ({"BOOL": "23"}, "Unexpected token received from parser"),
        ({"BOOL": 1}, "NUMBER_VALUE cannot be converted to Boolean"),
        ({"NULL": {}}, STRUCTURE),
        ({"NULL": []}, "Unrecognized collection type class java.lang.Boolean"),
        ({"B": 1}, "only base-64-encoded strings are convertible to bytes"),
        ({"B": []}, "Unrecognized collection type class java.nio.ByteBuffer"),
        ({"B": {}}, STRUCTURE),
        ({"B": "23456"}, "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
        ({"B": "=+/="}, "Invalid last non-pad Base64 character dectected"),
        ({"B": "+/+="}, "Invalid last non-pad Base64 character dectected"),
        ({"SS": "a"}, "Unexpected field type"),
        ({"SS": {}}, STRUCTURE),
        ({"SS": [1]}, "NUMBER_VALUE cannot be converted to String"),
        ({"NS": [1]}, "NUMBER_VALUE cannot be converted to String"),
        ({"BS": [1]}, "only base-64-encoded strings are convertible to bytes"),
        ({"L": {}}, STRUCTURE),
        ({"L": "a"}, "Unexpected field type"),
        ({"L": ["a"]}, "Unexpected value type in payload"),
        ({"M": "a"}, "Unexpected field type"),
        ({"M": []}, f"Unrecognized collection type {MAP_TYPE}"),
        ({"M": {"a": "b"}}, "Unexpected value type in payload"),
    ],
)
def test_json_of_the_wrong_type_is_refused(raw: Any, message: str) -> None:
    assert refusal(raw) == ("SerializationException", message)


@pytest.mark.parametrize(
    ("raw", "kind", "message"),
    [
        ([], "SerializationException", f"Unrecognized collection type {MAP_TYPE}"),
        ("text", "SerializationException", "Unexpected field type"),
        ({"a": None}, "ValidationException", EMPTY),
        ({"": {"S": "a"}}, "ValidationException", "Empty attribute name"),
        (
            {"a" * 65_536: {"S": "a"}},
            "ValidationException",
            "Attribute name is too large, must be less than 65536 bytes",
        ),
    ],
)
def test_items_without_meaning_are_refused(raw: Any, kind: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        values.read_item(raw)
    assert (caught.value.code, caught.value.message) == (kind, message)


# ---- what is accepted -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["M", "L"])
def test_values_may_lie_at_level_32(tag: str) -> None:
    read(nested(31, {"S": "leaf"}, tag))
    read(nested(31, {"L": []}, tag))


def test_a_name_may_have_65535_bytes() -> None:
    name = "é" * 32_767 + "a"
    assert values.read_item({name: {"NULL": True}})[1] == 65_536
    assert values.read_value({"M": {name: {"NULL": True}}}) == {"M": {name: {"NULL": True}}}


def test_members_that_are_null_or_unknown_count_as_absent() -> None:
    assert read({"S": "a", "N": None, "X": 1}) == {"S": "a"}


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"BOOL": "true"}, {"BOOL": True}),
        ({"BOOL": "No"}, {"BOOL": False}),
        ({"NULL": "1"}, {"NULL": True}),
        ({"L": [{"BOOL": "FALSE"}]}, {"L": [{"BOOL": False}]}),
    ],
)
def test_words_become_booleans(raw: dict[str, Any], value: dict[str, Any]) -> None:
    assert values.read_value(raw) == value


def test_a_word_for_false_is_no_null() -> None:
    with pytest.raises(ApiError, match="Null attribute value types must have the value of true"):
        values.read_value({"NULL": "no"})


def test_sets_may_hold_empty_members() -> None:
    assert read({"SS": ["a", ""]}) == {"SS": ["", "a"]}
    assert read({"BS": ["AA==", ""]}) == {"BS": ["", "AA=="]}


def test_numbers_become_canonical_at_any_depth() -> None:
    assert read({"L": [{"M": {"n": {"N": "+1.50E1"}}}]}) == {"L": [{"M": {"n": {"N": "15"}}}]}


def test_json_is_compact_utf8() -> None:
    assert values.dumps({"é": {"S": "x"}}) == '{"é":{"S":"x"}}'.encode()


def test_type_of_is_the_tag() -> None:
    assert [values.type_of(value) for value in ({"S": ""}, {"NULL": True}, {"M": {}})] == ["S", "NULL", "M"]
