"""TableDescription: a table's descriptor as CreateTable, DescribeTable, UpdateTable and DeleteTable show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from kvorum.model import throughput
from kvorum.model.index_definitions import (
    Specification,
    global_specifications,
    index_of,
    local_specifications,
    same_index,
)
from kvorum.model.table import Index, IndexStatus, Table, TableStatus

Description = dict[str, Any]


STREAM_LABEL = "LatestStreamLabel"
"""The member of a table's definition that tells its streams apart: when the latest was switched on."""


def stream_label(now_ms: int) -> str:
    return (
        datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    )


class Count(NamedTuple):
    """Of a table or an index, as it is now; `size` in bytes."""

    items: int = 0
    size: int = 0


_OWN_KEY = "alias/aws/dynamodb"
_NOTHING = Count()
_ECHOED = (
    "KeySchema",
    "OnDemandThroughput",
)


def table_arn(region: str, account: str, name: str) -> str:
    return f"arn:aws:dynamodb:{region}:{account}:table/{name}"


def describe(
    table: Table,
    *,
    region: str,
    account: str,
    now_ms: int,
    counts: Mapping[int, Count],
    status: TableStatus | None = None,
) -> Description:
    """`counts`: by number of the table and of its indexes, nothing where there is none. `status` overrides the
    descriptor's, for answers that tell what has just begun (CREATING, UPDATING, DELETING)."""
    definition = table.definition
    arn = table_arn(region, account, table.name)
    items, size = counts.get(table.id, _NOTHING)
    description: Description = {
        "TableName": table.name,
        "TableArn": arn,
        "TableId": table.uuid,
        "TableStatus": (_status(table) if status is None else status).name,
        "CreationDateTime": table.created_ms / 1000,
        "AttributeDefinitions": _attributes(table),
        "ItemCount": items,
        "TableSizeBytes": size,
        "ProvisionedThroughput": {
            **throughput.history(definition, now_ms),
            **throughput.provisioned(definition),
        },
        "DeletionProtectionEnabled": definition.get("DeletionProtectionEnabled", False),
        "WarmThroughput": {**throughput.warm(definition), "Status": "ACTIVE"},
    }
    for member in _ECHOED:
        if member in definition:
            description[member] = definition[member]
    local = _local_indexes(table, arn, counts)
    if local:
        description["LocalSecondaryIndexes"] = local
    everywhere = _global_indexes(table, arn, counts, now_ms)
    if everywhere:
        description["GlobalSecondaryIndexes"] = everywhere
    stream = definition.get("StreamSpecification")
    if stream is not None and stream.get("StreamEnabled"):
        description["StreamSpecification"] = stream
    if STREAM_LABEL in definition:  # also of a stream that was switched off
        description["LatestStreamLabel"] = definition[STREAM_LABEL]
        description["LatestStreamArn"] = f"{arn}/stream/{definition[STREAM_LABEL]}"
    summary = _billing(table)
    if summary is not None:
        description["BillingModeSummary"] = summary
    if "TableClass" in definition:
        description["TableClassSummary"] = _table_class(definition)
    encryption = definition.get("SSESpecification")
    if encryption is not None and encryption.get("Enabled"):
        description["SSEDescription"] = _encryption(encryption, region, account)
    return description


def _status(table: Table) -> TableStatus:
    """A table is UPDATING while the resources of an index are being allocated or given back."""
    if table.status is not TableStatus.ACTIVE:
        return table.status
    unsettled = any(
        index.status is IndexStatus.DELETING
        or (index.status is IndexStatus.CREATING and not index.backfilling)
        for index in table.indexes
    )
    return TableStatus.UPDATING if unsettled else TableStatus.ACTIVE


def _attributes(table: Table) -> list[Description]:
    """The key attributes of the table and of the indexes that it has now, by name as AWS shows them."""
    keys = [table.keys.hash] if table.keys.range is None else [table.keys.hash, table.keys.range]
    for index in table.indexes:
        keys += [*index.keys.hash, *index.keys.range]
    kinds = {part.name: part.kind for part in keys}
    return [{"AttributeName": name, "AttributeType": kinds[name]} for name in sorted(kinds)]


