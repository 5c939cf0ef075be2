"""Whole regions on a virtual clock: whatever the network loses, repeats and overtakes, whoever restarts from
however old a cursor, once a region is reachable again every region holds the same records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, cast

import pytest

from kvorum.control.messages import Refused, ShipAnswer, ShipChanges
from kvorum.model import change as change_log
from kvorum.model import record as records
from kvorum.model.change import Change
from kvorum.node.commands import AdvanceCursor
from kvorum.node.followers import Followers
from kvorum.node.index_routes import IndexRoutes
from kvorum.node.memory_store import MemoryStore
from kvorum.node.partition import Partition
from kvorum.node.sender import Senders
from kvorum.node.store import Family
from kvorum.replication import lww
from kvorum.replication.change_sender import SenderSettings
from kvorum.replication.clock import HybridClock
from kvorum.replication.link import Link, Reply
from tests.kit.links import Network, SimulatedLink, VirtualLoop, Weather

KEYS = [number.to_bytes(8, "big") + b"key" for number in range(6)]
PARTITIONS = 2
REFUSED = Refused("kvorum#NotNow", "not now", 503, b"", definite=True)
SETTINGS = SenderSettings(batch_changes=4, batch_bytes=400, scanned_max=7)
STORM = Weather((0.001, 0.4), loss=0.15, duplicates=0.1, disorder=True)
CALM = Weather((0.001, 0.02))


@dataclass
class Descriptor:
    id: int


@dataclass
class Table:
    global_id: str
    regions: tuple[str, ...]
    indexes: tuple[()] = ()


@dataclass
class Replica:
    serving: bool = True

    def confirm(self, done: Callable[[bool], None]) -> None:
        done(self.serving)


@dataclass
class Cursors:
    by_id: dict[int, int] = field(default_factory=dict[int, int])


@dataclass
class Machine:
    applied: int = 0
    cursors: dict[str, int] = field(default_factory=dict[str, int])
    index_cursors: Cursors = field(default_factory=Cursors)

    @property
    def shown(self) -> int:
        """What is written here is durable at once."""
        return self.applied


@dataclass
class ModelPartition:
    """A partition without consensus: what is written is committed."""

    descriptor: Descriptor
    table: Table
    propose: Callable[[AdvanceCursor], bool]
    machine: Machine = field(default_factory=Machine)
    replica: Replica = field(default_factory=Replica)


class Region:
    """Model partitions, one node's real senders, two routers' doors."""

    def __init__(self, world: World, name: str, skew_ms: int) -> None:
        self.name = name
        self.items: dict[bytes, bytes] = {}
        self.clock = HybridClock()
        self.store = MemoryStore()
        self.links: dict[str, list[SimulatedLink]] = {}
        self.partitions = [
            ModelPartition(
                Descriptor(number + 1), Table("table", tuple(world.names)), partial(self._propose, number)
            )
            for number in range(PARTITIONS)
        ]
        self._world = world
        self._skew_ms = skew_ms
        self.senders = self._new_senders()
        self._kick()

    def now_ms(self) -> int:
        return self._world.loop.now_ms() + self._skew_ms

    def write(self, key: bytes, *, delete: bool) -> None:
        self.clock.witness(records.stamp_of(self.items[key]) if key in self.items else 0)
        stamp = self.clock.tick(self.now_ms())
        region = self.name.encode()
        if delete:
            made = records.encode_tombstone(stamp, region)
        else:
            made = records.encode(b'{"v":{"N":"%d"}}' % stamp, 20, stamp, region)
        self._world.written.setdefault(key, []).append(made)
        self._commit([(key, made)])

    def receive(self, message: Any, reply: Reply | None, link: Link) -> None:
        """A router's door and the partitions' leaders behind it; a merge takes its time, and may fail before
        or after it has happened."""
        assert isinstance(message, ShipChanges)
        assert reply is not None
        draw = self._world.random.random()
        if draw < self._world.trouble / 2:
            reply(REFUSED)
        else:
            delay = self._world.random.uniform(0.001, 0.05)
            self._world.loop.call_later(delay, self._merge, message, reply, draw < self._world.trouble)

    def restart_leader(self) -> None:
        """A new leader goes on from the cursors as they are replicated, which may be long behind."""
        for partition in self.partitions:
            partition.replica.serving = False
            self.senders.follow(cast("Partition", partition))
            partition.replica.serving = True
        self.senders = self._new_senders()

    def _merge(self, message: ShipChanges, reply: Reply, forget_to_answer: bool) -> None:
        changes: list[tuple[bytes, bytes]] = []
        for shipped in message.changes:
            merged = lww.merge(self.items.get(shipped.key), shipped.record)
            if merged is None:
                continue
            if not self.clock.observe(records.stamp_of(merged), self.now_ms()):
                reply(REFUSED)
                return
            changes.append((shipped.key, merged))
        if changes:
            self._commit(changes)
        if not forget_to_answer:
            reply(ShipAnswer(len(message.changes) - len(changes)))

    def _commit(self, changes: list[tuple[bytes, bytes]]) -> None:
        """One log entry; all of its keys are of one partition, as all of a batch's are."""
        partition = self.partitions[changes[0][0][7] % PARTITIONS]
        partition.machine.applied += self._world.random.choice((1, 1, 3))  # other entries lie between
        batch = self.store.batch()
        for offset, (key, made) in enumerate(changes):
            assert lww.newer(made, self.items.get(key)), "an item went back in time"
            self.items[key] = made
            place = change_log.position(partition.descriptor.id, partition.machine.applied, offset)
            batch.put(Family.CHANGES, place, change_log.encode(Change(key, made)))
        self.store.write(batch)
        if self._world.random.random() < 0.5:
            self.senders.written(cast("Partition", partition))

    def _new_senders(self) -> Senders:
        followers = Followers(
            self.name, self.store, self._link_to, cast("IndexRoutes", None), self.now_ms, SETTINGS
        )
        senders = Senders(
            store=self.store,
            readers_of=followers.of,
            now_ms=self.now_ms,
            random=self._world.random,
            call_soon=partial(self._world.loop.call_later, 0.0),
        )
        for partition in self.partitions:
            senders.follow(cast("Partition", partition))
        return senders

    def _link_to(self, region: str) -> SimulatedLink | None:
        connected = [link for link in self.links.get(region, ()) if link.connected]
        return self._world.random.choice(connected) if connected else None

    def _propose(self, number: int, command: AdvanceCursor) -> bool:
        if self._world.random.random() >= self._world.trouble:
            self._world.loop.call_later(self._world.random.uniform(0, 0.5), self._advance, number, command)
        return True

    def _advance(self, number: int, command: AdvanceCursor) -> None:
        machine = self.partitions[number].machine
        machine.applied += 1
        machine.cursors[command.region] = max(machine.cursors.get(command.region, 0), command.index)

    def _kick(self) -> None:
        self.senders.kick()
        self._world.loop.call_later(0.1, self._kick)


