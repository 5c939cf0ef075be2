"""The HTTP door, by what goes over the connection: real loopback sockets where the kernel matters, a recording
transport where the order of events does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import logging
import re
import socket
import time
import weakref
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from kvorum.router.http import HttpDoor, HttpLimits, PageAnswer, Respond
from kvorum.router.reached_at import REACHED_AT

SECONDS_MAX = 10.0


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return str(orjson.loads(self.body)["__type"]).rpartition("#")[2]


class ScriptedService:
    """Answers at once with what it was asked; `Query` is answered when the test says so."""

    operations = frozenset({"GetItem", "PutItem", "Query", "Broken", "DescribeEndpoints"})

    def __init__(self) -> None:
        self.executed: list[tuple[str, bytes]] = []
        self.held: list[Respond] = []
        self.answer: Callable[[str, bytes], bytes] = lambda operation, raw: raw

    def execute(self, operation: str, raw: bytes, respond: Respond) -> None:
        self.executed.append((operation, raw))
        if operation == "Query":
            self.held.append(respond)
        elif operation == "Broken":
            raise RuntimeError("a mistake of ours")
        else:
            respond(200, self.answer(operation, raw))


class RecordingTransport(asyncio.Transport):
    """Keeps what was written; reading and closing are flags."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reading = True
        self.closed = False
        self.half_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    @property
    def replies(self) -> list[Reply]:
        return parse(self.written)


def make_door(service: ScriptedService | None = None, limits: HttpLimits | None = None) -> HttpDoor:
    return HttpDoor(
        service or ScriptedService(),
        "us-east-1",
        {b"/metrics": lambda: PageAnswer(200, b"text/plain", b"kvorum_up 1\n")},
        entropy=lambda size: bytes(range(size)),
        now=lambda: 1_760_000_000.0,
        limits=limits,
    )


def open_connection(door: HttpDoor) -> tuple[asyncio.Protocol, RecordingTransport]:
    protocol = door.new_connection()
    transport = RecordingTransport()
    protocol.connection_made(transport)
    return protocol, transport


def request(
    operation: str = "GetItem",
    body: bytes = b"{}",
    *,
    method: str = "POST",
    url: str = "/",
    version: str = "1.1",
    without: tuple[str, ...] = (),
    **further: str,
) -> bytes:
    """A request as botocore sends it; `further` headers with _ for -, `without` leaves some out."""
    headers = {
        "Host": "127.0.0.1",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Date": "20260201T000000Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=A/20260201/us-east-1/dynamodb/aws4_request, Signature=00",
        "Content-Length": str(len(body)),
    }
    headers.update({name.replace("_", "-"): value for name, value in further.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if name not in without]
    return "\r\n".join([f"{method} {url} HTTP/{version}", *lines, "", ""]).encode() + body


def parse(wire: bytes) -> list[Reply]:
    replies: list[Reply] = []
    while wire:
        head, _, wire = wire.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        replies.append(Reply(int(start.split()[1]), headers, wire[:length]))
        wire = wire[length:]
    return replies


def answer_to(*requests: bytes, door: HttpDoor | None = None) -> list[Reply]:
    protocol, transport = open_connection(door or make_door())
    for wire in requests:
        protocol.data_received(wire)
    return transport.replies


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def runs(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(main, SECONDS_MAX))

    return runs


Run = Callable[[Coroutine[Any, Any, None]], None]


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, wire: bytes) -> None:
        self.writer.write(wire)
        await self.writer.drain()

    async def reply(self) -> Reply:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        return parse(head + await self.reader.readexactly(length))[0]

    async def rest(self) -> bytes:
        """What still comes, until the server closes."""
        return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


async def connect(port: int) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 26))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def serving(
    test: Callable[[HttpDoor, int], Awaitable[None]],
    service: ScriptedService | None = None,
    limits: HttpLimits | None = None,
) -> Coroutine[Any, Any, None]:
    async def main() -> None:
        door = make_door(service, limits)
        port = await door.start("127.0.0.1", 0)
        try:
            await test(door, port)
        finally:
            await door.stop(0.0)

    return main()


# ---- however the bytes arrive ----------------------------------------------------------------------

