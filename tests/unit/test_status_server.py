"""The operators' port: what it answers, and that nobody can hold it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kvorum.control import status_server
from kvorum.control.metrics import Metrics
from kvorum.control.status_server import HEAD_BYTES_MAX, StatusServer

GET = "GET {} HTTP/1.1\r\nHost: node\r\n\r\n"


def ask(
    *requests: bytes,
    metrics: Callable[[], bytes] = lambda: b"kvorum_up 1\n",
    readiness: Callable[[], str | None] = lambda: None,
) -> list[tuple[int, dict[str, str], bytes]]:
    """(status, headers, body) for each request, each on a connection of its own."""

    async def run() -> list[tuple[int, dict[str, str], bytes]]:
        server = StatusServer(metrics, readiness)
        await server.start("127.0.0.1", 0)
        try:
            return [await exchange(server.port, request) for request in requests]
        finally:
            await server.close()

    return asyncio.run(run())


async def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for byte in (request[:7], request[7:]):  # heads may come in pieces
            writer.write(byte)
            await writer.drain()
        raw = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in rest), body


def get(path: str, **ports: Any) -> tuple[int, dict[str, str], bytes]:
    return ask(GET.format(path).encode(), **ports)[0]


def test_metrics() -> None:
    metrics = Metrics()
    metrics.scope("eu", "node-1").gauge("kvorum_up", "Alive.", lambda: [((), 1)])
    status, headers, body = get("/metrics?name=x", metrics=metrics.render)
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert int(headers["Content-Length"]) == len(body)
    assert b'kvorum_up{process="node-1",region="eu"} 1.0' in body


def test_health() -> None:
    assert get("/healthz")[0] == 200


def test_readiness_says_why_not() -> None:
    assert get("/readyz")[0] == 200
    status, _, body = get("/readyz", readiness=lambda: "waiting for the control group")
    assert (status, body) == (503, b"waiting for the control group\n")


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /metrics SMTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES_MAX, 431),
    ],
)
def test_what_is_not_for_us_is_refused(request_bytes: bytes, expected: int) -> None:
    assert ask(request_bytes)[0][0] == expected


def test_head_has_no_body() -> None:
    status, headers, body = ask(b"HEAD /healthz HTTP/1.1\r\n\r\n")[0]
    assert (status, headers["Content-Length"], body) == (200, "3", b"")


def test_a_broken_gauge_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bytes:
        raise OSError("no such disk")

    assert get("/metrics", metrics=broken)[0] == 500
    assert caplog.records[0].exc_info is not None


def test_who_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_server, "CONNECTION_SECONDS_MAX", 0.05)

    async def run() -> None:
        server = StatusServer(bytes, lambda: None)
        await server.start("127.0.0.1", 0)
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /met")
            (end,) = await asyncio.gather(reader.read(), return_exceptions=True)
            assert end == b"" or isinstance(end, ConnectionResetError)
            writer.close()
            await server.close()

    asyncio.run(run())


def test_close_does_not_wait_for_clients() -> None:
    async def run() -> None:
        server = StatusServer(bytes, lambda: None)
        await server.start("127.0.0.1", 0)
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await server.close()
            await server.close()
            writer.close()

    asyncio.run(run())
