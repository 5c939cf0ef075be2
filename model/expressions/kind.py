"""Which of the five expression parameters a text came in: it decides the grammar and opens every message."""

from __future__ import annotations

from enum import StrEnum

from kvorum.model.errors import ApiError, validation


class ExpressionKind(StrEnum):
    CONDITION = "ConditionExpression"
    FILTER = "FilterExpression"
    KEY_CONDITION = "KeyConditionExpression"
    PROJECTION = "ProjectionExpression"
    UPDATE = "UpdateExpression"


def invalid(kind: ExpressionKind, problem: str) -> ApiError:
    return validation(f"Invalid {kind.value}: {problem}")
