"""HTTP by hand: requests as bytes and replies as they come, for what no SDK would send."""

from __future__ import annotations

import re
import socket
import struct
import zlib
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

SECONDS_MAX = 20.0
REQUEST_ID = re.compile(r"[0-9A-Z]{52}")
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260201/ap-northeast-1/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """Empty where there is no body: some operations have nothing to answer."""
        answer: dict[str, Any] = orjson.loads(self.body) if self.body else {}
        return answer

    @property
    def error(self) -> tuple[str, str]:
        """(short name, message) of an error's body; the message is empty where there is none."""
        body = self.json
        return body["__type"].rpartition("#")[2], body.get("message", body.get("Message", ""))


class WireClient:
    """One connection. Every wait has a deadline, after which it is TimeoutError."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, SECONDS_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, wire: bytes) -> None:
        self._socket.sendall(wire)

    def end(self) -> None:
        """Send no more; what is on its way still comes."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break off: the server sees a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def interim_status(self) -> int:
        """Of an answer that only announces another."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return int(head.split()[1])

    def reply(self) -> Reply:
        """The next whole reply. ConnectionError when the server closes instead."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        self._received = rest
        while len(self._received) < length:
            self._receive()
        body, self._received = self._received[:length], self._received[length:]
        reply = Reply(int(start.split()[1]), headers, body)
        check_reply(reply.headers, body)
        return reply

    @property
    def closed(self) -> bool:
        """Whether the server closes with nothing more to say."""
        try:
            self._receive()
        except ConnectionError:
            return True
        return False

    def _receive(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._received += data


def check_reply(headers: dict[str, str], body: bytes) -> None:
    """What AWS promises of every answer, errors included. `headers`: names in lower case."""
    assert REQUEST_ID.fullmatch(headers.get("x-amzn-requestid", "")), headers
    assert int(headers["x-amz-crc32"]) == zlib.crc32(body), headers


def request(
    operation: str,
    body: bytes | dict[str, Any] = b"{}",
    *,
    method: str = "POST",
    path: str = "/",
    without: tuple[str, ...] = (),
    **further: str,
) -> bytes:
    """A request as an SDK sends it. `further`: more or other headers, with _ for -; `without` leaves some out."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {
        "Host": "kvorum.test",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Date": "20260201T000000Z",
        "Authorization": AUTHORIZATION,
        "Content-Length": str(len(content)),
    }
    headers.update({name.replace("_", "-"): value for name, value in further.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if name not in without]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + content
