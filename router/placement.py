"""Where a partition's leader is, and getting an answer out of it: the `Cluster` of router/calls.

What is known of leaders comes from nodes: pushed by `Leading`, corrected by `Elsewhere`. A request goes to
the leader at once; that path is callbacks and one object. Only when it fails does anything more happen, and
then by one rule: what definitely did not happen is tried again until the request's deadline, what may have
happened is tried again only when that is harmless (reads, merges).

A request that has nowhere to go waits at its partition. News of the partition (a leader, another map) wakes
all who wait there; without news one of them is sent every `PROBE_SECONDS` to find out, and its success
wakes the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from msgspec.structs import replace

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    ControlUpdates,
    Elsewhere,
    Leading,
    MergeItems,
    PageAnswer,
    Propose,
    Proposed,
    ReadItem,
    ReadRange,
    ReadStatistics,
    RecordAnswer,
    Refused,
    ShipAnswer,
    ShippedChange,
    Stale,
    StatisticsAnswer,
    Watch,
    WriteAnswer,
    WriteItem,
)
from kvorum.control.state import Command, CreateTable, DeleteTable, Partition, Update, UpdateTable
from kvorum.model import errors
from kvorum.model.errors import ApiError
from kvorum.model.requests import Write
from kvorum.model.table import Table, TableStatus
from kvorum.replication.link import Link, LinkFailure, Reply
from kvorum.router.answers import error_of

T = TypeVar("T")

PROBE_SECONDS = 0.05

ABANDON_SECONDS = 0.5
"""How long a write may still be answered by a leader that another has replaced. One that handed over answers at
once; one that is paused or cut off would keep its callers to the end of their time."""
_WAKE_BATCH = 4
_TOKEN_BYTES = 8

Done = Callable[[Any], None]
"""Gets the request's own answer or an ApiError, once, perhaps before `send_…` returns."""


class Timer(Protocol):
    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """`monotonic` in seconds; `wall_ms` in milliseconds since the epoch; `call_later(seconds, callback)`."""

    monotonic: Callable[[], float]
    wall_ms: Callable[[], int]
    uuid: Callable[[], str]
    call_later: Callable[[float, Callable[[], None]], Timer]


@dataclass(frozen=True, slots=True)
class PlacementLimits:
    """`request_seconds`: a request's whole time. A read is answered, or asked again elsewhere, within
    `strong_attempt_seconds` or `eventual_attempt_seconds`: a paused node must not hold it to the end."""

    request_seconds: float = 8.0
    strong_attempt_seconds: float = 2.0
    eventual_attempt_seconds: float = 1.0
    waiting_max: int = 10_000


class _Route:
    """What is known of one partition's group."""

    __slots__ = ("acknowledged", "flying", "leader", "readers", "term", "turn", "waiting")

    def __init__(self) -> None:
        self.leader: str | None = None
        self.term = 0
        self.acknowledged = 0  # highest log index that a write of this router has been answered with
        self.readers: tuple[str, ...] = ()  # where eventual reads go first; () until worked out
        self.turn = 0
        self.waiting: list[_Request] = []
        self.flying: set[_WriteRequest] = set()  # sent, and not answered yet


