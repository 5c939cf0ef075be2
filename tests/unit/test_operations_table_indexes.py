"""CreateTable, DescribeTable, UpdateTable and DeleteTable of tables with secondary indexes."""

from __future__ import annotations

from typing import Any

import pytest

from kvorum.model.table import IndexKeys, KeyPart, ProjectionKind
from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits

_INVALID = "One or more parameter values were invalid: "
ARN = "arn:aws:dynamodb:eu-test-1:123456789012:table/MyApp"


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def keys(text: str) -> list[dict[str, str]]:
    """ "a b": a is the partition key, b the sort key; "a:HASH b:HASH" says it of each."""
    roles = iter(("HASH", "RANGE", "RANGE"))
    return [
        {"AttributeName": name, "KeyType": role or next(roles)}
        for name, _, role in (word.partition(":") for word in text.split())
    ]


def attributes(text: str) -> list[dict[str, str]]:
    """ "a:S b:N" """
    return [
        {"AttributeName": name, "AttributeType": kind}
        for name, _, kind in (word.partition(":") for word in text.split())
    ]


def index(name: str, schema: str, projection: str = "ALL", **more: Any) -> dict[str, Any]:
    """`projection`: ALL, KEYS_ONLY, or INCLUDE and the attributes that it includes."""
    kind, *included = projection.split()
    projected = (
        {"ProjectionType": kind, "NonKeyAttributes": included} if included else {"ProjectionType": kind}
    )
    return {"IndexName": name, "KeySchema": keys(schema), "Projection": projected, **more}


def table(defined: str = "PK:S SK:S", **more: Any) -> dict[str, Any]:
    return {
        "TableName": "MyApp",
        "AttributeDefinitions": attributes(defined),
        "KeySchema": keys("PK SK"),
        "BillingMode": "PAY_PER_REQUEST",
        **more,
    }


def provisioned(defined: str = "PK:S SK:S", **more: Any) -> dict[str, Any]:
    return {**table(defined, **more), "BillingMode": "PROVISIONED", "ProvisionedThroughput": units(5, 6)}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def described(cluster: FakeCluster) -> dict[str, Any]:
    answer = cluster.call("DescribeTable", TableName="MyApp")
    assert_answer_fits("DescribeTable", answer)
    description: dict[str, Any] = answer["Table"]
    return description


def update(cluster: FakeCluster, *updates: dict[str, Any], **changes: Any) -> dict[str, Any]:
    cluster.clock_ms += 1_000
    if updates:
        changes["GlobalSecondaryIndexUpdates"] = list(updates)
    answer = cluster.call("UpdateTable", TableName="MyApp", **changes)
    assert_answer_fits("UpdateTable", answer)
    description: dict[str, Any] = answer["TableDescription"]
    return description


def refused(cluster: FakeCluster, *updates: dict[str, Any], **changes: Any) -> str:
    before = cluster.directory.tables["MyApp"]
    if updates:
        changes["GlobalSecondaryIndexUpdates"] = list(updates)
    error = cluster.error("UpdateTable", TableName="MyApp", **changes)
    assert cluster.directory.tables["MyApp"] == before
    return error


def by_name(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["IndexName"]: each for each in description.get("GlobalSecondaryIndexes", [])}


def states(description: dict[str, Any]) -> dict[str, str]:
    """ "TableStatus", and by index its status, with a star while it is backfilled."""
    of_indexes = {
        name: each["IndexStatus"] + "*" * each.get("Backfilling", False)
        for name, each in by_name(description).items()
    }
    return {"": description["TableStatus"], **of_indexes}


# ---- creation ------------------------------------------------------------------------------------------------


