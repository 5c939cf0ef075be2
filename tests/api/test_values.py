"""All ten types, through boto3 and back; numbers to 38 digits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.boto import Client, Item, Tables

_EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_binaries = st.binary(max_size=20)
_numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, digits)), exponent)),
    st.integers(0, 1),
    st.from_regex(r"[0-9]{1,38}", fullmatch=True),
    st.integers(-130, 87),
)
_scalars = st.one_of(st.none(), st.booleans(), _texts, _binaries, _numbers)
_sets = st.one_of(
    st.sets(_texts, min_size=1, max_size=4),
    st.sets(_binaries, min_size=1, max_size=4),
    st.sets(_numbers, min_size=1, max_size=4),
)
_values = st.recursive(
    _scalars | _sets,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_texts.filter(bool), inner, max_size=4)
    ),
    max_leaves=12,
)


def _stored(client: Client, table: str, attributes: Item, unique: str) -> Item:
    """Put, and get: what came back, without the key."""
    key = {"pk": {"S": unique}}
    client.put_item(TableName=table, Item={**attributes, **key})
    item: Item = client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    assert item.pop("pk") == {"S": unique}
    return item


def _meaning(value: dict[str, Any]) -> Any:
    """What an attribute value says, however it is written. (boto3's own deserializer refuses 1E+38 as AWS writes
    it: 39 digits, one of them significant.)"""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "NS":
            return kind, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return kind, frozenset(content)
        case "L":
            return kind, list(map(_meaning, content))
        case "M":
            return kind, {name: _meaning(member) for name, member in content.items()}
        case _:
            return kind, content


@_EXAMPLES
@given(attributes=st.dictionaries(_texts.filter(lambda name: name not in ("", "pk")), _values, max_size=5))
def test_what_is_put_comes_back(
    client: Client, tables: Tables, unique: str, attributes: dict[str, Any]
) -> None:
    serialize = TypeSerializer().serialize
    item = {name: serialize(value) for name, value in attributes.items()}
    assert _meaning({"M": _stored(client, tables("S"), item, unique)}) == _meaning({"M": item})


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("0", "0"),
        ("-0.0", "0"),
        ("007.500", "7.5"),
        ("1E2", "100"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("-0.00012345678901234567890123456789012345678", "-0.00012345678901234567890123456789012345678"),
        ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
        ("1E-130", "0." + "0" * 129 + "1"),
    ],
)
def test_numbers_are_kept_to_the_last_digit(
    client: Client, tables: Tables, unique: str, sent: str, received: str
) -> None:
    stored = _stored(client, tables("S"), {"n": {"N": sent}}, unique)
    assert stored == {"n": {"N": received}}


def test_empty_strings_binaries_lists_and_maps_are_values(
    client: Client, tables: Tables, unique: str
) -> None:
    item: Item = {"s": {"S": ""}, "b": {"B": b""}, "l": {"L": []}, "m": {"M": {}}}
    assert _stored(client, tables("S"), item, unique) == item


def test_32_levels(client: Client, tables: Tables, unique: str) -> None:
    value: Any = {"S": "bottom"}
    for _ in range(31):
        value = {"L": [value]}
    assert _stored(client, tables("S"), {"deep": value}, unique) == {"deep": value}
