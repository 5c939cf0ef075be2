"""Everything that routers and nodes say to each other, as one tagged union for the wire.

A write's or read's answer is one of its own answer type, `Refused` (the caller's error, in AWS's words),
`Elsewhere` (nothing happened: ask that node), or a `LinkFailure` made by the link itself.
"""

from __future__ import annotations

from msgspec import Struct

from kvorum.control.state import Command, Update
from kvorum.model.requests import Write
from kvorum.replication.raft.messages import RaftMessage


class Hello(Struct, frozen=True, array_like=True, tag=2):
    """First message of a connection. Frames are append-only structs; `version` rises when that is not
    enough, and a process refuses a peer whose version it does not know."""

    version: int
    region: str
    name: str
    role: str  # "router" | "node"


# ---- router -> node: items -------------------------------------------------------------------------


class ReadItem(Struct, frozen=True, array_like=True, tag=10):
    """Key as model/keys encodes it (8 bytes of token first). A read that is not `strong` may be answered by
    any replica that has applied `index_min`: a router asks for what it has itself seen acknowledged."""

    partition: int
    epoch: int
    key: bytes
    strong: bool
    index_min: int = 0


class WriteItem(Struct, frozen=True, array_like=True, tag=11):
    partition: int
    epoch: int
    write: Write


class ReadRange(Struct, frozen=True, array_like=True, tag=12):
    """Items with lower <= key < upper in key order (backwards when `reverse`), at most `items_max` (0: no
    limit). A page ends with the item that takes it past `bytes_max`. `index`: entries of this local index of the
    partition's table instead of items, 0 for items; `fetch`: with each of them the item that it stands for, whose
    bytes count too."""

    partition: int
    epoch: int
    lower: bytes
    upper: bytes
    reverse: bool
    items_max: int
    bytes_max: int
    strong: bool
    index_min: int = 0
    index: int = 0
    fetch: bool = False


class ReadStatistics(Struct, frozen=True, array_like=True, tag=13):
    """`index`: a local index of the partition's table, 0 for its items."""

    partition: int
    epoch: int
    index: int = 0


class RecordAnswer(Struct, frozen=True, array_like=True, tag=30):
    """`record`: as model/record lays it out, None when there is no live item."""

    record: bytes | None


class WriteAnswer(Struct, frozen=True, array_like=True, tag=31):
    """`attributes`: the DynamoDB JSON that ReturnValues asked for, None when there is none. Sizes in bytes
    as AWS counts them, 0 for no item. `index`: where in the partition's log the write stands. For a write that asked
    to be measured: `index_units`, write units by name of the index, where there are any; `collection_bytes`, of a
    table with local indexes, the size of the item's collection afterwards."""

    attributes: bytes | None
    size_old: int
    size_new: int
    index: int
    index_units: dict[str, int] | None = None
    collection_bytes: int | None = None


class PageAnswer(Struct, frozen=True, array_like=True, tag=32):
    """`next_key`: the key of the last item when the range may hold more behind it, else None. `fetched`: the items'
    records, one for each of the local index's entries in `records`, when they were asked for."""

    records: list[bytes]
    next_key: bytes | None
    fetched: list[bytes] | None = None


class StatisticsAnswer(Struct, frozen=True, array_like=True, tag=33):
    items: int
    bytes: int


class Refused(Struct, frozen=True, array_like=True, tag=34):
    """An ApiError on its way to the caller; `extra` is a JSON object or empty."""

    kind: str
    message: str
    status: int
    extra: bytes
    definite: bool


class Elsewhere(Struct, frozen=True, array_like=True, tag=35):
    """Nothing happened here: this replica does not lead (or does not hold) the partition. `leader`: who
    does, when known."""

    partition: int
    leader: str | None


class Stale(Struct, frozen=True, array_like=True, tag=36):
    """Nothing happened: the caller's partition map is older or newer than the node's (`version`)."""

    partition: int
    version: int


# ---- control ---------------------------------------------------------------------------------------