class World:
    def __init__(self, names: list[str], seed: int, skews_ms: dict[str, int] | None = None) -> None:
        self.names = names
        self.random = Random(seed)
        self.loop = VirtualLoop()
        self.network = Network(self.loop, self.random, STORM)
        self.trouble = 0.2
        self.written: dict[bytes, list[bytes]] = {}
        skews = skews_ms or {name: self.random.randint(-2_000, 2_000) for name in names}
        self.regions = {name: Region(self, name, skews[name]) for name in names}
        for name, region in self.regions.items():
            self.network.add(f"{name}/node", _nothing)
            for number in (1, 2):
                self.network.add(f"{name}/router-{number}", region.receive)
        for source in names:
            for target in names:
                if source != target:
                    self.regions[source].links[target] = [
                        self.network.connect(f"{source}/node", f"{target}/router-{number}")
                        for number in (1, 2)
                    ]

    def calm(self) -> None:
        self.network.weather = CALM
        self.trouble = 0.0

    def isolate(self, region: str, *, heal: bool = False) -> None:
        act = self.network.heal if heal else self.network.cut
        for other in self.names:
            if other != region:
                for number in (1, 2):
                    act(f"{region}/node", f"{other}/router-{number}")
                    act(f"{other}/node", f"{region}/router-{number}")

    def converged(self) -> bool:
        held = [region.items for region in self.regions.values()]
        return all(items == held[0] for items in held)

    def shipped(self) -> bool:
        """Every change log could be trimmed: nobody lags, every cursor is past the last change."""
        return all(
            report.lag_ms == 0
            and self.regions[name].partitions[report.partition - 1].machine.cursors.get(report.region, 0)
            >= self.last_change(name, report.partition)
            for name, region in self.regions.items()
            for report in region.senders.reports()
        )

    def last_change(self, region: str, partition: int) -> int:
        lower, upper = change_log.position(partition, 0, 0), change_log.position(partition + 1, 0, 0)
        places = [place for place, _ in self.regions[region].store.scan(Family.CHANGES, lower, upper)]
        return change_log.index_of(places[-1]) if places else 0

    def expect_the_latest_writes(self) -> None:
        for region in self.regions.values():
            assert region.items == {
                key: max(made, key=records.order_of) for key, made in self.written.items()
            }


