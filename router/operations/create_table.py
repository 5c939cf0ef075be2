"""CreateTable: a table, its partitions and their replicas.

Answers CREATING, once the table is ready where that comes soon: a waiter's first DescribeTable then finds it
ACTIVE. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
"""

from __future__ import annotations

from typing import Any

from kvorum.control.state import CreateTable
from kvorum.model import definitions, errors
from kvorum.model.index_definitions import LOCAL_INDEXES, global_member, key_names
from kvorum.model.table import KeySchema, TableStatus
from kvorum.model.throughput import check_limits, check_units
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.describe import STREAM_LABEL, stream_label
from kvorum.router.operations import table_settings, tags
from kvorum.router.operations.table_arns import table_name
from kvorum.router.operations.tables import (
    TOLD_TIMEOUT_SECONDS,
    described_empty,
    existing_table,
    refuse_unserved,
)

READY_TIMEOUT_SECONDS = 10.0
"""How long an answer waits for the table: long enough for elections, short enough for every SDK."""

REQUEST = service_model.request("CreateTable")

_NOT_SERVED = {
    "VectorIndexes": "vector indexes",
    "ResourcePolicy": "resource policies",
    "GlobalTableSourceArn": "copies of another account's tables",
}

_KEPT = (
    "AttributeDefinitions",
    "KeySchema",
    LOCAL_INDEXES,
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
    raw = body
    body = REQUEST.examine(body)  # what is kept must hold no unknown members
    _check_billing(body)
    refuse_unserved(raw, _NOT_SERVED)
    schema = _check_keys(body)
    _check_stream(body)
    table_settings.check_encryption(body.get("SSESpecification"))
    table_settings.check_table_class(body.get("TableClass"))
    tags.check_tags(body.get("Tags", []))
    name = table_name(body["TableName"], cluster.directory, REQUEST.operation)
    regions, now_ms = cluster.table_regions, cluster.now_ms()
    await cluster.propose(
        CreateTable(
            name=name,
            keys=schema,
            table_uuid=cluster.new_uuid(),
            created_ms=now_ms,
            global_id=cluster.new_uuid() if regions else "",
            regions=regions,
            definition=_definition(body, now_ms),
            partitions=cluster.initial_partitions,
        )
    )
    table = existing_table(name, cluster, REQUEST.operation)
    await cluster.wait_active(table.id, READY_TIMEOUT_SECONDS)
    if table.global_id:
        await cluster.wait_told(table.global_id, TOLD_TIMEOUT_SECONDS)
    return described_empty(table, cluster, TableStatus.CREATING)


def _definition(body: Body, now_ms: int) -> dict[str, Any]:
    definition: dict[str, Any] = {member: body[member] for member in _KEPT if member in body}
    definition["BillingMode"] = body.get("BillingMode", "PROVISIONED")
    if body.get("StreamSpecification", {}).get("StreamEnabled"):
        definition[STREAM_LABEL] = stream_label(now_ms)
    for index in body.get("GlobalSecondaryIndexes", ()):
        own = set(key_names(index["KeySchema"]))
        kinds = [each for each in body["AttributeDefinitions"] if each["AttributeName"] in own]
        definition[global_member(index["IndexName"])] = {**index, "AttributeDefinitions": kinds}
    return definition


def _check_keys(body: Body) -> KeySchema:
    """The keys of the table and of its indexes."""
    local, everywhere = body.get("LocalSecondaryIndexes"), body.get("GlobalSecondaryIndexes")
    indexed = local is not None or everywhere is not None
    on_demand = body.get("BillingMode") == "PAY_PER_REQUEST"
    kinds = definitions.attribute_kinds(body["AttributeDefinitions"])
    schema = definitions.key_schema(kinds, body["KeySchema"], indexed=indexed)
    definitions.check_indexes(local, everywhere, schema, kinds, on_demand=on_demand)
    return schema


def _check_billing(body: Body) -> None:
    throughput: dict[str, int] | None = body.get("ProvisionedThroughput")
    on_demand = body.get("BillingMode") == "PAY_PER_REQUEST"
    if on_demand and throughput is not None:
        raise errors.invalid(
            "Neither ReadCapacityUnits nor "
            "WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    if not on_demand and throughput is None:
        raise errors.invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    check_units(throughput)
    check_limits(body, on_demand=on_demand)


def _check_stream(body: Body) -> None:
    stream: dict[str, Any] | None = body.get("StreamSpecification")
    if stream is None:
        return
    if stream["StreamEnabled"] and "StreamViewType" not in stream:
        raise errors.invalid("Table is being created with a stream enabled, UpdateViewType is required")
    if not stream["StreamEnabled"] and "StreamViewType" in stream:
        raise errors.invalid(
            "Table is being created with a stream disabled, UpdateViewType should not be specified"
        )
