"""The door for peer regions: changes find their partitions, and are acknowledged only when all are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    PeerCommand,
    Proposed,
    ReadStatus,
    Refused,
    ShipAnswer,
    ShipChanges,
    ShippedChange,
)
from kvorum.control.state import (
    Command,
    CreateTable,
    DeleteTable,
    Ended,
    Partition,
    RegisterNode,
    Update,
    UpdateTable,
)
from kvorum.model import record
from kvorum.model.errors import ApiError, service_unavailable
from kvorum.model.table import KeyPart, KeySchema, Table, TableStatus
from kvorum.replication.link import Link
from kvorum.router.region_door import IN_FLIGHT_MAX, RegionDoor

KEYS = KeySchema(KeyPart("id", "S"))
HALF = 1 << 63
NOBODY = cast("Link", None)


def _directory() -> Directory:
    """One global table in two halves, and one that has ended."""
    table = Table(
        id=3,
        name="orders",
        status=TableStatus.ACTIVE,
        keys=KEYS,
        uuid="u",
        created_ms=1,
        global_id="orders@eu",
        regions=("eu", "us"),
        aliases=("orders@us",),
    )
    halves = [
        Partition(
            id=number,
            table_id=3,
            lower=lower,
            upper=lower + HALF - 1,
            epoch=1,
            replicas=("n1",),
            preferred_leader="n1",
        )
        for number, lower in ((7, 0), (8, HALF))
    ]
    directory = Directory()
    updates = [
        Update("table", "orders", table),
        *(Update("partition", str(half.id), half) for half in halves),
        Update("ended", "old@eu", Ended(global_id="old@eu", name="old", number=1, detach=False)),
    ]
    assert directory.receive(1, True, updates)
    return directory


def _change(token: int, stamp: int = 1) -> ShippedChange:
    return ShippedChange(token.to_bytes(8, "big") + b"k", record.encode(b"{}", 2, stamp, b"us"))


LOW, HIGH = _change(5), _change(HALF + 5)


class Region:
    """What lies behind the door: merges succeed, one change in each loses; `trouble` makes partitions fail."""

    def __init__(self, trouble: dict[int, ApiError] | None = None) -> None:
        self.merged: list[tuple[int, str, list[ShippedChange]]] = []
        self.proposed: list[Command] = []
        self.door = RegionDoor(_directory(), self.merge, self.propose)
        self.gate = asyncio.Event()
        self.gate.set()
        self._trouble = trouble or {}

    async def merge(self, partition: Partition, origin: str, changes: list[ShippedChange]) -> ShipAnswer:
        await self.gate.wait()
        if partition.id in self._trouble:
            raise self._trouble[partition.id]
        self.merged.append((partition.id, origin, changes))
        return ShipAnswer(1)

    async def propose(self, command: Command) -> Proposed:
        self.proposed.append(command)
        return Proposed(4, [])

    async def ask(self, message: Any) -> Any:
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.door.handle(message, answered.set_result, NOBODY)
        return await answered


def _run(test: Callable[[], Awaitable[None]]) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(within_time())


def test_a_batch_is_split_by_partition_and_its_losses_are_added() -> None:
    async def test() -> None:
        region = Region()
        assert await region.ask(ShipChanges("orders@eu", "us", [LOW, HIGH, LOW])) == ShipAnswer(2)
        assert sorted(region.merged) == [(7, "us", [LOW, LOW]), (8, "us", [HIGH])]
        assert await region.ask(ShipChanges("orders@us", "us", [HIGH])) == ShipAnswer(1)  # by its alias
        assert await region.ask(ShipChanges("orders@eu", "us", [])) == ShipAnswer(0)

    _run(test)


def test_one_part_that_fails_refuses_the_whole_batch_after_all_are_done() -> None:
    async def test() -> None:
        region = Region({8: service_unavailable()})
        answer = await region.ask(ShipChanges("orders@eu", "us", [HIGH, LOW]))
        assert isinstance(answer, Refused)
        assert answer.status == 503
        assert [number for number, _, _ in region.merged] == [7]

    _run(test)


def test_changes_of_a_table_that_is_not_born_here_yet_come_again_and_of_an_ended_one_do_not() -> None:
    async def test() -> None:
        region = Region()
        assert isinstance(await region.ask(ShipChanges("new@us", "us", [LOW])), Refused)
        assert await region.ask(ShipChanges("old@eu", "us", [LOW, HIGH])) == ShipAnswer(2)
        assert region.merged == []

    _run(test)


@pytest.mark.parametrize(
    "change",
    [
        ShippedChange(b"", LOW.record),
        ShippedChange(bytes(8), LOW.record),
        ShippedChange(LOW.key, b""),
        ShippedChange(LOW.key, LOW.record[:14]),
        ShippedChange(LOW.key, bytes(13) + b"\xff"),
    ],
)
def test_what_is_no_change_reaches_no_partition(change: ShippedChange) -> None:
    async def test() -> None:
        region = Region()
        assert isinstance(await region.ask(ShipChanges("orders@eu", "us", [LOW, change])), Refused)
        assert region.merged == []

    _run(test)


def test_commands_carry_their_origin_and_only_those_about_global_tables_pass() -> None:
    async def test() -> None:
        region = Region()
        end = DeleteTable(name="orders", global_id="orders@eu")
        birth = CreateTable(
            name="t",
            keys=KEYS,
            table_uuid="u",
            created_ms=1,
            global_id="t@us",
            regions=("eu", "us"),
            definition={},
            partitions=1,
        )
        update = UpdateTable(name="t", settings={}, updated_ms=1, births=(birth,))
        for command in (end, birth, update):
            assert await region.ask(PeerCommand("us", command)) == Proposed(4, [])
        assert [getattr(command, "origin", None) for command in region.proposed] == ["us"] * 3
        refused = [
            PeerCommand("us", RegisterNode(name="n", zone="z", address="a:1")),
            PeerCommand("us", DeleteTable(name="local")),
            PeerCommand("us", UpdateTable(name="local", settings={}, updated_ms=1)),
            PeerCommand("", end),
            ReadStatus(),
        ]
        for message in refused:
            assert isinstance(await region.ask(message), Refused)
        assert len(region.proposed) == 3

    _run(test)


def test_too_much_at_a_time_is_refused_and_a_stop_answers_everybody() -> None:
    async def test() -> None:
        region = Region()
        region.gate.clear()
        answers: list[Any] = []
        for _ in range(IN_FLIGHT_MAX + 3):
            region.door.handle(ShipChanges("orders@eu", "us", [LOW]), answers.append, NOBODY)
        assert len(answers) == 3
        await asyncio.sleep(0)
        await region.door.stop()
        assert len(answers) == IN_FLIGHT_MAX + 3
        assert all(isinstance(answer, Refused) for answer in answers)
        assert not answers[-1].definite

    _run(test)