STREAM = (
    request("GetItem", b'{"a":1}')
    + request("PutItem", b'{"b":"' + b"x" * 40 + b'"}', Origin="http://here")
    + request(
        "PutItem",
        b'5\r\n{"c":\r\n2\r\n3}\r\n0\r\n\r\n',
        without=("Content-Length",),
        Transfer_Encoding="chunked",
    )
    + request("Nothing", b"{}")
    + b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
)
STREAM_ANSWERS = [
    (200, b'{"a":1}'),
    (200, b'{"b":"' + b"x" * 40 + b'"}'),
    (200, b'{"c":3}'),
    (400, b'{"__type":"com.amazon.coral.service#UnknownOperationException"}'),
    (200, b"kvorum_up 1\n"),
]


def statuses_and_bodies(replies: list[Reply]) -> list[tuple[int, bytes]]:
    return [(reply.status, reply.body) for reply in replies]


def test_a_stream_cut_in_two_anywhere_means_the_same() -> None:
    door = make_door()
    for cut in range(len(STREAM) + 1):
        replies = answer_to(STREAM[:cut], STREAM[cut:], door=door)
        assert statuses_and_bodies(replies) == STREAM_ANSWERS, cut


def test_a_stream_byte_by_byte_means_the_same() -> None:
    replies = answer_to(*(STREAM[at : at + 1] for at in range(len(STREAM))))
    assert statuses_and_bodies(replies) == STREAM_ANSWERS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_cut_in_pieces_means_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert statuses_and_bodies(answer_to(*pieces)) == STREAM_ANSWERS


@given(st.binary(max_size=300))
def test_nonsense_is_answered_with_400_or_waited_for(nonsense: bytes) -> None:
    protocol, transport = open_connection(make_door())
    protocol.data_received(nonsense)
    replies = transport.replies
    assert all(reply.status in (400, 404) for reply in replies)
    if replies and replies[-1].status == 400:
        assert transport.half_closed


@given(st.permutations(range(6)))
def test_answers_keep_the_order_of_requests(order: list[int]) -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service))
    protocol.data_received(b"".join(request("Query", b"%d" % number) for number in range(6)))
    answered: set[int] = set()
    for number in order:
        service.held[number](200, b"%d" % number)
        answered.add(number)
        in_order = next(count for count in range(7) if count not in answered)
        assert [int(reply.body) for reply in transport.replies] == list(range(in_order))


# ---- what an answer looks like -----------------------------------------------------------------------


def test_a_response_carries_the_headers_of_aws() -> None:
    (reply,) = answer_to(request(body=b'{"TableName":"T"}'))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/x-amz-json-1.0"
    assert reply.headers["x-amz-crc32"] == str(zlib.crc32(reply.body))
    assert reply.headers["date"] == "Thu, 09 Oct 2025 08:53:20 GMT"
    assert re.fullmatch("[0-9A-V]{52}", reply.headers["x-amzn-requestid"])


def test_an_operation_may_know_under_which_address_it_was_asked() -> None:
    service = ScriptedService()
    service.answer = lambda operation, raw: REACHED_AT.get().encode()
    wire = b"".join(request("DescribeEndpoints", Host=host) for host in ("one:8000", "two.example"))
    replies = copy_context().run(answer_to, wire, door=make_door(service))  # other tests are reached nowhere
    assert [reply.body for reply in replies] == [b"one:8000", b"two.example"]


def test_request_ids_differ() -> None:
    draws = iter(range(100))
    door = HttpDoor(
        ScriptedService(), "r", {}, entropy=lambda size: bytes([next(draws)] * size), now=lambda: 0.0
    )
    replies = answer_to(request() * 3_000, door=door)
    assert len({reply.headers["x-amzn-requestid"] for reply in replies}) == 3_000


