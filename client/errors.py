"""Everything the SDK raises about a call, on one page.

Each error is definite or indefinite. Definite: what was asked did not happen and will not happen. Indefinite:
a write may or may not have happened; only reading can tell. A read has no effect, so its failures are definite.

    KvorumError
    ├── DefiniteError
    │   ├── ConditionalCheckFailed   the item was not as the condition wants it; `.item` if asked for
    │   ├── ValidationError          the request is wrong
    │   ├── TableNotFound · TableInUse · LimitExceeded
    │   ├── AccessDenied
    │   ├── Throttled                too much at once; the client has retried until the deadline
    │   ├── Unavailable              no router or no leader in time; the client has retried until the deadline
    │   └── Unprocessed              what a batch_write had not done when one of the others stopped it
    └── IndefiniteError              a write whose outcome is unknown; never retried by the client

Arguments that have no DynamoDB value (a float, an empty set) are a TypeError before anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Item = dict[str, Any]


class KvorumError(Exception):
    """`code`: AWS's short name, or one of ConnectionLost, DeadlineExceeded and SessionClosed, which are ours.
    `message`: words for a person. `definite`: see the page's head."""

    definite: bool

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


class DefiniteError(KvorumError):
    definite = True


class IndefiniteError(KvorumError):
    definite = False


class ConditionalCheckFailed(DefiniteError):
    """`item`: the item as it stood, when `return_item_on_failure` asked for it and there was one."""

    def __init__(self, code: str, message: str, item: Item | None = None) -> None:
        super().__init__(code, message)
        self.item = item


class ValidationError(DefiniteError):
    pass


class TableNotFound(DefiniteError):
    """Or an index of it, or another resource."""


class TableInUse(DefiniteError):
    """It exists already, or is being created, changed or deleted."""


class LimitExceeded(DefiniteError):
    pass


class AccessDenied(DefiniteError):
    pass


class Throttled(DefiniteError):
    pass


class Unavailable(DefiniteError):
    pass


class Unprocessed(DefiniteError):
    """`puts` and `deletes` are the items and keys of a batch_write that were not written; all others were.
    `code` and `message` say why."""

    def __init__(self, code: str, message: str, puts: Sequence[Item], deletes: Sequence[Item]) -> None:
        super().__init__(code, message)
        self.puts = puts
        self.deletes = deletes


_BY_CODE: dict[str, type[DefiniteError]] = {
    "AccessDeniedException": AccessDenied,
    "InvalidSignatureException": AccessDenied,
    "LimitExceededException": LimitExceeded,
    "MissingAuthenticationTokenException": AccessDenied,
    "ProvisionedThroughputExceededException": Throttled,
    "RequestLimitExceeded": Throttled,
    "ResourceInUseException": TableInUse,
    "ResourceNotFoundException": TableNotFound,
    "SerializationException": ValidationError,
    "ServiceUnavailable": Unavailable,
    "ThrottlingException": Throttled,
    "UnrecognizedClientException": AccessDenied,
    "ValidationException": ValidationError,
}


def answered(
    code: str, message: str, *, definite: bool, writes: bool, item: Item | None = None
) -> KvorumError:
    """The error that a router answered. `writes`: whether the call may have changed anything."""
    if not definite:
        return unknown(code, message, writes=writes)
    if code == "ConditionalCheckFailedException":
        return ConditionalCheckFailed(code, message, item)
    return _BY_CODE.get(code, DefiniteError)(code, message)


def unknown(code: str, message: str, *, writes: bool) -> KvorumError:
    """The call was sent, and what came of it is not known; for a read it does not matter."""
    return IndefiniteError(code, message) if writes else Unavailable(code, message)
