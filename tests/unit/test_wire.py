"""The wire: frames however TCP cuts them, calls answered exactly once, peers that lie, stall, die or flood.

The first part joins two connections by hand on a virtual clock; the second runs real sockets.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import msgspec
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.replication.connection import (
    FRAME_BYTES,
    FRAME_BYTES_MAX,
    Codec,
    Connection,
    Counts,
    Greeting,
    Limits,
)
from kvorum.replication.link import Handler, Link, LinkFailure, Reply, split_address
from kvorum.replication.local_link import local_links
from kvorum.replication.wire import WireClient, WireServer
from tests.kit.links import VirtualLoop


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=1):
    version: int
    region: str
    name: str
    role: str


class Note(msgspec.Struct, frozen=True, array_like=True, tag=2):
    number: int
    text: bytes = b""


class Other(msgspec.Struct, frozen=True, array_like=True, tag=3):
    number: int


CODEC = Codec(list[tuple[int, Hello | Note]])
CLIENT = Hello(1, "eu", "router-1", "router")
SERVER = Hello(1, "eu", "node-1", "node")


# ---- two connections joined by hand ------------------------------------------------------------------


class Pipe(asyncio.Transport):
    """Bytes written wait until the test lets some of them through."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = bytearray()
        self.connection: Connection | None = None
        self.gone = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.waiting += data

    def abort(self) -> None:
        self.close()

    def close(self) -> None:
        if not self.gone:
            self.gone = True
            assert self.connection is not None
            self.connection.connection_lost(None)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return


@dataclass
class Owner:
    refusal: str | None = None
    events: list[str] = field(default_factory=list[str])

    def opened(self, connection: Connection) -> None:
        return

    def check(self, greeting: Greeting) -> str | None:
        return self.refusal

    def ready(self, connection: Connection) -> None:
        self.events.append("ready")

    def lost(self, connection: Connection, reason: str) -> None:
        self.events.append(reason)


@dataclass
class End:
    connection: Connection
    owner: Owner
    pipe: Pipe
    counts: Counts


def _end(
    loop: VirtualLoop, hello: Hello, handler: Handler, *, first: bool, limits: Limits | None = None
) -> End:
    owner, counts, pipe = Owner(), Counts(), Pipe()
    connection = Connection(
        CODEC,
        hello,
        handler,
        owner,
        counts,
        limits or Limits(),
        cast("asyncio.AbstractEventLoop", loop),
        greets_first=first,
    )
    pipe.connection = connection
    connection.connection_made(pipe)
    return End(connection, owner, pipe, counts)


def _ignore(message: Any, reply: Reply | None, link: Link) -> None:
    return


def _echo(message: Any, reply: Reply | None, link: Link) -> None:
    if reply is not None:
        reply(message)


def _carry(source: End, target: End, size: int | None = None) -> None:
    data = bytes(source.pipe.waiting[:size])
    del source.pipe.waiting[: len(data)]
    if data and not target.pipe.gone:
        target.connection.data_received(data)


def _settle(loop: VirtualLoop, a: End, b: End) -> None:
    for _ in range(4):
        loop.run_for(0)
        _carry(a, b)
        _carry(b, a)


def _pair(handler: Handler, limits: Limits | None = None) -> tuple[VirtualLoop, End, End]:
    loop = VirtualLoop()
    a = _end(loop, CLIENT, _ignore, first=True, limits=limits)
    b = _end(loop, SERVER, handler, first=False, limits=limits)
    _settle(loop, a, b)
    assert a.connection.connected
    assert b.connection.connected
    return loop, a, b


actions = st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=30)


