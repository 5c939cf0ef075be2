"""What an error's body looks like, as the service model and AWS's SDKs have it."""

from __future__ import annotations

import re
from typing import Any

from tests.kit.service_model import dynamodb

_KIND = re.compile(r"com\.amazon(aws\.dynamodb\.v20120810|\.coral\.(?:service|validate|availability))#(\w+)")
_ANYWHERE = {
    "AccessDeniedException",
    "ThrottlingException",
    "UnknownOperationException",
    "SerializationException",
    "ValidationException",
    "MissingAuthenticationTokenException",
    "IncompleteSignatureException",
}
"""What the front of every service says: the model names it with no operation."""
_MEMBERS = {"__type", "message", "Message", "Item", "CancellationReasons", "ThrottlingReasons"}


def assert_error_fits(operation: str | None, body: dict[str, Any]) -> None:
    """A type that the operation may answer with (None: any), a message, and nothing unknown."""
    assert isinstance(body, dict), body
    kind = _KIND.fullmatch(body.get("__type", ""))
    assert kind is not None, body
    assert body.keys() <= _MEMBERS, body
    if kind[2] not in ("UnknownOperationException", "SerializationException"):
        message = body.get("message", body.get("Message"))
        assert isinstance(message, str), body
        assert message, body
    if operation is not None and kind[2] not in _ANYWHERE:
        shapes = dynamodb().operation_model(operation).error_shapes
        assert kind[2] in {shape.name for shape in shapes}, f"{operation}: {body}"
