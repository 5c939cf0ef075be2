"""The real ports: clocks, loop, threads and signals for one process."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Also runs while the machine sleeps, where there is such a clock: a leader's lease must not outlive a nap.
_MONOTONIC = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_us() -> int:
    return time.clock_gettime_ns(_MONOTONIC) // 1_000


def now_ms() -> int:
    """Wall clock, milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class AsyncioScheduler:
    """node.engine.Scheduler on a running asyncio loop, with one thread for what blocks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sync")

    def now_us(self) -> int:
        return now_us()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon(callback)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any:
        return self._loop.call_later(seconds, callback)

    def run_blocking(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        future = self._loop.run_in_executor(self._thread, work)
        future.add_done_callback(lambda finished: done(finished.exception()))

    def close(self) -> None:
        """Waits for work that is under way."""
        self._thread.shutdown(wait=True)


def stop_event(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Set by the first SIGTERM or Ctrl-C."""
    event = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event
