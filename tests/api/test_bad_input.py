"""What no SDK would send, over raw sockets. Whatever comes in: AWS's error, a connection that stays usable where
HTTP allows, nothing written, no crash in the logs, and the next caller is served.
"""

from __future__ import annotations

import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
import pytest

from tests.kit.boto import Client, Tables
from tests.kit.endpoints import Endpoint
from tests.kit.wire_client import Reply, WireClient, request

_MEGABYTE = 1 << 20
_BODY_MAX = 16 * _MEGABYTE
_KEY = {"pk": {"S": "a"}}


@pytest.fixture(scope="module")
def table(client: Client, tables: Tables) -> str:
    return tables.new("S")


@pytest.fixture(autouse=True)
def unharmed(client: Client, kvorum: Endpoint, table: str) -> Iterator[None]:
    """After every test here."""
    yield
    assert client.scan(TableName=table, ConsistentRead=True)["Count"] == 0
    assert kvorum.crashes == []
    with WireClient(kvorum.address) as newcomer:
        assert_serves(newcomer, table)


def assert_serves(connection: WireClient, table: str) -> None:
    connection.send(_get(table))
    assert_empty(connection.reply())


def assert_empty(reply: Reply) -> None:
    assert (reply.status, reply.body) == (200, b"{}")


def _get(table: str, **headers: str) -> bytes:
    return request("GetItem", {"TableName": table, "Key": _KEY}, **headers)


def _put(table: str, item: Any = _KEY) -> bytes:
    return request("PutItem", {"TableName": table, "Item": item})


# ---- requests that HTTP understands: an error, and the connection goes on ---------------------------------


class Case(NamedTuple):
    """`message` None: AWS says nothing worth holding on to."""

    name: str
    wire: bytes
    code: str
    message: str | None = None


_VALIDATION = "ValidationException"
_SERIALIZATION = "SerializationException"
_UNKNOWN = "UnknownOperationException"
_ENVELOPE = "1 validation error detected: "
_EMPTY_VALUE = (
    _ENVELOPE + "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
)
_PRINTED = (
    "WriteRequest(putRequest=null, deleteRequest=DeleteRequest(key={pk=AttributeValue(s=a, n=null, b=null, "
    "iNT=null, dECIMAL=null, dOUBLE=null, sS=null, nS=null, bS=null, iNTSET=null, dECIMALSET=null, "
    "dOUBLESET=null, m=null, l=null, nULL=null, bOOL=null)}))"
)
_NO_MATCH = "The provided key element does not match the schema"


