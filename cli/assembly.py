"""Putting a node or a router together with its real surroundings: what `dev` and the processes share."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
import uuid
from collections.abc import Callable, Mapping

from kvorum.cli.runtime import AsyncioScheduler, now_ms
from kvorum.cli.topology import NodeEntry, RegionEntry, RouterEntry, Topology
from kvorum.control.messages import Hello, Message
from kvorum.control.metrics import Scope
from kvorum.node.disk_guard import DiskGuard
from kvorum.node.node import Node
from kvorum.node.settings import NodePorts, NodeSettings
from kvorum.node.store import Store, StoreError, StoreFullError
from kvorum.replication.link import Link, Reply
from kvorum.replication.raft.core import Settings
from kvorum.replication.wire import Codec
from kvorum.router.awaited import Clocks
from kvorum.router.router import Router, RouterPorts, RouterSettings

_log = logging.getLogger("kvorum.cli")

WIRE_VERSION = 1
REOPEN_SECONDS = 0.5


def codec() -> Codec:
    return Codec(list[tuple[int, Message]])


def hello(region: str, name: str, role: str) -> Hello:
    return Hello(WIRE_VERSION, region, name, role)


def node_settings(topology: Topology, region: RegionEntry, entry: NodeEntry) -> NodeSettings:
    return NodeSettings(
        name=entry.name,
        zone=entry.zone,
        region=region.name,
        address=entry.wire,
        control_members=region.control_members,
        replicas=region.replicas,
        raft=Settings(),
        item_collection_bytes_max=topology.item_collection_bytes,
        index_lag_entries_max=topology.index_lag_entries,
    )


class NodeHost:
    """A node and its store, through a full disk: when the store ran into it, the node goes on reading, and a
    new one takes its place on the reopened store once there is room. `on_fatal`: a store that failed in any
    other way; the process must end, its data kept."""

    def __init__(
        self,
        settings: NodeSettings,
        store: Store,
        *,
        links: Mapping[str, Link],
        link_to_region: Callable[[str], Link | None],
        on_fatal: Callable[[StoreError], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._store = store
        self._loop = loop
        self._scheduler = AsyncioScheduler(loop)
        self._on_fatal = on_fatal
        self._connected: dict[int, Link] = {}
        self._ports = NodePorts(
            store=store,
            scheduler=self._scheduler,
            now_ms=now_ms,
            random=random.Random(os.urandom(16)),  # noqa: S311 - election timeouts and jitter
            links=links,
            link_to_region=link_to_region,
            on_failure=self._failed,
        )
        self.node = Node(settings, self._ports)

    def start(self) -> None:
        self.node.start()

    def readiness(self) -> str | None:
        return self.node.readiness()

    def handle(self, message: object, reply: Reply | None, link: Link) -> None:
        self.node.handle(message, reply, link)

    def link_up(self, link: Link) -> None:
        self._connected[id(link)] = link
        self.node.link_up(link)

    def link_down(self, link: Link) -> None:
        self._connected.pop(id(link), None)
        self.node.link_down(link)

    async def stop(self, hand_over_seconds: float = 2.0) -> None:
        """Hand leadership over, then close the store."""
        deadline = time.monotonic() + hand_over_seconds
        while not self.node.hand_over() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        self.node.stop()
        self._scheduler.close()
        try:
            self._store.close()
        except StoreError as error:  # a full disk, as a rule: the store's log has it all
            _log.warning(
                "the store is not closed in order; it will be at its next start", extra={"error": str(error)}
            )

    def _failed(self, error: StoreError) -> None:
        if isinstance(error, StoreFullError):
            _log.error("the disk is full: reads go on, writes wait for room", extra={"error": str(error)})
            self._loop.call_later(REOPEN_SECONDS, self._reopen)
        else:
            _log.critical("the store failed; the node stops", extra={"error": str(error)})
            self._on_fatal(error)

    def _reopen(self) -> None:
        if not DiskGuard(self._store).may_reopen():
            self._loop.call_later(REOPEN_SECONDS, self._reopen)
            return
        try:
            self._store.reopen()
        except StoreError as error:
            self._failed(error)
            return
        _log.warning("the disk has room again: the node starts anew on its store")
        self.node.stop()
        self.node = Node(self._settings, self._ports)
        self.node.start()
        for link in list(self._connected.values()):
            self.node.link_up(link)


class RegionLinks:
    """Links to the routers of the peer regions; gives a connected one, another at every call."""

    def __init__(self) -> None:
        self._links: dict[str, list[Link]] = {}
        self._turn = 0

    def add(self, region: str, link: Link) -> None:
        self._links.setdefault(region, []).append(link)

    def to(self, region: str) -> Link | None:
        connected = [link for link in self._links.get(region, ()) if link.connected]
        if not connected:
            return None
        self._turn += 1
        return connected[self._turn % len(connected)]


def build_router(
    topology: Topology,
    region: RegionEntry,
    entry: RouterEntry,
    links: Mapping[str, Link],
    scope: Scope,
    render_metrics: Callable[[], bytes],
) -> Router:
    loop = asyncio.get_running_loop()
    several = topology.global_tables and len(topology.regions) > 1
    settings = RouterSettings(
        region=region.name,
        zone=entry.zone,
        initial_partitions=topology.initial_partitions,
        table_regions=topology.region_names if several else (),
        zones_min=region.replicas,
    )
    clocks = Clocks(
        monotonic=time.monotonic,
        wall_ms=now_ms,
        uuid=lambda: str(uuid.uuid4()),
        call_later=loop.call_later,
    )

    def observe(operation: str, code: str, seconds: float) -> None:
        scope.operation(operation).observe(code, seconds)

    ports = RouterPorts(
        links=links, clocks=clocks, entropy=os.urandom, observe=observe, metrics=render_metrics
    )
    return Router(settings, ports)
