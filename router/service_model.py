"""The requests of DynamoDB's operations, made from AWS's service model, and what AWS does unlike its own model.

service_model.json is the model's part on requests (written by `make service-model`, never by hand). This module
turns it into shapes and holds, as tables, all deviations: in which order AWS complains, which enumerations and
members are told in words of their own, which limits the model states but no shape enforces. An operation which is
in none of the tables is as the model has it.

Where the facts come from, beside the model: dynalite's tests, taken from AWS, for the order of members and of
enumerations; the conformance suites that violations.Layer names for what has changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from kvorum.router.shapes import Blob, Enumeration, Flag, Real, Shape, TableText, Text, Whole
from kvorum.router.structures import ATTRIBUTE_VALUE, ListOf, MapOf, Member, Request, Required, Structure
from kvorum.router.violations import Echo, Layer

_LAYERS = {
    "PutItem": Layer.ENVELOPED,
    "UpdateItem": Layer.ENVELOPED,
    "DeleteItem": Layer.ENVELOPED,
    "GetItem": Layer.NEWER,
    "BatchGetItem": Layer.NEWER,
    "Query": Layer.NEWER,
}

_RETURN_VALUES = Enumeration(
    ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"),
    newer=("ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATE_NEW", "NONE"),  # sic
)

_ENUMERATIONS = {
    "AttributeAction": Enumeration(("ADD", "PUT", "DELETE")),
    "BillingMode": Enumeration(("PROVISIONED", "PAY_PER_REQUEST")),
    "ComparisonOperator": Enumeration(
        (
            *(
                "IN",
                "NULL",
                "BETWEEN",
                "LT",
                "NOT_CONTAINS",
                "EQ",
                "GT",
                "NOT_NULL",
                "NE",
                "LE",
                "BEGINS_WITH",
            ),
            *("GE", "CONTAINS"),
        )
    ),
    "ConditionalOperator": Enumeration(("OR", "AND"), newer=("ALL", "OR"), alone=True),  # sic
    "KeyType": Enumeration(("HASH", "RANGE")),
    "ProjectionType": Enumeration(("ALL", "INCLUDE", "KEYS_ONLY")),
    "ReturnConsumedCapacity": Enumeration(("INDEXES", "TOTAL", "NONE")),
    "ReturnItemCollectionMetrics": Enumeration(("SIZE", "NONE")),
    "ReturnValue": _RETURN_VALUES,
    "ScalarAttributeType": Enumeration(("B", "N", "S")),
    "Select": Enumeration(("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")),
}
"""In the order of AWS's messages, which is not the model's; others are taken to be in the model's."""

