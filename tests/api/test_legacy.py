"""The older parameters as boto3 sends them: Expected, AttributeUpdates, KeyConditions, QueryFilter, ScanFilter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.boto import Client, Tables, refused

_CONDITION_FAILED = "The conditional request failed"


def _is(operator: str, *values: Any) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


def _found(client: Client, table: str, key: dict[str, Any]) -> Any:
    return client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def test_a_write_waits_for_what_it_expects(client: Client, tables: Tables, unique: str) -> None:
    table, key = tables("S"), {"pk": {"S": unique}}
    fresh = {"pk": {"Exists": False}}
    client.put_item(TableName=table, Item={**key, "n": {"N": "1"}}, Expected=fresh)
    assert (
        refused(client.put_item, "ConditionalCheckFailedException", TableName=table, Item=key, Expected=fresh)
        == _CONDITION_FAILED
    )
    next_one = {"n": {"Action": "ADD", "Value": {"N": "1"}}}
    client.update_item(
        TableName=table, Key=key, AttributeUpdates=next_one, Expected={"n": {"Value": {"N": "1.0"}}}
    )
    assert (
        refused(
            client.update_item,
            "ConditionalCheckFailedException",
            TableName=table,
            Key=key,
            AttributeUpdates=next_one,
            Expected={"n": {"Value": {"N": "1"}}},
        )
        == _CONDITION_FAILED
    )
    either = {"n": _is("BETWEEN", {"N": "5"}, {"N": "6"}), "absent": _is("NE", {"S": "x"})}
    assert (
        refused(
            client.delete_item, "ConditionalCheckFailedException", TableName=table, Key=key, Expected=either
        )
        == _CONDITION_FAILED
    )
    gone = client.delete_item(
        TableName=table, Key=key, Expected=either, ConditionalOperator="OR", ReturnValues="ALL_OLD"
    )
    assert gone["Attributes"] == {**key, "n": {"N": "2"}}


def test_attribute_updates(client: Client, tables: Tables, unique: str) -> None:
    table, key = tables("S"), {"pk": {"S": unique}}
    client.update_item(TableName=table, Key=key, AttributeUpdates={"a": {"Action": "DELETE"}})
    assert _found(client, table, key) is None
    client.update_item(
        TableName=table,
        Key=key,
        AttributeUpdates={
            "put": {"Value": {"M": {"x": {"BOOL": True}}}},
            "gone": {"Value": {"S": "g"}},
            "number": {"Action": "ADD", "Value": {"N": "40"}},
            "set": {"Action": "ADD", "Value": {"SS": ["a", "b"]}},
            "list": {"Action": "ADD", "Value": {"L": [{"N": "1"}]}},
        },
    )
    answer = client.update_item(
        TableName=table,
        Key=key,
        AttributeUpdates={
            "gone": {"Action": "DELETE"},
            "number": {"Action": "ADD", "Value": {"N": "2"}},
            "set": {"Action": "DELETE", "Value": {"SS": ["b"]}},
            "list": {"Action": "ADD", "Value": {"L": [{"S": "2"}]}},
        },
        ReturnValues="UPDATED_NEW",
    )
    touched = {"number": {"N": "42"}, "set": {"SS": ["a"]}, "list": {"L": [{"N": "1"}, {"S": "2"}]}}
    assert answer["Attributes"] == touched
    assert _found(client, table, key) == {**key, **touched, "put": {"M": {"x": {"BOOL": True}}}}
    assert (
        refused(
            client.update_item,
            "ValidationException",
            TableName=table,
            Key=key,
            AttributeUpdates={"set": {"Action": "ADD", "Value": {"N": "1"}}},
        )
        == "Type mismatch for attribute to update"
    )


@pytest.fixture
def collection(client: Client, tables: Tables, unique: str) -> dict[str, Any]:
    """A Query's parameters for six items, sk from 0 to 5; the even ones have `even`."""
    table = tables("S", "N")
    for number in range(6):
        item = {"pk": {"S": unique}, "sk": {"N": str(number)}, "tags": {"SS": [f"t{number % 3}"]}}
        client.put_item(TableName=table, Item={**item, "even": {"BOOL": True}} if number % 2 == 0 else item)
    return {"TableName": table, "KeyConditions": {"pk": _is("EQ", {"S": unique})}, "ConsistentRead": True}


def _numbers(answer: dict[str, Any]) -> list[int]:
    return [int(item["sk"]["N"]) for item in answer["Items"]]


def test_key_conditions_and_a_filter(client: Client, collection: dict[str, Any]) -> None:
    conditions = {**collection["KeyConditions"], "sk": _is("GE", {"N": "1"})}
    query = {**collection, "KeyConditions": conditions}
    assert _numbers(client.query(**query, ScanIndexForward=False)) == [5, 4, 3, 2, 1]
    either = {"even": _is("NOT_NULL"), "tags": _is("CONTAINS", {"S": "t0"})}
    answer = client.query(**query, QueryFilter=either, ConditionalOperator="OR")
    assert (_numbers(answer), answer["ScannedCount"]) == ([2, 3, 4], 5)
    assert _numbers(client.query(**query, QueryFilter=either)) == []
    page = client.query(**query, QueryFilter={"even": _is("NULL")}, Limit=2)
    assert _numbers(page) == [1]
    rest = client.query(
        **query, QueryFilter={"even": _is("NULL")}, ExclusiveStartKey=page["LastEvaluatedKey"]
    )
    assert _numbers(rest) == [3, 5]
    assert client.query(**query, FilterExpression="attribute_exists(even)", Select="COUNT")["Count"] == 2


def test_a_scan_filter(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    for name in ("x", "y", "z"):
        client.put_item(TableName=table, Item={"pk": {"S": unique + name}, "name": {"S": name}})
    mine = {"pk": _is("BEGINS_WITH", {"S": unique}), "name": _is("IN", {"S": "x"}, {"S": "z"})}
    found: list[str] = []
    page: dict[str, Any] = {}
    while not found or page.get("LastEvaluatedKey"):
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if page else {}
        page = client.scan(TableName=table, ScanFilter=mine, ConsistentRead=True, **start)
        found += [item["name"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
    assert sorted(found) == ["x", "z"]


def test_refusals(client: Client, collection: dict[str, Any]) -> None:
    invalid = "One or more parameter values were invalid: "
    assert (
        refused(client.query, "ValidationException", **collection, QueryFilter={"a": _is("EQ")})
        == f"{invalid}Invalid number of argument(s) for the EQ ComparisonOperator"
    )
    assert (
        refused(client.query, "ValidationException", **collection, ConditionalOperator="AND")
        == "ConditionalOperator cannot be used without Filter or Expected"
    )
    mixed = (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {QueryFilter} Expression parameters: {FilterExpression}"
    )
    assert (
        refused(
            client.query,
            "ValidationException",
            **collection,
            QueryFilter={"a": _is("NULL")},
            FilterExpression="attribute_not_exists(a)",
        )
        == mixed
    )
    assert (
        refused(
            client.query,
            "ValidationException",
            **{**collection, "KeyConditions": {"pk": _is("NE", {"S": "x"})}},
        )
        == "Attempted conditional constraint is not an indexable operation"
    )
