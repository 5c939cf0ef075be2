"""Many single-item calls at once, and what a batch makes of those that could not be carried out now."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from kvorum.model import errors
from kvorum.model.errors import ApiError

Answer = TypeVar("Answer")

_TRY_AGAIN = frozenset(
    (
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "ServiceUnavailable",
        "ThrottlingException",
    )
)
"""A key that failed so goes back as unprocessed, as on AWS; every call of a batch may safely be repeated."""


async def attempt_all(calls: Iterable[Coroutine[Any, Any, Answer]]) -> list[Answer | ApiError]:
    """All calls at once, each with its answer or its error, in order. Raises ApiError for an error that a
    repetition would not cure, and when nothing at all was carried out."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_attempt(call)) for call in calls]
    results = [task.result() for task in tasks]
    _raise_if_hopeless(results)
    return results


async def _attempt(call: Coroutine[Any, Any, Answer]) -> Answer | ApiError:
    try:
        return await call
    except ApiError as error:
        return error


def _raise_if_hopeless(results: Sequence[object]) -> None:
    failures = [result for result in results if isinstance(result, ApiError)]
    for failure in failures:
        if failure.code not in _TRY_AGAIN:
            raise failure
    if failures and len(failures) == len(results):
        raise failures[0]


def check_some(requested: Mapping[str, Any], operation: str) -> None:
    """Raises ValidationException when nothing is requested. Most regions say it so (paritysuite/dynamodb-conformance,
    captures/2026-10-07-batch-empty-request-items.json, of BatchWriteItem)."""
    if not requested:
        raise errors.validation(f"The requestItems parameter is required for {operation}")
