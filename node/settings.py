"""What a node is told when it is made, and what of the world it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from kvorum.model.limits import ITEM_COLLECTION_BYTES_MAX
from kvorum.node.engine import Scheduler
from kvorum.node.followers import BACKFILL_ITEMS
from kvorum.node.index_pressure import LAG_ENTRIES_MAX
from kvorum.node.store import Store, StoreError
from kvorum.replication.link import Link
from kvorum.replication.raft.core import Settings


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