@pytest.mark.parametrize(
    "unusual",
    [
        {"Origin": "http://here"},
        {"Content_Type": "application/x-amz-json-1.0; charset=utf-8"},
        {"Connection": "close"},
        {"Expect": "something-else"},
        {"version": "1.0"},
        {"url": "/?x=y"},
        {"url": "/a/path"},
        {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAMAAABkAAQAAP__"},
        {"without": ("Authorization",), "url": "/?X-Amz-Algorithm=AWS4-HMAC-SHA256"},
    ],
)
def test_an_unusual_request_gets_the_usual_answer(unusual: dict[str, Any]) -> None:
    service = ScriptedService()
    (reply,) = answer_to(request("PutItem", b'{"a":1}', **unusual), door=make_door(service))
    assert (reply.status, reply.body) == (200, b'{"a":1}')
    assert service.executed == [("PutItem", b'{"a":1}')]


# ---- compression -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("GZIP, identity", "gzip"),
        ("dog, gzip ,, cat", "gzip"),
        ("br, identity, deflate, gzip", "deflate"),
        ("deflate;q=0.5, gzip;q=0.2", "deflate"),
        ("deflate;q=0.5, gzip;q=1;q=0.2", "gzip"),
        ("deflate;q=0.5,gzip;q=0.x", "gzip"),
        ("deflate;q=-0.5,gzip;q=0.2", "gzip"),
        ("gzip;q=31,deflate;q=51", "gzip"),
        ("gzip;q=0, gzip;q=1, gzip;q=0", "gzip"),
        ("br, gzip;q=0, deflate; q = 0.5 , identity;q=0", "deflate"),
        ("gzip;q=0.5,identity;q=0.8", "gzip"),
        ("*", "gzip"),
        ("*, deflate", "deflate"),
        ("*, deflate;q=0.5", "gzip"),
        ("*, gzip;q=0.5", "deflate"),
        ("*;q=0.5,identity", "gzip"),
        ("br;q=0.8,identity;q=0.5,*;q=0", None),
        ("gzip ;q=0", None),
        ("gzip;nq=0;q=1", None),
        ("gzip;q= 0;q=1", None),
        ("gzip;q =0;q=1", "gzip"),
        ("x-gzip", None),
        ("gzip br", None),
        ("identity", None),
        ("", None),
    ],
)
def test_an_answer_is_compressed_as_asked(asked: str, coding: str | None) -> None:
    body = b'{"a":"' + b"x" * 4088 + b'"}'
    (reply,) = answer_to(request(body=body, Accept_Encoding=asked))
    assert reply.headers.get("content-encoding") == coding
    assert reply.headers["x-amz-crc32"] == str(zlib.crc32(reply.body))  # of what went over the wire
    windows = {"gzip": 31, "deflate": 15}
    assert (zlib.decompress(reply.body, windows[coding]) if coding else reply.body) == body


def test_a_small_answer_is_not_compressed() -> None:
    body = b'{"a":"' + b"x" * 4087 + b'"}'
    (reply,) = answer_to(request(body=body, Accept_Encoding="gzip"))
    assert (reply.body, "content-encoding" in reply.headers) == (body, False)


def test_the_first_accept_encoding_counts() -> None:
    body = b'{"a":"' + b"x" * 4088 + b'"}'
    for first, second, coding in (("gzip", "identity", "gzip"), ("identity", "gzip", None)):
        wire = request(body=body, Accept_Encoding=first, More=second).replace(b"More:", b"Accept-Encoding:")
        (reply,) = answer_to(wire)
        assert reply.headers.get("content-encoding") == coding


def test_a_request_may_come_as_deflate() -> None:
    service = ScriptedService()
    body = zlib.compress(b'{"a":1}')
    for wire_body in (body, body + zlib.compress(b"{}")):
        (reply,) = answer_to(
            request("PutItem", wire_body, Content_Encoding="deflate"), door=make_door(service)
        )
        assert (reply.status, reply.body) == (200, b'{"a":1}')


