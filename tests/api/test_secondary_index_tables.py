"""Tables with secondary indexes: how they are created, described and changed, and the calls with which infrastructure
tools create them and look for drift."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from kvorum.client import Client as KvorumClient
from kvorum.client import Index
from tests.kit.boto import Client, Tables, refused
from tests.kit.endpoints import Endpoint

DEADLINE_SECONDS = 1_200.0
"""AWS takes minutes to build an index of an empty table."""
POLL_SECONDS = 0.05
"""Between two questions to the endpoint; there is no event to wait for."""
COUNTS = ("ItemCount", "TableSizeBytes", "IndexSizeBytes")
READY = {"ACTIVE"}


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def attributes(**kinds: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def keys(*names: str) -> list[dict[str, str]]:
    """Of a partition key and perhaps a sort key."""
    return [
        {"AttributeName": name, "KeyType": role} for name, role in zip(names, ("HASH", "RANGE"), strict=False)
    ]


def index(name: str, *names: str, projection: str = "ALL", **more: Any) -> dict[str, Any]:
    """`projection`: ALL, KEYS_ONLY, or INCLUDE and the attributes that it includes."""
    kind, *included = projection.split()
    projected: dict[str, Any] = {"ProjectionType": kind}
    if included:
        projected["NonKeyAttributes"] = included
    return {"IndexName": name, "KeySchema": keys(*names), "Projection": projected, **more}


def indexes_of(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["IndexName"]: each for each in description.get("GlobalSecondaryIndexes", [])}


def wait_for(
    client: Client, name: str, settled: Callable[[dict[str, Any]], bool] = lambda table: True
) -> dict[str, Any]:
    """The table once it, its indexes and all their warm throughput are ACTIVE, and `settled` says so: what Terraform's
    provider waits for after each of its updates."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        table: dict[str, Any] = client.describe_table(TableName=name)["Table"]
        indexes = list(indexes_of(table).values())
        statuses = {table["TableStatus"], *(each["IndexStatus"] for each in indexes)}
        warm = {each["WarmThroughput"]["Status"] for each in (table, *indexes)}
        if statuses == warm == READY and settled(table):
            return table
        assert time.monotonic() < deadline, table
        time.sleep(POLL_SECONDS)


def without_counts(described: Any) -> Any:
    if isinstance(described, dict):
        return {name: without_counts(value) for name, value in described.items() if name not in COUNTS}
    return [without_counts(each) for each in described] if isinstance(described, list) else described


def refresh(client: Client, name: str) -> dict[str, Any]:
    """Everything that a plan of Terraform's aws_dynamodb_table compares with the configuration."""
    table = wait_for(client, name)
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    time_to_live = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    tags = client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    return {
        "table": without_counts(table),
        "backups": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "time to live": time_to_live["TimeToLiveStatus"],
        "tags": sorted((tag["Key"], tag["Value"]) for tag in tags),
    }


