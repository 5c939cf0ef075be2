"""One request on its way to a partition: what it asks, of whom, until when, and whether asking twice does harm.

Placement sends it, and hears of every answer that is not the one asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from msgspec.structs import replace

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    MergeItems,
    PageAnswer,
    ReadItem,
    ReadRange,
    ReadStatistics,
    RecordAnswer,
    ShipAnswer,
    ShippedChange,
    StatisticsAnswer,
    WriteAnswer,
    WriteItem,
)
from kvorum.control.state import Partition
from kvorum.model import errors
from kvorum.model.requests import Write

_TOKEN_BYTES = 8

Done = Callable[[Any], None]
"""Gets the request's own answer or an ApiError, once, perhaps before `send_…` returns."""


@dataclass(frozen=True, slots=True)
class PlacementLimits:
    """`request_seconds`: a request's whole time. A read is answered, or asked again elsewhere, within
    `strong_attempt_seconds` or `eventual_attempt_seconds`: a paused node must not hold it to the end."""

    request_seconds: float = 8.0
    strong_attempt_seconds: float = 2.0
    eventual_attempt_seconds: float = 1.0
    waiting_max: int = 10_000


class Dispatcher(Protocol):
    """Placement, as a request sees it."""

    @property
    def limits(self) -> PlacementLimits: ...

    @property
    def monotonic(self) -> Callable[[], float]: ...

    def failed(self, request: Request, answer: Any) -> None:
        """The request was answered with something else than what it asked for."""
        ...

    def succeeded(self, number: int) -> None:
        """The leader of that partition answers."""
        ...


class Route:
    """What is known of one partition's group."""

    __slots__ = ("acknowledged", "flying", "leader", "readers", "term", "turn", "waiting")

    def __init__(self) -> None:
        self.leader: str | None = None
        self.term = 0
        self.acknowledged = 0  # highest log index that a write of this router has been answered with
        self.readers: tuple[str, ...] = ()  # where eventual reads go first; () until worked out
        self.turn = 0
        self.waiting: list[Request] = []
        self.flying: set[WriteRequest] = set()  # sent, and not answered yet


class Request:
    """One request on its way: what it asks, whom it asked, until when. `spread`: any replica will do.
    `attempt_seconds`: how long one that was asked may take."""

    __slots__ = (
        "asked",
        "attempt_seconds",
        "deadline",
        "done",
        "partition",
        "placement",
        "route",
        "spread",
        "tried",
    )

    answer_type: ClassVar[type]
    repeatable: ClassVar[bool] = True  # asking twice does no harm

    asked: str
    partition: Partition
    route: Route

    def __init__(self, placement: Dispatcher, done: Done, *, spread: bool) -> None:
        limits = placement.limits
        self.placement = placement
        self.done = done
        self.deadline = placement.monotonic() + limits.request_seconds
        self.spread = spread
        self.attempt_seconds = limits.eventual_attempt_seconds if spread else limits.strong_attempt_seconds
        self.tried: tuple[str, ...] = ()

    def locate(self, directory: Directory) -> Partition:
        """The partition to ask, as the directory has it now; ApiError when there is none any more."""
        raise NotImplementedError

    def message(self, partition: Partition) -> Any:
        raise NotImplementedError

    def answered(self, answer: Any) -> None:
        if type(answer) is not self.answer_type:
            self.placement.failed(self, answer)
            return
        if self.route.waiting and not self.spread:
            self.placement.succeeded(self.partition.id)
        self.done(answer)


class ReadRequest(Request):
    __slots__ = ("_key", "_strong", "_table_id")

    answer_type = RecordAnswer

    def __init__(self, placement: Dispatcher, done: Done, table_id: int, key: bytes, strong: bool) -> None:
        super().__init__(placement, done, spread=not strong)
        self._table_id = table_id
        self._key = key
        self._strong = strong

    def locate(self, directory: Directory) -> Partition:
        partition = directory.partition_for(self._table_id, int.from_bytes(self._key[:_TOKEN_BYTES], "big"))
        if partition is None:
            raise errors.resource_not_found()
        return partition

    def message(self, partition: Partition) -> ReadItem:
        index_min = 0 if self._strong else self.route.acknowledged
        return ReadItem(partition.id, partition.epoch, self._key, self._strong, index_min)


