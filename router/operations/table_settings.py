"""What AWS says of a table's settings that contradict themselves, in CreateTable and UpdateTable."""

from __future__ import annotations

from typing import Any

from kvorum.model import errors

_TABLE_CLASSES = ("STANDARD", "STANDARD_INFREQUENT_ACCESS")


def check_table_class(table_class: str | None) -> None:
    """Source: scylladb/scylladb test/alternator/test_tableclass.py, which quotes AWS."""
    if table_class is not None and table_class not in _TABLE_CLASSES:
        raise errors.validation(
            "Invalid table-class parameter provided. Please try again with a valid table-class value: "
            f"[{', '.join(_TABLE_CLASSES)}]."
        )


def check_encryption(specification: dict[str, Any] | None) -> None:
    if specification is None:
        return
    enabled, kind = specification.get("Enabled"), specification.get("SSEType")
    for member in ("SSEType", "KMSMasterKeyId"):
        if enabled is False and member in specification:
            raise errors.invalid(f"{member} can not be specified if Enabled is false")
    if kind == "AES256":
        raise errors.invalid("SSEType AES256 is not supported")
    if "KMSMasterKeyId" in specification and kind is None:
        raise errors.invalid("SSEType KMS is required if KMSMasterKeyId is specified")