def test_terraform_plans_nothing_after_an_apply_twice(client: Client, tables: Tables) -> None:
    """aws_dynamodb_table with two global indexes, a local one and tags: create, plan, plan; then an index is taken
    away, one added, one provisioned anew, the billing mode changed, and planned again after each. The second round
    does it all under a name that was used before."""
    name = tables.unused_name()
    defined = {"pk": "S", "sk": "N", "email": "S", "date": "S", "status": "S"}
    for _ in range(2):
        client.create_table(
            TableName=name,
            BillingMode="PROVISIONED",
            ProvisionedThroughput=units(2, 2),
            AttributeDefinitions=attributes(**defined),
            KeySchema=keys("pk", "sk"),
            LocalSecondaryIndexes=[index("byDate", "pk", "date", projection="INCLUDE note")],
            GlobalSecondaryIndexes=[
                index("byEmail", "email", projection="KEYS_ONLY", ProvisionedThroughput=units(1, 1)),
                index("byStatus", "status", "date", ProvisionedThroughput=units(1, 1)),
            ],
            Tags=[{"Key": "Environment", "Value": "test"}],
        )
        created = refresh(client, name)
        assert refresh(client, name) == created == refresh(client, name)
        assert indexes_of(created["table"]).keys() == {"byEmail", "byStatus"}
        assert created["table"]["LocalSecondaryIndexes"][0]["Projection"]["NonKeyAttributes"] == ["note"]

        client.update_table(
            TableName=name,
            AttributeDefinitions=attributes(**defined),
            GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "byEmail"}}],
        )
        wait_for(client, name, lambda table: "byEmail" not in indexes_of(table))
        smaller = refresh(client, name)
        assert smaller == refresh(client, name)
        assert indexes_of(smaller["table"]) == {"byStatus": indexes_of(created["table"])["byStatus"]}

        wider = {**defined, "city": "S"}
        del wider["email"]
        client.update_table(
            TableName=name,
            AttributeDefinitions=attributes(**wider),
            GlobalSecondaryIndexUpdates=[
                {"Create": index("byCity", "city", "sk", ProvisionedThroughput=units(1, 1))}
            ],
        )
        wait_for(client, name, lambda table: "byCity" in indexes_of(table))
        added = refresh(client, name)
        assert added == refresh(client, name)
        described = added["table"]["AttributeDefinitions"]
        assert sorted(map(str, described)) == sorted(map(str, attributes(**wider)))
        assert added["table"]["LocalSecondaryIndexes"] == created["table"]["LocalSecondaryIndexes"]

        change = {"Update": {"IndexName": "byCity", "ProvisionedThroughput": units(3, 1)}}
        client.update_table(TableName=name, GlobalSecondaryIndexUpdates=[change])
        raised = refresh(client, name)
        assert raised == refresh(client, name)
        assert indexes_of(raised["table"])["byCity"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
        assert indexes_of(raised["table"])["byStatus"] == indexes_of(added["table"])["byStatus"]

        client.update_table(TableName=name, BillingMode="PAY_PER_REQUEST")
        on_demand = refresh(client, name)
        assert on_demand == refresh(client, name)
        for each in (on_demand["table"], *indexes_of(on_demand["table"]).values()):
            assert each["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
        for same in ("TableId", "TableArn", "CreationDateTime", "KeySchema"):
            assert on_demand["table"][same] == created["table"][same]
        assert on_demand["tags"] == created["tags"] == [("Environment", "test")]
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)


def stack_reads(client: Client, name: str) -> dict[str, Any]:
    """What the read handler of AWS::DynamoDB::Table asks. It takes a table without a policy for one, too."""
    table = client.describe_table(TableName=name)["Table"]
    arn = table["TableArn"]
    answers = {
        "backups": client.describe_continuous_backups(TableName=name),
        "time to live": client.describe_time_to_live(TableName=name),
        "insights": client.describe_contributor_insights(TableName=name),
        "kinesis": client.describe_kinesis_streaming_destination(TableName=name),
        "tags": client.list_tags_of_resource(ResourceArn=arn),
    }
    for each in indexes_of(table):
        answers[each] = client.describe_contributor_insights(TableName=name, IndexName=each)
    refused(client.get_resource_policy, "PolicyNotFoundException", ResourceArn=arn)
    for answer in answers.values():
        del answer["ResponseMetadata"]
    return {"table": without_counts(table), **answers}


def test_cloudformation_creates_updates_and_finds_it_so_twice(client: Client, tables: Tables) -> None:
    """A stack with two global indexes on demand; its update takes one away and adds another, one request each."""
    name = tables.unused_name()
    for _ in range(2):
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=attributes(PK="S", SK="S", GSI1PK="S", GSI1SK="S", GSI2PK="S"),
            KeySchema=keys("PK", "SK"),
            GlobalSecondaryIndexes=[
                index("GSI1", "GSI1PK", "GSI1SK"),
                index("GSI2", "GSI2PK", projection="KEYS_ONLY"),
            ],
            Tags=[{"Key": "aws-cloudformation-like", "Value": "yes"}],
        )
        wait_for(client, name)
        created = stack_reads(client, name)
        assert stack_reads(client, name) == created
        assert created["GSI1"]["ContributorInsightsStatus"] == "DISABLED"
        client.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "GSI2"}}])
        wait_for(client, name, lambda table: "GSI2" not in indexes_of(table))
        client.update_table(
            TableName=name,
            AttributeDefinitions=attributes(PK="S", SK="S", GSI1PK="S", GSI1SK="S", Score="N"),
            GlobalSecondaryIndexUpdates=[{"Create": index("Scores", "GSI1PK", "Score")}],
        )
        wait_for(client, name, lambda table: "Scores" in indexes_of(table))
        updated = stack_reads(client, name)
        assert stack_reads(client, name) == updated
        assert indexes_of(updated["table"]).keys() == {"GSI1", "Scores"}
        assert indexes_of(updated["table"])["GSI1"] == indexes_of(created["table"])["GSI1"]
        for same in (
            "TableId",
            "TableArn",
            "CreationDateTime",
            "BillingModeSummary",
            "ProvisionedThroughput",
        ):
            assert updated["table"][same] == created["table"][same]
        client.delete_table(TableName=name)
        client.get_waiter("table_not_exists").wait(TableName=name)


@pytest.fixture
def forum(client: Client, tables: Tables) -> str:
    """A table on demand with one index of each kind."""
    name = tables.unused_name()
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attributes(pk="S", sk="S", date="N", author="S"),
        KeySchema=keys("pk", "sk"),
        LocalSecondaryIndexes=[index("byDate", "pk", "date")],
        GlobalSecondaryIndexes=[index("byAuthor", "author", "date", projection="KEYS_ONLY")],
    )
    wait_for(client, name)
    return name


