"""What is refused in the older parameters, in AWS's words and order."""

from __future__ import annotations

from typing import Any

import pytest

from kvorum.model.requests import AttributeValue
from kvorum.model.table import KeyPart, KeySchema
from tests.kit.fake_cluster import FakeCluster

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
_VALIDATION = "ValidationException: "
_INVALID = _VALIDATION + "One or more parameter values were invalid: "
_COUNT = _INVALID + "Invalid number of argument(s) for the {} ComparisonOperator"
_TYPE = _INVALID + "ComparisonOperator {} is not valid for {} AttributeValue type"
_BOUNDS = (
    _VALIDATION
    + "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
)
_SAME_TYPE = _INVALID + "AttributeValues inside AttributeValueList must be of same type"
_EMPTY = _VALIDATION + "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
_S: AttributeValue = {"S": "a"}
_N: AttributeValue = {"N": "1"}
_SS: AttributeValue = {"SS": ["a"]}
_L: AttributeValue = {"L": []}
_UNORDERED: tuple[AttributeValue, ...] = ({"NULL": True}, {"BOOL": True}, {"M": {}})
_B: AttributeValue = {"B": "YQ=="}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.add_table("Things", KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N")))
    made.add_table("Hashed", KeySchema(KeyPart("pk", "S")))
    return made


def _told(operation: str, error: str) -> str:
    """What is wrong with a write, before its table is looked up, stands in an envelope (router/shapes.Layer)."""
    if operation not in ("PutItem", "UpdateItem", "DeleteItem"):
        return error
    return error.replace(_VALIDATION, f"{_VALIDATION}1 validation error detected: ")


def _of(operator: str, *values: Any) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


_EQ = _of("EQ", _S)


# ---- one condition, wherever it stands -----------------------------------------------------------------------


@pytest.mark.parametrize("place", ["Expected", "QueryFilter", "ScanFilter", "KeyConditions"])
@pytest.mark.parametrize(
    ("condition", "error"),
    [
        *[(_of(operator, _S), _COUNT.format(operator)) for operator in ("NULL", "NOT_NULL", "BETWEEN")],
        *[
            (_of(operator), _COUNT.format(operator))
            for operator in (
                "EQ",
                "NE",
                "LE",
                "LT",
                "GE",
                "GT",
                "CONTAINS",
                "NOT_CONTAINS",
                "BEGINS_WITH",
                "IN",
            )
        ],
        (_of("EQ", _S, _N), _COUNT.format("EQ")),
        (_of("BETWEEN", _S, _S, _S), _COUNT.format("BETWEEN")),
        (_of("IN", _S, _N), _SAME_TYPE),
        (_of("BETWEEN", _SS, _N), _SAME_TYPE),
        *[
            (_of(operator, _SS), _TYPE.format(operator, "SS"))
            for operator in ("LE", "LT", "GE", "GT", "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH", "IN")
        ],
        (_of("BETWEEN", _SS, _SS), _TYPE.format("BETWEEN", "SS")),
        (_of("CONTAINS", _L), _TYPE.format("CONTAINS", "L")),
        (_of("IN", {"BOOL": True}), _TYPE.format("IN", "BOOL")),
        (_of("LT", {"NULL": True}), _TYPE.format("LT", "NULL")),
        (_of("GE", {"M": {}}), _TYPE.format("GE", "M")),
        (_of("BEGINS_WITH", _N), _TYPE.format("BEGINS_WITH", "N")),
        (_of("BETWEEN", {"S": "b"}, _S), _BOUNDS),
        (_of("BETWEEN", {"N": "10"}, {"N": "9"}), _BOUNDS),
        (_of("EQ", {}), _EMPTY),
        (_of("EQ", {"N": "x"}), _VALIDATION + "The parameter cannot be converted to a numeric value: x"),
        (_of("EQ", {"SS": []}), _INVALID + "An string set  may not be empty"),
    ],
)
def test_a_condition(cluster: FakeCluster, place: str, condition: dict[str, Any], error: str) -> None:
    match place:
        case "Expected":
            for operation, subject in (("UpdateItem", "Key"), ("DeleteItem", "Key"), ("PutItem", "Item")):
                body: dict[str, Any] = {subject: KEY, "Expected": {"a": condition}}
                assert cluster.error(operation, TableName="Absent", **body) == _told(operation, error)
        case "ScanFilter":
            assert cluster.error("Scan", TableName="Absent", ScanFilter={"a": condition}) == error
        case "QueryFilter":
            assert cluster.error("Query", TableName="Absent", QueryFilter={"a": condition}) == error
        case _:
            assert cluster.error("Query", TableName="Absent", KeyConditions={"a": condition}) == error


@pytest.mark.parametrize("place", ["QueryFilter", "ScanFilter", "KeyConditions"])
def test_the_shape_of_a_condition(cluster: FakeCluster, place: str) -> None:
    operation = "Scan" if place == "ScanFilter" else "Query"
    error = cluster.error(operation, TableName="Things", **{place: {"a": {"AttributeValueList": [_S]}}})
    member = f"{place[0].lower()}{place[1:]}.a.member.comparisonOperator"
    assert error == (
        f"{_VALIDATION}1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
        "Member must not be null"
    )


# ---- Expected ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expectation", "error"),
    [
        ({}, "Value must be provided when Exists is null"),
        ({"Exists": True}, "Value must be provided when Exists is true"),
        ({"Exists": False, "Value": _S}, "Value cannot be used when Exists is false"),
        ({"AttributeValueList": [_S]}, "AttributeValueList can only be used with a ComparisonOperator"),
        ({"Value": _S, "AttributeValueList": [_S]}, "Value and AttributeValueList cannot be used together"),
        ({"Value": _S, **_EQ}, "Value and AttributeValueList cannot be used together"),
        (
            {"Exists": True, "Value": _S, "ComparisonOperator": "EQ"},
            "Exists and ComparisonOperator cannot be used together",
        ),
        ({"Exists": False, **_EQ}, "Exists and ComparisonOperator cannot be used together"),
        (
            {"ComparisonOperator": "EQ"},
            "Value or AttributeValueList must be used with ComparisonOperator: EQ",
        ),
    ],
)
def test_an_expectation(cluster: FakeCluster, expectation: dict[str, Any], error: str) -> None:
    told = cluster.error("DeleteItem", TableName="Absent", Key=KEY, Expected={"x": expectation})
    assert told == _told("DeleteItem", f"{_INVALID}{error} for Attribute: x")


