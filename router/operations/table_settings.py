"""What CreateTable and UpdateTable have in common: the shapes of a table's settings, and what AWS says of those
that contradict themselves."""

from __future__ import annotations

from typing import Any

from kvorum.model import errors
from kvorum.router.operations import members
from kvorum.router.shapes import Flag, ListOf, Structure, Text, Whole, required

INVALID = "One or more parameter values were invalid: "

_CAPACITY_UNITS = Whole("Long", least=1)
THROUGHPUT = Structure(
    "ProvisionedThroughput",
    {
        "WriteCapacityUnits": required(_CAPACITY_UNITS),
        "ReadCapacityUnits": required(_CAPACITY_UNITS),
    },
)
ON_DEMAND_THROUGHPUT = Structure(
    "OnDemandThroughput",
    {"MaxReadRequestUnits": Whole("Long"), "MaxWriteRequestUnits": Whole("Long")},
)
WARM_THROUGHPUT = Structure(
    "WarmThroughput",
    {"ReadUnitsPerSecond": Whole("Long"), "WriteUnitsPerSecond": Whole("Long")},
)
BILLING_MODE = Text(values=("PROVISIONED", "PAY_PER_REQUEST"))
TABLE_CLASS = Text(values=("STANDARD", "STANDARD_INFREQUENT_ACCESS"))
STREAM = Structure(
    "StreamSpecification",
    {
        "StreamEnabled": required(Flag()),
        "StreamViewType": Text(values=("NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY")),
    },
)
ENCRYPTION = Structure(
    "SSESpecification",
    {"Enabled": Flag(), "SSEType": Text(values=("AES256", "KMS")), "KMSMasterKeyId": Text()},
)

_KEY_ATTRIBUTE = Text(1, 255)
ATTRIBUTE_DEFINITIONS = ListOf(
    Structure(
        "AttributeDefinition",
        {
            "AttributeName": required(_KEY_ATTRIBUTE),
            "AttributeType": required(Text(values=("B", "N", "S"))),
        },
    )
)
KEY_SCHEMA = ListOf(
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
LOCAL_INDEX = {
    "IndexName": required(members.NAME),
    "KeySchema": required(KEY_SCHEMA),
    "Projection": required(_PROJECTION),
}
INDEX_THROUGHPUT = {
    "ProvisionedThroughput": THROUGHPUT,
    "OnDemandThroughput": ON_DEMAND_THROUGHPUT,
    "WarmThroughput": WARM_THROUGHPUT,
}


def check_encryption(specification: dict[str, Any] | None) -> None:
    if specification is None:
        return
    enabled, kind = specification.get("Enabled"), specification.get("SSEType")
    for member in ("SSEType", "KMSMasterKeyId"):
        if enabled is False and member in specification:
            raise errors.validation(f"{INVALID}{member} can not be specified if Enabled is false")
    if kind == "AES256":
        raise errors.validation(f"{INVALID}SSEType AES256 is not supported")
    if "KMSMasterKeyId" in specification and kind is None:
        raise errors.validation(f"{INVALID}SSEType KMS is required if KMSMasterKeyId is specified")