def test_the_answers_say_what_has_begun(client: Client, forum: str, tables: Tables) -> None:
    other = tables.unused_name()
    created = client.create_table(
        TableName=other,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attributes(pk="S", a="S"),
        KeySchema=keys("pk"),
        GlobalSecondaryIndexes=[index("one", "a")],
    )["TableDescription"]
    (shown,) = created["GlobalSecondaryIndexes"]
    assert (created["TableStatus"], shown["IndexStatus"]) == ("CREATING", "CREATING")
    assert shown["IndexArn"] == f"{created['TableArn']}/index/one"
    assert "Backfilling" not in shown
    assert shown["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    begun = client.update_table(
        TableName=forum,
        AttributeDefinitions=attributes(tag="S"),
        GlobalSecondaryIndexUpdates=[{"Create": index("byTag", "tag")}],
    )["TableDescription"]
    assert begun["TableStatus"] == "UPDATING"
    assert indexes_of(begun)["byTag"]["IndexStatus"] == "CREATING"
    assert indexes_of(begun)["byTag"]["Backfilling"] is False
    assert indexes_of(begun)["byAuthor"]["IndexStatus"] == "ACTIVE"
    table = wait_for(client, forum, lambda table: "byTag" in indexes_of(table))
    assert "Backfilling" not in indexes_of(table)["byTag"]
    begun = client.update_table(
        TableName=forum, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "byTag"}}]
    )["TableDescription"]
    assert begun["TableStatus"] == "UPDATING"
    assert indexes_of(begun)["byTag"]["IndexStatus"] == "DELETING"
    table = wait_for(client, forum, lambda table: "byTag" not in indexes_of(table))
    assert {each["AttributeName"] for each in table["AttributeDefinitions"]} == {"pk", "sk", "date", "author"}


def test_indexes_are_refused_in_awss_words(client: Client, forum: str) -> None:
    def update(*updates: dict[str, Any], code: str = "ValidationException") -> str:
        return refused(
            client.update_table,
            code,
            TableName=forum,
            AttributeDefinitions=attributes(sk="S", author="S"),
            GlobalSecondaryIndexUpdates=list(updates),
        )

    two = [{"Create": index("one", "sk")}, {"Create": index("two", "sk")}]
    assert update(*two, code="LimitExceededException") == (
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
    )
    assert (
        update({"Create": index("byAuthor", "author")})
        == "Attempting to create an index which already exists"
    )
    assert "Some index key attributes are not defined" in update({"Create": index("unknown", "other")})
    message = update({"Delete": {"IndexName": "none"}}, code="ResourceNotFoundException")
    assert message == f"Requested resource not found: Index none for table {forum}"
    message = update({"Delete": {"IndexName": "byDate"}})
    assert message == "Cannot delete an index that is not a GlobalSecondaryIndex: byDate"
    message = refused(
        client.update_table,
        "ValidationException",
        TableName=forum,
        GlobalSecondaryIndexUpdates=[{"Create": index("one", "sk")}],
    )
    assert message.endswith("AttributeDefinitions is not specified for index: one")
    back = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(1, 1)}
    assert refused(client.update_table, "ValidationException", TableName=forum, **back) == (
        "One or more parameter values were invalid: ProvisionedThroughput must be specified for index: byAuthor"
    )


def test_counts_of_indexes_are_live(client: Client, kvorum: Endpoint, forum: str) -> None:
    """And an index that is added later holds what was there before it."""
    for number in range(6):
        item = {"pk": {"S": "a"}, "sk": {"S": str(number)}, "date": {"N": "7"}, "tag": {"S": "t"}}
        if number % 2:
            item["author"] = {"S": "me"}
        client.put_item(TableName=forum, Item=item)
    client.update_table(
        TableName=forum,
        AttributeDefinitions=attributes(tag="S"),
        GlobalSecondaryIndexUpdates=[{"Create": index("byTag", "tag", projection="INCLUDE author")}],
    )
    table = wait_for(
        client,
        forum,
        lambda table: "byTag" in indexes_of(table) and indexes_of(table)["byAuthor"]["ItemCount"] == 3,
    )
    everywhere, (local,) = indexes_of(table), table["LocalSecondaryIndexes"]
    assert (table["ItemCount"], local["ItemCount"], everywhere["byTag"]["ItemCount"]) == (6, 6, 6)
    of_author = 2 + 1 + 2 + 1 + 4 + 2 + 6 + 2  # pk, sk, date, author: names and values
    assert everywhere["byAuthor"]["IndexSizeBytes"] == 3 * of_author
    assert local["IndexSizeBytes"] == table["TableSizeBytes"]


def test_the_other_door_creates_indexes_too(client: Client, kvorum: Endpoint, tables: Tables) -> None:
    if not kvorum.grpc:
        pytest.skip("only the HTTP address is known")
    name = tables.unused_name()
    indexes = {
        "byDate": Index({"pk": "S", "date": "N"}, projection=["note"], local=True),
        "byAuthor": Index({"author": "B"}, projection="KEYS_ONLY"),
    }
    with KvorumClient(kvorum.grpc) as own:
        own.create_table(name, {"pk": "S", "sk": "S"}, indexes=indexes)
        wait_for(client, name)
        described = {each.name: each for each in own.describe_table(name).indexes}
    assert {each.name: (each.key, each.local) for each in described.values()} == {
        "byDate": ({"pk": "S", "date": "N"}, True),
        "byAuthor": ({"author": "B"}, False),
    }
    assert described["byAuthor"].status == "ACTIVE"