@pytest.mark.parametrize("cut", [0, 1, 3, 7])
def test_a_request_may_come_as_gzip(cut: int) -> None:
    service = ScriptedService()
    members = gzip.compress(b'{"a":1}'[:cut]) + gzip.compress(b'{"a":1}'[cut:])
    for body in (members, members + b"whatever"):
        (reply,) = answer_to(request("PutItem", body, Content_Encoding="gzip"), door=make_door(service))
        assert (reply.status, reply.body) == (200, b'{"a":1}')
    assert service.executed == [("PutItem", b'{"a":1}')] * 2


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b'{"a":1}'),
        ("gzip", gzip.compress(b'{"a":1}')[:-1]),
        ("gzip", b""),
        ("gzip", zlib.compress(b'{"a":1}')),
        ("deflate", b'{"a":1}'),
        ("deflate", b""),
        ("deflate", gzip.compress(b'{"a":1}')),
        ("br", b'{"a":1}'),
    ],
)
def test_what_is_not_of_its_coding_is_our_fault(coding: str, body: bytes) -> None:
    service = ScriptedService()
    wire = request("PutItem", body, Content_Encoding=coding) + request("PutItem", b"{}")
    refused, next_one = answer_to(wire, door=make_door(service))
    assert (refused.status, refused.kind) == (500, "InternalServerError")
    assert next_one.status == 200
    assert service.executed == [("PutItem", b"{}")]


def test_a_body_is_bounded_as_it_is_decompressed() -> None:
    door = make_door(limits=HttpLimits(body_bytes_max=1_000))
    for size, status in ((1_000, 200), (1_001, 413), (1 << 26, 413)):
        body = gzip.compress(b'"' + b"x" * (size - 2) + b'"')[:1_000]  # of the last one only the start
        (reply,) = answer_to(request("PutItem", body, Content_Encoding="gzip"), door=door)
        assert reply.status == status


def test_a_body_of_many_gzip_members_does_not_hold_the_door() -> None:
    """Each was once copied with all that follows it: 200 seconds for the largest body."""
    begun = time.process_time()
    body = gzip.compress(b"") * 100_000 + gzip.compress(b"{}")
    (reply,) = answer_to(request("PutItem", body, Content_Encoding="gzip"))
    assert (reply.status, reply.body) == (200, b"{}")
    assert time.process_time() - begun < 1.0


def test_header_names_in_any_case() -> None:
    head, _, body = request("PutItem", b'{"a":1}').partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    for change in (bytes.lower, bytes.upper):
        renamed = [change(line.partition(b": ")[0]) + b": " + line.partition(b": ")[2] for line in lines]
        (reply,) = answer_to(b"\r\n".join([first, *renamed]) + b"\r\n\r\n" + body)
        assert reply.body == b'{"a":1}'


def test_what_follows_a_declined_upgrade_is_read() -> None:
    offer = request("PutItem", b'{"a":1}', Connection="Upgrade", Upgrade="h2c")
    for cut in range(len(offer)):
        replies = answer_to(offer[:cut], offer[cut:] + request("GetItem", b"2"))
        assert [reply.body for reply in replies] == [b'{"a":1}', b"2"]


def test_offers_of_another_protocol_without_end() -> None:
    offer = request("PutItem", b"1", Connection="Upgrade", Upgrade="h2c")
    assert len(answer_to(offer * 700)) == 700


def test_a_tunnel_is_refused() -> None:
    protocol, transport = open_connection(make_door())
    protocol.data_received(b"CONNECT there:1 HTTP/1.1\r\n\r\n")
    assert [reply.status for reply in transport.replies] == [400]
    assert transport.half_closed


# ---- which error comes first -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (request(without=("X-Amz-Target",)), "UnknownOperationException"),
        (request("Nothing"), "UnknownOperationException"),
        (request("Nothing", without=("Authorization",)), "UnknownOperationException"),
        (request(X_Amz_Target="DynamoDB_20111205.GetItem"), "UnknownOperationException"),
        (request("Nothing", b"{"), "SerializationException"),
        (request(body=b"{", without=("Authorization",)), "SerializationException"),
        (request(without=("Authorization",)), "MissingAuthenticationTokenException"),
        (request(url="/?X-Amz-Algorithm=A"), "InvalidSignatureException"),
    ],
)
def test_refusals_before_the_service(wire: bytes, kind: str) -> None:
    service = ScriptedService()
    (reply,) = answer_to(wire, door=make_door(service))
    assert (reply.status, reply.kind) == (400, kind)
    assert not service.executed


@pytest.mark.parametrize(
    "wire",
    [
        request(Content_Type="text/plain"),
        request(without=("Content-Type",)),
        request(method="PUT"),
        request(method="DELETE"),
        request(method="OPTIONS"),
        request(method="GET", url="/nowhere", body=b""),
    ],
)
def test_what_is_not_the_protocol_is_not_found(wire: bytes) -> None:
    (reply,) = answer_to(wire)
    assert (reply.status, reply.body) == (404, b"<UnknownOperationException/>\n")
    assert reply.headers["x-amz-crc32"] == "3552371480"


