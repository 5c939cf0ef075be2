"""A pipelined session: calls without waiting, answers as they come, many in one message.

The fast way for many small calls. One stream to one router, and no retries: an error is each call's own, and a
session whose connection breaks is over. What was waiting to be sent then is definitely not done.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc
import grpc.aio

from kvorum.client import operations
from kvorum.client.binding import presented
from kvorum.client.endpoint import Stream, error_of, lost
from kvorum.client.errors import KvorumError, Throttled, Unavailable, unknown
from kvorum.client.operations import Operation
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb

P = ParamSpec("P")
T = TypeVar("T")

MESSAGE_BYTES_MAX = 1 << 20
"""Where a message is closed. One call alone may be larger."""

_FIELDS = {
    "PutItem": "put_item",
    "GetItem": "get_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
    "Query": "query",
    "Scan": "scan",
}


def _pipelined(
    build: Callable[P, Operation[T]],
) -> Callable[Concatenate[Session, P], asyncio.Future[T]]:
    def call(self: Session, /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        return self.submit(build(*args, **kwargs))

    return presented(call, build)


@dataclass(slots=True)
class _Pending:
    operation: Operation[Any]
    future: asyncio.Future[Any]
    deadline: asyncio.TimerHandle


class Session:
    """`async with client.session() as session`. Every method returns a future at once, and needs no await to
    be sent. Leaving the block waits for the answers; leaving it by an exception does not.

    With `in_flight_max` calls unanswered the next one fails with Throttled, definitely: await some first.
    """

    put_item = _pipelined(operations.put_item)
    get_item = _pipelined(operations.get_item)
    update_item = _pipelined(operations.update_item)
    delete_item = _pipelined(operations.delete_item)
    query_page = _pipelined(operations.query_page)
    scan_page = _pipelined(operations.scan_page)

    def __init__(
        self, open_stream: Callable[[], Awaitable[Stream]], *, timeout_seconds: float, in_flight_max: int
    ) -> None:
        self._open_stream = open_stream
        self._timeout_seconds = timeout_seconds
        self._in_flight_max = in_flight_max
        self._pending: dict[int, _Pending] = {}
        self._outbox: deque[int] = deque()
        self._next_id = 1
        self._sent_id = 0
        self._closed: KvorumError | None = Unavailable("SessionClosed", "the session is not open")
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._stream = await self._open_stream()
        self._closed = None
        # Not a TaskGroup: it would wrap the exceptions of the caller's block. Neither task raises.
        self._reader = loop.create_task(self._read())
        self._writer = loop.create_task(self._write())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                while self._pending:
                    self._idle.clear()
                    await self._idle.wait()
        finally:
            self._close(Unavailable("SessionClosed", "the session was closed"))
            self._stream.cancel()
            self._writer.cancel()
            await asyncio.gather(self._reader, self._writer, return_exceptions=True)

    def submit(self, operation: Operation[T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._closed is not None:
            future.set_exception(Unavailable(self._closed.code, self._closed.message))
            return future
        if len(self._pending) >= self._in_flight_max:
            words = f"{self._in_flight_max} calls of this session are in flight"
            future.set_exception(Throttled("ThrottlingException", words))
            return future
        call_id = self._next_id
        self._next_id += 1
        seconds = operation.timeout_seconds
        timer = loop.call_later(self._timeout_seconds if seconds is None else seconds, self._expire, call_id)
        self._pending[call_id] = _Pending(operation, future, timer)
        self._outbox.append(call_id)
        self._wake.set()
        return future

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox:
                try:
                    await self._stream.write(self._message())
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    return  # the stream is over; its reader learns why and settles the calls

    def _message(self) -> pb.SessionRequest:
        message = pb.SessionRequest()
        size = 0
        while self._outbox and size < MESSAGE_BYTES_MAX:
            call_id = self._outbox.popleft()
            pending = self._pending.get(call_id)
            if pending is None:  # its deadline came first
                continue
            call = message.calls.add(id=call_id)
            request = pending.operation.request
            getattr(call, _FIELDS[pending.operation.name]).CopyFrom(request)
            size += request.ByteSize()
            self._sent_id = call_id
        return message

    async def _read(self) -> None:
        error: grpc.RpcError | None = None
        try:
            while isinstance(message := await self._stream.read(), pb.SessionResponse):
                for answer in message.answers:
                    self._answered(answer)
                if message.HasField("closed_after"):
                    self._sent_id = min(self._sent_id, message.closed_after)
                    self._refuse_rest(Unavailable("SessionClosed", "the router is closing the session"))
        except grpc.aio.AioRpcError as broken:
            error = broken
        except asyncio.CancelledError:
            error = None  # gRPC's word for a stream that this side has cancelled: __aexit__, or the client's close
        self._close(Unavailable("SessionClosed", "the connection was lost"), error)

    def _answered(self, answer: pb.Answer) -> None:
        pending = self._pending.get(answer.id)
        if pending is None:  # its deadline came first
            return
        outcome = answer.WhichOneof("outcome")
        if outcome == "error":
            self._settle(answer.id, error_of(answer.error, writes=pending.operation.writes))
        elif outcome is None:
            words = "the router gave an answer that this client does not know"
            self._settle(answer.id, unknown("ConnectionLost", words, writes=pending.operation.writes))
        else:
            self._settle(answer.id, pending.operation.read(getattr(answer, outcome)))

    def _settle(self, call_id: int, outcome: Any) -> None:
        pending = self._pending.pop(call_id)
        pending.deadline.cancel()
        if not self._pending:
            self._idle.set()
        if pending.future.done():  # the caller has cancelled it
            return
        if isinstance(outcome, KvorumError):
            pending.future.set_exception(outcome)
        else:
            pending.future.set_result(outcome)

    def _expire(self, call_id: int) -> None:
        if call_id > self._sent_id:
            self._settle(call_id, Unavailable("DeadlineExceeded", "it could not be sent in time"))
        else:
            writes = self._pending[call_id].operation.writes
            self._settle(call_id, unknown("DeadlineExceeded", "no answer in time", writes=writes))

    def _refuse_rest(self, reason: KvorumError) -> None:
        """Take no more calls; those that were not sent, or not begun, are definitely not done."""
        self._closed = reason
        self._outbox.clear()
        for call_id in [call_id for call_id in self._pending if call_id > self._sent_id]:
            self._settle(call_id, Unavailable(reason.code, reason.message))

    def _close(self, reason: KvorumError, error: grpc.RpcError | None = None) -> None:
        self._refuse_rest(reason)
        for call_id, pending in list(self._pending.items()):
            self._settle(call_id, lost(error, writes=pending.operation.writes))
