"""Requests as Hypothesis draws them, well-formed and broken: each is answered or refused in AWS's way, none with a
5xx, none with silence, none with a line in the server's log.

KVORUM_FUZZ_REQUESTS says how many of the first test (`make fuzz` asks for 20,000); without it all tests send more than
10,000 to `dev` and as many to `up`. `--hypothesis-seed=N` repeats a run, KVORUM_FUZZ_SEED what each of a crowd asks.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvorum.router.operations import registry
from tests.kit.boto import Client
from tests.kit.endpoints import Endpoint
from tests.kit.refusals import assert_error_fits
from tests.kit.service_model import assert_answer_fits
from tests.kit.wild_expressions import Dice
from tests.kit.wild_requests import CHANGING, TABLE, TABLE_DEFINITION, Author, requests
from tests.kit.wire_client import Reply, WireClient, request

OPERATIONS = sorted({**registry.READS, **registry.WRITES, **registry.COMPOUND})
_MUCH_TO_SAY = (
    *("BatchExecuteStatement", "BatchGetItem", "BatchWriteItem", "DeleteItem", "ExecuteStatement", "GetItem"),
    *("PutItem", "Query", "Scan", "UpdateItem"),
)
_CHANGE_TABLES = ["CreateTable", "UpdateTable", "DeleteTable"]
_DRAWN_FROM = [*_CHANGE_TABLES * 2, *_MUCH_TO_SAY * 4, *OPERATIONS]

_REQUESTS = int(os.environ.get("KVORUM_FUZZ_REQUESTS", "6500"))
_ANSWER_SECONDS_MAX = 5.0
_CROWD = 6


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


class Tally:
    """What was answered, by operation and error; and what the server's log had to say."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self._endpoint = endpoint
        self._crashes = 0

    def assert_no_crash(self) -> None:
        """Since the last time."""
        crashes = self._endpoint.crashes
        before, self._crashes = self._crashes, len(crashes)
        assert len(crashes) == before, crashes[-3:]

    def show(self) -> None:
        print(f"\n{self.answers.total()} requests: answered, refused")
        for operation in OPERATIONS:
            refused = sum(
                count for (name, error), count in self.answers.items() if name == operation and error
            )
            print(f"  {operation:<36}{self.answers[operation, '']:>8}{refused:>8}")


@pytest.fixture(scope="module")
def tally(client: Client, kvorum: Endpoint) -> Iterator[Tally]:
    """With it comes the table that the requests are about, and a few items."""
    client.create_table(**TABLE_DEFINITION)
    client.get_waiter("table_exists").wait(TableName=TABLE)
    for sort in ("1", "2"):
        client.put_item(TableName=TABLE, Item={"pk": {"S": "a"}, "sk": {"N": sort}, "a": {"N": "1"}})
    tally = Tally(kvorum)
    yield tally
    tally.show()
    for name in (TABLE, *CHANGING):
        with suppress(client.exceptions.ResourceNotFoundException):
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=name)


def _check(reply: Reply, endpoint: Endpoint) -> None:
    assert reply.status in (200, 400, 404, 413, *_may_fail(endpoint)), reply
    if reply.status == 400 and reply.body:
        assert_error_fits(None, reply.json)


def _may_fail(endpoint: Endpoint) -> tuple[int, ...]:
    """Statuses that callers are told to try again after, where nodes die."""
    return (500, 503) if endpoint.disturbed else ()


def _ask(operation: str, body: bytes, wire: WireClient, endpoint: Endpoint, tally: Tally) -> None:
    """Answered or refused as AWS does, soon, on a connection that stays usable."""
    started = time.monotonic()
    wire.send(request(operation, body))
    reply = wire.reply()
    assert endpoint.disturbed or time.monotonic() - started < _ANSWER_SECONDS_MAX
    assert reply.headers["connection"] == "keep-alive"
    assert reply.headers["content-type"] == "application/x-amz-json-1.0"
    if reply.status == 200:
        assert_answer_fits(operation, reply.json)
        tally.answers[operation, ""] += 1
    else:
        assert reply.status in (400, *_may_fail(endpoint)), reply
        assert_error_fits(operation, reply.json)
        tally.answers[operation, reply.error[0]] += 1


@_settings(_REQUESTS)
@given(drawn=st.data())
def test_bodies(kvorum: Endpoint, tally: Tally, wire: WireClient, drawn: st.DataObject) -> None:
    """Over one connection."""
    _ask(*drawn.draw(requests(_DRAWN_FROM)), wire, kvorum, tally)
    tally.assert_no_crash()


def test_a_crowd(kvorum: Endpoint, tally: Tally) -> None:
    """On several connections at once, so that tables and indexes come and go while they are used."""
    seed = int(os.environ.get("KVORUM_FUZZ_SEED", random.randrange(1 << 32)))

    def ask(member: int) -> None:
        author = Author(Dice(random.Random(f"{seed}/{member}").randrange))
        with WireClient(kvorum.address) as wire:
            for _ in range(_REQUESTS // 10):
                operation, body = author.request(_DRAWN_FROM + _CHANGE_TABLES * 8)
                try:
                    _ask(operation, body, wire, kvorum, tally)
                except BaseException as error:
                    error.add_note(f"KVORUM_FUZZ_SEED={seed}\n{operation} {body[:2_000]!r}")
                    raise

    with ThreadPoolExecutor(_CROWD) as pool:
        list(pool.map(ask, range(_CROWD)))
    tally.assert_no_crash()


@st.composite
def _broken(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` with a few bytes replaced, left out, repeated or put in."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.integers(0, 8)))
        piece = draw(
            st.one_of(
                st.just(b""),
                st.just(whole[start:end] * 2),
                st.binary(max_size=4),
                st.sampled_from(
                    (b"\r\n", b"\r\n\r\n", b'"', b"{", b"]", b"\\u0000", b"\xff", b":", b"0", b"-1")
                ),
            )
        )
        whole = whole[:start] + piece + whole[end:]
    return whole


@_settings(max(_REQUESTS // 10, 50))
@given(drawn=st.data())
def test_whole_requests(kvorum: Endpoint, tally: Tally, drawn: st.DataObject) -> None:
    """A few on a connection, broken anywhere: answers as long as the server can tell requests apart, then the
    end of the connection."""
    parts = [request(*drawn.draw(requests(_DRAWN_FROM))) for _ in range(drawn.draw(st.integers(1, 3)))]
    whole = drawn.draw(_broken(b"".join(parts)))
    with WireClient(kvorum.address) as wire, suppress(ConnectionError):
        wire.send(whole)
        wire.end()
        while True:
            _check(wire.reply(), kvorum)
    tally.assert_no_crash()
