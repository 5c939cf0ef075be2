"""The node's one loop pass: everything that is ready, of all groups, in one write, one sync, then the answers.

A pass runs once per turn of the event loop in which something happened. It takes a Ready from every awake
replica, sends appends and heartbeats at once (before the local sync: the disks of a group work side by
side), puts all log entries and all effects into ONE batch, writes it, answers, and leaves durability to ONE
sync, on the loop while the disk is fast and in a thread when it is not. Passes go on meanwhile; the next sync
covers them all. That is the group commit: what an fsync costs is shared by every write in flight on the node.

Crash safety: the store keeps a prefix of its writes, so an effect is never on disk without the entry that it
came from (or, for a lone voter, instead of it), and whatever a peer or a client was told after a sync is on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kvorum.node.disk_guard import DiskGuard, Writes
from kvorum.node.replica import Replica, Result
from kvorum.node.store import Batch, Store, StoreError
from kvorum.replication.raft.core import Ready
from kvorum.replication.raft.messages import AppendRequest, RaftMessage

_log = logging.getLogger("kvorum.node")

TICK_SECONDS = 0.05

INLINE_SYNC_US_MAX = 2_000
"""While a sync takes less than this on average, it is made on the loop: handing it to a thread and back would
cost more than waiting for it. On a slower disk it must not hold up reads, and goes to the thread."""

GATHER_US_MAX = 1_500
"""An inline sync waits, at most so long, while every turn of the loop brings more to write: the requests that
are arriving now share it."""

THREAD_SYNCS = 1_000
"""How many syncs the thread makes before the loop tries again."""


class Scheduler(Protocol):
    """Time and threads, so that a simulation can supply its own."""

    def now_us(self) -> int:
        """A monotonic clock that also runs while the process is stopped or the machine sleeps."""
        ...

    def call_soon(self, callback: Callable[[], None]) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any: ...

    def run_blocking(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """Run `work` beside the loop; then `done`, on the loop."""
        ...


@dataclass(slots=True)
class _Taken:
    """A Ready in this pass's batch. `results`: what its committed entries came to."""

    replica: Replica
    ready: Ready
    results: list[Result]


