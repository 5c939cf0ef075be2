"""A replica that may have lost its disk does not vote before it is safe, not even after a restart."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from kvorum.node.memory_store import MemoryStore
from kvorum.node.raft_log import RaftLog
from kvorum.node.replica import Replica
from kvorum.node.store import Batch, Store
from kvorum.replication.raft.core import Core, Settings
from kvorum.replication.raft.messages import (
    AppendRequest,
    Entry,
    EntryKind,
    Heartbeat,
    RaftMessage,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)

GROUP = 0
VOTERS = ("a", "b", "c")
LATER_US = 10_000_000  # after every promise


class NullMachine:
    """Applies nothing."""

    applied = 0

    def apply(self, entry: Entry, command: Any, batch: Batch) -> None: ...

    def checkpoint(self, index: int, batch: Batch) -> None: ...

    def show(self, index: int) -> None: ...

    def leadership_changed(self) -> None: ...


class NullEngine:
    running = True

    def wake(self, replica: Replica) -> None: ...

    def now_us(self) -> int:
        return LATER_US

    def writable(self) -> bool:
        return True


def start(name: str, store: Store) -> Replica:
    """As a node starts its control replica."""
    log = RaftLog(store, GROUP)
    core = Core(
        group=GROUP,
        name=name,
        voters=VOTERS,
        storage=log,
        hard_state=log.load_hard_state(),
        applied=0,
        settings=Settings(),
        random=Random(1),
        now_us=0,
    )
    suspect = not RaftLog.may_vote(store, GROUP)
    return Replica(GROUP, core, log, NullMachine(), NullEngine(), suspect=suspect)


def settle(replica: Replica, store: Store) -> list[tuple[str, RaftMessage]]:
    """Passes until nothing is left to do; what it sent."""
    sent: list[tuple[str, RaftMessage]] = []
    while replica.core.has_ready():
        ready = replica.core.ready()
        batch = store.batch()
        results = replica.write_ready(ready, batch)
        store.write(batch)
        replica.after_write(ready)
        replica.settle(results)
        replica.core.persisted(ready.number)
        sent += [*ready.messages, *ready.after_sync]
    return sent


def asks_for_vote(sender: str, last_index: int, term: int = 9) -> VoteRequest:
    return VoteRequest(GROUP, sender, term, last_index, min(last_index, 1), pre=False, transfer=False)


def append(term: int, entries: list[Entry], commit: int, previous: tuple[int, int] = (0, 0)) -> AppendRequest:
    return AppendRequest(GROUP, "a", term, previous[0], previous[1], entries, commit, 0, 1)


def entry(index: int, term: int) -> Entry:
    return Entry(index, term, EntryKind.NO_OP, b"")


def grants(replica: Replica, store: Store, request: VoteRequest) -> bool:
    replica.step(request, LATER_US)
    replies = [message for _, message in settle(replica, store) if isinstance(message, VoteReply)]
    return any(reply.granted and not reply.pre for reply in replies)


def test_an_empty_replica_is_deaf_to_a_candidate() -> None:
    store = MemoryStore()
    replica = start("b", store)
    assert not grants(replica, store, asks_for_vote("c", 7))
    replica.step(TimeoutNow(GROUP, "a", 3), LATER_US)
    assert not any(isinstance(message, VoteRequest) for _, message in settle(replica, store))


def test_a_group_forms_when_every_log_is_empty() -> None:
    """One empty candidate is not enough: the third may have what both have lost."""
    store = MemoryStore()
    replica = start("b", store)
    assert not grants(replica, store, asks_for_vote("a", 0))
    assert replica.suspect
    assert grants(replica, store, asks_for_vote("c", 0, term=10))
    assert not replica.suspect


def test_the_first_of_the_beginners_asks_at_once() -> None:
    store = MemoryStore()
    replica = start("a", store)
    for sender in ("b", "c"):
        replica.step(VoteRequest(GROUP, sender, 1, 0, 0, pre=True, transfer=False), LATER_US)
    asked = [message for _, message in settle(replica, store) if isinstance(message, VoteRequest)]
    assert asked
    assert all(request.pre for request in asked)


def test_suspicion_outlives_a_restart() -> None:
    """A heartbeat leaves a term on the disk; that alone must not look like a replica in good order."""
    store = MemoryStore()
    replica = start("b", store)
    replica.step(Heartbeat(GROUP, "a", 3, 0, 0, 1, 0), 0)
    settle(replica, store)
    assert RaftLog.exists(store, GROUP)
    again = start("b", store)
    assert again.suspect
    assert not grants(again, store, asks_for_vote("c", 7))


@pytest.mark.parametrize("commit", [0, 2])
def test_what_an_older_leader_committed_is_not_enough(commit: int) -> None:
    """Entries that a new leader holds may be committed without its knowing, until one of its own term is."""
    store = MemoryStore()
    replica = start("b", store)
    replica.step(append(4, [entry(1, 1), entry(2, 1)], commit), 0)
    settle(replica, store)
    assert replica.suspect
    assert not grants(replica, store, asks_for_vote("c", 7))


def test_a_part_of_what_the_leader_committed_is_not_enough() -> None:
    store = MemoryStore()
    replica = start("b", store)
    replica.step(append(4, [entry(1, 4)], commit=9), 0)
    settle(replica, store)
    assert replica.core.commit_index == 1
    assert replica.suspect


def test_with_everything_committed_it_votes_again() -> None:
    store = MemoryStore()
    replica = start("b", store)
    replica.step(append(4, [entry(1, 1), entry(2, 4)], commit=2), 0)
    settle(replica, store)
    assert not replica.suspect
    assert RaftLog.may_vote(store, GROUP)
    assert grants(start("b", store), store, VoteRequest(GROUP, "c", 9, 7, 4, pre=False, transfer=False))
