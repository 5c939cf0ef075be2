"""The spine of a router: an operation's name and body in, its answer out, whichever door it came through.

An operation on one key runs as callbacks from end to end: `prepare`, placement, `render`, answer. When the
partition answers at once (router and node in one process), all of it happens within one call, and no task
or future is made. Any other operation is a coroutine and gets a task. This is the outermost door of every
request: what an operation raises unexpectedly is logged here, without the items, and answered as
InternalServerError.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import orjson

from kvorum.control.directory import Directory
from kvorum.control.messages import RecordAnswer, WriteAnswer
from kvorum.model import errors
from kvorum.model.errors import ApiError
from kvorum.router.answers import error_body
from kvorum.router.calls import Body, Cluster, ReadCall, WriteCall
from kvorum.router.placement import Placement

_log = logging.getLogger(__name__)

OK = "OK"
"""The outcome code of a request that succeeded; any other is an error's short name."""

Observe = Callable[[str, str, float], None]
"""(operation, outcome code, seconds): once for every request."""


class ItemOperation(Protocol):
    """An operation on one key (router/calls): a read takes a RecordAnswer, a write a WriteAnswer."""

    def prepare(self, body: Body, directory: Directory) -> ReadCall | WriteCall: ...

    def render(self, call: Any, answer: Any) -> bytes: ...


CompoundOperation = Callable[[Body, Cluster], Coroutine[Any, Any, bytes]]


class Service:
    """Executes operations, at most `in_flight_max` at a time; beyond that callers are throttled."""

    def __init__(
        self,
        placement: Placement,
        *,
        items: Mapping[str, ItemOperation],
        compound: Mapping[str, CompoundOperation],
        observe: Observe,
        monotonic: Callable[[], float],
        in_flight_max: int = 10_000,
    ) -> None:
        self.operations = frozenset(items) | frozenset(compound)
        self.in_flight = 0
        self.observe = observe
        self.monotonic = monotonic
        self._placement = placement
        self._directory = placement.directory
        self._items = items
        self._compound = compound
        self._in_flight_max = in_flight_max
        self._tasks: set[asyncio.Task[None]] = set()

    def execute(self, operation: str, raw: bytes, respond: Callable[[int, bytes], None]) -> None:
        """`raw`: the request's body, JSON as the client sent it. `respond(status, body)` is called once,
        perhaps before this returns. Never raises."""
        request = _HttpRequest(self, operation, respond)
        if self.in_flight > self._in_flight_max:
            request.conclude(errors.throttled())
            return
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            request.conclude(errors.serialization())
            return
        if type(body) is not dict:
            request.conclude(errors.serialization(_NOT_AN_OBJECT))
            return
        self._begin(request, operation, body)

    async def execute_json(self, operation: str, body: Body) -> bytes:
        """The same for a caller that waits: the response's body, or ApiError."""
        if operation not in self.operations:
            raise errors.unknown_operation()
        request = _AwaitedRequest(self, operation)
        if self.in_flight > self._in_flight_max:
            request.conclude(errors.throttled())
        else:
            self._begin(request, operation, body)
        return await request.outcome

    async def stop(self) -> None:
        """Cancel what still runs: the doors have closed before this."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, request: _Request, operation: str, body: Body) -> None:
        if self._directory.version < 0:
            self._start(self._begin_later(request, operation, body))
            return
        item_operation = self._items.get(operation)
        if item_operation is None:
            self._start(self._run(request, self._compound[operation], body))
            return
        try:
            call = item_operation.prepare(body, self._directory)
        except ApiError as error:
            request.conclude(error)
            return
        except Exception as error:  # noqa: BLE001  the request's outermost door
            request.fail(error)
            return
        request.call = call
        request.render = item_operation.render
        if type(call) is ReadCall:
            self._placement.send_read(call.table, call.key, call.strong, request.answered)
        else:
            assert type(call) is WriteCall
            self._placement.send_write(call.table, call.write, request.answered)

    async def _begin_later(self, request: _Request, operation: str, body: Body) -> None:
        """The first requests of a router may come before its directory."""
        try:
            await self._placement.wait_directory()
        except ApiError as error:
            request.conclude(error)
        except asyncio.CancelledError:
            request.conclude(errors.service_unavailable())
            raise
        else:
            self._begin(request, operation, body)

    async def _run(self, request: _Request, run: CompoundOperation, body: Body) -> None:
        try:
            answer = await run(body, self._placement)
        except ApiError as error:
            request.conclude(error)
        except asyncio.CancelledError:
            request.conclude(errors.internal_server_error())
            raise
        except Exception as error:  # noqa: BLE001  the task's outermost door
            request.fail(error)
        else:
            request.conclude(answer)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)


class _Request:
    """One request between its door and its answer. `conclude` is called exactly once."""

    __slots__ = ("_operation", "_service", "_started", "call", "render")

    call: ReadCall | WriteCall
    render: Callable[[Any, Any], bytes]

    def __init__(self, service: Service, operation: str) -> None:
        self._service = service
        self._operation = operation
        self._started = service.monotonic()
        service.in_flight += 1

    def answered(self, answer: RecordAnswer | WriteAnswer | ApiError) -> None:
        """The partition's answer to `call`."""
        if isinstance(answer, ApiError):
            self.conclude(answer)
            return
        outcome: bytes | ApiError
        try:
            outcome = self.render(self.call, answer)
        except ApiError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001  the request's outermost door
            self.fail(error)
            return
        self.conclude(outcome)

    def fail(self, error: Exception) -> None:
        """A mistake of ours. What it says may quote an item, so the log gets only where it happened."""
        _log.error(
            "operation failed unexpectedly",
            extra={
                "operation": self._operation,
                "error": type(error).__name__,
                "traceback": "".join(traceback.format_tb(error.__traceback__)),
            },
        )
        self.conclude(errors.internal_server_error())

    def conclude(self, outcome: bytes | ApiError) -> None:
        raise NotImplementedError

    def _settle(self, code: str) -> None:
        service = self._service
        service.in_flight -= 1
        service.observe(self._operation, code, service.monotonic() - self._started)


class _HttpRequest(_Request):
    __slots__ = ("_respond",)

    def __init__(self, service: Service, operation: str, respond: Callable[[int, bytes], None]) -> None:
        super().__init__(service, operation)
        self._respond = respond

    def conclude(self, outcome: bytes | ApiError) -> None:
        if isinstance(outcome, ApiError):
            self._settle(outcome.code)
            self._respond(outcome.status, error_body(outcome))
        else:
            self._settle(OK)
            self._respond(200, outcome)


class _AwaitedRequest(_Request):
    __slots__ = ("outcome",)

    def __init__(self, service: Service, operation: str) -> None:
        super().__init__(service, operation)
        self.outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def conclude(self, outcome: bytes | ApiError) -> None:
        self._settle(outcome.code if isinstance(outcome, ApiError) else OK)
        if self.outcome.done():  # its caller has gone
            return
        if isinstance(outcome, ApiError):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


_NOT_AN_OBJECT = "Unexpected value where a JSON object was expected"