def test_a_table_is_created_with_indexes(cluster: FakeCluster) -> None:
    local = index("byDate", "PK Date", "KEYS_ONLY")
    everywhere = index("GSI1", "G1 G2", "INCLUDE z y")
    answer = cluster.call(
        "CreateTable",
        **table(
            "SK:S G2:B PK:S Date:N G1:S",
            LocalSecondaryIndexes=[local],
            GlobalSecondaryIndexes=[everywhere],
        ),
    )
    assert_answer_fits("CreateTable", answer)
    counts = {"IndexSizeBytes": 0, "ItemCount": 0}
    created = {
        **index("GSI1", "G1 G2", "INCLUDE y z"),
        **counts,
        "IndexArn": f"{ARN}/index/GSI1",
        "IndexStatus": "CREATING",
        "ProvisionedThroughput": {**units(0, 0), "NumberOfDecreasesToday": 0},
    }
    description = answer["TableDescription"]
    assert description["GlobalSecondaryIndexes"] == [created]
    assert description["LocalSecondaryIndexes"] == [{**local, **counts, "IndexArn": f"{ARN}/index/byDate"}]
    assert description["AttributeDefinitions"] == attributes("Date:N G1:S G2:B PK:S SK:S")
    after = described(cluster)
    warm = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"}
    assert after["GlobalSecondaryIndexes"] == [{**created, "IndexStatus": "ACTIVE", "WarmThroughput": warm}]
    assert after["LocalSecondaryIndexes"] == description["LocalSecondaryIndexes"]
    assert described(cluster) == after
    first, second = cluster.directory.tables["MyApp"].indexes
    assert (first.name, first.local, first.keys) == (
        "byDate",
        True,
        IndexKeys((KeyPart("PK", "S"),), (KeyPart("Date", "N"),)),
    )
    assert (second.name, second.local, second.projection) == ("GSI1", False, ProjectionKind.INCLUDE)
    assert second.keys == IndexKeys((KeyPart("G1", "S"),), (KeyPart("G2", "B"),))
    assert len(cluster.directory.partitions_of(second.id)) == cluster.initial_partitions
    assert cluster.directory.partitions_of(first.id) == []


def test_a_global_index_may_have_four_attributes_of_each_kind(cluster: FakeCluster) -> None:
    schema = "a:HASH b:HASH c:HASH d:HASH e:RANGE f:RANGE g:RANGE h:RANGE"
    defined = "PK:S SK:S " + " ".join(f"{name}:N" for name in "abcdefgh")
    cluster.call("CreateTable", **table(defined, GlobalSecondaryIndexes=[index("wide", schema)]))
    (made,) = cluster.directory.tables["MyApp"].indexes
    assert [len(made.keys.hash), len(made.keys.range)] == [4, 4]
    assert described(cluster)["GlobalSecondaryIndexes"][0]["KeySchema"] == keys(schema)


def test_contributor_insights_are_off(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **table(**gsi(), **lsi("PK SK")))
    for named in ({}, {"IndexName": "GSI1"}):
        answer = cluster.call("DescribeContributorInsights", TableName="MyApp", **named)
        assert_answer_fits("DescribeContributorInsights", answer)
        assert answer == {"TableName": "MyApp", **named, "ContributorInsightsStatus": "DISABLED"}
    for absent in ("LSI1", "none"):
        words = cluster.error("DescribeContributorInsights", TableName="MyApp", IndexName=absent)
        assert words == "ResourceNotFoundException: Requested resource not found"


