"""Who reads the changes of a partition that this node leads: its table's other regions, and the table's global
indexes as far as the partition's own log has opened a cursor for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kvorum.model.indexes import view
from kvorum.model.table import Index
from kvorum.node.index_feed import is_fed
from kvorum.node.index_reader import IndexReader
from kvorum.node.index_routes import IndexRoutes
from kvorum.node.partition import Partition
from kvorum.node.readers import Reader, RegionReader
from kvorum.node.sender import MakeReader
from kvorum.node.store import Store
from kvorum.replication.change_sender import SenderSettings
from kvorum.replication.link import Link

INDEX_SETTINGS = SenderSettings(window=1, linger_ms=0, backoff_ms_min=20, backoff_ms_max=500)
"""An index is to be seen at once, and its partitions are near: after an election they answer again within a second."""

BACKFILL_ITEMS = 64


class Followers:
    """`region`: the own one. `backfill_items`: so many are entered in a new index at a time."""

    def __init__(
        self,
        region: str,
        store: Store,
        link_to: Callable[[str], Link | None],
        routes: IndexRoutes,
        now_ms: Callable[[], int],
        region_settings: SenderSettings | None = None,
        backfill_items: int = BACKFILL_ITEMS,
    ) -> None:
        self._region = region
        self._store = store
        self._link_to = link_to
        self._routes = routes
        self._now_ms = now_ms
        self._region_settings = region_settings or SenderSettings()
        self._backfill_items = backfill_items

    def of(self, partition: Partition) -> dict[str, MakeReader]:
        readers: dict[str, MakeReader] = {
            f"region {peer}": partial(self._region_reader, partition, peer)
            for peer in partition.table.regions
            if peer != self._region
        }
        opened = partition.machine.index_cursors.by_id
        for index in partition.table.indexes:
            if is_fed(index) and index.id in opened:
                readers[f"index {index.id}"] = partial(self._index_reader, partition, index)
        return readers

    def _region_reader(self, partition: Partition, peer: str, _again: Callable[[], None]) -> Reader:
        return RegionReader(partition, self._region, peer, self._link_to, self._now_ms, self._region_settings)

    def _index_reader(self, partition: Partition, index: Index, again: Callable[[], None]) -> Reader:
        shown = view(partition.table.keys, index)
        return IndexReader(
            partition,
            shown,
            self._routes,
            self._store,
            self._now_ms,
            again,
            INDEX_SETTINGS,
            self._backfill_items,
        )
