"""A TCP relay before a server, for what servers do not do by themselves: break, freeze, refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

Listen = Callable[[bytes], None]
"""Given what the server says on a connection, in the pieces in which it comes."""


class Relay:
    """Listens on a free loopback port and passes bytes to `port`. `listener`: makes a listener for each connection."""

    def __init__(self, port: int, listener: Callable[[], Listen] | None = None) -> None:
        self.address = ""
        self._listener = listener
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        self.cut()
        await asyncio.gather(*self._flows, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self) -> None:
        """Listen no more; connections stay."""
        if self._server is not None:
            self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, upstream_writer}
        listen = self._listener() if self._listener is not None else None
        for source, target, hears in ((reader, upstream_writer, None), (upstream_reader, writer, listen)):
            flow = asyncio.get_running_loop().create_task(self._pass(source, target, hears))
            self._flows.add(flow)
            flow.add_done_callback(self._flows.discard)

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, listen: Listen | None
    ) -> None:
        try:
            while data := await source.read(65_536):
                if listen is not None:
                    listen(data)
                target.write(data)
                await target.drain()
        except ConnectionError:
            return  # the other side is told below
        finally:
            target.transport.abort()