class WriteRequest(Request):
    __slots__ = ("_abandoned", "_table_id", "_write")

    answer_type = WriteAnswer
    repeatable = False

    def __init__(self, placement: Dispatcher, done: Done, table_id: int, write: Write) -> None:
        super().__init__(placement, done, spread=False)
        # What may have happened is not tried again, so one attempt may take all the time there is.
        self.attempt_seconds = placement.limits.request_seconds
        self._abandoned = False
        self._table_id = table_id
        self._write = write

    def locate(self, directory: Directory) -> Partition:
        key = self._write.key
        partition = directory.partition_for(self._table_id, int.from_bytes(key[:_TOKEN_BYTES], "big"))
        if partition is None:
            raise errors.resource_not_found()
        return partition

    def message(self, partition: Partition) -> WriteItem:
        self.route.flying.add(self)
        return WriteItem(partition.id, partition.epoch, self._write)

    def abandon(self) -> None:
        """The answer may still come, but its caller has one."""
        self._abandoned = True
        self.route.flying.discard(self)
        self.done(errors.internal_server_error())

    def answered(self, answer: Any) -> None:
        self.route.flying.discard(self)
        if self._abandoned:
            return
        if type(answer) is WriteAnswer and answer.index > self.route.acknowledged:
            self.route.acknowledged = answer.index
        super().answered(answer)


class PartitionRequest(Request):
    """Asks a partition that its caller has chosen."""

    __slots__ = ("_chosen",)

    def __init__(self, placement: Dispatcher, done: Done, chosen: Partition, *, spread: bool) -> None:
        super().__init__(placement, done, spread=spread)
        self._chosen = chosen

    def locate(self, directory: Directory) -> Partition:
        chosen = self._chosen
        current = directory.partitions.get(chosen.id)
        if current is None or current.dropping:
            raise errors.resource_not_found()
        if current.lower > chosen.lower or current.upper < chosen.upper:
            raise errors.service_unavailable()  # it has been split since: the caller has to look again
        return current


class RangeRequest(PartitionRequest):
    __slots__ = ("_page",)

    answer_type = PageAnswer

    def __init__(self, placement: Dispatcher, done: Done, chosen: Partition, page: ReadRange) -> None:
        super().__init__(placement, done, chosen, spread=not page.strong)
        self._page = page

    def message(self, partition: Partition) -> ReadRange:
        page = self._page
        return replace(page, epoch=partition.epoch, index_min=0 if page.strong else self.route.acknowledged)


class StatisticsRequest(PartitionRequest):
    __slots__ = ("_index",)

    answer_type = StatisticsAnswer

    def __init__(self, placement: Dispatcher, done: Done, chosen: Partition, index: int = 0) -> None:
        super().__init__(placement, done, chosen, spread=False)
        self._index = index

    def message(self, partition: Partition) -> ReadStatistics:
        return ReadStatistics(partition.id, partition.epoch, self._index)


class MergeRequest(PartitionRequest):
    __slots__ = ("_changes", "_origin")

    answer_type = ShipAnswer

    def __init__(
        self,
        placement: Dispatcher,
        done: Done,
        chosen: Partition,
        origin: str,
        changes: list[ShippedChange],
    ) -> None:
        super().__init__(placement, done, chosen, spread=False)
        self.attempt_seconds = placement.limits.request_seconds
        self._origin = origin
        self._changes = changes

    def message(self, partition: Partition) -> MergeItems:
        return MergeItems(partition.id, partition.epoch, self._origin, self._changes)
