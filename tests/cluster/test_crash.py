"""`kvorum dev`, killed with -9 in the middle of writes, again and again: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import dynamo
from tests.kit.history import check_items, is_linearizable, register
from tests.kit.processes import REGIONS, kvorum_dev
from tests.kit.workload import TABLE, WHOLE_TABLE, Record, Writer, final_observations

pytestmark = pytest.mark.cluster

CRASHES = 6
WRITERS = 8
WRITES_BEFORE_CRASH = (50, 500)


def test_acknowledged_writes_outlive_kill_9(tmp_path: Path) -> None:
    record = Record()
    with kvorum_dev(tmp_path, regions=REGIONS[:1]) as dev:
        dynamo.create_table(dev.url, TABLE)
        for number in range(CRASHES):
            asyncio.run(_write_until_crash(dev.url, record, number, dev.kill_all))
            dev.start()
            dev.wait_ready()
            violations = check_items(record.writes, record.observations + final_observations(dev.url))
            assert not violations, violations[:5]
        for key, operations in record.registers.items():
            assert is_linearizable(operations, None, register), key
        outcomes = record.outcomes()
        print(f"\n{CRASHES} crashes, {len(record.writes)} writes: {outcomes}")
        assert outcomes["unknown"] > 0, "no crash hit a write: this proves nothing"


async def _write_until_crash(url: str, record: Record, number: int, crash: Callable[[], None]) -> None:
    dice = random.Random(number)
    enough = len(record.writes) + dice.randrange(*WRITES_BEFORE_CRASH)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for writer in range(WRITERS):
            name = f"r{number}w{writer}"
            group.create_task(
                Writer(name, REGIONS[0], url, WHOLE_TABLE, record, random.Random(name)).run(stop)
            )
        while len(record.writes) < enough:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(crash)
        stop.set()
