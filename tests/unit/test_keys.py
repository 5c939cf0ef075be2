from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kvorum.model import keys, numbers
from kvorum.model.errors import ApiError
from kvorum.model.requests import AttributeValue
from kvorum.model.table import KeyPart, KeySchema

INVALID = "One or more parameter values were invalid: "
NO_MATCH = "The provided key element does not match the schema"
EMPTY_KEY = (
    "One or more parameter values are not valid. "
    "The AttributeValue for a key attribute cannot contain an empty {} value. Key: {}"
)
HASH_TOO_LONG = INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes"
RANGE_TOO_LONG = INVALID + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
BEGINS_WITH_NUMBER = (
    "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
    "operator or function: begins_with, operand type: N"
)
KINDS = ("S", "N", "B")

# Small alphabets: shared prefixes, equal values and the bytes that the layout uses itself are likely.
texts = st.text("\x00\x01aé￿\U0010ffff", min_size=1, max_size=4)
binaries = st.lists(st.sampled_from((0x00, 0x01, 0x61, 0xFE, 0xFF)), min_size=1, max_size=4).map(bytes)
number_texts = st.one_of(
    st.integers(-300, 300).map(str),
    st.builds("{}e{}".format, st.integers(-99999, 99999), st.integers(-120, 110)),
).map(numbers.canonical)


def values_of(kind: str) -> st.SearchStrategy[AttributeValue]:
    match kind:
        case "S":
            return texts.map(lambda text: {"S": text})
        case "N":
            return number_texts.map(lambda text: {"N": text})
        case _:
            return binaries.map(lambda data: {"B": b64encode(data).decode()})


