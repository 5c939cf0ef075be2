"""One pipelined session of the gRPC door: calls as they come, answers as they are ready, several in a message.

What is read from the stream begins at once. With `calls_max` begun and their answers not yet written the reading
stops, and HTTP/2 flow control then stops the client, also one that reads no answers. Answers gather while a message is being written, so that batches form under load and a
lone answer does not wait.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import deque
from typing import Any, Protocol

import grpc.aio
import orjson
from google.protobuf.message import Message

from kvorum.model import errors
from kvorum.model.errors import ApiError
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb
from kvorum.router.protobuf import OPERATIONS_BY_FIELD, Operation, error_message

_log = logging.getLogger(__name__)

MESSAGE_BYTES_MAX = 1 << 20
"""Where a message is closed. One answer alone may be larger."""

_Success = tuple[Operation, bytes]

Context = grpc.aio.ServicerContext[pb.SessionRequest, pb.SessionResponse]


class JsonService(Protocol):
    """What a door needs of the router's service."""

    async def execute_json(self, operation: str, body: dict[str, Any]) -> bytes:
        """The response's body, or ApiError."""
        ...


class Session:
    """Serves one stream: `run` it once."""

    def __init__(self, service: JsonService, context: Context, calls_max: int) -> None:
        self._service = service
        self._context = context
        self._calls_max = calls_max
        self._unanswered = 0
        self._last_id = 0
        self._ready: deque[tuple[int, _Success | ApiError]] = deque()
        self._changed = asyncio.Event()
        self._written = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._draining = False

    async def run(self) -> None:
        """Until the client has closed its side, or `drain`, and every call that was begun is answered."""
        async with asyncio.TaskGroup() as tasks:
            self._reader = tasks.create_task(self._read(tasks))
            self._reader.add_done_callback(lambda _: self._changed.set())
            if self._draining:
                self._reader.cancel()
            await self._write(self._reader)
        if self._draining:
            await self._context.write(pb.SessionResponse(closed_after=self._last_id))

    def drain(self) -> None:
        """Begin no more calls; finish the session when those in flight are answered."""
        self._draining = True
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            message: Any = await self._context.read()
            if not isinstance(message, pb.SessionRequest):  # grpc.aio.EOF: the client has closed its side
                return
            # No await before the last call is begun: a cancelled reader has begun all of a message or nothing.
            for call in message.calls:
                self._last_id = call.id
                self._unanswered += 1
                field = call.WhichOneof("operation")
                if field is None:
                    self._conclude(call.id, errors.unknown_operation())
                else:
                    tasks.create_task(
                        self._execute(call.id, OPERATIONS_BY_FIELD[field], getattr(call, field))
                    )
            while self._unanswered >= self._calls_max:
                self._written.clear()
                await self._written.wait()

    async def _execute(self, call_id: int, operation: Operation, request: Message) -> None:
        outcome: _Success | ApiError
        try:
            outcome = operation, await self._service.execute_json(operation.name, operation.body(request))
        except ApiError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001  the call's outermost door
            outcome = unexpected(operation.name, error)
        self._conclude(call_id, outcome)

    def _conclude(self, call_id: int, outcome: _Success | ApiError) -> None:
        self._ready.append((call_id, outcome))
        self._changed.set()

    async def _write(self, reader: asyncio.Task[None]) -> None:
        while self._unanswered or not reader.done():
            if not self._ready:
                self._changed.clear()
                await self._changed.wait()
                continue
            message = self._message()
            await self._context.write(message)
            self._unanswered -= len(message.answers)
            self._written.set()

    def _message(self) -> pb.SessionResponse:
        message = pb.SessionResponse()
        size = 0
        while self._ready and size < MESSAGE_BYTES_MAX:
            call_id, outcome = self._ready.popleft()
            answer = message.answers.add(id=call_id)
            if isinstance(outcome, ApiError):
                answer.error.CopyFrom(error_message(outcome))
                size += answer.error.ByteSize()
            else:
                operation, body = outcome
                operation.fill(getattr(answer, operation.field), orjson.loads(body))
                size += len(body)
        return message


def unexpected(operation: str, error: Exception) -> ApiError:
    """Logs a mistake of ours and gives what the caller hears of it. What the error says may quote an item, so
    the log gets only where it happened."""
    _log.error(
        "operation failed unexpectedly",
        extra={
            "operation": operation,
            "error": type(error).__name__,
            "traceback": "".join(traceback.format_tb(error.__traceback__)),
        },
    )
    return errors.internal_server_error()