def test_what_an_index_may_consume_comes_back(cluster: FakeCluster) -> None:
    limits = {"MaxReadRequestUnits": 7}
    warm = {"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 9_000}
    more: dict[str, Any] = {"OnDemandThroughput": limits, "WarmThroughput": warm}
    answer = cluster.call("CreateTable", **table(GlobalSecondaryIndexes=[index("GSI1", "SK PK", **more)]))
    assert by_name(answer["TableDescription"])["GSI1"]["WarmThroughput"] == {**warm, "Status": "UPDATING"}
    (shown,) = described(cluster)["GlobalSecondaryIndexes"]
    assert shown["OnDemandThroughput"] == limits
    assert shown["WarmThroughput"] == {**warm, "Status": "ACTIVE"}


def gsi(name: str = "GSI1", schema: str = "SK", projection: str = "ALL", **more: Any) -> dict[str, Any]:
    return {"GlobalSecondaryIndexes": [index(name, schema, projection, **more)]}


def lsi(schema: str, projection: str = "ALL", name: str = "LSI1") -> dict[str, Any]:
    return {"LocalSecondaryIndexes": [index(name, schema, projection)]}


FIRST = "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
SECOND = "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"
SAME = "Both the Hash Key and the Range Key element in the KeySchema have the same name"
UNDEFINED = _INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], "
NINE = "abcdefghi"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (table(LocalSecondaryIndexes=[]), _INVALID + "List of LocalSecondaryIndexes is empty"),
        (table(GlobalSecondaryIndexes=[]), _INVALID + "List of GlobalSecondaryIndexes is empty"),
        (
            table("PK:S a:S", KeySchema=keys("PK"), **lsi("b c")),
            _INVALID + "Table KeySchema does not have a range key, which is required when specifying a "
            "LocalSecondaryIndex",
        ),
        (table(**lsi("PK a")), UNDEFINED.format("PK, a") + "AttributeDefinitions: [PK, SK]"),
        (table(**lsi("PK PK")), SAME),
        (table(**lsi("PK:RANGE SK:RANGE")), FIRST),
        (table(**lsi("PK:HASH SK:HASH")), SECOND),
        (table(**lsi("PK")), _INVALID + "Index KeySchema does not have a range key for index: LSI1"),
        (
            table(**lsi("SK PK")),
            _INVALID
            + "Index KeySchema does not have the same leading hash key as table KeySchema for index: LSI1. "
            "index hash key: SK, table hash key: PK",
        ),
        (
            table(LocalSecondaryIndexes=[{**index("LSI1", "PK SK"), "Projection": {}}]),
            _INVALID + "Unknown ProjectionType: null",
        ),
        (
            table(**lsi("PK SK", "ALL x")),
            _INVALID + "ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (
            table(LocalSecondaryIndexes=[index("same", "PK SK"), index("same", "PK SK")]),
            _INVALID + "Duplicate index name: same",
        ),
        (
            table(LocalSecondaryIndexes=[index(f"LSI{number}", "PK SK") for number in range(6)]),
            _INVALID + "Number of LocalSecondaryIndexes exceeds per-table limit of 5",
        ),
        (table(**gsi(schema="g")), UNDEFINED.format("g") + "AttributeDefinitions: [PK, SK]"),
        (
            table(**gsi(schema="SK SK")),
            "The KeySchema contains multiple key attributes with the same name",
        ),
        (table(**gsi(schema="SK:RANGE")), FIRST),
        (
            table("PK:S SK:S a:S", **gsi(schema="SK:HASH a:RANGE PK:HASH")),
            _INVALID + "All HASH key attributes must precede RANGE key attributes in the KeySchema",
        ),
        (
            table(
                "PK:S SK:S " + " ".join(f"{n}:S" for n in NINE),
                **gsi(schema=" ".join(f"{n}:HASH" for n in NINE)),
            ),
            _INVALID + "The KeySchema exceeds the maximum allowed number of HASH key attributes",
        ),
        (
            table(
                "PK:S SK:S " + " ".join(f"{n}:S" for n in NINE),
                **gsi(schema="PK:HASH " + " ".join(f"{n}:RANGE" for n in NINE)),
            ),
            _INVALID + "The KeySchema exceeds the maximum allowed number of RANGE key attributes",
        ),
        (
            table(**gsi(projection="KEYS_ONLY x")),
            _INVALID + "ProjectionType is KEYS_ONLY, but NonKeyAttributes is specified",
        ),
        (
            table(**gsi(projection="INCLUDE")),
            _INVALID + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
        (
            table(**gsi(projection="INCLUDE x y x")),
            _INVALID + "Duplicate element in NonKeyAttributes: x",
        ),
        (
            table(**gsi(ProvisionedThroughput=units(1, 1))),
            _INVALID + "ProvisionedThroughput should not be specified for index: GSI1 when BillingMode is "
            "PAY_PER_REQUEST",
        ),
        (provisioned(**gsi()), _INVALID + "ProvisionedThroughput is not specified for index: GSI1"),
        (
            provisioned(**gsi(ProvisionedThroughput=units(1, 10**12 + 1))),
            "Given value 1000000000001 for WriteCapacityUnits is out of bounds for index GSI1",
        ),
        (
            provisioned(
                **gsi(ProvisionedThroughput=units(1, 1), OnDemandThroughput={"MaxReadRequestUnits": 1})
            ),
            _INVALID
            + "MaxReadRequestUnits for OnDemandThroughput for index: GSI1 cannot be specified when table "
            "BillingMode is PROVISIONED.",
        ),
        (
            provisioned(OnDemandThroughput={"MaxReadRequestUnits": 1}),
            _INVALID
            + "MaxReadRequestUnits for OnDemandThroughput cannot be specified when table BillingMode is "
            "PROVISIONED.",
        ),
        (
            table(**gsi(OnDemandThroughput={"MaxWriteRequestUnits": 0})),
            _INVALID
            + "Requested MaxWriteRequestUnits for OnDemandThroughput for index : GSI1 is outside of valid range",
        ),
        (
            table(**gsi(WarmThroughput={"ReadUnitsPerSecond": 11_999})),
            _INVALID
            + "Requested ReadUnitsPerSecond for WarmThroughput for index GSI1 is lower than initial throughput "
            "for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
            "on-demand-capacity-mode.html#on-demand-capacity-mode-initial",
        ),
        (
            provisioned(**gsi(ProvisionedThroughput=units(1, 2), WarmThroughput={"WriteUnitsPerSecond": 1})),
            _INVALID + "Requested WriteUnitsPerSecond for WarmThroughput for index GSI1 is lower than "
            "WriteCapacityUnits of ProvisionedThroughput",
        ),
        (
            table(
                "PK:S SK:S y:N",
                **gsi(schema="SK:RANGE", projection="INCLUDE", ProvisionedThroughput=units(1, 1)),
            ),
            _INVALID
            + "Some AttributeDefinitions are not used. AttributeDefinitions: [PK, SK, y], keys used: [PK, SK]",
        ),
        (
            table("PK:S SK:S y:N", **gsi(schema="x")),
            _INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [x], "
            "AttributeDefinitions: [PK, SK, y]",
        ),
        (table(**lsi("PK SK", name="same"), **gsi("same")), _INVALID + "Duplicate index name: same"),
        (
            table(GlobalSecondaryIndexes=[index(f"GSI{number}", "SK") for number in range(21)]),
            _INVALID + "GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ),
        (
            table("PK:S SK:S x:S y:N", **gsi(schema="x")),
            _INVALID
            + "Some AttributeDefinitions are not used. AttributeDefinitions: [PK, SK, x, y], keys used: "
            "[PK, SK, x]",
        ),
        (
            table(
                GlobalSecondaryIndexes=[
                    index(f"GSI{number}", "SK", "INCLUDE " + " ".join(f"a{each}" for each in range(17)))
                    for number in range(6)
                ]
            ),
            _INVALID + "Number of NonKeyAttributes of all indexes exceeds per-table limit of 100",
        ),
    ],
)
def test_a_creation_is_refused_in_awss_words(
    cluster: FakeCluster, body: dict[str, Any], message: str
) -> None:
    assert cluster.error("CreateTable", **body) == f"ValidationException: {message}"
    assert not cluster.directory.tables


