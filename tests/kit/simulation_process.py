"""Simulated processes: each an event loop with clocks of its own, which can stop, stand still and die.

All loops share one `VirtualLoop`, the true time. asyncio tasks and futures run on a `SimulatedProcess` as on any
loop. A pause defers whatever would have run; a crash drops it, and nothing of the process runs again.
"""

from __future__ import annotations

import asyncio
from asyncio.events import _get_running_loop, _set_running_loop
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any

from kvorum.node.memory_store import MemoryStore
from kvorum.node.store import Batch, StoreFullError
from tests.kit.links import VirtualLoop

EPOCH_MS = 1_750_000_000_000


@dataclass(slots=True)
class HostClock:
    """One machine's clocks, against true time: they differ by offsets, and run at another rate."""

    monotonic_offset_seconds: float = 1_000.0
    wall_offset_ms: float = 0.0
    rate: float = 1.0


class Handle:
    """Something that a process is going to do."""

    __slots__ = ("_arguments", "_callback", "_context", "_process")

    def __init__(
        self,
        process: SimulatedProcess,
        callback: Callable[..., object],
        arguments: tuple[Any, ...],
        context: Context | None,
    ) -> None:
        self._process = process
        self._callback: Callable[..., object] | None = callback
        self._arguments = arguments
        self._context = context

    def cancel(self) -> None:
        self._callback = None
        self._arguments = ()

    def cancelled(self) -> bool:
        return self._callback is None

    def due(self) -> None:
        process = self._process
        if self._callback is None or not process.alive:
            return
        if process.standing_still:
            process.defer(self)
            return
        previous = _get_running_loop()
        _set_running_loop(process)
        process.depth += 1
        try:
            if self._context is not None:
                self._context.run(self._callback, *self._arguments)
            else:
                self._callback(*self._arguments)
        finally:
            process.depth -= 1
            _set_running_loop(previous)


class SimulatedProcess(asyncio.AbstractEventLoop):
    """One life of one process. `name` is unique in the simulation; `life` counts its restarts."""

    def __init__(self, world: VirtualLoop, name: str, life: int, clock: HostClock, random: Random) -> None:
        self.name = name
        self.life = life
        self.random = random
        self.alive = True
        self.paused = False
        self.resumed_at = -1.0
        self.pauses = 0
        self.depth = 0
        self.on_clock_read: Callable[[SimulatedProcess], None] = _ignore
        self._world = world
        self._clock = clock
        self._standing_inside = False
        self._backlog: list[Handle] = []
        self._tasks: dict[asyncio.Task[Any], None] = {}

    # ---- clocks ----

    def time(self) -> float:
        clock = self._clock
        return clock.monotonic_offset_seconds + self._world.time() * clock.rate

    def now_us(self) -> int:
        """The scheduler's clock. The process may be made to stand still just before it looks."""
        self.on_clock_read(self)
        return int(self.time() * 1_000_000)

    def now_ms(self) -> int:
        clock = self._clock
        return EPOCH_MS + int(clock.wall_offset_ms + self._world.time() * clock.rate * 1_000)

    # ---- the loop that asyncio sees ----

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        return self._later(0.0, callback, args, context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        return self._later(max(0.0, delay) / self._clock.rate, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        return self.call_later(when - self.time(), callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **_: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        task = asyncio.Task(coro, loop=self)
        self._tasks[task] = None
        task.add_done_callback(self._forget_task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self.alive

    def is_closed(self) -> bool:
        return not self.alive

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An exception that nobody fetched. Of a dead process nothing is held against anybody."""
        if self.alive:
            raise AssertionError(f"{self.name}: {context}") from context.get("exception")

    # ---- life ----

    @property
    def standing_still(self) -> bool:
        return self.paused or self._standing_inside

    @property
    def busy(self) -> bool:
        """In the middle of a callback (it stands still inside): it cannot be killed or paused now."""
        return self.depth > 0

    def defer(self, handle: Handle) -> None:
        self._backlog.append(handle)

    def pause(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume(self) -> None:
        """Everything that was due meanwhile happens now, in its order."""
        self.paused = False
        self._run_backlog()

    def crash(self) -> None:
        """Nothing of this process runs again."""
        assert not self.busy
        self.alive = False
        self._backlog.clear()
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            assert coroutine is not None
            coroutine.close()

    def _forget_task(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)

    def _later(
        self, seconds: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> Handle:
        handle = Handle(self, callback, args, context)
        self._world.call_later(seconds, handle.due)
        return handle

    def _run_backlog(self) -> None:
        self.resumed_at = self.time()
        backlog, self._backlog = self._backlog, []
        for handle in backlog:
            self._world.call_soon(handle.due)

    def stand_still_inside(self, seconds: float) -> None:
        """The world goes on while this process stands still between two lines of its code."""
        self._standing_inside = True
        self.pauses += 1
        until = self._world.time() + seconds
        try:
            self._world.run_until(lambda: False, seconds)
        finally:
            self._standing_inside = False
            self._world.stand_still(max(0.0, until - self._world.time()))
            if not self.paused:
                self._run_backlog()


def _ignore(_: SimulatedProcess) -> None:
    return


class SimulatedDisk(MemoryStore):
    """A store that outlives its process. What was written but not synced may be lost, from some write on.

    A sync makes durable what was written before it began, when it ends. `observe(key, record, previous)` sees
    every item that a node stores.
    """

    def __init__(self, observe: Callable[[bytes, bytes | None, bytes | None], None]) -> None:
        super().__init__(can_crash=True)
        self.sync_seconds = (0.000_3, 0.003)
        self.is_out_of_space = False
        """From now on every write and sync raises, until `recover` after there is room again."""
        self.is_broken = False
        self._observe = observe
        self._covered = 0

    def begin_sync(self) -> None:
        self._covered = self.unsynced_writes

    def sync(self) -> None:
        self._refuse_when_full()
        assert self._unsynced is not None
        del self._unsynced[: self._covered]
        self._covered = 0

    def write(self, batch: Batch) -> None:
        self._refuse_when_full()
        for family, key, value, upper in batch.operations:  # type: ignore[attr-defined]
            if family == 1 and upper is None:
                self._observe(key, value, self.get(family, key))
        super().write(batch)

    def lose_unsynced(self, random: Random) -> None:
        """As after a crash, or when a full store is opened again."""
        self._covered = 0
        self.is_broken = False
        self.crash(random.randint(0, self.unsynced_writes))

    def _refuse_when_full(self) -> None:
        self.is_broken = self.is_broken or self.is_out_of_space
        if self.is_broken:
            raise StoreFullError("no space left on the simulated disk")


class SimulatedScheduler:
    """node.engine.Scheduler for one life of a node: syncs take the disk's time."""

    def __init__(self, world: VirtualLoop, process: SimulatedProcess, disk: SimulatedDisk) -> None:
        self.now_us = process.now_us
        self._world = world
        self._process = process
        self._disk = disk

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._process.call_soon(callback)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any:
        return self._process.call_later(seconds, callback)

    def run_blocking(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """`work` happens when the time is over, even if the process stands still then; never if it died."""
        self._disk.begin_sync()
        self._world.call_later(self._process.random.uniform(*self._disk.sync_seconds), self._end, work, done)

    def _end(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        if not self._process.alive:
            return
        error: BaseException | None = None
        try:
            work()
        except StoreFullError as failure:
            error = failure
        self._process.call_soon(done, error)
