"""The contract between an operation and the machinery that carries it out.

An operation on one key is two pure functions: `prepare` turns the request's body into a call (or raises
ApiError), `render` turns the partition's answer into the response's body. The service does what lies
between, synchronously where the partition answers at once. Every other operation is one coroutine, `run`,
over the `Cluster` port.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from kvorum.control.directory import Directory
from kvorum.control.messages import PageAnswer, Proposed, RecordAnswer, StatisticsAnswer, WriteAnswer
from kvorum.control.state import Command, Partition
from kvorum.model.requests import Write
from kvorum.model.table import Index, Table

Body = dict[str, Any]
"""The request as orjson read it: a JSON object, not yet validated."""


class ReadCall(Struct, frozen=True):
    """GetItem on its way. `options`: what `render` needs to remember (projection, capacity…)."""

    table: Table
    key: bytes
    strong: bool
    options: Any = None


class WriteCall(Struct, frozen=True):
    """PutItem, UpdateItem or DeleteItem on its way."""

    table: Table
    write: Write
    options: Any = None


class Cluster(Protocol):
    """The region as a router's operations see it (router/placement). Every method finds the partition's
    leader (or a replica), retries what definitely did not happen until the request's deadline, and raises
    ApiError: ServiceUnavailable when nothing happened, InternalServerError when a write may have."""

    @property
    def directory(self) -> Directory: ...

    @property
    def region(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def initial_partitions(self) -> int:
        """How many partitions a new table starts with, at least 1."""
        ...

    @property
    def table_regions(self) -> tuple[str, ...]:
        """The regions of a new table, this one included, when tables are global from birth; else empty."""
        ...

    def now_ms(self) -> int:
        """Wall clock, for CreationDateTime and the like."""
        ...

    def new_uuid(self) -> str: ...

    async def read(self, table: Table, key: bytes, *, strong: bool) -> RecordAnswer: ...

    async def write(self, table: Table, write: Write) -> WriteAnswer: ...

    async def read_range(
        self,
        partition: Partition,
        lower: bytes,
        upper: bytes,
        *,
        reverse: bool,
        items_max: int,
        bytes_max: int,
        strong: bool,
        index: int = 0,
        fetch: bool = False,
    ) -> PageAnswer:
        """Of a table's partition, or of a global index's. `index`, `fetch`: as in ReadRange."""
        ...

    async def statistics(self, table: Table, index: Index | None = None) -> StatisticsAnswer:
        """Live item count and size of the table, or of one of its indexes: the sum over the partitions."""
        ...

    async def propose(self, command: Command) -> Proposed:
        """Through the control group; the directory has the change when this returns."""
        ...

    async def wait_active(self, table_id: int, timeout_seconds: float) -> bool:
        """Until the directory says ACTIVE (or the time is up): CreateTable answers after it, so that a
        waiter's first DescribeTable finds the table ready."""
        ...

    async def wait_told(self, global_id: str, timeout_seconds: float) -> bool:
        """Until every peer region has carried out what it must know of the global table's birth or end (or the
        time is up: a region that is cut off hears of it later)."""
        ...
