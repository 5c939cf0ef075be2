"""The clients against a real door on loopback: results, errors, retries, failover, deadlines.

Waits between attempts take no time here: the clock is the test's.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvorum.client import (
    AsyncClient,
    Backoff,
    Client,
    ConditionalCheckFailed,
    DefiniteError,
    IndefiniteError,
    Index,
    KvorumError,
    Session,
    TableInUse,
    TableNotFound,
    Throttled,
    Unavailable,
    Unprocessed,
    ValidationError,
)
from kvorum.client.retries import Failure, Retries
from kvorum.model import errors
from tests.kit.fake_store import FakeStore, Gate
from tests.kit.grpc_door import FastClock, asynchronous, opened
from tests.kit.relay import Relay
from tests.unit.test_client_values import native_items

EVERY_TYPE: dict[str, Any] = {
    "id": "a",
    "whole": -(10**37),
    "exact": Decimal("0.1"),
    "raw": b"\x00\xff",
    "yes": True,
    "no": False,
    "nothing": None,
    "words": {"a", "b"},
    "counts": {1, Decimal("2.5")},
    "blobs": {b"a", b""},
    "list": [1, ["x", []], {}],
    "map": {"deep": {"er": None}},
}


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


# ---- results ------------------------------------------------------------------------------------------------


@asynchronous
async def test_items() -> None:
    store = FakeStore()
    async with opened(store) as address, AsyncClient(address) as client:
        assert await client.get_item("t", {"id": "a"}) is None
        assert await client.put_item("t", EVERY_TYPE) is None
        assert await client.get_item("t", {"id": "a"}, consistent=True, projection="x") == EVERY_TYPE
        assert await client.put_item("t", {"id": "a"}, return_values="ALL_OLD") == EVERY_TYPE
        updated = await client.update_item(
            "t", {"id": "a"}, "SET n = :n", values={":n": 5}, return_values="ALL_NEW", condition=None
        )
        assert updated == {"id": "a", "n": 5}
        assert await client.delete_item("t", {"id": "a"}, return_values="ALL_OLD") == updated
        assert await client.delete_item("t", {"id": "a"}, return_values="ALL_OLD") is None
    _, body = store.calls[2]
    assert body == {
        "TableName": "t",
        "Key": {"id": {"S": "a"}},
        "ConsistentRead": True,
        "ProjectionExpression": "x",
    }
    _, body = store.calls[4]
    assert body["UpdateExpression"] == "SET n = :n"
    assert body["ReturnValues"] == "ALL_NEW"


def test_any_item_comes_back_through_client_and_door() -> None:
    with asyncio.Runner() as runner:
        store = FakeStore()
        opening = opened(store)
        client = AsyncClient(runner.run(opening.__aenter__()))

        @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(native_items)
        def comes_back(attributes: dict[str, Any]) -> None:
            item = {**attributes, "id": "a"}
            runner.run(client.put_item("t", item))
            assert runner.run(client.get_item("t", {"id": "a"})) == item

        comes_back()
        runner.run(client.close())
        runner.run(opening.__aexit__(None, None, None))


@asynchronous
async def test_queries_and_scans_page_by_themselves() -> None:
    store = FakeStore(page_size=2)
    items = [{"id": f"{number:02}"} for number in range(11)]
    async with opened(store) as address, AsyncClient(address) as client:
        assert [item async for item in client.query("t", "id = :i", values={":i": "x"})] == []
        await client.batch_write("t", puts=items)
        store.calls.clear()
        query = client.query("t", "id = :i", values={":i": "x"}, page_size=3, forward=False)
        assert [item async for item in query] == items
        assert [body.get("ExclusiveStartKey") for _, body in store.calls] == [
            None,
            *({"id": {"S": text}} for text in ("02", "05", "08")),
        ]
        assert store.calls[0][1]["ScanIndexForward"] is False
        assert [len(page.items) async for page in client.scan("t").pages()] == [2, 2, 2, 2, 2, 1]
        found = [item["id"] async for item in client.scan("t", segments=4)]
        assert sorted(found) == [item["id"] for item in items]
        page = await client.scan_page("t", segment=(1, 3), limit=1)
        assert (page.items, page.last_key, page.scanned_count) == ([{"id": "01"}], {"id": "01"}, 1)
        following = await client.query_page("t", "id = :i", start_key={"id": "09"})
        assert (following.items, following.last_key) == ([{"id": "10"}], None)


@asynchronous
async def test_a_scan_that_is_left_early_asks_no_further() -> None:
    store = FakeStore(page_size=1)
    async with opened(store) as address, AsyncClient(address) as client:
        await client.batch_write("t", puts=[{"id": f"{number}"} for number in range(8)])
        store.calls.clear()
        pages = client.scan("t", segments=2).pages()
        assert len((await anext(pages)).items) == 1
        await pages.aclose()
        assert 1 <= len(store.calls) <= 2


@asynchronous
async def test_batches_of_any_size_and_what_was_left_undone_is_asked_again() -> None:
    store, time = FakeStore(), FastClock()
    items = [{"id": number} for number in range(130)]
    async with opened(store) as address, AsyncClient(address, clock=time.clock) as client:
        store.unprocessed = 2
        await client.batch_write("t", puts=items, deletes=[{"id": 999}])
        assert len(store.items) == 130
        sizes = [len(body["RequestItems"]["t"]) for _, body in store.calls]
        assert max(sizes) == 25
        assert sum(sizes) == 131 + 2
        assert time.sleeps == [0.025, 0.05]
        store.calls.clear()
        store.unprocessed = 1
        found = await client.batch_get("t", ({"id": number} for number in range(140)), consistent=True)
        assert sorted(item["id"] for item in found) == list(range(130))
        assert [len(body["RequestItems"]["t"]["Keys"]) for _, body in store.calls] == [100, 41]
        assert await client.batch_get("t", []) == []


@asynchronous
async def test_a_batch_that_cannot_go_on_tells_what_is_not_written() -> None:
    store, time = FakeStore(), FastClock()
    async with opened(store) as address, AsyncClient(address, clock=time.clock) as client:
        store.unprocessed = 10_000
        with pytest.raises(Unprocessed) as raised:
            await client.batch_write("t", puts=[{"id": 1}, {"id": 2}], deletes=[{"id": 3}])
        assert raised.value.code == "ThrottlingException"
        left = [*raised.value.puts, *raised.value.deletes]
        assert len(left) == 1
        store.unprocessed = 0
        store.script.extend([None, errors.validation("bad key")])
        with pytest.raises(Unprocessed, match="bad key") as raised:
            await client.batch_write("t", puts=[{"id": number} for number in range(30)])
        assert raised.value.puts == [{"id": number} for number in range(25, 30)]
        assert isinstance(raised.value.__cause__, ValidationError)
        store.script.append(errors.validation("at once"))
        with pytest.raises(ValidationError, match="at once"):
            await client.batch_write("t", deletes=[{"id": 1}])


@asynchronous
async def test_tables() -> None:
    store = FakeStore()
    async with opened(store) as address, AsyncClient(address) as client:
        created = await client.create_table(
            "orders",
            {"customer": "S", "number": "N"},
            indexes={
                "by-day": Index({"day": "S"}, projection=["total"]),
                "by-place": Index({"land": "S", "town": "S", "total": "N"}, partition_attributes=2),
                "by-total": Index({"customer": "S", "total": "N"}, projection="KEYS_ONLY", local=True),
            },
            capacity=(3, 4),
            stream="NEW_IMAGE",
        )
        _, body = store.calls[0]
        throughput = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
        assert body["ProvisionedThroughput"] == throughput
        assert body["GlobalSecondaryIndexes"] == [
            {
                "IndexName": "by-day",
                "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["total"]},
                "ProvisionedThroughput": throughput,
            },
            {
                "IndexName": "by-place",
                "KeySchema": [
                    {"AttributeName": "land", "KeyType": "HASH"},
                    {"AttributeName": "town", "KeyType": "HASH"},
                    {"AttributeName": "total", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": throughput,
            },
        ]
        assert body["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        assert created.status == "CREATING"
        described = await client.describe_table("orders")
        assert described.active
        assert list(described.key.items()) == [("customer", "S"), ("number", "N")]
        assert described.created == datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC)
        indexes = {index.name: (index.key, index.local, index.status) for index in described.indexes}
        assert indexes == {
            "by-total": ({"customer": "S", "total": "N"}, True, ""),
            "by-day": ({"day": "S"}, False, "ACTIVE"),
            "by-place": ({"land": "S", "town": "S", "total": "N"}, False, "ACTIVE"),
        }
        assert {index.name: index.partition_attributes for index in described.indexes}["by-place"] == 2
        for name in ("a", "b", "c"):
            await client.create_table(name, {"id": "B"})
        assert store.calls[-1][1]["BillingMode"] == "PAY_PER_REQUEST"
        assert await client.list_tables() == ["a", "b", "c", "orders"]
        assert (await client.delete_table("orders")).status == "DELETING"
        with pytest.raises(TableNotFound):
            await client.describe_table("orders")
        with pytest.raises(TableInUse):
            await client.create_table("a", {"id": "S"})
        with pytest.raises(TypeError, match="one attribute or two"):
            await client.create_table("d", {})
        for number in (0, 2):
            index = Index({"day": "S"}, partition_attributes=number)
            with pytest.raises(TypeError, match="partition key"):
                await client.create_table("d", {"id": "S"}, indexes={"by-day": index})


# ---- errors -------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_failed_condition_brings_the_item_however_large() -> None:
    store = FakeStore()
    item = {"id": "a", "body": b"x" * 400_000}
    async with opened(store) as address, AsyncClient(address) as client:
        await client.put_item("t", item)
        for asked, brought in ((True, item), (False, None)):
            with pytest.raises(ConditionalCheckFailed) as raised:
                await client.put_item("t", {"id": "a"}, condition="x", return_item_on_failure=asked)
            assert raised.value.item == brought
            assert raised.value.definite
        async with client.session() as session:
            with pytest.raises(ConditionalCheckFailed) as raised:
                await session.put_item("t", {"id": "a"}, condition="x", return_item_on_failure=True)
            assert raised.value.item == item


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.validation("no"), ValidationError),
        (errors.serialization("no"), ValidationError),
        (errors.resource_not_found(), TableNotFound),
        (errors.unknown_operation(), DefiniteError),
        (errors.internal_server_error(), IndefiniteError),
    ],
)
@asynchronous
async def test_what_retrying_cannot_help_is_raised_at_once(
    error: errors.ApiError, kind: type[KvorumError]
) -> None:
    store = FakeStore()
    async with opened(store) as address, AsyncClient(address) as client:
        store.script.append(error)
        with pytest.raises(kind) as raised:
            await client.put_item("t", {"id": "a"})
        assert type(raised.value) is kind
        assert (raised.value.code, raised.value.message) == (error.code, error.message)
        assert raised.value.definite is error.definite
    assert len(store.calls) == 1


# ---- retries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errors.throttled(), errors.service_unavailable()])
@asynchronous
async def test_what_definitely_did_not_happen_is_tried_again(error: errors.ApiError) -> None:
    store, time = FakeStore(), FastClock()
    async with opened(store) as address, AsyncClient(address, clock=time.clock) as client:
        store.script.extend([error, error])
        await client.put_item("t", {"id": "a"})
    assert store.operations() == ["PutItem"] * 3
    assert time.sleeps == [0.025, 0.05]


@asynchronous
async def test_a_read_is_tried_again_whatever_happened_to_it() -> None:
    store, time = FakeStore(), FastClock()
    async with opened(store) as address, AsyncClient(address, clock=time.clock) as client:
        store.script.append(errors.internal_server_error())
        assert await client.get_item("t", {"id": "a"}) is None
    assert len(store.calls) == 2


@asynchronous
async def test_the_deadline_is_over_all_attempts() -> None:
    store, time = FakeStore(), FastClock()
    async with opened(store) as address, AsyncClient(address, clock=time.clock) as client:
        store.script.extend([errors.throttled()] * 1_000)
        with pytest.raises(Throttled):
            await client.put_item("t", {"id": "a"}, timeout_seconds=5.0)
    assert 4.0 < time.now < 5.0
    assert time.sleeps == [0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    assert len(store.calls) == len(time.sleeps) + 1


@asynchronous
async def test_a_write_without_an_answer_in_time_is_indefinite_and_a_read_is_not() -> None:
    store, gate = FakeStore(), Gate()
    store.script.extend([gate.pass_through] * 2)
    async with opened(store) as address, AsyncClient(address) as client:
        with pytest.raises(IndefiniteError) as raised:
            await client.put_item("t", {"id": "a"}, timeout_seconds=0.2)
        assert (raised.value.code, raised.value.definite) == ("DeadlineExceeded", False)
        with pytest.raises(Unavailable) as read:
            await client.get_item("t", {"id": "a"}, timeout_seconds=0.2)
        assert (read.value.code, read.value.definite) == ("DeadlineExceeded", True)


@asynchronous
async def test_a_connection_lost_after_a_put_was_received() -> None:
    store = FakeStore()
    async with opened(store) as address, Relay(port_of(address)) as relay:

        async def cut() -> None:
            relay.cut()

        async with AsyncClient(relay.address, clock=FastClock().clock) as client:
            store.script.append(cut)
            with pytest.raises(IndefiniteError) as raised:
                await client.put_item("t", {"id": "a"})
            assert (raised.value.code, raised.value.definite) == ("ConnectionLost", False)
            assert store.operations() == ["PutItem"]
            store.script.append(cut)
            assert await client.get_item("t", {"id": "a"}) == {"id": "a"}  # it had happened
            assert store.operations() == ["PutItem", "GetItem", "GetItem"]


def test_waits_grow_with_full_jitter_up_to_a_limit() -> None:
    backoff = Backoff(first_seconds=0.1, most_seconds=1.0)
    assert [backoff.seconds(failures, 1.0) for failures in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert backoff.seconds(10**6, 0.25) == 0.25
    assert backoff.seconds(3, 0.0) == 0.0


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 4))
def test_other_endpoints_are_tried_at_once_but_each_only_once_before_a_wait(
    elsewhere: list[bool], endpoints: int
) -> None:
    retries = Retries(Backoff(), endpoints, lambda: 1.0)
    unwaited = 0
    for blame in elsewhere:
        wait = retries.wait_seconds(Failure(Unavailable("x", ""), blame), 1e9)
        assert wait is not None
        if wait == 0.0:
            assert blame
            unwaited += 1
        else:
            unwaited = 0
        assert unwaited < endpoints


# ---- failover -----------------------------------------------------------------------------------------------


@asynchronous
async def test_calls_move_to_another_endpoint_and_stay_there() -> None:
    first, second, time = FakeStore(), FakeStore(), FastClock()
    async with (
        opened(second) as survivor,
        opened(first) as address,
        Relay(port_of(address)) as relay,
        AsyncClient([relay.address, survivor], clock=time.clock) as client,
    ):
        await client.put_item("t", {"id": "a"})
        relay.refuse()
        relay.cut()
        for name in ("b", "c"):
            await put_when_the_break_is_known(client, name)
    assert first.operations() == ["PutItem"]
    assert second.operations() == ["PutItem"] * 2
    assert time.sleeps == []


async def put_when_the_break_is_known(client: AsyncClient, name: str) -> None:
    """gRPC learns of a reset only when the loop gives it a turn; a put sent before is rightly indefinite."""
    while client._current == 0 and client._endpoints[0].connected:
        await asyncio.sleep(0)
    await client.put_item("t", {"id": name})


@asynchronous
async def test_an_endpoint_that_never_was_costs_nothing_but_a_refusal() -> None:
    store, time = FakeStore(), FastClock()
    async with opened(store) as address:
        async with Relay(port_of(address)) as relay:
            gone = relay.address
        async with AsyncClient([gone, address], clock=time.clock) as client:
            await client.put_item("t", {"id": "a"})
        assert time.sleeps == []
        async with AsyncClient([gone, gone], timeout_seconds=3.0, clock=time.clock) as client:
            with pytest.raises(Unavailable, match="no connection"):
                await client.put_item("t", {"id": "a"})
        assert 0 < sum(time.sleeps) <= 3.0


@asynchronous
async def test_a_silent_listener_is_given_up_for_another_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts connections and never speaks HTTP/2."""
    monkeypatch.setattr("kvorum.client.asynchronous.CONNECT_SECONDS_MAX", 0.2)
    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    silent_port = silent.sockets[0].getsockname()[1]
    store = FakeStore()
    async with opened(store) as address, AsyncClient([f"127.0.0.1:{silent_port}", address]) as client:
        await client.put_item("t", {"id": "a"})
    silent.close()
    assert held
    for writer in held:
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert len(store.calls) == 1


