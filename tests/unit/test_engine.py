"""What the engine still does for a replica that has left its node."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from kvorum.node.engine import Engine
from kvorum.node.memory_store import MemoryStore
from kvorum.node.raft_log import RaftLog
from kvorum.node.replica import Replica
from kvorum.node.store import Batch
from kvorum.replication.raft.core import Core, Settings
from kvorum.replication.raft.messages import Entry

GROUP = 7


class Machine:
    """Keeps what it was told to show."""

    def __init__(self) -> None:
        self.applied = 0
        self.shown: list[int] = []

    def apply(self, entry: Entry, command: Any, batch: Batch) -> int:
        return entry.index

    def checkpoint(self, index: int, batch: Batch) -> None: ...

    def show(self, index: int) -> None:
        self.shown.append(index)

    def leadership_changed(self) -> None: ...


class Scheduler:
    """Turns of the loop, and a disk that is done when the test says so."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.syncs: list[Callable[[], None]] = []

    def now_us(self) -> int:
        return 1_000_000

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None: ...

    def run_blocking(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        self.syncs.append(lambda: (work(), done(None))[1])

    def run(self) -> None:
        while self.soon:
            self.soon.pop(0)()

    def end_syncs(self) -> None:
        while self.syncs:
            self.syncs.pop(0)()
            self.run()


def _lone_leader() -> tuple[Scheduler, Engine, Replica, Machine]:
    scheduler, store, machine = Scheduler(), MemoryStore(), Machine()
    engine = Engine(store, scheduler, lambda *_: None, lambda _: None, inline_sync_us_max=0)
    engine.start()
    log = RaftLog(store, GROUP)
    core = Core(
        group=GROUP,
        name="a",
        voters=("a",),
        storage=log,
        hard_state=log.load_hard_state(),
        applied=0,
        settings=Settings(),
        random=Random(1),
        now_us=0,
    )
    replica = Replica(GROUP, core, log, machine, engine)
    engine.add(replica)
    core.campaign(engine.now_us())
    engine.wake(replica)
    scheduler.run()
    scheduler.end_syncs()
    assert replica.serving
    machine.shown.clear()
    return scheduler, engine, replica, machine


def test_what_a_lone_voter_wrote_is_shown_once_it_is_synced() -> None:
    scheduler, _, replica, machine = _lone_leader()
    answers: list[Any] = []
    index = replica.propose(b"", object(), answers.append)
    scheduler.run()
    assert (machine.shown, answers) == ([], [])
    scheduler.end_syncs()
    assert (machine.shown, answers) == ([index], [index])


def test_a_replica_that_was_removed_during_a_sync_shows_nothing_any_more() -> None:
    """Its partition is gone from the node: what it showed would set senders in motion that nobody stops."""
    scheduler, engine, replica, machine = _lone_leader()
    replica.propose(b"", object(), lambda _: None)
    scheduler.run()
    engine.remove(GROUP)
    scheduler.end_syncs()
    assert machine.shown == []
