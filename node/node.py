"""The node: which replicas live here, who talks to them, and what it tells the others.

Everything it does follows from two inputs: the directory (which partitions should be here) and messages. Its
surroundings come in as ports, so that a whole region runs in one simulated process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, get_args

from msgspec.structs import replace

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    ControlUpdates,
    Elsewhere,
    MergeItems,
    NodeReport,
    PeerCommand,
    Propose,
    ReadItem,
    ReadRange,
    ReadStatistics,
    ReadStatus,
    Stale,
    StatusAnswer,
    Watch,
    WriteItem,
)
from kvorum.control.state import Partition as Descriptor
from kvorum.control.state import RegisterNode, Update
from kvorum.model import keys
from kvorum.model.errors import resource_not_found
from kvorum.model.limits import ITEM_COLLECTION_BYTES_MAX
from kvorum.model.table import Index, Table
from kvorum.node.announcer import Announcer
from kvorum.node.answers import refused
from kvorum.node.control_group import ControlMachine, ControlService
from kvorum.node.engine import INLINE_SYNC_US_MAX, Engine, Scheduler
from kvorum.node.followers import BACKFILL_ITEMS, Followers
from kvorum.node.index_pressure import LAG_ENTRIES_MAX
from kvorum.node.index_routes import IndexRoutes
from kvorum.node.machine import Machine
from kvorum.node.partition import Partition
from kvorum.node.partition_machine import PartitionMachine
from kvorum.node.raft_log import RaftLog
from kvorum.node.replica import Replica
from kvorum.node.sender import Senders
from kvorum.node.store import Store, StoreError
from kvorum.node.suspicion import Suspicions
from kvorum.replication.clock import HybridClock, stamp_at
from kvorum.replication.link import Link, LinkFailure, Reply
from kvorum.replication.raft.core import Core, Settings
from kvorum.replication.raft.messages import (
    RaftMessage,
)

_log = logging.getLogger("kvorum.node")

KICK_SECONDS = 0.1
EARLY_MESSAGES_MAX = 1_000
TOMBSTONES_A_TURN = 500
"""So many expired tombstones go at a time, of each partition: once a second, and with every kick while there are
more. An index whose keys change leaves as many as there are writes."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """`control_members`: the nodes that hold the control group, the same for every process of the region.
    `replicas`: copies of every partition, 1 or 3. `raft`: timing in ticks of engine.TICK_SECONDS.
    `tombstone_days`: how long a deletion is remembered; `index_tombstone_days`: of a global index's entry, which need
    only outlive the messages that are under way. `reserve_bytes`, `inline_sync_us_max`: see disk_guard
    and engine; None for their own. `item_collection_bytes_max`: of a table with local indexes. `backfill_items`: so
    many of a table's items are entered in a new index at a time. `index_lag_entries_max`: see index_pressure."""

    name: str
    zone: str
    region: str
    address: str
    control_members: tuple[str, ...]
    replicas: int
    raft: Settings
    reserve_bytes: int | None = None
    tombstone_days: float = 7.0
    index_tombstone_days: float = 1 / 24
    backfill_items: int = BACKFILL_ITEMS
    inline_sync_us_max: int | None = None
    item_collection_bytes_max: int = ITEM_COLLECTION_BYTES_MAX
    index_lag_entries_max: int = LAG_ENTRIES_MAX


@dataclass(slots=True)
class NodePorts:
    """`links`: to the other nodes of the region, by name. `link_to_region`: to some router of a peer region,
    None while there is none. `on_failure`: the store failed, stop the process."""

    store: Store
    scheduler: Scheduler
    now_ms: Callable[[], int]
    random: Random
    links: Mapping[str, Link]
    link_to_region: Callable[[str], Link | None]
    on_failure: Callable[[StoreError], None]


