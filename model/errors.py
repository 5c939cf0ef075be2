"""The caller's errors: one type, one page of constructors, turned into JSON in one place (router/http)."""

from __future__ import annotations

import re
from typing import Any

from kvorum.model.limits import HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX

_DYNAMODB = "com.amazonaws.dynamodb.v20120810#"
_VALIDATE = "com.amazon.coral.validate#"
_SERVICE = "com.amazon.coral.service#"


class ApiError(Exception):
    """An error in AWS's words, ready for the caller.

    `kind` is the fully qualified `__type`; `status` the HTTP status; `extra` further members of the body
    (for example `Item`, already DynamoDB JSON). `retryable` and `definite` tell the gRPC door and our own
    retries what the caller may assume: a definite error did not happen and will not happen.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int = 400,
        extra: dict[str, Any] | None = None,
        definite: bool = True,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.extra = extra
        self.definite = definite

    @property
    def code(self) -> str:
        """The short name that SDKs put into `Error.Code`."""
        return self.kind.rpartition("#")[2]

    def __repr__(self) -> str:
        return f"ApiError({self.code}: {self.message})"


def validation(message: str) -> ApiError:
    return ApiError(_VALIDATE + "ValidationException", message)


def invalid(problem: str) -> ApiError:
    """What is wrong with a request whose parameters are each of the right shape."""
    return validation(f"One or more parameter values were invalid: {problem}")


def item_too_large() -> ApiError:
    return validation("Item size has exceeded the maximum allowed size")


def duplicate_keys() -> ApiError:
    return validation("Provided list of item keys contains duplicates")


def item_to_update_too_large() -> ApiError:
    return validation("Item size to update has exceeded the maximum allowed size")


def empty_key_attribute(name: str, kind: str) -> ApiError:
    what = "string" if kind == "S" else "binary"
    return validation(
        "One or more parameter values are not valid. "
        f"The AttributeValue for a key attribute cannot contain an empty {what} value. Key: {name}"
    )


def key_attribute_kind() -> ApiError:
    """A condition compares a key attribute with a value of another type."""
    return invalid("Condition parameter type does not match schema type")


def partition_key_too_long() -> ApiError:
    return invalid(f"Size of hashkey has exceeded the maximum size limit of{HASH_KEY_BYTES_MAX} bytes")  # sic


def sort_keys_too_long() -> ApiError:
    return invalid(
        f"Aggregated size of all range keys has exceeded the size limit of {RANGE_KEY_BYTES_MAX} bytes"
    )


_ENVELOPE = re.compile(r"\d+ validation errors? detected: ")


def in_envelope(error: ApiError) -> ApiError:
    """The ValidationException as the only one of a request, in the words that AWS puts before several."""
    if _ENVELOPE.match(error.message) is not None:
        return error
    return validation(f"1 validation error detected: {error.message}")


def serialization(message: str | None = None) -> ApiError:
    return ApiError(_SERVICE + "SerializationException", message or "")


def unknown_operation() -> ApiError:
    return ApiError(_SERVICE + "UnknownOperationException", "")


def missing_authentication_token() -> ApiError:
    return ApiError(
        _SERVICE + "MissingAuthenticationTokenException",
        "Request is missing Authentication Token",
    )


def access_denied(message: str) -> ApiError:
    return ApiError(_SERVICE + "AccessDeniedException", message)


def resource_not_found(message: str = "Requested resource not found") -> ApiError:
    return ApiError(_DYNAMODB + "ResourceNotFoundException", message)


def resource_in_use(message: str) -> ApiError:
    return ApiError(_DYNAMODB + "ResourceInUseException", message)


def policy_not_found(arn: str) -> ApiError:
    return ApiError(
        _DYNAMODB + "PolicyNotFoundException",
        f"Resource-based policy not found for the provided ResourceArn: {arn}",
    )


def table_not_found(name: str) -> ApiError:
    """What the operations on backups say instead of ResourceNotFoundException."""
    return ApiError(_DYNAMODB + "TableNotFoundException", f"Table not found: {name}")


def being_created(name: str) -> ApiError:
    return resource_in_use(
        f"Attempt to change a resource which is still in use: Table is being created: {name}"
    )


def index_not_found(table: str, index: str) -> ApiError:
    return resource_not_found(f"Requested resource not found: Index {index} for table {table}")


def local_index(index: str, action: str) -> ApiError:
    """`action`: "delete" or "update"."""
    return validation(f"Cannot {action} an index that is not a GlobalSecondaryIndex: {index}")


def index_being_allocated(table: str, index: str) -> ApiError:
    return resource_in_use(
        "Attempt to change a resource which is still in use: Index creation is in resource allocation phase. Retry "
        f"deletion during backfilling phase or when the index is active. Table: {table} Index: {index}"
    )


def index_being_deleted(table: str, index: str) -> ApiError:
    return resource_in_use(
        f"Attempt to change a resource which is still in use: Index is being deleted.  Table: {table} Index: {index}"
    )


def indexes_unsettled() -> ApiError:
    return resource_in_use(
        "Attempt to change a resource which is still in use: Cannot delete table while indexes are being created, "
        "updated, or deleted."
    )


def one_online_index() -> ApiError:
    return limit_exceeded(
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
    )


def deletion_protected() -> ApiError:
    return validation(
        "Resource cannot be deleted as it is currently protected against deletion. "
        "Disable deletion protection first."
    )


def too_many_tags() -> ApiError:
    return validation("Number of Tags exceed the current limit for the provided ResourceArn")


def limit_exceeded(message: str) -> ApiError:
    return ApiError(_DYNAMODB + "LimitExceededException", message)


def conditional_check_failed(item: Any | None = None) -> ApiError:
    """`item`: the item as it stood, DynamoDB JSON, when the caller asked for ALL_OLD on failure."""
    return ApiError(
        _DYNAMODB + "ConditionalCheckFailedException",
        "The conditional request failed",
        extra=None if item is None else {"Item": item},
    )


def duplicate_item() -> ApiError:
    """What PartiQL's INSERT says of a key that is taken."""
    return ApiError(_DYNAMODB + "DuplicateItemException", "Duplicate primary key exists in table")


def item_collection_size_limit_exceeded() -> ApiError:
    return ApiError(_DYNAMODB + "ItemCollectionSizeLimitExceededException", "Collection size exceeded.")


def throttled(message: str = "Rate of requests exceeds the allowed throughput.") -> ApiError:
    """A bounded queue is full: nothing happened; back off and try again."""
    return ApiError(_VALIDATE.replace("validate", "availability") + "ThrottlingException", message)


def index_behind() -> ApiError:
    """AWS's words for it end with the promise to scale the index by itself."""
    return throttled(
        "Throughput exceeds the current capacity for one or more global secondary indexes. Please try again shortly."
    )


def service_unavailable(message: str = "The service is currently unavailable or busy.") -> ApiError:
    """Definite: the request was not carried out (no leader in time, disk full); try again."""
    return ApiError(_DYNAMODB + "ServiceUnavailable", message, status=503)


def internal_server_error(
    message: str = "The request processing has failed because of an unknown error, exception or failure.",
) -> ApiError:
    """Indefinite: the write may or may not have happened, as on AWS."""
    return ApiError(_DYNAMODB + "InternalServerError", message, status=500, definite=False)
