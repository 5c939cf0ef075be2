"""Two regions of real processes under kill -9, with writers in both: nothing acknowledged is lost, the regions end
up identical, registers stay linearizable, and a dead leader is missed for less than two seconds.

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
from itertools import pairwise
from pathlib import Path

import pytest

from tests.kit import dynamo
from tests.kit.history import check_items, is_linearizable, register
from tests.kit.processes import REGIONS, Up, get, kvorum_up, until
from tests.kit.workload import TABLE, Record, Writer, final_observations, ranges_by_region

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

WRITERS = 16
KILL_EVERY_SECONDS = 3.0
ROUTER_KILL_EVERY_SECONDS = 5.0
OUTAGE_SECONDS_MAX = 2.0

_LEADS = re.compile(r'^kvorum_leads\{.*partition="(\d+)".*\} 1\.0$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Death:
    """kill -9 of a process, and the partitions that it led."""

    at: float
    region: str
    name: str
    partitions: tuple[int, ...]


def _seconds(default: float) -> float:
    return float(os.environ.get("CHAOS_SECONDS", default))


def _seed() -> int:
    return int(os.environ.get("CHAOS_SEED", random.randrange(1 << 32)))


def test_nothing_acknowledged_is_lost_when_nodes_die(tmp_path: Path) -> None:
    _run_chaos(tmp_path, _seconds(20), kill_routers=False)


def test_nothing_acknowledged_is_lost_when_routers_die_too(tmp_path: Path) -> None:
    _run_chaos(tmp_path, _seconds(12), kill_routers=True)


def _run_chaos(directory: Path, seconds: float, *, kill_routers: bool) -> None:
    seed = _seed()
    print(f"\nCHAOS_SEED={seed} CHAOS_SECONDS={seconds:g}")
    with kvorum_up(directory) as up:
        dynamo.create_table(up.urls[REGIONS[0]], TABLE)
        for url in up.urls.values():
            until(lambda: dynamo.is_active(url, TABLE), 10, "the table in both regions")  # noqa: B023
        record = Record()
        deaths = asyncio.run(_storm(up, record, seconds, seed, kill_routers=kill_routers))
        up.wait_all_ready()
        _wait_exchanged(up)
        first, second = (final_observations(url) for url in up.urls.values())
        different = [
            (here, there)
            for here, there in zip(first, second, strict=True)
            if (here.value, here.base) != (there.value, there.base)
        ]
        outages = _report(record, deaths, seconds)
        assert not different, f"{len(different)} items differ between the regions: {different[:5]}"
        violations = check_items(record.writes, record.observations + first)
        assert not violations, f"{len(violations)} violations: {violations[:5]}"
        for key, operations in record.registers.items():
            assert is_linearizable(operations, None, register), f"{key} is not linearizable"
        assert record.outcomes()["done"] > seconds * 20, "hardly anything was written: this proves nothing"
        assert outages, "no leader died: this proves nothing"
        if not kill_routers:  # a router that is down is down for every partition
            assert _percentile(outages, 99) < OUTAGE_SECONDS_MAX, sorted(outages)[-5:]


async def _storm(up: Up, record: Record, seconds: float, seed: int, *, kill_routers: bool) -> list[Death]:
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
                killers.create_task(_kill_nodes(up, region, deaths, seconds, dice))
                if kill_routers:
                    killers.create_task(_kill_router(up, region, seconds, dice))
        await asyncio.sleep(KILL_EVERY_SECONDS)
        stop.set()
    return deaths


async def _kill_nodes(up: Up, region: str, deaths: list[Death], seconds: float, dice: random.Random) -> None:
    for _ in range(int(seconds / KILL_EVERY_SECONDS)):
        await asyncio.sleep(KILL_EVERY_SECONDS)
        victim = dice.choice(up.nodes(region))
        page = await asyncio.to_thread(get, f"http://{victim.metrics}/metrics", 1.0)
        led = tuple(int(number) for number in _LEADS.findall(page.body)) if page is not None else ()
        if up.kill(region, victim.name) is not None:
            deaths.append(Death(time.time(), region, victim.name, led))


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
            for region in status
        )

    until(settled, 30, "both regions' lag at 0")


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
    print(f"{len(deaths)} nodes killed, {len(outages)} partitions lost their leader")
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
