"""A closed-loop load generator over raw keep-alive HTTP/1.1: what boto3 would cost would hide the server.

Each connection sends its next request when the answer of the last one is complete. Run as a process of its
own (`python -m bench.load`), so that it can be pinned to a core; the plan comes as JSON on standard input and
the result goes as JSON to standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop

from bench.http2 import GrpcConnection


class Plan(msgspec.Struct, kw_only=True):
    """`requests`: bodies, sent in turn by all connections together. `count`: answers to measure, after
    `warmup` that are not. `protocol`: "dynamodb" (one POST each, `target` as X-Amz-Target) or "grpc" (one
    unary call of `target`, a path)."""

    port: int
    target: str
    requests: list[bytes]
    connections: int = 32
    warmup: int = 2_000
    count: int = 20_000
    protocol: str = "dynamodb"


class Result(msgspec.Struct, kw_only=True):
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


class _Meter:
    """Hands out the requests and takes the answers of all connections."""

    def __init__(self, plan: Plan, payloads: list[bytes], finished: Callable[[], None]) -> None:
        self._payloads = payloads
        self._warmup = plan.warmup
        self._count = plan.count
        self._finished = finished
        self._sent = 0
        self._answered = 0
        self._started = 0.0
        self.errors = 0
        self.latencies: list[float] = []
        self.seconds = 0.0

    def next_payload(self) -> bytes | None:
        if self._sent >= self._warmup + self._count:
            return None
        payload = self._payloads[self._sent % len(self._payloads)]
        self._sent += 1
        return payload

    def answered(self, ok: bool, seconds: float) -> None:
        self._answered += 1
        if self._answered == self._warmup:
            self._started = time.perf_counter()
        elif self._answered > self._warmup:
            self.latencies.append(seconds)
            if not ok:
                self.errors += 1
            if self._answered == self._warmup + self._count:
                self.seconds = time.perf_counter() - self._started
                self._finished()


class _HttpConnection(asyncio.Protocol):
    """One keep-alive connection with one request in flight."""

    def __init__(self, meter: _Meter) -> None:
        self._meter = meter
        self._buffer = b""
        self._missing = -1
        self._ok = False
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._missing < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            self._ok = head.startswith(b"http/1.1 200")
            at = head.find(b"content-length:") + 15
            line_end = head.find(b"\r\n", at)
            length = int(head[at : line_end if line_end > 0 else len(head)])
            self._missing = end + 4 + length
        if len(self._buffer) >= self._missing:
            self._buffer, self._missing = b"", -1
            self._meter.answered(self._ok, time.perf_counter() - self._sent_at)
            self._send()

    def _send(self) -> None:
        payload = self._meter.next_payload()
        if payload is not None:
            self._sent_at = time.perf_counter()
            self._transport.write(payload)


def dynamodb_request(port: int, target: str, body: bytes) -> bytes:
    """As an SDK sends it; the signature is the example of AWS's documentation and is not checked."""
    return (
        b"POST / HTTP/1.1\r\n"
        b"Host: 127.0.0.1:%d\r\n"
        b"X-Amz-Target: DynamoDB_20120810.%s\r\n"
        b"Content-Type: application/x-amz-json-1.0\r\n"
        b"X-Amz-Date: 20260101T000000Z\r\n"
        b"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/dynamodb/aws4_request,"
        b" SignedHeaders=content-type;host;x-amz-date;x-amz-target,"
        b" Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n"
        b"Content-Length: %d\r\n\r\n"
    ) % (port, target.encode(), len(body)) + body


async def _run(plan: Plan) -> Result:
    loop = asyncio.get_running_loop()
    finished = asyncio.Event()
    if plan.protocol == "grpc":
        payloads = plan.requests
    else:
        payloads = [dynamodb_request(plan.port, plan.target, body) for body in plan.requests]
    meter = _Meter(plan, payloads, finished.set)
    transports: list[asyncio.BaseTransport] = []
    for _ in range(plan.connections):
        transport, _ = await loop.create_connection(
            lambda: (
                GrpcConnection(plan.target, meter.next_payload, meter.answered)
                if plan.protocol == "grpc"
                else _HttpConnection(meter)
            ),
            "127.0.0.1",
            plan.port,
        )
        transports.append(transport)
    await finished.wait()
    for transport in transports:
        transport.close()
    meter.latencies.sort()
    return Result(
        requests_per_second=plan.count / meter.seconds,
        p50_ms=meter.latencies[len(meter.latencies) // 2] * 1e3,
        p99_ms=meter.latencies[len(meter.latencies) * 99 // 100] * 1e3,
        errors=meter.errors,
    )


def main() -> None:
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    result = uvloop.run(_run(plan))
    json.dump(msgspec.to_builtins(result), sys.stdout)


if __name__ == "__main__":
    main()
