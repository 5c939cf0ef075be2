"""BatchGetItem and BatchWriteItem: what is carried out, what goes back unprocessed, and AWS's refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kvorum.model import errors, keys
from kvorum.model.errors import ApiError
from kvorum.model.table import KeyPart, KeySchema
from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits


def item(pk: str, **attributes: dict[str, Any]) -> dict[str, Any]:
    return {"pk": {"S": pk}, **attributes}


def put(pk: str, **attributes: dict[str, Any]) -> dict[str, Any]:
    return {"PutRequest": {"Item": item(pk, **attributes)}}


def delete(pk: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": item(pk)}}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.add_table("One", KeySchema(KeyPart("pk", "S")))
    made.add_table("Two", KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N")))
    return made


def refuse(cluster: FakeCluster, pk: str, error: ApiError) -> set[str]:
    """The partition of this key of table One refuses; which of the keys a…z lie there."""
    table = cluster.directory.tables["One"]

    def partition_of(name: str) -> int:
        return cluster.partition_of(table, keys.encode_key(table.keys, item(name))).id

    refusing = partition_of(pk)
    cluster.refusing[refusing] = error
    return {name for name in map(chr, range(ord("a"), ord("z") + 1)) if partition_of(name) == refusing}


# ---- writes --------------------------------------------------------------------------------------------------


def test_puts_and_deletes_on_several_tables(cluster: FakeCluster) -> None:
    cluster.call("PutItem", TableName="One", Item=item("old"))
    requests = {
        "One": [put("a", n={"N": "1.0"}), put("b"), delete("old")],
        "Two": [{"PutRequest": {"Item": item("a", sk={"N": "1"})}}],
    }
    answer = cluster.call("BatchWriteItem", RequestItems=requests)
    assert_answer_fits("BatchWriteItem", answer)
    assert answer == {"UnprocessedItems": {}}
    assert cluster.call("GetItem", TableName="One", Key=item("a")) == {"Item": item("a", n={"N": "1"})}
    assert cluster.call("GetItem", TableName="One", Key=item("old")) == {}
    assert cluster.call("Scan", TableName="Two")["Count"] == 1


def test_writes_report_capacity_by_table(cluster: FakeCluster) -> None:
    requests = {"One": [put("a", x={"S": "x" * 1024}), put("b")], "Two": []}
    del requests["Two"]
    answer = cluster.call("BatchWriteItem", RequestItems=requests, ReturnConsumedCapacity="TOTAL")
    assert_answer_fits("BatchWriteItem", answer)
    assert answer["ConsumedCapacity"] == [{"TableName": "One", "CapacityUnits": 3.0}]


_EMPTY = "ValidationException: The requestItems parameter is required for "


@pytest.mark.parametrize("make", [errors.throttled, errors.service_unavailable, errors.internal_server_error])
def test_what_cannot_be_written_now_goes_back(cluster: FakeCluster, make: Callable[[], ApiError]) -> None:
    refused = refuse(cluster, "a", make())
    names = [chr(code) for code in range(ord("a"), ord("y"))]
    assert not refused.issuperset(names)
    answer = cluster.call("BatchWriteItem", RequestItems={"One": [put(name) for name in names]})
    assert answer == {"UnprocessedItems": {"One": [put(name) for name in names if name in refused]}}
    cluster.refusing.clear()
    assert cluster.call("BatchWriteItem", RequestItems=answer["UnprocessedItems"]) == {"UnprocessedItems": {}}
    assert cluster.call("Scan", TableName="One")["Count"] == len(names)


def test_what_goes_back_costs_nothing(cluster: FakeCluster) -> None:
    refused = refuse(cluster, "a", errors.throttled())
    names = [chr(code) for code in range(ord("a"), ord("y"))]
    done = float(len(names) - len(refused.intersection(names)))
    writes = {
        "One": [put(name) for name in names],
        "Two": [{"PutRequest": {"Item": item("a", sk={"N": "1"})}}],
    }
    answer = cluster.call("BatchWriteItem", RequestItems=writes, ReturnConsumedCapacity="INDEXES")
    assert answer["UnprocessedItems"].keys() == {"One"}
    assert answer["ConsumedCapacity"] == [
        {"TableName": "One", "CapacityUnits": done, "Table": {"CapacityUnits": done}},
        {"TableName": "Two", "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}},
    ]
    reads = {"One": {"Keys": [item(name) for name in names]}, "Two": {"Keys": [item("a", sk={"N": "1"})]}}
    answer = cluster.call("BatchGetItem", RequestItems=reads, ReturnConsumedCapacity="TOTAL")
    assert answer["UnprocessedKeys"].keys() == {"One"}
    assert answer["ConsumedCapacity"] == [
        {"TableName": "One", "CapacityUnits": done / 2},
        {"TableName": "Two", "CapacityUnits": 0.5},
    ]


def test_a_batch_of_which_nothing_was_carried_out_is_an_error(cluster: FakeCluster) -> None:
    refuse(cluster, "a", errors.throttled("busy"))
    assert cluster.error("BatchWriteItem", RequestItems={"One": [put("a")]}) == "ThrottlingException: busy"
    assert (
        cluster.error("BatchGetItem", RequestItems={"One": {"Keys": [item("a")]}})
        == "ThrottlingException: busy"
    )


def test_an_error_that_repeating_would_not_cure_is_told(cluster: FakeCluster) -> None:
    refused = refuse(cluster, "a", errors.resource_not_found())
    other = next(name for name in map(chr, range(ord("a"), ord("z"))) if name not in refused)
    assert (
        cluster.error("BatchWriteItem", RequestItems={"One": [put("a"), put(other)]})
        == "ResourceNotFoundException: Requested resource not found"
    )


_ARN = "arn:aws:dynamodb:eu-test-1:123456789012:table/One"
_DUPLICATES = "ValidationException: Provided list of item keys contains duplicates"
_NOT_FOUND = "ResourceNotFoundException: Requested resource not found"
_NO_MATCH = "ValidationException: The provided key element does not match the schema"
_ONE_OF = (
    "ValidationException: Supplied AttributeValue has more than one datatypes set, "
    "must contain exactly one of the supported datatypes"
)


@pytest.mark.parametrize(
    ("requests", "error"),
    [
        ({"One": [put("a"), put("a")]}, _DUPLICATES),
        ({"One": [put("a"), delete("a")]}, _DUPLICATES),
        ({"One": [put("a")], _ARN: [delete("a")]}, _DUPLICATES),
        ({"One": [{}]}, _ONE_OF),
        ({"One": [{**put("a"), **delete("b")}]}, _ONE_OF),
        ({"One": [put("a")], "Absent": [put("a")]}, _NOT_FOUND),
        ({"Two": [delete("a")]}, _NO_MATCH),
        ({"Two": [put("a")]}, _NO_MATCH),
        ({"One": [{"PutRequest": {"Item": {"pk": {"N": "1"}}}}]}, _NO_MATCH),
        (
            {"One": [put("")]},
            (
                "ValidationException: One or more parameter values are not valid. "
                "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"
            ),
        ),
        ({}, _EMPTY + "BatchWriteItem"),
        (
            {"One": [put("a", x={"SS": ["b", "a", "b"]})]},
            (
                "ValidationException: One or more parameter values were invalid: "
                "Input collection [b, a, b] contains duplicates."
            ),
        ),
        (
            {"One": [delete("a"), {"DeleteRequest": {"Key": {"pk": {"NS": ["2", "1", "2"]}}}}]},
            "ValidationException: Input collection contains duplicates",
        ),
        (
            {"One": [put("a", x={"S": "x" * 409_600})]},
            "ValidationException: Item size has exceeded the maximum allowed size",
        ),
        (
            {"One": [put(str(number)) for number in range(13)], "Two": [delete(str(n)) for n in range(13)]},
            "ValidationException: Too many items requested for the BatchWriteItem call",
        ),
        (
            {"One": [put("a", x={"NULL": False})]},
            (
                "ValidationException: One or more parameter values were invalid: "
                "Null attribute value types must have the value of true"
            ),
        ),
    ],
)
def test_a_batch_of_writes_is_refused_whole(
    cluster: FakeCluster, requests: dict[str, Any], error: str
) -> None:
    assert cluster.error("BatchWriteItem", RequestItems=requests) == error
    assert not any(cluster.stores.values())


# ---- reads ---------------------------------------------------------------------------------------------------


def test_items_of_several_tables_in_the_order_of_their_keys(cluster: FakeCluster) -> None:
    cluster.call("BatchWriteItem", RequestItems={"One": [put("a", x={"S": "1"}), put("b", x={"S": "2"})]})
    cluster.call("PutItem", TableName="Two", Item=item("a", sk={"N": "1"}, y={"S": "y"}))
    answer = cluster.call(
        "BatchGetItem",
        RequestItems={
            "One": {"Keys": [item("b"), item("none"), item("a")]},
            "Two": {
                "Keys": [item("a", sk={"N": "1"})],
                "ProjectionExpression": "#y",
                "ExpressionAttributeNames": {"#y": "y"},
                "ConsistentRead": True,
            },
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert_answer_fits("BatchGetItem", answer)
    assert answer == {
        "Responses": {
            "One": [item("b", x={"S": "2"}), item("a", x={"S": "1"})],
            "Two": [{"y": {"S": "y"}}],
        },
        "UnprocessedKeys": {},
        "ConsumedCapacity": [
            {"TableName": "One", "CapacityUnits": 1.5},
            {"TableName": "Two", "CapacityUnits": 1.0},
        ],
    }
    assert cluster.strong_reads == 1


def test_a_table_by_its_name_and_by_its_arn_is_one(cluster: FakeCluster) -> None:
    writes = {"One": [put("a")], _ARN: [put("b"), delete("c")]}
    answer = cluster.call("BatchWriteItem", RequestItems=writes, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [{"TableName": "One", "CapacityUnits": 3.0}]
    reads = {"One": {"Keys": [item("a")]}, _ARN: {"Keys": [item("b"), item("c")], "ConsistentRead": True}}
    answer = cluster.call("BatchGetItem", RequestItems=reads, ReturnConsumedCapacity="TOTAL")
    assert answer == {
        "Responses": {"One": [item("a")], _ARN: [item("b")]},
        "UnprocessedKeys": {},
        "ConsumedCapacity": [{"TableName": "One", "CapacityUnits": 2.5}],
    }


def test_what_cannot_be_read_now_goes_back_with_its_options(cluster: FakeCluster) -> None:
    names = [chr(code) for code in range(ord("a"), ord("z"))]
    cluster.call("BatchWriteItem", RequestItems={"One": [put(name) for name in names]})
    refused = refuse(cluster, "a", errors.service_unavailable())
    options = {"ConsistentRead": True, "AttributesToGet": ["pk"]}
    asked = {"One": {"Keys": [item(name) for name in names], **options}}
    answer = cluster.call("BatchGetItem", RequestItems=asked)
    assert answer["Responses"] == {"One": [item(name) for name in names if name not in refused]}
    left = [item(name) for name in names if name in refused]
    assert answer["UnprocessedKeys"] == {"One": {"Keys": left, **options}}


def test_a_batch_ends_before_sixteen_megabytes(cluster: FakeCluster) -> None:
    names = [str(number) for number in range(60)]
    for name in names:
        cluster.call("PutItem", TableName="One", Item=item(name, body={"S": "x" * 300_000}))
    wanted = names
    rounds: list[int] = []
    while wanted:
        answer = cluster.call(
            "BatchGetItem",
            RequestItems={"One": {"Keys": [item(name) for name in wanted]}},
            ReturnConsumedCapacity="TOTAL",
        )
        got = [each["pk"]["S"] for each in answer["Responses"]["One"]]
        rounds.append(len(got))
        assert got == wanted[: len(got)]
        assert answer["ConsumedCapacity"] == [{"TableName": "One", "CapacityUnits": len(got) * 37.0}]
        wanted = [each["pk"]["S"] for each in answer["UnprocessedKeys"].get("One", {"Keys": []})["Keys"]]
    assert rounds == [53, 7], "16 MB hold 53 items of 300,007 or 300,008 bytes"


_REQUIRED = (
    "ValidationException: 1 validation error detected: Value null at 'requestItems' failed to satisfy constraint: "
    "Member must not be null"
)


@pytest.mark.parametrize(
    ("requests", "error"),
    [
        (None, _REQUIRED),
        ({}, _EMPTY + "BatchGetItem"),
        ({"One": {"Keys": [item("a"), item("a")]}}, _DUPLICATES),
        ({"One": {"Keys": [item("a")]}, _ARN: {"Keys": [item("b"), item("a")]}}, _DUPLICATES),
        (
            {"Two": {"Keys": [item("a", sk={"N": "1"}), {"sk": {"N": "1.0"}, "pk": {"S": "a"}}]}},
            _DUPLICATES,
        ),
        # Native values where attribute values belong: a boto3 resource makes maps of them.
        ({"One": {"Keys": [{"pk": {"M": {"S": {"S": "a"}}}}]}}, _NO_MATCH),
        ({"Absent": {"Keys": [item("a")]}}, _NOT_FOUND),
        (
            {
                "One": {"Keys": [item(str(number)) for number in range(51)]},
                "Two": {"Keys": [item(str(number)) for number in range(51)]},
            },
            "ValidationException: Too many items requested for the BatchGetItem call",
        ),
        (
            {"One": {"Keys": [item("a")], "ProjectionExpression": "!!"}},
            'ValidationException: Invalid ProjectionExpression: Syntax error; token: "!", near: "!!"',
        ),
        (
            {"One": {"Keys": [item("a")], "ExpressionAttributeNames": {"#a": "a"}}},
            "ValidationException: ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"One": {"Keys": [item("a")], "AttributesToGet": ["a"], "ProjectionExpression": "a"}},
            (
                "ValidationException: Can not use both expression and non-expression parameters in the same "
                "request: Non-expression parameters: {AttributesToGet} "
                "Expression parameters: {ProjectionExpression}"
            ),
        ),
        (
            {
                "One": {
                    "Keys": [item("a")],
                    "ProjectionExpression": "#p.a",
                    "ExpressionAttributeNames": {"#p": "pk"},
                },
            },
            (
                "ValidationException: Key attributes must be scalars; list random access '[]' and map lookup '.' "
                "are not allowed: Key: pk"
            ),
        ),
    ],
)
def test_a_batch_of_reads_is_refused_whole(cluster: FakeCluster, requests: Any, error: str) -> None:
    assert cluster.error("BatchGetItem", RequestItems=requests) == error


def test_no_two_tables_of_a_batch_are_projected_in_unlike_ways(cluster: FakeCluster) -> None:
    requests = {
        "One": {"Keys": [item("a")], "ProjectionExpression": "pk"},
        "Two": {"Keys": [item("a")], "AttributesToGet": ["pk"]},
    }
    assert cluster.error("BatchGetItem", RequestItems=requests) == (
        "ValidationException: Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}"
    )


def test_a_batchs_projections_are_read_before_its_keys(cluster: FakeCluster) -> None:
    requests = {"One": {"Keys": [item("a"), item("a")], "ProjectionExpression": ""}}
    assert cluster.error("BatchGetItem", RequestItems=requests) == (
        "ValidationException: Invalid ProjectionExpression: The expression can not be empty;"
    )