def order_of(value: AttributeValue) -> Any:
    """What DynamoDB compares; only values of one type are compared."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return content.encode()
        case "N":
            return Decimal(content)
        case _:
            return b64decode(content)


def schema_of(hash_kind: str, range_kind: str | None = None) -> KeySchema:
    return KeySchema(KeyPart("pk", hash_kind), None if range_kind is None else KeyPart("sk", range_kind))


def key_of(schema: KeySchema, hash_value: AttributeValue, range_value: AttributeValue) -> bytes:
    return keys.encode_key(schema, {"pk": hash_value, "sk": range_value})


def message_of(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(ApiError) as caught:
        call(*arguments)
    assert caught.value.code == "ValidationException"
    return caught.value.message


kinds = st.sampled_from(KINDS)


# ---- keys -------------------------------------------------------------------------------------------------


@given(st.data(), kinds, st.sampled_from((None, *KINDS)))
def test_keys_round_trip(data: st.DataObject, hash_kind: str, range_kind: str | None) -> None:
    schema = schema_of(hash_kind, range_kind)
    key = {"pk": data.draw(values_of(hash_kind))}
    if range_kind is not None:
        key["sk"] = data.draw(values_of(range_kind))
    encoded = keys.encode_key(schema, key)
    assert keys.decode_key(schema, encoded) == key
    assert keys.encode_item_key(schema, {**key, "other": {"S": "x"}}) == encoded


@given(st.data(), kinds, kinds)
def test_keys_of_one_collection_sort_by_their_range_value(
    data: st.DataObject, hash_kind: str, range_kind: str
) -> None:
    schema = schema_of(hash_kind, range_kind)
    hash_value = data.draw(values_of(hash_kind))
    a, b = data.draw(values_of(range_kind)), data.draw(values_of(range_kind))
    first, second = key_of(schema, hash_value, a), key_of(schema, hash_value, b)
    assert (first < second) == (order_of(a) < order_of(b))
    assert (first == second) == (a == b)


@given(st.data(), kinds)
def test_no_hash_prefix_is_a_prefix_of_another(data: st.DataObject, kind: str) -> None:
    schema = schema_of(kind, "B")
    a, b = data.draw(values_of(kind)), data.draw(values_of(kind))
    assume(a != b)
    # Without the token, which alone would almost always tell them apart.
    first, second = (keys.hash_prefix(schema, value)[8:] for value in (a, b))
    assert not first.startswith(second)
    assert not second.startswith(first)


@given(st.data(), kinds, kinds)
def test_every_key_starts_with_its_token_and_its_hash_prefix(
    data: st.DataObject, hash_kind: str, range_kind: str
) -> None:
    schema = schema_of(hash_kind, range_kind)
    hash_value = data.draw(values_of(hash_kind))
    encoded = key_of(schema, hash_value, data.draw(values_of(range_kind)))
    prefix = keys.hash_prefix(schema, hash_value)
    assert encoded.startswith(prefix)
    hashed = numbers.hashed(hash_value["N"]) if hash_kind == "N" else order_of(hash_value)
    assert keys.token_of(encoded) == keys.token_of(prefix) == keys.token(hashed)


def test_the_layout_is_what_is_on_disk() -> None:
    encoded = {
        "S": keys.encode_key(schema_of("S", "S"), {"pk": {"S": "a\x00b"}, "sk": {"S": "c\x00"}}),
        "N": keys.encode_key(schema_of("N", "N"), {"pk": {"N": "12"}, "sk": {"N": "-1"}}),
        "B": keys.encode_key(schema_of("B"), {"pk": {"B": "AP8="}}),
    }
    assert {kind: data.hex() for kind, data in encoded.items()} == {
        "S": "5dd5d45ad773a3e0" + "6100ff620001" + "6300",
        "N": "70366ad03e547ddc" + "03832300" + "017ddf",
        "B": "7c24c3cc726244b2" + "00ffff0001",
    }


def _tokens(kind: str, contents: list[str]) -> list[int]:
    return [keys.token_of(keys.hash_prefix(schema_of(kind), {kind: content})) for content in contents]


@pytest.mark.parametrize(
    ("kind", "contents"),
    [
        ("S", ["2", "8", "9", "1", "6", "hello", "0", "5", "4", "äáöü", "aardman", "7", "3", "zapf"]),
        ("N", ["7", "999.9", "8", "3", "2", "-999.9", "9", "4", "-0.09", "6", "1", "0", "0.012345", "5"]),
    ],
)
def test_tokens_order_items_as_a_scan_on_aws_does(kind: str, contents: list[str]) -> None:
    tokens = _tokens(kind, contents)
    assert tokens == sorted(tokens)


@pytest.mark.parametrize(
    ("kind", "content", "segment"),
    [
        ("S", "3635", 0),
        ("S", "228", 0),
        ("S", "1668", 1),
        ("S", "3435", 4),
        ("N", "251", 1),
        ("N", "2388", 4095),
    ],
)
def test_tokens_lie_in_the_segments_that_aws_puts_them_in(kind: str, content: str, segment: int) -> None:
    lower, upper = keys.split_tokens(4096)[segment]
    assert lower <= _tokens(kind, [content])[0] < upper


# ---- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({}, INVALID + "Missing the key pk in the item"),
        ({"pk": {"S": "a"}}, INVALID + "Missing the key sk in the item"),
        (
            {"pk": {"N": "1"}, "sk": {"N": "1"}},
            INVALID + "Type mismatch for key pk expected: S actual: N",
        ),
        (
            {"pk": {"S": "a"}, "sk": {"NULL": True}},
            INVALID + "Type mismatch for key sk expected: N actual: NULL",
        ),
        ({"pk": {"S": ""}, "sk": {"N": "1"}}, EMPTY_KEY.format("string", "pk")),
        ({"pk": {"S": "a" * 2049}, "sk": {"N": "1"}}, HASH_TOO_LONG),
        ({"pk": {"S": "é" * 1025}, "sk": {"N": "1"}}, HASH_TOO_LONG),
    ],
)
def test_items_without_a_proper_key_are_refused(item: Any, message: str) -> None:
    assert message_of(keys.encode_item_key, schema_of("S", "N"), item) == message


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, NO_MATCH),
        ([], NO_MATCH),
        ({}, NO_MATCH),
        ({"pk": {"S": "a"}}, NO_MATCH),
        ({"pk": {"S": "a"}, "other": {"B": "AA=="}}, NO_MATCH),
        ({"pk": {"S": "a"}, "sk": {"B": "AA=="}, "other": {"S": "a"}}, NO_MATCH),
        ({"pk": {"N": "1"}, "sk": {"B": "AA=="}}, NO_MATCH),
        ({"pk": {"S": "a"}, "sk": {"S": "a"}}, NO_MATCH),
        ({"pk": {"S": ""}, "sk": {"B": "AA=="}}, EMPTY_KEY.format("string", "pk")),
        ({"pk": {"S": "a"}, "sk": {"B": ""}}, EMPTY_KEY.format("binary", "sk")),
        ({"pk": {"S": "a" * 2049}, "sk": {"B": "AA=="}}, HASH_TOO_LONG),
        ({"pk": {"S": "a"}, "sk": {"B": b64encode(bytes(1025)).decode()}}, RANGE_TOO_LONG),
    ],
)
def test_keys_that_do_not_match_the_schema_are_refused(key: Any, message: str) -> None:
    assert message_of(keys.encode_key, schema_of("S", "B"), key) == message


def test_keys_may_be_as_long_as_the_limits() -> None:
    schema = schema_of("S", "S")
    key = {"pk": {"S": "\x00" * 2048}, "sk": {"S": "\x00" * 1024}}
    assert keys.decode_key(schema, keys.encode_key(schema, key)) == key


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        ({"S": "a"}, INVALID + "Condition parameter type does not match schema type"),
        ({"N": "1"}, BEGINS_WITH_NUMBER),
    ],
)
def test_conditions_on_another_type_are_refused(operand: AttributeValue, message: str) -> None:
    schema = schema_of("S", "N")
    assert message_of(keys.range_bounds, schema, {"S": "a"}, "begins_with", [operand]) == message
    assert message_of(keys.hash_prefix, schema, {"N": "1"}).endswith("does not match schema type")


def test_operands_that_no_key_can_equal_are_refused() -> None:
    schema = schema_of("S", "S")
    for operator in ("=", "<", "begins_with"):
        message = message_of(keys.range_bounds, schema, {"S": "a"}, operator, [{"S": ""}])
        assert message == EMPTY_KEY.format("string", "sk")
    assert message_of(keys.hash_prefix, schema, {"S": ""}) == EMPTY_KEY.format("string", "pk")
    assert message_of(keys.range_bounds, schema, {"S": "a"}, ">", [{"S": "a" * 1025}]) == RANGE_TOO_LONG


# ---- intervals --------------------------------------------------------------------------------------------

ORACLE: dict[str, Callable[..., bool]] = {
    "": lambda value: True,
    "=": lambda value, a: value == a,
    "<": lambda value, a: value < a,
    "<=": lambda value, a: value <= a,
    ">": lambda value, a: value > a,
    ">=": lambda value, a: value >= a,
    "BETWEEN": lambda value, a, b: a <= value <= b,
    "begins_with": lambda value, a: value.startswith(a),
}
OPERANDS = {"": 0, "BETWEEN": 2}


@given(st.data(), kinds, kinds, st.sampled_from(tuple(ORACLE)))
def test_range_bounds_hold_exactly_the_keys_that_satisfy_the_condition(
    data: st.DataObject, hash_kind: str, range_kind: str, operator: str
) -> None:
    assume((operator, range_kind) != ("begins_with", "N"))
    schema = schema_of(hash_kind, range_kind)
    hash_value = data.draw(values_of(hash_kind))
    operands = [data.draw(values_of(range_kind)) for _ in range(OPERANDS.get(operator, 1))]
    lower, upper = keys.range_bounds(schema, hash_value, operator, operands)
    assert lower <= upper
    for candidate in operands + data.draw(st.lists(values_of(range_kind), max_size=8)):
        wanted = ORACLE[operator](order_of(candidate), *map(order_of, operands))
        assert (lower <= key_of(schema, hash_value, candidate) < upper) == wanted
    stranger = data.draw(values_of(hash_kind))
    if stranger != hash_value:
        assert not lower <= key_of(schema, stranger, data.draw(values_of(range_kind))) < upper


@given(st.data(), kinds)
def test_without_a_sort_key_the_bounds_hold_the_one_key(data: st.DataObject, kind: str) -> None:
    schema = schema_of(kind)
    value, other = data.draw(values_of(kind)), data.draw(values_of(kind))
    lower, upper = keys.range_bounds(schema, value, "", [])
    assert lower == keys.encode_key(schema, {"pk": value}) < upper
    assert (lower <= keys.encode_key(schema, {"pk": other}) < upper) == (other == value)


def test_an_inverted_between_is_empty() -> None:
    lower, upper = keys.range_bounds(schema_of("S", "N"), {"S": "a"}, "BETWEEN", [{"N": "2"}, {"N": "1"}])
    assert lower == upper


@given(binaries, binaries)
def test_successor_bounds_what_starts_with_the_prefix(prefix: bytes, other: bytes) -> None:
    assume(prefix.strip(b"\xff"))
    upper = keys.successor(prefix)
    assert (prefix <= other < upper) == other.startswith(prefix)


@given(binaries, binaries)
def test_after_is_the_next_key(key: bytes, other: bytes) -> None:
    assert (other >= keys.after(key)) == (other > key)


# ---- tokens -----------------------------------------------------------------------------------------------


@given(st.integers(1, 1000))
def test_split_tokens_covers_every_token_once(count: int) -> None:
    ranges = keys.split_tokens(count)
    assert len(ranges) == count
    assert ranges[0][0] == 0
    assert ranges[-1][1] == keys.TOKENS - 1
    assert all(upper + 1 == lower for (_, upper), (lower, _) in pairwise(ranges))
    sizes = {upper - lower for lower, upper in ranges}
    assert max(sizes) - min(sizes) <= 1


@given(st.data(), kinds, st.integers(1, 9))
def test_every_key_lies_in_the_bounds_of_exactly_the_range_of_its_token(
    data: st.DataObject, kind: str, count: int
) -> None:
    encoded = key_of(schema_of(kind, "B"), data.draw(values_of(kind)), data.draw(values_of("B")))
    holders = []
    for lower_token, upper_token in keys.split_tokens(count):
        lower, upper = keys.token_bounds(lower_token, upper_token)
        if lower <= encoded < upper:
            holders.append((lower_token, upper_token))
    assert len(holders) == 1
    assert holders[0][0] <= keys.token_of(encoded) <= holders[0][1]


def test_the_last_bounds_sort_after_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    class LastHash:
        def copy(self) -> LastHash:
            return self

        def update(self, _: bytes) -> None: ...

        def digest(self) -> bytes:
            return b"\xff" * 8

    monkeypatch.setattr(keys, "_HASH", LastHash())
    schema = schema_of("B", "B")
    highest = key_of(
        schema,
        {"B": b64encode(b"\xff" * 2048).decode()},
        {"B": b64encode(b"\xff" * 1024).decode()},
    )
    assert keys.token(b"") == keys.TOKENS - 2
    lower, upper = keys.token_bounds(0, keys.TOKENS - 1)
    assert lower <= highest < upper
