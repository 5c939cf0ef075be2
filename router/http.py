"""The HTTP door: DynamoDB's JSON protocol over one asyncio.Protocol and httptools.

Bytes in, operation and body out to the service, its answer back as bytes. Knows nothing of what an
operation means. Two paths: a usual request (a signed POST of JSON for a known operation, on a connection
that stays open) is dispatched by a few comparisons; whatever is different about any other is gathered in
a `_Head` and decided by `_answer_unusual`, in the order in which AWS decides. The fast path is only a
shortcut: for every request that it takes, the slow one would do the same.

Bounds, each per connection unless said otherwise: requests in progress (further ones wait unexecuted, and
reading stops), response bytes that the client does not read (idem), head and body bytes, time between
requests and time to send one; connections per door.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import httptools
import orjson

from kvorum.model import errors
from kvorum.model.errors import ApiError
from kvorum.model.limits import REQUEST_BYTES_MAX
from kvorum.router.answers import JSON, PLAIN_JSON, ResponseWriter, error_body
from kvorum.router.codings import COMPRESSED_BYTES_MIN, accepted, compressed, decompressed
from kvorum.router.reached_at import ASKING, REACHED_AT

_log = logging.getLogger(__name__)

Respond = Callable[[int, bytes], None]
"""(HTTP status, JSON body): called exactly once, perhaps before `execute` returns."""

# Below 10 MB nothing need be said before the body comes; what comes is counted in any case.
_USUAL_LENGTH_DIGITS = 7
_TARGET_PREFIX = "DynamoDB_20120810."
_PREFLIGHT_SECONDS = b"172800"
_CROSS_ORIGIN = (
    b"Access-Control-Allow-Origin: *\r\n"
    b"Access-Control-Expose-Headers: x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date\r\n"
)


class Executor(Protocol):
    """The service as the door sees it (router/service)."""

    @property
    def operations(self) -> Collection[str]: ...

    def execute(self, operation: str, raw: bytes, respond: Respond) -> None:
        """Never raises; `raw` is the body as it was received."""
        ...


@dataclass(frozen=True, slots=True)
class PageAnswer:
    status: int
    content_type: bytes
    body: bytes


Page = Callable[[], PageAnswer]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """`idle_seconds`: how long a connection may rest between requests; `request_seconds`: how much longer
    when a request has begun to arrive. `head_bytes_max`: of the first line, and of all headers, as AWS has it (found
    by ScyllaDB's tests of Alternator). `arriving_bytes_max`: of all bodies that are arriving in several reads, over the
    whole door. `linger_seconds`: how long we go on discarding what a client sends
    after its request was refused, so that it can read why. Times are kept to `tick_seconds`."""

    connections_max: int = 10_000
    pipelined_max: int = 64
    head_bytes_max: int = 16_384
    body_bytes_max: int = REQUEST_BYTES_MAX
    arriving_bytes_max: int = 1 << 29
    idle_seconds: float = 60.0
    request_seconds: float = 120.0
    linger_seconds: float = 2.0
    tick_seconds: float = 1.0


LEAVING_MAX = 16
"""Answers that wait for the end of the loop's turn; more would make the first of them late."""

UNSENT_BYTES_MAX = 1 << 15


class HttpDoor:
    """Listens, and keeps what its connections share.

    `pages`: further GET paths (b"/metrics") and what answers them. `loop.time` is the only clock that
    connections read, once a tick; `now` (seconds since the epoch) dates responses; `entropy` seeds ids.
    """

    def __init__(
        self,
        service: Executor,
        region: str,
        pages: Mapping[bytes, Page],
        *,
        entropy: Callable[[int], bytes],
        now: Callable[[], float],
        limits: HttpLimits | None = None,
    ) -> None:
        self.service = service
        self.limits = limits or HttpLimits()
        self.writer = ResponseWriter(entropy, now)
        self.targets = {(_TARGET_PREFIX + operation).encode(): operation for operation in service.operations}
        self.usual_targets = {
            target: operation for target, operation in self.targets.items() if operation not in ASKING
        }
        healthy = PageAnswer(200, b"text/plain", f"healthy: dynamodb.{region}.amazonaws.com ".encode())
        self.pages: dict[bytes, Page] = {b"/": lambda: healthy, b"/ping": lambda: healthy, **pages}
        self.stopping = False
        self.time = 0.0
        self.arriving_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: list[_Connection] = []
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._all_gone: asyncio.Future[None] | None = None

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen; port 0 picks a free one. The port listened on."""
        self._loop = loop = asyncio.get_running_loop()
        self._tick(loop)
        self._server = await loop.create_server(self.new_connection, host, port, ssl=tls, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    def leave_soon(self, connection: _Connection) -> None:
        """Write the connection's answer with those of the same turn of the loop: each write wakes its client's
        core, unless that is still busy with the last one (15 % more GetItem on one core, load on another)."""
        leaving = self._leaving
        leaving.append(connection)
        if self._loop is None or len(leaving) == LEAVING_MAX:
            self._leave()
        elif len(leaving) == 1:
            self._loop.call_soon(self._leave)

    def _leave(self) -> None:
        leaving, self._leaving = self._leaving, []
        for connection in leaving:
            connection.flush()

    async def stop(self, grace_seconds: float) -> None:
        """Accept no more, let requests in progress be answered for at most `grace_seconds`, close."""
        if self._server is not None:
            self._server.close()
        self.stopping = True
        loop = asyncio.get_running_loop()
        self._all_gone = loop.create_future()
        deadline = loop.call_later(grace_seconds, self._cut)
        for connection in list(self._connections):
            connection.close_when_answered()
        if not self._connections:
            self._all_gone.set_result(None)
        await self._all_gone
        deadline.cancel()
        if self._ticker is not None:
            self._ticker.cancel()

    def new_connection(self) -> asyncio.Protocol:
        """The protocol of one more client."""
        return _Connection(self)

    def admit(self, connection: _Connection) -> bool:
        """False when the door is full (or closing): the connection is to say so and go."""
        self._connections.add(connection)
        return len(self._connections) <= self.limits.connections_max and not self.stopping

    def forget(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if self._all_gone is not None and not self._connections and not self._all_gone.done():
            self._all_gone.set_result(None)

    def _cut(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self.time = loop.time()
        self.writer.refresh()
        for connection in list(self._connections):
            connection.check_idle(self.time)
        self._ticker = loop.call_later(self.limits.tick_seconds, self._tick, loop)


@dataclass(frozen=True, slots=True)
class _Head:
    """All that was said before the body, for a request that is in some way unusual. Names are lower case."""

    method: bytes
    url: bytes
    headers: dict[bytes, bytes]
    keep_alive: bool

    def without_upgrade(self) -> bytes:
        """The head as it would have been without the offer of another protocol."""
        lines = [b"%b %b HTTP/1.1" % (self.method, self.url)]
        for name, value in self.headers.items():
            if name not in (b"upgrade", b"connection", b"http2-settings"):
                lines.append(name + b": " + value)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    @property
    def media_type(self) -> bytes:
        return self.headers.get(b"content-type", b"").partition(b";")[0].strip()

    @property
    def answer_type(self) -> bytes:
        """AWS answers application/json to whoever did not ask for JSON 1.0."""
        return JSON if self.media_type == JSON else PLAIN_JSON

    @property
    def accepted(self) -> bytes | None:
        """How the client would have the answer compressed."""
        return accepted(self.headers.get(b"accept-encoding", b""))

    @property
    def cross_origin(self) -> bytes:
        """Header lines that let a browser's scripts have the answer, where a script of another site asks."""
        return _CROSS_ORIGIN if b"origin" in self.headers else b""

    @property
    def preflight(self) -> bytes:
        """Header lines that allow a browser what it asked for."""
        lines = self.cross_origin + b"Access-Control-Max-Age: " + _PREFLIGHT_SECONDS + b"\r\n"
        for kind in (b"Headers", b"Method"):
            asked = self.headers.get(b"access-control-request-" + kind.lower())
            if asked is not None:
                allowed = b"Methods" if kind == b"Method" else kind
                lines += b"Access-Control-Allow-" + allowed + b": " + asked + b"\r\n"
        return lines


class _Exchange:
    """One request and its answer's place in the connection's order."""

    __slots__ = ("_connection", "closes", "head", "lingers", "wire")

    def __init__(self, connection: _Connection, head: _Head | None) -> None:
        self._connection = connection
        self.head = head
        self.wire: bytes | None = None
        self.closes = head is not None and not head.keep_alive
        self.lingers = False

    def respond(self, status: int, body: bytes) -> None:
        """The service's answer."""
        connection = self._connection
        writer = connection.writer
        head = self.head
        if head is not None:
            headers = head.cross_origin
            coding = head.accepted if len(body) >= COMPRESSED_BYTES_MIN else None
            if coding is not None:
                body = compressed(body, coding)
                headers += b"Content-Encoding: " + coding + b"\r\n"
            wire = writer.response(
                status, body, content_type=head.answer_type, keep_alive=head.keep_alive, headers=headers
            )
        elif status == 200:
            wire = writer.success(body)
        else:
            wire = writer.response(status, body)
        connection.deliver(self, wire)


class _Connection(asyncio.Protocol):
    """One client. The parser's callbacks (`on_…`) run inside `data_received`, between two of its lines."""

    def __init__(self, door: HttpDoor) -> None:
        self._door = door
        self._service = door.service
        self._targets = door.targets
        self._usual_targets = door.usual_targets
        self.writer = door.writer
        self._pipelined_max = door.limits.pipelined_max
        self._body_bytes_max = door.limits.body_bytes_max
        self._head_bytes_max = door.limits.head_bytes_max
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = _NO_TRANSPORT
        # The request that is arriving.
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_done = False
        self._bodiless_bytes = -1  # the read in which a head begins is not counted
        self._read_bytes = 0
        self._operation: str | None = None
        self._head: _Head | None = None
        self._body = b""
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        # The requests that have arrived, in order; those at the end may not have been begun.
        self._exchanges: deque[_Exchange] = deque()
        self._held: deque[tuple[_Exchange, str, bytes]] = deque()
        self._releasing = False
        self._deaf = False  # nothing more is read from this client
        self._paused = False  # the client does not read what we wrote
        self._reading = True
        self._rested_since = door.time
        self._unsent = b""
        self._lingers_until: float | None = None

    # ---- the transport's side ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._door.admit(self):
            self._deaf = True
            body = error_body(errors.service_unavailable())
            self._transport.write(self.writer.response(503, body, keep_alive=False))
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deaf = True
        self._transport = _NO_TRANSPORT
        self._unsent = b""
        self._exchanges.clear()  # their answers will come, and find nobody
        self._held.clear()
        self._drop_chunks()
        self._door.forget(self)
        del self._parser  # it holds our callbacks: a cycle that only the collector would end

    def data_received(self, data: bytes) -> None:
        self._read_bytes = len(data)
        body_bytes = self._body_bytes
        while data and not self._deaf:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserCallbackError as error:
                self._our_fault(error)
            except httptools.HttpParserError:
                self._refuse(400, b"")
            except httptools.HttpParserUpgrade as upgrade:
                data = self._decline_upgrade(data[upgrade.args[0] :])
                continue
            else:
                if self._url:
                    if self._head_done and self._body_bytes != body_bytes:
                        self._bodiless_bytes = -1
                    else:
                        self._count_bodiless(len(data))
            return

    def eof_received(self) -> bool:
        """A client that has half-closed still gets what it asked for."""
        self._deaf = True
        if self._exchanges and self._transport.can_write_eof():
            self._exchanges[-1].closes = True
            return True
        self.flush()  # the connection is closed at once
        return False

    def pause_writing(self) -> None:
        self._paused = True
        self._stop_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self._release()

    # ---- the parser's side ---------------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(name.lower(), value)  # AWS goes by the first Accept-Encoding

    def on_headers_complete(self) -> None:
        if self._deaf:  # what follows a last request, in the same read, is nobody's business
            return
        headers = self._headers
        self._head_done = True
        parser = self._parser
        if (self._read_bytes > self._head_bytes_max or self._bodiless_bytes >= 0) and self._head_is_long():
            self._refuse(400, b"")
            return
        if (
            headers.get(b"content-type") == JSON
            and b"authorization" in headers
            and b"origin" not in headers
            and b"expect" not in headers
            and b"upgrade" not in headers
            and b"content-encoding" not in headers
            and headers.get(b"accept-encoding", b"identity") == b"identity"
            and len(headers.get(b"content-length", b"")) <= _USUAL_LENGTH_DIGITS
            and self._url == b"/"
            and parser.get_method() == b"POST"
            and parser.should_keep_alive()
        ):
            self._operation = self._usual_targets.get(headers.get(b"x-amz-target", b""))
            if self._operation is not None:
                return
        self._operation = None
        self._head = head = _Head(parser.get_method(), self._url, dict(headers), parser.should_keep_alive())
        self._begin_unusual(head)

    def on_body(self, chunk: bytes) -> None:
        self._body_bytes += len(chunk)
        if self._body_bytes > self._body_bytes_max:
            self._refuse_body()
        elif self._body:
            self._chunks.append(chunk)
            self._door.arriving_bytes += len(chunk)
            if self._door.arriving_bytes > self._door.limits.arriving_bytes_max:
                self._refuse(503, error_body(errors.service_unavailable()))
        else:
            self._body = chunk

    def on_message_complete(self) -> None:
        if self._deaf or (self._head is not None and self._parser.should_upgrade()):
            return
        body = self._body
        if self._chunks:
            body += b"".join(self._chunks)
            self._drop_chunks()
        self._body = b""
        self._body_bytes = 0
        self._url = b""
        self._headers.clear()
        self._head_done = False
        self._bodiless_bytes = -1
        operation, self._operation = self._operation, None
        head, self._head = self._head, None
        exchange = _Exchange(self, head)
        self._exchanges.append(exchange)
        if head is not None:
            if not head.keep_alive:
                self._deaf = True
            if b"content-encoding" in head.headers:
                try:
                    body = self._plain(head, body)
                except ApiError as error:
                    exchange.respond(error.status, error_body(error))
                    return
            operation = self._answer_unusual(exchange, head, body)
            if operation is None:
                return
        assert operation is not None
        if self._held or self._paused or len(self._exchanges) > self._pipelined_max:
            self._held.append((exchange, operation, body))
            self._stop_reading()
            return
        if head is None:
            self._service.execute(operation, body, exchange.respond)
        else:
            self._execute(exchange, operation, body)

    def _execute(self, exchange: _Exchange, operation: str, body: bytes) -> None:
        if exchange.head is not None and operation in ASKING:
            REACHED_AT.set(exchange.head.headers.get(b"host", b"").decode("latin-1"))
        self._service.execute(operation, body, exchange.respond)

    # ---- requests that are in some way unusual -------------------------------------------------------

    def _begin_unusual(self, head: _Head) -> None:
        """What must be said before the body comes."""
        length = head.headers.get(b"content-length", b"0")
        if int(length) > self._body_bytes_max:
            self._refuse_body()
        elif head.headers.get(b"expect", b"").lower() == b"100-continue":
            exchange = _Exchange(self, None)
            self._exchanges.append(exchange)
            self.deliver(exchange, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer_unusual(self, exchange: _Exchange, head: _Head, body: bytes) -> str | None:
        """Answer here and now, or say which operation to execute."""
        writer = self.writer
        if head.method == b"OPTIONS" and head.cross_origin:
            wire = writer.response(
                200,
                b"",
                content_type=head.answer_type,
                keep_alive=head.keep_alive,
                headers=head.preflight,
            )
            self.deliver(exchange, wire)
            return None
        if head.method in (b"GET", b"HEAD"):
            page = self._page(head.url.partition(b"?")[0])
            wire = writer.response(
                page.status,
                page.body,
                content_type=page.content_type,
                keep_alive=head.keep_alive,
                headers=head.cross_origin,
                with_body=head.method == b"GET",
            )
            self.deliver(exchange, wire)
            return None
        if head.method != b"POST" or (body and head.media_type not in (JSON, PLAIN_JSON)):
            wire = writer.response(
                404,
                _NOT_FOUND.body,
                content_type=_NOT_FOUND.content_type,
                keep_alive=head.keep_alive,
                headers=head.cross_origin,
            )
            self.deliver(exchange, wire)
            return None
        operation = self._targets.get(head.headers.get(b"x-amz-target", b""))
        refusal = _refusal(head, body, operation)
        if refusal is not None:
            exchange.respond(refusal.status, error_body(refusal))
            return None
        return operation

    def _plain(self, head: _Head, body: bytes) -> bytes:
        plain = decompressed(body, head.headers[b"content-encoding"], self._body_bytes_max)
        if len(plain) > self._body_bytes_max:
            raise _TOO_LARGE
        return plain

    def _count_bodiless(self, size: int) -> None:
        """Of a head whose end has not come yet, or of what follows a chunked body: refuse one without end."""
        self._bodiless_bytes = self._bodiless_bytes + size if self._bodiless_bytes >= 0 else 0
        if self._bodiless_bytes > 2 * self._head_bytes_max:
            self._refuse(400, b"")

    def _head_is_long(self) -> bool:
        separators = len(": \r\n")
        headers = sum(len(name) + len(value) + separators for name, value in self._headers.items())
        return max(len(self._url), headers) > self._head_bytes_max

    def _decline_upgrade(self, following: bytes) -> bytes:
        """Some clients offer HTTP/2 with every request. The parser then stops at the end of the head: what is
        to be read instead is the same request without the offer."""
        head = self._head
        if head is None or head.method == b"CONNECT":
            self._refuse(400, b"")
            return b""
        self._headers.clear()
        self._url = b""
        self._head = None
        self._parser = httptools.HttpRequestParser(self)
        return head.without_upgrade() + following

    def _page(self, path: bytes) -> PageAnswer:
        page = self._door.pages.get(path)
        return _NOT_FOUND if page is None else page()

    def _refuse(self, status: int, body: bytes) -> None:
        """The last answer on this connection, when its turn comes; what the client still sends is dropped."""
        if self._deaf:
            return
        self._deaf = True
        self._drop_chunks()
        exchange = _Exchange(self, None)
        exchange.closes = exchange.lingers = True
        self._exchanges.append(exchange)
        self.deliver(exchange, self.writer.response(status, body, keep_alive=False))

    def _drop_chunks(self) -> None:
        self._door.arriving_bytes -= sum(map(len, self._chunks))
        self._chunks.clear()

    def _refuse_body(self) -> None:
        self._refuse(413, error_body(_TOO_LARGE))

    def _our_fault(self, error: httptools.HttpParserCallbackError) -> None:
        """A callback raised: a mistake of ours, which this connection does not survive."""
        _log.error("a connection's callback failed", exc_info=error.__context__ or error)
        self._deaf = True
        self._transport.abort()

    # ---- answers -------------------------------------------------------------------------------------

    def deliver(self, exchange: _Exchange, wire: bytes) -> None:
        """Write an answer when those before it have been written."""
        exchanges = self._exchanges
        if not exchanges:  # the client has gone
            return
        if exchanges[0] is not exchange:
            exchange.wire = wire
            return
        exchanges.popleft()
        while exchanges and (following := exchanges[0].wire) is not None:
            wire += following
            exchange = exchanges.popleft()
        if self._unsent:
            self._unsent += wire
            if len(self._unsent) > UNSENT_BYTES_MAX:
                self.flush()  # so that a client that does not read is noticed in time
        else:
            self._unsent = wire
            self._door.leave_soon(self)
        self._rested_since = self._door.time
        if exchange.closes:
            self._finish(exchange.lingers)
        elif not self._reading and not self._releasing:
            self._release()

    def flush(self) -> None:
        """Write what was delivered."""
        wire, self._unsent = self._unsent, b""
        if wire:
            self._transport.write(wire)

    def _release(self) -> None:
        """Begin what was held back, as far as the bounds allow, then read on."""
        self._releasing = True
        held = self._held
        while held and not self._paused and len(self._exchanges) - len(held) < self._pipelined_max:
            exchange, operation, body = held.popleft()
            self._execute(exchange, operation, body)
        self._releasing = False
        if not held and not self._paused and not self._reading:
            self._reading = True
            self._transport.resume_reading()

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    # ---- the end -------------------------------------------------------------------------------------

    def _finish(self, lingers: bool) -> None:
        self._deaf = True
        self.flush()
        if lingers and self._transport.can_write_eof():
            self._lingers_until = self._door.time + self._door.limits.linger_seconds
            self._transport.write_eof()
            self._release()
        else:
            self._transport.close()

    def close_when_answered(self) -> None:
        self._deaf = True
        if self._exchanges:
            self._exchanges[-1].closes = True
        else:
            self.flush()
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def check_idle(self, time: float) -> None:
        """Close a connection that has outlived its welcome; `time` as loop.time() tells it."""
        limits = self._door.limits
        if self._lingers_until is not None:
            if time >= self._lingers_until:
                self._transport.abort()
            return
        if self._exchanges and not self._paused:  # it waits for us, not we for it
            return
        allowed = limits.idle_seconds
        if self._url:
            allowed += limits.request_seconds
        if time - self._rested_since <= allowed:
            return
        if self._transport.get_write_buffer_size():  # it does not read: closing would wait for that
            self._transport.abort()
        else:
            self._transport.close()


def _refusal(head: _Head, body: bytes, operation: str | None) -> ApiError | None:
    """Why a POST is not even handed to the service, in AWS's order: body, target, authentication. This is
    where router/sigv4 will look at the signature itself."""
    if body and not _is_json(body):
        return errors.serialization()
    if operation is None:
        return errors.unknown_operation()
    by_header = b"authorization" in head.headers
    by_query = b"X-Amz-Algorithm=" in head.url.partition(b"?")[2]
    if by_header and by_query:
        return _TWO_SIGNATURES
    if not by_header and not by_query:
        return errors.missing_authentication_token()
    return None


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


_NOT_FOUND = PageAnswer(404, b"application/xml", b"<UnknownOperationException/>\n")
_TOO_LARGE = ApiError("com.amazon.coral.service#RequestEntityTooLargeException", "", status=413)
_TWO_SIGNATURES = ApiError(
    "com.amazon.coral.service#InvalidSignatureException",
    "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
)
_NO_TRANSPORT = asyncio.Transport()