def test_plain_json_is_answered_in_kind() -> None:
    (reply,) = answer_to(request("Nothing", Content_Type="application/json"))
    assert reply.headers["content-type"] == "application/json"


def test_pages() -> None:
    replies = answer_to(
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /metrics?x=1 HTTP/1.1\r\n\r\n",
    )
    assert replies[0].body == b"healthy: dynamodb.us-east-1.amazonaws.com "
    assert replies[0].headers["x-amz-crc32"] == "3128867991"
    assert replies[1].body == b"kvorum_up 1\n"


def test_head_has_no_body() -> None:
    protocol, transport = open_connection(make_door())
    protocol.data_received(b"HEAD / HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 42\r\n" in transport.written
    assert transport.written.endswith(b"\r\n\r\n")


def test_preflight() -> None:
    (reply,) = answer_to(
        request(
            method="OPTIONS",
            body=b"",
            Origin="http://here",
            Access_Control_Request_Headers="a, b",
            Access_Control_Request_Method="POST",
        )
    )
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "x-amzn-requestid" in reply.headers["access-control-expose-headers"].lower().split(",")
    assert reply.headers["access-control-allow-headers"] == "a, b"
    assert reply.headers["access-control-allow-methods"] == "POST"
    assert reply.headers["access-control-max-age"] == "172800"


# ---- bounds ------------------------------------------------------------------------------------------


def test_expect_is_answered_before_the_body_comes() -> None:
    protocol, transport = open_connection(make_door())
    wire = request(body=b'{"a":1}', Expect="100-continue")
    protocol.data_received(wire[:-7])
    assert transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    protocol.data_received(wire[-7:])
    assert transport.replies[1].body == b'{"a":1}'


def test_expect_behind_a_request_in_progress_keeps_its_place() -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service))
    protocol.data_received(request("Query", b"1") + request(body=b"2", Expect="100-continue"))
    assert transport.written == b""
    service.held[0](200, b"1")
    assert [(reply.status, reply.body) for reply in transport.replies] == [
        (200, b"1"),
        (100, b""),
        (200, b"2"),
    ]


def test_a_declared_body_too_large_is_refused_unread() -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service))
    protocol.data_received(request(Content_Length=str(16_777_217), body=b""))
    (reply,) = transport.replies
    assert (reply.status, reply.kind) == (413, "RequestEntityTooLargeException")
    assert reply.headers["connection"] == "close"
    assert transport.half_closed
    protocol.data_received(b"x" * 1_000)
    assert len(transport.replies) == 1
    assert not service.executed


def test_the_largest_body_is_taken() -> None:
    body = b'"' + b"x" * (16_777_216 - 2) + b'"'
    service = ScriptedService()
    service.answer = lambda operation, raw: b"%d" % len(raw)
    wire = request(body=body)
    pieces = [wire[at : at + 262_144] for at in range(0, len(wire), 262_144)]
    (reply,) = answer_to(*pieces, door=make_door(service))
    assert reply.body == b"16777216"


def test_a_chunked_body_too_large_is_refused_when_it_gets_there() -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service, HttpLimits(body_bytes_max=100)))
    protocol.data_received(request(body=b"", without=("Content-Length",), Transfer_Encoding="chunked"))
    for _ in range(10):
        protocol.data_received(b"a\r\n0123456789\r\n")
    assert not transport.written
    protocol.data_received(b"1\r\n0\r\n" * 50)
    assert [reply.status for reply in transport.replies] == [413]
    assert not service.executed


def test_an_endless_head_is_refused() -> None:
    protocol, transport = open_connection(make_door(limits=HttpLimits(head_bytes_max=1_000)))
    protocol.data_received(b"POST / HTTP/1.1\r\n")
    for _ in range(200):
        protocol.data_received(b"X-More: of this\r\n")
    assert [reply.status for reply in transport.replies] == [400]