class Placement:
    """One region's nodes. `links`: by node name, shared with whoever connects them; `zone`: the router's
    own, whose replicas are preferred for eventual reads ("" for none)."""

    def __init__(
        self,
        *,
        region: str,
        account: str,
        zone: str,
        directory: Directory,
        links: Mapping[str, Link],
        clocks: Clocks,
        limits: PlacementLimits | None = None,
        initial_partitions: int = 1,
        table_regions: tuple[str, ...] = (),
        zones_min: int = 1,
    ) -> None:
        self._region = region
        self._account = account
        self._zone = zone
        self._directory = directory
        self._links = links
        self._clocks = clocks
        self.monotonic = clocks.monotonic
        self.limits = limits or PlacementLimits()
        self._initial_partitions = initial_partitions
        self._table_regions = table_regions
        self._zones_min = zones_min
        self._routes: dict[int, _Route] = {}
        self._parked: dict[int, _Route] = {}  # the routes where somebody waits
        self._waiting = 0
        self._timer: Timer | None = None
        self._control_leader: str | None = None
        self._conditions: dict[asyncio.Future[None], Callable[[], bool]] = {}
        directory.listen(self._directory_changed)

    # ---- facts ---------------------------------------------------------------------------------------

    @property
    def directory(self) -> Directory:
        return self._directory

    @property
    def region(self) -> str:
        return self._region

    @property
    def account(self) -> str:
        return self._account

    @property
    def initial_partitions(self) -> int:
        return self._initial_partitions

    @property
    def table_regions(self) -> tuple[str, ...]:
        return self._table_regions

    @property
    def waiting(self) -> int:
        """Requests that have nowhere to go at the moment."""
        return self._waiting

    def now_ms(self) -> int:
        return self._clocks.wall_ms()

    def new_uuid(self) -> str:
        return self._clocks.uuid()

    def leader_of(self, partition: int) -> str | None:
        """As far as this router knows."""
        route = self._routes.get(partition)
        return None if route is None else route.leader

    def ready(self) -> str | None:
        """None when requests can be served, else why not."""
        if not any(link.connected for link in self._links.values()):
            return f"no node of {self._region} is connected"
        if self._directory.version < 0:
            return f"waiting for the control group: no node of {self._region} has sent the directory"
        zones = {node.zone for node in self._directory.nodes.values()}
        if len(zones) < self._zones_min:
            return f"waiting for nodes of {self._region}: {len(zones)} of {self._zones_min} zones have one"
        return None

    # ---- what nodes push -----------------------------------------------------------------------------

    def handle(self, message: Any, reply: Reply | None, link: Link) -> None:
        """The router's Handler for what nodes say unasked."""
        match message:
            case Leading():
                self._leading(message)
            case ControlUpdates():
                self._directory.receive(message.version, message.complete, message.updates, message.after)
                if self._directory.missed:
                    link.cast(Watch(self._directory.version))
            case _:
                if reply is not None:
                    error = errors.unknown_operation()
                    reply(Refused(error.kind, error.message, error.status, b"", error.definite))

    def connected(self, link: Link) -> None:
        """A connection to a node has come up (again): ask for what was missed, send who waits."""
        link.cast(Watch(self._directory.version))
        for number in list(self._parked):
            partition = self._directory.partitions.get(number)
            if partition is not None and link.peer in partition.replicas:
                self._wake(number)

    def _leading(self, message: Leading) -> None:
        for number, term in message.partitions:
            route = self._route(number)
            if term == 0:
                if route.leader == message.node:
                    route.leader = None
            elif term >= route.term:
                route.term = term
                route.leader = message.node
                if any(request.asked != message.node for request in route.flying):
                    self._clocks.call_later(ABANDON_SECONDS, partial(self._abandon, route, term))
                if route.waiting:
                    self._wake(number)

    def _abandon(self, route: _Route, term: int) -> None:
        """Tell those whose writes a former leader still owes an answer that their fate is unknown."""
        if route.term == term:
            for request in [request for request in route.flying if request.asked != route.leader]:
                request.abandon()

    def _directory_changed(self, directory: Directory, updates: list[Update]) -> None:
        for update in updates:
            if update.kind == "partition":
                self._partition_changed(int(update.id), gone=update.record is None)
            elif update.kind == "node":
                for route in self._routes.values():
                    route.readers = ()
        for changed, condition in self._conditions.items():
            if condition():
                _finish(changed)

    def _partition_changed(self, number: int, *, gone: bool) -> None:
        route = self._routes.get(number)
        if route is None:
            return
        route.readers = ()
        if gone:
            del self._routes[number]
        if route.waiting:
            self._wake(number)

    # ---- requests by callback (the hot path) ---------------------------------------------------------

    def send_read(self, table: Table, key: bytes, strong: bool, done: Done) -> None:
        """`done` gets RecordAnswer or ApiError."""
        self._dispatch(_ReadRequest(self, done, table.id, key, strong))

    def send_write(self, table: Table, write: Write, done: Done) -> None:
        """`done` gets WriteAnswer or ApiError."""
        self._dispatch(_WriteRequest(self, done, table.id, write))

    # ---- requests awaited ----------------------------------------------------------------------------

    async def read(self, table: Table, key: bytes, *, strong: bool) -> RecordAnswer:
        answer: _Awaited[RecordAnswer] = _Awaited()
        self.send_read(table, key, strong, answer)
        return await answer.get()

    async def write(self, table: Table, write: Write) -> WriteAnswer:
        answer: _Awaited[WriteAnswer] = _Awaited()
        self.send_write(table, write, answer)
        return await answer.get()

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
    ) -> PageAnswer:
        answer: _Awaited[PageAnswer] = _Awaited()
        page = ReadRange(
            partition.id, partition.epoch, lower, upper, reverse, items_max, bytes_max, strong, index_min=0
        )
        self._dispatch(_RangeRequest(self, answer, partition, page))
        return await answer.get()

    async def statistics(self, table: Table) -> StatisticsAnswer:
        answers: list[_Awaited[StatisticsAnswer]] = []
        for partition in self._directory.partitions_of(table.id):
            answers.append(_Awaited())
            self._dispatch(_StatisticsRequest(self, answers[-1], partition))
        parts = [await answer.get() for answer in answers]
        return StatisticsAnswer(sum(part.items for part in parts), sum(part.bytes for part in parts))

    async def merge(self, partition: Partition, origin: str, changes: list[ShippedChange]) -> ShipAnswer:
        """Changes of a peer region, to the partition's leader. Repeated freely: merging is idempotent."""
        answer: _Awaited[ShipAnswer] = _Awaited()
        self._dispatch(_MergeRequest(self, answer, partition, origin, changes))
        return await answer.get()

    # ---- the control group ---------------------------------------------------------------------------

    async def propose(self, command: Command) -> Proposed:
        """A proposal that may have been made is made again only where the control group knows it by its
        identity (a table's birth, an update, a peer region's command); otherwise InternalServerError says so."""
        repeatable = isinstance(command, CreateTable | UpdateTable) or (
            isinstance(command, DeleteTable) and command.origin != ""
        )
        deadline = self.monotonic() + self.limits.request_seconds
        tried: set[str] = set()
        pending = (
            False  # an attempt whose fate is unknown may still take effect, whatever a later one is told
        )
        while True:
            if self.monotonic() >= deadline:
                raise errors.internal_server_error() if pending else errors.service_unavailable()
            link = self._control_link(tried)
            if link is None:
                await self._pause()
                tried.clear()
                continue
            tried.add(link.peer)
            remaining = deadline - self.monotonic()
            attempt_seconds = min(remaining, self.limits.strong_attempt_seconds) if repeatable else remaining
            answer = await self._call(link, Propose(command), attempt_seconds)
            match answer:
                case Proposed():
                    self._control_leader = link.peer
                    await self._reach(answer.version, deadline)
                    return answer
                case Refused():
                    raise errors.internal_server_error() if pending else error_of(answer)
                case Elsewhere():
                    self._control_leader = answer.leader
                case LinkFailure(sent=sent) if repeatable or not sent:
                    self._control_leader = None
                    pending = pending or sent
                case _:
                    raise errors.internal_server_error()

    async def wait_active(self, table_id: int, timeout_seconds: float) -> bool:
        def settled() -> bool:
            table = self._directory.tables_by_id.get(table_id)
            return table is None or table.status is TableStatus.ACTIVE

        await self._until(settled, timeout_seconds)
        table = self._directory.tables_by_id.get(table_id)
        return table is not None and table.status is TableStatus.ACTIVE

    async def wait_told(self, global_id: str, timeout_seconds: float) -> bool:
        def told() -> bool:
            return all(
                operation.command.global_id != global_id
                for operation in self._directory.peer_operations.values()
                if isinstance(operation.command, CreateTable | DeleteTable)
            )

        return await self._until(told, timeout_seconds)

    async def propose_from_peer(self, command: Command) -> Proposed:
        """A peer region's command. A table's birth is answered when the table is ready here."""
        proposed = await self.propose(command)
        if isinstance(command, CreateTable):
            table = self._directory.tables_by_global_id.get(command.global_id)
            if table is not None:
                await self.wait_active(table.id, self.limits.strong_attempt_seconds)
        return proposed

    async def wait_directory(self) -> None:
        """Until the first directory has come; ServiceUnavailable after a request's time."""
        if not await self._until(lambda: self._directory.version >= 0, self.limits.request_seconds):
            raise errors.service_unavailable()

    async def _reach(self, version: int, deadline: float) -> None:
        remaining = deadline - self.monotonic()
        if not await self._until(lambda: self._directory.version >= version, remaining):
            raise errors.internal_server_error()

    async def _until(self, condition: Callable[[], bool], timeout_seconds: float) -> bool:
        """Wait for the directory to fulfil `condition`, looked at after every change."""
        if condition():
            return True
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._conditions[changed] = condition
        timer = self._clocks.call_later(timeout_seconds, lambda: _finish(changed))
        try:
            await changed
        finally:
            timer.cancel()
            self._conditions.pop(changed, None)
        return condition()

    async def _pause(self) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._clocks.call_later(PROBE_SECONDS, lambda: _finish(over))
        try:
            await over
        finally:
            timer.cancel()

    async def _call(self, link: Link, message: Any, timeout_seconds: float) -> Any:
        answer: _Awaited[Any] = _Awaited()
        link.call(message, answer, timeout_seconds)
        return await answer.get()

    def _control_link(self, tried: set[str]) -> Link | None:
        """The control leader as far as known, else any node not yet asked."""
        names = sorted(self._links)
        if self._control_leader is not None:
            names.insert(0, self._control_leader)
        for name in names:
            link = self._links.get(name)
            if link is not None and link.connected and name not in tried:
                return link
        return None

    # ---- one request's way ---------------------------------------------------------------------------

    def _resend(self, request: _Request) -> None:
        remaining = request.deadline - self.monotonic()
        if remaining <= 0.0:
            request.done(errors.service_unavailable())
        else:
            request.attempt_seconds = min(remaining, request.attempt_seconds)
            self._dispatch(request)

    def _dispatch(self, request: _Request) -> None:
        try:
            partition = request.locate(self._directory)
        except ApiError as error:
            request.done(error)
            return
        request.partition = partition
        route = self._routes.get(partition.id) or self._route(partition.id)
        request.route = route
        name = route.leader
        if name is None or request.spread or request.tried:
            name = self._choose(request, route, partition)
        link = None if name is None else self._links.get(name)
        if name is None or link is None:
            self._park(request)
            return
        request.asked = name
        link.call(request.message(partition), request.answered, request.attempt_seconds)

    def _choose(self, request: _Request, route: _Route, partition: Partition) -> str | None:
        """Whom to ask, when it is not simply the leader: nobody twice between two waits."""
        tried = request.tried
        if request.spread:
            readers = route.readers or self._readers(route, partition)
            route.turn += 1
            for offset in range(len(readers)):
                name = readers[(route.turn + offset) % len(readers)]
                if name not in tried and self._is_connected(name):
                    return name
            for name in partition.replicas:
                if name not in tried and name != route.leader and self._is_connected(name):
                    return name
            request.spread = False
        if route.leader is not None and route.leader not in tried and self._is_connected(route.leader):
            return route.leader
        for name in (partition.preferred_leader, *partition.replicas):
            if name not in tried and self._is_connected(name):
                return name
        return None

    def _readers(self, route: _Route, partition: Partition) -> tuple[str, ...]:
        nodes = self._directory.nodes
        near = tuple(name for name in partition.replicas if name in nodes and nodes[name].zone == self._zone)
        route.readers = near or partition.replicas
        return route.readers

    def _is_connected(self, name: str) -> bool:
        link = self._links.get(name)
        return link is not None and link.connected

    def _route(self, number: int) -> _Route:
        route = self._routes.get(number)
        if route is None:
            route = self._routes[number] = _Route()
        return route

    # ---- what comes back -----------------------------------------------------------------------------

    def failed(self, request: _Request, answer: Any) -> None:
        """Anything but the request's own kind of answer: an error for its caller, or the next attempt."""
        route = request.route
        asked = request.asked
        match answer:
            case Refused():
                request.done(error_of(answer))
                return
            case Stale():
                self._stale(request, answer)
                return
            case Elsewhere(leader=leader):
                if route.leader is None or route.leader == asked:
                    route.leader = leader if leader != asked else None
            case LinkFailure(sent=sent):
                if not sent and not request.spread and self._is_connected(asked):
                    self._park(request)  # its outbox is full
                    return
                if route.leader == asked:
                    route.leader = None
                if sent and not request.repeatable:
                    request.done(errors.internal_server_error())
                    return
            case _:
                request.done(errors.internal_server_error())
                return
        request.tried += (asked,)
        self._resend(request)

    def succeeded(self, number: int) -> None:
        """The partition's leader answers again: a few who wait may go, and their success lets others."""
        route = self._parked.get(number)
        if route is None:
            return
        batch, route.waiting = route.waiting[:_WAKE_BATCH], route.waiting[_WAKE_BATCH:]
        self._waiting -= len(batch)
        if not route.waiting:
            del self._parked[number]
        for request in batch:
            self._resend(request)

    def _stale(self, request: _Request, stale: Stale) -> None:
        """The node's map differs from the one that the request was sent by."""
        partition = request.partition
        if self._directory.partitions.get(partition.id) is not partition:
            self._resend(request)
            return
        if stale.version > self._directory.version and not request.route.waiting:
            link = self._links.get(request.asked)
            if link is not None:
                link.cast(Watch(self._directory.version))
        self._park(request)

    # ---- waiting -------------------------------------------------------------------------------------

    def _park(self, request: _Request) -> None:
        if self._waiting >= self.limits.waiting_max:
            request.done(errors.throttled())
            return
        request.tried = ()
        number = request.partition.id
        route = self._route(number)
        route.waiting.append(request)
        self._parked[number] = route
        self._waiting += 1
        if self._timer is None:
            self._timer = self._clocks.call_later(PROBE_SECONDS, self._probe)

    def _wake(self, number: int) -> None:
        route = self._parked.pop(number, None)
        if route is None:
            return
        waiting, route.waiting = route.waiting, []
        self._waiting -= len(waiting)
        for request in waiting:
            self._resend(request)

    def _probe(self) -> None:
        """Give up those whose time is over; send the first of the others, at each partition."""
        self._timer = None
        now = self.monotonic()
        for number, route in list(self._parked.items()):
            expired = [request for request in route.waiting if request.deadline <= now]
            going_on = [request for request in route.waiting if request.deadline > now]
            route.waiting = going_on[1:]
            self._waiting -= len(expired) + len(going_on[:1])
            if not route.waiting:
                del self._parked[number]
            for request in expired:
                request.done(errors.service_unavailable())
            for request in going_on[:1]:
                self._resend(request)
        if self._parked and self._timer is None:
            self._timer = self._clocks.call_later(PROBE_SECONDS, self._probe)