@pytest.mark.parametrize(
    ("expectation", "error"),
    [
        ({"ComparisonOperator": "NULL", "Value": _S}, _COUNT.format("NULL")),
        ({"ComparisonOperator": "BETWEEN", "Value": _S}, _COUNT.format("BETWEEN")),
        ({"ComparisonOperator": "LE", "Value": _SS}, _TYPE.format("LE", "SS")),
        ({"Value": {}}, _EMPTY),
    ],
)
def test_an_expected_value(cluster: FakeCluster, expectation: dict[str, Any], error: str) -> None:
    told = cluster.error("DeleteItem", TableName="Absent", Key=KEY, Expected={"x": expectation})
    assert told == _told("DeleteItem", error)


# ---- AttributeUpdates ----------------------------------------------------------------------------------------

_NO_VALUE = _INVALID + "Only DELETE action is allowed when no attribute value is specified"
_OF_KEY = _INVALID + "Cannot update attribute {}. This attribute is part of the key"


@pytest.mark.parametrize(
    ("updates", "error"),
    [
        ({"a": {}}, _NO_VALUE),
        ({"a": {"Action": "PUT"}}, _NO_VALUE),
        ({"a": {"Action": "ADD"}}, _NO_VALUE),
        ({"a": {"Value": {}}}, _EMPTY),
        ({"": {"Value": _S}}, _VALIDATION + "Empty attribute name"),
        *[
            (
                {"a": {"Action": "DELETE", "Value": value}},
                f"{_INVALID}DELETE action with value is not supported for the type {next(iter(value))}",
            )
            for value in (_S, _N, _B, _L, *_UNORDERED)
        ],
        *[
            (
                {"a": {"Action": "ADD", "Value": value}},
                f"{_INVALID}ADD action is not supported for the type {next(iter(value))}",
            )
            for value in (_S, _B, *_UNORDERED)
        ],
    ],
)
def test_an_update(cluster: FakeCluster, updates: dict[str, Any], error: str) -> None:
    told = cluster.error("UpdateItem", TableName="Things", Key=KEY, AttributeUpdates=updates)
    assert told == _told("UpdateItem", error)


