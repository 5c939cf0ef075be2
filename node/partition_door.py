"""Requests for partitions, as they come over a link: to the partition that is meant, if it is here and the caller's
map agrees with this node's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    Elsewhere,
    MergeItems,
    ReadItem,
    ReadRange,
    ReadStatistics,
    Stale,
    WriteItem,
)
from kvorum.node.partition import Partition
from kvorum.replication.link import Link, Reply


class PartitionDoor:
    """`node`: its name. `partitions`: those that it holds."""

    def __init__(self, node: str, partitions: Mapping[int, Partition], directory: Directory) -> None:
        self._node = node
        self._partitions = partitions
        self._directory = directory
        self.handlers: dict[Any, Callable[[Any, Any, Link], None]] = {
            ReadItem: self._read_item,
            WriteItem: self._write_item,
            ReadRange: self._read_range,
            ReadStatistics: self._read_statistics,
            MergeItems: self._merge_items,
        }
        """By the message's type."""

    def _partition(self, message: Any, reply: Reply) -> Partition | None:
        partition = self._partitions.get(message.partition)
        if partition is None:
            known = self._directory.partitions.get(message.partition)
            leader = known.preferred_leader if known and known.preferred_leader != self._node else None
            reply(Elsewhere(message.partition, leader))
        elif partition.descriptor.epoch != message.epoch:
            reply(Stale(message.partition, self._directory.version))
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