class Node:
    """`handle` is the node's link handler; `link_up`/`link_down` tell it of every connection, whoever made
    it."""

    def __init__(self, settings: NodeSettings, ports: NodePorts) -> None:
        self.settings = settings
        self.clock = HybridClock()
        self.partitions: dict[int, Partition] = {}
        self._ports = ports
        self._store = ports.store
        self._scheduler = ports.scheduler
        self.engine = Engine(
            ports.store,
            ports.scheduler,
            self._send_raft,
            self._store_failed,
            settings.reserve_bytes,
            INLINE_SYNC_US_MAX if settings.inline_sync_us_max is None else settings.inline_sync_us_max,
        )
        self._connected_since_us: dict[str, int] = {}
        self._early: dict[int, list[RaftMessage]] = {}
        self._suspicions = Suspicions()
        self._kicks = 0
        self._stopping = False
        self._failure: StoreError | None = None
        self._control: ControlService | None = None
        if settings.name in settings.control_members:
            machine = ControlMachine(ports.store, settings.region, settings.replicas)
            self.directory = machine.directory
            # Nobody can say yet whether the group has formed: the others will, by what they ask for.
            suspect = len(settings.control_members) > 1 and not RaftLog.may_vote(ports.store, 0)
            log = self._make_replica(0, settings.control_members, machine, suspect=suspect)
            self._control = ControlService(machine, log, self._send_to_region)
        else:
            self.directory = Directory()
        self.routes = IndexRoutes(
            settings.name, settings.region, self.directory, self.partitions, ports.links
        )
        followers = Followers(
            settings.region,
            ports.store,
            ports.link_to_region,
            self.routes,
            ports.now_ms,
            backfill_items=settings.backfill_items,
        )
        self.senders = Senders(
            store=ports.store,
            readers_of=followers.of,
            now_ms=ports.now_ms,
            random=ports.random,
            call_soon=ports.scheduler.call_soon,
        )
        self._announcer = Announcer(
            RegisterNode(name=settings.name, zone=settings.zone, address=settings.address),
            settings.control_members,
            self.engine.replicas,
            self.directory,
            ports.links,
            lambda: self._control,
            self._indexed,
        )
        self._handlers: dict[Any, Callable[[Any, Any, Link], None]] = {
            ReadItem: self._read_item,
            WriteItem: self._write_item,
            ReadRange: self._read_range,
            ReadStatistics: self._read_statistics,
            MergeItems: self._merge_items,
            ReadStatus: self._read_status,
            ControlUpdates: self._control_updates,
            Propose: self._to_control,
            PeerCommand: self._to_control,
            Watch: self._to_control,
            NodeReport: self._to_control,
        }
        for kind in get_args(RaftMessage):
            self._handlers[kind] = self._step_raft

    # ---- life ----

    def start(self) -> None:
        self.directory.listen(lambda _, updates: self._scheduler.call_soon(lambda: self._follow(updates)))
        self._follow_all()
        self.engine.start()
        if self.settings.control_members == (self.settings.name,):
            self.engine.replicas[0].core.campaign(self.engine.now_us())  # nobody else to wait for
        self._scheduler.call_later(KICK_SECONDS, self._kick)

    def readiness(self) -> str | None:
        """Why this node cannot serve yet, in words; None when it can."""
        if self._failure is not None:
            return f"the store failed: {self._failure}"
        if self._stopping:
            return "stopping"
        if self.directory.version < 0 or self.settings.name not in self.directory.nodes:
            return "waiting for the control group"
        if not self.engine.writable():
            return "the disk is full: reads only"
        suspects = sum(replica.suspect for replica in self.engine.replicas.values())
        if suspects:
            return f"{suspects} replicas have lost their disk and wait for their leaders' logs"
        return None

    def hand_over(self) -> bool:
        """Pass leadership of every group to another replica, before a graceful stop. True when nothing is
        led any more that somebody else could lead."""
        self._stopping = True
        now_us = self.engine.now_us()
        led = 0
        for replica in self.engine.replicas.values():
            if not replica.core.is_leader:
                continue
            heirs = [name for name in self._voters(replica.group) if self._is_connected(name)]
            if heirs:
                led += 1
                replica.core.transfer_leadership(min(heirs, key=self._load_of), now_us)
                self.engine.wake(replica)
        return led == 0

    def stop(self) -> None:
        self._stopping = True
        self.senders.stop()
        self.engine.stop()

    # ---- links ----

    def link_up(self, link: Link) -> None:
        self._connected_since_us[link.peer] = self.engine.now_us()
        self._announcer.connected(link)
        if self._control is not None:
            # Whoever it is will Watch; if that is lost, or was said to the node that this one replaces after a
            # full disk, a reminder of the version says that there is something to ask for.
            self._control.handle(Watch(self.directory.version), None, link)
        elif link.peer in self.settings.control_members:
            link.cast(Watch(self.directory.version))
        if self._control is not None and self.engine.replicas[0].suspect:
            # Let the others see at once that there is nothing here: if they have nothing either, that is a start.
            self.engine.replicas[0].core.campaign(self.engine.now_us())
            self.engine.wake(self.engine.replicas[0])

    def link_down(self, link: Link) -> None:
        self._announcer.disconnected(link)
        if self._control is not None:
            self._control.unwatch(link)
        if link.peer in self._ports.links and not self._ports.links[link.peer].connected:
            self._connected_since_us.pop(link.peer, None)
            self.engine.unreachable(link.peer)

    def handle(self, message: Any, reply: Reply | None, link: Link) -> None:
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(message, reply, link)

    # ---- requests for partitions ----

    def _partition(self, message: Any, reply: Reply) -> Partition | None:
        partition = self.partitions.get(message.partition)
        if partition is None:
            known = self.directory.partitions.get(message.partition)
            leader = (
                known.preferred_leader if known and known.preferred_leader != self.settings.name else None
            )
            reply(Elsewhere(message.partition, leader))
        elif partition.descriptor.epoch != message.epoch:
            reply(Stale(message.partition, self.directory.version))
        else:
            return partition
        return None

    def _read_item(self, message: ReadItem, reply: Reply, link: Link) -> None:
        partition = self._partition(message, reply)
        if partition is not None:
            partition.read_item(message, reply)

    def _write_item(self, message: WriteItem, reply: Reply, link: Link) -> None:
        partition = self._partition(message, reply)
        if partition is not None:
            partition.write_item(message, reply)

    def _read_range(self, message: ReadRange, reply: Reply, link: Link) -> None:
        partition = self._partition(message, reply)
        if partition is not None:
            partition.read_range(message, reply)

    def _read_statistics(self, message: ReadStatistics, reply: Reply, link: Link) -> None:
        partition = self._partition(message, reply)
        if partition is not None:
            partition.statistics(message.index, reply)

    def _merge_items(self, message: MergeItems, reply: Reply, link: Link) -> None:
        partition = self._partition(message, reply)
        if partition is not None:
            partition.merge_items(message, reply)

    # ---- consensus ----

    def _send_raft(self, peer: str, message: RaftMessage) -> None:
        link = self._ports.links.get(peer)
        if link is not None:
            link.cast(message)

    def _step_raft(self, message: RaftMessage, reply: Reply | None, link: Link) -> None:
        if not self.engine.step(message):
            # A group's other replicas may hear of it first; what they say is kept until it exists here too.
            waiting = self._early.setdefault(message.group, [])
            if len(waiting) < 16 and len(self._early) < EARLY_MESSAGES_MAX:
                waiting.append(message)

    def _make_replica(
        self, group: int, voters: tuple[str, ...], machine: Machine, *, suspect: bool
    ) -> Replica:
        log = RaftLog(self._store, group)
        core = Core(
            group=group,
            name=self.settings.name,
            voters=voters,
            storage=log,
            hard_state=log.load_hard_state(),
            applied=machine.applied,
            settings=self.settings.raft,
            random=Random(self._ports.random.getrandbits(64)),  # noqa: S311 - election timeouts, no secret
            now_us=self._scheduler.now_us(),
        )
        replica = Replica(group, core, log, machine, self.engine, suspect=suspect)
        self.engine.add(replica)
        return replica

    def _voters(self, group: int) -> tuple[str, ...]:
        """The other voters of a group."""
        voters = self.partitions[group].descriptor.replicas if group else self.settings.control_members
        return tuple(name for name in voters if name != self.settings.name)

    def _is_connected(self, name: str) -> bool:
        link = self._ports.links.get(name)
        return link is not None and link.connected

    def _load_of(self, name: str) -> int:
        """How many groups this node believes `name` leads."""
        return sum(replica.leader == name for replica in self.engine.replicas.values())

    def _store_failed(self, error: StoreError) -> None:
        if self._failure is None:
            self._failure = error
            self.senders.stop()
            self._ports.on_failure(error)

    # ---- following the directory ----

    def _follow_all(self) -> None:
        for descriptor in list(self.directory.partitions.values()):
            self._follow_partition(descriptor)

    def _follow(self, updates: list[Update]) -> None:
        tables = {update.id for update in updates if update.kind == "table"}
        for update in updates:
            if update.kind == "partition":
                current = self.directory.partitions.get(int(update.id))
                held = self.partitions.get(int(update.id))
                if current is not None:
                    self._follow_partition(current)
                elif held is not None:  # made anew from an old directory, after everybody had dropped it
                    self._drop_partition(held.descriptor)
        if tables:
            for partition in self.partitions.values():
                partition.table, partition.index = self._table_of(partition.descriptor) or (
                    partition.table,
                    partition.index,
                )
                self._tend(partition)
                self.senders.follow(partition)

    def _follow_partition(self, descriptor: Descriptor) -> None:
        if self.settings.name not in descriptor.replicas:
            return
        if descriptor.dropping:
            self._drop_partition(descriptor)
        elif descriptor.id in self.partitions:
            self.partitions[descriptor.id].descriptor = descriptor
        else:
            self._add_partition(descriptor)

    def _table_of(self, descriptor: Descriptor) -> tuple[Table, Index | None] | None:
        """Whose items or entries the partition holds; None while, or once, the directory does not know."""
        table = self.directory.tables_by_id.get(descriptor.table_id)
        if table is not None:
            return table, None
        indexed = self.directory.indexes_by_id.get(descriptor.table_id)
        if indexed is None:
            return None
        table, index = indexed
        return replace(table, regions=(), indexes=()), index  # nobody follows an index's own changes

    def _add_partition(self, descriptor: Descriptor) -> None:
        found = self._table_of(descriptor)
        if found is None:
            return
        table, index = found
        known = RaftLog.exists(self._store, descriptor.id)
        suspect = (
            (descriptor.formed or known)
            and len(descriptor.replicas) > 1
            and not RaftLog.may_vote(self._store, descriptor.id)
        )
        machine = PartitionMachine(descriptor.id, descriptor.table_id, self._store, self.clock)
        replica = self._make_replica(descriptor.id, descriptor.replicas, machine, suspect=suspect)
        partition = Partition(
            descriptor,
            table,
            self.settings.region,
            machine,
            replica,
            self._store,
            self.clock,
            self._ports.now_ms,
            self.settings.item_collection_bytes_max,
            index,
            self.settings.index_lag_entries_max,
        )
        self.partitions[descriptor.id] = partition
        machine.on_leadership = lambda: self._leadership_changed(partition)
        machine.on_shown = lambda: self._shown(partition)
        if not known and descriptor.preferred_leader == self.settings.name:
            replica.core.campaign(self.engine.now_us())
            self.engine.wake(replica)
        for message in self._early.pop(descriptor.id, ()):
            self.engine.step(message)

    def _drop_partition(self, descriptor: Descriptor) -> None:
        partition = self.partitions.pop(descriptor.id, None)
        if partition is not None:
            self.senders.forget(partition)
            # Whatever became of writes on their way, nothing of them is left.
            partition.replica.abandon(refused(resource_not_found()))
        self.engine.remove(descriptor.id)
        if partition is None and not RaftLog.exists(self._store, descriptor.id):
            return
        batch = self._store.batch()
        machine = (
            partition.machine
            if partition is not None
            else PartitionMachine(descriptor.id, descriptor.table_id, self._store, self.clock)
        )
        machine.erase(keys.token_bounds(descriptor.lower, descriptor.upper), batch)
        RaftLog(self._store, descriptor.id).erase(batch)
        self.engine.write(batch)

    def _shown(self, partition: Partition) -> None:
        partition.catch_up()
        if partition.feed.has_turned():
            self.senders.follow(partition)
            if partition.replica.serving:
                self._announcer.report()
        if partition.log_changes:
            self.senders.written(partition)

    def _leadership_changed(self, partition: Partition) -> None:
        partition.leadership_changed()
        self._tend(partition)
        self.senders.follow(partition)
        self._announcer.leadership_changed()

    def _tend(self, partition: Partition) -> None:
        """By the directory as it is now: what a partition knows of its table may be a turn of the loop older."""
        table = self.directory.tables_by_id.get(partition.descriptor.table_id)
        if table is not None:
            partition.feed.tend(table, self.directory.version)

    def _tell_pressure(self, partition: Partition) -> None:
        news = partition.pressure.news() if partition.replica.serving else None
        if news is None:
            return
        known = self.directory.indexes_by_id.get(news.index_id)
        extra = {
            "partition": partition.descriptor.id,
            "table": partition.table.name,
            "index": known[1].name if known is not None else "",
            "log_entries_behind": news.lag,
        }
        if news.refuses:
            _log.warning(
                "writes are refused, for a global index is too far behind: find out why its partitions take no entries"
                " (kvorum status), or delete the index",
                extra=extra,
            )
        else:
            _log.info("writes are taken again: the global index has caught up", extra=extra)

    def _indexed(self, group: int) -> tuple[int, ...]:
        partition = self.partitions.get(group)
        return partition.feed.indexed if partition is not None and partition.replica.serving else ()

    # ---- control group ----

    def _to_control(self, message: Any, reply: Reply | None, link: Link) -> None:
        if self._control is not None:
            self._control.handle(message, reply, link)
        elif reply is not None:
            reply(Elsewhere(0, self.settings.control_members[0]))

    def _control_updates(self, message: ControlUpdates, reply: Reply | None, link: Link) -> None:
        if self._control is None:
            self.directory.receive(message.version, message.complete, message.updates, message.after)
            if self.directory.missed:
                link.cast(Watch(self.directory.version))

    def _send_to_region(self, region: str, message: Any, done: Reply) -> None:
        link = self._ports.link_to_region(region)
        if link is None:
            done(LinkFailure(sent=False, reason=f"no router of {region} is connected"))
        else:
            link.call(message, done, 5.0)

    # ---- the slow clock ----

    def _kick(self) -> None:
        if self._stopping:
            return
        self._scheduler.call_later(KICK_SECONDS, self._kick)
        self._kicks += 1
        for partition in self.partitions.values():
            partition.expire()
        if self._failure is not None:
            return  # reads go on, and nothing else
        for partition in self.partitions.values():
            self._tend(partition)
            self._tell_pressure(partition)
        self.senders.kick()
        if not self._announcer.registered and (self._kicks % 5 == 0 or self._leads_control()):
            self._announcer.register()
        if self._kicks % 5 == 0:
            self._announcer.report()
            if self._control is not None:
                self._control.kick()
        if self._kicks % 10 == 0:
            self._trim_changes()
        self._purge_tombstones(everywhere=self._kicks % 10 == 0)
        self._suspicions.look(self.engine.replicas, self.engine.now_us())
        if self._kicks % 20 == 0:
            self._restore_leaders()
        if self._kicks % 600 == 0:
            self._early.clear()
            for partition in self.partitions.values():
                partition.tombstones.mark()

    def _leads_control(self) -> bool:
        return self._control is not None and self._control.leading

    def _trim_changes(self) -> None:
        batch = self._store.batch()
        for partition in self.partitions.values():
            peers = [region for region in partition.table.regions if region != self.settings.region]
            partition.machine.trim(peers, batch)
        self.engine.write(batch)

    def _restore_leaders(self) -> None:
        """Spread the load again after failures: hand a partition to its preferred leader once that node has
        been back long enough to be trusted with it."""
        now_us = self.engine.now_us()
        for partition in self.partitions.values():
            preferred = partition.descriptor.preferred_leader
            since_us = self._connected_since_us.get(preferred)
            if (
                preferred != self.settings.name
                and partition.replica.serving
                and since_us is not None
                and now_us - since_us > 10_000_000
                and self._is_connected(preferred)
                and partition.replica.core.transfer_leadership(preferred, now_us)
            ):
                self.engine.wake(partition.replica)

    def _purge_tombstones(self, *, everywhere: bool) -> None:
        settings = self.settings
        for partition in self.partitions.values():
            if not everywhere and not partition.tombstones.purges_on:
                continue
            kept_days = settings.tombstone_days if partition.index is None else settings.index_tombstone_days
            older_than_ms = self._ports.now_ms() - int(kept_days * 86_400_000)
            partition.tombstones.purge(stamp_at(older_than_ms), TOMBSTONES_A_TURN)

    # ---- status ----

    def status(self) -> StatusAnswer:
        return StatusAnswer(
            self.settings.name, self.directory.version, self._announcer.reports(), self.senders.reports()
        )

    def _read_status(self, message: ReadStatus, reply: Reply, link: Link) -> None:
        reply(self.status())