@pytest.mark.parametrize(
    ("updates", "name"),
    [
        ({"pk": {"Value": _S}}, "pk"),
        ({"sk": {"Action": "DELETE"}}, "sk"),
        ({"sk": {"Value": _N}, "pk": {"Action": "DELETE"}}, "pk"),
    ],
)
def test_an_update_of_the_key(cluster: FakeCluster, updates: dict[str, Any], name: str) -> None:
    told = cluster.error("UpdateItem", TableName="Things", Key=KEY, AttributeUpdates=updates)
    assert told == _OF_KEY.format(name)


def test_an_unknown_action(cluster: FakeCluster) -> None:
    error = cluster.error("UpdateItem", TableName="Things", Key=KEY, AttributeUpdates={"a": {"Action": "X"}})
    assert error.startswith(
        f"{_VALIDATION}1 validation error detected: Value 'X' at 'attributeUpdates.a.member.action' failed"
    )


# ---- KeyConditions and QueryFilter against the table ----------------------------------------------------------

_MISSED = _VALIDATION + "Query condition missed key schema element: {}"
_NOT_INDEXABLE = _VALIDATION + "Attempted conditional constraint is not an indexable operation"
_NOT_SUPPORTED = _VALIDATION + "Query key condition not supported"
_ONE_OR_TWO = _VALIDATION + "Conditions can be of length 1 or 2 only"
_SCHEMA_TYPE = _INVALID + "Condition parameter type does not match schema type"
_NOTHING = (
    _VALIDATION
    + "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({}, _NOTHING),
        ({"QueryFilter": {"a": _EQ}}, _NOTHING),
        ({"KeyConditions": {}}, _ONE_OR_TWO),
        (
            {"KeyConditions": {"a": _EQ, "b": _EQ, "c": _EQ}},
            (
                _VALIDATION
                + "The number of query conditions (3) exceeds the number of key attributes defined in the "
                "schema (2)"
            ),
        ),
        ({"KeyConditions": {"a": _EQ}}, _MISSED.format("pk")),
        ({"KeyConditions": {"sk": _of("EQ", _N)}}, _MISSED.format("pk")),
        ({"KeyConditions": {"pk": _EQ, "a": _EQ}}, _MISSED.format("sk")),
        *[
            ({"KeyConditions": {"pk": _of(operator, *values)}}, _NOT_INDEXABLE)
            for operator, values in (
                ("NULL", []),
                ("NOT_NULL", []),
                ("NE", [_N]),
                ("CONTAINS", [_S]),
                ("NOT_CONTAINS", [_S]),
                ("IN", [_S]),
            )
        ],
        ({"KeyConditions": {"pk": _EQ, "sk": _of("NE", _N)}}, _NOT_INDEXABLE),
        ({"KeyConditions": {"pk": _of("EQ", _N)}}, _SCHEMA_TYPE),
        ({"KeyConditions": {"pk": _EQ, "sk": _EQ}}, _SCHEMA_TYPE),
        ({"KeyConditions": {"pk": _of("LE", _S)}}, _NOT_SUPPORTED),
        ({"KeyConditions": {"pk": _of("BETWEEN", _S, _S), "sk": _of("EQ", _N)}}, _NOT_SUPPORTED),
        (
            {"KeyConditions": {"pk": _of("EQ", {"S": ""})}},
            (
                _VALIDATION + "One or more parameter values are not valid. The AttributeValue for a key "
                "attribute cannot contain an empty string value. Key: pk"
            ),
        ),
        (
            {"KeyConditions": {"pk": _EQ}, "QueryFilter": {"sk": _of("EQ", _N)}},
            (
                _VALIDATION
                + "QueryFilter can only contain non-primary key attributes: Primary key attribute: sk"
            ),
        ),
        (
            {"KeyConditions": {"pk": _EQ}, "AttributesToGet": ["a", "a"]},
            _INVALID + "Duplicate value in attribute name: a",
        ),
        (
            {"KeyConditions": {"pk": _EQ}, "AttributesToGet": ["n" * 65_536]},
            _VALIDATION + "Attribute name is too large, must be less than 65536 bytes",
        ),
        ({"KeyConditions": {"pk": _EQ}, "AttributesToGet": ["a", ""]}, _VALIDATION + "Empty attribute name"),
        # ---- which of several mistakes is told
        ({"QueryFilter": {"a": _of("EQ")}, "AttributesToGet": ["a", "a"]}, _COUNT.format("EQ")),
        (
            {"AttributesToGet": ["a", "a"], "ExclusiveStartKey": {"pk": {}}},
            _INVALID + "Duplicate value in attribute name: a",
        ),
        (
            {"KeyConditions": {"a": _of("EQ")}, "FilterExpression": ""},
            _VALIDATION + "Invalid FilterExpression: The expression can not be empty;",
        ),
        ({"KeyConditions": {"a": _of("EQ"), "b": _EQ, "c": _EQ}}, _COUNT.format("EQ")),
    ],
)
def test_a_query(cluster: FakeCluster, more: dict[str, Any], error: str) -> None:
    assert cluster.error("Query", TableName="Things", **more) == error


