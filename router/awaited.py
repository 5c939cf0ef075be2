"""Between callbacks and coroutines: an answer to wait for, and the clocks to wait by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from kvorum.model.errors import ApiError

T = TypeVar("T")


class Timer(Protocol):
    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """`monotonic` in seconds; `wall_ms` in milliseconds since the epoch; `call_later(seconds, callback)`."""

    monotonic: Callable[[], float]
    wall_ms: Callable[[], int]
    uuid: Callable[[], str]
    call_later: Callable[[float, Callable[[], None]], Timer]


class Awaited(Generic[T]):
    """A `done` to wait for. Costs no future when the answer is there already."""

    __slots__ = ("_answer", "_future")

    def __init__(self) -> None:
        self._answer: T | ApiError | None = None
        self._future: asyncio.Future[None] | None = None

    def __call__(self, answer: T | ApiError) -> None:
        self._answer = answer
        if self._future is not None:
            finish(self._future)

    async def get(self) -> T:
        if self._answer is None:
            self._future = asyncio.get_running_loop().create_future()
            await self._future
        answer = self._answer
        assert answer is not None
        if isinstance(answer, ApiError):
            raise answer
        return answer


def finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def pause(clocks: Clocks, seconds: float) -> None:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clocks.call_later(seconds, lambda: finish(over))
    try:
        await over
    finally:
        timer.cancel()
