"""`kvorum status`: asks every node of a topology over its wire, and prints regions, nodes, partitions and lag."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from kvorum.cli.assembly import codec, hello
from kvorum.cli.errors import OperatorError
from kvorum.cli.topology import NodeEntry, RegionEntry, Topology, load
from kvorum.control.directory import Directory
from kvorum.control.messages import ControlUpdates, ReadStatus, StatusAnswer, Watch
from kvorum.model.table import Index, Table
from kvorum.replication.link import Link, Reply
from kvorum.replication.wire import WireClient

ANSWER_SECONDS = 2.0


class NodeStatus(Struct):
    """`lag_ms`: by peer region, and `index_lag_ms`: by "table/index", of the partitions that the node leads."""

    name: str
    zone: str
    up: bool
    replicas: int
    leads: int
    lag_ms: dict[str, int]
    index_lag_ms: dict[str, int]


class PartitionStatus(Struct):
    """`index`: of a global index's partition, its name; "" for the table's own. `lower` and `upper`: its tokens, both included, as 16 hexadecimal digits."""

    id: int
    table: str
    index: str
    lower: str
    upper: str
    leader: str | None
    term: int
    commit_index: int
    replicas: dict[str, int | None]


class RegionStatus(Struct):
    """`replicas` of a partition: each replica's applied index, None where the node does not answer."""

    name: str
    control_leader: str | None
    tables: dict[str, str]
    nodes: list[NodeStatus]
    partitions: list[PartitionStatus]
    lag_ms: dict[str, int]
    index_lag_ms: dict[str, int]


def run(config: Path, as_json: bool) -> int:
    """Exit code 1 when a node does not answer or a partition has no leader."""
    if not config.exists():
        raise OperatorError(
            f"there is no {config}: is the cluster's --data-dir another one, or was it never up?"
        )
    topology = load(config)
    statuses = asyncio.run(_ask_all(topology))
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(statuses), indent=2) + b"\n")
    else:
        for status in statuses:
            _print(status)
    healthy = all(node.up for status in statuses for node in status.nodes)
    led = all(partition.leader for status in statuses for partition in status.partitions)
    return 0 if healthy and led else 1


async def _ask_all(topology: Topology) -> list[RegionStatus]:
    return list(await asyncio.gather(*(_ask_region(region) for region in topology.regions)))


async def _ask_region(region: RegionEntry) -> RegionStatus:
    directory = Directory()
    answers = await asyncio.gather(*(_ask_node(region, node, directory) for node in region.nodes))
    return _summarize(
        region, directory, dict(zip((node.name for node in region.nodes), answers, strict=True))
    )


