"""UpdateTable: one change to a table's settings. It takes effect at once; the answer says UPDATING where AWS's does,
and shows throughput as it was, as AWS's does.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

from typing import Any

import orjson

from kvorum.control.state import UpdateTable
from kvorum.model import errors, throughput
from kvorum.model.table import Table, TableStatus
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.describe import STREAM_LABEL, Description, encryption_key, stream_label
from kvorum.router.operations import index_updates, table_settings
from kvorum.router.operations.tables import existing_table, live_description, refuse_unserved

REQUEST = service_model.request("UpdateTable")

_NOT_SERVED = {
    "ReplicaUpdates": "updates of a table's regions",
    "GlobalTableWitnessUpdates": "witness regions",
    "MultiRegionConsistency": "a choice of consistency between regions",
    "GlobalTableSettingsReplicationMode": "a choice of which settings regions share",
    "DisassociationProtectionEnabled": "protection of a table's regions",
    "VectorIndexUpdates": "vector indexes",
}

_ALONE = {
    "SSESpecification": "Server-Side Encryption modification",
    "TableClass": "TableClass modification",
    "DeletionProtectionEnabled": "DeletionProtection modification",
    "WarmThroughput": "WarmThroughput",
}
"""What goes with nothing else in one request, in the order in which AWS complains of it."""

_CHANGES = (
    *_ALONE,
    "BillingMode",
    "ProvisionedThroughput",
    "StreamSpecification",
    "OnDemandThroughput",
    index_updates.MEMBER,
)
_INDEXES = "GlobalSecondaryIndexes"
_THROUGHPUT = ("BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")
_UPDATING = ("BillingMode", "ProvisionedThroughput", "StreamSpecification", "TableClass")
"""Changes during which AWS's table is UPDATING; at the others it is ACTIVE all the time."""

_NOTHING = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, "
    "SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, "
    "DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required"
)


async def run(body: Body, cluster: Cluster) -> bytes:
    raw = body
    body = REQUEST.examine(body)  # what is kept must hold no unknown members
    refuse_unserved(raw, _NOT_SERVED)
    changes = {member: body[member] for member in _CHANGES if body.get(member) is not None}
    for member in ("OnDemandThroughput", "WarmThroughput"):
        if changes.get(member) == {}:
            del changes[member]
    if changes == {index_updates.MEMBER: []}:
        changes.clear()
    if not changes:
        raise errors.validation(_NOTHING)
    throughput.check_units(changes.get("ProvisionedThroughput"))
    indexes = index_updates.read(changes)
    _check_together(changes, online=indexes.online)
    _check_stream(changes.get("StreamSpecification"))
    table_settings.check_encryption(changes.get("SSESpecification"))
    table_settings.check_table_class(changes.get("TableClass"))
    table = existing_table(body["TableName"], cluster, REQUEST.operation)
    if table.status is TableStatus.CREATING:
        raise errors.being_created(table.name)
    asked_ms = cluster.now_ms()
    before = await live_description(table, cluster)
    now_ms = max(asked_ms + 1, cluster.now_ms())
    update_uuid = cluster.new_uuid()
    settings = _settings(table, changes, now_ms, cluster)
    settings.update(indexes.settings(table, body, update_uuid, now_ms))
    if settings:
        await cluster.propose(
            UpdateTable(
                name=table.name,
                settings=settings,
                updated_ms=asked_ms,
                table_uuid=table.uuid,
                update_uuid=update_uuid,
            )
        )
        table = existing_table(table.name, cluster, REQUEST.operation)
    after = await live_description(table, cluster)
    shown = _begun(changes, before, after, asked_ms)
    if indexes.online:
        shown["TableStatus"] = TableStatus.UPDATING.name
    described = indexes.begun(
        before.get(_INDEXES, []), after.get(_INDEXES, []), switched=_mode(before) != _mode(after)
    )
    if described:
        shown[_INDEXES] = described
    return orjson.dumps({"TableDescription": shown})


def _mode(description: Description) -> str:
    mode: str = description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    return mode


def _check_together(changes: dict[str, Any], *, online: bool) -> None:
    """AWS takes one change at a time, but for a few pairs. `online`: an index is created or deleted."""
    if online and "WarmThroughput" in changes:
        raise errors.invalid("Create global secondary index cannot be specified when updating WarmThroughput")
    for member, words in _ALONE.items() if len(changes) > 1 else ():
        if member in changes:
            raise errors.invalid(f"{words} must be the only operation in the request")
    if "OnDemandThroughput" in changes and changes.keys() - {"OnDemandThroughput", "BillingMode"}:
        raise errors.invalid(
            "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request"
        )
    if online and "ProvisionedThroughput" in changes:
        raise errors.invalid("You cannot create or delete index while updating table IOPS")
    if online and "StreamSpecification" in changes:
        raise errors.invalid("You cannot create or delete index while changing stream status")
    if "StreamSpecification" in changes and (
        "ProvisionedThroughput" in changes or changes.get("BillingMode") == "PROVISIONED"
    ):
        raise errors.invalid("You cannot modify stream status while updating table IOPS")


