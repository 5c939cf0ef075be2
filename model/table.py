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


class Table(Struct, frozen=True, kw_only=True, tag="table"):
    """One table of one region.

    `id` prefixes the table's keys in the store and is never reused. `global_id` names the same table in
    every region that holds a copy; "" for a local table. `regions` are all regions of a global table, the
    local one included; empty for a local table. `definition` keeps the members of CreateTable that only
    DescribeTable needs (AttributeDefinitions, billing, tags…), as the caller gave them, canonical.
    `aliases`: further global ids of the same table, which regions gave it before they heard of each other.
    `updates`: the newest updates that this region was asked for, by their ids, so that none is made twice.
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
