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
from random import Random
from typing import Any

from kvorum.model import keys as key_codec
from kvorum.model import record as records
from kvorum.model import values
from kvorum.model.table import Table, TableStatus
from kvorum.node.index_pressure import LAG_ENTRIES_MAX
from kvorum.replication.raft.core import Settings
from tests.kit.links import VirtualLoop
from tests.kit.simulation_checks import check
from tests.kit.simulation_clients import ItemClient, Keys, Ports, TableClient, key_of, send, table_body
from tests.kit.simulation_faults import FAULTS, Faults
from tests.kit.simulation_history import History, Key, Outcome, Violation
from tests.kit.simulation_hosts import NodeHost, Region, RouterHost, RouterLife
from tests.kit.simulation_indexes import IndexClient, idle_items, indexed_table_body
from tests.kit.simulation_network import Host, Network
from tests.kit.simulation_settled import unsettled

READY_SECONDS_MAX = 30.0
SETTLE_SECONDS_MAX = 60.0


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
        kinds = faults if faults is not None else tuple(random.sample(FAULTS, random.randrange(2, 6)))
        fault_interval_seconds = random.choice((0.2, 0.6, 1.5))
        self.think_seconds = random.choice((0.03, 0.08, 0.2))
        self.history = History()
        self.made: dict[
            tuple[str, bytes], dict[bytes, None]
        ] = {}  # (region, key) -> every record it ever had
        self.regions: dict[str, Region] = {}
        for name in ("eu", "us", "ap")[:count]:
            self._add_region(name)
        self.faults = Faults(self, kinds, fault_interval_seconds)
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
        self.index_lag_entries_max: int = Random(f"{seed}/pressure").choice((40, LAG_ENTRIES_MAX))
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
            self.faults.heal()
            self.wait(1.0)
            for client in self.everybody:
                client.stop()
            self.wait_for("answers", 15.0, lambda: not any(client.busy for client in self.everybody))
            self.wait_for("settling", SETTLE_SECONDS_MAX, lambda: self.unsettled() is None)
            self._work_again()
            self.wait_for("settling again", 10.0, lambda: self.unsettled() is None)
            check(self)

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
        self.faults.begin()
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
            table = self.table_named(region, keys.table)
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

    def table_named(self, region: str, name: str) -> Table | None:
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

    def unsettled(self) -> str | None:
        """What is not yet as it should be, None when everything is."""
        return next(unsettled(self), None)

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