def _cases(table: str) -> Iterator[Case]:
    def put(value: Any) -> bytes:
        return _put(table, {**_KEY, "a": value})

    def raw(body: bytes, operation: str = "PutItem") -> bytes:
        return request(operation, body)

    name = orjson.dumps(table)
    yield Case("JSON cut off", raw(b'{"TableName":'), _SERIALIZATION)
    yield Case("no JSON", raw(b"PutItem, please"), _SERIALIZATION)
    yield Case("no body", raw(b""), _SERIALIZATION)
    yield Case("not UTF-8", raw(b'{"TableName":"\xff\xfe"}'), _SERIALIZATION)
    yield Case("two objects", raw(b"{}{}"), _SERIALIZATION)
    yield Case("an array", raw(b"[]"), _SERIALIZATION)
    yield Case("a string", raw(b'"x"'), _SERIALIZATION)
    yield Case("100,000 brackets", raw(b"[" * 100_000), _SERIALIZATION)
    yield Case("100,000 objects", raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), _SERIALIZATION)
    yield Case("not a number", raw(b'{"TableName":NaN}'), _SERIALIZATION)
    yield Case("a lone surrogate", raw(b'{"TableName":"\\ud800"}'), _SERIALIZATION)
    yield Case(
        "name of a wrong type",
        raw(b'{"TableName":5}'),
        _SERIALIZATION,
        "NUMBER_VALUE cannot be converted to String",
    )
    yield Case(
        "number beyond all numbers", raw(b'{"TableName":%b,"Limit":-1e999}' % name, "Scan"), _SERIALIZATION
    )
    yield Case(
        "limit of 30 digits", raw(b'{"TableName":%b,"Limit":-%b}' % (name, b"9" * 30), "Scan"), _VALIDATION
    )

    yield Case("unknown operation", request("MakeCoffee"), _UNKNOWN, "")
    yield Case("unknown version", request("", X_Amz_Target="DynamoDB_20991231.PutItem"), _UNKNOWN, "")
    yield Case("no target", request("PutItem", without=("X-Amz-Target",)), _UNKNOWN, "")
    yield Case(
        "no authorization",
        request("PutItem", without=("Authorization",)),
        "MissingAuthenticationTokenException",
        "Request is missing Authentication Token",
    )
    yield Case(
        "signed twice",
        request("PutItem", path="/?X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        "InvalidSignatureException",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    )

    yield Case("base64 with a stranger in it", put({"B": "a!aa"}), _SERIALIZATION)
    yield Case(
        "base64 cut off",
        put({"B": "abc"}),
        _SERIALIZATION,
        "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
    )
    yield Case("unknown type tag", put({"X": "1"}), _VALIDATION, _EMPTY_VALUE)
    yield Case("unknown type tag, nested", put({"L": [{"M": {"m": {"X": 1}}}]}), _VALIDATION, _EMPTY_VALUE)
    yield Case("no type tag", put({}), _VALIDATION, _EMPTY_VALUE)
    yield Case(
        "two type tags",
        put({"S": "x", "N": "1"}),
        _VALIDATION,
        _ENVELOPE
        + "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
    )
    yield Case(
        "value of a wrong type", put({"S": 5}), _SERIALIZATION, "NUMBER_VALUE cannot be converted to String"
    )
    yield Case("value that is a string", put("x"), _SERIALIZATION, "Unexpected value type in payload")
    yield Case("value that is nothing", put(None), _VALIDATION, _EMPTY_VALUE)
    yield Case(
        "33 levels",
        raw(
            b'{"TableName":%b,"Item":{"pk":{"S":"a"},"a":%b{"S":"x"}%b}}' % (name, b'{"L":[' * 33, b"]}" * 33)
        ),
        _VALIDATION,
        _ENVELOPE + "Nesting Levels have exceeded supported limits: "
        "Attributes in the item have nested levels beyond supported limit",
    )
    yield Case(
        "key of a wrong type",
        _put(table, {"pk": {"N": "1"}}),
        _VALIDATION,
        "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
    )
    yield Case(
        "key of a wrong type, asked for",
        request("GetItem", {"TableName": table, "Key": {"pk": {"N": "1"}}}),
        _VALIDATION,
        _NO_MATCH,
    )
    yield Case(
        "more than 400 KB",
        put({"S": "x" * 409_600}),
        _VALIDATION,
        "Item size has exceeded the maximum allowed size",
    )
    yield Case(
        "nothing at all",
        raw(b"{}"),
        _VALIDATION,
        "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be "
        "null; Value null at 'item' failed to satisfy constraint: Member must not be null",
    )
    yield Case(
        "no key, and two more mistakes",
        request("UpdateItem", {"TableName": "", "ReturnConsumedCapacity": "ALL"}),
        _VALIDATION,
        "3 validation errors detected: Value 'ALL' at 'returnConsumedCapacity' failed to satisfy constraint: Member "
        "must satisfy enum value set: [INDEXES, TOTAL, NONE]; Value '' at 'tableName' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1; Value null at 'key' failed to satisfy constraint: "
        "Member must not be null",
    )
    yield Case(
        "table without a name",
        request("PutItem", {"TableName": "", "Item": {}, "ReturnValues": "ALL"}),
        _VALIDATION,
        _ENVELOPE + "Value at 'TableName' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1",
    )
    yield Case(
        "table of another account",
        request("GetItem", {"TableName": "arn:aws:dynamodb:us-east-1:000000000001:table/Table", "Key": _KEY}),
        "AccessDeniedException",
    )
    yield Case(
        "table of a region that is none",
        request("GetItem", {"TableName": "arn:aws:dynamodb:x:123456789012:table/Table", "Key": _KEY}),
        _VALIDATION,
    )
    yield Case(
        "26 writes",
        request(
            "BatchWriteItem", {"RequestItems": {table: [{"DeleteRequest": {"Key": {"pk": {"S": "a"}}}}] * 26}}
        ),
        _VALIDATION,
        _ENVELOPE + f"Value '{{{table}=[{', '.join([_PRINTED] * 26)}]}}' at 'requestItems' failed to satisfy "
        "constraint: Map value must satisfy constraint: [Member must have length less than or equal to 25, "
        "Member must have length greater than or equal to 1]",
    )
    yield Case(
        "value of no expression",
        request(
            "DeleteItem", {"TableName": table, "Key": _KEY, "ExpressionAttributeValues": {":v": {"S": "x"}}}
        ),
        _VALIDATION,
        _ENVELOPE + "ExpressionAttributeValues can only be specified when using expressions",
    )
    yield Case(
        "expression of 5 KB",
        request(
            "DeleteItem",
            {"TableName": table, "Key": _KEY, "ConditionExpression": "attribute_exists(" + "x" * 5_000 + ")"},
        ),
        _VALIDATION,
        "1 validation error detected: Invalid ConditionExpression: "
        "Expression size has exceeded the maximum allowed size; expression size: 5018",
    )
    yield Case(
        "expression of parentheses",
        request(
            "DeleteItem",
            {"TableName": table, "Key": _KEY, "ConditionExpression": "(" * 2_000 + "a = a" + ")" * 2_000},
        ),
        _VALIDATION,
    )


def test_errors_leave_the_connection_usable(wire: WireClient, table: str) -> None:
    for case in _cases(table):
        wire.send(case.wire)
        reply = wire.reply()
        assert reply.status == 400, (case.name, reply)
        code, message = reply.error
        assert code == case.code, (case.name, reply)
        assert case.message is None or message == case.message, case.name
        assert_serves(wire, table)


def test_pipelined_requests_are_answered_in_order(wire: WireClient, table: str) -> None:
    cases = list(_cases(table))
    wire.send(b"".join(case.wire + _get(table) for case in cases))
    for case in cases:
        assert wire.reply().error[0] == case.code, case.name
        assert_empty(wire.reply())


def test_of_a_key_that_is_twice_in_the_json_the_last_counts(wire: WireClient, table: str) -> None:
    body = b'{"TableName":"absent","TableName":%b,"Key":{"pk":{"S":"a"}}}' % orjson.dumps(table)
    wire.send(request("GetItem", body))
    assert_empty(wire.reply())


def test_other_methods_and_media_types(wire: WireClient, table: str) -> None:
    for sent, status in (
        (request("GetItem", method="PUT"), 404),
        (request("GetItem", method="DELETE"), 404),
        (request("GetItem", Content_Type="text/xml"), 404),
        (request("", b"", method="GET", path="/nowhere"), 404),
        (request("", b"", method="GET"), 200),
        (request("", b"", method="OPTIONS", Origin="http://example.com"), 200),
    ):
        wire.send(sent)
        assert wire.reply().status == status
        assert_serves(wire, table)


def test_application_json_is_answered_as_such(wire: WireClient, table: str) -> None:
    wire.send(_get(table, Content_Type="application/json; charset=utf-8"))
    reply = wire.reply()
    assert_empty(reply)
    assert reply.headers["content-type"] == "application/json"


# ---- large bodies -----------------------------------------------------------------------------------------


def _padded_get(table: str, size: int) -> bytes:
    body = orjson.dumps({"TableName": table, "Key": _KEY})
    return body[:-1] + b" " * (size - len(body)) + body[-1:]


def test_16_mb_are_read_and_no_byte_more(kvorum: Endpoint, table: str) -> None:
    with WireClient(kvorum.address) as wire:
        wire.send(request("GetItem", _padded_get(table, _BODY_MAX)))
        assert_empty(wire.reply())
        wire.send(request("GetItem", _padded_get(table, _BODY_MAX + 1)))
        assert wire.reply().status == 413
        assert wire.closed


def test_too_large_a_body_is_refused_before_it_comes(wire: WireClient) -> None:
    wire.send(request("PutItem", b"", Content_Length=str(_BODY_MAX + 1)))
    assert wire.reply().status == 413
    assert wire.closed


def test_too_large_a_body_in_chunks(wire: WireClient) -> None:
    wire.send(request("PutItem", b"", without=("Content-Length",), Transfer_Encoding="chunked"))
    chunk = b"%x\r\n%b\r\n" % (_MEGABYTE, b" " * _MEGABYTE)
    for _ in range(17):
        wire.send(chunk)
    assert wire.reply().status == 413
    assert wire.closed


def test_a_body_in_chunks(wire: WireClient, table: str) -> None:
    body = orjson.dumps({"TableName": table, "Key": _KEY})
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    wire.send(request("GetItem", b"", without=("Content-Length",), Transfer_Encoding="chunked") + chunks)
    assert_empty(wire.reply())
    assert_serves(wire, table)


def test_expect_100_continue(wire: WireClient, table: str) -> None:
    whole = _get(table, Expect="100-continue")
    head, _, body = whole.partition(b"\r\n\r\n")
    wire.send(head + b"\r\n\r\n")
    assert wire.interim_status() == 100
    wire.send(body)
    assert_empty(wire.reply())
    assert_serves(wire, table)


# ---- what is no HTTP: an answer if there can be one, and the end of the connection -------------------------

_HEAD = "POST / HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize(
    "wire_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # a TLS handshake
        b"\x00" * 64,
        b"HELO example.com\r\n\r\n",
        b"POST /\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        f"{_HEAD}Content-Length: many\r\n\r\n".encode(),
        f"{_HEAD}Content-Length: -1\r\n\r\n".encode(),
        f"{_HEAD}Content-Length: {10**30}\r\n\r\n".encode(),
        f"{_HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}".encode(),
        f"{_HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{{}}".encode(),
        f"{_HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode(),
        f"{_HEAD}Bad\x00Name: x\r\n\r\n".encode(),
    ],
)
def test_malformed_http_gets_400_and_the_end(kvorum: Endpoint, table: str, wire_bytes: bytes) -> None:
    with WireClient(kvorum.address) as wire:
        wire.send(_get(table) + wire_bytes)
        assert_empty(wire.reply())  # what came before it is answered
        assert wire.reply().status == 400
        assert wire.closed