class Engine:
    """`send(peer, message)` hands a raft message to a peer node; it may lose it. `on_failure` is told once
    of a store that failed: the node must then be stopped, its data kept."""

    def __init__(
        self,
        store: Store,
        scheduler: Scheduler,
        send: Callable[[str, RaftMessage], None],
        on_failure: Callable[[StoreError], None],
        reserve_bytes: int | None = None,
        inline_sync_us_max: int = INLINE_SYNC_US_MAX,
    ) -> None:
        self.replicas: dict[int, Replica] = {}
        self.syncs = 0
        self.sync_seconds = 0.0
        self.writes = 0
        self._store = store
        self._scheduler = scheduler
        self._send = send
        self._on_failure = on_failure
        self._guard = DiskGuard(store, reserve_bytes)
        self._allowed = Writes.ALL
        self._awake: list[Replica] = []
        self._scheduled = False
        self._unsynced: list[_Taken] = []
        self._syncing: list[_Taken] | None = None
        self._sync_started_us = 0
        self._gather_until_us = 0
        self._inline_sync_us_max = inline_sync_us_max
        self._inline_sync_us = 0.0  # a moving average
        self._thread_syncs_left = 0 if inline_sync_us_max else 1
        self._stopped = False
        self._ticks = 0

    def start(self) -> None:
        self._look_at_disk()
        self._scheduler.call_later(TICK_SECONDS, self._tick)

    def stop(self) -> None:
        """No further pass, tick or answer. A sync that is running may end; nothing follows it."""
        self._stopped = True
        self._allowed = Writes.NONE
        for replica in list(self.replicas.values()):
            replica.close()

    def now_us(self) -> int:
        return self._scheduler.now_us()

    def writable(self) -> bool:
        return self._allowed is Writes.ALL

    @property
    def running(self) -> bool:
        return not self._stopped

    def add(self, replica: Replica) -> None:
        self.replicas[replica.group] = replica
        self.wake(replica)

    def remove(self, group: int) -> Replica | None:
        replica = self.replicas.pop(group, None)
        if replica is not None:
            replica.close()
        return replica

    def wake(self, replica: Replica) -> None:
        if not replica.awake:
            replica.awake = True
            self._awake.append(replica)
        if not self._scheduled:
            self._scheduled = True
            self._scheduler.call_soon(self._pass)

    def step(self, message: RaftMessage) -> bool:
        """A raft message from a peer. False when this node holds no such group."""
        replica = self.replicas.get(message.group)
        if replica is None:
            return False
        if self._allowed is not Writes.ALL and isinstance(message, AppendRequest) and message.entries:
            return True  # a full follower neither stores nor acknowledges; its leader sends again later
        replica.step(message, self._scheduler.now_us())
        return True

    def write(self, batch: Batch) -> bool:
        """Into the store. False when that failed, and with it the node."""
        if not len(batch):
            return True
        try:
            self._store.write(batch)
        except StoreError as error:
            self._fail(error)
            return False
        self.writes += 1
        return True

    def unreachable(self, peer: str) -> None:
        """The link to a peer broke."""
        for replica in self.replicas.values():
            replica.core.unreachable(peer)
            self.wake(replica)

    def _pass(self) -> None:
        self._scheduled = False
        if self._stopped or self._look_at_disk() is Writes.NONE:
            return  # where not even a vote fits, the next tick looks again
        batch = self._store.batch()
        taken = self._take_ready(batch)
        if not self.write(batch):
            return
        for each in taken:
            replica = each.replica
            replica.after_write(each.ready)
            if each.ready.needs_sync or replica.alone:
                self._unsynced.append(each)
            if replica.core.has_ready():  # a batch cut at its cap
                self.wake(replica)
        if self._unsynced and self._syncing is None:
            self._start_sync()  # before the answers: the disk works while they are made
        for each in taken:
            if not each.replica.alone:
                each.replica.settle(each.results)

    def _take_ready(self, batch: Batch) -> list[_Taken]:
        """Take a Ready from every awake replica, send what need not wait, and fill the batch."""
        awake, self._awake = self._awake, []
        taken: list[_Taken] = []
        for replica in awake:
            replica.awake = False
            core = replica.core
            if not core.has_ready() or self.replicas.get(replica.group) is not replica:
                continue
            self._take(replica, batch, taken)
            if replica.alone:
                # Its own disk decides alone: entry and effect share this batch, and are answered (and shown to
                # readers) together, once it is synced.
                core.persisted(taken[-1].ready.number)
                while core.has_ready():
                    self._take(replica, batch, taken)
        return taken

    def _take(self, replica: Replica, batch: Batch, taken: list[_Taken]) -> None:
        ready = replica.core.ready()
        for peer, message in ready.messages:
            self._send(peer, message)
        taken.append(_Taken(replica, ready, replica.write_ready(ready, batch)))

    def _start_sync(self) -> None:
        self._syncing, self._unsynced = self._unsynced, []
        if self._thread_syncs_left:
            if self._inline_sync_us_max:
                self._thread_syncs_left -= 1
            self._sync_started_us = self._scheduler.now_us()
            self._scheduler.run_blocking(self._store.sync, self._synced)
        else:
            # Not at once: what this pass sends must leave first, so that the disks of the group work together.
            self._gather_until_us = self._scheduler.now_us() + GATHER_US_MAX
            self._scheduler.call_soon(self._sync_inline)

    def _sync_inline(self) -> None:
        if self._stopped:
            return
        assert self._syncing is not None
        self._sync_started_us = started_us = self._scheduler.now_us()
        if self._awake and started_us < self._gather_until_us:
            self._scheduler.call_soon(self._sync_inline)
            return
        self._syncing += self._unsynced
        self._unsynced = []
        try:
            self._store.sync()
        except StoreError as error:
            self._synced(error)
            return
        taken_us = self._scheduler.now_us() - started_us
        self._inline_sync_us += (taken_us - self._inline_sync_us) / 8
        if self._inline_sync_us > self._inline_sync_us_max:
            self._inline_sync_us = 0.0
            self._thread_syncs_left = THREAD_SYNCS
        self._synced(None)

    def _synced(self, error: BaseException | None) -> None:
        if self._stopped:
            return
        if error is not None:
            # After a failed fsync nobody knows what is on disk: nothing of it may be acknowledged, ever.
            self._fail(error if isinstance(error, StoreError) else StoreError(str(error)))
            return
        self.syncs += 1
        self.sync_seconds += (self._scheduler.now_us() - self._sync_started_us) / 1e6
        synced, self._syncing = self._syncing or [], None
        for each in synced:
            replica = each.replica
            if self.replicas.get(replica.group) is not replica:
                continue  # it left this node meanwhile, and told those who waited
            if replica.alone:
                replica.settle(each.results)
            else:
                replica.core.persisted(each.ready.number)
                for peer, message in each.ready.after_sync:
                    self._send(peer, message)
                self.wake(replica)
        if self._unsynced:
            self._start_sync()

    def _tick(self) -> None:
        """One tick for every group. Re-armed from here, so that a paused process does not tick in bursts:
        a follower's election timeout must never run faster than real time (leases rely on it)."""
        if self._stopped:
            return
        self._scheduler.call_later(TICK_SECONDS, self._tick)
        now_us = self._scheduler.now_us()
        for replica in self.replicas.values():
            core = replica.core
            core.tick(now_us)
            if core.has_ready() or replica.awake:
                self.wake(replica)
        self._ticks += 1
        if self._ticks % 10 == 0 and self._look_at_disk() is not Writes.NONE:
            self._truncate_logs()

    def _truncate_logs(self) -> None:
        batch = self._store.batch()
        for replica in self.replicas.values():
            replica.truncate(batch)
        self.write(batch)

    def _look_at_disk(self) -> Writes:
        """What may be written now. Said in the log when it changes: an operator has to make room."""
        before = self._allowed
        self._allowed = now = self._guard.allowed()
        if now is Writes.NONE:
            # What was proposed when the disk filled may wait for ever; those who wait for it must not.
            for replica in self.replicas.values():
                replica.abandon()
        if now is not before:
            if now is Writes.ALL:
                _log.warning("the disk has room again: writes are accepted")
            else:
                _log.error(
                    "the disk is nearly full, or too far behind: writes are refused until it has recovered",
                    extra={
                        "reserve_bytes": self._guard.reserve_bytes,
                        "free_bytes": self._store.free_bytes(),
                    },
                )
        return now

    def _fail(self, error: StoreError) -> None:
        self.stop()
        self._on_failure(error)
