"""What the control group keeps: records by kind and id, the commands that change them, and how both are stored.

A change is the list of records that it replaced or removed; exactly these are persisted, pushed to routers and
nodes, and counted by `version` (the raft index that made them). What a command does is control/transition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

from kvorum.model.table import KeySchema, Table

# ---- records ---------------------------------------------------------------------------------------


class NodeRecord(Struct, frozen=True, kw_only=True, tag="node"):
    name: str
    zone: str
    address: str  # host:port of its wire


class Partition(Struct, frozen=True, kw_only=True, tag="partition"):
    """A token range of a table, or of a global index by its number, lower <= token <= upper, and its group (`id` names
    both). `epoch` rises with every change of range or replicas. `formed`: every replica has existed once, so one that comes up empty
    has lost its disk. `dropping`: the table is gone; nodes delete what they hold. `dropped_version`: the version
    at which that began, 0 before."""

    id: int
    table_id: int
    lower: int
    upper: int
    epoch: int
    replicas: tuple[str, ...]
    preferred_leader: str
    formed: bool = False
    dropping: bool = False
    dropped_version: int = 0


class PeerOperation(Struct, frozen=True, kw_only=True, tag="peer_operation"):
    """A command that a peer region must still be told: the control leader ships these in order of `id`."""

    id: int
    region: str
    command: CreateTable | DeleteTable | UpdateTable


class Setting(Struct, frozen=True, array_like=True):
    """A member of a global table's definition as `region` last set it; None takes it away. Of several settings of
    one member the one with the greatest (updated_ms, region) stays."""

    updated_ms: int
    region: str
    value: Any


class Claim(Struct, frozen=True, kw_only=True, tag="claim"):
    """A global table that was born in some region and that, as far as this one has heard, nobody ended.
    `settings`: what has been changed in its definition since, by member."""

    birth: CreateTable
    settings: dict[str, Setting] = {}


class Ended(Struct, frozen=True, kw_only=True, tag="ended"):
    """A global table that is no more: whatever is still told of it means nothing. `number` orders ends by age.
    `detach`: it lost its name to an older table; what it held stayed behind as a local table."""

    global_id: str
    name: str
    number: int
    detach: bool


Record = Table | NodeRecord | Partition | PeerOperation | Claim | Ended
Key = tuple[str, str]
"""(kind, id): ("table", name), ("node", name), ("partition", id), ("peer_operation", id), ("claim", global id),
("ended", global id)."""


class Update(Struct, frozen=True, array_like=True):
    """One record replaced, or removed when `record` is None."""

    kind: str
    id: str
    record: Record | None


# ---- commands --------------------------------------------------------------------------------------


class CreateTable(Struct, frozen=True, kw_only=True, tag="create_table"):
    """`table_uuid` and `created_ms` come from the proposer. `global_id` "" makes a local table. `regions`: all
    regions of a global table, the local one included. `origin`: the peer region that tells us of this birth, ""
    when a caller of this region asks. `after`: what had ended before this birth, filled in by its own region."""

    name: str
    keys: KeySchema
    table_uuid: str
    created_ms: int
    global_id: str
    regions: tuple[str, ...]
    definition: dict[str, Any]
    partitions: int
    origin: str = ""
    after: tuple[DeleteTable, ...] = ()


class DeleteTable(Struct, frozen=True, kw_only=True, tag="delete_table"):
    """By name, or by `global_id` when a peer region (`origin`) says that the table has ended. `detach`: it lost
    its name to an older table; a copy that exists goes on as a local table."""

    name: str
    global_id: str = ""
    origin: str = ""
    detach: bool = False


class UpdateTable(Struct, frozen=True, kw_only=True, tag="update_table"):
    """New values for members of a table's definition; None takes a member away. Members that mean something only
    together must be set together. A global index is a member too (model/index_definitions). `tags`: values by key, None takes one away; they and LOCAL_SETTINGS stay in this
    region, the rest is told to the peers of a global table.

    Asked here (`origin` ""): the table is `name`, if it still is the one with `table_uuid`; `update_uuid` makes the
    command repeatable, `updated_ms` is the proposer's clock. Told by a peer region: the tables are `births`,
    `updated_ms` is final."""

    name: str
    settings: dict[str, Any]
    updated_ms: int
    tags: dict[str, str | None] = {}
    table_uuid: str = ""
    update_uuid: str = ""
    origin: str = ""
    births: tuple[CreateTable, ...] = ()


class ActivateTable(Struct, frozen=True, kw_only=True, tag="activate_table"):
    """Every partition has a leader: the table is ACTIVE."""

    table_id: int


class StartBackfill(Struct, frozen=True, kw_only=True, tag="start_backfill"):
    """Every partition of a global index that is being created has a leader: the table's items may be entered."""

    index_id: int


class ActivateIndex(Struct, frozen=True, kw_only=True, tag="activate_index"):
    """Every partition of the table has entered its items: the global index is ACTIVE."""

    index_id: int


class RemoveIndex(Struct, frozen=True, kw_only=True, tag="remove_index"):
    """Of each partition of a deleted index, most replicas have deleted their data: it no longer shows."""

    index_id: int


class FormPartitions(Struct, frozen=True, kw_only=True, tag="form_partitions"):
    """Every replica of these partitions exists: from now on one that comes up empty has lost its disk."""

    partitions: tuple[int, ...]


class RegisterNode(Struct, frozen=True, kw_only=True, tag="register_node"):
    """At every start of a node: its address may be another one."""

    name: str
    zone: str
    address: str