@pytest.mark.parametrize("cut", [None, 0, 100, 1_500])
@pytest.mark.parametrize(
    ("unusual", "status"),
    [
        ({"X_Here": "x" * 700}, 200),
        ({"url": "/" + "x" * 999, "X_Here": "x" * 700}, 200),
        ({"url": "/" + "x" * 1_000}, 400),
        ({"X_Here": "x" * 500, "X_There": "x" * 500}, 400),
        ({"X_Here": "x" * 3_000}, 400),
    ],
)
def test_a_head_is_bounded(cut: int | None, unusual: dict[str, str], status: int) -> None:
    protocol, transport = open_connection(make_door(limits=HttpLimits(head_bytes_max=1_000)))
    wire = request("PutItem", b'{"a":"' + b"x" * 2_000 + b'"}', **unusual)
    for part in (wire,) if cut is None else (wire[:cut], wire[cut:]):
        protocol.data_received(part)
    assert [reply.status for reply in transport.replies] == [status]


@pytest.mark.parametrize("cut", [None, 100])
def test_a_long_head_with_an_offer_of_another_protocol_is_refused_once(cut: int | None) -> None:
    protocol, transport = open_connection(make_door(limits=HttpLimits(head_bytes_max=1_000)))
    wire = request("PutItem", b"1", Connection="Upgrade", Upgrade="h2c", X_Here="x" * 1_000)
    for part in (wire,) if cut is None else (wire[:cut], wire[cut:]):
        protocol.data_received(part)
    assert [reply.status for reply in transport.replies] == [400]


@pytest.mark.parametrize(
    "following",
    [
        request("PutItem", b"1", X_Here="x" * 1_000),
        request("PutItem", Content_Length="99999999"),
        request("PutItem", Expect="100-continue"),
        request("PutItem", b"1", Connection="Upgrade", Upgrade="h2c"),
        b"nonsense\r\n",
    ],
)
def test_nothing_follows_a_refusal_in_the_same_read(following: bytes) -> None:
    protocol, transport = open_connection(make_door(limits=HttpLimits(head_bytes_max=1_000)))
    protocol.data_received(request(X_Here="x" * 1_000) + following)
    assert [reply.status for reply in transport.replies] == [400]


@pytest.mark.parametrize("trailers", [b"X-More: of this\r\n" * 20, b"x" * 300])
def test_endless_trailers_are_refused(trailers: bytes) -> None:
    protocol, transport = open_connection(make_door(limits=HttpLimits(head_bytes_max=1_000)))
    protocol.data_received(request(body=b"", without=("Content-Length",), Transfer_Encoding="chunked"))
    protocol.data_received(b"2\r\n{}\r\n0\r\nX-First: ")
    for _ in range(10):
        protocol.data_received(trailers)
    assert [reply.status for reply in transport.replies] == [400]


def test_a_body_whose_chunks_arrive_line_by_line_is_taken() -> None:
    protocol, transport = open_connection(make_door(limits=HttpLimits(head_bytes_max=1_000)))
    protocol.data_received(request(body=b"", without=("Content-Length",), Transfer_Encoding="chunked"))
    for part in (b'1;of="these"\r\n', b"1", b"\r\n") * 300 + (b"0\r\n", b"X-Last: 1\r\n", b"\r\n"):
        protocol.data_received(part)
    assert [(reply.status, reply.body) for reply in transport.replies] == [(200, b"1" * 300)]


def test_many_requests_in_one_read_are_no_long_head() -> None:
    protocol, transport = open_connection(make_door(limits=HttpLimits(head_bytes_max=1_000)))
    wire = request() * 20 + request()[:-5]
    protocol.data_received(wire)
    protocol.data_received(request()[-5:])
    assert [reply.status for reply in transport.replies] == [200] * 21


def test_heads_in_pieces_are_counted_one_by_one() -> None:
    protocol, transport = open_connection(make_door(limits=HttpLimits(head_bytes_max=500)))
    for _ in range(20):
        wire = request()
        for at in range(0, len(wire), 60):
            protocol.data_received(wire[at : at + 60])
    assert [reply.status for reply in transport.replies] == [200] * 20