# ---- updates -------------------------------------------------------------------------------------------------


def test_an_index_is_added_and_taken_away(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **table("PK:S SK:S a:N", **gsi(schema="a")))
    answer = update(cluster, {"Create": index("GSI2", "b SK")}, AttributeDefinitions=attributes("b:B SK:S"))
    assert states(answer) == {"": "UPDATING", "GSI1": "ACTIVE", "GSI2": "CREATING"}
    assert by_name(answer)["GSI2"]["Backfilling"] is False
    assert "Backfilling" not in by_name(answer)["GSI1"]
    assert answer["AttributeDefinitions"] == attributes("PK:S SK:S a:N b:B")
    seen = [states(described(cluster))]
    while cluster.step():
        seen.append(states(described(cluster)))
    assert seen == [
        {"": "UPDATING", "GSI1": "ACTIVE", "GSI2": "CREATING"},
        {"": "ACTIVE", "GSI1": "ACTIVE", "GSI2": "CREATING*"},
        {"": "ACTIVE", "GSI1": "ACTIVE", "GSI2": "ACTIVE"},
    ]
    assert "Backfilling" not in by_name(described(cluster))["GSI2"]
    answer = update(cluster, {"Delete": {"IndexName": "GSI1"}})
    assert states(answer) == {"": "UPDATING", "GSI1": "DELETING", "GSI2": "ACTIVE"}
    assert states(described(cluster)) == states(answer)
    assert by_name(described(cluster))["GSI1"]["KeySchema"] == keys("a")
    cluster.settle()
    assert states(described(cluster)) == {"": "ACTIVE", "GSI2": "ACTIVE"}
    assert described(cluster)["AttributeDefinitions"] == attributes("PK:S SK:S b:B")
    update(cluster, {"Create": index("GSI1", "a")}, AttributeDefinitions=attributes("a:S"))
    cluster.settle()
    assert described(cluster)["AttributeDefinitions"] == attributes("PK:S SK:S a:S b:B")
    for name in ("GSI1", "GSI2"):
        update(cluster, {"Delete": {"IndexName": name}})
        cluster.settle()
    assert "GlobalSecondaryIndexes" not in described(cluster)


