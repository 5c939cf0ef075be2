"""The gRPC SDK: native Python values, deadlines, retries that tell definite failures from indefinite ones."""

from kvorum.client.asynchronous import AsyncClient
from kvorum.client.blocking import Client
from kvorum.client.errors import (
    AccessDenied,
    ConditionalCheckFailed,
    DefiniteError,
    IndefiniteError,
    KvorumError,
    LimitExceeded,
    TableInUse,
    TableNotFound,
    Throttled,
    Unavailable,
    Unprocessed,
    ValidationError,
)
from kvorum.client.operations import Page
from kvorum.client.retries import Backoff
from kvorum.client.session import Session
from kvorum.client.tables import Index, IndexDescription, TableDescription

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "Backoff",
    "Client",
    "ConditionalCheckFailed",
    "DefiniteError",
    "IndefiniteError",
    "Index",
    "IndexDescription",
    "KvorumError",
    "LimitExceeded",
    "Page",
    "Session",
    "TableDescription",
    "TableInUse",
    "TableNotFound",
    "Throttled",
    "Unavailable",
    "Unprocessed",
    "ValidationError",
]