class Propose(Struct, frozen=True, array_like=True, tag=20):
    """A command for the control group; answered by Proposed, Refused or Elsewhere(partition 0)."""

    command: Command


class Proposed(Struct, frozen=True, array_like=True, tag=21):
    """Applied at `version`. `updates` are the records that it changed."""

    version: int
    updates: list[Update]


class Watch(Struct, frozen=True, array_like=True, tag=22):
    """Push me what changes after `version` (-1: everything). Cast; answered by ControlUpdates casts."""

    version: int


class ControlUpdates(Struct, frozen=True, array_like=True, tag=23):
    """When `complete`, the records are the whole state and replace what the receiver held. Otherwise they are
    everything that changed behind version `after`: a receiver that is older has missed a cast, and watches
    again. Without updates it only says how far the sender is."""

    version: int
    complete: bool
    updates: list[Update]
    after: int = -1


class Leading(Struct, frozen=True, array_like=True, tag=24):
    """A node tells the routers and control replicas connected to it which partitions it leads, as they
    change: (partition, term). Term 0: leads it no longer."""

    node: str
    partitions: list[tuple[int, int]]


class ReplicaReport(Struct, frozen=True, array_like=True):
    """`indexed`: of a table's partition, told by its leader: the global indexes in which all its items were entered,
    and its changes since then are."""

    partition: int
    leader: str | None
    term: int
    applied: int
    commit: int
    indexed: tuple[int, ...] = ()


class NodeReport(Struct, frozen=True, array_like=True, tag=25):
    """A node's replicas as they stand, cast to the control replicas every half second and whenever a
    leader changes."""

    node: str
    version: int
    replicas: list[ReplicaReport]


class ReadStatus(Struct, frozen=True, array_like=True, tag=26):
    """What `kvorum status` asks a node: answered by StatusAnswer."""


class SenderReport(Struct, frozen=True, array_like=True):
    """One sender of one partition, to a peer region or to a global index: `lag_ms` is the age of the oldest change
    not yet acknowledged, 0 when none waits. Of an index, `region` is "", and `table` and `index` are names."""

    partition: int
    region: str
    cursor: int
    lag_ms: int
    table: str = ""
    index: str = ""


class StatusAnswer(Struct, frozen=True, array_like=True, tag=27):
    node: str
    version: int
    replicas: list[ReplicaReport]
    senders: list[SenderReport]


# ---- region -> region ------------------------------------------------------------------------------


class ShippedChange(Struct, frozen=True, array_like=True):
    """One change on its way to a peer region: the key, and the record exactly as it lies in its own
    region (its stamp and region decide there too)."""

    key: bytes
    record: bytes


class ShipChanges(Struct, frozen=True, array_like=True, tag=40):
    """From a sender to any router of the peer region; answered by ShipAnswer, Refused or LinkFailure.
    Idempotent: sending again is always safe."""

    global_id: str
    origin: str
    changes: list[ShippedChange]


class ShipAnswer(Struct, frozen=True, array_like=True, tag=41):
    """Every change of the batch is durable in this region, or lost to a newer write that is."""

    lost: int


class MergeItems(Struct, frozen=True, array_like=True, tag=42):
    """The receiving router's request to a partition's leader; answered by ShipAnswer."""

    partition: int
    epoch: int
    origin: str
    changes: list[ShippedChange]


class PeerCommand(Struct, frozen=True, array_like=True, tag=43):
    """A control command shipped to a peer region's control group (a global table's birth or end);
    answered by Proposed or Refused. Idempotent."""

    origin: str
    command: Command


Message = (
    Hello
    | ReadItem
    | WriteItem
    | ReadRange
    | ReadStatistics
    | RecordAnswer
    | WriteAnswer
    | PageAnswer
    | StatisticsAnswer
    | Refused
    | Elsewhere
    | Stale
    | Propose
    | Proposed
    | Watch
    | ControlUpdates
    | Leading
    | NodeReport
    | ReadStatus
    | StatusAnswer
    | ShipChanges
    | ShipAnswer
    | MergeItems
    | PeerCommand
    | RaftMessage
)
