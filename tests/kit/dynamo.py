"""DynamoDB over raw HTTP, for tests with many writers: boto3 would cost more than the servers under test.

Says of every failed request whether it definitely did not happen. One connection has one request in flight, and
is made anew when it breaks.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request,"
    " SignedHeaders=host;x-amz-date;x-amz-target, Signature=00"
)
_HEADERS = (
    "POST / HTTP/1.1\r\nHost: kvorum\r\nContent-Type: application/x-amz-json-1.0\r\n"
    "X-Amz-Date: 20260101T000000Z\r\nAuthorization: " + _AUTHORIZATION + "\r\n"
    "X-Amz-Target: DynamoDB_20120810.{}\r\nContent-Length: {}\r\n\r\n"
)
_DEFINITE_5XX = frozenset({"ServiceUnavailable"})


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0: there was no answer. `error`: the short name, "" when it worked. `definite`: known to have
    happened, or known not to have."""

    status: int
    error: str
    body: dict[str, Any]
    definite: bool

    @property
    def ok(self) -> bool:
        return self.status == 200


def _answer(status: int, raw: bytes) -> Answer:
    body: dict[str, Any] = json.loads(raw) if raw else {}
    error = "" if status == 200 else str(body.get("__type", "")).rpartition("#")[2]
    return Answer(status, error, body, status < 500 or error in _DEFINITE_5XX)


_NOBODY = Answer(0, "ConnectionRefused", {}, definite=True)
_LOST = Answer(0, "ConnectionLost", {}, definite=False)
_SILENT = Answer(0, "TimedOut", {}, definite=False)


class Connection:
    """`url`: http://host:port."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def call(self, operation: str, body: dict[str, Any], seconds: float = 15.0) -> Answer:
        """Never raises for what a server or a network may do."""
        if self._writer is None:
            try:
                async with asyncio.timeout(seconds):
                    self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
            except (OSError, TimeoutError):
                return _NOBODY
        assert self._reader is not None
        data = json.dumps(body).encode()
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(_HEADERS.format(operation, len(data)).encode() + data)
                head = await self._reader.readuntil(b"\r\n\r\n")
                lines = head.decode().lower().split("\r\n")
                length = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
                answer = _answer(int(lines[0].split()[1]), await self._reader.readexactly(length))
            if "connection: close" in lines:
                self.close()
        except TimeoutError:
            self.close()
            return _SILENT
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return _LOST
        except BaseException:
            self.close()  # cancelled: an answer may be on its way that nobody must take for the next one's
            raise
        return answer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._reader = self._writer = None


def call(url: str, operation: str, body: dict[str, Any], seconds: float = 15.0) -> Answer:
    """One request, without a loop."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Date": "20260101T000000Z",
        "Authorization": _AUTHORIZATION,
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
    }
    try:
        connection.connect()
    except OSError:
        return _NOBODY
    try:
        connection.request("POST", "/", json.dumps(body), headers)
        received = connection.getresponse()
        return _answer(received.status, received.read())
    except TimeoutError:
        return _SILENT
    except (OSError, http.client.HTTPException):
        return _LOST
    finally:
        connection.close()


def create_table(
    url: str, name: str, seconds: float = 15.0, indexes: dict[str, dict[str, Any]] | None = None
) -> None:
    """A table with the string partition key `id`. `indexes`: projections of global indexes, by the string attribute
    that each has as its partition key and `by-<attribute>` as its name."""
    names = list(indexes or ())
    body: dict[str, Any] = {
        "TableName": name,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in ("id", *names)],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if indexes:
        body["GlobalSecondaryIndexes"] = [
            {
                "IndexName": f"by-{each}",
                "KeySchema": [{"AttributeName": each, "KeyType": "HASH"}],
                "Projection": projection,
            }
            for each, projection in indexes.items()
        ]
    answer = call(url, "CreateTable", body, seconds)
    assert answer.ok, answer


def is_active(url: str, name: str) -> bool:
    answer = call(url, "DescribeTable", {"TableName": name})
    return answer.ok and answer.body["Table"]["TableStatus"] == "ACTIVE"


def put(url: str, table: str, key: str, value: str, seconds: float = 15.0) -> Answer:
    item = {"id": {"S": key}, "value": {"S": value}}
    return call(url, "PutItem", {"TableName": table, "Item": item}, seconds)


def get(url: str, table: str, key: str, *, strong: bool = True, seconds: float = 15.0) -> Answer:
    body = {"TableName": table, "Key": {"id": {"S": key}}, "ConsistentRead": strong}
    return call(url, "GetItem", body, seconds)


def value_of(answer: Answer) -> str | None:
    """Of a GetItem answer: the item's `value`, None when there is no item."""
    assert answer.ok, answer
    item = answer.body.get("Item")
    return None if item is None else str(item["value"]["S"])


def scan(url: str, table: str, index: str | None = None) -> dict[str, dict[str, Any]]:
    """Every item by its `id`; strongly consistent. `index`: as this global index has it, eventually consistent."""
    items: dict[str, dict[str, Any]] = {}
    start: dict[str, Any] = {}
    where = {"ConsistentRead": True} if index is None else {"IndexName": index}
    while True:
        answer = call(url, "Scan", {"TableName": table, **where, **start})
        assert answer.ok, answer
        for item in answer.body["Items"]:
            assert item["id"]["S"] not in items, f"{item['id']['S']} twice in {index or table}"
            items[item["id"]["S"]] = item
        if "LastEvaluatedKey" not in answer.body:
            return items
        start = {"ExclusiveStartKey": answer.body["LastEvaluatedKey"]}
