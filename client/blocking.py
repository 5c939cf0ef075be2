"""The client for programs without an event loop: AsyncClient on a thread of its own, method for method."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc

from kvorum.client.asynchronous import AsyncClient, Clock
from kvorum.client.binding import presented
from kvorum.client.errors import Item
from kvorum.client.listing import Items
from kvorum.client.operations import Page
from kvorum.client.retries import Backoff

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Client, P], T]:
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.wait(method(self.asynchronous, *args, **kwargs))

    return presented(call, method)


def _iterating(
    method: Callable[Concatenate[AsyncClient, P], Items],
) -> Callable[Concatenate[Client, P], Iterator[Item]]:
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Item]:
        return self.iterate(method(self.asynchronous, *args, **kwargs))

    return presented(call, method)


class Client:
    """As AsyncClient, with the same parameters; queries and scans are iterators. Any number of threads may
    share one. Close it, or use `with`."""

    put_item = _blocking(AsyncClient.put_item)
    get_item = _blocking(AsyncClient.get_item)
    update_item = _blocking(AsyncClient.update_item)
    delete_item = _blocking(AsyncClient.delete_item)
    query = _iterating(AsyncClient.query)
    query_page = _blocking(AsyncClient.query_page)
    scan = _iterating(AsyncClient.scan)
    scan_page = _blocking(AsyncClient.scan_page)
    batch_get = _blocking(AsyncClient.batch_get)
    batch_write = _blocking(AsyncClient.batch_write)
    create_table = _blocking(AsyncClient.create_table)
    describe_table = _blocking(AsyncClient.describe_table)
    list_tables = _blocking(AsyncClient.list_tables)
    delete_table = _blocking(AsyncClient.delete_table)

    def __init__(
        self,
        endpoints: str | Sequence[str],
        *,
        timeout_seconds: float = 10.0,
        credentials: grpc.ChannelCredentials | None = None,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.asynchronous = AsyncClient(
            endpoints,
            timeout_seconds=timeout_seconds,
            credentials=credentials,
            backoff=backoff,
            clock=clock,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kvorum-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Calls in flight are cancelled. Closing twice is nothing."""
        if self._loop.is_closed():
            return
        self.wait(self.asynchronous.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result, run on the client's own loop. Interrupting the wait cancels it."""
        if self._loop.is_closed():
            coroutine.close()
            raise RuntimeError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def iterate(self, items: Items) -> Iterator[Item]:
        """One visit to the loop for each page."""
        pages = items.pages()

        async def following() -> Page | None:
            return await anext(pages, None)

        async def close() -> None:
            await pages.aclose()

        try:
            while (page := self.wait(following())) is not None:
                yield from page.items
        finally:
            if not self._loop.is_closed():
                self.wait(close())