def test_definitions_of_attributes_may_say_more_than_one_index_needs(cluster: FakeCluster) -> None:
    """Infrastructure tools send all of a table's with each of several updates."""
    cluster.call("CreateTable", **table())
    everything = attributes("PK:S SK:S a:N b:S")
    for name, schema in (("GSI1", "a"), ("GSI2", "b PK")):
        update(cluster, {"Create": index(name, schema)}, AttributeDefinitions=everything)
        cluster.settle()
    assert described(cluster)["AttributeDefinitions"] == everything


def test_an_index_is_provisioned_for_itself(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **provisioned(**gsi(ProvisionedThroughput=units(2, 2))))
    change = {"Update": {"IndexName": "GSI1", "ProvisionedThroughput": units(3, 1)}}
    answer = update(cluster, change)
    assert states(answer) == {"": "ACTIVE", "GSI1": "UPDATING"}
    assert by_name(answer)["GSI1"]["ProvisionedThroughput"] == {**units(2, 2), "NumberOfDecreasesToday": 0}
    after = described(cluster)
    assert states(after) == {"": "ACTIVE", "GSI1": "ACTIVE"}
    shown = by_name(after)["GSI1"]["ProvisionedThroughput"]
    assert {name: shown[name] for name in units(0, 0)} == units(3, 1)
    assert shown["NumberOfDecreasesToday"] == 1
    assert shown["LastIncreaseDateTime"] == shown["LastDecreaseDateTime"]
    assert after["ProvisionedThroughput"] == {**units(5, 6), "NumberOfDecreasesToday": 0}
    assert refused(cluster, change).startswith(
        "ValidationException: The provisioned throughput for the index GSI1 will not change. The requested value "
        "equals the current value. Current ReadCapacityUnits provisioned for index GSI1: 3."
    )


