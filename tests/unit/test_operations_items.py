"""GetItem, PutItem, UpdateItem and DeleteItem: what they answer, and AWS's words for what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model.table import KeyPart, KeySchema, TableStatus
from kvorum.router import capacity
from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
ITEM = {**KEY, "name": {"S": "n"}, "entries": {"L": [{"S": "x"}, {"S": "y"}]}}
ARN = "arn:aws:dynamodb:eu-test-1:123456789012:table/Things"


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.add_table("Things", KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N")))
    return made


def put(cluster: FakeCluster, item: dict[str, Any] = ITEM, **more: Any) -> dict[str, Any]:
    return cluster.call("PutItem", TableName="Things", Item=item, **more)


def get(cluster: FakeCluster, **more: Any) -> dict[str, Any]:
    return cluster.call("GetItem", TableName="Things", Key=KEY, **more)


# ---- answers -------------------------------------------------------------------------------------------------


def test_an_item_comes_back_as_it_was_put(cluster: FakeCluster) -> None:
    assert put(cluster) == {}
    assert get(cluster) == {"Item": ITEM}
    assert get(cluster, ConsistentRead=True) == {"Item": ITEM}
    assert cluster.strong_reads == 1


def test_an_absent_item_is_an_empty_answer(cluster: FakeCluster) -> None:
    assert get(cluster) == {}


def test_a_table_may_be_named_by_its_arn(cluster: FakeCluster) -> None:
    cluster.call("PutItem", TableName=ARN, Item=ITEM)
    assert cluster.call("GetItem", TableName=ARN, Key=KEY) == {"Item": ITEM}


def test_numbers_name_the_same_item_however_they_are_written(cluster: FakeCluster) -> None:
    put(cluster)
    key = {"pk": {"S": "a"}, "sk": {"N": "1.0e0"}}
    assert cluster.call("GetItem", TableName="Things", Key=key) == {"Item": ITEM}


def test_get_keeps_what_is_projected(cluster: FakeCluster) -> None:
    put(cluster)
    assert get(
        cluster, ProjectionExpression="#n, entries[1], nothing", ExpressionAttributeNames={"#n": "name"}
    ) == {"Item": {"name": {"S": "n"}, "entries": {"L": [{"S": "y"}]}}}
    assert get(cluster, AttributesToGet=["name", "nothing"]) == {"Item": {"name": {"S": "n"}}}
    assert get(cluster, ProjectionExpression="nothing") == {"Item": {}}


def test_a_replaced_item_is_returned_when_asked_for(cluster: FakeCluster) -> None:
    assert put(cluster, ReturnValues="ALL_OLD") == {}
    assert put(cluster, KEY, ReturnValues="ALL_OLD") == {"Attributes": ITEM}
    assert cluster.call("DeleteItem", TableName="Things", Key=KEY, ReturnValues="ALL_OLD") == {
        "Attributes": KEY
    }
    assert cluster.call("DeleteItem", TableName="Things", Key=KEY, ReturnValues="ALL_OLD") == {}


def test_an_update_without_an_expression_creates_the_item(cluster: FakeCluster) -> None:
    assert cluster.call("UpdateItem", TableName="Things", Key=KEY) == {}
    assert get(cluster) == {"Item": KEY}


@pytest.mark.parametrize(
    ("returns", "attributes"),
    [
        ("NONE", None),
        ("ALL_OLD", ITEM),
        ("UPDATED_OLD", {"name": {"S": "n"}}),
        ("ALL_NEW", {**ITEM, "name": {"S": "m"}, "count": {"N": "5"}}),
        ("UPDATED_NEW", {"name": {"S": "m"}, "count": {"N": "5"}}),
    ],
)
def test_an_update_returns_what_was_asked_for(
    cluster: FakeCluster, returns: str, attributes: dict[str, Any] | None
) -> None:
    put(cluster)
    answer = cluster.call(
        "UpdateItem",
        TableName="Things",
        Key=KEY,
        UpdateExpression="SET #n = :n ADD #c :c",
        ExpressionAttributeNames={"#n": "name", "#c": "count"},
        ExpressionAttributeValues={":n": {"S": "m"}, ":c": {"N": "5"}},
        ReturnValues=returns,
    )
    assert answer == ({} if attributes is None else {"Attributes": attributes})


def test_a_failed_condition_changes_nothing_and_shows_the_item_when_asked(cluster: FakeCluster) -> None:
    put(cluster)
    failed = "ConditionalCheckFailedException: The conditional request failed"
    absent = {"ConditionExpression": "attribute_not_exists(pk)"}
    for more in ({}, {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}):
        assert cluster.error("PutItem", TableName="Things", Item=KEY, **absent, **more) == failed
        assert cluster.error("DeleteItem", TableName="Things", Key=KEY, **absent, **more) == failed
        assert cluster.error("UpdateItem", TableName="Things", Key=KEY, **absent, **more) == failed
    assert get(cluster) == {"Item": ITEM}


@pytest.mark.parametrize("asked", ["NONE", "TOTAL", "INDEXES"])
def test_consumed_capacity_is_told_as_asked(cluster: FakeCluster, asked: str) -> None:
    item = {**KEY, "body": {"S": "x" * 3000}}
    answers = [
        ("PutItem", {"Item": item}, 3.0),
        ("GetItem", {"Key": KEY}, 0.5),
        ("GetItem", {"Key": KEY, "ConsistentRead": True}, 1.0),
        ("GetItem", {"Key": {**KEY, "sk": {"N": "2"}}}, 0.5),
        ("UpdateItem", {"Key": KEY, "UpdateExpression": "REMOVE body", "ReturnValues": "UPDATED_OLD"}, 3.0),
        ("DeleteItem", {"Key": KEY}, 1.0),
        ("DeleteItem", {"Key": KEY}, 1.0),
    ]
    for operation, body, units in answers:
        answer = cluster.call(operation, TableName=ARN, ReturnConsumedCapacity=asked, **body)
        assert_answer_fits(operation, answer)
        told: dict[str, Any] = {"TableName": "Things", "CapacityUnits": units}
        if asked == "INDEXES":
            told["Table"] = {"CapacityUnits": units}
        assert answer.get("ConsumedCapacity") == (None if asked == "NONE" else told)


@pytest.mark.parametrize(
    ("size", "eventual", "strong", "write"),
    [
        (0, 0.5, 1.0, 1.0),
        (1, 0.5, 1.0, 1.0),
        (1024, 0.5, 1.0, 1.0),
        (1025, 0.5, 1.0, 2.0),
        (3072, 0.5, 1.0, 3.0),
        (4096, 0.5, 1.0, 4.0),
        (4097, 1.0, 2.0, 5.0),
        (8192, 1.0, 2.0, 8.0),
        (409_600, 50.0, 100.0, 400.0),
    ],
)
def test_capacity_arithmetic(size: int, eventual: float, strong: float, write: float) -> None:
    assert capacity.read_units(size, strong=False) == eventual
    assert capacity.read_units(size, strong=True) == strong
    assert capacity.write_units(size, 0) == capacity.write_units(1, size) == write


_NAMES = st.sampled_from(("pk", "sk", "a", "b"))
_VALUES = st.one_of(
    st.builds(lambda text: {"S": text}, st.text("ab", max_size=2)),
    st.builds(lambda number: {"N": str(number)}, st.integers(0, 3)),
)
_REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(("PutItem", "DeleteItem", "GetItem")),
        st.fixed_dictionaries(
            {"pk": st.just({"S": "x"}), "sk": st.sampled_from(({"N": "1"}, {"N": "2"}))},
            optional={"a": _VALUES, "b": _VALUES},
        ),
    ),
    max_size=12,
)


@given(_REQUESTS)
def test_operations_agree_with_a_dict(requests: list[tuple[str, dict[str, Any]]]) -> None:
    cluster = FakeCluster()
    cluster.add_table("Things", KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N")))
    oracle: dict[str, dict[str, Any]] = {}
    for operation, item in requests:
        place = item["sk"]["N"]
        key = {"pk": item["pk"], "sk": item["sk"]}
        if operation == "GetItem":
            expected = {"Item": oracle[place]} if place in oracle else {}
            assert cluster.call("GetItem", TableName="Things", Key=key) == expected
            continue
        subject = {"Item": item} if operation == "PutItem" else {"Key": key}
        answer = cluster.call(operation, TableName="Things", ReturnValues="ALL_OLD", **subject)
        assert answer == ({"Attributes": oracle[place]} if place in oracle else {})
        if operation == "PutItem":
            oracle[place] = item
        else:
            oracle.pop(place, None)


# ---- refusals ------------------------------------------------------------------------------------------------

_INVALID = "ValidationException: One or more parameter values were invalid: "
_NO_MATCH = "ValidationException: The provided key element does not match the schema"
_EMPTY_VALUE = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"


def deep(levels: int) -> dict[str, Any]:
    """A string in so many maps."""
    value: dict[str, Any] = {"S": "leaf"}
    for _ in range(levels):
        value = {"M": {"n": value}}
    return value


_ENVELOPED = "ValidationException: 1 validation error detected: "
_MIXED = (
    "Can not use both expression and non-expression parameters in the same request: "
    "Non-expression parameters: {%s} Expression parameters: {%s}"
)


_NO_SCALAR = (
    "ValidationException: Key attributes must be scalars; "
    "list random access '[]' and map lookup '.' are not allowed: "
)


@pytest.mark.parametrize(
    ("operation", "more", "error"),
    [
        # ---- keys and items
        ("GetItem", {"Key": KEY, "ProjectionExpression": "a, pk.x"}, _NO_SCALAR + "Key: pk"),
        ("GetItem", {"Key": {"pk": {"S": "a"}}, "ProjectionExpression": "pk.x"}, _NO_MATCH),
        ("UpdateItem", {"Key": KEY, "UpdateExpression": "SET a = sk[0]"}, _NO_SCALAR + "Key: sk"),
        ("GetItem", {"Key": {"pk": {"S": "a"}}}, _NO_MATCH),
        ("GetItem", {"Key": {**KEY, "x": {"S": "a"}}}, _NO_MATCH),
        ("GetItem", {"Key": {"pk": {"N": "1"}, "sk": {"N": "1"}}}, _NO_MATCH),
        ("UpdateItem", {"Key": {"pk": {"S": "a"}}}, _NO_MATCH),
        ("DeleteItem", {"Key": {"pk": {"S": "a"}}}, _NO_MATCH),
        ("GetItem", {"Key": {"pk": {}, "sk": {"N": "1"}}}, f"ValidationException: {_EMPTY_VALUE}"),
        (
            "GetItem",
            {"Key": {"pk": {"S": ""}, "sk": {"N": "1"}}},
            (
                "ValidationException: One or more parameter values are not valid. "
                "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"
            ),
        ),
        ("PutItem", {"Item": {"pk": {"S": "a"}}}, _INVALID + "Missing the key sk in the item"),
        (
            "PutItem",
            {"Item": {"pk": {"S": "a"}, "sk": {"S": "a"}}},
            _INVALID + "Type mismatch for key sk expected: N actual: S",
        ),
        (
            "PutItem",
            {"Item": {**KEY, "n": {"N": "x"}}},
            _ENVELOPED + "The parameter cannot be converted to a numeric value: x",
        ),
        (
            "PutItem",
            {"Item": {**KEY, "big": {"S": "x" * 409_600}}},
            "ValidationException: Item size has exceeded the maximum allowed size",
        ),
        (
            "PutItem",
            {"Item": {**KEY, "big": {"S": "x" * 409_600}}, "Expected": {"a": {}}},
            "ValidationException: Item size has exceeded the maximum allowed size",
        ),
        (  # what is written, though it would never be stored, and before the condition is looked at
            "UpdateItem",
            {
                "Key": KEY,
                "UpdateExpression": "SET a = if_not_exists(pk, :big)",
                "ConditionExpression": "attribute_exists(absent)",
                "ExpressionAttributeValues": {":big": {"S": "x" * 409_600}},
            },
            "ValidationException: Item size to update has exceeded the maximum allowed size",
        ),
        # ---- ReturnValues
        (
            "PutItem",
            {"Item": ITEM, "ReturnValues": "ALL_NEW"},
            _ENVELOPED + "ReturnValues can only be ALL_OLD or NONE",
        ),
        (
            "DeleteItem",
            {"Key": KEY, "ReturnValues": "UPDATED_NEW"},
            _ENVELOPED + "ReturnValues can only be ALL_OLD or NONE",
        ),
        # ---- expressions and placeholders
        (
            "PutItem",
            {"Item": ITEM, "ExpressionAttributeValues": {":v": {"S": "a"}}},
            _ENVELOPED + "ExpressionAttributeValues can only be specified when using expressions",
        ),
        (
            "UpdateItem",
            {"Key": KEY, "ExpressionAttributeValues": {":v": {"S": "a"}}},
            _ENVELOPED + "ExpressionAttributeValues can only be specified when using expressions",
        ),
        (
            "PutItem",
            {"Item": ITEM, "ExpressionAttributeNames": {"#n": "a"}},
            _ENVELOPED + "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            "PutItem",
            {"Item": ITEM, "ConditionExpression": "a = :v", "ExpressionAttributeValues": {}},
            _ENVELOPED + "ExpressionAttributeValues must not be empty",
        ),
        (
            "PutItem",
            {"Item": ITEM, "ConditionExpression": "#a = b", "ExpressionAttributeNames": {}},
            _ENVELOPED + "ExpressionAttributeNames must not be empty",
        ),
        (
            "PutItem",
            {"Item": ITEM, "ConditionExpression": "a = b", "ExpressionAttributeNames": {"a": "b"}},
            _ENVELOPED + 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
        ),
        (
            "PutItem",
            {"Item": ITEM, "ConditionExpression": "a = b", "ExpressionAttributeValues": {"#v": {"S": "a"}}},
            _ENVELOPED + 'ExpressionAttributeValues contains invalid key: Syntax error; key: "#v"',
        ),
        (
            "PutItem",
            {"Item": ITEM, "ConditionExpression": "a = :v", "ExpressionAttributeValues": {":v": {}}},
            _ENVELOPED + _EMPTY_VALUE,
        ),
        (
            "PutItem",
            {"Item": ITEM, "ConditionExpression": ""},
            _ENVELOPED + "Invalid ConditionExpression: The expression can not be empty;",
        ),
        (
            "PutItem",
            {"Item": ITEM, "ConditionExpression": "a = b", "ExpressionAttributeNames": {"#n": "b"}},
            _ENVELOPED + "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}",
        ),
        (
            "UpdateItem",
            {"Key": KEY, "UpdateExpression": "SET sk = :v", "ExpressionAttributeValues": {":v": {"N": "2"}}},
            _INVALID + "Cannot update attribute sk. This attribute is part of the key",
        ),
        (
            "UpdateItem",
            {
                "Key": KEY,
                "UpdateExpression": "SET name = :v",
                "ExpressionAttributeValues": {":v": {"N": "2"}},
            },
            (
                _ENVELOPED + "Invalid UpdateExpression: "
                "Attribute name is a reserved keyword; reserved keyword: name"
            ),
        ),
        (
            "GetItem",
            {"Key": KEY, "ProjectionExpression": "#a", "ExpressionAttributeNames": {"#" + "é" * 128: "a"}},
            (
                "ValidationException: ExpressionAttributeNames contains invalid key: "
                "The expression attribute map contains a key that is too long; size of key: 257"
            ),
        ),
        (
            "PutItem",
            {
                "Item": ITEM,
                "ConditionExpression": "a = :a",
                "ExpressionAttributeValues": {":a": {}, ":" + "a" * 255: {"S": ""}},
            },
            (
                _ENVELOPED + "ExpressionAttributeValues contains invalid key: "
                "The expression attribute map contains a key that is too long;"
            ),
        ),
        (
            "GetItem",
            {"Key": KEY, "ProjectionExpression": "#a", "ExpressionAttributeNames": {"#a": ""}},
            (
                "ValidationException: ExpressionAttributeNames contains invalid value: "
                "Empty attribute name for key #a"
            ),
        ),
        (
            "UpdateItem",
            {
                "Key": KEY,
                "UpdateExpression": "SET #n = :v",
                "ExpressionAttributeNames": {"#n": "n" * 65_536},
                "ExpressionAttributeValues": {":v": {"S": "a"}},
            },
            _ENVELOPED + "Attribute name is too large, must be less than 65536 bytes",
        ),
        (
            "GetItem",
            {
                "Key": KEY,
                "ProjectionExpression": "a",
                "ExpressionAttributeNames": {f"#n{number}": "é" * 30_000 for number in range(36)},
            },
            "ValidationException: ExpressionAttributeNames exceeds max size",
        ),
        (
            "UpdateItem",
            {
                "Key": KEY,
                "UpdateExpression": "SET #n = :v",
                "ExpressionAttributeNames": {"#n": "n" * 60_000},
                "ExpressionAttributeValues": {":v": {"S": "v" * 2_050_000}},
            },
            _ENVELOPED + "ExpressionAttributeValues exceeds max size",
        ),
        # ---- the older parameters
        (
            "PutItem",
            {"Item": ITEM, "Expected": {"a": {"Exists": False}}, "ConditionExpression": "a = b"},
            _ENVELOPED + _MIXED % ("Expected", "ConditionExpression"),
        ),
        (
            "UpdateItem",
            {
                "Key": KEY,
                "Expected": {"a": {"Exists": False}},
                "AttributeUpdates": {},
                "ConditionExpression": "a = b",
                "UpdateExpression": "REMOVE a",
            },
            _ENVELOPED + _MIXED % ("AttributeUpdates, Expected", "UpdateExpression, ConditionExpression"),
        ),
        (
            "GetItem",
            {"Key": KEY, "AttributesToGet": ["a"], "ProjectionExpression": "a"},
            "ValidationException: " + _MIXED % ("AttributesToGet", "ProjectionExpression"),
        ),
        (
            "GetItem",
            {"Key": KEY, "AttributesToGet": ["a", "b", "a"]},
            _INVALID + "Duplicate value in attribute name: a",
        ),
        # ---- more levels than the newer validation reads
        (
            "DeleteItem",
            {"Key": KEY, "Expected": {"a": {"Value": deep(63)}}, "ReturnValues": "BOGUS"},
            (
                "ValidationException: 1 validation error detected: Value 'BOGUS' at 'returnValues' failed to "
                "satisfy constraint: Member must satisfy enum value set: "
                "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
            ),
        ),
        (
            "DeleteItem",
            {"Key": {**KEY, "x": deep(62)}, "ReturnValues": "BOGUS"},
            (
                _ENVELOPED + "Failed to satisfy constraint: Member must satisfy enum value set: "
                "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
            ),
        ),
        (
            "PutItem",
            {
                "Item": ITEM,
                "Expected": {"a": {"Value": deep(100)}, "b": {"Exists": False}},
                "ConditionalOperator": "XOR",
            },
            (
                "ValidationException: 1 validation error detected: Value 'XOR' at 'conditionalOperator' failed "
                "to satisfy constraint: Member must satisfy enum value set: [OR, AND]"
            ),
        ),
        (
            "DeleteItem",
            {
                "Key": KEY,
                "ConditionExpression": "a = :deep",
                "ExpressionAttributeValues": {":deep": deep(100)},
                "ReturnValues": "UPDATED_NEW",
            },
            "ValidationException: ReturnValues can only be ALL_OLD or NONE",
        ),
        # ---- which of several mistakes is told
        (
            "PutItem",
            {"Item": {"pk": {}}, "ReturnValues": "ALL_NEW", "ConditionExpression": ""},
            _ENVELOPED + _EMPTY_VALUE,
        ),
        (
            "PutItem",
            {"Item": {}, "ReturnValues": "ALL_NEW", "ConditionExpression": ""},
            _ENVELOPED + "ReturnValues can only be ALL_OLD or NONE",
        ),
        (
            "PutItem",
            {"TableName": "Absent", "Item": {}, "ConditionExpression": ""},
            _ENVELOPED + "Invalid ConditionExpression: The expression can not be empty;",
        ),
        (
            "GetItem",
            {"TableName": "Absent", "Key": {}},
            "ResourceNotFoundException: Requested resource not found",
        ),
        (
            "GetItem",
            {"TableName": "ab", "Key": {}},
            "ResourceNotFoundException: Requested resource not found",
        ),
    ],
)
def test_a_mistake_is_told_in_awss_words(
    cluster: FakeCluster, operation: str, more: dict[str, Any], error: str
) -> None:
    assert cluster.error(operation, **{"TableName": "Things", **more}) == error


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "UpdateItem", "DeleteItem"])
@pytest.mark.parametrize("status", [TableStatus.CREATING, TableStatus.DELETING])
def test_a_table_that_is_not_in_use_is_not_found(
    cluster: FakeCluster, operation: str, status: TableStatus
) -> None:
    cluster.set_status("Things", status)
    subject = {"Item": ITEM} if operation == "PutItem" else {"Key": KEY}
    assert (
        cluster.error(operation, TableName="Things", **subject)
        == "ResourceNotFoundException: Requested resource not found"
    )
