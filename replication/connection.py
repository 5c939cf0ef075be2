"""One TCP connection as a link: frames of batched messages, outstanding calls, and a watch on the peer's life.

A frame is four bytes of length, big endian, and a MessagePack array of envelopes [number, message]: number 0
is a cast, above 0 a call, below 0 the answer to that call. A frame holds whatever was waiting when the loop's
pass ended, so batches form by themselves under load and a lone message leaves at once. A frame of length 0
is a sign of life. The first frame each way is a Hello; the accepting side says it only to a peer it accepts.

Messages are encoded when they are handed over: the outbox is exact in bytes, and what cannot be encoded fails
where it was sent. Why not gRPC: a message costs it ten times as much at both ends (raw TCP on uvloop 8 µs,
grpc.aio 100 µs and more), and nothing here needs what it adds.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from dataclasses import dataclass
from functools import partial
from math import inf
from struct import Struct as Layout
from typing import Any, Protocol, cast

from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from kvorum.replication.link import Handler, Link, LinkFailure, Reply

logger = logging.getLogger(__name__)

FRAME_BYTES = 1 << 20
"""A frame that has grown past this is closed and the next one begun."""

FRAME_BYTES_MAX = 64 << 20
"""A receiver hangs up on a longer frame."""

MESSAGE_BYTES_MAX = FRAME_BYTES_MAX - FRAME_BYTES - 64
"""So a frame never passes FRAME_BYTES_MAX: its last message begins before FRAME_BYTES."""

_LENGTH = Layout(">I")
_HEADER = Layout(">IBI")  # frame length, then MessagePack's array 32: 0xdd and the count
_ARRAY_32 = 0xDD
_HEADER_ROOM = bytes(_HEADER.size)
_SIGN_OF_LIFE = bytes(_LENGTH.size)


class Greeting(Protocol):
    """What a Hello says of its sender (control/messages.Hello)."""

    @property
    def version(self) -> int: ...

    @property
    def region(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def role(self) -> str: ...


class Codec:
    """`Codec(list[tuple[int, Message]])`, where Message is the tagged union of all that may cross the wire."""

    __slots__ = ("decode", "encode_into")

    def __init__(self, envelopes: Any) -> None:
        self.encode_into = Encoder().encode_into
        decoder: Decoder[list[tuple[int, Any]]] = Decoder(envelopes)
        self.decode = decoder.decode


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection. Beyond those of the outbox a call fails at once and a cast is dropped; answers
    may take three times the room, and a peer that lets even that fill up is disconnected."""

    outbox_bytes: int = 16 << 20
    outbox_messages: int = 65_536
    calls: int = 65_536
    sweep_seconds: float = 0.1
    ping_seconds: float = 1.0
    silence_seconds: float = 4.0
    stall_seconds: float = 0.5
    """A sweep so late says that this very process stood still: that time counts against no peer."""


@dataclass(slots=True)
class Counts:
    """Of one client over all its connections, or of one server over all of its own. For /metrics."""

    messages_sent: int = 0
    frames_sent: int = 0
    bytes_sent: int = 0
    messages_received: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    casts_dropped: int = 0
    calls_refused: int = 0
    calls_timed_out: int = 0
    answers_late: int = 0
    connections: int = 0
    malformed: int = 0


class Owner(Protocol):
    """Whose connection it is: the client that made it or the server that accepted it."""

    def opened(self, connection: Connection) -> None:
        """The transport is there (with TLS: after its handshake); `lost` will follow."""
        ...

    def check(self, greeting: Greeting) -> str | None:
        """None to accept that peer, else the reason why not."""
        ...

    def ready(self, connection: Connection) -> None:
        """The peer is accepted: calls can be made."""
        ...

    def lost(self, connection: Connection, reason: str) -> None:
        """Once, after the connection has ended; `connection.greeting` is None if it was never ready. The
        outstanding calls fail after this returns, so that whoever retries already knows."""
        ...


