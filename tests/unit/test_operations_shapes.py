"""Declared shapes: they agree with AWS's service model, the fast way agrees with the slow way, and the words are
AWS's."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model.errors import ApiError
from kvorum.router.operations import get_item, query
from kvorum.router.shapes import Shape
from kvorum.router.structures import ListOf, MapOf, Structure
from tests.kit.requests import REQUESTS, Vocabulary

# ---- the fast way and the slow way ---------------------------------------------------------------------------


_BODIES = st.tuples(st.sampled_from(sorted(REQUESTS)), st.booleans()).flatmap(
    lambda drawn: st.tuples(st.just(drawn[0]), Vocabulary(sane=drawn[1]).request(drawn[0]))
)


@given(_BODIES)
def test_what_the_fast_way_accepts_the_slow_way_leaves_as_it_is(drawn: tuple[str, dict[str, Any]]) -> None:
    name, body = drawn
    request = REQUESTS[name]
    before = orjson.dumps(body)
    read = request.structure.accept()
    if read(body):
        assert request.examine(body) == _without_unknown(request.structure, body)
    else:
        with suppress(ApiError):
            assert read(request.examine(body)), "what is converted is right as it stands"
    assert orjson.dumps(body) == before


def _without_unknown(shape: Shape, value: Any) -> Any:
    """Unknown members inside a structure are dropped by the slow way and left by the fast one."""
    match shape:
        case Structure():
            known = shape.members.keys() & value.keys()
            return {name: _without_unknown(shape.members[name].shape, value[name]) for name in known}
        case ListOf():
            return [_without_unknown(shape.member, entry) for entry in value]
        case MapOf():
            return {name: _without_unknown(shape.value, entry) for name, entry in value.items()}
        case _:
            return value


# ---- words ---------------------------------------------------------------------------------------------------


def _error(operation: str, body: dict[str, Any]) -> str:
    with pytest.raises(ApiError) as caught:
        REQUESTS[operation].read(body)
    return f"{caught.value.code}: {caught.value.message}"


_KEY = {"a": {"S": "x"}}
_PARAMETERIZED = (
    "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class "
    "(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of "
    "loader 'bootstrap')"
)
_MAP_OF_VALUES = (
    "Unrecognized collection type "
    "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"
)
_MAP_OF_REQUESTS = (
    "Unrecognized collection type java.util.Map<java.lang.String, "
    "java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>>"
)


@pytest.mark.parametrize(
    ("operation", "body", "text"),
    [
        ("GetItem", {"TableName": 23}, "NUMBER_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": 23.5}, "DECIMAL_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": True}, "TRUE_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": False}, "FALSE_VALUE cannot be converted to String"),
        ("GetItem", {"TableName": []}, "Unrecognized collection type class java.lang.String"),
        ("GetItem", {"TableName": {}}, "Start of structure or map found where not expected"),
        ("GetItem", {"Key": "a"}, "Unexpected field type"),
        ("GetItem", {"Key": []}, _MAP_OF_VALUES),
        ("GetItem", {"Key": {"a": "b"}}, "Unexpected value type in payload"),
        (
            "GetItem",
            {"Key": {"a": []}},
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
        ),
        ("GetItem", {"Key": {"a": {"S": 1}}}, "NUMBER_VALUE cannot be converted to String"),
        ("GetItem", {"Key": {"a": {"B": 1}}}, "only base-64-encoded strings are convertible to bytes"),
        (
            "GetItem",
            {"Key": {"a": {"B": "abc"}}},
            "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
        ),
        ("GetItem", {"Key": {"a": {"B": "+/+="}}}, "Invalid last non-pad Base64 character dectected"),
        (
            "GetItem",
            {"Key": {"a": {"BS": ["+/w=", "+/=="]}}},
            "Invalid last non-pad Base64 character dectected",
        ),
        ("GetItem", {"Key": {"a": {"M": []}}}, _MAP_OF_VALUES),
        ("GetItem", {"Key": {"a": {"L": {}}}}, "Start of structure or map found where not expected"),
        ("GetItem", {"AttributesToGet": "a"}, "Unexpected field type"),
        ("GetItem", {"ConsistentRead": "maybe"}, "Unexpected token received from parser"),
        ("GetItem", {"ConsistentRead": 1}, "NUMBER_VALUE cannot be converted to Boolean"),
        (
            "GetItem",
            {"ExpressionAttributeNames": []},
            "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>",
        ),
        ("Query", {"Limit": "1"}, "STRING_VALUE cannot be converted to Integer"),
        ("Query", {"Limit": True}, "TRUE_VALUE cannot be converted to Integer"),
        ("BatchGetItem", {"RequestItems": {"abc": {"Keys": ["a"]}}}, _PARAMETERIZED),
        ("BatchWriteItem", {"RequestItems": {"abc": "a"}}, _PARAMETERIZED),
        (
            "BatchWriteItem",
            {"RequestItems": []},
            _MAP_OF_REQUESTS,
        ),
        (
            "CreateTable",
            {"ProvisionedThroughput": {"ReadCapacityUnits": "1"}},
            "STRING_VALUE cannot be converted to Long",
        ),
        # The type of any member is looked at before any constraint, declared order aside.
        ("PutItem", {"ReturnValues": "x", "ExpressionAttributeNames": 5}, "Unexpected field type"),
    ],
)
def test_a_wrong_type_is_a_serialization_error(operation: str, body: dict[str, Any], text: str) -> None:
    assert _error(operation, body) == f"SerializationException: {text}"


def _faults(*faults: str) -> str:
    plural = "s" if len(faults) > 1 else ""
    joined = "; ".join(faults)
    return f"ValidationException: {len(faults)} validation error{plural} detected: {joined}"


def _fault(value: str, path: str, constraint: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def _terse(path: str, constraint: str) -> str:
    return f"Value at '{path}' failed to satisfy constraint: {constraint}"


_NOT_NULL = "Member must not be null"
_INDEX = {"KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}


def _printed(content: str) -> str:
    """An attribute value as Java prints it; `content`: "member=value" of the only one that is there."""
    names = [
        "s",
        "n",
        "b",
        "iNT",
        "dECIMAL",
        "dOUBLE",
        "sS",
        "nS",
        "bS",
        "iNTSET",
        "dECIMALSET",
        "dOUBLESET",
        "m",
        "l",
        "nULL",
        "bOOL",
    ]
    shown = [content if content.startswith(f"{name}=") else f"{name}=null" for name in names]
    return f"AttributeValue({', '.join(shown)})"


_NAME_PATTERN = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"


@pytest.mark.parametrize(
    ("operation", "body", "faults"),
    [
        ("GetItem", {}, [_fault("null", "tableName", _NOT_NULL), _fault("null", "key", _NOT_NULL)]),
        ("GetItem", {"TableName": None, "Key": _KEY}, [_fault("null", "tableName", _NOT_NULL)]),
        ("GetItem", {"TableName": "a;", "Key": _KEY}, [_fault("'a;'", "tableName", _NAME_PATTERN)]),
        (
            "GetItem",
            {"TableName": "", "Key": _KEY, "ReturnConsumedCapacity": "x"},
            [_terse("TableName", "Member must have length greater than or equal to 1")],
        ),
        (
            "GetItem",
            {"TableName": "a" * 256, "Key": _KEY},
            [_fault(f"'{'a' * 256}'", "tableName", "Member must have length less than or equal to 255")],
        ),
        (
            "PutItem",
            # Without its item the request is looked at in the older way.
            {"TableName": "abc;", "ReturnConsumedCapacity": "hi", "ReturnValues": "hi"},
            [
                _fault(
                    "'hi'",
                    "returnConsumedCapacity",
                    "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
                ),
                _fault("'abc;'", "tableName", _NAME_PATTERN),
                _fault("null", "item", _NOT_NULL),
                _fault(
                    "'hi'",
                    "returnValues",
                    "Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
                ),
            ],
        ),
        (
            "Query",
            {"TableName": "abc", "Select": "x"},
            [
                _fault(
                    "'x'",
                    "select",
                    "Member must satisfy enum value set: "
                    "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]",
                )
            ],
        ),
        (
            "Query",
            {"TableName": "abc", "Limit": 0},
            [_terse("Limit", "Member must have value greater than or equal to 1")],
        ),
        (
            "Query",
            {"TableName": "abc", "IndexName": "ab"},
            [_fault("'ab'", "indexName", "Member must have length greater than or equal to 3")],
        ),
        (
            "Query",
            {"TableName": "abc", "KeyConditions": {"CustomerId": {}}},
            [_fault("null", "keyConditions.CustomerId.member.comparisonOperator", _NOT_NULL)],
        ),
        (
            "Scan",
            {"TableName": "abc", "Segment": -1, "TotalSegments": 1_000_001},
            [
                _fault("'-1'", "segment", "Member must have value greater than or equal to 0"),
                _fault("'1000001'", "totalSegments", "Member must have value less than or equal to 1000000"),
            ],
        ),
        (
            "BatchGetItem",
            {"RequestItems": {"abc": {"Keys": [_KEY] * 101}}},
            [_terse("RequestItems.abc.member.Keys", "Member must have length less than or equal to 100")],
        ),
        ("BatchGetItem", {}, [_fault("null", "requestItems", _NOT_NULL)]),
        (
            "BatchGetItem",
            {"RequestItems": {"bad!name": {"Keys": [{"pk": {"S": "a"}}]}}, "ReturnConsumedCapacity": "BOGUS"},
            [
                _fault(
                    """'{"bad!name":{"Keys":[{"pk":{"S":"a"}}]}}'""",
                    "requestItems",
                    "Map keys must satisfy constraint: [Member must have length less than or equal to 255, "
                    "Member must have length greater than or equal to 3, " + _NAME_PATTERN + "]",
                ),
                _fault(
                    "'BOGUS'",
                    "returnConsumedCapacity",
                    "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
                ),
            ],
        ),
        (
            "BatchGetItem",
            {"RequestItems": {"abc": {}}},
            [_fault("null", "requestItems.abc.member.keys", _NOT_NULL)],
        ),
        ("BatchWriteItem", {}, [_fault("null", "requestItems", _NOT_NULL)]),
        (
            "BatchWriteItem",
            {"RequestItems": {"abc": [None]}},
            [_fault("null", "requestItems.abc.member.1.member", _NOT_NULL)],
        ),
        (
            "BatchWriteItem",
            {"RequestItems": {"abc": []}},
            [
                _fault(
                    "'{abc=[]}'",
                    "requestItems",
                    "Map value must satisfy constraint: [Member must have length less than or equal to 25, "
                    "Member must have length greater than or equal to 1]",
                )
            ],
        ),
        (
            "BatchWriteItem",
            {"RequestItems": {"bad!name": [{"PutRequest": {"Item": {"pk": {"S": "x"}}}}]}},
            [
                _fault(
                    f"'{{bad!name=[WriteRequest(putRequest=PutRequest(item={{pk={_printed('s=x')}}}, "
                    "workloadProfileName=null), deleteRequest=null)]}'",
                    "requestItems",
                    "Map keys must satisfy constraint: [Member must have length less than or equal to 255, "
                    "Member must have length greater than or equal to 3, " + _NAME_PATTERN + "]",
                )
            ],
        ),
        (
            "BatchWriteItem",
            # A wrong table name is told only where nothing else is wrong.
            {"RequestItems": {"a;": [{"DeleteRequest": {"Key": _KEY}}, {"PutRequest": {}}]}},
            [_fault("null", "requestItems.a;.member.2.member.putRequest.item", _NOT_NULL)],
        ),
        (
            "CreateTable",
            {
                "TableName": "abc",
                "AttributeDefinitions": [],
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"} for name in "abc"],
            },
            [
                _fault(
                    "'[KeySchemaElement(attributeName=a, keyType=HASH), "
                    "KeySchemaElement(attributeName=b, keyType=HASH), "
                    "KeySchemaElement(attributeName=c, keyType=HASH)]'",
                    "keySchema",
                    "Member must have length less than or equal to 2",
                )
            ],
        ),
        (
            "CreateTable",
            {
                "TableName": "abc",
                "AttributeDefinitions": [],
                "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
                "LocalSecondaryIndexes": [{**_INDEX, "IndexName": "l1"}],
                "GlobalSecondaryIndexes": [{**_INDEX, "IndexName": "g1"}],
            },
            [
                _fault(
                    f"'{name}'",
                    f"{kind}SecondaryIndexes.1.member.indexName",
                    "Member must have length greater than or equal to 3",
                )
                for name, kind in (("g1", "global"), ("l1", "local"))
            ],
        ),
        # UpdateItem without its key, as AWS answered it in October 2026.
        (
            "UpdateItem",
            {"TableName": "", "ReturnConsumedCapacity": "INVALID", "ReturnValues": "INVALID"},
            [
                _fault(
                    "'INVALID'",
                    "returnConsumedCapacity",
                    "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
                ),
                _fault("''", "tableName", "Member must have length greater than or equal to 1"),
                _fault(
                    "'INVALID'",
                    "returnValues",
                    "Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
                ),
                _fault("null", "key", _NOT_NULL),
            ],
        ),
        (
            "UpdateItem",
            {"TableName": "abc", "ConditionalOperator": "XOR"},
            [
                _fault("'XOR'", "conditionalOperator", "Member must satisfy enum value set: [OR, AND]"),
                _fault("null", "key", _NOT_NULL),
            ],
        ),
        (
            "CreateTable",
            {
                "TableName": "ab",
                "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "X"}],
                "KeySchema": [{"AttributeName": "a", "KeyType": "INVALID"}],
                "ProvisionedThroughput": {"ReadCapacityUnits": 0},
            },
            [
                _fault(
                    "'X'",
                    "attributeDefinitions.1.member.attributeType",
                    "Member must satisfy enum value set: [B, N, S]",
                ),
                _fault("'ab'", "tableName", "Member must have length greater than or equal to 3"),
                _fault("null", "provisionedThroughput.writeCapacityUnits", _NOT_NULL),
                _fault(
                    "'0'",
                    "provisionedThroughput.readCapacityUnits",
                    "Member must have value greater than or equal to 1",
                ),
                _fault(
                    "'INVALID'",
                    "keySchema.1.member.keyType",
                    "Member must satisfy enum value set: [HASH, RANGE]",
                ),
            ],
        ),
        (
            "ListTables",
            {"ExclusiveStartTableName": "ab", "Limit": 101},
            [
                _fault(
                    "'ab'", "exclusiveStartTableName", "Member must have length greater than or equal to 3"
                ),
                _fault("'101'", "limit", "Member must have value less than or equal to 100"),
            ],
        ),
    ],
)
def test_violated_constraints_are_told_together(
    operation: str, body: dict[str, Any], faults: list[str]
) -> None:
    assert _error(operation, body) == _faults(*faults)


_ENUMERATION = "Failed to satisfy constraint: Member must satisfy enum value set: "
_NAMELESS = _ENUMERATION + "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"


@pytest.mark.parametrize(
    ("operation", "body", "text"),
    [
        (
            "PutItem",
            {"TableName": "", "Item": {}, "ReturnValues": "INVALID"},
            f"1 validation error detected: {_terse('TableName', 'Member must have length greater than or equal to 1')}",
        ),
        (
            "UpdateItem",
            {"TableName": "abc", "Key": _KEY, "ReturnValues": "INVALID", "ReturnConsumedCapacity": "INVALID"},
            f"1 validation error detected: {_NAMELESS}",
        ),
        (
            "PutItem",
            {
                "TableName": "abc",
                "Item": _KEY,
                "ReturnValues": "INVALID",
                "ReturnConsumedCapacity": "INVALID",
                "ReturnItemCollectionMetrics": "INVALID",
            },
            "3 validation errors detected: Value 'INVALID' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]; "
            + _NAMELESS
            + "; Value 'INVALID' at 'returnItemCollectionMetrics' failed to satisfy constraint: Member must satisfy enum value set: [SIZE, NONE]",
        ),
        (
            "DeleteItem",
            {"TableName": "abc", "Key": _KEY, "ReturnValues": "INVALID", "ReturnConsumedCapacity": "INVALID"},
            "2 validation errors detected: Value 'INVALID' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]; "
            + _NAMELESS,
        ),
        (
            "PutItem",
            {"TableName": "abc", "Item": _KEY, "ConditionalOperator": "XOR"},
            f"1 validation error detected: {_ENUMERATION}[ALL, OR]",
        ),
        (
            "Query",
            {"TableName": "abc", "ConditionalOperator": "XOR", "Select": "BOGUS"},
            f"{_ENUMERATION}[ALL, OR]",
        ),
    ],
)
def test_the_newer_layers_have_words_of_their_own(operation: str, body: dict[str, Any], text: str) -> None:
    """As AWS answered in eu-west-2 from September to October 2026."""
    assert _error(operation, body) == f"ValidationException: {text}"


def test_no_more_than_ten_faults_are_told() -> None:
    definitions = [{"AttributeName": "a", "AttributeType": "X"}] * 12
    text = _error("CreateTable", {"TableName": "abc", "AttributeDefinitions": definitions})
    assert text.startswith("ValidationException: 10 validation errors detected: ")
    assert text.count("failed to satisfy constraint") == 10


@pytest.mark.parametrize("operation", ["CreateTable", "DescribeTable", "DeleteTable"])
def test_a_table_operation_wants_its_table_before_anything_else(operation: str) -> None:
    text = "The parameter 'TableName' is required but was not present in the request"
    assert _error(operation, {}) == f"ValidationException: {text}"


@pytest.mark.parametrize("operation", ["DescribeTable", "DeleteTable", "UpdateTable", "DescribeTimeToLive"])
def test_a_table_operation_knows_no_name_of_two_characters(operation: str) -> None:
    fault = _fault("'ab'", "tableName", "Member must have length greater than or equal to 3")
    assert _error(operation, {"TableName": "ab"}) == _faults(fault)


def test_an_error_does_not_send_a_whole_batch_back() -> None:
    put = {"PutRequest": {"Item": {"a": {"S": "x" * 10_000}}}}
    assert len(_error("BatchWriteItem", {"RequestItems": {"abc": [put] * 26}})) < 20_000
    assert (
        len(_error("GetItem", {"TableName": "abc", "Key": {}, "ReturnConsumedCapacity": "x" * 99_999}))
        < 20_000
    )


@pytest.mark.parametrize("levels", [100, 150, 300])
@pytest.mark.parametrize("table", ["a!", "Books"])
def test_a_value_that_is_far_too_deep_is_refused_whatever_else_is_wrong(table: str, levels: int) -> None:
    value: dict[str, Any] = {"S": ""}
    for _ in range(levels):
        value = {"M": {"a": value}}
    puts = [{"PutRequest": {"Item": {"p": value}}}] * 26  # more than a batch takes
    assert _error("BatchWriteItem", {"RequestItems": {table: puts}}).startswith("ValidationException")


@pytest.mark.parametrize("limit", [2**31, 2**64, 1e300])
def test_a_number_that_is_too_large_is_the_largest(limit: float) -> None:
    assert query.REQUEST.read({"TableName": "abc", "Limit": limit})["Limit"] == 2**31 - 1


def test_scalars_are_converted_as_aws_converts_them_and_nulls_are_absent() -> None:
    body = {"TableName": "abc", "ConsistentRead": "yes", "Limit": 2.7, "IndexName": None, "Other": 1}
    assert query.REQUEST.read(body) == {"TableName": "abc", "ConsistentRead": True, "Limit": 2}


def test_a_request_that_is_right_is_not_copied() -> None:
    body = {"TableName": "arn:aws:dynamodb:eu-test-1:123456789012:table/abc", "Key": _KEY}
    assert get_item.REQUEST.read(body) is body