class _Request:
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
    route: _Route

    def __init__(self, placement: Placement, done: Done, *, spread: bool) -> None:
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


class _ReadRequest(_Request):
    __slots__ = ("_key", "_strong", "_table_id")

    answer_type = RecordAnswer

    def __init__(self, placement: Placement, done: Done, table_id: int, key: bytes, strong: bool) -> None:
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


class _WriteRequest(_Request):
    __slots__ = ("_abandoned", "_table_id", "_write")

    answer_type = WriteAnswer
    repeatable = False

    def __init__(self, placement: Placement, done: Done, table_id: int, write: Write) -> None:
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


class _PartitionRequest(_Request):
    """Asks a partition that its caller has chosen."""

    __slots__ = ("_chosen",)

    def __init__(self, placement: Placement, done: Done, chosen: Partition, *, spread: bool) -> None:
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


class _RangeRequest(_PartitionRequest):
    __slots__ = ("_page",)

    answer_type = PageAnswer

    def __init__(self, placement: Placement, done: Done, chosen: Partition, page: ReadRange) -> None:
        super().__init__(placement, done, chosen, spread=not page.strong)
        self._page = page

    def message(self, partition: Partition) -> ReadRange:
        page = self._page
        return replace(page, epoch=partition.epoch, index_min=0 if page.strong else self.route.acknowledged)


class _StatisticsRequest(_PartitionRequest):
    __slots__ = ()

    answer_type = StatisticsAnswer

    def __init__(self, placement: Placement, done: Done, chosen: Partition) -> None:
        super().__init__(placement, done, chosen, spread=False)

    def message(self, partition: Partition) -> ReadStatistics:
        return ReadStatistics(partition.id, partition.epoch)


class _MergeRequest(_PartitionRequest):
    __slots__ = ("_changes", "_origin")

    answer_type = ShipAnswer

    def __init__(
        self,
        placement: Placement,
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


class _Awaited(Generic[T]):
    """A `done` to wait for. Costs no future when the answer is there already."""

    __slots__ = ("_answer", "_future")

    def __init__(self) -> None:
        self._answer: T | ApiError | None = None
        self._future: asyncio.Future[None] | None = None

    def __call__(self, answer: T | ApiError) -> None:
        self._answer = answer
        if self._future is not None:
            _finish(self._future)

    async def get(self) -> T:
        if self._answer is None:
            self._future = asyncio.get_running_loop().create_future()
            await self._future
        answer = self._answer
        assert answer is not None
        if isinstance(answer, ApiError):
            raise answer
        return answer


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