# ---- together ------------------------------------------------------------------------------------------------

_WITHOUT = _VALIDATION + "ConditionalOperator cannot be used without Filter or Expected"
_SINGLE = (
    _VALIDATION + "ConditionalOperator can only be used when Filter or Expected has two or more elements"
)


@pytest.mark.parametrize(
    ("operation", "subject", "conditions"),
    [
        ("PutItem", {"Item": KEY}, "Expected"),
        ("UpdateItem", {"Key": KEY}, "Expected"),
        ("UpdateItem", {"Key": KEY, "AttributeUpdates": {"a": {}}}, "Expected"),
        ("DeleteItem", {"Key": KEY}, "Expected"),
        ("Query", {}, "QueryFilter"),
        ("Query", {"KeyConditions": {"pk": _EQ}}, "QueryFilter"),
        ("Scan", {}, "ScanFilter"),
        ("Scan", {"AttributesToGet": ["a", "b"]}, "ScanFilter"),
    ],
)
def test_a_conditional_operator_needs_conditions(
    cluster: FakeCluster, operation: str, subject: dict[str, Any], conditions: str
) -> None:
    body = {"TableName": "Things", "ConditionalOperator": "AND", **subject}
    assert cluster.error(operation, **body) == _told(operation, _WITHOUT)
    assert cluster.error(operation, **body, **{conditions: {}}) == _told(operation, _WITHOUT)
    assert cluster.error(operation, **body, **{conditions: {"a": _EQ}}) == _told(operation, _SINGLE)


_OLDER = {
    "AttributesToGet": ["a"],
    "AttributeUpdates": {"a": {"Value": _S}},
    "Expected": {"a": {"Exists": False}},
    "QueryFilter": {"a": _EQ},
    "ScanFilter": {"a": _EQ},
    "ConditionalOperator": "AND",
    "KeyConditions": {"pk": _EQ},
}