class Connection(asyncio.Protocol):
    """Implements `Link`. `face` is the link that the handler sees; None: this connection itself.

    `greeting` says who the peer is, from the moment it is accepted. `closed` is done when the transport is.
    """

    def __init__(
        self,
        codec: Codec,
        hello: Greeting,
        handler: Handler,
        owner: Owner,
        counts: Counts,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        *,
        greets_first: bool,
        face: Link | None = None,
    ) -> None:
        self.greeting: Greeting | None = None
        self.connected = False
        self.closed: asyncio.Future[None] = loop.create_future()
        self._codec = codec
        self._encode_into = codec.encode_into
        self._hello = hello
        self._handler = handler
        self._owner = owner
        self._counts = counts
        self._limits = limits
        self._loop = loop
        self._greets_first = greets_first
        self._face: Link = self if face is None else face
        self._transport: asyncio.Transport | None = None
        self._address = "?"
        self._ended = False
        self._made_at = 0.0
        # Outgoing: the frame being filled, and closed frames with the messages in each and its last call.
        self._frame = bytearray(_HEADER_ROOM)
        self._frame_messages = 0
        self._closed_frames: deque[tuple[bytearray, int, int]] = deque()
        self._closed_bytes = 0
        self._closed_messages = 0
        self._flush_scheduled = False
        self._paused = False
        # Calls: number -> who waits for the answer, and until when. `_sent_number`: the last one written.
        self._calls: dict[int, tuple[Reply, float]] = {}
        self._number = 0
        self._sent_number = 0
        self._earliest_deadline = inf
        # Incoming, and signs of life.
        self._partial = bytearray()
        self._heard = False
        self._heard_at = 0.0
        self._wrote = False
        self._wrote_at = 0.0
        self._swept_at = 0.0
        self._sweeper: asyncio.TimerHandle | None = None

    # ---- link ----

    @property
    def peer(self) -> str:
        return self.greeting.name if self.greeting is not None else self._address

    def cast(self, message: Any) -> None:
        if not self.connected or self._is_full(1) or not self._put(0, message):
            self._counts.casts_dropped += 1

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        if not self.connected:
            self._refuse(done, "not connected")
            return
        if self._is_full(1) or len(self._calls) >= self._limits.calls:
            self._refuse(done, "outbox full")
            return
        self._number = number = self._number + 1
        if not self._put(number, message):
            self._refuse(done, "message too large")
            return
        deadline = self._loop.time() + timeout_seconds
        self._calls[number] = (done, deadline)
        self._earliest_deadline = min(self._earliest_deadline, deadline)

    def finish(self) -> None:
        """Hang up after writing out what waits: answers still reach the peer. Calls fail at once. A peer that
        does not read keeps the transport open: `abort` after a while."""
        self._flush(everything=True)
        self._end("closed here", abort=False)

    def abort(self) -> None:
        """Hang up at once; what is still in the outbox is lost, and its calls fail as not sent."""
        self._end("closed here")
        if self._transport is not None:
            self._transport.abort()

    # ---- asyncio.Protocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own class: a Transport in all but inheritance.
        self._transport = transport = cast("asyncio.Transport", transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = transport.get_extra_info("peername")
        self._address = f"{address[0]}:{address[1]}" if address else "?"
        transport.set_write_buffer_limits(high=FRAME_BYTES)
        self._made_at = self._heard_at = self._wrote_at = self._swept_at = self._loop.time()
        self._sweeper = self._loop.call_later(self._limits.sweep_seconds, self._sweep)
        self._counts.connections += 1
        self._owner.opened(self)
        if self._greets_first:
            self._put(0, self._hello)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._counts.bytes_received += len(data)
        partial_frame = self._partial
        if partial_frame:
            partial_frame += data
            position = self._read_frames(partial_frame)
            if position:
                del partial_frame[:position]
        else:
            position = self._read_frames(data)
            if position < len(data):
                partial_frame += data[position:]

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"connection lost: {exc}" if exc is not None else "closed by the peer")
        if not self.closed.done():
            self.closed.set_result(None)

    # ---- receiving ----

    def _read_frames(self, data: bytes | bytearray) -> int:
        """Handle every whole frame. Returns the number of bytes used."""
        end = len(data)
        position = 0
        with memoryview(data) as view:
            while end - position >= 4:
                (length,) = _LENGTH.unpack_from(data, position)
                if length > FRAME_BYTES_MAX:
                    self._malformed(f"a frame of {length} bytes")
                    return end
                frame_end = position + 4 + length
                if frame_end > end:
                    break
                if length:
                    with view[position + 4 : frame_end] as frame:
                        self._receive(frame)
                if self._ended:
                    return end
                position = frame_end
        return position

    def _receive(self, frame: memoryview) -> None:
        try:
            envelopes = self._codec.decode(frame)
        except (MsgspecError, ValueError, RecursionError) as error:
            self._malformed(str(error))
            return
        self._counts.frames_received += 1
        self._counts.messages_received += len(envelopes)
        try:
            if not self.connected:
                first = envelopes.pop(0) if envelopes else (0, None)
                if not self._greeted(*first):
                    return
            self._dispatch(envelopes)
        except Exception:
            logger.exception("link %s: a handler failed, hanging up", self.peer)
            self._end("a handler failed")

    def _dispatch(self, envelopes: list[tuple[int, Any]]) -> None:
        handler = self._handler
        calls = self._calls
        face = self._face
        for number, message in envelopes:
            if number > 0:
                handler(message, partial(self._answer, number), face)
            elif number == 0:
                handler(message, None, face)
            else:
                waiting = calls.pop(-number, None)
                if waiting is not None:
                    waiting[0](message)
                else:
                    self._counts.answers_late += 1

    def _greeted(self, number: int, message: Any) -> bool:
        if number != 0 or type(message) is not type(self._hello):
            self._malformed("the first message is no Hello")
            return False
        greeting: Greeting = message
        if greeting.version != self._hello.version:
            reason: str | None = f"it speaks version {greeting.version}, not {self._hello.version}"
        else:
            reason = self._owner.check(greeting)
        if reason is not None:
            self._end(
                f"refused {greeting.role} {greeting.name} of region {greeting.region} at {self._address}: {reason}"
            )
            return False
        self.greeting = greeting
        if not self._greets_first:
            self._put(0, self._hello)
        self.connected = True
        self._owner.ready(self)
        return not self._ended

    def _malformed(self, what: str) -> None:
        self._counts.malformed += 1
        logger.warning("link %s: malformed frame, hanging up: %s", self.peer, what)
        self._end("malformed frame")

    # ---- sending ----

    def _answer(self, number: int, message: Any) -> None:
        if not self.connected:
            return
        if self._is_full(3):
            self._end("the peer does not read its answers")
        elif not self._put(-number, message):
            logger.error("link %s: an answer is too large to send: %s", self.peer, type(message).__name__)

    def _is_full(self, share: int) -> bool:
        limits = self._limits
        return (
            self._closed_bytes + len(self._frame) > share * limits.outbox_bytes
            or self._closed_messages + self._frame_messages >= share * limits.outbox_messages
        )

    def _refuse(self, done: Reply, reason: str) -> None:
        self._counts.calls_refused += 1
        done(LinkFailure(False, f"{self.peer}: {reason}"))

    def _put(self, number: int, message: Any) -> bool:
        """Into the outbox. False when it is too large for any frame: it will not be sent."""
        frame = self._frame
        start = len(frame)
        try:
            self._encode_into((number, message), frame, start)
        except BaseException:
            del frame[start:]
            raise
        if len(frame) - start > MESSAGE_BYTES_MAX:
            del frame[start:]
            return False
        self._frame_messages += 1
        if len(frame) >= FRAME_BYTES:
            self._close_frame()
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)
        return True

    def _close_frame(self) -> None:
        frame = self._frame
        messages = self._frame_messages
        _HEADER.pack_into(frame, 0, len(frame) - 4, _ARRAY_32, messages)
        self._closed_frames.append((frame, messages, self._number))
        self._closed_bytes += len(frame)
        self._closed_messages += messages
        self._frame = bytearray(_HEADER_ROOM)
        self._frame_messages = 0

    def _flush(self, *, everything: bool = False) -> None:
        """Write what waits, as far as the transport takes it (`everything`: further)."""
        self._flush_scheduled = False
        transport = self._transport
        if self._ended or transport is None:
            return
        if self._frame_messages:
            self._close_frame()
        frames = self._closed_frames
        counts = self._counts
        while frames and (everything or not self._paused):
            frame, messages, self._sent_number = frames.popleft()
            self._closed_bytes -= len(frame)
            self._closed_messages -= messages
            counts.frames_sent += 1
            counts.bytes_sent += len(frame)
            counts.messages_sent += messages
            self._wrote = True
            transport.write(frame)

    # ---- time ----

    def _sweep(self) -> None:
        """Every `sweep_seconds`: expire calls, show and look for signs of life."""
        limits = self._limits
        now = self._loop.time()
        stood_still = now - self._swept_at
        self._swept_at = now
        self._sweeper = self._loop.call_later(limits.sweep_seconds, self._sweep)
        if self._wrote:
            self._wrote = False
            self._wrote_at = now
        elif now - self._wrote_at >= limits.ping_seconds and not self._paused and self._transport is not None:
            self._wrote_at = now
            self._transport.write(_SIGN_OF_LIFE)
        if stood_still > limits.stall_seconds:
            # What the peer said in the meantime is still unread in the socket: judge it at the next sweep.
            self._heard_at += stood_still
        elif self._heard:
            self._heard = False
            self._heard_at = now
        elif now - self._heard_at > limits.silence_seconds:
            self._end(f"silent for {limits.silence_seconds:g} s")
            return
        if not self.connected and now - self._made_at > limits.silence_seconds:
            self._end("no Hello in time")
            return
        if now >= self._earliest_deadline and stood_still <= limits.stall_seconds:
            self._expire(now)

    def _expire(self, now: float) -> None:
        calls = self._calls
        expired = [number for number, (_, deadline) in calls.items() if deadline <= now]
        overdue = [calls.pop(number)[0] for number in expired]
        self._earliest_deadline = min((deadline for _, deadline in calls.values()), default=inf)
        self._counts.calls_timed_out += len(overdue)
        # Even one that has not left the outbox: it will.
        self._fail(overdue, LinkFailure(True, f"{self.peer}: no answer in time"))

    # ---- the end ----

    def _end(self, reason: str, *, abort: bool = True) -> None:
        if self._ended:
            return
        self._ended = True
        self.connected = False
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._transport is not None:
            if abort:
                self._transport.abort()
            else:
                self._transport.close()
        calls, self._calls = self._calls, {}
        sent = [done for number, (done, _) in calls.items() if number <= self._sent_number]
        unsent = [done for number, (done, _) in calls.items() if number > self._sent_number]
        self._closed_frames.clear()
        self._frame = bytearray(_HEADER_ROOM)
        try:
            self._owner.lost(self, reason)
        finally:
            self._fail(unsent, LinkFailure(False, f"{self.peer}: {reason}"))
            self._fail(sent, LinkFailure(True, f"{self.peer}: {reason}"))

    def _fail(self, waiting: list[Reply], failure: LinkFailure) -> None:
        for done in waiting:
            try:
                done(failure)
            except Exception:
                logger.exception("link %s: a caller failed on its failed call", self.peer)
