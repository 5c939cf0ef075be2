"""Links between processes over TCP: a client that keeps one connection up for ever, and a server.

Both ends can call: an accepted connection is a `Link` too (a node pushes to its routers over theirs). What a
connection does on the wire is in replication/connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ssl import SSLContext
from typing import Any

from kvorum.replication.connection import Codec, Connection, Counts, Greeting, Limits
from kvorum.replication.link import Handler, LinkFailure, Reply, split_address

__all__ = ["Codec", "Connection", "Counts", "Greeting", "Limits", "WireClient", "WireServer"]

logger = logging.getLogger(__name__)

RECONNECT_SECONDS_MIN = 0.02
RECONNECT_SECONDS_MAX = 1.0
CONNECT_SECONDS_MAX = 4.0
DRAIN_SECONDS_MAX = 1.0
SETTLED_SECONDS = 1.0
"""A connection that lived so long makes the next attempt start from the shortest pause again."""


class WireClient:
    """A `Link` to the process at `address`, connected again whenever it is lost, until `close`.

    `region` and `name`: whom to expect there; None accepts any. `on_up` and `on_down` run once per connection,
    in turn; `on_down` before the connection's outstanding calls fail. `random` draws from [0, 1): it spreads
    the attempts of many clients. Runs on `loop` only.
    """

    def __init__(
        self,
        address: str,
        codec: Codec,
        hello: Greeting,
        handler: Handler,
        loop: asyncio.AbstractEventLoop,
        on_up: Callable[[WireClient], None],
        on_down: Callable[[WireClient], None],
        random: Callable[[], float],
        *,
        region: str | None = None,
        name: str | None = None,
        ssl: SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.address = address
        self.counts = Counts()
        self.greeting: Greeting | None = None
        self._host, self._port = split_address(address)
        self._codec = codec
        self._hello = hello
        self._handler = handler
        self._loop = loop
        self._on_up = on_up
        self._on_down = on_down
        self._random = random
        self._region = region
        self._name = name
        self._ssl = ssl
        self._limits = limits or Limits()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._complaint = ""

    @property
    def peer(self) -> str:
        if self.greeting is not None:
            return self.greeting.name
        return self._name or self.address

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def cast(self, message: Any) -> None:
        connection = self._connection
        if connection is not None:
            connection.cast(message)
        else:
            self.counts.casts_dropped += 1

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        connection = self._connection
        if connection is not None:
            connection.call(message, done, timeout_seconds)
        else:
            self.counts.calls_refused += 1
            done(LinkFailure(False, f"{self.peer}: not connected"))

    def start(self) -> None:
        """Begin to connect. Once; `close` ends it."""
        self._task = self._loop.create_task(self._keep_up())

    async def close(self) -> None:
        """Write out what waits, hang up, connect no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._connection is not None:
            await _finish([self._connection])

    async def _keep_up(self) -> None:
        pause = RECONNECT_SECONDS_MIN
        while True:
            since = self._loop.time()
            try:
                async with asyncio.timeout(CONNECT_SECONDS_MAX):
                    _, protocol = await self._loop.create_connection(
                        self._new_connection, self._host, self._port, ssl=self._ssl
                    )
            except (OSError, TimeoutError) as error:
                self._complain(f"cannot connect: {str(error) or 'no answer'}")
            else:
                try:
                    await asyncio.wait([protocol.closed])
                finally:
                    if protocol is not self._connection:  # cancelled before the peer said Hello
                        protocol.abort()
            pause = RECONNECT_SECONDS_MIN if self._loop.time() - since > SETTLED_SECONDS else 2 * pause
            pause = min(pause, RECONNECT_SECONDS_MAX)
            await asyncio.sleep(pause * (0.5 + 0.5 * self._random()))

    def _new_connection(self) -> Connection:
        return Connection(
            self._codec,
            self._hello,
            self._handler,
            self,
            self.counts,
            self._limits,
            self._loop,
            greets_first=True,
            face=self,
        )

    def _complain(self, what: str) -> None:
        """Attempts repeat; the log line does not, until the reason is another one."""
        if what != self._complaint:
            self._complaint = what
            logger.warning("link to %s at %s: %s", self.peer, self.address, what)

    # ---- the connection's owner ----

    def opened(self, connection: Connection) -> None:
        """Nothing to do before the peer has said who it is."""

    def check(self, greeting: Greeting) -> str | None:
        return _unexpected(greeting, self._region, self._name)

    def ready(self, connection: Connection) -> None:
        self._connection = connection
        self.greeting = connection.greeting
        self._complaint = ""
        logger.info("link to %s at %s: up", self.peer, self.address)
        self._on_up(self)

    def lost(self, connection: Connection, reason: str) -> None:
        if self._connection is connection:
            self._connection = None
            logger.info("link to %s at %s: down, %s", self.peer, self.address, reason)
            self._on_down(self)
        else:
            self._complain(reason)


class WireServer:
    """Accepts connections; each accepted one is a `Link`, whose `greeting` says who it is.

    `region`: accept only peers of that region (None: any). `on_link_up` and `on_link_down` run once per
    accepted connection, in turn.
    """

    def __init__(
        self,
        codec: Codec,
        hello: Greeting,
        handler: Handler,
        loop: asyncio.AbstractEventLoop,
        on_link_up: Callable[[Connection], None],
        on_link_down: Callable[[Connection], None],
        *,
        region: str | None = None,
        ssl: SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.counts = Counts()
        self.links: set[Connection] = set()
        self._codec = codec
        self._hello = hello
        self._handler = handler
        self._loop = loop
        self._on_link_up = on_link_up
        self._on_link_down = on_link_down
        self._region = region
        self._ssl = ssl
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._greeting: set[Connection] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; port 0 takes a free one. Returns the port."""
        self._server = await self._loop.create_server(
            self._new_connection, host, port, ssl=self._ssl, reuse_address=True, backlog=1_024
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Listen no more, write out what waits, hang up."""
        if self._server is not None:
            self._server.close()
        await _finish([*self._greeting, *self.links])

    def _new_connection(self) -> Connection:
        return Connection(
            self._codec,
            self._hello,
            self._handler,
            self,
            self.counts,
            self._limits,
            self._loop,
            greets_first=False,
        )

    # ---- the connections' owner ----

    def opened(self, connection: Connection) -> None:
        self._greeting.add(connection)

    def check(self, greeting: Greeting) -> str | None:
        return _unexpected(greeting, self._region, None)

    def ready(self, connection: Connection) -> None:
        self._greeting.discard(connection)
        self.links.add(connection)
        logger.info("link from %s: up", connection.peer)
        self._on_link_up(connection)

    def lost(self, connection: Connection, reason: str) -> None:
        self._greeting.discard(connection)
        if connection in self.links:
            self.links.discard(connection)
            logger.info("link from %s: down, %s", connection.peer, reason)
            self._on_link_down(connection)
        else:
            logger.warning("link from %s: %s", connection.peer, reason)


async def _finish(connections: list[Connection]) -> None:
    for connection in connections:
        connection.finish()
    if connections:
        _, stuck = await asyncio.wait(
            [connection.closed for connection in connections], timeout=DRAIN_SECONDS_MAX
        )
        if stuck:
            for connection in connections:
                connection.abort()


def _unexpected(greeting: Greeting, region: str | None, name: str | None) -> str | None:
    if region is not None and greeting.region != region:
        return f"expected region {region}"
    if name is not None and greeting.name != name:
        return f"expected {name}"
    return None
