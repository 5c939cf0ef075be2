"""The control group's state machine: a versioned map of records, and commands that change some of them.

Pure: `apply(state, command) -> Outcome`. Identity and time (uuids, milliseconds) come inside the command, so
every replica computes the same. A change is the list of records that it replaced or removed; exactly these
are persisted, pushed to routers and nodes, and counted by `version` (the raft index that made them).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from kvorum.model.table import KeySchema, Table


class NodeRecord(Struct, frozen=True, kw_only=True, tag="node"):
    name: str
    zone: str
    address: str  # host:port of its wire


class Partition(Struct, frozen=True, kw_only=True, tag="partition"):
    """A token range of a table, lower <= token <= upper, and its group (`id` names both). `epoch` rises with
    every change of range or replicas. `formed`: every replica has existed once, so one that comes up empty
    has lost its disk. `dropping`: the table is gone; nodes delete what they hold."""

    id: int
    table_id: int
    lower: int
    upper: int
    epoch: int
    replicas: tuple[str, ...]
    preferred_leader: str
    formed: bool = False
    dropping: bool = False


class PeerOperation(Struct, frozen=True, kw_only=True, tag="peer_operation"):
    """A command that a peer region must still be told: the control leader ships these in order of `id`."""

    id: int
    region: str
    command: CreateTable | DeleteTable


Record = Table | NodeRecord | Partition | PeerOperation
Key = tuple[str, str]
"""(kind, id): ("table", name), ("node", name), ("partition", id), ("peer_operation", id)."""


class Update(Struct, frozen=True, array_like=True):
    """One record replaced, or removed when `record` is None."""

    kind: str
    id: str
    record: Record | None


class CreateTable(Struct, frozen=True, kw_only=True, tag="create_table"):
    """`table_uuid` and `created_ms` come from the proposer. `global_id` "" makes a local table."""

    name: str
    keys: KeySchema
    table_uuid: str
    created_ms: int
    global_id: str
    regions: tuple[str, ...]
    definition: dict[str, Any]
    partitions: int


class DeleteTable(Struct, frozen=True, kw_only=True, tag="delete_table"):
    """By name, or by `global_id` when a peer region says that the table has ended."""

    name: str
    global_id: str = ""


class ActivateTable(Struct, frozen=True, kw_only=True, tag="activate_table"):
    """Every partition has a leader: the table is ACTIVE and its partitions formed."""

    table_id: int


class RegisterNode(Struct, frozen=True, kw_only=True, tag="register_node"):
    name: str
    zone: str
    address: str


class RemovePartition(Struct, frozen=True, kw_only=True, tag="remove_partition"):
    """Every replica of a dropping partition has deleted its data."""

    partition: int


class CompletePeerOperation(Struct, frozen=True, kw_only=True, tag="complete_peer_operation"):
    id: int


Command = CreateTable | DeleteTable | ActivateTable | RegisterNode | RemovePartition | CompletePeerOperation
