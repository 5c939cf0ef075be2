"""ApiError as an answer on the wire."""

from __future__ import annotations

import orjson

from kvorum.control.messages import Refused
from kvorum.model.errors import ApiError, internal_server_error, service_unavailable


def refused(error: ApiError) -> Refused:
    extra = orjson.dumps(error.extra) if error.extra else b""
    return Refused(error.kind, error.message, error.status, extra, error.definite)


def disk_is_full() -> Refused:
    return refused(service_unavailable("The storage of this node is full; reads go on. Try again later."))


def fate_unknown() -> Refused:
    """The write was proposed, and nobody here will learn what became of it."""
    return refused(internal_server_error())
