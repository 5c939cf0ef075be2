"""What AWS says of a table's settings that contradict themselves, in CreateTable and UpdateTable."""

from __future__ import annotations

from typing import Any

from kvorum.model import errors

INVALID = "One or more parameter values were invalid: "


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
