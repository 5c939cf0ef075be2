"""A table by its ARN, which may stand wherever a request names a table that exists.

Of an ARN that names another account AWS says that the caller may not, before it looks at the region
(ExtendDB/extenddb#227, captured in July 2026); of another region, that the region is invalid (a public lab's captures
of October 2026).
"""

from __future__ import annotations

import re

from kvorum.control.directory import Directory
from kvorum.model import errors

_ARN = re.compile(
    r"arn:(?P<partition>[a-z-]+):dynamodb:(?P<region>[^:]*):(?P<account>[^:]*):table/(?P<table>[a-zA-Z0-9_.-]{3,255})"
)


def table_name(text: str, directory: Directory, operation: str) -> str:
    """`text`: a name or an ARN, whose shape has been looked at. Raises AccessDeniedException or
    ValidationException for the ARN of a table that `operation` cannot find here."""
    if not text.startswith("arn:"):
        return text
    found = _ARN.fullmatch(text)
    if found is None:
        raise errors.validation(f"Invalid TableArn: Invalid ResourceArn provided as input {text}")
    if found["partition"] != "aws":
        raise _invalid("partition", text)
    if found["account"] != directory.account:
        raise errors.access_denied(
            f"User: arn:aws:iam::{directory.account}:root is not authorized to perform: dynamodb:{operation} "
            f"on resource: {text} because no resource-based policy allows the dynamodb:{operation} action"
        )
    if found["region"] != directory.region:
        raise _invalid("region", text)
    return found["table"]


def _invalid(part: str, arn: str) -> errors.ApiError:
    return errors.validation(f"1 validation error detected: Invalid AWS {part} in '{arn}'")
