"""One partition on one node: what its leader and its replicas answer.

A write is evaluated by the leader on what its log will have made of the item (the overlay: proposed, not
applied yet), so that writes to one hot key pipeline; what goes into the log is the outcome, not the request.
An answer that depends on an unfinished write waits for it; an answer that depends only on what was read is
given after the read is proven to be the leader's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

from kvorum.control.messages import (
    Elsewhere,
    MergeItems,
    PageAnswer,
    ReadItem,
    ReadRange,
    RecordAnswer,
    ShipAnswer,
    StatisticsAnswer,
    WriteAnswer,
    WriteItem,
)
from kvorum.control.state import Partition as Descriptor
from kvorum.model import item as item_model
from kvorum.model import record as records
from kvorum.model.errors import ApiError, index_behind, item_collection_size_limit_exceeded
from kvorum.model.keys import collection_of
from kvorum.model.limits import ITEM_COLLECTION_BYTES_MAX
from kvorum.model.requests import Update
from kvorum.model.table import Index, Table
from kvorum.node.answers import refused
from kvorum.node.commands import (
    LocalChange,
    Mutate,
    Mutation,
    PartitionCommand,
    encode,
)
from kvorum.node.evaluation import NO_EFFECT, index_effect
from kvorum.node.index_feed import IndexFeed
from kvorum.node.index_pressure import LAG_ENTRIES_MAX, IndexPressure
from kvorum.node.item_collections import ItemCollections
from kvorum.node.pages import read_page
from kvorum.node.partition_machine import PartitionMachine
from kvorum.node.replica import Replica
from kvorum.node.store import Family, Store
from kvorum.node.tombstones import Overlay, Tombstones
from kvorum.replication.clock import HybridClock
from kvorum.replication.link import Reply
from kvorum.replication.lww import is_same_write, merge

_BEHIND_MS, _LEADERLESS_MS = 100, 400
"""How long an eventual read waits for a replica that is behind, and how much longer for one that knows no leader: it
has just started, or the group has just lost its leader. Together less than a router gives an attempt."""


class Partition:
    """What a node answers for one partition. `region`: the own region's name, which stamps carry. `index`: the global
    index whose partition it is; its entries come from the table's partitions, and nothing follows them."""

    def __init__(
        self,
        descriptor: Descriptor,
        table: Table,
        region: str,
        machine: PartitionMachine,
        replica: Replica,
        store: Store,
        clock: HybridClock,
        now_ms: Callable[[], int],
        item_collection_bytes_max: int = ITEM_COLLECTION_BYTES_MAX,
        index: Index | None = None,
        index_lag_entries_max: int = LAG_ENTRIES_MAX,
    ) -> None:
        self.descriptor = descriptor
        self.table = table
        self.index = index
        self.machine = machine
        self.replica = replica
        self._region = region
        self._region_bytes = region.encode()
        self._store = store
        self._clock = clock
        self._now_ms = now_ms
        self._prefix = machine.prefix
        self._overlay: Overlay = {}
        self._overlay_term = 0
        self._collections = ItemCollections(machine.prefix, store)
        self._collection_bytes_max = item_collection_bytes_max
        self._behind: list[tuple[int, int, Callable[[], None], Reply]] = []
        """(index awaited, deadline ms, read, its reply)"""
        self.feed = IndexFeed(machine.index_cursors, self)
        self.pressure = IndexPressure(machine, index_lag_entries_max)
        self.lost_merges = 0
        self.tombstones = Tombstones(descriptor.id, machine.prefix, machine, replica, store, self._overlay)

    @property
    def serving(self) -> bool:
        return self.replica.serving

    @property
    def replicates(self) -> bool:
        """Whether peer regions read this partition's change log: then deletions leave tombstones."""
        return len(self.table.regions) > 1

    @property
    def log_changes(self) -> bool:
        """Whether anything reads this partition's change log."""
        return self.replicates or self.feed.active

    # ---- reads ----

    def read_item(self, message: ReadItem, reply: Reply) -> None:
        replica = self.replica
        if replica.suspect or (message.strong and not replica.serving):
            reply(Elsewhere(message.partition, replica.leader))
            return
        if not message.strong and message.index_min > self.machine.shown:
            self._when_shown(message.index_min, lambda: reply(self._item(message.key)), reply)
            return
        answer = self._item(message.key)
        if replica.alone and message.key in self._overlay:
            # The store is ahead of the disk: what it holds for this key, a crash could still take back.
            self._answer_from(self._overlay[message.key], answer, message.partition, reply)
        elif message.strong:
            self._answer_read(answer, message.partition, reply)
        else:
            reply(answer)

    def read_range(self, message: ReadRange, reply: Reply) -> None:
        if (
            self.replica.suspect
            or (message.strong and not self.replica.serving)
            or self._lacks(message.index)
        ):
            reply(Elsewhere(message.partition, self.replica.leader))
        elif self.replica.alone and self._overlay:
            newest = max(self._overlay.values(), key=itemgetter(0))
            self._answer_from(newest, self._read_page(message), message.partition, reply)
        elif message.strong:
            self._answer_read(self._read_page(message), message.partition, reply)
        elif message.index_min > self.machine.shown:
            self._when_shown(message.index_min, lambda: reply(self._read_page(message)), reply)
        else:
            reply(self._read_page(message))

    def statistics(self, index: int, reply: Reply) -> None:
        """`index`: a local one, 0 for the items."""
        machine = self.machine
        counts = machine.indexes.get(index, (0, 0)) if index else (machine.items, machine.bytes)
        reply(StatisticsAnswer(*counts))

    def expire(self) -> None:
        """Eventual reads that waited for a lagging replica long enough wait no more."""
        if self._behind:
            self.catch_up(self._now_ms())

    # ---- writes ----

    def write_item(self, message: WriteItem, reply: Reply) -> None:
        replica = self.replica
        if not replica.serving:
            reply(Elsewhere(message.partition, replica.leader))
            return
        if self.pressure.refuses():
            reply(refused(index_behind()))
            return
        write = message.write
        key = write.key
        pending = self._overlay.get(key)
        current = pending[1] if pending is not None else self._store.get(Family.DATA, self._prefix + key)
        previous = _image(current)
        try:
            outcome = item_model.apply(write, previous, self.table)
        except ApiError as error:
            self._answer_from(pending, refused(error), message.partition, reply)
            return
        size_old = previous.size if previous is not None else 0
        json = outcome.json
        replicates, feeds = self.replicates, self.feed.active
        if json is None and previous is None and (write.__class__ is Update or not replicates):
            # Deleting what is not there changes nothing here, and no other region has to hear of it; an update
            # that finds nothing to take away must not delete what another region has.
            collection_bytes = self._measured_collection(key) if write.measure else None
            answer = WriteAnswer(outcome.attributes, 0, 0, 0, None, collection_bytes)
            self._answer_from(self._latest(pending, key), answer, message.partition, reply)
            return
        stamp = self._next_stamp(current)
        if json is not None:
            record: bytes | None = records.encode(json, outcome.size, stamp, self._region_bytes)
        elif replicates or feeds:
            record = records.encode_tombstone(stamp, self._region_bytes)
        else:
            record = None
        effect = NO_EFFECT
        if self.table.indexes:
            effect = index_effect(
                self.table,
                key,
                record,
                previous,
                outcome.image,
                self._collections.size,
                measured=write.measure,
            )
            if effect.growth > 0 and self._outgrown(effect.local):
                too_large = refused(item_collection_size_limit_exceeded())
                self._answer_from(self._latest(pending, key), too_large, message.partition, reply)
                return
        mutation = Mutation(
            key,
            record,
            (json is not None) - (previous is not None),
            outcome.size - size_old,
            replicates or feeds,
            current if feeds and previous is not None else None,
            forget=feeds and json is None and not replicates,
            local=effect.local,
        )
        attributes, size_new, units = outcome.attributes, outcome.size, effect.units
        measured = effect.local.collection_bytes if write.measure and effect.local is not None else None

        def answered(result: Any) -> None:
            if result.__class__ is int:
                reply(WriteAnswer(attributes, size_old, size_new, result, units, measured))
            else:
                reply(result)

        self._propose(Mutate([mutation]), answered)

    def merge_items(self, message: MergeItems, reply: Reply) -> None:
        """Changes from a peer region, or of an index's entries: the newer of each pair stays, whoever comes first."""
        if not self.replica.serving:
            reply(Elsewhere(message.partition, self.replica.leader))
            return
        log, feeds, is_of_index = self.log_changes, self.feed.active, self.index is not None
        mutations: list[Mutation] = []
        seen: dict[bytes, bytes | None] = {}
        collections: dict[bytes, int] = {}
        waits_for: tuple[int, bytes | None] | None = None
        lost = 0
        for shipped in message.changes:
            key = shipped.key
            pending = self._overlay.get(key)
            if key in seen:
                current = seen[key]
            else:
                current = pending[1] if pending else self._store.get(Family.DATA, self._prefix + key)
            merged = merge(current, shipped.record)
            if merged is None:
                lost += current is not None and not is_same_write(current, shipped.record)
                if pending is not None and (waits_for is None or pending[0] > waits_for[0]):
                    waits_for = pending  # it lost to a write that must be durable before we say so
                continue
            # What an index is told has been accepted by this region; its stamps are followed as they are applied.
            if not is_of_index and not self._clock.observe(records.stamp_of(merged), self._now_ms()):
                reply(refused(_stamp_from_the_future()))
                return
            seen[key] = merged
            local = self._merge_effect(key, merged, current, collections) if self.table.indexes else None
            mutations.append(_merge_mutation(key, merged, current, log, feeds, local))
        if not is_of_index:
            self.lost_merges += lost
        if not mutations:
            self._answer_from(waits_for, ShipAnswer(lost), message.partition, reply)
            return
        self._propose(
            Mutate(mutations), lambda result: reply(ShipAnswer(lost) if result.__class__ is int else result)
        )

    def propose(self, command: PartitionCommand) -> bool:
        """What nobody waits for. Whether it stands in the log, where another leader may still overwrite it."""
        return self.replica.propose(encode(command), command, lambda _: None) is not None

    def leadership_changed(self) -> None:
        term = self.replica.core.term
        if term != self._overlay_term or not self.replica.serving:
            self._overlay.clear()  # what it stood for is the next leader's to know
            self._collections.clear()
            self.feed.leadership_changed()
            self._overlay_term = term

    # ---- inside ----

    def _propose(self, command: Mutate, done: Reply) -> None:
        index = self.replica.propose(encode(command), command, done)
        if index is not None:
            for mutation in command.mutations:
                self._overlay[mutation.key] = (index, mutation.record)
                if mutation.local is not None:
                    self._collections.propose(index, mutation.local)

    def _next_stamp(self, current: bytes | None) -> int:
        now_ms = self._now_ms()
        if current is not None:
            self._clock.witness(records.stamp_of(current))
        return self._clock.tick(now_ms)

    def _answer_read(self, answer: Any, partition: int, reply: Reply) -> None:
        """The value has been read: now prove that this replica was still the leader."""
        replica = self.replica
        replica.confirm(lambda proven: reply(answer if proven else Elsewhere(partition, replica.leader)))

    def _answer_from(
        self, pending: tuple[int, bytes | None] | None, answer: Any, partition: int, reply: Reply
    ) -> None:
        """An answer that changes nothing, but was made from `pending`: true only once that is committed."""
        if pending is None:
            self._answer_read(answer, partition, reply)
        else:
            self.replica.when_resolved(
                pending[0],
                lambda applied: reply(answer if applied else Elsewhere(partition, self.replica.leader)),
            )

    # ---- local indexes ----

    def _index(self, number: int) -> Index | None:
        return next((index for index in self.table.indexes if index.local and index.id == number), None)

    def _lacks(self, index: int) -> bool:
        """Whether this node has not heard yet of the local index."""
        return index != 0 and self._index(index) is None

    def _outgrown(self, change: LocalChange | None) -> bool:
        return change is not None and change.collection_bytes > self._collection_bytes_max

    def _measured_collection(self, key: bytes) -> int | None:
        if not any(index.local for index in self.table.indexes):
            return None
        return self._collections.size(collection_of(self.table.keys, key))

    def _latest(
        self, pending: tuple[int, bytes | None] | None, key: bytes
    ) -> tuple[int, bytes | None] | None:
        """What an answer was made from that saw the item, and the size of its collection."""
        if not self.table.indexes:
            return pending
        proposed = self._collections.pending_index(collection_of(self.table.keys, key))
        if proposed is None or (pending is not None and pending[0] >= proposed):
            return pending
        return proposed, None

    def _merge_effect(
        self, key: bytes, merged: bytes, current: bytes | None, collections: dict[bytes, int]
    ) -> LocalChange | None:
        """`collections`: sizes after the earlier changes of the batch."""
        size = partial(self._collections.size, unproposed=collections)
        change = index_effect(self.table, key, merged, _image(current), _image(merged), size).local
        if change is not None:
            collections[change.collection] = change.collection_bytes
        return change

    # ---- pages ----

    def _read_page(self, message: ReadRange) -> PageAnswer:
        return read_page(message, self._store, self._prefix, self._index(message.index))

    def _item(self, key: bytes) -> RecordAnswer:
        record = self._store.get(Family.DATA, self._prefix + key)
        return RecordAnswer(None if record is None or record[0] & records.TOMBSTONE else record)

    def _when_shown(self, index: int, read: Callable[[], None], reply: Reply) -> None:
        """`read` once this replica has what the caller has seen acknowledged. One that still has not after a moment
        sends the caller on to the leader; if it hears of none for another moment, it reads what there is."""
        self._behind.append((index, self._now_ms() + _BEHIND_MS, read, reply))

    def catch_up(self, now_ms: int = 0) -> None:
        """Effects may be shown: forget what is no longer pending, read what waited for it."""
        overlay = self._overlay
        shown = self.machine.shown
        if overlay:
            for key in [key for key, (index, _) in overlay.items() if index <= shown]:
                del overlay[key]
            self._collections.show(shown)
        if self._behind:
            leader = None if self.replica.core.is_leader else self.replica.leader
            behind, self._behind = self._behind, []
            for waiting in behind:
                index, until_ms, read, reply = waiting
                if index <= shown or until_ms + _LEADERLESS_MS <= now_ms:
                    read()
                elif leader is not None and until_ms <= now_ms:
                    reply(Elsewhere(self.replica.group, leader))
                else:
                    self._behind.append(waiting)


def _image(record: bytes | None) -> item_model.Image | None:
    if record is None or record[0] & records.TOMBSTONE:
        return None
    return item_model.Image(records.json_of(record), records.size_of(record))


def _merge_mutation(
    key: bytes, merged: bytes, current: bytes | None, log: bool, feeds: bool, local: LocalChange | None
) -> Mutation:
    live_before = current is not None and not records.is_tombstone(current)
    live_after = not records.is_tombstone(merged)
    size_before = records.size_of(current) if current is not None else 0
    return Mutation(
        key,
        merged,
        live_after - live_before,
        records.size_of(merged) - size_before,
        log,
        current if feeds and live_before else None,
        local=local,
    )


def _stamp_from_the_future() -> ApiError:
    return ApiError(
        "kvorum#StampFromTheFuture",
        "A change carries a stamp too far ahead of this region's clocks.",
        status=503,
    )