_WRITE_ENDS = ("ConditionExpression", "ExpressionAttributeValues", "ExpressionAttributeNames")
_ORDERS: dict[str, tuple[str, ...]] = {
    "BatchGetItemInput": ("RequestItems", "ReturnConsumedCapacity"),
    "BatchWriteItemInput": ("ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "RequestItems"),
    "CreateTableInput": (
        *("AttributeDefinitions", "TableName", "BillingMode", "ProvisionedThroughput", "KeySchema"),
        *("GlobalSecondaryIndexes", "LocalSecondaryIndexes"),
    ),
    "DeleteItemInput": (
        *("ReturnConsumedCapacity", "TableName", "ReturnValues", "ReturnValuesOnConditionCheckFailure"),
        *("ReturnItemCollectionMetrics", "ConditionalOperator", "Key", "Expected", *_WRITE_ENDS),
    ),
    "GetItemInput": (
        *("ReturnConsumedCapacity", "AttributesToGet", "TableName", "Key", "ConsistentRead"),
        *("ProjectionExpression", "ExpressionAttributeNames"),
    ),
    "GlobalSecondaryIndexUpdate": ("Update", "Create", "Delete"),
    "ProvisionedThroughput": ("WriteCapacityUnits", "ReadCapacityUnits"),
    "PutItemInput": (
        *("ReturnConsumedCapacity", "TableName", "Item", "ConditionalOperator", "Expected", "ReturnValues"),
        *("ReturnValuesOnConditionCheckFailure", "ReturnItemCollectionMetrics", *_WRITE_ENDS),
    ),
    "QueryInput": (
        *("Limit", "ExclusiveStartKey", "ReturnConsumedCapacity", "AttributesToGet", "QueryFilter", "Select"),
        *("ConditionalOperator", "KeyConditions", "TableName", "ConsistentRead", "IndexName"),
        *("ScanIndexForward", "KeyConditionExpression", "FilterExpression", "ProjectionExpression"),
        *("ExpressionAttributeValues", "ExpressionAttributeNames"),
    ),
    "ScanInput": (
        *("Limit", "ReturnConsumedCapacity", "AttributesToGet", "Segment", "Select", "ScanFilter"),
        *("ConditionalOperator", "TotalSegments", "TableName", "ExclusiveStartKey", "IndexName"),
        *("ConsistentRead", "FilterExpression", "ProjectionExpression"),
        *("ExpressionAttributeValues", "ExpressionAttributeNames"),
    ),
    "UpdateItemInput": (
        *("ReturnConsumedCapacity", "TableName", "ReturnItemCollectionMetrics", "ReturnValues"),
        *("ReturnValuesOnConditionCheckFailure", "ConditionalOperator", "Key", "Expected"),
        *("AttributeUpdates", "UpdateExpression", *_WRITE_ENDS),
    ),
    "WriteRequest": ("DeleteRequest", "PutRequest"),
}
"""By structure, the order in which AWS complains of members. Those left out follow in the model's order."""

_TABLE_INPUTS = frozenset(
    {
        "CreateTableInput",
        "DeleteTableInput",
        "DescribeContinuousBackupsInput",
        "DescribeTableInput",
        "DescribeTimeToLiveInput",
        "UpdateContinuousBackupsInput",
        "UpdateTableInput",
        "UpdateTimeToLiveInput",
    }
)
"""Operations which want their table before anything else is looked at, and hold its name to what a new table's is held
to (a public lab's captures of AWS of October 2026)."""

_REQUIRED: dict[tuple[str, str], Required] = {
    **{(structure, "TableName"): Required.PARAMETER for structure in _TABLE_INPUTS},
    # Optional in the model for tables that copy another one.
    ("CreateTableInput", "AttributeDefinitions"): Required.MEMBER,
    ("CreateTableInput", "KeySchema"): Required.MEMBER,
    # AWS's words for what is missing here are the operations' (router/operations/tags).
    ("ListTagsOfResourceInput", "ResourceArn"): Required.NO,
    ("Tag", "Key"): Required.NO,
    ("Tag", "Value"): Required.NO,
    ("TagResourceInput", "ResourceArn"): Required.NO,
    ("TagResourceInput", "Tags"): Required.NO,
    ("UntagResourceInput", "ResourceArn"): Required.NO,
    ("UntagResourceInput", "TagKeys"): Required.NO,
}

ATTRIBUTES_TO_GET_MAX = 255
TABLE_KEY_ATTRIBUTES_MAX = 2


def _members(structure: str, member: str, shape: Shape) -> Shape:
    """The member's shape as AWS enforces it."""
    match structure, member, shape:
        case _, "TableName", _ if structure in _TABLE_INPUTS:
            return TableText(name_min=3)
        case _, "TableName", Text(length_max=TableText.ARN_MAX):
            return TableText()
        case (("CreateTableInput" | "LocalSecondaryIndex"), "KeySchema", ListOf()):
            return replace(shape, length_max=TABLE_KEY_ATTRIBUTES_MAX)  # only global indexes may have more
        case (("CreateTableInput" | "UpdateTableInput"), "TableClass", Enumeration()):
            return Text()  # told in words of its own, by the operations
        case _, "AttributesToGet", ListOf():
            # A name too long is told as such, by the operations.
            return replace(shape, member=Text(), length_max=ATTRIBUTES_TO_GET_MAX)
        case "QueryInput", _, Whole():
            return replace(shape, echo=Echo.NONE)
        case "UpdateItemInput", "ReturnValues", _:
            return replace(_RETURN_VALUES, alone=True)
        case "KeysAndAttributes", "Keys", ListOf():
            return replace(shape, echo=Echo.NONE)
        case "BatchGetItemInput", "RequestItems", MapOf():
            # An empty one is told by the operations, of which most regions do the same.
            return replace(shape, length_min=0, key=TableText(3), echo=Echo.JSON, length_echo=Echo.NONE)
        case "BatchWriteItemInput", "RequestItems", MapOf():
            return replace(shape, length_min=0, key=TableText(3), length_echo=Echo.NONE, fallback=True)
        case _, "ExpressionAttributeNames", MapOf():
            return replace(shape, value=Text())  # told as a wrong name, by the operations
        case (("TagResourceInput" | "UntagResourceInput" | "ListTagsOfResourceInput" | "Tag"), _, Text()):
            return Text()
        case "UntagResourceInput", "TagKeys", ListOf():
            return ListOf(Text())
        case _:
            return shape


_SHOWN: Mapping[str, tuple[str, ...]] = {"PutRequest": ("Item", "WorkloadProfileName")}
"""What Java prints of a structure, where that is not the model's members."""


@cache
def _model() -> dict[str, Any]:
    model: dict[str, Any] = orjson.loads(Path(__file__).with_suffix(".json").read_bytes())
    return model


def operations() -> frozenset[str]:
    """All that the model knows, served or not."""
    return frozenset(_model()["operations"])


@cache
def request(operation: str) -> Request:
    structure = _shape(_model()["operations"][operation])
    assert isinstance(structure, Structure)
    return Request(operation, structure, _LAYERS.get(operation, Layer.OLDER))


@cache
def _shape(name: str) -> Shape:
    declared = _model()["shapes"][name]
    low, high = declared.get("min"), declared.get("max")
    match declared["type"]:
        case "structure" if name == "AttributeValue":
            return ATTRIBUTE_VALUE
        case "structure":
            return _structure(name, declared)
        case "list":
            return ListOf(_shape(declared["member"]), low or 0, high)
        case "map":
            return MapOf(_shape(declared["value"]), low or 0, high)
        case "string" if "enum" in declared:
            return _ENUMERATIONS.get(name) or Enumeration(tuple(declared["enum"]))
        case "string":
            pattern = declared.get("pattern")
            return Text(low or 0, high, None if pattern is None else _python(pattern), pattern)
        case "integer":
            return Whole("Integer", low, high)
        case "long":
            return Whole("Long", low, high)
        case "double":
            return Real("Double")
        case "timestamp":
            return Real("Date")
        case "boolean":
            return Flag()
        case kind:
            assert kind == "blob"
            return Blob()


def _structure(name: str, declared: dict[str, Any]) -> Structure:
    first = _ORDERS.get(name, ())
    required = frozenset(declared.get("required", ()))
    members: dict[str, Member] = {}
    for member in (*first, *(each for each in declared["members"] if each not in first)):
        demand = _REQUIRED.get((name, member), Required.MEMBER if member in required else Required.NO)
        members[member] = Member(_members(name, member, _shape(declared["members"][member])), demand)
    return Structure(name, members, _SHOWN.get(name, tuple(declared["members"])))


def _python(pattern: str) -> str:
    """A Java pattern, where it writes characters as Python does not."""
    return pattern.replace(r"\p{Print}", r"[\x20-\x7E]").replace(
        r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"
    )
