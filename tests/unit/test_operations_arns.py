"""A table by its ARN: every operation on a table that exists takes it, and no table of another account or region is
taken for one of here."""

from __future__ import annotations

from typing import Any

import pytest

from kvorum.model.table import KeyPart, KeySchema
from tests.kit.fake_cluster import FakeCluster

ARN = "arn:aws:dynamodb:eu-test-1:123456789012:table/Things"
KEY = {"pk": {"S": "a"}}
_QUERY = {"KeyConditionExpression": "pk = :v", "ExpressionAttributeValues": {":v": {"S": "a"}}}
BY_NAME: dict[str, dict[str, Any]] = {
    "DeleteItem": {"Key": KEY},
    "DescribeContinuousBackups": {},
    "DescribeContributorInsights": {},
    "DescribeKinesisStreamingDestination": {},
    "DescribeTable": {},
    "DescribeTimeToLive": {},
    "GetItem": {"Key": KEY},
    "PutItem": {"Item": KEY},
    "Query": _QUERY,
    "Scan": {},
    "UpdateItem": {"Key": KEY},
    "UpdateTable": {"DeletionProtectionEnabled": False},
    "DeleteTable": {},
}


def _request(operation: str, table: str) -> dict[str, Any]:
    match operation:
        case "BatchGetItem":
            return {"RequestItems": {table: {"Keys": [KEY]}}}
        case "BatchWriteItem":
            return {"RequestItems": {table: [{"PutRequest": {"Item": KEY}}]}}
        case "ExecuteStatement":
            return {"Statement": f"SELECT * FROM \"{table}\" WHERE pk = 'a'"}
        case _:
            return {"TableName": table, **BY_NAME[operation]}


OPERATIONS = ["BatchGetItem", "BatchWriteItem", "ExecuteStatement", *BY_NAME]


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    cluster.add_table("Things", KeySchema(KeyPart("pk", "S")), BillingMode="PAY_PER_REQUEST")
    return cluster


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_arn_is_as_good_as_a_name(cluster: FakeCluster, operation: str) -> None:
    cluster.call(operation, **_request(operation, ARN))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_table_of_another_region_is_none(cluster: FakeCluster, operation: str) -> None:
    arn = ARN.replace("eu-test-1", "us-test-1")
    assert cluster.error(operation, **_request(operation, arn)) == (
        f"ValidationException: 1 validation error detected: Invalid AWS region in '{arn}'"
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_table_of_another_partition_is_none(cluster: FakeCluster, operation: str) -> None:
    arn = ARN.replace("arn:aws:", "arn:aws-cn:")
    assert cluster.error(operation, **_request(operation, arn)) == (
        f"ValidationException: 1 validation error detected: Invalid AWS partition in '{arn}'"
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_table_of_another_account_is_not_ones_own(cluster: FakeCluster, operation: str) -> None:
    arn = ARN.replace("eu-test-1:123456789012", "us-test-1:000000000001")
    assert cluster.error(operation, **_request(operation, arn)) == (
        f"AccessDeniedException: User: arn:aws:iam::123456789012:root is not authorized to perform: "
        f"dynamodb:{operation} on resource: {arn} because no resource-based policy allows the "
        f"dynamodb:{operation} action"
    )


def test_a_new_table_may_be_named_by_its_arn(cluster: FakeCluster) -> None:
    answer = cluster.call(
        "CreateTable",
        TableName=ARN.replace("Things", "New"),
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert answer["TableDescription"]["TableName"] == "New"
