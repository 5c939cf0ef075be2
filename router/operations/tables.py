"""What the operations on tables have in common: the table by its name, and TableDescription as an answer."""

from __future__ import annotations

import orjson

from kvorum.model import errors
from kvorum.model.table import Table, TableStatus
from kvorum.router.calls import Cluster
from kvorum.router.describe import describe
from kvorum.router.operations.arguments import IN_USE, table_name


def existing_table(text: str, cluster: Cluster) -> Table:
    """The table by its name or ARN, whatever its status. Raises ResourceNotFoundException."""
    name = table_name(text)
    table = cluster.directory.tables.get(name)
    if table is None:
        raise errors.resource_not_found(f"Requested resource not found: Table: {name} not found")
    return table


async def described(
    member: str, table: Table, cluster: Cluster, *, status: TableStatus | None = None
) -> bytes:
    """An answer whose only member is the table's description with live counts; `status` overrides its own."""
    items = size = 0
    if status is None and table.status in IN_USE:
        live = await cluster.statistics(table)
        items, size = live.items, live.bytes
    description = describe(
        table, region=cluster.region, account=cluster.account, items=items, size=size, status=status
    )
    return orjson.dumps({member: description})
