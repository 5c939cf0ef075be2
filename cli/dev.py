"""`kvorum dev`: every region in one process, each a router and a single node joined by function calls.

The same code as a cluster: partitions, consensus (groups of one), change logs and region senders. What differs
is the links, which are local, and the number of voters.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from kvorum.cli.addresses import check_address
from kvorum.cli.assembly import NodeHost, RegionLinks, build_router, node_settings
from kvorum.cli.data_directory import DataDirectory
from kvorum.cli.exposition import expose_node, expose_router
from kvorum.cli.process import FAILED_EXIT, GRACE_SECONDS, listen, open_store, settle_garbage, wait_for_end
from kvorum.cli.runtime import stop_event
from kvorum.cli.topology import NodeEntry, RegionEntry, RouterEntry, Topology, validated
from kvorum.control import logs
from kvorum.control.metrics import Metrics
from kvorum.node.memory_store import MemoryStore
from kvorum.node.store import Store, StoreError
from kvorum.replication.link import Link
from kvorum.replication.local_link import local_links
from kvorum.router.region_door import RegionDoor
from kvorum.router.router import Router

if TYPE_CHECKING:
    from kvorum.router.grpc import GrpcDoor

GRPC_PORT_OFFSET = 1_000
PARTITIONS = 2
"""Of a new table. More would show nothing that two do not."""


@dataclass(frozen=True, slots=True)
class DevOptions:
    """`data_dir` None keeps everything in memory."""

    regions: tuple[str, ...]
    host: str
    port: int
    data_dir: Path | None
    global_tables: bool
    item_collection_bytes: int | None


@dataclass(slots=True)
class _Region:
    name: str
    host: NodeHost
    router: Router
    door: RegionDoor
    links: dict[str, Link]
    peers: RegionLinks


def run(options: DevOptions) -> int:
    logs.configure(sys.stderr, logging.WARNING, {}, readable=True)
    topology = _topology(options)
    if options.data_dir is None:
        return uvloop.run(_serve(options, topology, [MemoryStore() for _ in options.regions]))
    with DataDirectory(options.data_dir) as directory:
        stores = [open_store(directory.path / name / "node" / "store") for name in options.regions]
        return uvloop.run(_serve(options, topology, stores))


def _topology(options: DevOptions) -> Topology:
    def address(port: int) -> str:
        return f"{options.host}:{port}"

    regions = [
        RegionEntry(
            name=name,
            nodes=[NodeEntry(name="node", zone="a")],
            routers=[
                RouterEntry(
                    name="router",
                    zone="a",
                    http=address(options.port + number),
                    grpc=address(options.port + GRPC_PORT_OFFSET + number),
                )
            ],
        )
        for number, name in enumerate(options.regions)
    ]
    topology = Topology(regions=regions, initial_partitions=PARTITIONS, global_tables=options.global_tables)
    topology.set_item_collection_bytes(options.item_collection_bytes)
    return validated(topology, "--regions")


async def _serve(options: DevOptions, topology: Topology, stores: list[Store]) -> int:
    stop = stop_event(asyncio.get_running_loop())
    failures: list[StoreError] = []

    def fatal(error: StoreError) -> None:
        failures.append(error)
        stop.set()

    metrics = Metrics()
    regions: dict[str, _Region] = {}
    for entry, store in zip(topology.regions, stores, strict=True):
        peers = RegionLinks()
        host = NodeHost(
            node_settings(topology, entry, entry.nodes[0]),
            store,
            links={},
            link_to_region=peers.to,
            on_fatal=fatal,
        )
        links: dict[str, Link] = {}
        scope = metrics.scope(entry.name, "dev")
        router = build_router(topology, entry, entry.routers[0], links, scope, metrics.render)
        expose_node(scope, host, store)
        expose_router(scope, router)
        door = RegionDoor(router.directory, router.placement.merge, router.placement.propose_from_peer)
        regions[entry.name] = _Region(entry.name, host, router, door, links, peers)
    _join(regions)
    for entry in topology.regions:
        await listen(regions[entry.name].router.start, topology, entry.routers[0].http)
    for region in regions.values():
        region.host.start()
    grpc_doors = await _open_grpc(topology, regions)
    for region in regions.values():
        while region.router.readiness() is not None or region.host.readiness() is not None:
            await asyncio.sleep(0.005)
    for entry in topology.regions:
        router_entry = entry.routers[0]
        print(f"{entry.name}: http://{router_entry.http}  (gRPC {router_entry.grpc})", flush=True)
    print("ready", flush=True)
    settle_garbage()
    await wait_for_end(stop, None)
    for grpc_door in grpc_doors:
        await grpc_door.stop(GRACE_SECONDS)
    for region in regions.values():
        await region.router.stop(GRACE_SECONDS)
    for region in regions.values():
        await region.door.stop()
        await region.host.stop()
    return FAILED_EXIT if failures else 0


def _join(regions: dict[str, _Region]) -> None:
    for region in regions.values():
        to_node, to_router = local_links("router", region.router.handle, "node", region.host.handle)
        region.links["node"] = to_node
        region.host.link_up(to_router)
        region.router.connected(to_node)
        for peer in regions.values():
            if peer is not region:
                to_door, _ = local_links("node", region.host.handle, "router", peer.door.handle)
                region.peers.add(peer.name, to_door)


async def _open_grpc(topology: Topology, regions: dict[str, _Region]) -> list[GrpcDoor]:
    """Importing gRPC takes as long as everything else together: beside the loop, which starts the nodes."""
    await asyncio.to_thread(importlib.import_module, "kvorum.router.grpc")
    from kvorum.router.grpc import GrpcDoor

    doors: list[GrpcDoor] = []
    for entry in topology.regions:
        check_address(topology, entry.routers[0].grpc)  # gRPC itself does not say why it cannot
        door = GrpcDoor(regions[entry.name].router.service)
        await listen(door.start, topology, entry.routers[0].grpc)
        doors.append(door)
    return doors