def test_table_and_index_change_together(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **provisioned(**gsi(ProvisionedThroughput=units(2, 2))))
    change = {"Update": {"IndexName": "GSI1", "ProvisionedThroughput": units(9, 9)}}
    update(cluster, change, ProvisionedThroughput=units(8, 8))
    after = described(cluster)
    assert after["ProvisionedThroughput"]["ReadCapacityUnits"] == 8
    assert by_name(after)["GSI1"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 9


def test_the_billing_mode_of_a_table_is_its_indexes(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **provisioned(**gsi(ProvisionedThroughput=units(2, 2))))
    answer = update(cluster, BillingMode="PAY_PER_REQUEST")
    assert states(answer) == {"": "UPDATING", "GSI1": "UPDATING"}
    assert by_name(answer)["GSI1"]["ProvisionedThroughput"] == {**units(0, 0), "NumberOfDecreasesToday": 0}
    shown = by_name(described(cluster))["GSI1"]
    switched = {"NumberOfDecreasesToday": 1, "LastDecreaseDateTime": (cluster.clock_ms + 1) / 1000}
    assert shown["ProvisionedThroughput"] == {**units(0, 0), **switched}
    assert described(cluster)["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0
    assert shown["WarmThroughput"]["ReadUnitsPerSecond"] == 12_000
    back = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(1, 1)}
    assert refused(cluster, **back) == (
        f"ValidationException: {_INVALID}ProvisionedThroughput must be specified for index: GSI1"
    )
    assert refused(cluster, {"Update": {"IndexName": "GSI1", "ProvisionedThroughput": units(1, 1)}}) == (
        f"ValidationException: {_INVALID}The only Updates for index: GSI1 when TableThroughputMode is PAY_PER_REQUEST "
        "can be to OnDemandThroughput, WarmThroughput"
    )
    limit = {"Update": {"IndexName": "GSI1", "OnDemandThroughput": {"MaxWriteRequestUnits": 4}}}
    update(cluster, limit)
    assert by_name(described(cluster))["GSI1"]["OnDemandThroughput"] == {"MaxWriteRequestUnits": 4}
    answer = update(cluster, {"Update": {"IndexName": "GSI1", "ProvisionedThroughput": units(3, 4)}}, **back)
    assert states(answer) == {"": "UPDATING", "GSI1": "UPDATING"}
    shown = by_name(described(cluster))["GSI1"]
    assert shown["ProvisionedThroughput"] == {**units(3, 4), **switched}
    assert "OnDemandThroughput" not in shown


NOT_FOUND = "ResourceNotFoundException: Requested resource not found: Index none for table MyApp"


@pytest.mark.parametrize(
    ("updates", "error"),
    [
        ([], None),
        (
            [{}],
            (
                f"ValidationException: {_INVALID}One of GlobalSecondaryIndexUpdate.Update, "
                "GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null"
            ),
        ),
        (
            [{"Delete": {"IndexName": "abc"}}, {"Delete": {"IndexName": "abc"}}],
            (
                f"ValidationException: {_INVALID}Only one global secondary index update per index is allowed "
                "simultaneously. Index: abc"
            ),
        ),
        (
            [{"Create": index("GSI2", "SK")}, {"Delete": {"IndexName": "GSI1"}}],
            (
                "LimitExceededException: Subscriber limit exceeded: Only 1 online index can be created or deleted "
                "simultaneously per table"
            ),
        ),
        ([{"Delete": {"IndexName": "none"}}], NOT_FOUND),
        (
            [{"Delete": {"IndexName": "LSI1"}}],
            "ValidationException: Cannot delete an index that is not a GlobalSecondaryIndex: LSI1",
        ),
        (
            [{"Update": {"IndexName": "LSI1", "ProvisionedThroughput": units(1, 1)}}],
            "ValidationException: Cannot update an index that is not a GlobalSecondaryIndex: LSI1",
        ),
        (
            [{"Update": {"IndexName": "GSI1"}, "Delete": {"IndexName": "GSI1"}}],
            (
                f"ValidationException: {_INVALID}Only one global secondary index action is allowed per "
                "GlobalSecondaryIndexUpdate object"
            ),
        ),
        (
            [{"Update": {"IndexName": "none", "OnDemandThroughput": {"MaxReadRequestUnits": 1}}}],
            NOT_FOUND,
        ),
        (
            [{"Update": {"IndexName": "none", "ProvisionedThroughput": units(10**12 + 1, 1)}}],
            (
                "ValidationException: This operation cannot be performed with given input values. Please contact "
                "DynamoDB service team for more info: Action Blocked: IndexUpdate"
            ),
        ),
        (
            [{"Update": {"IndexName": "GSI1"}}],
            (
                f"ValidationException: {_INVALID}ProvisionedThroughput, OnDemandThroughput or WarmThroughput must be "
                "specified for index: GSI1"
            ),
        ),
        (
            [{"Create": index("GSI1", "SK")}],
            "ValidationException: Attempting to create an index which already exists",
        ),
        (
            [{"Create": index("LSI1", "SK")}],
            "ValidationException: Attempting to create an index which already exists",
        ),
        (
            [{"Create": index("GSI3", "SK")}],
            f"ValidationException: {_INVALID}AttributeDefinitions is not specified for index: GSI3",
        ),
        (
            [{"Create": index("GSI2", "unknown")}],
            f"ValidationException: {UNDEFINED.format('unknown')}AttributeDefinitions: [SK]",
        ),
        (
            [{"Create": index("GSI2", "SK", ProvisionedThroughput=units(1, 1))}],
            (
                f"ValidationException: {_INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified "
                "for index: GSI2 when BillingMode is PAY_PER_REQUEST"
            ),
        ),
        (
            [{"Create": index("GSI2", "SK", "INCLUDE")}],
            f"ValidationException: {_INVALID}ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
    ],
)
def test_an_update_is_refused_in_awss_words(
    cluster: FakeCluster, updates: list[dict[str, Any]], error: str | None
) -> None:
    cluster.call("CreateTable", **table("PK:S SK:S a:N", **gsi(schema="a"), **lsi("PK a")))
    if error is None:
        words = refused(cluster, GlobalSecondaryIndexUpdates=updates)
        assert words.startswith("ValidationException: At least one of ProvisionedThroughput")
    else:
        more = (
            {}
            if error.endswith("is not specified for index: GSI3")
            else {"AttributeDefinitions": attributes("SK:S")}
        )
        assert refused(cluster, *updates, **more) == error


def test_an_attribute_keeps_its_type(cluster: FakeCluster) -> None:
    """AWS ignores another one in the request: paritysuite/dynamodb-conformance#78."""
    cluster.call("CreateTable", **table())
    update(cluster, {"Create": index("GSI1", "a")}, AttributeDefinitions=attributes("a:S SK:N PK:B"))
    assert described(cluster)["AttributeDefinitions"] == attributes("PK:S SK:S a:S")


_REDEFINED = (
    f"ValidationException: {_INVALID}Attributes cannot be redefined. Please check that your attribute has the same type "
    "as previously defined. Existing schema: Schema:["
)


@pytest.mark.parametrize(
    ("defined", "schema", "words"),
    [
        ("a:N", "a", "SchemaElement: key{a:S:HASH}] New schema: Schema:[SchemaElement: key{a:N:HASH}]"),
        (
            "z:S SK:B",
            "z SK",
            (
                "SchemaElement: key{PK:S:HASH}, SchemaElement: key{SK:S:RANGE}] New schema: "
                "Schema:[SchemaElement: key{z:S:HASH}, SchemaElement: key{SK:B:RANGE}]"
            ),
        ),
        ("z:S SK:S", "z SK", None),
    ],
)
def test_a_new_index_keeps_the_types_of_its_key_attributes(
    cluster: FakeCluster, defined: str, schema: str, words: str | None
) -> None:
    cluster.call("CreateTable", **table("PK:S SK:S a:S", **gsi(schema="a")))
    create = {"Create": index("GSI2", schema)}
    if words is None:
        update(cluster, create, AttributeDefinitions=attributes(defined))
    else:
        assert refused(cluster, create, AttributeDefinitions=attributes(defined)) == _REDEFINED + words


def test_a_new_index_names_all_its_key_attributes(cluster: FakeCluster) -> None:
    """Those of the table too: nubo-db/dynoxide#144, paritysuite/dynamodb-conformance updateTable/gsi."""
    cluster.call("CreateTable", **table())
    create = {"Create": index("GSI1", "PK a")}
    assert refused(cluster, create, AttributeDefinitions=attributes("a:S")) == (
        f"ValidationException: {UNDEFINED.format('PK, a')}AttributeDefinitions: [a]"
    )


def test_a_new_index_of_a_provisioned_table_is_provisioned(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **provisioned())
    more = {"AttributeDefinitions": attributes("a:S")}
    assert refused(cluster, {"Create": index("GSI1", "a")}, **more) == (
        f"ValidationException: {_INVALID}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: GSI1"
    )
    update(cluster, {"Create": index("GSI1", "a", ProvisionedThroughput=units(1, 2))}, **more)
    shown = by_name(described(cluster))["GSI1"]
    assert shown["ProvisionedThroughput"] == {**units(1, 2), "NumberOfDecreasesToday": 0}
    assert shown["WarmThroughput"] == {"ReadUnitsPerSecond": 1, "WriteUnitsPerSecond": 2, "Status": "ACTIVE"}


def test_a_new_index_comes_alone_or_with_the_billing_mode(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **provisioned(**gsi(ProvisionedThroughput=units(1, 1))))
    create = {"Create": index("GSI2", "PK", ProvisionedThroughput=units(1, 1))}
    definitions = {"AttributeDefinitions": attributes("PK:S")}
    for more, words in (
        (
            {"ProvisionedThroughput": units(9, 9)},
            "You cannot create or delete index while updating table IOPS",
        ),
        (
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
            "You cannot create or delete index while changing stream status",
        ),
        (
            {"WarmThroughput": {"ReadUnitsPerSecond": 99}},
            "Create global secondary index cannot be specified when updating WarmThroughput",
        ),
        ({"TableClass": "STANDARD"}, "TableClass modification must be the only operation in the request"),
    ):
        assert refused(cluster, create, **definitions, **more) == f"ValidationException: {_INVALID}{words}"
    change = {"Update": {"IndexName": "GSI1", "ProvisionedThroughput": units(2, 2)}}
    answer = update(cluster, create, change, **definitions)
    assert states(answer) == {"": "UPDATING", "GSI1": "UPDATING", "GSI2": "CREATING"}
    cluster.settle()
    update(cluster, {"Create": index("GSI3", "PK")}, BillingMode="PAY_PER_REQUEST", **definitions)
    cluster.settle()
    assert states(described(cluster)) == {"": "ACTIVE", "GSI1": "ACTIVE", "GSI2": "ACTIVE", "GSI3": "ACTIVE"}
    empty = cluster.error(
        "UpdateTable", TableName="MyApp", GlobalSecondaryIndexUpdates=[], DeletionProtectionEnabled=True
    )
    assert empty == f"ValidationException: {_INVALID}List of GlobalSecondaryIndexUpdates is empty"


def test_an_index_is_kept_warm(cluster: FakeCluster) -> None:
    cluster.call("CreateTable", **table(**gsi()))
    change = {"Update": {"IndexName": "GSI1", "WarmThroughput": {"ReadUnitsPerSecond": 12_001}}}
    answer = update(cluster, change)
    warm = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000}
    assert states(answer) == {"": "ACTIVE", "GSI1": "ACTIVE"}
    assert by_name(answer)["GSI1"]["WarmThroughput"] == {**warm, "Status": "UPDATING"}
    shown = by_name(described(cluster))["GSI1"]["WarmThroughput"]
    assert shown == {**warm, "ReadUnitsPerSecond": 12_001, "Status": "ACTIVE"}
    change["Update"]["WarmThroughput"] = warm
    assert refused(cluster, change) == (
        f"ValidationException: {_INVALID}Requested ReadUnitsPerSecond for WarmThroughput for index GSI1 is lower than "
        "current WarmThroughput, decreasing WarmThroughput is not supported"
    )


def test_what_may_not_be_done_while_an_index_is_created_or_deleted(cluster: FakeCluster) -> None:
    in_use = "ResourceInUseException: Attempt to change a resource which is still in use: "
    definitions = {"AttributeDefinitions": attributes("PK:S")}
    cluster.call("CreateTable", **table(**gsi()))
    update(cluster, {"Create": index("GSI2", "PK")}, **definitions)
    assert refused(cluster, {"Delete": {"IndexName": "GSI2"}}) == (
        f"{in_use}Index creation is in resource allocation phase. Retry deletion during backfilling phase or when the "
        "index is active. Table: MyApp Index: GSI2"
    )
    cluster.step()
    for another in ({"Create": index("GSI3", "PK")}, {"Delete": {"IndexName": "GSI1"}}):
        assert refused(cluster, another, **definitions).startswith(
            "LimitExceededException: Subscriber limit exceeded"
        )
    unsettled = f"{in_use}Cannot delete table while indexes are being created, updated, or deleted."
    assert cluster.error("DeleteTable", TableName="MyApp") == unsettled
    limit = {"OnDemandThroughput": {"MaxReadRequestUnits": 5}}
    update(cluster, {"Update": {"IndexName": "GSI1", **limit}})
    update(cluster, {"Delete": {"IndexName": "GSI2"}})
    assert cluster.error("DeleteTable", TableName="MyApp") == unsettled
    for change in ({"Update": {"IndexName": "GSI2", **limit}}, {"Delete": {"IndexName": "GSI2"}}):
        words = f"{in_use}Index is being deleted.  Table: MyApp Index: GSI2"
        assert refused(cluster, change) == words
    cluster.settle()
    answer = cluster.call("DeleteTable", TableName="MyApp")
    assert_answer_fits("DeleteTable", answer)
    assert "GlobalSecondaryIndexes" not in answer["TableDescription"]
    assert not cluster.directory.indexes_by_id
