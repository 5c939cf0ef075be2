"""What a replica that is behind says to a caller who has seen more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from kvorum.control.messages import Elsewhere, PageAnswer, ReadItem, ReadRange, RecordAnswer
from kvorum.control.state import Partition as Descriptor
from kvorum.model import keys
from kvorum.model.table import KeyPart, KeySchema, Table, TableStatus
from kvorum.node.memory_store import MemoryStore
from kvorum.node.partition import Partition
from kvorum.node.partition_machine import PartitionMachine
from kvorum.replication.clock import HybridClock

_KEY = keys.encode_key(KeySchema(KeyPart("pk", "S")), {"pk": {"S": "a"}})
_READS = (
    (ReadItem(7, 1, _KEY, False, 5), RecordAnswer),
    (ReadRange(7, 1, _KEY, _KEY + b"\xff", False, 0, 1_000, False, 5), PageAnswer),
)


class _Behind:
    """A partition at index 4 of a replica that follows `leader`; the clock is the test's."""

    def __init__(self, leader: str | None, *, leads: bool = False) -> None:
        self.now_ms = 1_000
        self.answers: list[Any] = []
        table = Table(
            id=1,
            name="T",
            status=TableStatus.ACTIVE,
            keys=KeySchema(KeyPart("pk", "S")),
            uuid="u",
            created_ms=0,
            regions=(),
        )
        descriptor = Descriptor(
            id=7,
            table_id=1,
            lower=0,
            upper=keys.TOKENS - 1,
            epoch=1,
            replicas=("here", "there"),
            preferred_leader="there",
        )
        store, clock = MemoryStore(), HybridClock()
        self.machine = PartitionMachine(7, 1, store, clock)
        self.machine.shown = 4
        self.replica = SimpleNamespace(
            suspect=False,
            serving=leads,
            alone=False,
            leader=leader,
            group=7,
            core=SimpleNamespace(is_leader=leads, term=1),
        )
        self.partition = Partition(
            descriptor,
            table,
            "west",
            self.machine,
            cast("Any", self.replica),
            store,
            clock,
            lambda: self.now_ms,
        )

    def ask(self, message: ReadItem | ReadRange) -> None:
        if isinstance(message, ReadItem):
            self.partition.read_item(message, self.answers.append)
        else:
            self.partition.read_range(message, self.answers.append)

    def pass_time(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.partition.expire()


@pytest.mark.parametrize(("message", "answer"), _READS)
def test_it_waits_for_what_the_caller_has_seen(message: ReadItem | ReadRange, answer: type) -> None:
    behind = _Behind("there")
    behind.ask(message)
    behind.pass_time(99)
    assert behind.answers == []
    behind.machine.shown = 5
    behind.partition.catch_up()
    assert [type(one) for one in behind.answers] == [answer]


@pytest.mark.parametrize(("message", "_answer"), _READS)
def test_it_sends_the_caller_on_to_the_leader(message: ReadItem | ReadRange, _answer: type) -> None:
    behind = _Behind("there")
    behind.ask(message)
    behind.pass_time(100)
    assert behind.answers == [Elsewhere(7, "there")]


@pytest.mark.parametrize(("leader", "leads"), [(None, False), ("here", True)])
@pytest.mark.parametrize(("message", "answer"), _READS)
def test_with_nobody_to_send_to_it_reads_what_there_is(
    message: ReadItem | ReadRange, answer: type, leader: str | None, leads: bool
) -> None:
    behind = _Behind(leader, leads=leads)
    behind.ask(message)
    behind.pass_time(499)
    assert behind.answers == []
    behind.pass_time(1)
    assert [type(one) for one in behind.answers] == [answer]


def test_it_may_hear_of_a_leader_late() -> None:
    behind = _Behind(None)
    behind.ask(_READS[0][0])
    behind.pass_time(300)
    behind.replica.leader = "there"
    behind.pass_time(1)
    assert behind.answers == [Elsewhere(7, "there")]
