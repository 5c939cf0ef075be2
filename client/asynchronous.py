"""The asyncio client: deadlines, retries and failover around the operations.

Each call goes to the current endpoint. One that cannot be reached, or breaks, makes the next one current, for
all calls; it stays current until it fails itself.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc

from kvorum.client import batches, operations
from kvorum.client.binding import presented
from kvorum.client.endpoint import Endpoint, Stream
from kvorum.client.errors import Item
from kvorum.client.listing import Items
from kvorum.client.operations import Listing, Names, Operation
from kvorum.client.retries import Backoff, Failure, Retries
from kvorum.client.session import Session
from kvorum.client.values import Attributes

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS_MAX = 2.0
"""Longer than any handshake on one continent; then another endpoint has its turn."""

READ_ATTEMPT_SECONDS_MIN = 1.0
"""When there is another endpoint, a router that accepts a read and keeps silent is given up after half of the
time that is left, but not sooner than this."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What the client takes from the world around it; tests bring their own. `jitter`: uniform in [0, 1)."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random


def _awaited(
    build: Callable[P, Operation[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    async def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(build(*args, **kwargs))

    return presented(call, build)


def _listed(build: Callable[P, Listing]) -> Callable[Concatenate[AsyncClient, P], Items]:
    def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Items:
        return Items(build(*args, **kwargs), self.run)

    return presented(call, build)


class AsyncClient:
    """`endpoints`: "host:port" of each router. `timeout_seconds`: of a call with all its attempts, unless the
    call has its own. `credentials`: for TLS. Used from one event loop; close it, or use `async with`.

    Errors are client/errors' tree. Definite failures that may pass are retried until the deadline, writes
    whose outcome is unknown never.
    """

    put_item = _awaited(operations.put_item)
    get_item = _awaited(operations.get_item)
    update_item = _awaited(operations.update_item)
    delete_item = _awaited(operations.delete_item)
    query = _listed(operations.query)
    query_page = _awaited(operations.query_page)
    scan = _listed(operations.scan)
    scan_page = _awaited(operations.scan_page)
    create_table = _awaited(operations.create_table)
    describe_table = _awaited(operations.describe_table)
    delete_table = _awaited(operations.delete_table)

    def __init__(
        self,
        endpoints: str | Sequence[str],
        *,
        timeout_seconds: float = 10.0,
        credentials: grpc.ChannelCredentials | None = None,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._addresses = [endpoints] if isinstance(endpoints, str) else list(endpoints)
        if not self._addresses:
            raise ValueError("a client needs an endpoint")
        self._timeout_seconds = timeout_seconds
        self._credentials = credentials
        self._backoff = backoff or Backoff()
        self._clock = clock or Clock()
        self._endpoints: list[Endpoint] = []
        self._current = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Calls in flight are cancelled."""
        endpoints, self._endpoints = self._endpoints, []
        for endpoint in endpoints:
            await endpoint.close()

    async def batch_get(
        self,
        table: str,
        keys: Iterable[Attributes],
        *,
        consistent: bool = False,
        projection: str | None = None,
        names: Names | None = None,
        timeout_seconds: float | None = None,
    ) -> list[Item]:
        """The items that exist, in no order, of any number of different keys. The timeout is for all."""
        return await batches.get_all(
            _Batch(self, self._clock, self._deadline(timeout_seconds)),
            table,
            keys,
            consistent=consistent,
            projection=projection,
            names=names,
        )

    async def batch_write(
        self,
        table: str,
        *,
        puts: Iterable[Attributes] = (),
        deletes: Iterable[Attributes] = (),
        timeout_seconds: float | None = None,
    ) -> None:
        """Put any number of items and delete any number of keys, none of them twice; not as one transaction.
        The timeout is for all. Raises Unprocessed with what was not done when it could not go on."""
        await batches.write_all(
            _Batch(self, self._clock, self._deadline(timeout_seconds)), table, puts, deletes
        )

    async def list_tables(self, *, timeout_seconds: float | None = None) -> list[str]:
        """All names, sorted."""
        deadline = self._deadline(timeout_seconds)
        names: list[str] = []
        start: str | None = None
        while True:
            page = await self.run(
                operations.list_tables_page(start, max(0.0, deadline - self._clock.monotonic()))
            )
            names.extend(page.table_names)
            if not page.HasField("last_evaluated_table_name"):
                return names
            start = page.last_evaluated_table_name

    def session(self, *, timeout_seconds: float | None = None, in_flight_max: int = 1_024) -> Session:
        """A pipelined session, to be entered with `async with`: the same item methods, returning futures. The
        timeout is each call's."""
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        return Session(self._open_stream, timeout_seconds=seconds, in_flight_max=in_flight_max)

    async def run(self, operation: Operation[T]) -> T:
        """Carry out one operation, by its deadline."""
        deadline = self._deadline(operation.timeout_seconds)

        async def call(endpoint: Endpoint) -> T | Failure:
            remaining = max(0.0, deadline - self._clock.monotonic())
            if len(self._endpoints) > 1 and not operation.writes:
                remaining = min(remaining, max(READ_ATTEMPT_SECONDS_MIN, remaining / 2))
            return await endpoint.call(operation, remaining)

        return await self._until(deadline, call)

    async def _open_stream(self) -> Stream:
        async def open_stream(endpoint: Endpoint) -> Stream:
            return endpoint.open_session()

        return await self._until(self._deadline(None), open_stream)

    async def _until(self, deadline: float, act: Callable[[Endpoint], Awaitable[T | Failure]]) -> T:
        """The first success of `act` on a connected endpoint; else the error after which there is no retry."""
        retries: Retries | None = None
        while True:
            outcome = await self._attempt(deadline, act)
            if not isinstance(outcome, Failure):
                return outcome
            if retries is None:
                retries = self.new_retries()
            wait_seconds = retries.wait_seconds(outcome, deadline - self._clock.monotonic())
            if wait_seconds is None:
                raise outcome.error
            if wait_seconds:
                await self._clock.sleep(wait_seconds)

    async def _attempt(
        self, deadline: float, act: Callable[[Endpoint], Awaitable[T | Failure]]
    ) -> T | Failure:
        if not self._endpoints:  # not before: a channel belongs to the loop in which it is made
            self._endpoints = [Endpoint(address, self._credentials) for address in self._addresses]
        position = self._current
        endpoint = self._endpoints[position]
        failure: Failure | None = None
        if not endpoint.connected:
            remaining = max(0.0, deadline - self._clock.monotonic())
            failure = await endpoint.connect(min(CONNECT_SECONDS_MAX, remaining))
        outcome = await act(endpoint) if failure is None else failure
        if isinstance(outcome, Failure) and outcome.elsewhere and self._current == position:
            self._current = (position + 1) % len(self._endpoints)
        return outcome

    def new_retries(self) -> Retries:
        return Retries(self._backoff, len(self._addresses), self._clock.jitter)

    def _deadline(self, timeout_seconds: float | None) -> float:
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        return self._clock.monotonic() + seconds


class _Batch:
    """A client with one deadline for everything: batches.Caller."""

    def __init__(self, client: AsyncClient, clock: Clock, deadline: float) -> None:
        self._clock = clock
        self._deadline = deadline
        self.run = client.run
        self.new_retries = client.new_retries

    def remaining_seconds(self) -> float:
        return max(0.0, self._deadline - self._clock.monotonic())

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
