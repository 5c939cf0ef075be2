"""UpdateTable, and the descriptions that infrastructure tools read: limits, endpoints, time to live, backups."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import throughput
from kvorum.model.errors import ApiError
from kvorum.model.table import KeyPart, KeySchema, TableStatus
from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits
from tests.unit.test_operations_tables import PAY, PROVISIONED

_INVALID = "ValidationException: One or more parameter values were invalid: "
_ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.call("CreateTable", **{**PAY, "TableName": "OnDemand"})
    made.call("CreateTable", **{**PROVISIONED, "TableName": "Provisioned"})
    return made


def update(cluster: FakeCluster, name: str, **changes: Any) -> dict[str, Any]:
    """What the answer says."""
    cluster.clock_ms += 1_000
    answer = cluster.call("UpdateTable", TableName=name, **changes)
    assert_answer_fits("UpdateTable", answer)
    description: dict[str, Any] = answer["TableDescription"]
    return description


def described(cluster: FakeCluster, name: str) -> dict[str, Any]:
    table: dict[str, Any] = cluster.call("DescribeTable", TableName=name)["Table"]
    assert table["TableStatus"] == "ACTIVE"
    return table


# ---- throughput ----------------------------------------------------------------------------------------------


def test_throughput_is_raised_and_lowered(cluster: FakeCluster) -> None:
    answer = update(cluster, "Provisioned", ProvisionedThroughput=units(10, 12))
    asked = cluster.clock_ms / 1000
    assert answer["TableStatus"] == "UPDATING"
    assert answer["ProvisionedThroughput"] == {
        **units(5, 6),
        "NumberOfDecreasesToday": 0,
        "LastIncreaseDateTime": asked,
    }
    raised = described(cluster, "Provisioned")["ProvisionedThroughput"]
    assert raised == {
        **units(10, 12),
        "NumberOfDecreasesToday": 0,
        "LastIncreaseDateTime": pytest.approx(asked + 0.001, abs=1e-4),
    }
    assert raised["LastIncreaseDateTime"] > asked
    answer = update(cluster, "Provisioned", BillingMode="PROVISIONED", ProvisionedThroughput=units(10, 1))
    lowered = described(cluster, "Provisioned")["ProvisionedThroughput"]
    assert lowered["LastIncreaseDateTime"] == raised["LastIncreaseDateTime"]
    assert lowered["LastDecreaseDateTime"] > raised["LastIncreaseDateTime"]
    assert lowered["NumberOfDecreasesToday"] == 1
    assert "BillingModeSummary" not in described(cluster, "Provisioned")
    cluster.clock_ms += DAY_MS
    assert described(cluster, "Provisioned")["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0


def test_throughput_that_stays_is_refused(cluster: FakeCluster) -> None:
    assert cluster.error("UpdateTable", TableName="Provisioned", ProvisionedThroughput=units(5, 6)) == (
        "ValidationException: The provisioned throughput for the table will not change. The requested value equals "
        "the current value. Current ReadCapacityUnits provisioned for the table: 5. Requested ReadCapacityUnits: 5. "
        "Current WriteCapacityUnits provisioned for the table: 6. Requested WriteCapacityUnits: 6. Refer to the "
        "Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
    )


def test_decreases_are_rationed(cluster: FakeCluster) -> None:
    cluster.clock_ms = 1_791_501_640_000  # Thursday, October 8, 2026, 23:20:40 UTC
    update(cluster, "Provisioned", ProvisionedThroughput=units(10, 10))
    for left in (9, 8, 7, 6):
        update(cluster, "Provisioned", ProvisionedThroughput=units(10, left))
    words = cluster.error("UpdateTable", TableName="Provisioned", ProvisionedThroughput=units(11, 5))
    assert words == (
        "LimitExceededException: Subscriber limit exceeded: Provisioned throughput decreases are limited within a "
        "given UTC day. After the first 4 decreases, each subsequent decrease in the same UTC day can be performed "
        "at most once every 3600 seconds. Number of decreases today: 4. Last decrease at Thursday, October 8, 2026 "
        "at 11:20:45 PM Coordinated Universal Time. Next decrease can be made at Friday, October 9, 2026 at "
        "12:00:00 AM Coordinated Universal Time."
    )
    update(cluster, "Provisioned", ProvisionedThroughput=units(11, 7))
    cluster.clock_ms += HOUR_MS
    update(cluster, "Provisioned", ProvisionedThroughput=units(11, 5))
    assert described(cluster, "Provisioned")["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 1


def test_the_billing_mode_goes_there_and_back(cluster: FakeCluster) -> None:
    created = described(cluster, "Provisioned")
    answer = update(cluster, "Provisioned", **_ON_DEMAND)
    assert answer["TableStatus"] == "UPDATING"
    assert answer["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}  # since when, it will say then
    switched = described(cluster, "Provisioned")
    assert switched["ProvisionedThroughput"] == {**units(0, 0), "NumberOfDecreasesToday": 0}
    assert switched["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] > created["CreationDateTime"]
    assert switched["WarmThroughput"]["ReadUnitsPerSecond"] == throughput.WARM_READ_UNITS
    update(cluster, "Provisioned", BillingMode="PROVISIONED", ProvisionedThroughput=units(5, 6))
    back = described(cluster, "Provisioned")
    assert back["ProvisionedThroughput"] == created["ProvisionedThroughput"]
    assert back["BillingModeSummary"] == {**switched["BillingModeSummary"], "BillingMode": "PROVISIONED"}
    assert back["WarmThroughput"] == switched["WarmThroughput"]


def test_what_was_on_demand_from_birth_says_since_when(cluster: FakeCluster) -> None:
    born = described(cluster, "OnDemand")["CreationDateTime"]
    update(cluster, "OnDemand", BillingMode="PROVISIONED", ProvisionedThroughput=units(1, 1))
    summary = described(cluster, "OnDemand")["BillingModeSummary"]
    assert summary == {"BillingMode": "PROVISIONED", "LastUpdateToPayPerRequestDateTime": born}


def test_the_mode_that_it_has_is_no_change(cluster: FakeCluster) -> None:
    before = described(cluster, "OnDemand")
    assert update(cluster, "OnDemand", **_ON_DEMAND)["TableStatus"] == "UPDATING"
    assert described(cluster, "OnDemand") == before


def test_on_demand_limits_are_merged_and_taken_away(cluster: FakeCluster) -> None:
    def limits(**wanted: int) -> Any:
        answer = update(cluster, "OnDemand", OnDemandThroughput=wanted)
        assert answer["TableStatus"] == "ACTIVE"
        return described(cluster, "OnDemand").get("OnDemandThroughput")

    assert limits(MaxReadRequestUnits=7) == {"MaxReadRequestUnits": 7}
    both = {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": 8}
    assert limits(MaxWriteRequestUnits=8) == both
    assert limits(MaxReadRequestUnits=-1) == {"MaxWriteRequestUnits": 8}
    assert limits(MaxWriteRequestUnits=-1) is None
    update(cluster, "Provisioned", **_ON_DEMAND, OnDemandThroughput=both)
    assert described(cluster, "Provisioned")["OnDemandThroughput"] == both


def test_warm_throughput_only_rises(cluster: FakeCluster) -> None:
    wanted = {"ReadUnitsPerSecond": 13_000}
    answer = update(cluster, "OnDemand", WarmThroughput=wanted)
    before = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000}
    assert answer["WarmThroughput"] == {**before, "Status": "UPDATING"}
    assert answer["TableStatus"] == "ACTIVE"
    assert described(cluster, "OnDemand")["WarmThroughput"] == {**before, **wanted, "Status": "ACTIVE"}
    lower = {"ReadUnitsPerSecond": 12_999}
    assert cluster.error("UpdateTable", TableName="OnDemand", WarmThroughput=lower) == (
        f"{_INVALID}Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current "
        "WarmThroughput, decreasing WarmThroughput is not supported"
    )


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.booleans()), max_size=12))
def test_warm_throughput_never_sinks_and_a_mode_is_whole(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever is asked, a provisioned table has units and one on demand has none."""
    definition: dict[str, Any] = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(3, 3)}
    now = 0
    for read, write, on_demand in steps:
        now += DAY_MS
        provision = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(read, write)}
        warm = throughput.warm(definition)
        with suppress(ApiError):  # it would not change
            definition = throughput.change(definition, 0, _ON_DEMAND if on_demand else provision, now)
        assert throughput.on_demand(definition) == ("ProvisionedThroughput" not in definition)
        assert all(throughput.warm(definition)[member] >= level for member, level in warm.items())


