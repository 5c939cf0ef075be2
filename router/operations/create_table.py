"""CreateTable: a table, its partitions and their replicas.

Answers CREATING, once the table is ready where that comes soon: a waiter's first DescribeTable then finds it
ACTIVE. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

from __future__ import annotations

from typing import Any

from kvorum.control.state import CreateTable
from kvorum.model import definitions, errors
from kvorum.model.table import TableStatus
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import members
from kvorum.router.operations.tables import described, existing_table
from kvorum.router.shapes import (
    Flag,
    ListOf,
    Request,
    Structure,
    Text,
    Whole,
    required,
    required_parameter,
)

READY_TIMEOUT_SECONDS = 10.0
"""How long an answer waits for the table: long enough for elections, short enough for every SDK."""

TAGS_MAX = 50
CAPACITY_UNITS_MAX = 1_000_000_000_000

_CAPACITY_UNITS = Whole("Long", least=1)
_THROUGHPUT = Structure(
    "ProvisionedThroughput",
    {
        "WriteCapacityUnits": required(_CAPACITY_UNITS),
        "ReadCapacityUnits": required(_CAPACITY_UNITS),
    },
)
_ON_DEMAND_THROUGHPUT = Structure(
    "OnDemandThroughput",
    {"MaxReadRequestUnits": Whole("Long"), "MaxWriteRequestUnits": Whole("Long")},
)
_WARM_THROUGHPUT = Structure(
    "WarmThroughput",
    {"ReadUnitsPerSecond": Whole("Long"), "WriteUnitsPerSecond": Whole("Long")},
)
_KEY_ATTRIBUTE = Text(1, 255)
_KEY_SCHEMA = ListOf(
    Structure(
        "KeySchemaElement",
        {"AttributeName": required(_KEY_ATTRIBUTE), "KeyType": required(Text(values=("HASH", "RANGE")))},
    ),
    1,
    2,
)
_PROJECTION = Structure(
    "Projection",
    {
        "ProjectionType": Text(values=("ALL", "INCLUDE", "KEYS_ONLY")),
        "NonKeyAttributes": ListOf(Text(1, 255), 1, 20),
    },
)
_INDEX = {
    "IndexName": required(members.NAME),
    "KeySchema": required(_KEY_SCHEMA),
    "Projection": required(_PROJECTION),
}

REQUEST = Request(
    Structure(
        "CreateTableInput",
        {
            "AttributeDefinitions": required(
                ListOf(
                    Structure(
                        "AttributeDefinition",
                        {
                            "AttributeName": required(_KEY_ATTRIBUTE),
                            "AttributeType": required(Text(values=("B", "N", "S"))),
                        },
                    )
                )
            ),
            "TableName": required_parameter(members.NAME),
            "BillingMode": Text(values=("PROVISIONED", "PAY_PER_REQUEST")),
            "ProvisionedThroughput": _THROUGHPUT,
            "KeySchema": required(_KEY_SCHEMA),
            "LocalSecondaryIndexes": ListOf(Structure("LocalSecondaryIndex", _INDEX)),
            "GlobalSecondaryIndexes": ListOf(
                Structure(
                    "GlobalSecondaryIndex",
                    {
                        **_INDEX,
                        "ProvisionedThroughput": _THROUGHPUT,
                        "OnDemandThroughput": _ON_DEMAND_THROUGHPUT,
                        "WarmThroughput": _WARM_THROUGHPUT,
                    },
                )
            ),
            "StreamSpecification": Structure(
                "StreamSpecification",
                {
                    "StreamEnabled": required(Flag()),
                    "StreamViewType": Text(
                        values=("NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY")
                    ),
                },
            ),
            "SSESpecification": Structure(
                "SSESpecification",
                {
                    "Enabled": Flag(),
                    "SSEType": Text(values=("AES256", "KMS")),
                    "KMSMasterKeyId": Text(),
                },
            ),
            "Tags": ListOf(
                Structure("Tag", {"Key": required(Text(1, 128)), "Value": required(Text(0, 256))})
            ),
            "TableClass": Text(values=("STANDARD", "STANDARD_INFREQUENT_ACCESS")),
            "DeletionProtectionEnabled": Flag(),
            "WarmThroughput": _WARM_THROUGHPUT,
            "ResourcePolicy": Text(),
            "OnDemandThroughput": _ON_DEMAND_THROUGHPUT,
        },
    )
)

_NOT_SERVED = {
    "LocalSecondaryIndexes": "secondary indexes",
    "GlobalSecondaryIndexes": "secondary indexes",
    "VectorIndexes": "vector indexes",
    "ResourcePolicy": "resource policies",
    "GlobalTableSourceArn": "copies of another account's tables",
}
"""A table without what its maker wanted of it would be worse than none."""

_KEPT = (
    "AttributeDefinitions",
    "KeySchema",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "WarmThroughput",
    "StreamSpecification",
    "SSESpecification",
    "Tags",
    "TableClass",
    "DeletionProtectionEnabled",
)


async def run(body: Body, cluster: Cluster) -> bytes:
    wanted = [thing for member, thing in _NOT_SERVED.items() if body.get(member)]
    body = REQUEST.examine(body)  # what is kept must hold no unknown members
    _check_billing(body)
    if wanted:
        raise errors.validation(f"Kvorum does not serve {wanted[0]} yet")
    schema = definitions.key_schema(body["AttributeDefinitions"], body["KeySchema"])
    _check_stream(body)
    _check_tags(body)
    name: str = body["TableName"]
    regions = cluster.table_regions
    await cluster.propose(
        CreateTable(
            name=name,
            keys=schema,
            table_uuid=cluster.new_uuid(),
            created_ms=cluster.now_ms(),
            global_id=cluster.new_uuid() if regions else "",
            regions=regions,
            definition=_definition(body),
            partitions=cluster.initial_partitions,
        )
    )
    table = existing_table(name, cluster)
    await cluster.wait_active(table.id, READY_TIMEOUT_SECONDS)
    return await described("TableDescription", table, cluster, status=TableStatus.CREATING)


def _definition(body: Body) -> dict[str, Any]:
    definition: dict[str, Any] = {member: body[member] for member in _KEPT if member in body}
    definition["BillingMode"] = body.get("BillingMode", "PROVISIONED")
    return definition


def _check_billing(body: Body) -> None:
    throughput: dict[str, int] | None = body.get("ProvisionedThroughput")
    if body.get("BillingMode") == "PAY_PER_REQUEST":
        if throughput is not None:
            raise errors.validation(
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
                "WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        return
    if throughput is None:
        raise errors.validation(
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits "
            "must both be specified when BillingMode is PROVISIONED"
        )
    for member in ("ReadCapacityUnits", "WriteCapacityUnits"):
        if throughput[member] > CAPACITY_UNITS_MAX:
            raise errors.validation(f"Given value {throughput[member]} for {member} is out of bounds")


def _check_stream(body: Body) -> None:
    stream: dict[str, Any] | None = body.get("StreamSpecification")
    if stream is None:
        return
    if stream["StreamEnabled"] and "StreamViewType" not in stream:
        raise errors.validation(
            "One or more parameter values were invalid: StreamSpecification.StreamViewType is required "
            "when StreamSpecification.StreamEnabled is true"
        )
    if not stream["StreamEnabled"] and "StreamViewType" in stream:
        raise errors.validation(
            "One or more parameter values were invalid: StreamSpecification.StreamViewType should not be "
            "specified when StreamSpecification.StreamEnabled is false"
        )


def _check_tags(body: Body) -> None:
    tags: list[dict[str, str]] = body.get("Tags", [])
    if len(tags) > TAGS_MAX:
        raise errors.validation(f"One or more parameter values were invalid: Too many tags: {len(tags)}")
    if len({tag["Key"] for tag in tags}) != len(tags):
        raise errors.validation(
            "One or more parameter values were invalid: Duplicate tag keys are not allowed"
        )
