"""CreateTable, DescribeTable, ListTables and DeleteTable."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson
import pytest

from kvorum.model.table import KeyPart, KeySchema, TableStatus
from kvorum.router.describe import encryption_key
from kvorum.router.operations import create_table
from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits

PAY: dict[str, Any] = {
    "TableName": "MyApp",
    "AttributeDefinitions": [
        {"AttributeName": "PK", "AttributeType": "S"},
        {"AttributeName": "SK", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "PK", "KeyType": "HASH"},
        {"AttributeName": "SK", "KeyType": "RANGE"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
PROVISIONED = {
    **{name: value for name, value in PAY.items() if name != "BillingMode"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def described(cluster: FakeCluster, name: str = "MyApp") -> dict[str, Any]:
    answer = cluster.call("DescribeTable", TableName=name)
    assert_answer_fits("DescribeTable", answer)
    table: dict[str, Any] = answer["Table"]
    return table


# ---- answers -------------------------------------------------------------------------------------------------


def test_a_table_is_created_and_the_first_describe_says_active(cluster: FakeCluster) -> None:
    answer = cluster.call("CreateTable", **PAY)
    assert_answer_fits("CreateTable", answer)
    description = answer["TableDescription"]
    assert description == {
        "TableName": "MyApp",
        "TableArn": "arn:aws:dynamodb:eu-test-1:123456789012:table/MyApp",
        "TableId": description["TableId"],
        "TableStatus": "CREATING",
        "CreationDateTime": 1_700_000_000.123,
        "AttributeDefinitions": PAY["AttributeDefinitions"],
        "KeySchema": PAY["KeySchema"],
        "ItemCount": 0,
        "TableSizeBytes": 0,
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": 0,
            "WriteCapacityUnits": 0,
        },
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "DeletionProtectionEnabled": False,
    }
    assert described(cluster) == {
        **description,
        "TableStatus": "ACTIVE",
        "BillingModeSummary": {
            "BillingMode": "PAY_PER_REQUEST",
            "LastUpdateToPayPerRequestDateTime": 1_700_000_000.123,
        },
        "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"},
    }
    table = cluster.directory.tables["MyApp"]
    assert table.keys == KeySchema(KeyPart("PK", "S"), KeyPart("SK", "N"))
    assert (table.global_id, table.regions) == ("", ())
    assert len(cluster.directory.partitions_of(table.id)) == cluster.initial_partitions


def test_a_table_that_takes_long_is_answered_all_the_same(cluster: FakeCluster) -> None:
    class Slow(FakeCluster):
        async def wait_active(self, table_id: int, timeout_seconds: float) -> bool:
            return False

    slow = Slow()
    assert slow.call("CreateTable", **PAY)["TableDescription"]["TableStatus"] == "CREATING"
    assert described(slow)["TableStatus"] == "CREATING"


def test_a_provisioned_table(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **PROVISIONED)
    description = described(cluster)
    assert description["ProvisionedThroughput"] == {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": 5,
        "WriteCapacityUnits": 6,
    }
    assert "BillingModeSummary" not in description


def test_what_the_caller_said_comes_back(cluster: FakeCluster) -> None:
    kept = {
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "DeletionProtectionEnabled": True,
        "OnDemandThroughput": {"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": 2},
    }
    tags = [{"Key": "Environment", "Value": "production"}]
    more = {"TableClass": "STANDARD_INFREQUENT_ACCESS", "SSESpecification": {"Enabled": True}, "Tags": tags}
    warm = {"ReadUnitsPerSecond": 15_000, "WriteUnitsPerSecond": 5_000}
    answer = cluster.call("CreateTable", **PAY, **kept, **more, WarmThroughput=warm)
    assert answer["TableDescription"]["WarmThroughput"] == {**warm, "Status": "UPDATING"}
    description = described(cluster)
    assert {name: description[name] for name in kept} == kept
    assert (
        description["LatestStreamArn"]
        == f"{description['TableArn']}/stream/{description['LatestStreamLabel']}"
    )
    assert description["WarmThroughput"] == {**warm, "Status": "ACTIVE"}
    assert description["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    encryption = description["SSEDescription"]
    assert encryption == {**encryption, "Status": "ENABLED", "SSEType": "KMS"}
    assert cluster.directory.tables["MyApp"].definition["Tags"] == tags


_KMS = "arn:aws:kms:eu-test-1:123456789012:"
_KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("named", "arn"),
    [
        (_KEY_ID, f"{_KMS}key/{_KEY_ID}"),
        ("alias/mine", f"{_KMS}alias/mine"),
        (f"arn:aws:kms:eu-test-1:1:key/{_KEY_ID}", f"arn:aws:kms:eu-test-1:1:key/{_KEY_ID}"),
    ],
)
def test_the_key_that_encrypts_is_shown_by_its_arn(cluster: FakeCluster, named: str, arn: str) -> None:
    specification = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": named}
    cluster.call("CreateTable", **PAY, SSESpecification=specification)
    assert described(cluster)["SSEDescription"]["KMSMasterKeyArn"] == arn


def test_awss_own_key_is_one_of_an_account_and_region() -> None:
    keys = {
        encryption_key(specification, region, account)
        for specification in ({}, {"KMSMasterKeyId": "alias/aws/dynamodb"})
        for region, account in (
            ("eu-test-1", "123456789012"),
            ("eu-test-2", "123456789012"),
            ("eu-test-1", "1"),
        )
    }
    assert len(keys) == 3
    own = re.compile(r"arn:aws:kms:eu-test-\d:\d+:key/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    assert all(own.fullmatch(key) for key in keys)


def test_what_aws_does_not_know_is_not_kept(cluster: FakeCluster) -> None:
    definitions = [{**definition, "Unknown": 1} for definition in PAY["AttributeDefinitions"]]
    cluster.call("CreateTable", **{**PAY, "AttributeDefinitions": definitions})
    assert described(cluster)["AttributeDefinitions"] == PAY["AttributeDefinitions"]


def test_what_is_switched_off_is_not_described(cluster: FakeCluster) -> None:
    off = {"StreamSpecification": {"StreamEnabled": False}, "SSESpecification": {"Enabled": False}}
    cluster.call("CreateTable", **PAY, **off)
    description = described(cluster)
    assert not description.keys() & {
        "StreamSpecification",
        "LatestStreamArn",
        "SSEDescription",
        "SSESpecification",
    }


def test_a_description_counts_live(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **PAY)
    cluster.call("PutItem", TableName="MyApp", Item={"PK": {"S": "abc"}, "SK": {"N": "1"}})
    assert (described(cluster)["ItemCount"], described(cluster)["TableSizeBytes"]) == (1, 9)


def test_a_table_is_described_by_its_arn(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **PAY)
    assert described(cluster, "arn:aws:dynamodb:eu-test-1:123456789012:table/MyApp") == described(cluster)


def test_a_table_is_global_from_birth_where_the_region_says_so() -> None:
    cluster = FakeCluster(regions=("eu-test-1", "us-test-1"))
    cluster.call("CreateTable", **PAY)
    table = cluster.directory.tables["MyApp"]
    assert table.regions == ("eu-test-1", "us-test-1")
    assert table.global_id
    assert table.global_id != table.uuid


def test_names_are_listed_in_order_a_page_at_a_time(cluster: FakeCluster) -> None:
    names = [f"T{number:03d}" for number in range(105)]
    for name in reversed(names):
        cluster.add_table(name, KeySchema(KeyPart("pk", "S")))
    first = cluster.call("ListTables")
    assert_answer_fits("ListTables", first)
    assert first == {"TableNames": names[:100], "LastEvaluatedTableName": "T099"}
    assert cluster.call("ListTables", ExclusiveStartTableName="T099") == {"TableNames": names[100:]}
    assert cluster.call("ListTables", ExclusiveStartTableName="T099", Limit=2) == {
        "TableNames": ["T100", "T101"],
        "LastEvaluatedTableName": "T101",
    }
    assert cluster.call("ListTables", ExclusiveStartTableName="T0985") == {"TableNames": names[99:]}
    assert cluster.call("ListTables", ExclusiveStartTableName="zzz") == {"TableNames": []}


def test_a_deleted_table_is_gone(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **PAY)
    created = cluster.call("DescribeTable", TableName="MyApp")["Table"]
    answer = cluster.call("DeleteTable", TableName="MyApp")
    assert_answer_fits("DeleteTable", answer)
    # It no longer says what the table was made of, nor when.
    gone = {"AttributeDefinitions", "CreationDateTime", "KeySchema"}
    assert answer["TableDescription"] == {
        **{member: value for member, value in created.items() if member not in gone},
        "TableStatus": "DELETING",
    }
    assert cluster.call("ListTables") == {"TableNames": []}


# ---- refusals ------------------------------------------------------------------------------------------------

_INVALID = "ValidationException: One or more parameter values were invalid: "
_TABLE_CLASS = (
    "ValidationException: Invalid table-class parameter provided. Please try again with a valid table-class value: "
    "[STANDARD, STANDARD_INFREQUENT_ACCESS]."
)
_VECTOR_INDEX = {
    "IndexName": "Near",
    "VectorAttribute": {"AttributeName": "v"},
    "Dimensions": 3,
    "DistanceFunction": "COSINE",
    "Projection": {"ProjectionType": "ALL"},
}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            _INVALID
            + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST",
        ),
        (
            {"BillingMode": None},
            _INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
            "PROVISIONED",
        ),
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 10**12 + 1, "WriteCapacityUnits": 1},
            },
            "ValidationException: Given value 1000000000001 for ReadCapacityUnits is out of bounds",
        ),
        ({"VectorIndexes": [_VECTOR_INDEX]}, "ValidationException: Kvorum does not serve vector indexes yet"),
        ({"ResourcePolicy": "{}"}, "ValidationException: Kvorum does not serve resource policies yet"),
        (
            {"KeySchema": PAY["KeySchema"][:1]},
            _INVALID
            + "Number of attributes in KeySchema does not exactly match number of attributes defined "
            "in AttributeDefinitions",
        ),
        (
            {"AttributeDefinitions": PAY["AttributeDefinitions"][:1]},
            "ValidationException: Invalid KeySchema: Some index key attribute have no definition",
        ),
        (
            {"StreamSpecification": {"StreamEnabled": True}},
            _INVALID + "Table is being created with a stream enabled, UpdateViewType is required",
        ),
        (
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]},
            "ValidationException: Duplicate Tag Keys provided as input: Duplicate Tag Key found a",
        ),
        (
            {"Tags": [{"Key": str(n), "Value": ""} for n in range(51)]},
            "ValidationException: Number of Tags exceed the current limit for the provided ResourceArn",
        ),
        (
            {"SSESpecification": {"Enabled": True, "SSEType": "AES256"}},
            _INVALID + "SSEType AES256 is not supported",
        ),
        ({"TableClass": "standard"}, _TABLE_CLASS),
    ],
)
def test_a_table_is_refused_in_awss_words(cluster: FakeCluster, more: dict[str, Any], error: str) -> None:
    assert cluster.error("CreateTable", **{**PAY, **more}) == error
    assert not cluster.directory.tables


def test_an_update_to_no_table_class_is_refused_in_awss_words(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **PAY)
    assert cluster.error("UpdateTable", TableName="MyApp", TableClass="COLD") == _TABLE_CLASS


def test_a_name_is_taken_once(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **PAY)
    assert cluster.error("CreateTable", **PAY) == "ResourceInUseException: Table already exists: MyApp"


@pytest.mark.parametrize("operation", ["DescribeTable", "DeleteTable"])
@pytest.mark.parametrize("name", ["Absent", "arn:aws:dynamodb:eu-test-1:123456789012:table/Absent"])
def test_an_absent_table_is_named(cluster: FakeCluster, operation: str, name: str) -> None:
    text = "ResourceNotFoundException: Requested resource not found: Table: Absent not found"
    assert cluster.error(operation, TableName=name) == text


def test_a_protected_table_stays(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **PAY, DeletionProtectionEnabled=True)
    assert cluster.error("DeleteTable", TableName="MyApp") == (
        "ValidationException: Resource cannot be deleted as it is currently protected against deletion. "
        "Disable deletion protection first."
    )
    assert described(cluster)["DeletionProtectionEnabled"] is True


def test_a_table_being_created_is_not_deleted(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **PAY)
    cluster.set_status("MyApp", TableStatus.CREATING)
    assert cluster.error("DeleteTable", TableName="MyApp") == (
        "ResourceInUseException: Attempt to change a resource which is still in use: "
        "Table is being created: MyApp"
    )


def test_a_request_is_not_changed_by_being_carried_out(cluster: FakeCluster) -> None:
    body = orjson.loads(orjson.dumps(PAY))
    asyncio.run(create_table.run(body, cluster))
    assert body == PAY