def _check_stream(stream: dict[str, Any] | None) -> None:
    if stream is None:
        return
    if stream["StreamEnabled"] and "StreamViewType" not in stream:
        raise errors.invalid("If stream is being enabled then UpdateViewType is required")
    if not stream["StreamEnabled"] and "StreamViewType" in stream:
        raise errors.invalid("If stream is being disabled, then UpdateViewType must not be specified")


def _settings(table: Table, changes: dict[str, Any], now_ms: int, cluster: Cluster) -> dict[str, Any]:
    """What becomes of the table's definition: members to set, or None to take one away; empty when it stays as it
    is. Raises ValidationException or LimitExceededException."""
    definition = table.definition
    settings: dict[str, Any] = {}
    if not changes.keys().isdisjoint(_THROUGHPUT):
        changed = throughput.change(definition, table.created_ms, changes, now_ms)
        if changed != definition:
            settings.update({member: changed.get(member) for member in throughput.MEMBERS})
    if "StreamSpecification" in changes:
        settings["StreamSpecification"] = stream = _stream(table, changes["StreamSpecification"])
        if stream is not None:
            settings[STREAM_LABEL] = stream_label(now_ms)
    if "SSESpecification" in changes:
        settings["SSESpecification"] = _encryption(definition, changes["SSESpecification"], cluster)
    if "TableClass" in changes and changes["TableClass"] != definition.get("TableClass", "STANDARD"):
        settings["TableClass"] = changes["TableClass"]
        settings["TableClassUpdatedDateTime"] = now_ms / 1000
    if "DeletionProtectionEnabled" in changes:
        settings["DeletionProtectionEnabled"] = changes["DeletionProtectionEnabled"]
    return settings


def _stream(table: Table, wanted: dict[str, Any]) -> dict[str, Any] | None:
    enabled = table.definition.get("StreamSpecification", {}).get("StreamEnabled", False)
    if wanted["StreamEnabled"] and enabled:
        raise errors.validation(f"Table already has an enabled stream: TableName: {table.name}")
    if not wanted["StreamEnabled"] and not enabled:
        raise errors.validation(f"Table has no stream to disable: TableName: {table.name}")
    return wanted if wanted["StreamEnabled"] else None


def _encryption(
    definition: dict[str, Any], wanted: dict[str, Any], cluster: Cluster
) -> dict[str, Any] | None:
    current: dict[str, Any] = definition.get("SSESpecification", {})
    if not wanted.get("Enabled", "SSEType" in wanted):
        if not current.get("Enabled"):
            raise errors.invalid("Table is already encrypted by default")
        return None
    wanted = {**wanted, "Enabled": True}
    if current.get("Enabled") and "KMSMasterKeyId" in wanted:
        keys = [encryption_key(each, cluster.region, cluster.account) for each in (current, wanted)]
        if keys[0] == keys[1]:
            raise errors.invalid(
                "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter "
                "if you want to change Master Key"
            )
    return wanted


def _begun(changes: dict[str, Any], before: Description, after: Description, asked_ms: int) -> Description:
    """The table at the moment when AWS has only begun with the changes."""
    shown = dict(after)
    if any(member in changes for member in _UPDATING):
        shown["TableStatus"] = TableStatus.UPDATING.name
    if "ProvisionedThroughput" in changes and "BillingMode" not in changes:
        shown["ProvisionedThroughput"] = dict(before["ProvisionedThroughput"])
        for moment in ("LastIncreaseDateTime", "LastDecreaseDateTime"):
            if after["ProvisionedThroughput"].get(moment) != before["ProvisionedThroughput"].get(moment):
                shown["ProvisionedThroughput"][moment] = asked_ms / 1000
    if _mode(before) != _mode(after):
        shown["BillingModeSummary"] = {**before.get("BillingModeSummary", {}), "BillingMode": _mode(after)}
    if "WarmThroughput" in changes:
        shown["WarmThroughput"] = {**before["WarmThroughput"], "Status": "UPDATING"}
    if "SSESpecification" in changes:
        encryption = after.get("SSEDescription") or before.get("SSEDescription", {})
        shown["SSEDescription"] = {**encryption, "Status": "UPDATING"}
    return shown
