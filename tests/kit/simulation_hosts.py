"""What a simulated region consists of: hosts, and on each one life of a process after another, put together as
cli/process and cli/assembly do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from kvorum.cli.assembly import RegionLinks
from kvorum.node.disk_guard import DiskGuard
from kvorum.node.node import Node
from kvorum.node.settings import NodePorts, NodeSettings
from kvorum.node.store import StoreError, StoreFullError
from kvorum.replication.link import Handler, Link, Reply
from kvorum.router.awaited import Clocks
from kvorum.router.region_door import RegionDoor
from kvorum.router.router import Router, RouterPorts, RouterSettings
from tests.kit.simulation_clients import Respond
from tests.kit.simulation_history import Violation
from tests.kit.simulation_network import Dialler, Host, Server
from tests.kit.simulation_process import HostClock, SimulatedDisk, SimulatedProcess, SimulatedScheduler

if TYPE_CHECKING:
    from tests.kit.cluster_simulation import ClusterSimulation

RESERVE_BYTES = 1_000_000
REOPEN_SECONDS = 0.5


class Life:
    """One life of one process on a host."""

    def __init__(self, simulation: ClusterSimulation, host: SimulatedHost) -> None:
        host.lives += 1
        self.host = host
        self.simulation = simulation
        self.name = f"{host.at.id}.{host.lives}"
        seed = f"{simulation.seed}/{self.name}"
        self.process = SimulatedProcess(  # type: ignore[abstract]  # what sockets need of a loop is left out
            simulation.loop, host.at.id, host.lives, host.clock, Random(seed)
        )
        self.process.on_clock_read = simulation.faults.perhaps_pause_inside

    @property
    def alive(self) -> bool:
        return self.process.alive

    def dial(
        self,
        target: Host,
        handler: Handler,
        on_up: Callable[[Any], None] = lambda _: None,
        on_down: Callable[[Any], None] = lambda _: None,
    ) -> Dialler:
        return Dialler(self.simulation.network, self.process, self.host.at, target, handler, on_up, on_down)

    def listen(
        self,
        handler: Handler,
        on_up: Callable[[Any], None] = lambda _: None,
        on_down: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self.simulation.network.servers[self.host.at.id] = Server(self.process, handler, on_up, on_down)

    def crash(self, *, silently: bool) -> None:
        self.process.crash()
        self.simulation.network.process_died(self.host.at, silently=silently)


class NodeLife(Life):
    """As cli/process and cli/assembly.NodeHost put a node together."""

    def __init__(self, simulation: ClusterSimulation, host: NodeHost) -> None:
        super().__init__(simulation, host)
        self.disk = host.disk
        self._connected: dict[int, Link] = {}
        self.links: dict[str, Link] = {}
        peers = RegionLinks()
        region = simulation.regions[host.at.region]
        self._settings = NodeSettings(
            name=host.at.name,
            zone=host.at.zone,
            region=host.at.region,
            address=f"{host.at.id}:7000",
            control_members=region.control_members,
            replicas=3,
            raft=simulation.raft,
            reserve_bytes=RESERVE_BYTES,
            inline_sync_us_max=0,
            backfill_items=simulation.backfill_items,
            index_lag_entries_max=simulation.index_lag_entries_max,
        )
        self._ports = NodePorts(
            store=host.disk,
            scheduler=SimulatedScheduler(simulation.loop, self.process, host.disk),
            now_ms=self.process.now_ms,
            random=self.process.random,
            links=self.links,
            link_to_region=peers.to,
            on_failure=self._failed,
        )
        self.node = Node(self._settings, self._ports)
        dials: list[Dialler] = []
        for peer in region.nodes:
            if peer is not host:
                link = self.dial(peer.at, self.handle, self.link_up, self.link_down)
                self.links[peer.at.name] = link
                dials.append(link)
        for other in simulation.regions.values():
            if other is not region:
                for router in other.routers:
                    link = self.dial(router.at, self.handle)
                    peers.add(other.name, link)
                    dials.append(link)
        self.listen(self.handle, self.link_up, self.link_down)
        self.process.call_soon(self._start, dials)

    def handle(self, message: object, reply: Reply | None, link: Link) -> None:
        self.node.handle(message, reply, link)

    def link_up(self, link: Link) -> None:
        self._connected[id(link)] = link
        self.node.link_up(link)

    def link_down(self, link: Link) -> None:
        self._connected.pop(id(link), None)
        self.node.link_down(link)

    def crash(self, *, silently: bool) -> None:
        super().crash(silently=silently)
        self.disk.lose_unsynced(self.simulation.random)

    def _start(self, dials: list[Dialler]) -> None:
        self.node.start()
        for link in dials:
            link.start()

    def _failed(self, error: StoreError) -> None:
        assert isinstance(error, StoreFullError), error
        self.process.call_later(REOPEN_SECONDS, self._reopen)

    def _reopen(self) -> None:
        if self.disk.is_out_of_space or not DiskGuard(self.disk, RESERVE_BYTES).may_reopen():
            self.process.call_later(REOPEN_SECONDS, self._reopen)
            return
        self.disk.lose_unsynced(self.process.random)
        self.node.stop()
        self.node = Node(self._settings, self._ports)
        self.node.start()
        for link in list(self._connected.values()):
            self.node.link_up(link)


class RouterLife(Life):
    """As cli/process puts a router together; clients call its service where HTTP would."""

    def __init__(self, simulation: ClusterSimulation, host: RouterHost) -> None:
        super().__init__(simulation, host)
        process = self.process
        region = simulation.regions[host.at.region]
        links: dict[str, Link] = {}
        settings = RouterSettings(
            region=region.name,
            zone=host.at.zone,
            initial_partitions=simulation.partitions,
            table_regions=tuple(simulation.regions) if simulation.is_global else (),
            zones_min=3,
        )
        random = process.random
        clocks = Clocks(
            monotonic=process.time,
            wall_ms=process.now_ms,
            uuid=lambda: f"{random.getrandbits(128):032x}",
            call_later=process.call_later,
        )
        ports = RouterPorts(links=links, clocks=clocks, entropy=random.randbytes, observe=_unobserved)
        self.router = Router(settings, ports)
        self.door = RegionDoor(
            self.router.directory, self.router.placement.merge, self.router.placement.propose
        )
        self._outstanding: dict[int, Respond] = {}
        self._requests = 0
        for node in region.nodes:
            links[node.at.name] = self.dial(node.at, self.router.handle, self.router.connected)
        self.listen(self.door.handle)
        self.process.call_soon(lambda: [link.start() for link in links.values()])  # type: ignore[attr-defined]

    @property
    def ready(self) -> bool:
        return self.router.readiness() is None

    def request(self, operation: str, body: bytes, respond: Respond) -> None:
        if not self.alive:
            respond(0, b"")
            return
        self._requests += 1
        number = self._requests
        self._outstanding[number] = respond

        def answered(status: int, answer: bytes) -> None:
            if number not in self._outstanding:
                raise Violation(f"{self.name}: a request was answered twice: {operation} {body!r}")
            del self._outstanding[number]
            respond(status, answer)

        self.process.call_soon(self.router.service.execute, operation, body, answered)

    @property
    def unanswered(self) -> int:
        return len(self._outstanding)

    def crash(self, *, silently: bool) -> None:
        super().crash(silently=silently)
        outstanding, self._outstanding = self._outstanding, {}
        for respond in outstanding.values():
            respond(0, b"")


class SimulatedHost:
    """A machine: its clocks go on while its process is dead or paused."""

    def __init__(self, simulation: ClusterSimulation, at: Host) -> None:
        random = simulation.random
        self.at = at
        self.lives = 0
        self.clock = HostClock(
            random.uniform(0, 100_000),
            random.uniform(-1, 1) * simulation.wall_skew_ms,
            1 + random.uniform(-1, 1) * simulation.rate_skew,
        )
        self.simulation = simulation
        simulation.network.hosts[at.id] = at


class NodeHost(SimulatedHost):
    life: NodeLife

    def __init__(self, simulation: ClusterSimulation, at: Host) -> None:
        super().__init__(simulation, at)
        self.disk = SimulatedDisk(partial(simulation.stored, at.region))
        self.disk.disk_free_bytes = 100 * RESERVE_BYTES

    def start(self) -> None:
        self.life = NodeLife(self.simulation, self)

    @property
    def node(self) -> Node:
        return self.life.node


class RouterHost(SimulatedHost):
    life: RouterLife

    def start(self) -> None:
        self.life = RouterLife(self.simulation, self)


@dataclass(slots=True)
class Region:
    name: str
    nodes: list[NodeHost]
    routers: list[RouterHost]
    control_members: tuple[str, ...] = ()

    @property
    def leading_control(self) -> Node | None:
        for host in self.nodes:
            control = host.node._control
            if host.life.alive and control is not None and control.leading:
                return host.node
        return None


def _unobserved(operation: str, code: str, seconds: float) -> None:
    """Nobody measures here."""
