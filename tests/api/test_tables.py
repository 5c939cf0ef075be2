"""CreateTable, DescribeTable, ListTables, DeleteTable and their waiters."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.kit.boto import Client, Tables, keys_of, refused
from tests.kit.endpoints import Endpoint

AT_ONCE_SECONDS = 10.0
"""Less than a waiter's pause (20 s): it was satisfied with the first answer."""


def test_a_table_from_birth_to_death(client: Client, endpoint: Endpoint, tables: Tables) -> None:
    name = tables.unused_name()
    keys = keys_of("S", "N")
    started = time.monotonic()

    created = client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **keys)["TableDescription"]
    assert created["TableStatus"] == "CREATING"
    assert "WarmThroughput" not in created
    client.get_waiter("table_exists").wait(TableName=name)
    table = client.describe_table(TableName=name)["Table"]

    assert table["TableStatus"] == "ACTIVE"
    assert table["TableName"] == name
    assert table["TableId"] == created["TableId"]
    assert table["TableArn"].startswith(f"arn:aws:dynamodb:{endpoint.region}:")
    assert table["TableArn"].endswith(f":table/{name}")
    assert abs(datetime.now(UTC) - table["CreationDateTime"]).total_seconds() < 60
    assert table["KeySchema"] == keys["KeySchema"]
    assert sorted(map(str, table["AttributeDefinitions"])) == sorted(map(str, keys["AttributeDefinitions"]))
    assert (table["ItemCount"], table["TableSizeBytes"]) == (0, 0)
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    assert table["DeletionProtectionEnabled"] is False
    assert table["WarmThroughput"]["Status"] == "ACTIVE"

    deleted = client.delete_table(TableName=name)["TableDescription"]
    assert (deleted["TableName"], deleted["TableStatus"]) == (name, "DELETING")
    client.get_waiter("table_not_exists").wait(TableName=name)
    if endpoint.is_kvorum:
        assert time.monotonic() - started < AT_ONCE_SECONDS
    assert client.list_tables().get("TableNames", []).count(name) == 0
    message = refused(client.describe_table, "ResourceNotFoundException", TableName=name)
    assert message == f"Requested resource not found: Table: {name} not found"


def test_provisioned_is_the_default(client: Client, tables: Tables) -> None:
    name = tables.unused_name()
    client.create_table(
        TableName=name,
        ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
        **keys_of("B"),
    )
    client.get_waiter("table_exists").wait(TableName=name)
    table = client.describe_table(TableName=name)["Table"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 2
    assert "BillingModeSummary" not in table


def test_counts_are_live(client: Client, kvorum: Endpoint, tables: Tables) -> None:
    name = tables.new("S")
    for number in range(5):
        client.put_item(TableName=name, Item={"pk": {"S": f"{number}"}, "a": {"N": "123"}})
    client.delete_item(TableName=name, Key={"pk": {"S": "0"}})
    table = client.describe_table(TableName=name)["Table"]
    assert table["ItemCount"] == 4
    assert table["TableSizeBytes"] == 4 * (2 + 1 + 1 + 3)  # pk, its value; a, its value


def test_a_table_again_under_the_same_name_is_empty_and_another(client: Client, tables: Tables) -> None:
    name = tables.new("S")
    first = client.describe_table(TableName=name)["Table"]["TableId"]
    client.put_item(TableName=name, Item={"pk": {"S": "a"}})
    client.delete_table(TableName=name)
    client.get_waiter("table_not_exists").wait(TableName=name)
    client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **keys_of("S"))
    client.get_waiter("table_exists").wait(TableName=name)
    assert client.describe_table(TableName=name)["Table"]["TableId"] != first
    assert client.scan(TableName=name, ConsistentRead=True)["Count"] == 0


def test_a_deleted_table_serves_nothing(client: Client, tables: Tables) -> None:
    name = tables.new("S")
    client.delete_table(TableName=name)
    client.get_waiter("table_not_exists").wait(TableName=name)
    key = {"pk": {"S": "a"}}
    calls: list[tuple[Any, dict[str, Any]]] = [
        (client.put_item, {"TableName": name, "Item": key}),
        (client.get_item, {"TableName": name, "Key": key}),
        (client.update_item, {"TableName": name, "Key": key}),
        (client.delete_item, {"TableName": name, "Key": key}),
        (client.scan, {"TableName": name}),
        (client.batch_get_item, {"RequestItems": {name: {"Keys": [key]}}}),
        (client.batch_write_item, {"RequestItems": {name: [{"DeleteRequest": {"Key": key}}]}}),
    ]
    for call, parameters in calls:
        assert refused(call, "ResourceNotFoundException", **parameters) == "Requested resource not found"
    assert (
        refused(client.delete_table, "ResourceNotFoundException", TableName=name)
        == f"Requested resource not found: Table: {name} not found"
    )


def test_names_are_listed_in_order_a_page_at_a_time(client: Client, kvorum: Endpoint, tables: Tables) -> None:
    made = {tables.new("S") for _ in range(3)}
    names: list[str] = []
    page: dict[str, Any] = {"LastEvaluatedTableName": None}
    while "LastEvaluatedTableName" in page:
        start = {"ExclusiveStartTableName": page["LastEvaluatedTableName"]} if names else {}
        page = client.list_tables(Limit=2, **start)
        assert len(page["TableNames"]) <= 2
        names += page["TableNames"]
    assert names == sorted(set(names))
    assert made <= set(names)


def test_a_table_by_its_arn(client: Client, tables: Tables, unique: str) -> None:
    arn = client.describe_table(TableName=tables("S"))["Table"]["TableArn"]
    item = {"pk": {"S": unique}, "a": {"N": "1"}}
    client.put_item(TableName=arn, Item=item)
    answer = client.get_item(TableName=arn, Key={"pk": {"S": unique}}, ConsistentRead=True)
    assert answer["Item"] == item


def test_pages_of_names_have_a_limit(client: Client) -> None:
    for limit, constraint in ((0, "greater than or equal to 1"), (101, "less than or equal to 100")):
        message = refused(client.list_tables, "ValidationException", Limit=limit)
        assert message == (
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value {constraint}"
        )


def test_creating_it_twice(client: Client, tables: Tables) -> None:
    name = tables("S")
    message = refused(
        client.create_table,
        "ResourceInUseException",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        **keys_of("S"),
    )
    assert message == f"Table already exists: {name}"


_INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "pk", "KeyType": "RANGE"},
                ],
                "AttributeDefinitions": keys_of("S", "S")["AttributeDefinitions"],
            },
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            {"KeySchema": [{"AttributeName": "pk", "KeyType": "RANGE"}]},
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            _INVALID
            + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        (
            {"BillingMode": "PROVISIONED"},
            _INVALID
            + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        (
            {
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "more")
                ]
            },
            _INVALID
            + "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions",
        ),
        (
            {"KeySchema": [{"AttributeName": "pk", "KeyType": "INVALID"}]},
            (
                "1 validation error detected: Value 'INVALID' at 'keySchema.1.member.keyType' failed to satisfy "
                "constraint: Member must satisfy enum value set: [HASH, RANGE]"
            ),
        ),
        (
            {"TableName": "no spaces"},
            (
                "1 validation error detected: Value 'no spaces' at 'tableName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
            ),
        ),
    ],
)
def test_what_no_table_can_be(
    client: Client, tables: Tables, parameters: dict[str, Any], message: str
) -> None:
    given = {
        "TableName": tables.unused_name(),
        "BillingMode": "PAY_PER_REQUEST",
        **keys_of("S"),
        **parameters,
    }
    assert refused(client.create_table, "ValidationException", **given) == message
