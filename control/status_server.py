"""A process's port for operators: GET /metrics, /healthz and /readyz over HTTP/1.1, and nothing else.

Small on purpose: answers are computed at once from callables, so a connection needs no task and no queue.
For a private network: no TLS, no authentication.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, cast

from kvorum.control.metrics import CONTENT_TYPE

_log = logging.getLogger("kvorum.status")

CONNECTION_SECONDS_MAX: Final = 30.0
HEAD_BYTES_MAX: Final = 16_384
_TEXT: Final = "text/plain; charset=utf-8"

_Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type, body."""


class StatusServer:
    """`metrics`: the body of /metrics, as control/metrics renders it. `readiness`: why this process cannot serve
    yet, in words, or None when it can. Both are called on the loop and should return at once."""

    def __init__(self, metrics: Callable[[], bytes], readiness: Callable[[], str | None]) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError when the address cannot be had. `port` 0: any free one, see `port`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._answer, self._connections), host, port
        )

    @property
    def port(self) -> int:
        assert self._server is not None, "not started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.hang_up()
        await self._server.wait_closed()
        self._server = None

    def _answer(self, method: bytes, path: bytes) -> _Answer:
        if path not in {b"/metrics", b"/healthz", b"/readyz"}:
            return HTTPStatus.NOT_FOUND, _TEXT, b"not found\n"
        if method not in {b"GET", b"HEAD"}:
            return HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"GET only\n"
        try:
            return self._read(path)
        except Exception:  # noqa: BLE001 - the outermost door: a broken gauge must not end the connection
            _log.exception("the status port could not answer", extra={"path": path.decode()})
            return HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"internal error\n"

    def _read(self, path: bytes) -> _Answer:
        match path:
            case b"/metrics":
                return HTTPStatus.OK, CONTENT_TYPE, self._metrics()
            case b"/healthz":
                return HTTPStatus.OK, _TEXT, b"ok\n"
            case _:
                reason = self._readiness()
                if reason is None:
                    return HTTPStatus.OK, _TEXT, b"ready\n"
                return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{reason}\n".encode()


class _Connection(asyncio.Protocol):
    """One request, one answer, and goodbye: nothing waits here that a slow or busy client could pile up."""

    def __init__(self, answer: Callable[[bytes, bytes], _Answer], connections: set[_Connection]) -> None:
        self._answer = answer
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._head = bytearray()
        self._answered = False

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own class: a Transport in all but inheritance.
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._deadline = asyncio.get_running_loop().call_later(CONNECTION_SECONDS_MAX, self.hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._send(*self._respond())
        elif len(self._head) > HEAD_BYTES_MAX:
            self._send((HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TEXT, b"too large\n"), with_body=True)

    def _respond(self) -> tuple[_Answer, bool]:
        """The answer to the request in `_head`, and whether its body is wanted."""
        request = bytes(self._head).partition(b"\r\n")[0].split(b" ")
        if len(request) != 3 or not request[2].startswith(b"HTTP/1."):
            return (HTTPStatus.BAD_REQUEST, _TEXT, b"not HTTP/1.1\n"), True
        method, target, _ = request
        return self._answer(method, target.partition(b"?")[0]), method != b"HEAD"

    def _send(self, answer: _Answer, with_body: bool) -> None:
        assert self._transport is not None
        self._answered = True
        status, content_type, body = answer
        head = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            head.append("Allow: GET, HEAD")
        self._transport.write("\r\n".join([*head, "", ""]).encode() + (body if with_body else b""))
        self._transport.close()
