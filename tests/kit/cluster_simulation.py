"""Whole regions in virtual time: real nodes and real routers, on networks, disks and clocks that misbehave by seed.

`ClusterSimulation(seed).run()` brings up one to three regions, lets clients work while faults strike, heals
everything, demands liveness, and hands what everybody was told to the checkers (simulation_history). A broken
promise raises `Violation`, whose text names the seed; the same seed replays the same run. docs/simulation.md says
what is simulated and what is checked.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from kvorum.cli.assembly import RegionLinks
from kvorum.control.state import Partition as Descriptor
from kvorum.control.state import State
from kvorum.model import change as change_log
from kvorum.model import keys as key_codec
from kvorum.model import record as records
from kvorum.model import values
from kvorum.model.table import Table, TableStatus
from kvorum.node.disk_guard import DiskGuard
from kvorum.node.index_pressure import LAG_ENTRIES_MAX
from kvorum.node.node import Node
from kvorum.node.settings import NodePorts, NodeSettings
from kvorum.node.store import Family, StoreError, StoreFullError
from kvorum.replication.link import Handler, Link, Reply
from kvorum.replication.raft.core import Settings
from kvorum.router.awaited import Clocks
from kvorum.router.region_door import RegionDoor
from kvorum.router.router import Router, RouterPorts, RouterSettings
from tests.kit.links import VirtualLoop
from tests.kit.simulation_clients import (
    ItemClient,
    Keys,
    Ports,
    Respond,
    TableClient,
    item_of,
    key_of,
    send,
    table_body,
)
from tests.kit.simulation_history import (
    History,
    Key,
    Operation,
    Outcome,
    Violation,
    check_counter,
    check_coverage,
    check_fresh,
    check_linearizable,
    check_real,
    check_table_lifecycle,
    check_winners,
)
from tests.kit.simulation_indexes import (
    IndexClient,
    check_indexes,
    idle_items,
    indexed_table_body,
    unsettled_indexes,
)
from tests.kit.simulation_network import Dialler, Host, Network, Server
from tests.kit.simulation_process import HostClock, SimulatedDisk, SimulatedProcess, SimulatedScheduler

READY_SECONDS_MAX = 30.0
SETTLE_SECONDS_MAX = 60.0
RESERVE_BYTES = 1_000_000
REOPEN_SECONDS = 0.5
EVENTUAL_WAIT_SECONDS = 0.09
"""An eventual read that took less must show its router's own writes: a replica that lags is waited for at least
100 ms, by a clock whose rate may be off."""

FAULTS = (
    "crash_a_node",
    "crash_a_router",
    "crash_many",
    "bounce_a_node",
    "pause_a_process",
    "pause_inside",
    "cut_a_pair",
    "isolate_a_node",
    "isolate_a_zone",
    "isolate_a_region",
    "slow_links",
    "slow_disk",
    "full_disk",
    "step_a_clock",
    "lose_casts",
    "break_connections",
    "hand_over",
)


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
        self.process.on_clock_read = simulation.perhaps_pause_inside

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


class ClusterSimulation:
    """`regions` None: by seed. `faults` None: some kinds, by seed; all of them at once hide each other.
    `changes_indexes`: whether an index comes and goes meanwhile; None: by seed."""

    def __init__(
        self,
        seed: int,
        *,
        regions: int | None = None,
        is_global: bool | None = None,
        faults: tuple[str, ...] | None = None,
        fault_seconds: float = 8.0,
        changes_indexes: bool | None = None,
    ) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        self.loop = VirtualLoop()
        self.network = Network(self.loop, Random(f"{seed}/network"))
        self._glances = Random(f"{seed}/glances")
        self.is_faulty = False
        self.fault_seconds = fault_seconds
        count = regions or random.choice((1, 1, 2, 2, 2, 3))
        self.is_global = count > 1 and (random.random() < 0.85 if is_global is None else is_global)
        self.partitions = random.choice((1, 1, 2, 3))
        self.wall_skew_ms = random.choice((0, 50, 1_000, 15_000))
        self.rate_skew = random.choice((0.0, 0.001, 0.02))
        self.raft = Settings(
            append_bytes_max=random.choice((300, 512 << 10)),
            inflight_entries_max=random.choice((2, 4096)),
            cache_bytes_max=random.choice((1, 2_000, 512 << 10)),
        )
        self.kinds = faults if faults is not None else tuple(random.sample(FAULTS, random.randrange(2, 6)))
        self.fault_interval_seconds = random.choice((0.2, 0.6, 1.5))
        self.think_seconds = random.choice((0.03, 0.08, 0.2))
        self.pause_inside_share = 0.0
        self.standing_inside = False
        self.history = History()
        self.made: dict[
            tuple[str, bytes], dict[bytes, None]
        ] = {}  # (region, key) -> every record it ever had
        self.regions: dict[str, Region] = {}
        for name in ("eu", "us", "ap")[:count]:
            self._add_region(name)
        ports = Ports(self.loop, Random(f"{seed}/clients"), self.history, self.route)
        self.ports = ports
        self.keys = {name: self._keys_of(name, number) for number, name in enumerate(self.regions)}
        self.clients = [
            ItemClient(ports, f"{name}-{number}", name, self.keys[name], self.think_seconds)
            for name in self.regions
            for number in range(random.choice((2, 3)))
        ]
        index_random = Random(f"{seed}/indexes")
        self.table_clients = [
            TableClient(
                ports,
                index_random.choice((table_body, indexed_table_body))(f"churn-{name}-{number}"),
                name,
                list(self.regions) if self.is_global else [name],
            )
            for name in self.regions
            for number in range(random.choice((0, 1)))
        ]
        self.backfill_items: int = index_random.choice((1, 2, 128))
        self.index_lag_entries_max = Random(f"{seed}/pressure").choice((40, LAG_ENTRIES_MAX))
        if changes_indexes is None:
            changes_indexes = index_random.random() < 0.4
        self.index_clients = [
            IndexClient(ports, table, [name for name, keys in self.keys.items() if keys.table == table])
            for table in dict.fromkeys(keys.table for keys in self.keys.values())
            if changes_indexes
        ]

    # ---- what there is ----

    def _add_region(self, name: str) -> None:
        random = self.random
        region = Region(name, [], [])
        self.regions[name] = region
        node_count = random.choice((3, 3, 3, 4))
        for number in range(node_count):
            region.nodes.append(NodeHost(self, Host(name, "abc"[number % 3], f"n{number}")))
        for number in range(random.choice((1, 2))):
            region.routers.append(RouterHost(self, Host(name, "abc"[number], f"r{number}")))
        region.control_members = tuple(host.at.name for host in region.nodes[:3])

    def _keys_of(self, name: str, number: int) -> Keys:
        table = "items" if self.is_global or len(self.regions) == 1 else f"items-{name}"
        keys = Keys(table)
        for hash_key in ("p0", "p1", "p2"):
            keys.own.append((table, hash_key, f"own-{number}"))
            if self.is_global:
                keys.shared.append((table, hash_key, "shared"))
        keys.own.append((table, "p0", f"own-{number}-b"))
        keys.counters.append((table, "p1", f"count-{number}"))
        return keys

    @property
    def node_hosts(self) -> list[NodeHost]:
        return [host for region in self.regions.values() for host in region.nodes]

    @property
    def router_hosts(self) -> list[RouterHost]:
        return [host for region in self.regions.values() for host in region.routers]

    @property
    def hosts(self) -> list[NodeHost | RouterHost]:
        return [*self.node_hosts, *self.router_hosts]

    def route(self, region: str) -> RouterLife | None:
        living = [host.life for host in self.regions[region].routers if host.life.alive]
        return self.ports.random.choice(living) if living else None

    # ---- the run ----

    @property
    def everybody(self) -> list[ItemClient | TableClient | IndexClient]:
        return [*self.clients, *self.table_clients, *self.index_clients]

    def run(self) -> None:
        """The whole of it; raises Violation."""
        with self.watched():
            self.start()
            self._storm()
            self._heal()
            self.wait(1.0)
            for client in self.everybody:
                client.stop()
            self.wait_for("answers", 15.0, lambda: not any(client.busy for client in self.everybody))
            self.wait_for("settling", SETTLE_SECONDS_MAX, lambda: self.unsettled() is None)
            self._work_again()
            self.wait_for("settling again", 10.0, lambda: self.unsettled() is None)
            self._check()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around everything that runs processes: quiet logs, the seed in whatever goes wrong, no task left."""
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            yield
        except Violation as violation:
            raise Violation(f"SIM_SEED={self.seed}, at {self.loop.time():.4f} s: {violation}") from None
        except Exception as error:
            error.add_note(f"SIM_SEED={self.seed}, at {self.loop.time():.4f} s")
            raise
        finally:
            logging.disable(before)
            for host in self.hosts:
                if host.lives and not host.life.process.busy:
                    host.life.process.crash()

    def start(self) -> None:
        """Up to the point where every router serves the tables."""
        for host in self.hosts:
            host.start()
        self.wait_for("readiness", READY_SECONDS_MAX, lambda: all(h.life.ready for h in self.router_hosts))
        self._create_tables()

    def _storm(self) -> None:
        for client in self.everybody:
            client.start()
        self.is_faulty = True
        self.loop.call_later(self.random.uniform(0.1, 1.0), self._fault)
        self.wait(self.fault_seconds)

    def wait(self, seconds: float) -> None:
        end = self.loop.time() + seconds
        self.loop.run_until(lambda: self.loop.time() >= end, seconds + 1)

    def wait_for(self, what: str, seconds_max: float, condition: Callable[[], bool]) -> None:
        """Looks every 50 ms or so of virtual time, and never in step with the nodes' own timers."""
        end = self.loop.time() + seconds_max
        while not condition():
            if self.loop.time() > end:
                raise Violation(f"no {what} within {seconds_max:g} s: {self.unsettled()}")
            self.wait(self._glances.uniform(0.03, 0.07))

    def create_table(self, name: str, region: str, *, indexed: bool = False) -> None:
        self.ask(region, "CreateTable", indexed_table_body(name) if indexed else table_body(name))

    def ask(self, region: str, operation: str, body: dict[str, Any]) -> None:
        """What must succeed, for all is well."""
        door = self.route(region)
        assert door is not None
        answers: list[int] = []
        send(self.ports, door, operation, body, lambda: None, lambda status, _: answers.append(status))
        self.wait_for("an answer", READY_SECONDS_MAX, lambda: bool(answers))
        if answers != [200]:
            raise Violation(f"all is well, and yet {operation} failed: {answers}")

    def _create_tables(self) -> None:
        first_users = {keys.table: region for region, keys in reversed(self.keys.items())}
        for name, region in first_users.items():
            self.create_table(name, region, indexed=True)
        self.wait_for("active tables", READY_SECONDS_MAX, self._tables_active)
        self.key_bytes: dict[Key, bytes] = {}
        for region, keys in self.keys.items():
            table = self._table(region, keys.table)
            assert table is not None
            for key in keys.all:
                item = values.read_item(key_of(key))[0]
                self.key_bytes[key] = key_codec.encode_key(table.keys, item)
        for number, (name, region) in enumerate(first_users.items()):
            for item in idle_items(number):
                self.ask(region, "PutItem", {"TableName": name, "Item": item})

    def _tables_active(self) -> bool:
        for host in self.router_hosts:
            table = host.life.router.directory.tables.get(self.keys[host.at.region].table)
            if table is None or table.status is not TableStatus.ACTIVE:
                return False
        return True

    def _table(self, region: str, name: str) -> Table | None:
        leading = self.regions[region].leading_control
        return leading.directory.tables.get(name) if leading is not None else None

    def _work_again(self) -> None:
        """All is well: every router serves every key at once, and shows its own writes in eventual reads."""
        first = len(self.history.operations)
        for host in self.router_hosts:
            keys = self.keys[host.at.region]
            client = ItemClient(self.ports, f"probe-{host.at.id}", host.at.region, keys, 1.0)
            client.stop()
            for key in keys.own:
                operation = client.write(host.life, "add", key, 1)
                self.wait_for("an answer", 2.0, lambda: operation.outcome is not Outcome.PENDING)  # noqa: B023
            for key in keys.all:
                self._probe_read(client, host.life, key, strong=True)
                self._probe_read(client, host.life, key, strong=False)
            client.read_many(host.life, "Scan", "", strong=True)
            self._await_ok(first)

    def _probe_read(self, client: ItemClient, door: RouterLife, key: Key, *, strong: bool) -> None:
        operation = client.read(door, key, strong=strong)
        self.wait_for("an answer", 2.0, lambda: operation.outcome is not Outcome.PENDING)

    def _await_ok(self, first: int) -> None:
        new = self.history.operations[first:]
        self.wait_for("answers", 2.0, lambda: all(each.outcome is not Outcome.PENDING for each in new))
        for operation in new:
            if operation.outcome is not Outcome.OK:
                raise Violation(f"all is well, and yet: {operation}")

    # ---- faults ----

    def _fault(self) -> None:
        if not self.is_faulty:
            return
        kind = self.random.choice((*self.kinds, "mend"))
        getattr(self, kind)()
        self.loop.call_later(self.random.expovariate(1 / self.fault_interval_seconds), self._fault)

    def some_node(self) -> NodeHost:
        """Any, but a leader more often: that is where it hurts."""
        if self.random.random() < 0.5:
            leaders = [
                host
                for host in self.node_hosts
                if host.life.alive and any(r.serving for r in host.node.engine.replicas.values())
            ]
            if leaders:
                return self.random.choice(leaders)
        return self.random.choice(self.node_hosts)

    def crash_a_node(self) -> None:
        self.crash(self.some_node(), self.random.choice((0.01, 0.3, 1.0, 3.0)))

    def bounce_a_node(self) -> None:
        self.crash(self.some_node(), self.random.uniform(0.0, 0.01))

    def crash_a_router(self) -> None:
        self.crash(self.random.choice(self.router_hosts), self.random.choice((0.01, 0.5, 2.0)))

    def crash_many(self) -> None:
        region = self.random.choice(list(self.regions))
        scope = self.random.choice(("nodes", "region", "everything"))
        for host in self.node_hosts if scope == "nodes" else self.hosts:
            if scope == "everything" or host.at.region == region:
                self.crash(host, self.random.uniform(0.0, 1.0))

    def crash(self, host: NodeHost | RouterHost, down_seconds: float) -> None:
        process = host.life.process
        if not process.alive or process.busy:
            return
        silently = self.random.random() < 0.2
        host.life.crash(silently=silently)
        if silently:  # the machine went down: its monotonic clock begins anew
            host.clock.monotonic_offset_seconds = self.random.uniform(0, 100)
        self.loop.call_later(down_seconds, self._restart, host)

    def _restart(self, host: NodeHost | RouterHost) -> None:
        if not host.life.alive:
            host.start()
            self.network.process_back(host.at)

    def pause_a_process(self) -> None:
        host = self.some_node() if self.random.random() < 0.8 else self.random.choice(self.router_hosts)
        process = host.life.process
        if process.alive and not process.standing_still and not process.busy:
            process.pause()
            self.network.process_paused(process)
            self.loop.call_later(self.random.choice((0.05, 0.5, 1.5, 5.5)), self._resume, process)

    def _resume(self, process: SimulatedProcess) -> None:
        if process.alive and process.paused:
            process.resume()

    def pause_inside(self) -> None:
        """For a while, processes stand still between two lines of their code."""
        self.pause_inside_share = self.random.choice((0.000_5, 0.005))
        self.loop.call_later(1.0, self._no_pauses_inside)

    def _no_pauses_inside(self) -> None:
        self.pause_inside_share = 0.0

    def perhaps_pause_inside(self, process: SimulatedProcess) -> None:
        """Asked whenever a node looks at its clock."""
        if (
            self.pause_inside_share
            and not self.standing_inside
            and process.depth == 1
            and self.random.random() < self.pause_inside_share
        ):
            self.standing_inside = True
            process.stand_still_inside(self.random.choice((0.02, 0.6, 1.2)))
            self.standing_inside = False

    def cut_a_pair(self) -> None:
        one, other = self.random.sample(self.hosts, 2)
        self._cut([(one.at.id, other.at.id)])

    def isolate_a_node(self) -> None:
        victim = self.some_node().at.id
        self._cut([(victim, h.at.id) for h in self.hosts if h.at.id != victim and self.random.random() < 0.8])

    def isolate_a_zone(self) -> None:
        region, zone = self.random.choice(list(self.regions)), self.random.choice("abc")
        self._cut_off(lambda host: host.at.region == region and host.at.zone == zone)

    def isolate_a_region(self) -> None:
        region = self.random.choice(list(self.regions))
        self._cut_off(lambda host: host.at.region == region)

    def _cut_off(self, inside: Callable[[NodeHost | RouterHost], bool]) -> None:
        hosts = self.hosts
        self._cut([(a.at.id, b.at.id) for a in hosts for b in hosts if inside(a) and not inside(b)])

    def _cut(self, pairs: list[tuple[str, str]]) -> None:
        """Both ways, or one."""
        inward, outward = self.random.choice(((True, True), (True, False), (False, True)))
        for one, other in pairs:
            if inward:
                self.network.cut(other, one)
            if outward:
                self.network.cut(one, other)
        self.loop.call_later(self.random.choice((0.1, 1.0, 5.0)), self._mend, pairs)

    def _mend(self, pairs: list[tuple[str, str]]) -> None:
        for one, other in pairs:
            self.network.heal(one, other)
            self.network.heal(other, one)

    def mend(self) -> None:
        self.network.heal_all()
        self.network.cast_loss = 0.0
        for host in self.node_hosts:
            self._well(host.disk)

    def _well(self, disk: SimulatedDisk) -> None:
        disk.sync_seconds = (0.000_3, 0.003)
        disk.disk_free_bytes = 100 * RESERVE_BYTES
        disk.is_out_of_space = False

    def slow_links(self) -> None:
        factor = self.random.choice((5.0, 50.0))
        victim = self.random.choice(self.hosts).at.id
        for host in self.hosts:
            if self.random.random() < 0.6:
                self.network.slow[(victim, host.at.id)] = factor
                self.network.slow[(host.at.id, victim)] = factor

    def slow_disk(self) -> None:
        self.some_node().disk.sync_seconds = self.random.choice(((0.02, 0.1), (0.1, 0.8)))

    def full_disk(self) -> None:
        for host in self.random.sample(self.node_hosts, self.random.choice((1, 1, 2, 3))):
            match self.random.choice(("reserve", "floor", "nothing")):
                case "reserve":
                    host.disk.disk_free_bytes = RESERVE_BYTES // 2
                case "floor":
                    host.disk.disk_free_bytes = 0
                case _:
                    host.disk.is_out_of_space = True
                    host.disk.disk_free_bytes = 0
            self.loop.call_later(self.random.choice((0.3, 2.0)), self._well, host.disk)

    def step_a_clock(self) -> None:
        """Somebody sets the time of day. Monotonic clocks do not care."""
        self.random.choice(self.hosts).clock.wall_offset_ms += self.random.uniform(-3_000, 3_000)

    def lose_casts(self) -> None:
        self.network.cast_loss = self.random.choice((0.01, 0.2))

    def break_connections(self) -> None:
        for connection in list(self.network.connections):
            if self.random.random() < 0.2:
                end = self.random.choice(connection.ends)
                end.process.call_soon(end.break_off, "broken", True)

    def hand_over(self) -> None:
        """A graceful stop, and a start."""
        host = self.some_node()
        life = host.life
        if life.alive:
            life.process.call_soon(life.node.hand_over)
            self.loop.call_later(self.random.uniform(0.0, 1.0), self._crash_life, host, life)

    def _crash_life(self, host: NodeHost, life: NodeLife) -> None:
        if life.process.busy:
            self.loop.call_later(0.1, self._crash_life, host, life)
        elif host.life is life:
            self.crash(host, 0.05)

    def _heal(self) -> None:
        self.is_faulty = False
        self.pause_inside_share = 0.0
        self.mend()
        for host in self.hosts:
            self._restart(host)
            self._resume(host.life.process)

    def digest(self) -> str:
        """The same for the same run: what clients were told, and what stores ever held."""
        stored = [(region, key, *made) for (region, key), made in self.made.items()]
        return hashlib.sha256(
            repr((self.history.digest(), self.network.messages, stored)).encode()
        ).hexdigest()

    # ---- what is watched ----

    def stored(self, region: str, key: bytes, record: bytes | None, previous: bytes | None) -> None:
        """A node stores an item: in a global table never an older one over a newer one. (In a local table, a
        deletion leaves nothing that the next stamp must outrank.)"""
        if record is None:
            return
        made = self.made.setdefault((region, key), {})
        if not self.is_global:
            made[record] = None
            return
        if previous is not None and records.order_of(previous) >= records.order_of(record):
            raise Violation(f"{region}: an item goes back in time: {previous!r} -> {record!r}")
        made[record] = None

    # ---- liveness: everything has come to rest ----

    def unsettled(self) -> str | None:
        """What is not yet as it should be, None when everything is."""
        return next(self._unsettled(), None)

    def _unsettled(self) -> Iterator[str]:
        for host in self.hosts:
            if not host.life.alive:
                yield f"{host.at.id} is down"
                return
        for host in self.router_hosts:
            life = host.life
            if not life.ready:
                yield f"{life.name}: {life.router.readiness()}"
            if life.unanswered or life.router.service.in_flight or life.router.placement.waiting:
                yield f"{life.name}: {life.unanswered} requests have no answer"
            if life.door._tasks:
                yield f"{life.name}: the region door is at work"
        for region in self.regions.values():
            yield from self._unsettled_control(region)
            yield from self._unsettled_partitions(region)
        for left, right in zip(self.regions.values(), list(self.regions.values())[1:], strict=False):
            if self.is_global and self._global_items(left) != self._global_items(right):
                yield f"{left.name} and {right.name} hold different items"

    def _unsettled_control(self, region: Region) -> Iterator[str]:
        leading = region.leading_control
        if leading is None or leading._control is None:
            yield f"{region.name}: nobody leads the control group"
            return
        state = leading._control._machine.state
        if state.peer_operations:
            yield f"{region.name}: peers must be told {list(state.peer_operations.values())}"
        for table in state.tables.values():
            if table.status is not TableStatus.ACTIVE:
                yield f"{region.name}: table {table.name} is {table.status.name}"
            yield from unsettled_indexes(region, table)
        for partition in state.partitions.values():
            if partition.dropping or not partition.formed:
                yield f"{region.name}: {partition}"
        for host in region.nodes:
            control = host.node._control
            if control is not None and _content(control._machine.state) != _content(state):
                yield f"{host.at.id}: another control state"
        everything = _view(leading.directory)
        for name, directory in self._directories(region):
            if _view(directory) != everything:
                yield f"{name}: another directory ({directory.version} of {leading.directory.version})"

    def _directories(self, region: Region) -> Iterator[tuple[str, Any]]:
        for host in region.nodes:
            yield host.at.id, host.node.directory
        for router in region.routers:
            yield router.at.id, router.life.router.directory

    def _unsettled_partitions(self, region: Region) -> Iterator[str]:
        leading = region.leading_control
        if leading is None:
            return
        for host in region.nodes:
            reason = host.node.readiness()
            if reason is not None:
                yield f"{host.at.id}: {reason}"
            expected = {p.id for p in leading.directory.partitions.values() if host.at.name in p.replicas}
            if set(host.node.partitions) != expected:
                yield f"{host.at.id} holds {sorted(host.node.partitions)}, not {sorted(expected)}"
            for report in host.node.status().senders:
                if report.lag_ms:
                    yield f"{host.at.id}: {report}"
        for descriptor in leading.directory.partitions.values():
            replicas = [host.node.engine.replicas.get(descriptor.id) for host in region.nodes]
            held = [replica for replica in replicas if replica is not None]
            if [replica.serving for replica in held].count(True) != 1:
                yield f"{region.name}: partition {descriptor.id} has no leader, or two"
            positions = {
                (r.core.term, r.core.commit_index, r.core.applied_index, r.core.last_index) for r in held
            }
            if len(positions) > 1:
                yield f"{region.name}: partition {descriptor.id} stands at {positions}"
            yield from self._unshipped(region, descriptor)

    def _unshipped(self, region: Region, descriptor: Descriptor) -> Iterator[str]:
        """Own changes behind a peer's cursor."""
        for host in region.nodes:
            partition = host.node.partitions.get(descriptor.id)
            if partition is None or not partition.replica.serving or not partition.replicates:
                continue
            lower, upper = (
                change_log.position(descriptor.id, 0, 0),
                change_log.position(descriptor.id + 1, 0, 0),
            )
            own = [
                change_log.index_of(place)
                for place, entry in host.disk.scan(Family.CHANGES, lower, upper)
                if records.region_of(change_log.decode(entry).record) == region.name.encode()
            ]
            for peer in partition.table.regions:
                if peer != region.name and own and partition.machine.cursors.get(peer, 0) < own[-1]:
                    yield f"{host.at.id}: changes of partition {descriptor.id} are not shipped to {peer}"

    # ---- what everybody holds ----

    def _records(self, host: NodeHost, owner: int) -> dict[bytes, bytes]:
        """Of one table or index, as one node stores it; by key without the owner's number."""
        prefix = owner.to_bytes(4, "big")
        upper = (owner + 1).to_bytes(4, "big")
        return {key[4:]: record for key, record in host.disk.scan(Family.DATA, prefix, upper)}

    def records_of(self, region: Region, owner: int) -> dict[bytes, bytes]:
        """Of one table or global index, by its id: every replica's, which must be the same."""
        leading = region.leading_control
        assert leading is not None
        found: dict[bytes, bytes] = {}
        for descriptor in leading.directory.partitions_of(owner):
            lower, upper = key_codec.token_bounds(descriptor.lower, descriptor.upper)
            held = [
                {k: r for k, r in self._records(host, owner).items() if lower <= k < upper}
                for host in region.nodes
                if host.at.name in descriptor.replicas
            ]
            if any(each != held[0] for each in held):
                raise Violation(f"{region.name}: the replicas of partition {descriptor.id} differ")
            found.update(held[0])
        return found

    def _global_items(self, region: Region) -> dict[str, dict[bytes, bytes]]:
        leading = region.leading_control
        if leading is None:
            return {}
        items: dict[str, dict[bytes, bytes]] = {}
        for table in leading.directory.tables.values():
            if table.global_id:
                items[table.name] = {}
                for host in region.nodes:  # not yet settled perhaps: no opinion about replicas
                    items[table.name].update(self._records(host, table.id))
        return items

    # ---- safety: what everybody was told ----

    def _check(self) -> None:
        self._check_control()
        final: dict[Key, bytes] = {}
        for region in self.regions.values():
            table = self._table(region.name, self.keys[region.name].table)
            if table is None:
                raise Violation(f"{region.name}: an acknowledged table is gone")
            held = self.records_of(region, table.id)
            for key in self.keys[region.name].all:
                record = held.get(self.key_bytes[key])
                if record is not None:
                    final[key] = record
            self._check_statistics(region, table, held)
            check_indexes(self, region, table)
        self._check_answers()
        self._check_items(final)
        for client in self.table_clients:
            for name in self.regions:
                exists = self._table(name, client.name) is not None
                if self.is_global or name == client.home:
                    check_table_lifecycle(client.operations, exists, client.name)

    def _check_control(self) -> None:
        for region in self.regions.values():
            leading = region.leading_control
            assert leading is not None
            for table in leading.directory.tables.values():
                parts = leading.directory.partitions_of(table.id)
                check_coverage([(part.lower, part.upper) for part in parts], f"{region.name}/{table.name}")

    def _check_statistics(self, region: Region, table: Table, held: dict[bytes, bytes]) -> None:
        living = [record for record in held.values() if not records.is_tombstone(record)]
        expected = (len(living), sum(records.size_of(record) for record in living))
        for router in region.routers:
            answers: list[dict[str, Any]] = []
            send(
                self.ports,
                router.life,
                "DescribeTable",
                {"TableName": table.name},
                lambda: None,
                lambda _, answer: answers.append(answer["Table"]),  # noqa: B023
            )
            self.wait_for("a description", 2.0, lambda: bool(answers))  # noqa: B023
            told = (answers[0]["ItemCount"], answers[0]["TableSizeBytes"])
            if told != expected:
                raise Violation(f"{region.name}: DescribeTable counts {told}, a scan {expected}")

    def _check_answers(self) -> None:
        for operation in self.history.operations:
            if operation.answers > 1 or (operation.answers == 0 and operation.error != "no answer"):
                raise Violation(f"{operation.answers} answers: {operation}")

    def _check_items(self, final: dict[Key, bytes]) -> None:
        orders = self._orders()
        writes = {each.number: each for each in self.history.operations if each.writes}
        for key, operations in self.history.by_key().items():
            for operation in operations:
                if operation.kind == "get" and operation.outcome is Outcome.OK:
                    check_real(operation, writes)
                    floor = self._floor(operation, operations)
                    check_fresh(operation, floor, operations, orders if self.is_global else {})
                elif (
                    operation.outcome is Outcome.OK
                    and not operation.deletes
                    and operation.number not in orders
                ):
                    raise Violation(f"an acknowledged write was never stored\n{operation}")
                elif operation.outcome is Outcome.FAILED and operation.number in orders:
                    raise Violation(f"a write that had failed was stored\n{operation}")
            if key[2].startswith(("own", "count")):
                check_linearizable(operations)
            if key[2].startswith("count"):
                record = final.get(key)
                item = None if record is None else item_of(values.loads(records.json_of(record)))
                check_counter(item.n or 0 if item else 0, operations)
        if self.is_global:
            check_winners(final, self._made_by_key(), records.order_of)

    def _floor(self, read: Operation, operations: list[Operation]) -> list[Operation]:
        """The writes that a read must show. A strong one: all that its region had acknowledged. An eventual one
        that waited for nobody: all that its own router had been told of (control/messages.ReadItem)."""
        return [
            write
            for write in operations
            if write.writes
            and write.outcome is Outcome.OK
            and write.returned < read.invoked
            and write.region == read.region
            and (
                read.strong
                or (write.router == read.router and read.returned - read.invoked < EVENTUAL_WAIT_SECONDS)
            )
        ]

    def _made_by_key(self) -> dict[Key, list[bytes]]:
        names = {encoded: key for key, encoded in self.key_bytes.items()}
        made: dict[Key, list[bytes]] = {}
        for (region, stored), made_here in self.made.items():
            table = self._table(region, self.keys[region].table)
            key = names.get(stored[4:])
            if key is not None and table is not None and stored[:4] == table.id.to_bytes(4, "big"):
                made.setdefault(key, []).extend(made_here)
        return made

    def _orders(self) -> dict[int, bytes]:
        """Where each put and update stands in last-writer-wins order, by its operation's number."""
        orders: dict[int, bytes] = {}
        for made in self.made.values():
            for record in made:
                if not records.is_tombstone(record):
                    number = item_of(values.loads(records.json_of(record))).w
                    order = records.order_of(record)
                    if orders.setdefault(number, order) != order:
                        raise Violation(f"operation {number} happened twice: {record!r}")
        return orders


def _content(state: State) -> tuple[Any, ...]:
    kept = {kind: held for kind, held in state.records.items() if held}
    return state.counters, kept


def _view(directory: Any) -> tuple[Any, ...]:
    return directory.version, directory.tables, directory.partitions, directory.nodes


def _unobserved(operation: str, code: str, seconds: float) -> None:
    """Nobody measures here."""
