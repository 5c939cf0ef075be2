"""From a table's partitions to those of its global indexes: entries go to the leaders of the partitions that their
keys belong to, on this node or on another of the region.

Answered only when all of them are durable. Whatever else comes back, the sender asks again after a pause, by whatever
directory and leaders are known by then; entries may well arrive twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from kvorum.control.directory import Directory
from kvorum.control.messages import Elsewhere, MergeItems, ShipAnswer, ShippedChange
from kvorum.control.state import Partition as Descriptor
from kvorum.node.partition import Partition
from kvorum.node.readers import Entries
from kvorum.replication.link import Link, LinkFailure, Reply

MERGE_SECONDS_MAX = 3.0
_TOKEN_BYTES = 8
_ASKED_MAX = 3
"""So many nodes are asked for one batch, each named by the one before."""


class IndexRoutes:
    """A node's. `partitions`: those that it holds. `links`: to the other nodes of the region, by name. `entered`:
    counts entries acknowledged, by the index's id."""

    def __init__(
        self,
        node: str,
        region: str,
        directory: Directory,
        partitions: Mapping[int, Partition],
        links: Mapping[str, Link],
    ) -> None:
        self._node = node
        self._region = region
        self._directory = directory
        self._partitions = partitions
        self._links = links
        self.entered: dict[int, int] = {}
        self._hints: dict[int, str] = {}  # who leads an index's partition, as far as its nodes have said

    def merge(self, index_id: int, entries: Entries, done: Reply) -> None:
        """`done(ShipAnswer)` once every entry is durable in the index, or lost to a newer one that is; else `done` of
        whatever stood in the way first."""
        parts: dict[int, tuple[Descriptor, list[ShippedChange]]] = {}
        for key, record in entries:
            token = int.from_bytes(key[:_TOKEN_BYTES], "big")
            descriptor = self._directory.partition_for(index_id, token)
            if descriptor is None:
                done(LinkFailure(sent=False, reason="no partition of it is known here"))
                return
            parts.setdefault(descriptor.id, (descriptor, []))[1].append(ShippedChange(key, record))

        def gathered(answer: Any) -> None:
            if isinstance(answer, ShipAnswer):
                self.entered[index_id] = self.entered.get(index_id, 0) + len(entries)
            done(answer)

        gather = _Gather(len(parts), gathered)
        for descriptor, changes in parts.values():
            message = MergeItems(descriptor.id, descriptor.epoch, self._region, changes)
            self._ask(descriptor, message, self._guess(descriptor), 1, gather.answered)

    def _ask(self, descriptor: Descriptor, message: MergeItems, target: str, asked: int, done: Reply) -> None:
        answered = partial(self._answered, descriptor, message, target, asked, done)
        held = self._partitions.get(descriptor.id)
        if target == self._node:
            if held is not None and held.descriptor.epoch == message.epoch:
                held.merge_items(message, answered)
            else:
                answered(Elsewhere(descriptor.id, None))
            return
        link = self._links.get(target)
        if link is None:
            answered(LinkFailure(sent=False, reason=f"no link to {target}"))
        else:
            link.call(message, answered, MERGE_SECONDS_MAX)

    def _answered(
        self, descriptor: Descriptor, message: MergeItems, target: str, asked: int, done: Reply, answer: Any
    ) -> None:
        if isinstance(answer, ShipAnswer):
            if target != self._node:
                self._hints[descriptor.id] = target
            done(answer)
            return
        named = answer.leader if isinstance(answer, Elsewhere) else None
        if named is not None and named != target and asked < _ASKED_MAX:
            self._ask(descriptor, message, named, asked + 1, done)
            return
        # Perhaps it died, or does not know: the next attempt asks its neighbour.
        names = descriptor.replicas
        turn = names.index(target) + 1 if target in names else 0
        self._hints[descriptor.id] = names[turn % len(names)]
        done(answer)

    def _guess(self, descriptor: Descriptor) -> str:
        held = self._partitions.get(descriptor.id)
        if held is not None and held.replica.leader is not None:
            return held.replica.leader
        return self._hints.get(descriptor.id, descriptor.preferred_leader)


class _Gather:
    """The answers to one batch's parts, as one."""

    __slots__ = ("_awaited", "_done", "_lost")

    def __init__(self, parts: int, done: Reply) -> None:
        self._awaited = parts
        self._done: Reply | None = done
        self._lost = 0

    def answered(self, answer: Any) -> None:
        done = self._done
        if done is None:
            return
        self._awaited -= 1
        if not isinstance(answer, ShipAnswer):
            self._done = None
            done(answer)
            return
        self._lost += answer.lost
        if not self._awaited:
            self._done = None
            done(ShipAnswer(self._lost))
