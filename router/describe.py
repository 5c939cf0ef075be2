"""TableDescription: a table's descriptor as CreateTable, DescribeTable and DeleteTable show it."""

from __future__ import annotations

from typing import Any

from kvorum.model.table import Table, TableStatus

Description = dict[str, Any]

WARM_READ_UNITS = 12_000
WARM_WRITE_UNITS = 4_000
"""What an on-demand table can take from birth. Source: developer guide, "On-demand capacity mode"."""

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
    items: int = 0,
    size: int = 0,
    status: TableStatus | None = None,
) -> Description:
    """`items` and `size` (bytes) are the table's live statistics; `status` overrides the descriptor's, for
    answers that tell what has just begun (CREATING, DELETING)."""
    definition = table.definition
    description: Description = {
        "TableName": table.name,
        "TableArn": table_arn(region, account, table.name),
        "TableId": table.uuid,
        "TableStatus": (table.status if status is None else status).name,
        "CreationDateTime": table.created_ms / 1000,
        "ItemCount": items,
        "TableSizeBytes": size,
        "ProvisionedThroughput": _throughput(definition),
        "DeletionProtectionEnabled": definition.get("DeletionProtectionEnabled", False),
        "WarmThroughput": {
            "ReadUnitsPerSecond": WARM_READ_UNITS,
            "WriteUnitsPerSecond": WARM_WRITE_UNITS,
            **definition.get("WarmThroughput", {}),
            "Status": "ACTIVE",
        },
    }
    for member in _ECHOED:
        if member in definition:
            description[member] = definition[member]
    stream = definition.get("StreamSpecification")
    if stream is not None and stream.get("StreamEnabled"):
        description["StreamSpecification"] = stream
    if definition.get("BillingMode") == "PAY_PER_REQUEST":
        description["BillingModeSummary"] = {
            "BillingMode": "PAY_PER_REQUEST",
            "LastUpdateToPayPerRequestDateTime": table.created_ms / 1000,
        }
    if "TableClass" in definition:
        description["TableClassSummary"] = {"TableClass": definition["TableClass"]}
    encryption = definition.get("SSESpecification")
    if encryption is not None and encryption.get("Enabled"):
        description["SSEDescription"] = _encryption(encryption, region, account)
    return description


def _throughput(definition: dict[str, Any]) -> dict[str, Any]:
    """Zeros for a table on demand, as AWS says it."""
    provisioned = definition.get("ProvisionedThroughput", {})
    return {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": provisioned.get("ReadCapacityUnits", 0),
        "WriteCapacityUnits": provisioned.get("WriteCapacityUnits", 0),
    }


def _encryption(specification: dict[str, Any], region: str, account: str) -> dict[str, Any]:
    key = specification.get("KMSMasterKeyId", "alias/aws/dynamodb")
    arn = key if key.startswith("arn:") else f"arn:aws:kms:{region}:{account}:{key}"
    return {"Status": "ENABLED", "SSEType": specification.get("SSEType", "KMS"), "KMSMasterKeyArn": arn}