@given(actions, st.lists(st.integers(1, 300), min_size=1, max_size=200))
def test_messages_arrive_once_and_in_order_however_the_stream_is_cut(
    script: list[tuple[bool, int]], cuts: list[int]
) -> None:
    arrived: list[Any] = []

    def handler(message: Any, reply: Reply | None, link: Link) -> None:
        arrived.append(message)
        if reply is not None:
            reply(Note(-message.number))

    loop, a, b = _pair(handler)
    answers: dict[int, Any] = {}
    sent = [Note(number, b"x" * size) for number, (_, size) in enumerate(script)]
    for message, (is_call, size) in zip(sent, script, strict=True):
        if is_call:
            a.connection.call(message, lambda answer, n=message.number: answers.update({n: answer}), 10)
        else:
            a.connection.cast(message)
        if size % 3 == 0:
            loop.run_for(0)
    loop.run_for(0)
    for cut in cuts:
        _carry(a, b, cut)
    _settle(loop, a, b)
    assert arrived == sent
    assert answers == {n: Note(-n) for n, (is_call, _) in enumerate(script) if is_call}


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_of_a_peer_hurt(data: bytes, framed: bool) -> None:
    _, _, b = _pair(_echo)
    b.connection.data_received(struct.pack(">I", len(data)) + data if framed else data)
    assert b.owner.events[0] == "ready"


