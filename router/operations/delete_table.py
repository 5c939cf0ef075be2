"""DeleteTable: a table and all its items. Answers DELETING at once; the name is free when it no longer shows.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html
"""

from __future__ import annotations

from kvorum.control.state import DeleteTable
from kvorum.model import errors
from kvorum.model.table import TableStatus
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations.tables import TOLD_TIMEOUT_SECONDS, described_empty, existing_table

REQUEST = service_model.request("DeleteTable")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    table = existing_table(body["TableName"], cluster, REQUEST.operation)
    if table.status is TableStatus.CREATING:
        raise errors.being_created(table.name)
    if table.definition.get("DeletionProtectionEnabled"):
        raise errors.deletion_protected()
    await cluster.propose(DeleteTable(name=table.name))
    if table.global_id:
        await cluster.wait_told(table.global_id, TOLD_TIMEOUT_SECONDS)
    return described_empty(table, cluster, TableStatus.DELETING)
