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

from collections.abc import Mapping
from functools import partial
from typing import Any

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    ControlUpdates,
    Elsewhere,
    Leading,
    PageAnswer,
    Proposed,
    ReadRange,
    RecordAnswer,
    Refused,
    ShipAnswer,
    ShippedChange,
    Stale,
    StatisticsAnswer,
    Watch,
    WriteAnswer,
)
from kvorum.control.state import Command, Partition, Update
from kvorum.model import errors
from kvorum.model.errors import ApiError
from kvorum.model.requests import Write
from kvorum.model.table import Index, Table
from kvorum.replication.link import Link, LinkFailure, Reply
from kvorum.router.answers import error_of
from kvorum.router.awaited import Awaited, Clocks, Timer
from kvorum.router.control_group import ControlGroup
from kvorum.router.request import (
    Done,
    MergeRequest,
    PlacementLimits,
    RangeRequest,
    ReadRequest,
    Request,
    Route,
    StatisticsRequest,
    WriteRequest,
)

PROBE_SECONDS = 0.05

ABANDON_SECONDS = 0.5
"""How long a write may still be answered by a leader that another has replaced. One that handed over answers at
once; one that is paused or cut off would keep its callers to the end of their time."""
_WAKE_BATCH = 4


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
        self._routes: dict[int, Route] = {}
        self._parked: dict[int, Route] = {}  # the routes where somebody waits
        self._waiting = 0
        self._timer: Timer | None = None
        self._control = ControlGroup(directory, links, clocks, self.limits)
        directory.region, directory.account = region, account
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

    def _abandon(self, route: Route, term: int) -> None:
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
        self._control.directory_changed()

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
        self._dispatch(ReadRequest(self, done, table.id, key, strong))

    def send_write(self, table: Table, write: Write, done: Done) -> None:
        """`done` gets WriteAnswer or ApiError."""
        self._dispatch(WriteRequest(self, done, table.id, write))

    # ---- requests awaited ----------------------------------------------------------------------------

    async def read(self, table: Table, key: bytes, *, strong: bool) -> RecordAnswer:
        answer: Awaited[RecordAnswer] = Awaited()
        self.send_read(table, key, strong, answer)
        return await answer.get()

    async def write(self, table: Table, write: Write) -> WriteAnswer:
        answer: Awaited[WriteAnswer] = Awaited()
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
        index: int = 0,
        fetch: bool = False,
    ) -> PageAnswer:
        answer: Awaited[PageAnswer] = Awaited()
        page = ReadRange(
            partition.id,
            partition.epoch,
            lower,
            upper,
            reverse,
            items_max,
            bytes_max,
            strong,
            index=index,
            fetch=fetch,
        )
        self._dispatch(RangeRequest(self, answer, partition, page))
        return await answer.get()

    async def statistics(self, table: Table, index: Index | None = None) -> StatisticsAnswer:
        owner, local = table.id, 0
        if index is not None:
            owner, local = (table.id, index.id) if index.local else (index.id, 0)
        answers: list[Awaited[StatisticsAnswer]] = []
        for partition in self._directory.partitions_of(owner):
            answers.append(Awaited())
            self._dispatch(StatisticsRequest(self, answers[-1], partition, local))
        parts = [await answer.get() for answer in answers]
        return StatisticsAnswer(sum(part.items for part in parts), sum(part.bytes for part in parts))

    async def merge(self, partition: Partition, origin: str, changes: list[ShippedChange]) -> ShipAnswer:
        """Changes of a peer region, to the partition's leader. Repeated freely: merging is idempotent."""
        answer: Awaited[ShipAnswer] = Awaited()
        self._dispatch(MergeRequest(self, answer, partition, origin, changes))
        return await answer.get()

    # ---- the control group ---------------------------------------------------------------------------

    async def propose(self, command: Command) -> Proposed:
        return await self._control.propose(command)

    async def propose_from_peer(self, command: Command) -> Proposed:
        return await self._control.propose_from_peer(command)

    async def wait_active(self, table_id: int, timeout_seconds: float) -> bool:
        return await self._control.wait_active(table_id, timeout_seconds)

    async def wait_told(self, global_id: str, timeout_seconds: float) -> bool:
        return await self._control.wait_told(global_id, timeout_seconds)

    async def wait_directory(self) -> None:
        await self._control.wait_directory()

    # ---- one request's way ---------------------------------------------------------------------------

    def _resend(self, request: Request) -> None:
        remaining = request.deadline - self.monotonic()
        if remaining <= 0.0:
            request.done(errors.service_unavailable())
        else:
            request.attempt_seconds = min(remaining, request.attempt_seconds)
            self._dispatch(request)

    def _dispatch(self, request: Request) -> None:
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

    def _choose(self, request: Request, route: Route, partition: Partition) -> str | None:
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

    def _readers(self, route: Route, partition: Partition) -> tuple[str, ...]:
        nodes = self._directory.nodes
        near = tuple(name for name in partition.replicas if name in nodes and nodes[name].zone == self._zone)
        route.readers = near or partition.replicas
        return route.readers

    def _is_connected(self, name: str) -> bool:
        link = self._links.get(name)
        return link is not None and link.connected

    def _route(self, number: int) -> Route:
        route = self._routes.get(number)
        if route is None:
            route = self._routes[number] = Route()
        return route

    # ---- what comes back -----------------------------------------------------------------------------

    def failed(self, request: Request, answer: Any) -> None:
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

    def _stale(self, request: Request, stale: Stale) -> None:
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

    def _park(self, request: Request) -> None:
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