@pytest.mark.parametrize(
    ("operation", "older", "expressions"),
    [
        ("PutItem", "Expected", "ConditionExpression"),
        ("PutItem", "ConditionalOperator", "ConditionExpression"),
        ("PutItem", "Expected, ConditionalOperator", "ConditionExpression"),
        ("DeleteItem", "Expected", "ConditionExpression"),
        ("UpdateItem", "Expected", "UpdateExpression"),
        ("UpdateItem", "AttributeUpdates", "ConditionExpression"),
        (
            "UpdateItem",
            "AttributeUpdates, Expected, ConditionalOperator",
            "UpdateExpression, ConditionExpression",
        ),
        ("Query", "AttributesToGet", "KeyConditionExpression"),
        ("Query", "QueryFilter", "KeyConditionExpression"),
        ("Query", "KeyConditions", "KeyConditionExpression"),
        ("Query", "KeyConditions", "FilterExpression, KeyConditionExpression"),
        (
            "Query",
            "AttributesToGet, QueryFilter, ConditionalOperator, KeyConditions",
            "ProjectionExpression, FilterExpression, KeyConditionExpression",
        ),
        ("Scan", "ScanFilter", "ProjectionExpression"),
        ("Scan", "AttributesToGet", "FilterExpression"),
        (
            "Scan",
            "AttributesToGet, ScanFilter, ConditionalOperator",
            "ProjectionExpression, FilterExpression",
        ),
        ("GetItem", "AttributesToGet", "ProjectionExpression"),
    ],
)
def test_older_parameters_and_expressions_do_not_mix(
    cluster: FakeCluster, operation: str, older: str, expressions: str
) -> None:
    body: dict[str, Any] = {"Item": KEY} if operation == "PutItem" else {"Key": KEY}
    body |= {name: _OLDER[name] for name in older.split(", ")}
    body |= dict.fromkeys(expressions.split(", "), "")
    assert cluster.error(operation, TableName="Things", **body) == _told(
        operation,
        f"{_VALIDATION}Can not use both expression and non-expression parameters in the same request: "
        f"Non-expression parameters: {{{older}}} Expression parameters: {{{expressions}}}",
    )


def test_placeholders_belong_to_expressions(cluster: FakeCluster) -> None:
    body = {"TableName": "Things", "Key": KEY, "Expected": {"a": {"Exists": False}}}
    assert cluster.error("DeleteItem", **body, ExpressionAttributeNames={"#a": "a"}) == _told(
        "DeleteItem", _VALIDATION + "ExpressionAttributeNames can only be specified when using expressions"
    )


@pytest.mark.parametrize(
    ("operation", "more", "error"),
    [
        # ---- which of several mistakes is told
        ("PutItem", {"Item": {"a": {}}, "Expected": {"a": {}}}, _EMPTY),
        (
            "PutItem",
            {"Item": {}, "ReturnValues": "ALL_NEW", "Expected": {"a": {}}},
            _VALIDATION + "ReturnValues can only be ALL_OLD or NONE",
        ),
        ("UpdateItem", {"Key": {"a": {}}, "AttributeUpdates": {"a": {}}}, _EMPTY),
        ("UpdateItem", {"Key": {}, "AttributeUpdates": {"a": {}}, "Expected": {"a": {}}}, _NO_VALUE),
        (
            "Scan",
            {"ScanFilter": {"a": _of("EQ")}, "ExclusiveStartKey": {"pk": {}}, "Segment": 1},
            _COUNT.format("EQ"),
        ),
        (
            "Scan",
            {"ScanFilter": {"a": _of("EQ")}, "AttributesToGet": ["a", "a"]},
            _INVALID + "Duplicate value in attribute name: a",
        ),
    ],
)
def test_the_order_of_checks(cluster: FakeCluster, operation: str, more: dict[str, Any], error: str) -> None:
    assert cluster.error(operation, TableName="Things", **more) == _told(operation, error)


def test_the_key_is_looked_at_before_what_would_change_it(cluster: FakeCluster) -> None:
    told = cluster.error("UpdateItem", TableName="Things", Key={}, AttributeUpdates={"pk": {"Value": _S}})
    assert told == _VALIDATION + "The provided key element does not match the schema"


def test_other_operations_ignore_what_is_not_theirs(cluster: FakeCluster) -> None:
    assert cluster.call("GetItem", TableName="Things", Key=KEY, Expected={}, ConditionalOperator="AND") == {}
    assert cluster.call("Scan", TableName="Hashed", Expected={}, AttributeUpdates={})["Count"] == 0
