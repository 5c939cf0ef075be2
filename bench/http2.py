"""Just enough HTTP/2 to make unary gRPC calls one after another on a connection, as cheaply as the raw HTTP/1.1
side: a Python gRPC client would cost more than the server that is measured (RFC 9113, RFC 7541, gRPC over
HTTP/2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header field without indexing and without Huffman coding (RFC 7541 §6.2.2)."""
    assert len(name) < 127
    assert len(value) < 127
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


class GrpcConnection(asyncio.Protocol):
    """`next_payload` gives the next protobuf message or None; `answered(ok, seconds)` hears of each answer."""

    def __init__(
        self, path: str, next_payload: Callable[[], bytes | None], answered: Callable[[bool, float], None]
    ) -> None:
        self._headers = (
            _literal(b":method", b"POST")
            + _literal(b":scheme", b"http")
            + _literal(b":path", path.encode())
            + _literal(b":authority", b"127.0.0.1")
            + _literal(b"content-type", b"application/grpc")
            + _literal(b"te", b"trailers")
        )
        self._next_payload = next_payload
        self._answered = answered
        self._buffer = b""
        self._stream = -1
        self._saw_data = False
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        window = _frame(_WINDOW_UPDATE, 0, 0, (2**30).to_bytes(4, "big"))
        self._transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, b"") + window)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 9:
            length = int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < 9 + length:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            payload = self._buffer[9 : 9 + length]
            self._buffer = self._buffer[9 + length :]
            self._receive(kind, flags, payload)

    def _receive(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            self._transport.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _DATA:
            self._saw_data = True
        if kind == _RST_STREAM or (kind in (_HEADERS, _DATA) and flags & _END_STREAM):
            self._answered(self._saw_data and kind == _HEADERS, time.perf_counter() - self._sent_at)
            self._send()

    def _send(self) -> None:
        payload = self._next_payload()
        if payload is None:
            return
        self._stream += 2
        self._saw_data = False
        self._sent_at = time.perf_counter()
        message = b"\x00" + len(payload).to_bytes(4, "big") + payload
        self._transport.write(
            _frame(_HEADERS, _END_HEADERS, self._stream, self._headers)
            + _frame(_DATA, _END_STREAM, self._stream, message)
        )
