"""What a leader puts into its log, and when an answer is enough."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from kvorum.control.messages import WriteAnswer, WriteItem
from kvorum.control.state import Partition as Descriptor
from kvorum.model import keys, legacy, record
from kvorum.model.requests import Delete, Expressions, Item, Legacy, Update, Write
from kvorum.model.table import KeyPart, KeySchema, Table, TableStatus
from kvorum.node.commands import Mutate
from kvorum.node.memory_store import MemoryStore
from kvorum.node.partition import Partition
from kvorum.node.partition_machine import PartitionMachine
from kvorum.replication.clock import HybridClock

SCHEMA = KeySchema(KeyPart("pk", "S"))
KEY: Item = {"pk": {"S": "a"}}


class _Replica:
    """A leader whose proposals are kept, and whose leadership needs no proof."""

    def __init__(self) -> None:
        self.serving = True
        self.leader = "here"
        self.core = SimpleNamespace(term=1)
        self.proposed: list[Mutate] = []

    def propose(self, _data: bytes, command: Mutate, done: Any) -> int:
        self.proposed.append(command)
        done(len(self.proposed))
        return len(self.proposed)

    def confirm(self, done: Any) -> None:
        done(True)


def _write(write: Write, regions: tuple[str, ...]) -> list[Mutate]:
    """What the log gets for a write to an item that is not there."""
    table = Table(
        id=1, name="T", status=TableStatus.ACTIVE, keys=SCHEMA, uuid="u", created_ms=0, regions=regions
    )
    descriptor = Descriptor(
        id=7, table_id=1, lower=0, upper=keys.TOKENS - 1, epoch=1, replicas=("here",), preferred_leader="here"
    )
    store, clock, replica = MemoryStore(), HybridClock(), _Replica()
    machine = PartitionMachine(7, 1, store, clock)
    partition = Partition(
        descriptor, table, "west", machine, cast("Any", replica), store, clock, lambda: 1_700_000_000_000
    )
    answers: list[Any] = []
    partition.write_item(WriteItem(7, 1, write), answers.append)
    (answer,) = answers
    assert isinstance(answer, WriteAnswer)
    return replica.proposed


_KEY_BYTES = keys.encode_key(SCHEMA, KEY)
_TAKES_AWAY = (
    Expressions(update="REMOVE a"),
    Expressions(legacy=Legacy(updates=legacy.read_updates({"a": {"Action": "DELETE"}}))),
)


@pytest.mark.parametrize("regions", [(), ("west", "east")])
@pytest.mark.parametrize("expressions", _TAKES_AWAY)
def test_an_update_that_finds_nothing_to_take_away_is_no_change(
    expressions: Expressions, regions: tuple[str, ...]
) -> None:
    """Least of all a deletion, which would take the item from a region where it is."""
    assert _write(Update(_KEY_BYTES, KEY, expressions), regions) == []


def test_a_deletion_of_nothing_is_told_to_other_regions_alone() -> None:
    assert _write(Delete(_KEY_BYTES), ()) == []
    ((mutation,),) = (command.mutations for command in _write(Delete(_KEY_BYTES), ("west", "east")))
    assert mutation.record is not None
    assert record.is_tombstone(mutation.record)
    assert mutation.log