# ---- everything else -----------------------------------------------------------------------------------------


def test_deletion_protection_is_switched(cluster: FakeCluster) -> None:
    assert update(cluster, "OnDemand", DeletionProtectionEnabled=True)["DeletionProtectionEnabled"] is True
    assert cluster.error("DeleteTable", TableName="OnDemand").startswith(
        "ValidationException: Resource cannot"
    )
    assert update(cluster, "OnDemand", DeletionProtectionEnabled=False)["TableStatus"] == "ACTIVE"
    cluster.call("DeleteTable", TableName="OnDemand")


def test_the_table_class_is_changed(cluster: FakeCluster) -> None:
    before = described(cluster, "OnDemand")
    assert update(cluster, "OnDemand", TableClass="STANDARD")["TableStatus"] == "UPDATING"
    assert described(cluster, "OnDemand") == before
    update(cluster, "OnDemand", TableClass="STANDARD_INFREQUENT_ACCESS")
    summary = described(cluster, "OnDemand")["TableClassSummary"]
    assert summary["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert summary["LastUpdateDateTime"] > before["CreationDateTime"]


def test_encryption_is_switched(cluster: FakeCluster) -> None:
    key = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/mine"}
    answer = update(cluster, "OnDemand", SSESpecification=key)
    assert (answer["TableStatus"], answer["SSEDescription"]["Status"]) == ("ACTIVE", "UPDATING")
    assert described(cluster, "OnDemand")["SSEDescription"] == {
        "Status": "ENABLED",
        "SSEType": "KMS",
        "KMSMasterKeyArn": "arn:aws:kms:eu-test-1:123456789012:alias/mine",
    }
    assert cluster.error("UpdateTable", TableName="OnDemand", SSESpecification=key) == (
        f"{_INVALID}Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want "
        "to change Master Key"
    )
    update(cluster, "OnDemand", SSESpecification={"Enabled": False})
    assert "SSEDescription" not in described(cluster, "OnDemand")


def test_a_stream_is_noted_as_create_table_notes_it(cluster: FakeCluster) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    assert update(cluster, "OnDemand", StreamSpecification=stream)["TableStatus"] == "UPDATING"
    table = described(cluster, "OnDemand")
    assert table["StreamSpecification"] == stream
    label = table["LatestStreamLabel"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", label)
    assert table["LatestStreamArn"] == f"{table['TableArn']}/stream/{label}"
    assert cluster.error("UpdateTable", TableName="OnDemand", StreamSpecification=stream) == (
        "ValidationException: Table already has an enabled stream: TableName: OnDemand"
    )
    update(cluster, "OnDemand", StreamSpecification={"StreamEnabled": False})
    off = described(cluster, "OnDemand")
    assert "StreamSpecification" not in off
    assert off["LatestStreamArn"] == table["LatestStreamArn"], "what it holds stays readable for a day"


_NOTHING: tuple[dict[str, Any], ...] = (
    {},
    {"GlobalSecondaryIndexUpdates": []},
    {"WarmThroughput": {}},
    {"OnDemandThroughput": {}},
    {"AttributeDefinitions": PAY["AttributeDefinitions"]},
)
_UNITS_ON_DEMAND: tuple[dict[str, Any], ...] = (
    {"ProvisionedThroughput": units(1, 1)},
    {"BillingMode": "PAY_PER_REQUEST", "ProvisionedThroughput": units(1, 1)},
)


@pytest.mark.parametrize(
    ("name", "changes", "error"),
    [
        (
            "OnDemand",
            changes,
            (
                "ValidationException: At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
                "GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, "
                "ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, "
                "WarmThroughput or TableClass is required"
            ),
        )
        for changes in _NOTHING
    ]
    + [
        (
            "OnDemand",
            changes,
            (
                f"{_INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
                "PAY_PER_REQUEST"
            ),
        )
        for changes in _UNITS_ON_DEMAND
    ]
    + [
        (
            "OnDemand",
            {"BillingMode": "PROVISIONED"},
            f"{_INVALID}ProvisionedThroughput must be specified when BillingMode is PROVISIONED",
        ),
        (
            "Provisioned",
            {"ProvisionedThroughput": units(10**12 + 1, 10**12 + 1)},
            "ValidationException: Given value 1000000000001 for ReadCapacityUnits is out of bounds",
        ),
        (
            "Provisioned",
            {"ProvisionedThroughput": {}},
            (
                "ValidationException: 2 validation errors detected: Value null at "
                "'provisionedThroughput.writeCapacityUnits' failed to satisfy constraint: Member must not be null; "
                "Value null at 'provisionedThroughput.readCapacityUnits' failed to satisfy constraint: Member must not "
                "be null"
            ),
        ),
        (
            "Provisioned",
            {"OnDemandThroughput": {"MaxReadRequestUnits": 1}},
            (
                f"{_INVALID}MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode "
                "is PROVISIONED"
            ),
        ),
        (
            "OnDemand",
            {"OnDemandThroughput": {"MaxWriteRequestUnits": 0}},
            f"{_INVALID}Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range",
        ),
        (
            "OnDemand",
            {"DeletionProtectionEnabled": True, "SSESpecification": {"Enabled": True}},
            f"{_INVALID}Server-Side Encryption modification must be the only operation in the request",
        ),
        (
            "OnDemand",
            {"BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": True},
            f"{_INVALID}DeletionProtection modification must be the only operation in the request",
        ),
        (
            "Provisioned",
            {"ProvisionedThroughput": units(1, 1), "OnDemandThroughput": {"MaxReadRequestUnits": 1}},
            f"{_INVALID}OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
        ),
        (
            "Provisioned",
            {"ProvisionedThroughput": units(1, 1), "StreamSpecification": {"StreamEnabled": False}},
            f"{_INVALID}You cannot modify stream status while updating table IOPS",
        ),
        (
            "OnDemand",
            {"StreamSpecification": {"StreamEnabled": True}},
            f"{_INVALID}If stream is being enabled then UpdateViewType is required",
        ),
        (
            "OnDemand",
            {"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "KEYS_ONLY"}},
            f"{_INVALID}If stream is being disabled, then UpdateViewType must not be specified",
        ),
        (
            "OnDemand",
            {"StreamSpecification": {"StreamEnabled": False}},
            "ValidationException: Table has no stream to disable: TableName: OnDemand",
        ),
        (
            "OnDemand",
            {"SSESpecification": {"Enabled": False}},
            f"{_INVALID}Table is already encrypted by default",
        ),
        (
            "OnDemand",
            {"SSESpecification": {"Enabled": False, "SSEType": "KMS"}},
            f"{_INVALID}SSEType can not be specified if Enabled is false",
        ),
        (
            "OnDemand",
            {"SSESpecification": {"Enabled": True, "KMSMasterKeyId": "k"}},
            f"{_INVALID}SSEType KMS is required if KMSMasterKeyId is specified",
        ),
        (
            "OnDemand",
            {"ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}]},
            "ValidationException: Kvorum does not serve updates of a table's regions yet",
        ),
        (
            "Absent",
            {"ProvisionedThroughput": units(1, 1)},
            "ResourceNotFoundException: Requested resource not found: Table: Absent not found",
        ),
    ],
)
def test_an_update_is_refused_in_awss_words(
    cluster: FakeCluster, name: str, changes: dict[str, Any], error: str
) -> None:
    before = dict(cluster.directory.tables)
    assert cluster.error("UpdateTable", TableName=name, **changes) == error
    assert cluster.directory.tables == before


def test_a_table_being_created_is_not_updated(cluster: FakeCluster) -> None:
    cluster.set_status("Provisioned", TableStatus.CREATING)
    assert cluster.error("UpdateTable", TableName="Provisioned", ProvisionedThroughput=units(1, 1)) == (
        "ResourceInUseException: Attempt to change a resource which is still in use: "
        "Table is being created: Provisioned"
    )


# ---- what infrastructure tools read --------------------------------------------------------------------------


def test_what_is_not_there_is_described_as_off(cluster: FakeCluster) -> None:
    answer = cluster.call("DescribeTimeToLive", TableName="OnDemand")
    assert_answer_fits("DescribeTimeToLive", answer)
    assert answer == {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    answer = cluster.call("DescribeContinuousBackups", TableName="OnDemand")
    assert_answer_fits("DescribeContinuousBackups", answer)
    assert answer["ContinuousBackupsDescription"] == {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }
    assert cluster.error("DescribeTimeToLive", TableName="Absent") == (
        "ResourceNotFoundException: Requested resource not found: Table: Absent not found"
    )
    assert cluster.error("DescribeContinuousBackups", TableName="Absent") == (
        "TableNotFoundException: Table not found: Absent"
    )
    answer = cluster.call("DescribeKinesisStreamingDestination", TableName="OnDemand")
    assert_answer_fits("DescribeKinesisStreamingDestination", answer)
    assert answer == {"TableName": "OnDemand", "KinesisDataStreamDestinations": []}
    arn = "arn:aws:dynamodb:eu-test-1:123456789012:table/OnDemand"
    assert cluster.error("GetResourcePolicy", ResourceArn=arn).startswith("PolicyNotFoundException: ")
    assert cluster.error("GetResourcePolicy", ResourceArn=arn + "-absent") == (
        "ResourceNotFoundException: Requested resource not found: Table: OnDemand-absent not found"
    )
    cluster.set_status("OnDemand", TableStatus.CREATING)
    assert cluster.error("DescribeTimeToLive", TableName="OnDemand") == (
        "ValidationException: Cannot describe time to live while table is in CREATING state: "
        "Current table state is CREATING"
    )


def test_limits_and_endpoints() -> None:
    cluster = FakeCluster()
    limits = cluster.call("DescribeLimits")
    assert_answer_fits("DescribeLimits", limits)
    assert sorted(limits.values()) == [40_000, 40_000, 80_000, 80_000]
    endpoints = cluster.call("DescribeEndpoints")
    assert_answer_fits("DescribeEndpoints", endpoints)
    assert endpoints == {
        "Endpoints": [{"Address": "dynamodb.eu-test-1.amazonaws.com", "CachePeriodInMinutes": 1_440}]
    }


def test_a_definition_from_before_updates_is_described() -> None:
    cluster = FakeCluster()
    cluster.add_table("Old", KeySchema(KeyPart("pk", "S")))
    assert described(cluster, "Old")["ProvisionedThroughput"] == {**units(0, 0), "NumberOfDecreasesToday": 0}
