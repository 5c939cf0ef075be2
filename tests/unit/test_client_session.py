"""Pipelined sessions of the client: order, batching, bounds, deadlines, and what a break leaves known."""

from __future__ import annotations

import asyncio

import pytest

from kvorum.client import AsyncClient, IndefiniteError, Throttled, Unavailable, ValidationError
from kvorum.model import errors
from kvorum.router.grpc import GrpcDoor
from tests.kit.fake_store import FakeStore, Gate
from tests.kit.grpc_door import asynchronous, opened
from tests.kit.relay import Relay


@asynchronous
async def test_every_call_gets_its_own_answer_in_any_order() -> None:
    store, gate = FakeStore(), Gate()
    async with opened(store) as address, AsyncClient(address) as client, client.session() as session:
        store.script.append(gate.pass_through)
        late = session.put_item("t", {"id": "late"})
        early = session.put_item("t", {"id": "early", "n": 1})
        await early
        assert await session.get_item("t", {"id": "early"}) == {"id": "early", "n": 1}
        assert await session.update_item("t", {"id": "u"}, return_values="ALL_NEW") == {"id": "u"}
        assert not late.done()
        gate.open()
        assert await late is None
        page = await session.scan_page("t", limit=10)
        assert sorted(item["id"] for item in page.items) == ["early", "late", "u"]
        store.script.append(errors.validation("no"))
        with pytest.raises(ValidationError):
            await session.delete_item("t", {"id": "u"})


@asynchronous
async def test_calls_made_together_travel_together_and_leaving_waits_for_them() -> None:
    store = FakeStore()
    async with opened(store) as address, AsyncClient(address) as client:
        async with client.session() as session:
            puts = [session.put_item("t", {"id": number}) for number in range(500)]
        assert all(put.done() for put in puts)
        assert len(store.items) == 500
        assert session._sent_id == 500


@asynchronous
async def test_large_calls_are_cut_into_several_messages() -> None:
    store = FakeStore()
    async with opened(store) as address, AsyncClient(address) as client, client.session() as session:
        puts = [session.put_item("t", {"id": number, "body": b"x" * 390_000}) for number in range(40)]
        await asyncio.gather(*puts)
        got = await asyncio.gather(*(session.get_item("t", {"id": number}) for number in range(40)))
        assert all(item is not None and len(item["body"]) == 390_000 for item in got)


@asynchronous
async def test_a_full_session_refuses_definitely() -> None:
    store, gate = FakeStore(), Gate()
    store.script.extend([gate.pass_through] * 2)
    async with (
        opened(store) as address,
        AsyncClient(address) as client,
        client.session(in_flight_max=2) as session,
    ):
        first = [session.put_item("t", {"id": number}) for number in range(2)]
        with pytest.raises(Throttled):
            await session.put_item("t", {"id": 9})
        gate.open()
        await asyncio.gather(*first)
        await session.put_item("t", {"id": 3})
    assert len(store.calls) == 3


@asynchronous
async def test_a_broken_stream_tells_reads_from_writes_and_sent_from_unsent() -> None:
    store, gate = FakeStore(), Gate()
    async with (
        opened(store) as address,
        Relay(int(address.rpartition(":")[2])) as relay,
        AsyncClient(relay.address) as client,
        client.session() as session,
    ):
        store.script.extend([gate.pass_through] * 2)
        write = session.put_item("t", {"id": "a"})
        read = session.get_item("t", {"id": "a"})
        for _ in range(2):
            await gate.arrived.acquire()
        relay.cut()
        with pytest.raises(IndefiniteError) as raised:
            await write
        assert raised.value.code == "ConnectionLost"
        with pytest.raises(Unavailable):
            await read
        with pytest.raises(Unavailable) as after:
            await session.put_item("t", {"id": "b"})
        assert (after.value.code, after.value.definite) == ("SessionClosed", True)
    assert len(store.calls) == 2


@asynchronous
async def test_a_stopping_router_leaves_no_write_in_doubt() -> None:
    store, gate = FakeStore(), Gate()
    door = GrpcDoor(store)
    address = f"127.0.0.1:{await door.start('127.0.0.1', 0)}"
    async with AsyncClient(address) as client, client.session() as session:
        store.script.append(gate.pass_through)
        begun = session.put_item("t", {"id": "a"})
        await gate.arrived.acquire()
        stopping = asyncio.create_task(door.stop(20))
        await asyncio.sleep(0)
        unread = session.put_item("t", {"id": "b"})
        gate.open()
        await begun
        with pytest.raises(Unavailable) as raised:
            await unread
        assert raised.value.code == "SessionClosed"
        await stopping
    assert len(store.calls) == 1


@asynchronous
async def test_each_call_has_its_deadline_and_late_answers_are_dropped() -> None:
    store, gate = FakeStore(), Gate()
    store.script.extend([gate.pass_through] * 2)
    async with opened(store) as address, AsyncClient(address) as client, client.session() as session:
        write = session.put_item("t", {"id": "a"}, timeout_seconds=0.1)
        read = session.get_item("t", {"id": "a"}, timeout_seconds=0.1)
        with pytest.raises(IndefiniteError, match="DeadlineExceeded"):
            await write
        with pytest.raises(Unavailable, match="DeadlineExceeded"):
            await read
        gate.open()
        assert await session.get_item("t", {"id": "a"}) == {"id": "a"}


@asynchronous
async def test_a_block_left_by_an_exception_does_not_wait() -> None:
    store, gate = FakeStore(), Gate()
    store.script.append(gate.pass_through)
    async with opened(store) as address, AsyncClient(address) as client:
        session = client.session()
        puts: list[asyncio.Future[object]] = []

        async def leave() -> None:
            async with session:
                puts.append(session.put_item("t", {"id": "a"}))
                await gate.arrived.acquire()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await leave()
        with pytest.raises(IndefiniteError):
            await puts[0]
        with pytest.raises(Unavailable):
            await session.put_item("t", {"id": "b"})


@asynchronous
async def test_a_cancelled_call_does_not_disturb_the_others() -> None:
    store, gate = FakeStore(), Gate()
    store.script.append(gate.pass_through)
    async with opened(store) as address, AsyncClient(address) as client, client.session() as session:
        put = session.put_item("t", {"id": "a"})
        await gate.arrived.acquire()
        put.cancel()
        gate.open()
        assert await session.get_item("t", {"id": "b"}) is None


@asynchronous
async def test_a_session_opens_at_the_endpoint_that_can_be_reached() -> None:
    store = FakeStore()
    async with opened(store) as address:
        async with Relay(1) as relay:
            gone = relay.address
        async with AsyncClient([gone, address]) as client, client.session() as session:
            await session.put_item("t", {"id": "a"})
        async with AsyncClient(gone, timeout_seconds=0.3) as client:
            with pytest.raises(Unavailable):
                async with client.session():
                    raise AssertionError("opened")
