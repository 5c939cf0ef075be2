"""TableDescription: a table's descriptor as CreateTable, DescribeTable, UpdateTable and DeleteTable show it."""

from __future__ import annotations

from typing import Any

from kvorum.model import throughput
from kvorum.model.table import Table, TableStatus

Description = dict[str, Any]

_ECHOED = (
    "AttributeDefinitions",
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
    items: int = 0,
    size: int = 0,
    status: TableStatus | None = None,
) -> Description:
    """`items` and `size` (bytes) are the table's live statistics; `status` overrides the descriptor's, for
    answers that tell what has just begun (CREATING, UPDATING, DELETING)."""
    definition = table.definition
    description: Description = {
        "TableName": table.name,
        "TableArn": table_arn(region, account, table.name),
        "TableId": table.uuid,
        "TableStatus": (table.status if status is None else status).name,
        "CreationDateTime": table.created_ms / 1000,
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
    stream = definition.get("StreamSpecification")
    if stream is not None and stream.get("StreamEnabled"):
        description["StreamSpecification"] = stream
    summary = _billing(table)
    if summary is not None:
        description["BillingModeSummary"] = summary
    if "TableClass" in definition:
        description["TableClassSummary"] = _table_class(definition)
    encryption = definition.get("SSESpecification")
    if encryption is not None and encryption.get("Enabled"):
        description["SSEDescription"] = _encryption(encryption, region, account)
    return description


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
    """The ARN of the key that an SSESpecification names, AWS's own where it names none."""
    key: str = specification.get("KMSMasterKeyId", "alias/aws/dynamodb")
    return key if key.startswith("arn:") else f"arn:aws:kms:{region}:{account}:{key}"
