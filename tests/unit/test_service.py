"""The service between its doors and placement, with operations made for the test."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.control.directory import Directory
from kvorum.control.messages import RecordAnswer, Refused, WriteAnswer
from kvorum.model import errors
from kvorum.model.errors import ApiError
from kvorum.model.requests import Put
from kvorum.model.table import KeyPart, KeySchema, Table, TableStatus
from kvorum.router.answers import error_body, error_of
from kvorum.router.awaited import Clocks
from kvorum.router.calls import Body, Cluster, ReadCall, WriteCall
from kvorum.router.placement import Placement
from kvorum.router.router import Router, RouterPorts, RouterSettings
from kvorum.router.service import Service

TABLE = Table(
    id=1, name="T", status=TableStatus.ACTIVE, keys=KeySchema(KeyPart("PK", "S")), uuid="u", created_ms=0
)
SECRET = "what only the caller may see"


class ScriptedPlacement(Placement):
    """Answers at once with `answer`, or keeps the callbacks for the test (None)."""

    def __init__(self) -> None:
        directory = Directory()
        directory.version = 1
        super().__init__(
            region="here",
            account="1",
            zone="",
            directory=directory,
            links={},
            clocks=Clocks(lambda: 0.0, lambda: 0, lambda: "uuid", lambda seconds, callback: _NoTimer()),
        )
        self.answer: Any = None
        self.waiting_for: list[Callable[[Any], None]] = []

    def send_read(self, table: Table, key: bytes, strong: bool, done: Callable[[Any], None]) -> None:
        self._take(done)

    def send_write(self, table: Table, write: Any, done: Callable[[Any], None]) -> None:
        self._take(done)

    def _take(self, done: Callable[[Any], None]) -> None:
        if self.answer is None:
            self.waiting_for.append(done)
        else:
            done(self.answer)


class _NoTimer:
    def cancel(self) -> None:
        return


class Bench:
    def __init__(self, **options: Any) -> None:
        self.placement = ScriptedPlacement()
        self.observed: list[tuple[str, str, float]] = []
        self.responses: list[tuple[int, Any]] = []
        self.now = 0.0
        self.gate = asyncio.Event()
        self.service = Service(
            self.placement,
            items={
                "GetItem": SimpleNamespace(prepare=self.prepare_read, render=self.render),
                "PutItem": SimpleNamespace(prepare=self.prepare_write, render=self.render),
            },
            compound={"Query": self.run},
            observe=lambda *observation: self.observed.append(observation),
            monotonic=lambda: self.now,
            **options,
        )

    def prepare_read(self, body: Body, directory: Directory) -> ReadCall:
        self.perhaps_raise(body, "prepare")
        return ReadCall(TABLE, b"key", strong=True, options=body)

    def prepare_write(self, body: Body, directory: Directory) -> WriteCall:
        self.perhaps_raise(body, "prepare")
        return WriteCall(TABLE, Put(b"key", b"{}", 2), options=body)

    def render(self, call: ReadCall | WriteCall, answer: RecordAnswer | WriteAnswer) -> bytes:
        self.perhaps_raise(call.options, "render")
        return orjson.dumps([type(answer).__name__, call.options])

    async def run(self, body: Body, cluster: Cluster) -> bytes:
        self.perhaps_raise(body, "prepare")
        await self.gate.wait()
        self.perhaps_raise(body, "render")
        return orjson.dumps(["run", body])

    @staticmethod
    def perhaps_raise(body: Body, stage: str) -> None:
        match body.get(stage):
            case "refuse":
                raise errors.validation("not like this")
            case "break":
                raise KeyError(SECRET)

    def execute(self, operation: str, raw: bytes) -> None:
        self.service.execute(operation, raw, self.respond)

    def respond(self, status: int, body: bytes) -> None:
        self.responses.append((status, orjson.loads(body)))


@pytest.mark.parametrize(
    ("operation", "answer"), [("GetItem", RecordAnswer(b"r")), ("PutItem", WriteAnswer(None, 0, 2, 1))]
)
def test_an_item_operation_is_answered_without_a_loop(operation: str, answer: Any) -> None:
    bench = Bench()
    bench.placement.answer = answer
    bench.execute(operation, b'{"a":1}')
    assert bench.responses == [(200, [type(answer).__name__, {"a": 1}])]
    assert bench.observed == [(operation, "OK", 0.0)]
    assert bench.service.in_flight == 0


def test_an_answer_that_comes_later() -> None:
    bench = Bench()
    bench.execute("GetItem", b"{}")
    assert bench.service.in_flight == 1
    bench.now = 1.5
    bench.placement.waiting_for[0](RecordAnswer(None))
    assert bench.responses == [(200, ["RecordAnswer", {}])]
    assert bench.observed == [("GetItem", "OK", 1.5)]
    assert bench.service.in_flight == 0


@pytest.mark.parametrize("raw", [b"", b"{", b"nul", b'{"a":NaN}', b"[]", b'"x"', b"1", b"null"])
def test_what_is_no_json_object(raw: bytes) -> None:
    bench = Bench()
    bench.execute("GetItem", raw)
    ((status, body),) = bench.responses
    assert (status, body["__type"]) == (400, "com.amazon.coral.service#SerializationException")


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "Query"])
@pytest.mark.parametrize("stage", ["prepare", "render"])
def test_what_an_operation_refuses(operation: str, stage: str) -> None:
    async def main() -> None:
        bench = Bench()
        bench.gate.set()
        bench.placement.answer = RecordAnswer(None)
        bench.execute(operation, orjson.dumps({stage: "refuse"}))
        await _until(lambda: bool(bench.responses))
        ((status, body),) = bench.responses
        assert (status, body["message"]) == (400, "not like this")
        assert bench.observed == [(operation, "ValidationException", 0.0)]
        assert bench.service.in_flight == 0
        with pytest.raises(ApiError, match="not like this"):
            await bench.service.execute_json(operation, {stage: "refuse"})

    asyncio.run(main())


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "Query"])
@pytest.mark.parametrize("stage", ["prepare", "render"])
def test_a_mistake_of_ours_is_logged_without_the_items(
    operation: str, stage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        bench = Bench()
        bench.gate.set()
        bench.placement.answer = RecordAnswer(None)
        bench.execute(operation, orjson.dumps({stage: "break", "secret": SECRET}))
        await _until(lambda: bool(bench.responses))
        ((status, body),) = bench.responses
        assert (status, body["__type"].rpartition("#")[2]) == (500, "InternalServerError")

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    (line,) = caplog.records
    said = vars(line)
    assert (said["operation"], said["error"]) == (operation, "KeyError")
    assert "perhaps_raise" in said["traceback"]
    assert SECRET not in str(said)


def test_an_error_from_the_partition() -> None:
    bench = Bench()
    bench.placement.answer = errors.conditional_check_failed({"PK": {"S": "x"}})
    bench.execute("PutItem", b"{}")
    ((status, body),) = bench.responses
    assert status == 400
    assert body["Item"] == {"PK": {"S": "x"}}


def test_too_many_in_flight_are_throttled() -> None:
    bench = Bench(in_flight_max=2)
    for _ in range(3):
        bench.execute("GetItem", b"{}")
    ((_, body),) = bench.responses
    assert body["__type"].endswith("#ThrottlingException")
    bench.placement.waiting_for[0](RecordAnswer(None))
    bench.execute("GetItem", b"{}")
    assert len(bench.placement.waiting_for) == 3


def test_awaited_requests() -> None:
    async def main() -> None:
        bench = Bench()
        bench.placement.answer = RecordAnswer(None)
        assert await bench.service.execute_json("GetItem", {}) == b'["RecordAnswer",{}]'
        bench.gate.set()
        assert await bench.service.execute_json("Query", {"a": 1}) == b'["run",{"a":1}]'
        with pytest.raises(ApiError) as raised:
            await bench.service.execute_json("Nothing", {})
        assert raised.value.code == "UnknownOperationException"

    asyncio.run(main())


def test_an_awaited_caller_that_goes_away() -> None:
    async def main() -> None:
        bench = Bench()
        task = asyncio.create_task(bench.service.execute_json("GetItem", {}))
        await _until(lambda: bool(bench.placement.waiting_for))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        bench.placement.waiting_for[0](RecordAnswer(None))
        assert bench.service.in_flight == 0

    asyncio.run(main())


def test_before_the_first_directory_requests_wait() -> None:
    async def main() -> None:
        bench = Bench()
        bench.placement.answer = RecordAnswer(None)
        bench.placement.directory.version = -1
        bench.execute("GetItem", b"{}")
        await asyncio.sleep(0)
        assert not bench.responses
        bench.placement.directory.receive(1, True, [])
        await _until(lambda: bool(bench.responses))
        assert bench.responses == [(200, ["RecordAnswer", {}])]

    asyncio.run(main())


def test_stop_ends_what_still_runs() -> None:
    async def main() -> None:
        bench = Bench()
        bench.execute("Query", b"{}")
        await asyncio.sleep(0)
        await bench.service.stop()
        ((status, _),) = bench.responses
        assert status == 500
        assert bench.service.in_flight == 0

    asyncio.run(main())


# ---- the composed router -----------------------------------------------------------------------------


def test_a_router_says_whether_it_is_ready() -> None:
    async def page(port: int, path: str) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ports = RouterPorts(
            links={},
            clocks=Clocks(loop.time, lambda: 0, lambda: "uuid", loop.call_later),
            entropy=bytes,
            observe=lambda operation, code, seconds: None,
            metrics=lambda: b"kvorum_up 1\n",
        )
        router = Router(RouterSettings(region="here"), ports)
        port = await router.start("127.0.0.1", 0)
        assert await page(port, "/healthz") == (200, b"ok\n")
        assert await page(port, "/readyz") == (503, b"no node of here is connected\n")
        assert await page(port, "/metrics") == (200, b"kvorum_up 1\n")
        assert {"GetItem", "PutItem", "Query", "CreateTable"} <= router.service.operations
        await router.stop(1.0)
        assert router.readiness() == "stopping"

    asyncio.run(main())


# ---- errors as JSON ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "json"),
    [
        (errors.unknown_operation(), b'{"__type":"com.amazon.coral.service#UnknownOperationException"}'),
        (
            errors.validation("no"),
            b'{"__type":"com.amazon.coral.validate#ValidationException","message":"no"}',
        ),
        (
            errors.serialization("no"),
            b'{"__type":"com.amazon.coral.service#SerializationException","Message":"no"}',
        ),
        (
            ApiError("x#TransactionCanceledException", "c"),
            b'{"__type":"x#TransactionCanceledException","Message":"c"}',
        ),
        (
            ApiError("x#ConditionalCheckFailedException", "no"),
            b'{"__type":"x#ConditionalCheckFailedException","message":"no"}',
        ),
        (
            ApiError("x#ConditionalCheckFailedException", "no", extra={"Item": {}}),
            b'{"__type":"x#ConditionalCheckFailedException","Message":"no","Item":{}}',
        ),
    ],
)
def test_errors_as_aws_writes_them(error: ApiError, json: bytes) -> None:
    assert error_body(error) == json


@given(
    st.text(),
    st.text(),
    st.integers(400, 599),
    st.none() | st.dictionaries(st.text(), st.text()),
    st.booleans(),
)
def test_an_error_survives_its_way_from_the_node(
    kind: str, message: str, status: int, extra: dict[str, Any] | None, definite: bool
) -> None:
    sent = ApiError(kind, message, status=status, extra=extra, definite=definite)
    got = error_of(Refused(kind, message, status, orjson.dumps(extra) if extra else b"", definite))
    assert error_body(got) == error_body(sent)
    assert (got.status, got.definite) == (status, definite)


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come true")