@asynchronous
async def test_a_read_that_is_not_answered_is_asked_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvorum.client.asynchronous.READ_ATTEMPT_SECONDS_MIN", 0.0)
    slow, quick, gate = FakeStore(), FakeStore(), Gate()
    slow.script.append(gate.pass_through)
    async with opened(slow) as first, opened(quick) as second, AsyncClient([first, second]) as client:
        assert await client.get_item("t", {"id": "a"}, timeout_seconds=0.6) is None
    assert quick.operations() == ["GetItem"]


def test_a_client_needs_an_endpoint() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        AsyncClient([])


# ---- sync ---------------------------------------------------------------------------------------------------


@contextmanager
def opened_elsewhere(store: FakeStore) -> Iterator[str]:
    """The door on a thread of its own, for callers that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    opening = opened(store)
    try:
        yield asyncio.run_coroutine_threadsafe(opening.__aenter__(), loop).result(20)
    finally:
        asyncio.run_coroutine_threadsafe(opening.__aexit__(None, None, None), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_blocking_client() -> None:
    store, time = FakeStore(), FastClock()
    with opened_elsewhere(store) as address, Client(address, clock=time.clock) as client:
        client.create_table("t", {"id": "S"})
        assert client.list_tables() == ["t"]
        store.script.extend([errors.throttled(), errors.throttled()])
        client.put_item("t", EVERY_TYPE)
        assert client.get_item("t", {"id": "a"}) == EVERY_TYPE
        client.batch_write("t", puts=[{"id": f"{number}"} for number in range(30)])
        assert len(list(client.scan("t", segments=3))) == 31
        assert next(client.query("t", "id = :i", values={":i": "x"})) == {"id": "0"}
        assert len(client.batch_get("t", [{"id": "1"}, {"id": "nope"}])) == 1
        with pytest.raises(ConditionalCheckFailed):
            client.put_item("t", {"id": "a"}, condition="x")
        with pytest.raises(TypeError, match="Decimal"):
            client.put_item("t", {"id": 0.5})
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            client.get_item("t", {"id": "a"})


def test_both_clients_and_the_session_have_the_same_methods_signatures_and_words() -> None:
    def methods(kind: type) -> dict[str, Any]:
        return {name: method for name, method in vars(kind).items() if not name.startswith("_")}

    ours = methods(Client)
    theirs = methods(AsyncClient)
    assert ours.keys() - theirs.keys() == {"wait", "iterate"}
    assert theirs.keys() - ours.keys() == {"run", "session", "new_retries"}
    for name in (ours.keys() & theirs.keys()) - {"close"}:
        assert (
            inspect.signature(ours[name]).parameters.keys()
            == inspect.signature(theirs[name]).parameters.keys()
        )
        assert ours[name].__doc__ == theirs[name].__doc__
        assert ours[name].__doc__
    for name in methods(Session).keys() - {"submit"}:
        assert inspect.signature(methods(Session)[name]) == inspect.signature(theirs[name])
    assert "consistent" in inspect.signature(Client("127.0.0.1:1").get_item).parameters
