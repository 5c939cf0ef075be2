"""A query or a scan as one stream of items: pages fetched as they are taken, segments side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from kvorum.client.errors import Item
from kvorum.client.operations import Listing, Operation, Page, next_page

Run = Callable[[Operation[Page]], Awaitable[Page]]


class Items:
    """`async for item in items`, or `async for page in items.pages()`. Each loop starts from the beginning."""

    def __init__(self, listing: Listing, run: Run) -> None:
        self._listing = listing
        self._run = run

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Pages may be empty. With several segments they come as they arrive."""
        fetches: dict[asyncio.Task[Page], Operation[Page]] = {}
        try:
            for start in self._listing.starts:
                fetches[self._fetch(start)] = start
            while fetches:
                await asyncio.wait(fetches, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in fetches if task.done()]:
                    operation = fetches.pop(task)
                    page = task.result()
                    yield page
                    if page.last_key is not None:
                        following = next_page(operation, page.last_key)
                        fetches[self._fetch(following)] = following
        finally:
            for task in fetches:
                task.cancel()
            await asyncio.gather(*fetches, return_exceptions=True)

    def _fetch(self, operation: Operation[Page]) -> asyncio.Task[Page]:
        async def fetch() -> Page:
            return await self._run(operation)

        return asyncio.get_running_loop().create_task(fetch())