def _nothing(message: Any, reply: Reply | None, link: Link) -> None:
    return


@pytest.mark.parametrize("names", [["eu", "us"], ["eu", "eu-west", "us"]], ids=["two", "three"])
@pytest.mark.parametrize("seed", range(25))
def test_regions_converge_after_the_storm(names: list[str], seed: int) -> None:
    world = World(names, seed)
    random = world.random
    for _ in range(60):
        draw = random.random()
        region = random.choice(names)
        if draw < 0.85:
            world.regions[region].write(random.choice(KEYS), delete=random.random() < 0.3)
        elif draw < 0.92:
            world.regions[region].restart_leader()
        else:
            world.isolate(region, heal=random.random() < 0.5)
        world.loop.run_for(random.expovariate(5))
    for name in names:
        world.isolate(name, heal=True)
    world.calm()
    assert world.loop.run_until(world.converged, 30)
    world.expect_the_latest_writes()
    assert world.loop.run_until(world.shipped, 30)
    world.expect_the_latest_writes()


def test_a_region_that_was_cut_off_goes_on_and_then_catches_up() -> None:
    world = World(["eu", "us"], 1, {"eu": 0, "us": 0})
    world.calm()
    eu, us = world.regions["eu"], world.regions["us"]
    for key in KEYS:
        eu.write(key, delete=False)
    assert world.loop.run_until(world.converged, 1)
    world.isolate("us")
    for turn in range(100):
        eu.write(KEYS[turn % 3], delete=turn % 7 == 0)
        us.write(KEYS[turn % 5], delete=turn % 4 == 0)
        world.loop.run_for(0.3)
    assert not world.converged()
    assert max(report.lag_ms for report in eu.senders.reports()) > 29_000
    world.isolate("us", heal=True)
    assert world.loop.run_until(world.converged, 4)
    world.expect_the_latest_writes()
    assert world.loop.run_until(world.shipped, 4)


def test_a_deleted_item_does_not_come_back_when_an_old_leader_ships_its_log_again() -> None:
    world = World(["eu", "us"], 2, {"eu": 0, "us": 0})
    world.calm()
    eu, us = world.regions["eu"], world.regions["us"]
    key = KEYS[0]
    eu.write(key, delete=False)
    assert world.loop.run_until(world.converged, 1)
    us.write(key, delete=True)
    eu.restart_leader()
    eu.partitions[0].machine.cursors.clear()
    eu.restart_leader()  # ships its write for a second time, behind the deletion
    world.loop.run_for(2)
    assert records.is_tombstone(us.items[key])
    assert eu.items == us.items


def test_a_lone_write_is_there_within_a_round_trip() -> None:
    world = World(["eu", "us"], 3, {"eu": 0, "us": 0})
    world.calm()
    world.random.random = lambda: 0.0  # type: ignore[method-assign]  # every write tells the senders
    world.loop.run_for(5)
    world.regions["eu"].write(KEYS[0], delete=False)
    assert world.loop.run_until(world.converged, 0.075)


def test_a_clock_far_ahead_is_waited_for_not_followed() -> None:
    world = World(["eu", "us"], 4, {"eu": 90_000, "us": 0})
    world.calm()
    eu, us = world.regions["eu"], world.regions["us"]
    eu.write(KEYS[0], delete=False)
    world.loop.run_for(25)
    assert KEYS[0] not in us.items
    assert us.clock.refused > 3
    us.write(KEYS[1], delete=False)  # the healthy direction goes on
    assert world.loop.run_until(lambda: KEYS[1] in eu.items, 1)
    assert world.loop.run_until(
        world.converged, 15
    )  # 60 s of drift are allowed: after 30 s it is near enough