@pytest.mark.parametrize(
    "payload",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x91\x92\x00\x93\x02\x01\xc4",
        b"\x91" * 100_000,
        msgspec.msgpack.encode([(0, Other(1))]),
        msgspec.msgpack.encode({"a": 1}),
        b"\x91\x92\x00\x93\x02\x01\xa1\xff",
    ],
)
def test_a_malformed_frame_is_one_log_line_and_the_end(
    payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    _, _, b = _pair(_echo)
    b.connection.data_received(struct.pack(">I", len(payload)) + payload)
    assert b.owner.events == ["ready", "malformed frame"]
    assert b.counts.malformed == 1
    assert len(caplog.records) == 1


def test_a_frame_beyond_the_cap_is_not_waited_for() -> None:
    _, _, b = _pair(_echo)
    b.connection.data_received(struct.pack(">I", FRAME_BYTES_MAX + 1))
    assert b.owner.events == ["ready", "malformed frame"]


def test_nothing_is_handled_before_hello() -> None:
    loop = VirtualLoop()
    handled: list[Any] = []
    b = _end(loop, SERVER, lambda message, reply, link: handled.append(message), first=False)
    frame = msgspec.msgpack.encode([(0, Note(1))])
    b.connection.data_received(struct.pack(">I", len(frame)) + frame)
    assert handled == []
    assert b.owner.events == ["malformed frame"]
    assert not b.pipe.waiting  # and nothing is said to such a peer


def test_an_unknown_version_is_refused() -> None:
    loop = VirtualLoop()
    a = _end(loop, Hello(2, "eu", "router-9", "router"), _ignore, first=True)
    b = _end(loop, SERVER, _echo, first=False)
    _settle(loop, a, b)
    assert len(b.owner.events) == 1
    assert "refused router router-9 of region eu" in b.owner.events[0]
    assert "version 2, not 1" in b.owner.events[0]
    assert not a.connection.connected


def test_what_one_pass_leaves_waiting_is_one_frame() -> None:
    loop, a, b = _pair(_echo)
    frames = a.counts.frames_sent
    answers: list[Any] = []
    for number in range(100):
        a.connection.call(Note(number), answers.append, 1)
    _settle(loop, a, b)
    assert a.counts.frames_sent == frames + 1
    assert answers == [Note(number) for number in range(100)]


def test_a_frame_is_closed_at_its_size_and_the_count_is_exact() -> None:
    loop, a, b = _pair(_echo)
    answers: list[Any] = []
    for number in range(5):
        a.connection.call(Note(number, bytes(FRAME_BYTES // 2 + 1)), answers.append, 1)
    _settle(loop, a, b)
    assert [answer.number for answer in answers] == [0, 1, 2, 3, 4]
    assert a.counts.frames_sent == 1 + 3
    assert a.counts.messages_sent == b.counts.messages_received == 1 + 5


def test_a_call_that_is_lost_says_whether_it_was_sent() -> None:
    loop, a, _ = _pair(_echo)
    failures: list[LinkFailure] = []
    a.connection.call(Note(1), failures.append, 1)
    loop.run_for(0)
    a.connection.call(Note(2), failures.append, 1)
    a.connection.connection_lost(ConnectionResetError("reset"))
    assert sorted(failure.sent for failure in failures) == [False, True]
    assert a.owner.events == ["ready", "connection lost: reset"]
    a.connection.call(Note(3), failures.append, 1)
    assert not failures[-1].sent


def test_while_the_transport_is_full_calls_stay_unsent_and_the_outbox_is_bounded() -> None:
    loop, a, b = _pair(_echo, Limits(outbox_bytes=100_000))
    a.connection.pause_writing()
    answers: list[Any] = []
    for number in range(20):
        a.connection.call(Note(number, bytes(10_000)), answers.append, 60)
        a.connection.cast(Note(number, bytes(10)))
    loop.run_for(0)
    refused = len(answers)
    assert refused == 20 - 10  # the tenth took it past its bound
    assert all(isinstance(answer, LinkFailure) and not answer.sent for answer in answers)
    assert (a.counts.calls_refused, a.counts.casts_dropped) == (refused, refused + 1)
    assert not a.pipe.waiting
    a.connection.resume_writing()
    _settle(loop, a, b)
    assert [answer.number for answer in answers[refused:]] == list(range(10))
    a.connection.pause_writing()
    a.connection.call(Note(0), answers.append, 60)
    loop.run_for(0)
    a.connection.connection_lost(None)
    assert not answers[-1].sent


def test_a_peer_that_never_reads_its_answers_is_disconnected() -> None:
    loop, a, b = _pair(_echo, Limits(outbox_bytes=1_000_000))
    b.connection.pause_writing()
    for _ in range(8):
        for number in range(5):
            a.connection.call(Note(number, bytes(100_000)), lambda _: None, 60)
        loop.run_for(0)
        _carry(a, b)
    assert b.owner.events == ["ready", "the peer does not read its answers"]


def test_a_call_times_out_once_and_its_late_answer_is_dropped() -> None:
    replies: list[Reply] = []

    def keep(message: Any, reply: Reply | None, link: Link) -> None:
        assert reply is not None
        replies.append(reply)

    loop, a, b = _pair(keep)
    answers: list[Any] = []
    a.connection.call(Note(1), answers.append, 0.5)
    a.connection.call(Note(2), answers.append, 5.0)
    for _ in range(7):
        loop.run_for(0.1)
        _carry(a, b)
    assert [answer.sent for answer in answers] == [True]
    for reply in replies:
        reply(Note(9))
    _settle(loop, a, b)
    assert answers[1:] == [Note(9)]
    assert (a.counts.calls_timed_out, a.counts.answers_late) == (1, 1)


def test_idle_peers_keep_each_other_alive_and_a_silent_one_is_dropped() -> None:
    loop, a, b = _pair(_echo)
    for _ in range(100):
        loop.run_for(0.1)
        _carry(a, b)
        _carry(b, a)
    assert a.connection.connected
    failures: list[LinkFailure] = []
    a.connection.call(Note(1), failures.append, 60)
    for _ in range(39):  # b is stopped now
        loop.run_for(0.1)
    assert a.connection.connected
    loop.run_for(0.5)
    assert not a.connection.connected
    assert a.pipe.gone
    assert [failure.sent for failure in failures] == [True]


def test_a_process_that_stood_still_itself_blames_nobody() -> None:
    loop, a, b = _pair(_echo)
    answers: list[Any] = []
    a.connection.call(Note(1), answers.append, 1)
    loop.run_for(0.01)
    _carry(a, b)
    loop.run_for(0.01)
    loop.stand_still(30)
    loop.run_for(0.05)
    _carry(b, a)
    assert answers == [Note(1)]
    loop.run_for(3)
    assert a.connection.connected
    loop.stand_still(30)  # and the peer with it: it needs a moment to be heard of
    loop.run_for(0.95)
    assert a.connection.connected
    loop.run_for(1)
    assert not a.connection.connected


def test_a_failing_handler_hangs_up_with_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def broken(message: Any, reply: Reply | None, link: Link) -> None:
        raise KeyError("ours")

    loop, a, b = _pair(broken)
    a.connection.cast(Note(1))
    _settle(loop, a, b)
    assert b.owner.events == ["ready", "a handler failed"]
    assert "KeyError" in caplog.text


def test_what_cannot_be_encoded_fails_its_sender_and_nobody_else() -> None:
    loop, a, b = _pair(_echo)
    answers: list[Any] = []
    a.connection.call(Note(1), answers.append, 1)
    with pytest.raises(TypeError):
        a.connection.cast(Note(cast("int", object()), b"x" * 100))
    a.connection.call(Note(2), answers.append, 1)
    _settle(loop, a, b)
    assert answers == [Note(1), Note(2)]


def test_a_reply_after_the_end_is_dropped() -> None:
    replies: list[Reply] = []
    loop, a, b = _pair(lambda message, reply, link: replies.append(cast("Reply", reply)))
    a.connection.call(Note(1), lambda _: None, 1)
    _settle(loop, a, b)
    b.connection.connection_lost(None)
    replies[0](Note(2))
    loop.run_for(0)
    assert not b.pipe.waiting


# ---- real sockets ------------------------------------------------------------------------------------


def _run(test: Callable[[AsyncExitStack], Awaitable[None]]) -> None:
    """The stack closes what the test has opened, however it ends."""

    async def within_time() -> None:
        async with asyncio.timeout(20), AsyncExitStack() as stack:
            await test(stack)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(within_time())


class Door:
    """A server and how many links it has had."""

    def __init__(
        self, stack: AsyncExitStack, handler: Handler, hello: Hello = SERVER, region: str | None = None
    ) -> None:
        self.ups: list[Connection] = []
        self.downs: list[Connection] = []
        self.server = WireServer(
            CODEC,
            hello,
            handler,
            asyncio.get_running_loop(),
            self.ups.append,
            self.downs.append,
            region=region,
        )
        stack.push_async_callback(self.server.close)

    async def start(self, port: int = 0) -> str:
        return f"127.0.0.1:{await self.server.start('127.0.0.1', port)}"


class Caller:
    """A client whose ups and downs can be waited for."""

    def __init__(
        self,
        stack: AsyncExitStack,
        address: str,
        handler: Handler = _ignore,
        *,
        name: str | None = None,
        region: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.up = asyncio.Event()
        self.down = asyncio.Event()
        self.client = WireClient(
            address,
            CODEC,
            CLIENT,
            handler,
            asyncio.get_running_loop(),
            lambda _: self.up.set(),
            lambda _: self.down.set(),
            Random(1).random,
            name=name,
            region=region,
            limits=limits,
        )
        self.client.start()
        stack.push_async_callback(self.client.close)

    async def ask(self, message: Any, seconds: float = 5) -> Any:
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.client.call(message, answered.set_result, seconds)
        return await answered


def test_calls_both_ways_over_a_real_connection() -> None:
    async def test(stack: AsyncExitStack) -> None:
        door = Door(stack, _echo)
        caller = Caller(stack, await door.start(), _echo, name="node-1", region="eu")
        await caller.up.wait()
        assert caller.client.peer == "node-1"
        assert door.ups[0].peer == "router-1"
        answers = await asyncio.gather(*(caller.ask(Note(n, bytes(n * 100))) for n in range(300)))
        assert [answer.number for answer in answers] == list(range(300))
        pushed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        door.ups[0].call(Note(7), pushed.set_result, 5)
        assert await pushed == Note(7)
        await caller.client.close()
        assert caller.down.is_set()
        await door.server.close()

    _run(test)


def test_megabytes_in_both_directions_at_once() -> None:
    async def test(stack: AsyncExitStack) -> None:
        door = Door(stack, _echo)
        caller = Caller(stack, await door.start())
        await caller.up.wait()
        big = bytes(3_000_000)
        answers = await asyncio.gather(*(caller.ask(Note(n, big)) for n in range(5)))
        assert [(answer.number, len(answer.text)) for answer in answers] == [(n, len(big)) for n in range(5)]
        await caller.client.close()
        await door.server.close()

    _run(test)


def test_it_connects_again_when_the_server_is_back() -> None:
    async def test(stack: AsyncExitStack) -> None:
        door = Door(stack, _echo)
        address = await door.start()
        caller = Caller(stack, address)
        await caller.up.wait()
        caller.up.clear()
        await door.server.close()
        await caller.down.wait()
        assert await caller.ask(Note(1)) == LinkFailure(False, "node-1: not connected")
        again = Door(stack, _echo)
        await again.start(split_address(address)[1])
        await caller.up.wait()
        assert await caller.ask(Note(2)) == Note(2)
        await caller.client.close()
        await again.server.close()

    _run(test)


def test_a_stranger_is_refused_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def test(stack: AsyncExitStack) -> None:
        door = Door(stack, _echo, region="us")
        caller = Caller(stack, await door.start())
        while len([record for record in caplog.records if "expected region us" in record.message]) < 2:
            await asyncio.sleep(0.01)
        assert not caller.up.is_set()
        await caller.client.close()
        await door.server.close()

    with caplog.at_level(logging.WARNING):
        _run(test)
    at_client = [record for record in caplog.records if record.message.startswith("link to")]
    assert len(at_client) == 1  # attempts repeat, the complaint does not


def test_a_client_knows_whom_it_wants(caplog: pytest.LogCaptureFixture) -> None:
    async def test(stack: AsyncExitStack) -> None:
        door = Door(stack, _echo)
        caller = Caller(stack, await door.start(), name="node-2")
        while "expected node-2" not in caplog.text:
            await asyncio.sleep(0.01)
        assert not caller.up.is_set()
        await caller.client.close()
        await door.server.close()

    _run(test)


def test_a_peer_that_accepts_and_says_nothing_is_given_up() -> None:
    async def test(stack: AsyncExitStack) -> None:
        mute = socket.create_server(("127.0.0.1", 0))
        limits = Limits(sweep_seconds=0.01, silence_seconds=0.05)
        caller = Caller(stack, f"127.0.0.1:{mute.getsockname()[1]}", limits=limits)
        while caller.client.counts.connections < 3:
            await asyncio.sleep(0.01)
        assert not caller.client.connected
        await caller.client.close()
        mute.close()

    _run(test)


def test_closing_writes_out_what_waits() -> None:
    async def test(stack: AsyncExitStack) -> None:
        arrived: list[Any] = []
        door = Door(stack, lambda message, reply, link: arrived.append(message))
        caller = Caller(stack, await door.start())
        await caller.up.wait()
        for number in range(50):
            caller.client.cast(Note(number, bytes(50_000)))
        await caller.client.close()
        while not door.downs:
            await asyncio.sleep(0.01)
        assert [message.number for message in arrived] == list(range(50))
        await door.server.close()

    _run(test)


@pytest.mark.parametrize(
    ("address", "parts"),
    [("localhost:80", ("localhost", 80)), ("[::1]:9", ("::1", 9)), ("10.0.0.1:65535", ("10.0.0.1", 65535))],
)
def test_addresses(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["", "host", "host:", "host:http"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="not host:port"):
        split_address(address)


# ---- inside one process ------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers())
def test_a_local_call_is_answered_before_it_returns_with_the_very_object(number: int) -> None:
    pushed: list[Any] = []

    def node(message: Any, reply: Reply | None, link: Link) -> None:
        link.cast(message)
        if reply is not None:
            reply(message)

    to_router, to_node = local_links(
        "node-1", node, "router-1", lambda message, reply, link: pushed.append((message, link))
    )
    note = Note(number)
    answers: list[Any] = []
    to_node.call(note, answers.append, 1)
    to_node.cast(note)
    assert answers == [note]
    assert answers[0] is note
    assert pushed == [(note, to_node), (note, to_node)]
    assert (to_node.peer, to_router.peer) == ("node-1", "router-1")
    to_router.close()
    to_node.call(note, answers.append, 1)
    assert answers[-1] == LinkFailure(False, "node-1: not connected")
