"""`kvorum node` and `kvorum router`: one process of a topology, on real sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from kvorum.cli.addresses import check_address
from kvorum.cli.assembly import NodeHost, RegionLinks, build_router, codec, hello, node_settings
from kvorum.cli.data_directory import DataDirectory
from kvorum.cli.errors import OperatorError, unusable_address, unusable_directory
from kvorum.cli.exposition import expose_node, expose_router
from kvorum.cli.runtime import stop_event
from kvorum.cli.topology import NodeEntry, RegionEntry, RouterEntry, Topology, load
from kvorum.control import logs
from kvorum.control.metrics import Metrics
from kvorum.control.status_server import StatusServer
from kvorum.node.rocks_store import open_rocks_store
from kvorum.node.store import Store, StoreError
from kvorum.replication.link import Handler, Link, split_address
from kvorum.replication.wire import WireClient, WireServer
from kvorum.router.region_door import RegionDoor

_log = logging.getLogger("kvorum.cli")

FAILED_EXIT = 1
GRACE_SECONDS = 5.0


def run_node(
    config: Path,
    region_name: str,
    name: str,
    data_dir: Path,
    item_collection_bytes: int | None,
    supervisor: int | None,
) -> int:
    topology = load(config)
    topology.set_item_collection_bytes(item_collection_bytes)
    region = topology.region(region_name)
    entry = _node_entry(region, name)
    logs.configure(sys.stderr, logging.INFO, {"region": region.name, "role": "node", "name": name})
    directory = data_dir / (entry.data_dir or f"{region.name}/{entry.name}")
    with DataDirectory(directory):
        store = open_store(directory / "store")
        return uvloop.run(_node(topology, region, entry, store, supervisor))


def run_router(config: Path, region_name: str, name: str, supervisor: int | None) -> int:
    topology = load(config)
    region = topology.region(region_name)
    entry = _router_entry(region, name)
    logs.configure(sys.stderr, logging.INFO, {"region": region.name, "role": "router", "name": name})
    return uvloop.run(_router(topology, region, entry, supervisor))


def open_store(path: Path) -> Store:
    """The node's durable store; OperatorError when the directory cannot serve."""
    try:
        return open_rocks_store(path)
    except StoreError as error:
        raise OperatorError(str(error)) from error
    except OSError as error:
        raise unusable_directory(path, error) from error


async def _node(
    topology: Topology, region: RegionEntry, entry: NodeEntry, store: Store, supervisor: int | None
) -> int:
    loop = asyncio.get_running_loop()
    stop = stop_event(loop)
    failures: list[StoreError] = []

    def fatal(error: StoreError) -> None:
        failures.append(error)
        stop.set()

    links: dict[str, WireClient] = {}
    region_links = RegionLinks()
    host = NodeHost(
        node_settings(topology, region, entry),
        store,
        links=links,
        link_to_region=region_links.to,
        on_fatal=fatal,
    )
    dial = Dialler(loop, region.name, entry.name, "node", host.handle)
    for peer in region.nodes:
        if peer.name != entry.name:
            links[peer.name] = dial(peer.wire, region.name, peer.name, host.link_up, host.link_down)
    for peer_region in topology.regions:
        if peer_region.name != region.name:
            for router in peer_region.routers:
                region_links.add(peer_region.name, dial(router.wire, peer_region.name, router.name))
    server = WireServer(
        codec(),
        hello(region.name, entry.name, "node"),
        host.handle,
        loop,
        host.link_up,
        host.link_down,
        region=region.name,
    )
    metrics = Metrics()
    expose_node(metrics.scope(region.name, entry.name), host, store)
    status = StatusServer(metrics.render, host.readiness)
    await listen(server.start, topology, entry.wire)
    await listen(status.start, topology, entry.metrics)
    host.start()
    dial.start()
    settle_garbage()
    await wait_for_end(stop, supervisor)
    await host.stop()
    await dial.close()
    await server.close()
    await status.close()
    return FAILED_EXIT if failures else 0


async def _router(topology: Topology, region: RegionEntry, entry: RouterEntry, supervisor: int | None) -> int:
    loop = asyncio.get_running_loop()
    stop = stop_event(loop)
    links: dict[str, WireClient] = {}
    metrics = Metrics()
    scope = metrics.scope(region.name, entry.name)
    router = build_router(topology, region, entry, links, scope, metrics.render)
    expose_router(scope, router)
    dial = Dialler(loop, region.name, entry.name, "router", router.handle)
    for node in region.nodes:
        links[node.name] = dial(node.wire, region.name, node.name, router.connected)
    door = RegionDoor(router.directory, router.placement.merge, router.placement.propose_from_peer)
    server = WireServer(
        codec(),
        hello(region.name, entry.name, "router"),
        door.handle,
        loop,
        lambda _: None,
        lambda _: None,
    )
    status = StatusServer(metrics.render, router.readiness)
    await listen(router.start, topology, entry.http)
    await listen(server.start, topology, entry.wire)
    await listen(status.start, topology, entry.metrics)
    from kvorum.router.grpc import GrpcDoor

    check_address(topology, entry.grpc)  # gRPC itself does not say why it cannot
    grpc_door = GrpcDoor(router.service)
    await listen(grpc_door.start, topology, entry.grpc)
    dial.start()
    settle_garbage()
    await wait_for_end(stop, supervisor)
    await grpc_door.stop(GRACE_SECONDS)
    await router.stop(GRACE_SECONDS)
    await door.stop()
    await server.close()
    await dial.close()
    await status.close()
    return 0


class Dialler:
    """Makes the process's outgoing links, and starts and closes them together."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, region: str, name: str, role: str, handler: Handler
    ) -> None:
        self._loop = loop
        self._hello = hello(region, name, role)
        self._handler = handler
        self._links: list[WireClient] = []

    def __call__(
        self,
        address: str,
        region: str,
        name: str,
        on_up: Callable[[Link], None] = lambda _: None,
        on_down: Callable[[Link], None] = lambda _: None,
    ) -> WireClient:
        link = WireClient(
            address,
            codec(),
            self._hello,
            self._handler,
            self._loop,
            on_up,
            on_down,
            random.random,
            region=region,
            name=name,
        )
        self._links.append(link)
        return link

    def start(self) -> None:
        for link in self._links:
            link.start()

    async def close(self) -> None:
        await asyncio.gather(*(link.close() for link in self._links))


async def listen(start: Callable[[str, int], Awaitable[object]], topology: Topology, address: str) -> None:
    host, port = split_address(address)
    try:
        await start(topology.listen or host, port)
    except OSError as error:
        raise unusable_address(address, error) from error


async def wait_for_end(stop: asyncio.Event, supervisor: int | None) -> None:
    """Until told to stop, or until the supervisor that should tell is gone."""
    while not stop.is_set():
        try:
            async with asyncio.timeout(1.0):
                await stop.wait()
        except TimeoutError:
            if supervisor is not None and os.getppid() != supervisor:
                _log.warning("the supervisor is gone; stopping")
                return


def settle_garbage() -> None:
    """What is alive now lives as long as the process: keep the collector from walking it again and again, and
    from running in the middle of every burst."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _node_entry(region: RegionEntry, name: str) -> NodeEntry:
    for entry in region.nodes:
        if entry.name == name:
            return entry
    raise OperatorError(f"the topology's region {region.name} has no node {name!r}")


def _router_entry(region: RegionEntry, name: str) -> RouterEntry:
    for entry in region.routers:
        if entry.name == name:
            return entry
    raise OperatorError(f"the topology's region {region.name} has no router {name!r}")