class RemovePartition(Struct, frozen=True, kw_only=True, tag="remove_partition"):
    """Every replica of a dropping partition has deleted its data."""

    partition: int


class CompletePeerOperation(Struct, frozen=True, kw_only=True, tag="complete_peer_operation"):
    id: int


Command = (
    CreateTable
    | DeleteTable
    | UpdateTable
    | ActivateTable
    | StartBackfill
    | ActivateIndex
    | RemoveIndex
    | FormPartitions
    | RegisterNode
    | RemovePartition
    | CompletePeerOperation
)


LOCAL_SETTINGS = ("DeletionProtectionEnabled", "Tags")
"""Members of a definition that every region has for itself. Source: developer guide, "Global tables: settings"."""


def told(command: Command, origin: str) -> CreateTable | DeleteTable | UpdateTable | None:
    """`command` as region `origin` tells it to a peer; None for what no region may tell another."""
    match command:
        case CreateTable() | DeleteTable() if command.global_id and origin:
            return replace(command, origin=origin)
        case UpdateTable() if command.births and origin:
            return replace(command, origin=origin)
        case _:
            return None


# ---- state -----------------------------------------------------------------------------------------


class Counters(Struct, frozen=True, kw_only=True):
    """`version`: the raft index of the newest change, 0 before the first. Numbers are never used twice; group 0
    is the control group itself, so partitions start at 1."""

    version: int = 0
    next_table: int = 1
    next_partition: int = 1
    next_peer_operation: int = 1
    next_end: int = 1


Records = Mapping[str, Mapping[str, Record]]
"""kind -> id -> record."""

_NONE: Mapping[str, Record] = {}


class RecordViews:
    """Typed views of `records`, by id."""

    __slots__ = ("records",)

    def __init__(self, records: Records) -> None:
        self.records = records

    @property
    def tables(self) -> Mapping[str, Table]:
        return cast(Mapping[str, Table], self.records.get("table", _NONE))

    @property
    def nodes(self) -> Mapping[str, NodeRecord]:
        return cast(Mapping[str, NodeRecord], self.records.get("node", _NONE))

    @property
    def partitions(self) -> Mapping[str, Partition]:
        return cast(Mapping[str, Partition], self.records.get("partition", _NONE))

    @property
    def peer_operations(self) -> Mapping[str, PeerOperation]:
        return cast(Mapping[str, PeerOperation], self.records.get("peer_operation", _NONE))

    @property
    def claims(self) -> Mapping[str, Claim]:
        return cast(Mapping[str, Claim], self.records.get("claim", _NONE))

    @property
    def ended(self) -> Mapping[str, Ended]:
        return cast(Mapping[str, Ended], self.records.get("ended", _NONE))


class State(RecordViews):
    """Never changed once built: a transition makes another, which shares what is equal. `region`: the one whose
    metadata this is. `replicas`: copies of every partition, the same on every member of the control group."""

    __slots__ = ("counters", "region", "replicas")

    def __init__(
        self, region: str, replicas: int, counters: Counters | None = None, records: Records | None = None
    ) -> None:
        super().__init__({} if records is None else records)
        self.region = region
        self.replicas = replicas
        self.counters = Counters() if counters is None else counters

    @property
    def version(self) -> int:
        return self.counters.version

    def everything(self) -> list[Update]:
        """The whole state, as a complete ControlUpdates says it."""
        return [
            Update(kind, name, record)
            for kind, records in self.records.items()
            for name, record in records.items()
        ]


def waiting_claims(claims: Iterable[Claim], tables: Mapping[str, Table]) -> list[Claim]:
    """Global tables that exist elsewhere but not here, because a local table bears their name. An operator
    decides: once the local table is deleted, the global one takes its place."""
    waiting: list[Claim] = []
    for claim in claims:
        table = tables.get(claim.birth.name)
        if table is None or claim.birth.global_id not in global_ids(table):
            waiting.append(claim)
    return waiting


def global_ids(table: Table) -> tuple[str, ...]:
    """Every global id under which `table` is known, its own first; empty for a local table."""
    return (table.global_id, *table.aliases) if table.global_id else ()


# ---- persistence -----------------------------------------------------------------------------------

PREFIX = b"control/"
PREFIX_END = b"control0"
COUNTERS_KEY = b"control/counters"

_encoder = Encoder()
_record_decoder: Decoder[Record] = Decoder(Record)
_counters_decoder = Decoder(Counters)
_command_decoder: Decoder[Command] = Decoder(Command)


def record_key(kind: str, name: str) -> bytes:
    """Where a record lies in the `meta` family."""
    return b"%b%b/%b" % (PREFIX, kind.encode(), name.encode())


def encode_record(record: Record) -> bytes:
    return _encoder.encode(record)


def decode_record(data: bytes) -> Record:
    return _record_decoder.decode(data)


def encode_counters(counters: Counters) -> bytes:
    return _encoder.encode(counters)


def encode_command(command: Command) -> bytes:
    return _encoder.encode(command)


def decode_command(data: bytes) -> Command:
    return _command_decoder.decode(data)


def load(region: str, replicas: int, rows: Iterable[tuple[bytes, bytes]]) -> State:
    """The state that was persisted as `rows`: everything in PREFIX <= key < PREFIX_END."""
    counters = Counters()
    records: dict[str, dict[str, Record]] = {}
    for key, value in rows:
        kind, separator, name = key[len(PREFIX) :].decode().partition("/")
        if separator:
            records.setdefault(kind, {})[name] = decode_record(value)
        elif key == COUNTERS_KEY:
            counters = _counters_decoder.decode(value)
    return State(region, replicas, counters, records)