def _local_indexes(table: Table, arn: str, counts: Mapping[int, Count]) -> list[Description]:
    numbers = {index.name: index.id for index in table.indexes if index.local}
    described: list[Description] = []
    for specification in local_specifications(table.definition):
        name = specification["IndexName"]
        described.append(_index(specification, arn, counts.get(numbers.get(name, 0), _NOTHING)))
    return described


def _global_indexes(table: Table, arn: str, counts: Mapping[int, Count], now_ms: int) -> list[Description]:
    specifications = global_specifications(table.definition)
    described: list[Description] = []
    for index in table.indexes:
        if index.local:
            continue
        specification = specifications.get(index.name)
        if specification is None or not same_index(index_of(specification), index):
            specification = _last_known(index)
        description = _index(specification, arn, counts.get(index.id, _NOTHING))
        definition = throughput.of_index(specification, table.definition)
        description["IndexStatus"] = index.status.name
        if index.status is IndexStatus.CREATING:
            description["Backfilling"] = index.backfilling
        description["ProvisionedThroughput"] = {
            **throughput.history(definition, now_ms),
            **throughput.provisioned(definition),
        }
        if "OnDemandThroughput" in definition:
            description["OnDemandThroughput"] = definition["OnDemandThroughput"]
        description["WarmThroughput"] = {**throughput.warm(definition), "Status": "ACTIVE"}
        described.append(description)
    return described


def _index(specification: Specification, arn: str, count: Count) -> Description:
    return {
        "IndexName": specification["IndexName"],
        "IndexArn": f"{arn}/index/{specification['IndexName']}",
        "KeySchema": specification["KeySchema"],
        "Projection": _projection(specification["Projection"]),
        "IndexSizeBytes": count.size,
        "ItemCount": count.items,
    }


def _projection(projection: Description) -> Description:
    if "NonKeyAttributes" not in projection:
        return projection
    return {**projection, "NonKeyAttributes": sorted(projection["NonKeyAttributes"])}


def _last_known(index: Index) -> Specification:
    """Of an index that is being deleted the definition says nothing any more."""
    projection: Description = {"ProjectionType": index.projection.name}
    if index.included:
        projection["NonKeyAttributes"] = list(index.included)
    hashes = [{"AttributeName": part.name, "KeyType": "HASH"} for part in index.keys.hash]
    ranges = [{"AttributeName": part.name, "KeyType": "RANGE"} for part in index.keys.range]
    return {"IndexName": index.name, "KeySchema": hashes + ranges, "Projection": projection}


def _billing(table: Table) -> Description | None:
    """None for a table that has never been on demand: AWS then says nothing of its billing mode."""
    definition = table.definition
    updated = definition.get("LastUpdateToPayPerRequestDateTime")
    if throughput.on_demand(definition):
        updated = table.created_ms / 1000 if updated is None else updated
        return {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": updated}
    if updated is None:
        return None
    return {"BillingMode": "PROVISIONED", "LastUpdateToPayPerRequestDateTime": updated}


def _table_class(definition: dict[str, Any]) -> Description:
    summary: Description = {"TableClass": definition["TableClass"]}
    if "TableClassUpdatedDateTime" in definition:
        summary["LastUpdateDateTime"] = definition["TableClassUpdatedDateTime"]
    return summary


def _encryption(specification: dict[str, Any], region: str, account: str) -> dict[str, Any]:
    arn = encryption_key(specification, region, account)
    return {"Status": "ENABLED", "SSEType": specification.get("SSEType", "KMS"), "KMSMasterKeyArn": arn}


def encryption_key(specification: dict[str, Any], region: str, account: str) -> str:
    """The ARN of the key that an SSESpecification names by its id, alias or ARN; AWS's own for DynamoDB where it names
    none, which every account has one of in each region."""
    prefix = f"arn:aws:kms:{region}:{account}:"
    key: str = specification.get("KMSMasterKeyId", _OWN_KEY)
    if key == _OWN_KEY:
        key = str(uuid5(NAMESPACE_URL, prefix + key))
    if key.startswith("arn:"):
        return key
    return prefix + (key if key.startswith("alias/") else f"key/{key}")
