"""UpdateTable, tags, and the calls with which infrastructure tools create a table and look for drift."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.boto import Client, Tables, keys_of, refused
from tests.kit.endpoints import Endpoint

DEADLINE_SECONDS = 300.0
POLL_SECONDS = 0.05
"""Between two questions to the endpoint; there is no event to wait for."""


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def active(client: Client, name: str) -> dict[str, Any]:
    """The table once it and its warm throughput are ACTIVE: what Terraform's provider waits for."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        table: dict[str, Any] = client.describe_table(TableName=name)["Table"]
        if table["TableStatus"] == table["WarmThroughput"]["Status"] == "ACTIVE":
            return table
        assert time.monotonic() < deadline, table
        time.sleep(POLL_SECONDS)


@pytest.fixture
def table(client: Client, tables: Tables) -> Iterator[str]:
    """A table of its own, on demand, which its test may protect."""
    name = tables.new("S")
    yield name
    if active(client, name)["DeletionProtectionEnabled"]:
        client.update_table(TableName=name, DeletionProtectionEnabled=False)


# ---- infrastructure as code ----------------------------------------------------------------------------------


def refresh(client: Client, name: str) -> dict[str, Any]:
    """Everything that a plan compares with the configuration."""
    table = active(client, name)
    for changing in ("ItemCount", "TableSizeBytes"):
        del table[changing]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    time_to_live = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    tags = client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    return {
        "table": table,
        "backups": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "time to live": time_to_live["TimeToLiveStatus"],
        "tags": sorted((tag["Key"], tag["Value"]) for tag in tags),
    }


def test_a_plan_after_an_apply_is_empty_twice(client: Client, tables: Tables) -> None:
    """Create, wait, read, plan, plan; then one attribute after the other is changed, and planned again. The second
    round does it all under a name that was used before."""
    name = tables.unused_name()
    for _ in range(2):
        client.create_table(
            TableName=name,
            BillingMode="PROVISIONED",
            ProvisionedThroughput=units(2, 2),
            TableClass="STANDARD",
            Tags=[{"Key": "Environment", "Value": "test"}, {"Key": "Empty", "Value": ""}],
            **keys_of("S", "N"),
        )
        created = refresh(client, name)
        assert created["tags"] == [("Empty", ""), ("Environment", "test")]
        assert (created["backups"], created["time to live"]) == ("DISABLED", "DISABLED")
        assert refresh(client, name) == created
        assert refresh(client, name) == created
        arn = created["table"]["TableArn"]
        client.update_table(TableName=name, ProvisionedThroughput=units(3, 2))
        raised = refresh(client, name)
        assert raised["table"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
        client.tag_resource(ResourceArn=arn, Tags=[{"Key": "Environment", "Value": "production"}])
        client.untag_resource(ResourceArn=arn, TagKeys=["Empty"])
        deadline = time.monotonic() + DEADLINE_SECONDS
        while refresh(client, name)["tags"] != [("Environment", "production")]:
            assert time.monotonic() < deadline
            time.sleep(POLL_SECONDS)
        planned = refresh(client, name)
        assert planned["table"] == raised["table"]
        assert planned == refresh(client, name)
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)


def test_cloudformation_updates_a_table_and_finds_it_so(client: Client, table: str) -> None:
    """A stack update sends one change at a time and waits for the table between them."""
    client.update_table(TableName=table, DeletionProtectionEnabled=True)
    assert active(client, table)["DeletionProtectionEnabled"] is True
    message = refused(client.delete_table, "ValidationException", TableName=table)
    assert message.startswith("Resource cannot be deleted as it is currently protected against deletion.")
    client.update_table(TableName=table, OnDemandThroughput={"MaxReadRequestUnits": 100})
    before = active(client, table)
    assert before["OnDemandThroughput"] == {"MaxReadRequestUnits": 100}
    client.update_table(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=units(1, 1))
    after = active(client, table)
    assert after["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert "OnDemandThroughput" not in after
    for same in ("TableId", "TableArn", "CreationDateTime", "KeySchema", "AttributeDefinitions"):
        assert after[same] == before[same]


# ---- updates -------------------------------------------------------------------------------------------------


def test_the_billing_mode_is_switched_both_ways(client: Client, table: str) -> None:
    client.put_item(TableName=table, Item={"pk": {"S": "a"}})
    answer = client.update_table(
        TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=units(4, 5)
    )["TableDescription"]
    assert answer["TableStatus"] == "UPDATING"
    throughput = active(client, table)["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (4, 5)
    answer = client.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")["TableDescription"]
    assert answer["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    throughput = active(client, table)["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (0, 0)
    assert client.get_item(TableName=table, Key={"pk": {"S": "a"}}, ConsistentRead=True)["Item"]


def test_updates_are_refused_in_awss_words(client: Client, table: str) -> None:
    assert refused(client.update_table, "ValidationException", TableName=table).startswith(
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates"
    )
    message = refused(
        client.update_table, "ValidationException", TableName=table, ProvisionedThroughput=units(1, 1)
    )
    assert message == (
        "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be "
        "specified when BillingMode is PAY_PER_REQUEST"
    )
    message = refused(
        client.update_table,
        "ValidationException",
        TableName=table,
        DeletionProtectionEnabled=True,
        TableClass="STANDARD",
    )
    assert message == (
        "One or more parameter values were invalid: TableClass modification must be the only operation in the "
        "request"
    )
    message = refused(
        client.update_table, "ResourceNotFoundException", TableName="absent", BillingMode="PAY_PER_REQUEST"
    )
    assert message == "Requested resource not found: Table: absent not found"


# ---- tags ----------------------------------------------------------------------------------------------------


def test_tags_are_refused_in_awss_words(client: Client, table: str) -> None:
    arn = active(client, table)["TableArn"]
    message = refused(client.tag_resource, "ValidationException", ResourceArn=arn, Tags=[])
    assert message == "Atleast one Tag needs to be provided as Input."
    twice = [{"Key": "a", "Value": "1"}] * 2
    message = refused(client.tag_resource, "ValidationException", ResourceArn=arn, Tags=twice)
    assert message == "Duplicate Tag Keys provided as input: Duplicate Tag Key found a"
    many = [{"Key": f"{number}", "Value": ""} for number in range(51)]
    message = refused(client.tag_resource, "ValidationException", ResourceArn=arn, Tags=many)
    assert message == "Number of Tags exceed the current limit for the provided ResourceArn"
    message = refused(client.list_tags_of_resource, "ResourceNotFoundException", ResourceArn=arn + "-absent")
    assert message.endswith(f"{arn}-absent not found")


def test_limits_and_endpoints(client: Client, endpoint: Endpoint) -> None:
    limits = client.describe_limits()
    assert limits["AccountMaxReadCapacityUnits"] >= limits["TableMaxReadCapacityUnits"] >= 40_000
    (described,) = client.describe_endpoints()["Endpoints"]
    if endpoint.is_aws:
        assert described["Address"].startswith("dynamodb.")
    else:
        assert endpoint.url.endswith(f"//{described['Address']}")
    assert described["CachePeriodInMinutes"] > 0
