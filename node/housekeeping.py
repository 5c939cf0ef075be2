"""What a node's partitions need done every now and then: nothing here answers anybody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from kvorum.control.directory import Directory
from kvorum.node.engine import Engine
from kvorum.node.index_pressure import News
from kvorum.node.partition import Partition
from kvorum.node.settings import NodeSettings
from kvorum.node.store import Store
from kvorum.replication.clock import stamp_at

_log = logging.getLogger("kvorum.node")

TOMBSTONES_A_TURN = 500
"""So many expired tombstones go at a time, of each partition: once a second, and with every kick while there are
more. An index whose keys change leaves as many as there are writes."""


class Housekeeping:
    """A node's."""

    def __init__(
        self,
        settings: NodeSettings,
        store: Store,
        engine: Engine,
        partitions: Mapping[int, Partition],
        directory: Directory,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._store = store
        self._engine = engine
        self._partitions = partitions
        self._directory = directory
        self._now_ms = now_ms

    def trim_changes(self) -> None:
        batch = self._store.batch()
        for partition in self._partitions.values():
            peers = [region for region in partition.table.regions if region != self._settings.region]
            partition.machine.trim(peers, batch)
        self._engine.write(batch)

    def purge_tombstones(self, *, everywhere: bool) -> None:
        settings = self._settings
        for partition in self._partitions.values():
            if not everywhere and not partition.tombstones.purges_on:
                continue
            kept_days = settings.tombstone_days if partition.index is None else settings.index_tombstone_days
            older_than_ms = self._now_ms() - int(kept_days * 86_400_000)
            partition.tombstones.purge(stamp_at(older_than_ms), TOMBSTONES_A_TURN)

    def tell_pressure(self) -> None:
        for partition in self._partitions.values():
            news = partition.pressure.news() if partition.replica.serving else None
            if news is not None:
                self._tell(partition, news)

    def _tell(self, partition: Partition, news: News) -> None:
        known = self._directory.indexes_by_id.get(news.index_id)
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
