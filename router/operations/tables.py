"""What the operations on tables have in common: the table by its name, and TableDescription as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from kvorum.model import errors
from kvorum.model.index_definitions import global_specifications
from kvorum.model.table import IndexStatus, Table, TableStatus
from kvorum.router.calls import Cluster
from kvorum.router.describe import Count, Description, describe
from kvorum.router.operations.arguments import IN_USE
from kvorum.router.operations.table_arns import table_name

TOLD_TIMEOUT_SECONDS = 1.0
"""A global table's birth or end is answered when the peer regions know of it, so that a program may go on in any
region; a region that cannot be reached holds it up for no longer than this."""

_NOT_OF_DELETED = (
    "AttributeDefinitions",
    "CreationDateTime",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
)
"""Source: scylladb/scylladb test/alternator/test_table.py, whose tests run against AWS too."""


def existing_table(text: str, cluster: Cluster, operation: str) -> Table:
    """The table by its name or ARN, whatever its status. Raises ResourceNotFoundException, and what
    table_arns.table_name does."""
    name = table_name(text, cluster.directory, operation)
    table = cluster.directory.tables.get(name)
    if table is None:
        raise errors.resource_not_found(f"Requested resource not found: Table: {name} not found")
    return table


def refuse_unserved(body: dict[str, Any], not_served: dict[str, str]) -> None:
    """A table without what its owner wanted of it would be worse than none. `not_served`: member -> thing."""
    for member, thing in not_served.items():
        if body.get(member):
            raise errors.validation(f"Kvorum does not serve {thing} yet")


async def live_description(table: Table, cluster: Cluster) -> Description:
    """The table as it stands, with live counts where it serves items."""
    counts: dict[int, Count] = {}
    if table.status in IN_USE:
        indexes = [index for index in table.indexes if index.status is IndexStatus.ACTIVE]
        asked = await asyncio.gather(
            cluster.statistics(table), *(cluster.statistics(table, index) for index in indexes)
        )
        ids = (table.id, *(index.id for index in indexes))
        counts = {each: Count(live.items, live.bytes) for each, live in zip(ids, asked, strict=True)}
    return describe(
        table, region=cluster.region, account=cluster.account, now_ms=cluster.now_ms(), counts=counts
    )


def described_empty(table: Table, cluster: Cluster, status: TableStatus) -> bytes:
    """The answer that its creation or deletion has begun: AWS counts nothing then, and of a table that is being
    deleted it no longer says what it was made of."""
    description = describe(
        table,
        region=cluster.region,
        account=cluster.account,
        now_ms=cluster.now_ms(),
        counts={},
        status=status,
    )
    if status is TableStatus.DELETING:
        for member in _NOT_OF_DELETED:
            description.pop(member, None)
    else:
        _show_warming(description, table.definition)
        # Since when a table is on demand AWS says only when it is.
        description.get("BillingModeSummary", {}).pop("LastUpdateToPayPerRequestDateTime", None)
    specifications = global_specifications(table.definition)
    for index in description.get("GlobalSecondaryIndexes", ()):
        index["IndexStatus"] = status.name
        _show_warming(index, specifications.get(index["IndexName"], {}))
    return orjson.dumps({"TableDescription": description})


def _show_warming(description: Description, definition: Mapping[str, Any]) -> None:
    """Of a table or an index that begins: AWS shows only a warm throughput that was asked for, as not yet reached.
    Source: scylladb/scylladb test/alternator/test_provisioned_throughput.py and test_warm_throughput.py."""
    if definition.get("WarmThroughput"):
        description["WarmThroughput"]["Status"] = "UPDATING"
    else:
        del description["WarmThroughput"]
