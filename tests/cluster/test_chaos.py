"""Two regions of real processes that are killed with -9 or paused, with writers in both: nothing acknowledged is
lost, the regions end up identical, global indexes show what their table holds, registers stay linearizable, and a
dead leader is missed for less than two seconds. docs/chaos.md tells what came out.

CHAOS_SECONDS sets how long it goes on (20 by default), CHAOS_SEED repeats a schedule; both are printed.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import statistics
import time
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.kit import dynamo
from tests.kit.history import check_items, is_linearizable, register
from tests.kit.processes import REGIONS, Up, get, kvorum_up, until
from tests.kit.workload import (
    INDEXES,
    KEYS,
    TABLE,
    Record,
    Writer,
    indexed,
    observation,
    ranges_by_region,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

WRITERS = 16
KILL_EVERY_SECONDS = 3.0
ROUTER_KILL_EVERY_SECONDS = 5.0
OUTAGE_SECONDS_MAX = 2.0

_LEADS = re.compile(r'^kvorum_leads\{.*partition="(\d+)".*\} 1\.0$', re.MULTILINE)


class Faults(Enum):
    """What happens to a random node of each region every KILL_EVERY_SECONDS."""

    NODES_DIE = "nodes die"
    ROUTERS_DIE_TOO = "routers die too"
    NODES_PAUSE = "nodes pause"


@dataclass(frozen=True, slots=True)
class Death:
    """kill -9 of a node, or the beginning of its pause, and the partitions that it led."""

    at: float
    region: str
    name: str
    partitions: tuple[int, ...]


def _seconds(default: float) -> float:
    return float(os.environ.get("CHAOS_SECONDS", default))


def _seed() -> int:
    return int(os.environ.get("CHAOS_SEED", random.randrange(1 << 32)))


@pytest.mark.parametrize(
    ("faults", "seconds"),
    [(Faults.NODES_DIE, 20), (Faults.ROUTERS_DIE_TOO, 12), (Faults.NODES_PAUSE, 12)],
    ids=("nodes-die", "routers-die-too", "nodes-pause"),
)
def test_nothing_acknowledged_is_lost(tmp_path: Path, faults: Faults, seconds: float) -> None:
    seconds = float(os.environ.get("CHAOS_SECONDS", seconds))
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(1 << 32)))
    print(f"\nCHAOS_SEED={seed} CHAOS_SECONDS={seconds:g}: {faults.value}")
    with kvorum_up(tmp_path) as up:
        dynamo.create_table(up.urls[REGIONS[0]], TABLE, indexes=INDEXES)
        for url in up.urls.values():
            until(lambda: dynamo.is_active(url, TABLE), 10, "the table in both regions")  # noqa: B023
        record = Record()
        deaths = asyncio.run(_storm(up, record, seconds, seed, faults))
        up.wait_all_ready()
        _wait_exchanged(up)
        invoked = time.time()
        here, there = (dynamo.scan(url, TABLE) for url in up.urls.values())
        outages = _report(record, deaths, seconds)
        different = [key for key in here.keys() | there.keys() if here.get(key) != there.get(key)]
        assert not different, f"items differ between the regions: {different[:5]}"
        for url in up.urls.values():
            _check_indexes(url, here)
        final = [observation(key, None, here.get(key, {}), invoked, time.time()) for key in KEYS]
        violations = check_items(record.writes, record.observations + final)
        assert not violations, f"{len(violations)} violations: {violations[:5]}"
        for key, operations in record.registers.items():
            assert is_linearizable(operations, None, register), f"{key} is not linearizable"
        assert record.outcomes()["done"] > seconds * 20, "hardly anything was written: this proves nothing"
        assert outages, "no leader was hit: this proves nothing"
        if faults is Faults.NODES_DIE:  # a router that is down is down for every partition
            assert _percentile(outages, 99) < OUTAGE_SECONDS_MAX, sorted(outages)[-5:]


async def _storm(up: Up, record: Record, seconds: float, seed: int, faults: Faults) -> list[Death]:
    """Writers write and processes die for `seconds`; then the writers go on for a moment, undisturbed."""
    ranges = ranges_by_region(await asyncio.to_thread(up.status))
    stop = asyncio.Event()
    deaths: list[Death] = []
    async with asyncio.TaskGroup() as group:
        for number in range(WRITERS):
            region = REGIONS[number % len(REGIONS)]
            writer = Writer(
                f"w{number}",
                region,
                up.urls[region],
                ranges[region],
                record,
                random.Random(f"{seed}/{number}"),
            )
            group.create_task(writer.run(stop))
        async with asyncio.TaskGroup() as killers:
            for region in REGIONS:
                dice = random.Random(f"{seed}/{region}")
                killers.create_task(_hit_nodes(up, region, deaths, seconds, dice, faults))
                if faults is Faults.ROUTERS_DIE_TOO:
                    killers.create_task(_kill_router(up, region, seconds, dice))
        await asyncio.sleep(KILL_EVERY_SECONDS)
        stop.set()
    return deaths


async def _hit_nodes(
    up: Up, region: str, deaths: list[Death], seconds: float, dice: random.Random, faults: Faults
) -> None:
    paused_seconds = 0.0
    for _ in range(int(seconds / KILL_EVERY_SECONDS)):
        await asyncio.sleep(KILL_EVERY_SECONDS - paused_seconds)
        victim = dice.choice(up.nodes(region))
        page = await asyncio.to_thread(get, f"http://{victim.metrics}/metrics", 1.0)
        led = tuple(int(number) for number in _LEADS.findall(page.body)) if page is not None else ()
        death = Death(time.time(), region, victim.name, led)
        if faults is Faults.NODES_PAUSE:
            up.pause(region, victim.name)
            deaths.append(death)
            paused_seconds = dice.uniform(0.2, KILL_EVERY_SECONDS - 0.5)
            await asyncio.sleep(paused_seconds)
            up.resume(region, victim.name)
        elif up.kill(region, victim.name) is not None:
            deaths.append(death)


async def _kill_router(up: Up, region: str, seconds: float, dice: random.Random) -> None:
    for _ in range(int(seconds / ROUTER_KILL_EVERY_SECONDS)):
        await asyncio.sleep(ROUTER_KILL_EVERY_SECONDS)
        up.kill(region, dice.choice(up.routers(region)).name)


def _wait_exchanged(up: Up) -> None:
    """Until every node is there, every partition led, and no region owes the other anything."""

    def settled() -> bool:
        status = up.status()
        return all(
            all(node["up"] for node in region["nodes"])
            and all(partition["leader"] for partition in region["partitions"])
            and region["lag_ms"]
            and not any(region["lag_ms"].values())
            and len(region["index_lag_ms"]) == len(INDEXES)
            and not any(region["index_lag_ms"].values())
            for region in status
        )

    until(settled, 30, "both regions' lag at 0")


def _check_indexes(url: str, items: dict[str, dict[str, Any]]) -> None:
    """An index is read from any replica: the last of them is given a moment."""
    for attribute in INDEXES:
        expected = indexed(items, attribute)
        assert expected, f"nothing has a {attribute}: this proves nothing"
        deadline = time.monotonic() + 3
        while (held := dynamo.scan(url, TABLE, f"by-{attribute}")) != expected:
            different = [key for key in held.keys() | expected.keys() if held.get(key) != expected.get(key)]
            assert time.monotonic() < deadline, f"the index by {attribute} differs: {different[:5]}"
            time.sleep(0.1)


def _outages(record: Record, deaths: list[Death]) -> list[float]:
    """For every led partition of every death: the longest time without a successful write that began before
    the leader had been dead for half a second, from its death on."""
    found: list[float] = []
    for death in deaths:
        for partition in death.partitions:
            successes = record.successes.get((death.region, partition))
            if not successes:
                continue
            times = sorted(successes)
            longest = 0.0
            for before, after in pairwise(times):
                if after > death.at and before < death.at + 0.5:
                    longest = max(longest, after - max(before, death.at))
            if times[-1] <= death.at:
                longest = float("inf")
            found.append(longest)
    return found


def _report(record: Record, deaths: list[Death], seconds: float) -> list[float]:
    outages = _outages(record, deaths)
    print(
        f"{len(record.writes)} writes in {seconds:g} s: {record.outcomes()}; {len(record.observations)} reads"
    )
    print(f"errors: {dict(record.errors)}; slowest answer {record.slowest_seconds:.2f} s")
    print(f"{len(deaths)} nodes hit, {len(outages)} partitions lost their leader")
    if outages:
        print(
            f"without a leader: median {statistics.median(outages):.2f} s, p90 {_percentile(outages, 90):.2f},"
            f" p99 {_percentile(outages, 99):.2f}, longest {max(outages):.2f}"
        )
        print("all: " + " ".join(f"{outage:.2f}" for outage in sorted(outages)))
    return outages


def _percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
