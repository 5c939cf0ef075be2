"""`kvorum up`: what it says about its processes, what it does when they die, and what clients notice of it."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kvorum.cli.topology import dump, load, resolve
from tests.kit import dynamo
from tests.kit.dynamo import Answer, Connection
from tests.kit.endpoints import ONE_REGION
from tests.kit.history import is_linearizable, register
from tests.kit.processes import (
    REGIONS,
    Command,
    Up,
    free_port,
    get,
    kvorum_up,
    run,
    until,
)
from tests.kit.workload import TABLE, Record, Writer, ranges_by_region

pytestmark = pytest.mark.cluster

REGION = REGIONS[0]
NAMES = ("node-a", "node-b", "node-c")
REQUEST_SECONDS_MAX = 10.0  # the router gives up after 8 (router/request.PlacementLimits)
INDEX = "by-value"
RETRYABLE = {"ServiceUnavailable", "InternalServerError", "ThrottlingException"}
KEYS = [f"key-{number}" for number in range(20)]  # of every partition


@pytest.fixture(scope="module")
def two_regions(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    with kvorum_up(tmp_path_factory.mktemp("up")) as up:
        make_table(up)
        yield up


def make_table(up: Up) -> None:
    dynamo.create_table(up.urls[REGION], TABLE, indexes={"value": {"ProjectionType": "KEYS_ONLY"}})
    for url in up.urls.values():
        until(lambda: dynamo.is_active(url, TABLE), 10, "the table everywhere")  # noqa: B023


def put_all(up: Up, value: str) -> None:
    for key in KEYS:
        answer = dynamo.put(up.urls[REGION], TABLE, key, value)
        assert answer.ok, answer


def values(up: Up, region: str = REGION) -> set[str | None]:
    return {dynamo.value_of(dynamo.get(up.urls[region], TABLE, key)) for key in KEYS}


# ---- what it says --------------------------------------------------------------------------------------------


def test_cluster_json_names_every_process(two_regions: Up) -> None:
    members = two_regions.members()
    assert sorted(members) == sorted((region, name) for region in REGIONS for name in ("router-a", *NAMES))
    pids = {member.pid for member in members.values()}
    assert len(pids) == len(members)
    assert pids | {two_regions.pid} == {process.pid for process in two_regions.processes()}
    addresses: list[str | None] = []
    for member in members.values():
        assert member.role == ("router" if member.name == "router-a" else "node")
        assert member.zone == member.name[-1]
        addresses += [member.metrics, member.wire]
        if member.role == "router":
            addresses += [member.http, member.grpc]
        else:
            assert member.http is member.grpc is None
    assert None not in addresses
    assert len(set(addresses)) == len(addresses)
    port = int(two_regions.arguments[two_regions.arguments.index("--port") + 1])
    for number, region in enumerate(REGIONS):
        assert members[region, "router-a"].http == f"127.0.0.1:{port + number}"


def test_every_process_has_its_pages(two_regions: Up) -> None:
    two_regions.wait_all_ready()
    for member in two_regions.members().values():
        for address in filter(None, (member.metrics, member.http)):
            for page, text in (("healthz", "ok"), ("readyz", "ready"), ("metrics", "# HELP kvorum_")):
                answer = get(f"http://{address}/{page}")
                assert answer is not None
                assert answer.status == 200, (member, page, answer)
                assert text in answer.body, (member, page)


def test_metrics_count(two_regions: Up) -> None:
    put_all(two_regions, "counted")
    router = get(f"http://{two_regions.member(REGION, 'router-a').metrics}/metrics")
    assert router is not None
    assert 'operation="PutItem"' in router.body
    nodes = [get(f"http://{node.metrics}/metrics") for node in two_regions.nodes(REGION)]
    by_index = f'index="{INDEX}",process="[^"]+",region="{REGION}",table="{TABLE}"'
    for pattern in (
        "kvorum_fsyncs_total",
        "kvorum_commit_index",
        "kvorum_leads",
        "kvorum_region_lag_seconds",
        rf"kvorum_index_lag_seconds\{{{by_index}\}} 0\.0",
        rf"kvorum_index_entries_total\{{{by_index}\}} [1-9]",
    ):
        assert any(node is not None and re.search(pattern, node.body) for node in nodes), pattern


def test_status(two_regions: Up) -> None:
    put_all(two_regions, "status")
    described = until(lambda: _settled(two_regions), 15, "lag 0 and leaders everywhere")
    assert [region["name"] for region in described] == list(REGIONS)
    for region in described:
        assert region["control_leader"] in NAMES
        assert region["tables"] == {TABLE: "ACTIVE"}
        assert {node["name"] for node in region["nodes"]} == set(NAMES)
        assert all(node["replicas"] == len(region["partitions"]) for node in region["nodes"])
        assert sum(node["leads"] for node in region["nodes"]) == len(region["partitions"])
        assert region["index_lag_ms"] == {f"{TABLE}/{INDEX}": 0}
        for index in ("", INDEX):
            partitions = [partition for partition in region["partitions"] if partition["index"] == index]
            lowers = [int(partition["lower"], 16) for partition in partitions]
            uppers = [int(partition["upper"], 16) for partition in partitions]
            assert [0, *(upper + 1 for upper in uppers)] == [*lowers, 1 << 64]
    ended = run("status", "--data-dir", str(two_regions.data), cwd=two_regions.directory)
    assert ended.code == 0
    for word in (*REGIONS, *NAMES, TABLE, "leader", "lag"):
        assert word in ended.stdout


def _settled(up: Up) -> list[dict[str, Any]] | None:
    described = up.status()
    settled = all(
        region["lag_ms"]
        and not any(region["lag_ms"].values())
        and all(partition["leader"] for partition in region["partitions"])
        and all(node["up"] for node in region["nodes"])
        for region in described
    )
    return described if settled else None


def test_what_one_region_writes_the_other_reads(two_regions: Up) -> None:
    put_all(two_regions, "shipped")
    until(lambda: values(two_regions, REGIONS[1]) == {"shipped"}, 10, "the other region has it")


# ---- what it does when processes end -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["node-b", "router-a"])
def test_a_killed_process_is_restarted(two_regions: Up, name: str) -> None:
    put_all(two_regions, "before")
    others = {key: member.pid for key, member in two_regions.members().items() if key != (REGION, name)}
    old = two_regions.kill(REGION, name)
    member = two_regions.wait_restarted(REGION, name, old)
    assert member.pid in {process.pid for process in two_regions.processes()}
    assert {key: other.pid for key, other in two_regions.members().items() if key != (REGION, name)} == others
    assert values(two_regions) == {"before"}


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    with kvorum_up(tmp_path, topology=ONE_REGION) as up:
        # A terminal sends it to the whole group.
        os.killpg(up.pid, signal.SIGINT)
        assert up.wait() == 0
        assert not up.processes()
        assert all(member.pid is None for member in up.members().values())
        assert up.stderr == ""


def test_a_killed_supervisors_children_stop_and_the_next_one_finds_their_data(tmp_path: Path) -> None:
    with kvorum_up(tmp_path, topology=ONE_REGION) as up:
        make_table(up)
        put_all(up, "kept")
        up.send(signal.SIGKILL)
        up.wait()
        assert up.processes()
        until(lambda: not up.processes(), 10, "the children have stopped by themselves")
        up.start()
        up.wait_ready()
        assert values(up) == {"kept"}


def test_data_outlives_a_stop_and_a_power_cut(tmp_path: Path) -> None:
    with kvorum_up(tmp_path) as up:
        make_table(up)
        put_all(up, "first")
        assert up.stop() == 0
        up.start()
        up.wait_ready()
        assert values(up) == {"first"}
        put_all(up, "second")
        up.kill_all()
        up.start()
        up.wait_ready()
        assert values(up) == {"second"}
        until(lambda: values(up, REGIONS[1]) == {"second"}, 15, "the other region has it")


# ---- routers and nodes that are missing ----------------------------------------------------------------------


def test_a_router_waits_for_its_nodes_and_says_so(tmp_path: Path) -> None:
    topology = resolve(load(ONE_REGION), free_port())
    config = tmp_path / "topology.json"
    config.write_bytes(dump(topology))
    router_entry = topology.regions[0].routers[0]
    named = ("--config", str(config), "--region", REGION, "--name")
    with ExitStack() as stack:
        router = Command(tmp_path / "router", ("router", *named, router_entry.name))
        stack.callback(router.kill_all)
        router.start()
        for address in (router_entry.http, router_entry.metrics):
            page = until(lambda: get(f"http://{address}/readyz"), 10, "an answer")  # noqa: B023
            assert page.status == 503
            assert "no node" in page.body
            healthy = get(f"http://{address}/healthz")
            assert healthy is not None
            assert healthy.status == 200
        nodes = [
            Command(tmp_path / name, ("node", *named, name, "--data-dir", str(tmp_path / "data")))
            for name in NAMES
        ]
        for node in nodes:
            stack.callback(node.kill_all)
            node.start()
        until(lambda: _is_ready(router_entry.http), 20, "ready, once there are nodes")
        dynamo.create_table(f"http://{router_entry.http}", TABLE)
        for command in (router, *nodes):
            assert command.stop() == 0


def _is_ready(address: str) -> bool:
    page = get(f"http://{address}/readyz")
    return page is not None and page.status == 200


@pytest.fixture(scope="module")
def unsupervised(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """One region; what is killed stays dead."""
    with kvorum_up(tmp_path_factory.mktemp("up"), "--no-restart", topology=ONE_REGION) as up:
        make_table(up)
        put_all(up, "start")
        yield up


def start_by_hand(up: Up, name: str) -> Command:
    """A node that its supervisor has given up."""
    arguments = ("--config", str(up.data / "topology.json"), "--region", REGION, "--name", name)
    node = Command(up.directory / name, ("node", *arguments, "--data-dir", str(up.data)))
    node.start()
    return node


def test_without_one_node_and_without_two(unsupervised: Up) -> None:
    up = unsupervised
    url = up.urls[REGION]
    with ExitStack() as stack:
        up.kill(REGION, "node-b")
        until(lambda: up.member(REGION, "node-b").pid is None, 5, "cluster.json says so")
        put_all(up, "without one")  # waits for new leaders where it must
        assert values(up) == {"without one"}
        assert _eventual(url).ok
        assert run("status", "--data-dir", str(up.data), cwd=up.directory).code == 1

        up.kill(REGION, "node-c")
        until(lambda: not dynamo.get(url, TABLE, "key-0").ok, 15, "the last lease has ended")
        started = time.monotonic()
        written, read = asyncio.run(_ask_both(url))
        assert time.monotonic() - started < REQUEST_SECONDS_MAX
        assert written.error in RETRYABLE
        assert read.error in RETRYABLE
        started = time.monotonic()
        assert dynamo.value_of(_eventual(url)) == "without one"
        assert time.monotonic() - started < 3.0

        for name in ("node-b", "node-c"):
            node = start_by_hand(up, name)
            stack.callback(node.kill_all)
            if name == "node-b":  # two of three are enough
                until(lambda: dynamo.put(url, TABLE, "key-0", "again").ok, 15, "writes work again")
        put_all(up, "all")
        assert values(up) == {"all"}
        assert up.member(REGION, "node-b").pid is None  # --no-restart: left ended
        assert len([one for one in up.processes() if one.pid != up.pid]) == 2


def _eventual(url: str) -> Answer:
    return dynamo.get(url, TABLE, "key-0", strong=False)


async def _ask_both(url: str) -> tuple[Answer, Answer]:
    async with Connection(url) as one, Connection(url) as other:
        item = {"id": {"S": "key-0"}, "value": {"S": "lost?"}}
        return await asyncio.gather(
            one.call("PutItem", {"TableName": TABLE, "Item": item}),
            other.call(
                "GetItem", {"TableName": TABLE, "Key": {"id": {"S": "key-0"}}, "ConsistentRead": True}
            ),
        )


# ---- a leader that was paused --------------------------------------------------------------------------------


def test_a_paused_leader_serves_nothing_stale(two_regions: Up) -> None:
    """Clients use registers while leaders are stopped and woken; what they saw must be linearizable."""
    up = two_regions
    record = Record()
    asyncio.run(_pause_leaders(up, record))
    assert sum(len(operations) for operations in record.registers.values()) > 200
    for key, operations in record.registers.items():
        assert is_linearizable(operations, None, register), key


async def _pause_leaders(up: Up, record: Record) -> None:
    described = await asyncio.to_thread(up.status)
    ranges = ranges_by_region(described)[REGION]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            dice = random.Random(number)
            writer = Writer(f"w{number}", REGION, up.urls[REGION], ranges, record, dice, registers=1.0)
            group.create_task(writer.run(stop))
        partition = ranges.of(f"{REGION}-register-0")
        for seconds in (1.2, 3.0):
            leader = await asyncio.to_thread(_leader_of, up, partition)
            await asyncio.sleep(0.2)
            up.pause(REGION, leader)
            await asyncio.sleep(seconds)
            up.resume(REGION, leader)
            await asyncio.sleep(0.3)
        stop.set()


def _leader_of(up: Up, partition: int) -> str:
    def known() -> str | None:
        for described in up.status():
            for one in described["partitions"]:
                if described["name"] == REGION and one["id"] == partition:
                    leader: str | None = one["leader"]
                    return leader
        return None

    return until(known, 10, "a leader")


# ---- a disk that is lost -------------------------------------------------------------------------------------


def test_a_node_that_lost_its_disk_does_not_outvote_what_it_forgot(tmp_path: Path) -> None:
    """node-c misses some writes; node-b, which has them, loses its disk; node-a, which has them too, dies. With
    b's empty vote c could be elected and the writes would be gone."""
    with kvorum_up(tmp_path, "--no-restart", topology=ONE_REGION) as up, ExitStack() as stack:
        url = up.urls[REGION]
        make_table(up)
        put_all(up, "old")
        up.kill(REGION, "node-c")
        put_all(up, "new")

        up.kill(REGION, "node-b")
        until(lambda: up.member(REGION, "node-b").pid is None, 5, "node-b dead")
        shutil.rmtree(up.data / REGION / "node-b" / "store")
        by_hand = {name: start_by_hand(up, name) for name in ("node-b",)}
        stack.callback(by_hand["node-b"].kill_all)
        metrics = up.member(REGION, "node-b").metrics
        page = until(lambda: get(f"http://{metrics}/readyz"), 10, "node-b answers")
        assert page.status == 503

        up.kill(REGION, "node-a")
        by_hand["node-c"] = start_by_hand(up, "node-c")
        stack.callback(by_hand["node-c"].kill_all)
        until(lambda: get(f"http://{up.member(REGION, 'node-c').metrics}/healthz"), 10, "node-c answers")
        refused = dynamo.put(url, TABLE, "key-0", "wrong")
        assert refused.error in RETRYABLE, "an empty vote has elected somebody"

        by_hand["node-a"] = start_by_hand(up, "node-a")
        stack.callback(by_hand["node-a"].kill_all)
        until(lambda: dynamo.get(url, TABLE, "key-0").ok, 20, "a and c agree")
        assert values(up) == {"new"}
        put_all(up, "newest")
        assert values(up) == {"newest"}

        until(lambda: _is_ready(metrics), 20, "node-b has got everything again")
        by_hand["node-a"].kill_all()
        until(lambda: dynamo.get(url, TABLE, "key-0").ok, 20, "b, whole again, and c agree")
        assert values(up) == {"newest"}


def test_the_others_go_on_when_a_disk_is_lost(two_regions: Up) -> None:
    """And whoever is killed next is not missed for the wrong reason: nothing is lost."""
    up = two_regions
    put_all(up, "safe")
    store = up.data / REGION / "node-c" / "store"
    up.pause(REGION, "node-c")
    shutil.rmtree(store)
    old = up.kill(REGION, "node-c")
    until(lambda: up.member(REGION, "node-c").pid not in {None, old}, 10, "node-c restarted")
    assert values(up) == {"safe"}
    put_all(up, "safer")
    assert values(up) == {"safer"}