def test_a_head_without_end(wire: WireClient) -> None:
    wire.send(_HEAD.encode())
    for number in range(250):
        wire.send(f"X-{number}: ".encode() + b"x" * 4_000 + b"\r\n")
    assert wire.reply().status == 400
    assert wire.closed


def test_an_offer_of_http_2_is_declined(wire: WireClient, table: str) -> None:
    wire.send(
        _get(table, Connection="Upgrade, HTTP2-Settings", Upgrade="h2c", HTTP2_Settings="AAMAAABkAAQAAP__")
    )
    assert_empty(wire.reply())
    assert_serves(wire, table)


@pytest.mark.parametrize("how", ["HTTP/1.0", "Connection: close"])
def test_a_last_request(wire: WireClient, table: str, how: str) -> None:
    last = _get(table, Connection="close") if ":" in how else _get(table).replace(b"HTTP/1.1", b"HTTP/1.0")
    wire.send(last + _put(table))  # what follows a last request is not carried out
    assert_empty(wire.reply())
    assert wire.closed


# ---- slow, partial and broken off -------------------------------------------------------------------------


def test_a_request_byte_by_byte(wire: WireClient, kvorum: Endpoint, table: str) -> None:
    whole = _get(table)
    with WireClient(kvorum.address) as other:
        for position in range(len(whole)):
            wire.send(whole[position : position + 1])
            if position % 100 == 0:
                assert_serves(other, table)
    assert_empty(wire.reply())


