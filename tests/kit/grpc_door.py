"""The gRPC door on a free loopback port, before a fake store; and clients that do not wait between attempts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import ParamSpec

from kvorum.client.asynchronous import Clock
from kvorum.router.grpc import GrpcDoor
from tests.kit.fake_store import FakeStore

P = ParamSpec("P")

TEST_SECONDS_MAX = 30


@asynccontextmanager
async def opened(store: FakeStore, *, session_calls_max: int = 1_024) -> AsyncIterator[str]:
    """The door's address."""
    door = GrpcDoor(store, session_calls_max=session_calls_max)
    port = await door.start("127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await door.stop(0)


class FastClock:
    """Sleeping takes no time, only moves the clock; the sleeps are kept. Full jitter is always the most."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []
        self.clock = Clock(monotonic=lambda: self.now, sleep=self._sleep, jitter=lambda: 1.0)

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def asynchronous(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Runs an async test on a loop of its own, within a time that only a hang needs."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def limited() -> None:
            async with asyncio.timeout(TEST_SECONDS_MAX):
                await test(*args, **kwargs)

        asyncio.run(limited())

    return run
