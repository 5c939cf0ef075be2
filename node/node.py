"""The node: which replicas live here, who talks to them, and what it tells the others.

Everything it does follows from two inputs: the directory (which partitions should be here) and messages. Its
surroundings come in as ports, so that a whole region runs in one simulated process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random
from typing import Any, get_args

from msgspec.structs import replace

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    ControlUpdates,
    Elsewhere,
    NodeReport,
    PeerCommand,
    Propose,
    ReadStatus,
    StatusAnswer,
    Watch,
)
from kvorum.control.state import Partition as Descriptor
from kvorum.control.state import RegisterNode, Update
from kvorum.model import keys
from kvorum.model.errors import resource_not_found
from kvorum.model.table import Index, Table
from kvorum.node.announcer import Announcer
from kvorum.node.answers import refused
from kvorum.node.control_group import ControlMachine, ControlService
from kvorum.node.engine import INLINE_SYNC_US_MAX, Engine
from kvorum.node.followers import Followers
from kvorum.node.housekeeping import Housekeeping
from kvorum.node.index_routes import IndexRoutes
from kvorum.node.leaderships import Leaderships
from kvorum.node.machine import Machine
from kvorum.node.partition import Partition
from kvorum.node.partition_door import PartitionDoor
from kvorum.node.partition_machine import PartitionMachine
from kvorum.node.raft_log import RaftLog
from kvorum.node.replica import Replica
from kvorum.node.sender import Senders
from kvorum.node.settings import NodePorts, NodeSettings
from kvorum.node.store import StoreError
from kvorum.node.suspicion import Suspicions
from kvorum.replication.clock import HybridClock
from kvorum.replication.link import Link, LinkFailure, Reply
from kvorum.replication.raft.core import Core
from kvorum.replication.raft.messages import (
    RaftMessage,
)

_log = logging.getLogger("kvorum.node")

KICK_SECONDS = 0.1
EARLY_MESSAGES_MAX = 1_000


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
        self._leaderships = Leaderships(settings.name, self.engine, self.partitions, ports.links)
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
        self._housekeeping = Housekeeping(
            settings, ports.store, self.engine, self.partitions, self.directory, ports.now_ms
        )
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
            **PartitionDoor(settings.name, self.partitions, self.directory).handlers,
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
        """Before a graceful stop. True when nothing is led any more that somebody else could lead."""
        self._stopping = True
        return self._leaderships.hand_over()

    def stop(self) -> None:
        self._stopping = True
        self.senders.stop()
        self.engine.stop()

    # ---- links ----

    def link_up(self, link: Link) -> None:
        self._leaderships.connected(link.peer)
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
            self._leaderships.disconnected(link.peer)
            self.engine.unreachable(link.peer)

    def handle(self, message: Any, reply: Reply | None, link: Link) -> None:
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(message, reply, link)

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
        self.senders.kick()
        if not self._announcer.registered and (self._kicks % 5 == 0 or self._leads_control()):
            self._announcer.register()
        if self._kicks % 5 == 0:
            self._announcer.report()
            if self._control is not None:
                self._control.kick()
        if self._kicks % 10 == 0:
            self._housekeeping.trim_changes()
        self._housekeeping.purge_tombstones(everywhere=self._kicks % 10 == 0)
        self._housekeeping.tell_pressure()
        self._suspicions.look(self.engine.replicas, self.engine.now_us())
        if self._kicks % 20 == 0:
            self._leaderships.restore()
        if self._kicks % 600 == 0:
            self._early.clear()
            for partition in self.partitions.values():
                partition.tombstones.mark()

    def _leads_control(self) -> bool:
        return self._control is not None and self._control.leading

    # ---- status ----

    def status(self) -> StatusAnswer:
        return StatusAnswer(
            self.settings.name, self.directory.version, self._announcer.reports(), self.senders.reports()
        )

    def _read_status(self, message: ReadStatus, reply: Reply, link: Link) -> None:
        reply(self.status())