def test_bodies_that_arrive_are_bounded_over_the_whole_door() -> None:
    door = make_door(limits=HttpLimits(arriving_bytes_max=1_000))
    clients = [open_connection(door) for _ in range(3)]
    for protocol, _ in clients:
        protocol.data_received(request(Content_Length="1000", body=b"1"))
        protocol.data_received(b"1" * 400)
    assert [[reply.status for reply in transport.replies] for _, transport in clients] == [[], [], [503]]
    clients[0][0].connection_lost(None)
    protocol, transport = open_connection(door)
    protocol.data_received(request(Content_Length="401", body=b"1"))
    protocol.data_received(b"1" * 400)
    clients[1][0].data_received(b"1" * 599)
    assert [reply.status for reply in transport.replies] == [200]
    assert [reply.status for reply in clients[1][1].replies] == [200]
    assert door.arriving_bytes == 0


def test_pipelined_requests_beyond_the_bound_wait_unexecuted() -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service, HttpLimits(pipelined_max=4)))
    protocol.data_received(b"".join(request("Query", b"%d" % number) for number in range(10)))
    assert len(service.executed) == 4
    assert not transport.reading
    for number in range(10):
        service.held[number](200, b"%d" % number)
        assert len(service.executed) == min(10, 5 + number)
    assert transport.reading
    assert [int(reply.body) for reply in transport.replies] == list(range(10))


def test_a_client_that_does_not_read_is_not_worked_for() -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service))
    protocol.data_received(request("Query", b"0"))
    protocol.pause_writing()
    assert not transport.reading
    protocol.data_received(request("GetItem", b"1") * 5)
    service.held[0](200, b"0")
    assert len(service.executed) == 1
    protocol.resume_writing()
    assert transport.reading
    assert [reply.body for reply in transport.replies] == [b"0"] + [b"1"] * 5


def test_the_last_request_of_a_connection_is_answered_and_nothing_after_it() -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service))
    protocol.data_received(request("Query", b"0") + request("Query", b"1", Connection="close") + request())
    service.held[1](200, b"1")
    service.held[0](200, b"0")
    assert [reply.headers["connection"] for reply in transport.replies] == ["keep-alive", "close"]
    assert transport.closed
    assert len(service.executed) == 2


def test_nonsense_behind_requests_in_progress_does_not_lose_their_answers() -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service))
    protocol.data_received(request("Query", b"0") + b"\0nonsense\r\n\r\n")
    assert not transport.half_closed
    service.held[0](200, b"0")
    assert [reply.status for reply in transport.replies] == [200, 400]
    assert transport.half_closed


def test_an_answer_for_a_client_that_has_gone_is_dropped() -> None:
    service = ScriptedService()
    protocol, transport = open_connection(make_door(service))
    protocol.data_received(request("Query") * 2)
    protocol.connection_lost(None)
    for respond in service.held:
        respond(200, b"{}")
    assert transport.written == b""


def test_a_connection_that_has_gone_is_freed_without_the_collector() -> None:
    door = make_door()
    protocol, _ = open_connection(door)
    protocol.data_received(STREAM + request()[:30])
    gone = weakref.ref(protocol)
    gc.disable()
    try:
        protocol.connection_lost(None)
        del protocol
        assert gone() is None
    finally:
        gc.enable()


def test_a_mistake_of_ours_costs_only_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        protocol, transport = open_connection(make_door())
        protocol.data_received(request("Broken"))
    assert "callback failed" in caplog.text
    assert transport.closed


# ---- over real sockets -------------------------------------------------------------------------------


def test_requests_over_a_socket(run: Run) -> None:
    async def test(door: HttpDoor, port: int) -> None:
        client = await connect(port)
        for piece in (STREAM[:100], STREAM[100:101], STREAM[101:]):
            await client.send(piece)
        replies = [await client.reply() for _ in STREAM_ANSWERS]
        assert statuses_and_bodies(replies) == STREAM_ANSWERS
        assert door.connections == 1
        await client.close()
        await until(lambda: door.connections == 0)

    run(serving(test))


def test_half_closed_client_gets_its_answer(run: Run) -> None:
    service = ScriptedService()

    async def test(door: HttpDoor, port: int) -> None:
        client = await connect(port)
        await client.send(request("Query"))
        client.writer.write_eof()
        await until(lambda: bool(service.held))
        service.held[0](200, b'{"late":1}')
        assert parse(await client.rest())[0].body == b'{"late":1}'
        await client.close()

    run(serving(test, service))


