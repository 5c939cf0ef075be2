"""The older parameters: what they mean, against an oracle written from AWS's developer guide, and that the refused
ones are refused in AWS's words wherever they stand."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import legacy
from kvorum.model.errors import ApiError
from kvorum.model.expressions import project
from kvorum.model.requests import AttributeValue, Expressions, Item, Legacy, LegacyConditions
from kvorum.model.table import KeyPart, KeySchema
from kvorum.model.values import read_value
from tests.kit.fake_cluster import FakeCluster

_INVALID = "One or more parameter values were invalid: "
_SCHEMA = KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N"))

# ---- conditions, against an oracle ---------------------------------------------------------------------------

_SCALARS: tuple[AttributeValue, ...] = (
    {"S": ""},
    {"S": "a"},
    {"S": "ab"},
    {"S": "é"},
    {"N": "1"},
    {"N": "2"},
    {"N": "10"},
    {"B": "YQ=="},
    {"B": "YWI="},
    {"B": "/w=="},
)
_VALUES: tuple[AttributeValue, ...] = (
    *_SCALARS,
    {"SS": ["a", "ab"]},
    {"NS": ["1", "10"]},
    {"BS": ["YQ=="]},
    {"L": [{"S": "a"}, {"N": "1"}, {"B": "YQ=="}]},
    {"M": {"a": {"S": "a"}}},
    {"BOOL": True},
    {"NULL": True},
)
_NAMES = ("a", "#b", "")
_PLAIN = ("LE", "LT", "GE", "GT", "CONTAINS", "NOT_CONTAINS")


@st.composite
def _condition(draw: st.DrawFn) -> dict[str, Any]:
    operator = draw(
        st.sampled_from(("NULL", "NOT_NULL", "EQ", "NE", *_PLAIN, "BEGINS_WITH", "IN", "BETWEEN"))
    )
    kind = draw(st.sampled_from(("S", "B") if operator == "BEGINS_WITH" else ("S", "N", "B")))
    alike = st.sampled_from([value for value in _SCALARS if kind in value])
    match operator:
        case "NULL" | "NOT_NULL":
            values: list[AttributeValue] = []
        case "EQ" | "NE":
            values = [draw(st.sampled_from(_VALUES))]
        case "IN":
            values = draw(st.lists(alike, min_size=1, max_size=3))
        case "BETWEEN":
            values = sorted((draw(alike), draw(alike)), key=_rank)
        case _:
            values = [draw(alike)]
    return {"ComparisonOperator": operator, "AttributeValueList": values}


def _rank(value: AttributeValue) -> Any:
    ((kind, content),) = value.items()
    return int(content) if kind == "N" else b64decode(content) if kind == "B" else content.encode()


def _kind(value: AttributeValue) -> str:
    return next(iter(value))


def _contains(whole: AttributeValue, part: AttributeValue) -> bool:
    kind = _kind(whole)
    if kind in ("S", "B"):
        return _kind(part) == kind and bool(_rank(part) in _rank(whole))
    if kind in ("SS", "NS", "BS"):
        return part in [{kind[0]: member} for member in whole[kind]]
    return kind == "L" and part in whole["L"]


def _oracle(condition: dict[str, Any], found: AttributeValue | None) -> bool:
    operator, values = condition["ComparisonOperator"], condition["AttributeValueList"]
    if operator in ("NULL", "NOT_NULL"):
        return bool((found is None) == (operator == "NULL"))
    if found is None:
        return bool(operator == "NE")
    match operator:
        case "EQ":
            return bool(found == values[0])
        case "NE":
            return bool(found != values[0])
        case "IN":
            return found in values
        case "CONTAINS":
            return _contains(found, values[0])
        case "NOT_CONTAINS":
            return not _contains(found, values[0])
        case _:
            pass
    if _kind(found) != _kind(values[0]):
        return False
    one, two = _rank(found), _rank(values[0])
    match operator:
        case "LE":
            return bool(one <= two)
        case "LT":
            return bool(one < two)
        case "GE":
            return bool(one >= two)
        case "GT":
            return bool(one > two)
        case "BEGINS_WITH":
            return bool(one.startswith(two))
        case _:
            return bool(two <= one <= _rank(values[1]))


@given(
    raw=st.dictionaries(st.sampled_from(_NAMES), _condition(), max_size=3),
    item=st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(_VALUES)),
    operator=st.sampled_from((None, "AND", "OR")),
)
def test_conditions_hold_as_the_guide_says(
    raw: dict[str, dict[str, Any]], item: Item, operator: str | None
) -> None:
    answers = [_oracle(condition, item.get(name)) for name, condition in raw.items()]
    wanted = any(answers) if operator == "OR" and answers else all(answers)
    for conditions in (legacy.read_conditions(raw, operator), legacy.read_expected(raw, operator)):
        assert legacy.predicate(conditions)(item) is wanted
        crossed = msgspec.msgpack.decode(msgspec.msgpack.encode(conditions), type=LegacyConditions)
        assert legacy.predicate(crossed)(item) is wanted


@pytest.mark.parametrize(
    ("expectation", "found", "holds"),
    [
        ({"Value": {"N": "1.0"}}, {"N": "1"}, True),
        ({"Value": {"N": "1"}}, {"S": "1"}, False),
        ({"Value": {"N": "1"}}, None, False),
        ({"Value": {"N": "1"}, "Exists": True}, {"N": "1"}, True),
        ({"Value": {"BOOL": False}, "Exists": True}, {"BOOL": True}, False),
        ({"Exists": False}, None, True),
        ({"Exists": False}, {"NULL": True}, False),
        ({"Value": {"N": "1"}, "ComparisonOperator": "GT"}, {"N": "2"}, True),
        ({"ComparisonOperator": "NULL"}, None, True),
        ({"ComparisonOperator": "NOT_NULL", "AttributeValueList": []}, {"NULL": True}, True),
        (
            {"ComparisonOperator": "EQ", "AttributeValueList": [{"SS": ["b", "a"]}]},
            {"SS": ["a", "b"]},
            True,
        ),
        ({"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"N": "1"}]}, None, False),
        ({"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"N": "1"}]}, {"S": "1"}, True),
    ],
)
def test_an_expectation_holds(
    expectation: dict[str, Any], found: AttributeValue | None, *, holds: bool
) -> None:
    expected = legacy.read_expected({"a": expectation}, None)
    assert legacy.predicate(expected)({} if found is None else {"a": found}) is holds


def test_what_bounds_expression_texts_does_not_bound_these() -> None:
    many = {f"attribute-{number}": {"Exists": False} for number in range(2_000)}
    assert legacy.predicate(legacy.read_expected(many, None))({})
    updates = legacy.read_updates({name: {"Value": {"N": "1"}} for name in many})
    assert len(legacy.apply_updates(updates, {}).item) == 2_000
    choices = {"a": {"ComparisonOperator": "IN", "AttributeValueList": [{"N": str(n)} for n in range(500)]}}
    assert legacy.predicate(legacy.read_conditions(choices, None))({"a": {"N": "499"}})


# ---- updates -------------------------------------------------------------------------------------------------

_MISMATCH = "Type mismatch for attribute to update"


@pytest.mark.parametrize(
    ("update", "old", "new"),
    [
        ({"Value": {"N": "1"}}, None, {"N": "1"}),
        ({"Action": "PUT", "Value": {"N": "1"}}, {"S": "x"}, {"N": "1"}),
        ({"Action": "DELETE"}, {"S": "x"}, None),
        ({"Action": "DELETE"}, None, None),
        ({"Action": "DELETE", "Value": {"SS": ["c", "a"]}}, {"SS": ["a", "b"]}, {"SS": ["b"]}),
        ({"Action": "DELETE", "Value": {"SS": ["a", "b"]}}, {"SS": ["a", "b"]}, None),
        ({"Action": "DELETE", "Value": {"SS": ["a"]}}, None, None),
        ({"Action": "DELETE", "Value": {"NS": ["1"]}}, {"SS": ["1"]}, _MISMATCH),
        ({"Action": "ADD", "Value": {"N": "-1.5"}}, {"N": "1"}, {"N": "-0.5"}),
        ({"Action": "ADD", "Value": {"N": "3"}}, None, {"N": "3"}),
        ({"Action": "ADD", "Value": {"N": "3"}}, {"S": "3"}, _MISMATCH),
        ({"Action": "ADD", "Value": {"NS": ["3", "1"]}}, {"NS": ["1", "10"]}, {"NS": ["1", "3", "10"]}),
        ({"Action": "ADD", "Value": {"SS": ["3"]}}, {"NS": ["3"]}, _MISMATCH),
        ({"Action": "ADD", "Value": {"BS": ["YQ=="]}}, None, {"BS": ["YQ=="]}),
        ({"Action": "ADD", "Value": {"L": [{"N": "2"}]}}, {"L": [{"N": "2"}]}, {"L": [{"N": "2"}] * 2}),
        ({"Action": "ADD", "Value": {"L": [{"N": "2"}]}}, None, {"L": [{"N": "2"}]}),
        ({"Action": "ADD", "Value": {"L": []}}, {"M": {}}, _MISMATCH),
        (
            {"Action": "ADD", "Value": {"N": "9E125"}},
            {"N": "9E125"},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
    ],
)
@pytest.mark.parametrize("name", ["a", "#a", "name", "a.b[0]"])
def test_an_update(
    name: str, update: dict[str, Any], old: AttributeValue | None, new: AttributeValue | str | None
) -> None:
    before: Item = {"kept": {"S": "k"}} if old is None else {"kept": {"S": "k"}, name: read_value(dict(old))}
    updates = legacy.read_updates({name: update})
    if isinstance(new, str):
        with pytest.raises(ApiError) as refusal:
            legacy.apply_updates(updates, before)
        assert refusal.value.message == new
        return
    outcome = legacy.apply_updates(updates, before)
    assert outcome.item == {"kept": {"S": "k"}, **({} if new is None else {name: new})}
    assert project(outcome.item, outcome.touched) == ({} if new is None else {name: new})


def test_parameters_cross_the_wire() -> None:
    given = Expressions(
        legacy=Legacy(
            legacy.read_expected({"a": {"Value": {"SS": ["b", "a"]}}}, None),
            legacy.read_updates({"a": {"Action": "DELETE"}, "b": {"Value": {"N": "1"}}}),
        )
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(given), type=Expressions) == given


# ---- whole operations ----------------------------------------------------------------------------------------

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
_ONE = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}
_TWO = {"x": _ONE, "y": _ONE}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.add_table("Things", _SCHEMA)
    return made


def _get(cluster: FakeCluster) -> Any:
    return cluster.call("GetItem", TableName="Things", Key=KEY).get("Item")


@pytest.mark.parametrize(
    ("updates", "creates"),
    [
        ({}, True),
        ({"a": {"Action": "DELETE"}}, False),
        ({"a": {"Action": "DELETE", "Value": {"SS": ["x"]}}, "b": {"Action": "DELETE"}}, False),
        ({"a": {"Action": "DELETE"}, "b": {"Value": {"N": "1"}}}, True),
        ({"a": {"Action": "ADD", "Value": {"N": "1"}}}, True),
    ],
)
@pytest.mark.parametrize("returns", ["NONE", "ALL_NEW", "ALL_OLD", "UPDATED_NEW"])
def test_an_update_that_only_deletes_creates_nothing(
    cluster: FakeCluster, updates: dict[str, Any], returns: str, *, creates: bool
) -> None:
    answer = cluster.call(
        "UpdateItem", TableName="Things", Key=KEY, AttributeUpdates=updates, ReturnValues=returns
    )
    assert (_get(cluster) is not None) == creates
    if not creates:
        assert answer == {}


@pytest.mark.parametrize(
    ("returns", "attributes"),
    [
        ("NONE", None),
        ("ALL_OLD", {**KEY, "a": {"N": "1"}, "b": {"S": "x"}, "c": {"S": "c"}}),
        ("ALL_NEW", {**KEY, "a": {"N": "3"}, "c": {"S": "c"}, "d": {"S": "d"}}),
        ("UPDATED_OLD", {"a": {"N": "1"}, "b": {"S": "x"}}),
        ("UPDATED_NEW", {"a": {"N": "3"}, "d": {"S": "d"}}),
    ],
)
def test_returned_attributes(cluster: FakeCluster, returns: str, attributes: Item | None) -> None:
    item = {**KEY, "a": {"N": "1"}, "b": {"S": "x"}, "c": {"S": "c"}}
    cluster.call("PutItem", TableName="Things", Item=item)
    updates = {
        "a": {"Action": "ADD", "Value": {"N": "2"}},
        "b": {"Action": "DELETE"},
        "d": {"Value": {"S": "d"}},
    }
    expected = {"a": {"Value": {"N": "1"}}, "z": {"Exists": False}}
    answer = cluster.call(
        "UpdateItem",
        TableName="Things",
        Key=KEY,
        AttributeUpdates=updates,
        Expected=expected,
        ReturnValues=returns,
    )
    assert answer.get("Attributes") == attributes


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem"])
def test_a_failed_expectation_changes_nothing(cluster: FakeCluster, operation: str) -> None:
    item = {**KEY, "a": {"N": "1"}}
    cluster.call("PutItem", TableName="Things", Item=item)
    subject: dict[str, Any] = {"Item": KEY} if operation == "PutItem" else {"Key": KEY}
    wanted = {"a": {"ComparisonOperator": "GE", "AttributeValueList": [{"N": "2"}]}, "b": {"Exists": False}}
    error = cluster.error(operation, TableName="Things", Expected=wanted, **subject)
    assert error == "ConditionalCheckFailedException: The conditional request failed"
    assert _get(cluster) == item
    cluster.call(operation, TableName="Things", Expected=wanted, ConditionalOperator="OR", **subject)
    cluster.call(operation, TableName="Things", Expected={}, **subject)


def _things(cluster: FakeCluster) -> None:
    for number in range(1, 6):
        item = {"pk": {"S": "a"}, "sk": {"N": str(number)}, "odd": {"BOOL": number % 2 == 1}}
        cluster.call("PutItem", TableName="Things", Item=item)
    cluster.call("PutItem", TableName="Things", Item={"pk": {"S": "b"}, "sk": {"N": "1"}})


def _numbers(answer: dict[str, Any]) -> list[int]:
    return [int(item["sk"]["N"]) for item in answer["Items"]]


@pytest.mark.parametrize(
    ("operator", "operands", "found"),
    [
        ("EQ", ["3"], [3]),
        ("LT", ["3"], [1, 2]),
        ("LE", ["3"], [1, 2, 3]),
        ("GT", ["3"], [4, 5]),
        ("GE", ["3"], [3, 4, 5]),
        ("BETWEEN", ["2", "4.0"], [2, 3, 4]),
    ],
)
def test_key_conditions_read_a_range(
    cluster: FakeCluster, operator: str, operands: list[str], found: list[int]
) -> None:
    _things(cluster)
    values = [{"N": operand} for operand in operands]
    conditions = {"sk": {"ComparisonOperator": operator, "AttributeValueList": values}, "pk": _ONE}
    assert _numbers(cluster.call("Query", TableName="Things", KeyConditions=conditions)) == found
    backwards = cluster.call(
        "Query", TableName="Things", KeyConditions=conditions, ScanIndexForward=False, Limit=1
    )
    assert _numbers(backwards) == found[-1:]
    assert backwards["LastEvaluatedKey"]["sk"] == {"N": str(found[-1])}


def test_filters_keep_what_they_keep(cluster: FakeCluster) -> None:
    _things(cluster)
    odd = {"odd": {"ComparisonOperator": "EQ", "AttributeValueList": [{"BOOL": True}]}}
    either = {**odd, "absent": {"ComparisonOperator": "NOT_NULL"}}
    query = {"TableName": "Things", "KeyConditions": {"pk": _ONE}}
    answer = cluster.call("Query", QueryFilter=odd, **query)
    assert (_numbers(answer), answer["Count"], answer["ScannedCount"]) == ([1, 3, 5], 3, 5)
    assert cluster.call("Query", QueryFilter=either, **query)["Count"] == 0
    assert cluster.call("Query", QueryFilter=either, ConditionalOperator="OR", **query)["Count"] == 3
    assert cluster.call("Query", QueryFilter={}, **query)["Count"] == 5
    assert cluster.call("Query", FilterExpression="attribute_not_exists(odd)", **query)["Count"] == 0
    assert cluster.call("Query", ProjectionExpression="odd", **query)["Items"][0] == {"odd": {"BOOL": True}}
    assert cluster.call("Query", AttributesToGet=["odd"], **query)["Items"][0] == {"odd": {"BOOL": True}}
    assert cluster.call("Scan", TableName="Things", ScanFilter=odd)["Count"] == 3
    assert cluster.call("Scan", TableName="Things", ScanFilter=either, ConditionalOperator="OR")["Count"] == 3
    assert cluster.call("Scan", TableName="Things", ScanFilter={})["Count"] == 6