async def _ask_node(region: RegionEntry, node: NodeEntry, directory: Directory) -> StatusAnswer | None:
    """The node's own view; on the way, the directory from whichever node has the newest."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[StatusAnswer | None] = loop.create_future()
    directory_seen = asyncio.Event()

    def receive(message: object, reply: Reply | None, link: Link) -> None:
        if isinstance(message, ControlUpdates):
            directory.receive(message.version, message.complete, message.updates, message.after)
            directory_seen.set()

    def ask(link: Link) -> None:
        link.cast(Watch(-1))
        link.call(ReadStatus(), answer, ANSWER_SECONDS)

    def answer(message: object) -> None:
        if not answered.done():
            answered.set_result(message if isinstance(message, StatusAnswer) else None)

    link = WireClient(
        node.wire,
        codec(),
        hello(region.name, "status", "router"),
        receive,
        loop,
        ask,
        lambda _: None,
        random.random,
        region=region.name,
        name=node.name,
    )
    link.start()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            status = await answered
            if node.name in region.control_members:
                await directory_seen.wait()
            return status
    except TimeoutError:
        if answered.cancelled() or not answered.done():  # cancelled with the wait for it
            return None
        return answered.result()
    finally:
        await link.close()


def _summarize(
    region: RegionEntry, directory: Directory, answers: dict[str, StatusAnswer | None]
) -> RegionStatus:
    reports = {
        name: {report.partition: report for report in answer.replicas}
        for name, answer in answers.items()
        if answer is not None
    }
    leaders: dict[int, tuple[int, str]] = {}
    for name, replicas in reports.items():
        for number, report in replicas.items():
            if report.leader == name:
                leaders[number] = max(leaders.get(number, (0, "")), (report.term, name))
    partitions: list[PartitionStatus] = []
    for partition in sorted(directory.partitions.values(), key=lambda p: p.id):
        table, index = _owner(directory, partition.table_id)
        if table is None:
            continue
        term, leader = leaders.get(partition.id, (0, None))
        held = [replicas[partition.id] for replicas in reports.values() if partition.id in replicas]
        applied = {
            name: reports[name][partition.id].applied
            if name in reports and partition.id in reports[name]
            else None
            for name in partition.replicas
        }
        partitions.append(
            PartitionStatus(
                partition.id,
                table.name,
                index.name if index is not None else "",
                f"{partition.lower:016x}",
                f"{partition.upper:016x}",
                leader,
                term,
                max((report.commit for report in held), default=0),
                applied,
            )
        )
    nodes = [_node_status(node, answers[node.name], leaders) for node in region.nodes]
    lags = _greatest(pair for node in nodes for pair in node.lag_ms.items())
    index_lags = _greatest(pair for node in nodes for pair in node.index_lag_ms.items())
    tables = {table.name: table.status.name for table in directory.tables.values()}
    control_leader = leaders.get(0, (0, None))[1]
    return RegionStatus(
        region.name, control_leader, dict(sorted(tables.items())), nodes, partitions, lags, index_lags
    )


def _node_status(
    node: NodeEntry, answer: StatusAnswer | None, leaders: dict[int, tuple[int, str]]
) -> NodeStatus:
    if answer is None:
        return NodeStatus(node.name, node.zone, False, 0, 0, {}, {})
    lags = _greatest((sender.region, sender.lag_ms) for sender in answer.senders if not sender.index)
    index_lags = _greatest(
        (f"{sender.table}/{sender.index}", sender.lag_ms) for sender in answer.senders if sender.index
    )
    leads = sum(leader == node.name for number, (_, leader) in leaders.items() if number)
    replicas = sum(report.partition != 0 for report in answer.replicas)
    return NodeStatus(node.name, node.zone, True, replicas, leads, lags, index_lags)


def _owner(directory: Directory, number: int) -> tuple[Table | None, Index | None]:
    """Whose partitions bear this number: a table, or one of its global indexes."""
    return directory.indexes_by_id.get(number) or (directory.tables_by_id.get(number), None)


def _greatest(lags: Iterable[tuple[str, int]]) -> dict[str, int]:
    greatest: dict[str, int] = {}
    for name, lag_ms in lags:
        greatest[name] = max(greatest.get(name, 0), lag_ms)
    return greatest


def _print(status: RegionStatus) -> None:
    print(f"region {status.name}   control group led by {status.control_leader or 'nobody'}")
    for peer, lag_ms in status.lag_ms.items():
        print(f"  lag to {peer}: {lag_ms} ms")
    for index, lag_ms in status.index_lag_ms.items():
        print(f"  lag of index {index}: {lag_ms} ms")
    for node in status.nodes:
        state = f"{node.replicas} replicas, leads {node.leads}" if node.up else "does not answer"
        print(f"  node {node.name:<12} zone {node.zone:<6} {state}")
    for name, table_status in status.tables.items():
        print(f"  table {name}  {table_status}")
        for partition in status.partitions:
            if partition.table == name:
                replicas = "  ".join(
                    f"{replica}@{'-' if applied is None else applied}"
                    for replica, applied in partition.replicas.items()
                )
                print(
                    f"    partition {partition.id:<5} {partition.lower}..{partition.upper}"
                    f"  leader {partition.leader or 'none':<12} {replicas}"
                    f"{'  of index ' + partition.index if partition.index else ''}"
                )
