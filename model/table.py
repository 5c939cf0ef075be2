"""A table as its descriptor says it: what validation, routing and the leader need to know."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from msgspec import Struct


class TableStatus(IntEnum):
    CREATING = 0
    ACTIVE = 1
    DELETING = 2
    UPDATING = 3


class KeyPart(Struct, frozen=True, array_like=True):
    """One key attribute; `kind` is "S", "N" or "B"."""

    name: str
    kind: str


class KeySchema(Struct, frozen=True, array_like=True):
    hash: KeyPart
    range: KeyPart | None = None


class IndexStatus(IntEnum):
    CREATING = 0
    ACTIVE = 1
    DELETING = 2


class ProjectionKind(IntEnum):
    """Which attributes of an item its index entry holds, besides the keys of table and index."""

    ALL = 0
    KEYS_ONLY = 1
    INCLUDE = 2


class IndexKeys(Struct, frozen=True, array_like=True):
    """An index's key attributes: up to four of each for a global index, one of each for a local one. An item that
    lacks one of them has no entry."""

    hash: tuple[KeyPart, ...]
    range: tuple[KeyPart, ...] = ()


class Index(Struct, frozen=True, kw_only=True):
    """One secondary index of one table.

    `id` is a number as a table's: it prefixes the entries' keys in the store and is never reused. A global
    index's partitions bear it as their `table_id`; a local index's entries lie in the table's own partitions.
    `uuid` names this creation of the index, in every region. `included`: of INCLUDE, the further attributes.
    `backfilling`: of a global index in CREATING, its partitions serve and the table's items are being entered.
    """

    id: int
    name: str
    local: bool
    keys: IndexKeys
    projection: ProjectionKind
    included: tuple[str, ...] = ()
    uuid: str = ""
    status: IndexStatus = IndexStatus.ACTIVE
    backfilling: bool = False


class Table(Struct, frozen=True, kw_only=True, tag="table"):
    """One table of one region.

    `id` prefixes the table's keys in the store and is never reused. `global_id` names the same table in
    every region that holds a copy; "" for a local table. `regions` are all regions of a global table, the
    local one included; empty for a local table. `definition` keeps the members of CreateTable that only
    DescribeTable needs (AttributeDefinitions, billing, tags…), as the caller gave them, canonical.
    `aliases`: further global ids of the same table, which regions gave it before they heard of each other.
    `updates`: the newest updates that this region was asked for, by their ids, so that none is made twice.
    `indexes`: secondary indexes, local ones first, in the order of their creation.
    """

    id: int
    name: str
    status: TableStatus
    keys: KeySchema
    uuid: str
    created_ms: int
    global_id: str = ""
    regions: tuple[str, ...] = ()
    definition: dict[str, Any] = {}
    aliases: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