@pytest.mark.parametrize("reset", [False, True])
def test_a_request_cut_off_anywhere_is_none(kvorum: Endpoint, table: str, reset: bool) -> None:
    whole = _put(table)
    for position in (1, 10, whole.index(b"\r\n\r\n"), whole.index(b"\r\n\r\n") + 4, len(whole) - 1):
        with WireClient(kvorum.address) as wire:
            wire.send(whole[:position])
            if reset:
                wire.reset()
            else:
                wire.end()
                assert wire.closed


def test_half_closed_connections_are_answered(wire: WireClient, table: str) -> None:
    wire.send(_get(table) * 3)
    wire.end()
    for _ in range(3):
        assert_empty(wire.reply())
    assert wire.closed


def test_callers_who_do_not_wait_for_their_answers(client: Client, kvorum: Endpoint, tables: Tables) -> None:
    """Whether their writes happen is open, but they happen whole."""
    table = tables("S")
    item = {"pk": {"S": "impatient"}, "a": {"S": "x" * 50_000}}
    for _ in range(20):
        with WireClient(kvorum.address) as wire:
            wire.send(_put(table, item))
            wire.reset()
    stored = client.get_item(TableName=table, Key={"pk": item["pk"]}, ConsistentRead=True).get("Item")
    assert stored in (None, item)


def test_a_crowd_that_says_nothing(kvorum: Endpoint, table: str) -> None:
    crowd = [socket.create_connection(kvorum.address, 10) for _ in range(300)]
    try:
        for position, member in enumerate(crowd):
            member.sendall(_put(table)[:position])
        with WireClient(kvorum.address) as wire:
            assert_serves(wire, table)
    finally:
        for member in crowd:
            member.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            member.close()


def test_a_reader_who_is_slower_than_the_answers(client: Client, kvorum: Endpoint, tables: Tables) -> None:
    """Pipelines 40 answers of 300 KB before it reads the first: they come, whole and in order."""
    table = tables.new("S")
    item = {"pk": {"S": "large"}, "a": {"S": "x" * 300_000}}
    client.put_item(TableName=table, Item=item)
    with WireClient(kvorum.address) as wire, WireClient(kvorum.address) as other:
        wire.send(request("GetItem", {"TableName": table, "Key": {"pk": item["pk"]}}) * 40)
        other.send(_get(table))
        assert_empty(other.reply())
        for _ in range(40):
            reply = wire.reply()
            assert reply.json == {"Item": item}
            assert int(reply.headers["x-amz-crc32"]) == zlib.crc32(reply.body)