def test_half_closed_client_gets_an_answer_that_is_there_already(run: Run) -> None:
    async def test(door: HttpDoor, port: int) -> None:
        protocol, transport = open_connection(door)
        protocol.data_received(request(body=b"1"))
        assert not protocol.eof_received()  # then the transport closes, and takes nothing more
        protocol.connection_lost(None)
        assert [reply.body for reply in transport.replies] == [b"1"]

    run(serving(test))


def test_http_1_0_is_closed_after_its_answer(run: Run) -> None:
    async def test(door: HttpDoor, port: int) -> None:
        client = await connect(port)
        await client.send(request(version="1.0"))
        (reply,) = parse(await client.rest())
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        await client.close()

    run(serving(test))


def test_a_refused_upload_can_read_why(run: Run) -> None:
    async def test(door: HttpDoor, port: int) -> None:
        client = await connect(port)
        client.writer.write(request(Content_Length="99999999", body=b""))
        client.writer.write(b"x" * (4 << 20))  # on its way while we refuse
        reply = await client.reply()
        assert reply.status == 413
        assert await client.rest() == b""
        await client.close()

    run(serving(test))


def test_a_client_that_does_not_read_makes_the_door_wait(run: Run) -> None:
    service = ScriptedService()
    service.answer = lambda operation, raw: b"x" * 400_000

    async def test(door: HttpDoor, port: int) -> None:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            await loop.sock_sendall(client, request() * 200)
            await until(lambda: any(connection._paused for connection in door._connections))
            assert len(service.executed) < 100
            remaining = 200 * 400_000
            while remaining > 0:
                remaining -= len(await loop.sock_recv(client, 1 << 20))
            assert len(service.executed) == 200

    run(serving(test, service))


def test_idle_connections_are_closed_and_busy_ones_are_not(run: Run) -> None:
    service = ScriptedService()

    async def test(door: HttpDoor, port: int) -> None:
        busy, idle, partial = [await connect(port) for _ in range(3)]
        await busy.send(request("Query"))
        await partial.send(request()[:50])
        assert await idle.rest() == b""
        assert await partial.rest() == b""
        service.held[0](200, b"{}")
        assert (await busy.reply()).status == 200
        for client in (busy, idle, partial):
            await client.close()

    limits = HttpLimits(idle_seconds=0.05, request_seconds=0.1, tick_seconds=0.01)
    run(serving(test, service, limits))


def test_connections_beyond_the_bound_are_told(run: Run) -> None:
    async def test(door: HttpDoor, port: int) -> None:
        first = await connect(port)
        await first.send(request())
        assert (await first.reply()).status == 200
        second = await connect(port)
        (reply,) = parse(await second.rest())
        assert (reply.status, reply.kind) == (503, "ServiceUnavailable")
        await first.close()
        await second.close()

    run(serving(test, limits=HttpLimits(connections_max=1)))


def test_stop_answers_what_is_in_progress(run: Run) -> None:
    service = ScriptedService()

    async def test(door: HttpDoor, port: int) -> None:
        busy, idle = await connect(port), await connect(port)
        await busy.send(request("Query"))
        await until(lambda: bool(service.held) and door.connections == 2)
        stopping = asyncio.create_task(door.stop(SECONDS_MAX))
        assert await idle.rest() == b""
        assert not stopping.done()
        service.held[0](200, b'{"last":1}')
        assert parse(await busy.rest())[0].body == b'{"last":1}'
        await stopping
        with pytest.raises(ConnectionError):
            await connect(port)
        await busy.close()
        await idle.close()

    run(serving(test, service))


def test_stop_cuts_what_outlasts_the_grace(run: Run) -> None:
    service = ScriptedService()

    async def test(door: HttpDoor, port: int) -> None:
        client = await connect(port)
        await client.send(request("Query"))
        await until(lambda: bool(service.held))
        await door.stop(0.01)
        with contextlib.suppress(ConnectionError):  # a reset, or a plain end
            assert await client.rest() == b""
        await client.close()
        service.held[0](200, b"{}")

    run(serving(test, service))
