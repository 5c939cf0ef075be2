"""Placement against scripted nodes and a clock that the test moves."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.control.directory import Directory
from kvorum.control.messages import (
    ControlUpdates,
    Elsewhere,
    Leading,
    PageAnswer,
    Propose,
    Proposed,
    ReadItem,
    ReadRange,
    ReadStatistics,
    RecordAnswer,
    Refused,
    ShipAnswer,
    Stale,
    StatisticsAnswer,
    Watch,
    WriteAnswer,
    WriteItem,
)
from kvorum.control.state import Command, CreateTable, DeleteTable, NodeRecord, Partition, Update
from kvorum.model.errors import ApiError
from kvorum.model.requests import Put
from kvorum.model.table import KeyPart, KeySchema, Table, TableStatus
from kvorum.replication.link import LinkFailure, Reply
from kvorum.router.awaited import Clocks
from kvorum.router.placement import ABANDON_SECONDS, PROBE_SECONDS, Placement
from kvorum.router.request import PlacementLimits

KEY = bytes(8) + b"k"
ZONES = {"a": "zone-a", "b": "zone-b", "c": "zone-c"}
NOT_SENT = LinkFailure(False, "not connected")
PERHAPS_SENT = LinkFailure(True, "lost")
REQUEST_SECONDS = 8.0


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._cancelled: set[int] = set()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        number = next(self._numbers)
        heapq.heappush(self._timers, (self.now + seconds, number, callback))
        return FakeTimer(lambda: self._cancelled.add(number))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            self.now, number, callback = heapq.heappop(self._timers)
            if number not in self._cancelled:
                callback()
        self.now = end


class FakeTimer:
    def __init__(self, cancel: Callable[[], None]) -> None:
        self.cancel = cancel


class FakeLink:
    """A node at the end of a link. `script` answers at once, or not (None): then the test does, from `calls`."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.connected = True
        self.casts: list[Any] = []
        self.calls: list[tuple[Any, Reply]] = []
        self.script: Callable[[Any], Any] = lambda message: None

    @property
    def asked(self) -> list[Any]:
        return [message for message, _ in self.calls]

    def cast(self, message: Any) -> None:
        self.casts.append(message)

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        assert 0 < timeout_seconds <= REQUEST_SECONDS
        self.calls.append((message, done))
        answer = self.script(message) if self.connected else NOT_SENT
        if answer is not None:
            done(answer)

    def answer(self, answer: Any, number: int = -1) -> None:
        self.calls[number][1](answer)


class Region:
    """Three nodes in three zones, one table of one partition, a router in `zone`."""

    def __init__(self, zone: str = "", limits: PlacementLimits | None = None, *, known: bool = True) -> None:
        self.clock = FakeClock()
        self.links = {name: FakeLink(name) for name in ZONES}
        self.directory = Directory()
        uuids = count()
        self.placement = Placement(
            region="here",
            account="123456789012",
            zone=zone,
            directory=self.directory,
            links=self.links,
            clocks=Clocks(
                lambda: self.clock.now,
                lambda: int(self.clock.now * 1000),
                lambda: f"uuid-{next(uuids)}",
                self.clock.call_later,
            ),
            limits=limits,
        )
        self.table = Table(
            id=1,
            name="T",
            status=TableStatus.ACTIVE,
            keys=KeySchema(KeyPart("PK", "S")),
            uuid="u",
            created_ms=0,
        )
        if known:
            self.push(self.updates(), version=1)

    def updates(self, epoch: int = 1, preferred: str = "a") -> list[Update]:
        nodes = [
            Update("node", name, NodeRecord(name=name, zone=zone, address="")) for name, zone in ZONES.items()
        ]
        return [*nodes, Update("table", "T", self.table), self.partition_update(epoch, preferred)]

    def partition_update(self, epoch: int = 1, preferred: str = "a", **further: Any) -> Update:
        partition = Partition(
            id=7,
            table_id=1,
            lower=0,
            upper=2**64 - 1,
            epoch=epoch,
            replicas=tuple(ZONES),
            preferred_leader=preferred,
            **further,
        )
        return Update("partition", "7", partition)

    def push(self, updates: list[Update], version: int, after: int = -1) -> None:
        self.placement.handle(ControlUpdates(version, False, updates, after), None, self.links["a"])

    def leading(self, node: str, term: int) -> None:
        self.placement.handle(Leading(node, [(7, term)]), None, self.links[node])

    def write(self) -> list[Any]:
        results: list[Any] = []
        self.placement.send_write(self.table, Put(KEY, b"{}", 2), results.append)
        return results

    def read(self, *, strong: bool) -> list[Any]:
        results: list[Any] = []
        self.placement.send_read(self.table, KEY, strong, results.append)
        return results

    def sent(self) -> dict[str, int]:
        return {name: len(link.calls) for name, link in self.links.items() if link.calls}

    @property
    def partition(self) -> Partition:
        return self.directory.partitions[7]


WRITTEN = WriteAnswer(None, 0, 2, 5)
FOUND = RecordAnswer(b"record")


def code(results: list[Any]) -> str:
    (result,) = results
    assert isinstance(result, ApiError), result
    return result.code


# ---- the usual way -----------------------------------------------------------------------------------


def test_a_request_is_answered_within_the_call_that_sent_it() -> None:
    region = Region()
    region.links["a"].script = lambda message: WRITTEN
    assert region.write() == [WRITTEN]
    assert region.links["a"].asked == [WriteItem(7, 1, Put(KEY, b"{}", 2))]


def test_leaders_are_learned_from_what_nodes_push() -> None:
    region = Region()
    for node, term, leader in [("b", 3, "b"), ("c", 2, "b"), ("c", 4, "c"), ("b", 0, "c"), ("c", 0, None)]:
        region.leading(node, term)
        assert region.placement.leader_of(7) == leader


def test_elsewhere_is_followed_at_once_and_remembered() -> None:
    region = Region()
    region.links["a"].script = lambda message: Elsewhere(7, "c")
    region.links["c"].script = lambda message: WRITTEN
    assert region.write() == [WRITTEN]
    assert region.write() == [WRITTEN]
    assert region.sent() == {"a": 1, "c": 2}


def test_a_late_denial_does_not_unseat_a_newer_leader() -> None:
    region = Region()
    first = region.write()
    region.leading("c", 5)
    region.links["a"].answer(Elsewhere(7, "b"))
    region.links["c"].answer(WRITTEN)
    assert first == [WRITTEN]
    assert region.placement.leader_of(7) == "c"


def test_refused_is_the_callers_error() -> None:
    region = Region()
    region.links["a"].script = lambda message: Refused("x#Nope", "no", 400, b'{"Item":{"a":1}}', True)
    (error,) = region.write()
    assert (error.code, error.message, error.extra) == ("Nope", "no", {"Item": {"a": 1}})


# ---- when there is no leader -------------------------------------------------------------------------


def test_nodes_that_point_at_each_other_are_not_asked_for_ever() -> None:
    region = Region()
    region.links["a"].script = lambda message: Elsewhere(7, "b")
    region.links["b"].script = lambda message: Elsewhere(7, "a")
    region.links["c"].script = lambda message: Elsewhere(7, None)
    results = region.write()
    assert region.sent() == {"a": 1, "b": 1, "c": 1}
    region.leading("c", 9)
    assert region.sent()["c"] > 1
    assert not results


def test_who_waits_is_sent_as_soon_as_a_leader_says_so() -> None:
    region = Region()
    for link in region.links.values():
        link.script = lambda message: Elsewhere(7, None)
    waiting = [region.write() for _ in range(20)]
    assert region.placement.waiting == 20
    region.links["b"].script = lambda message: WRITTEN
    region.leading("b", 2)
    assert waiting == [[WRITTEN]] * 20
    assert region.placement.waiting == 0


def test_without_news_one_of_those_who_wait_goes_to_find_out() -> None:
    region = Region()
    for link in region.links.values():
        link.connected = False
    waiting = [region.write() for _ in range(20)]
    for link in region.links.values():
        link.connected = True
        link.calls.clear()
    region.clock.advance(PROBE_SECONDS)
    assert region.sent() == {"a": 1}
    region.links["a"].script = lambda message: WRITTEN
    region.links["a"].answer(WRITTEN)
    assert waiting == [[WRITTEN]] * 20


def test_a_node_that_connects_again_is_tried_at_once() -> None:
    region = Region()
    for link in region.links.values():
        link.connected = False
    results = region.write()
    region.links["b"].connected = True
    region.links["b"].script = lambda message: WRITTEN
    region.placement.connected(region.links["b"])
    assert results == [WRITTEN]


def test_nothing_happened_in_time_is_service_unavailable() -> None:
    region = Region()
    for link in region.links.values():
        link.connected = False
    results = region.write()
    region.clock.advance(REQUEST_SECONDS - 0.1)
    assert not results
    region.clock.advance(0.2)
    assert code(results) == "ServiceUnavailable"
    assert region.placement.waiting == 0


def test_waiting_is_bounded() -> None:
    region = Region(limits=PlacementLimits(waiting_max=3))
    for link in region.links.values():
        link.connected = False
    waiting = [region.write() for _ in range(3)]
    assert code(region.write()) == "ThrottlingException"
    assert waiting == [[]] * 3


def test_a_full_outbox_is_waited_for_without_asking_others() -> None:
    region = Region()
    region.leading("a", 1)
    region.links["a"].script = lambda message: LinkFailure(False, "outbox full")
    results = region.write()
    assert region.sent() == {"a": 1}
    assert region.placement.leader_of(7) == "a"
    region.links["a"].script = lambda message: WRITTEN
    region.clock.advance(PROBE_SECONDS)
    assert results == [WRITTEN]


# ---- definite and indefinite -------------------------------------------------------------------------


def test_a_write_that_may_have_happened_is_not_repeated() -> None:
    region = Region()
    results = region.write()
    region.links["a"].answer(PERHAPS_SENT)
    assert code(results) == "InternalServerError"
    assert not results[0].definite
    region.leading("b", 2)
    region.clock.advance(REQUEST_SECONDS)
    assert region.sent() == {"a": 1}


def test_a_former_leader_that_owes_an_answer_keeps_nobody_waiting() -> None:
    region = Region()
    region.leading("a", 3)
    results = region.write()
    region.leading("b", 4)
    region.clock.advance(ABANDON_SECONDS - 0.01)
    assert results == []  # a leader that handed over still answers
    region.clock.advance(0.02)
    assert [(error.code, error.definite) for error in results] == [("InternalServerError", False)]
    region.links["a"].answer(WriteAnswer(None, 0, 2, 9))
    assert len(results) == 1


def test_a_former_leader_that_handed_over_answers() -> None:
    region = Region()
    region.leading("a", 3)
    results = region.write()
    region.leading("b", 4)
    region.links["a"].answer(WriteAnswer(None, 0, 2, 9))
    region.clock.advance(1.0)
    assert results == [WriteAnswer(None, 0, 2, 9)]


@pytest.mark.parametrize("strong", [True, False])
def test_a_read_is_repeated_whatever_happened(strong: bool) -> None:
    region = Region()
    results = region.read(strong=strong)
    (first,) = region.sent()
    region.links[first].answer(PERHAPS_SENT)
    (second,) = set(region.sent()) - {first}
    region.links[second].answer(FOUND)
    assert results == [FOUND]


class Chaos:
    """Nodes that answer whenever, whatever; and what must hold of every write meanwhile."""

    def __init__(self) -> None:
        self.region = Region()
        self.results: list[list[Any]] = []
        self.answered: dict[int, Any] = {}  # by write: what its last attempt was answered with
        self._open: list[tuple[int, Reply]] = []
        self._version = 1
        for link in self.region.links.values():
            link.script = self._script(link)

    def _script(self, link: FakeLink) -> Callable[[Any], Any]:
        def receive(message: WriteItem) -> None:
            number = message.write.size
            assert self.answered.get(number) not in (WRITTEN, PERHAPS_SENT), "repeated"
            assert not self.results[number], "sent after its caller was answered"
            assert all(number != waiting for waiting, _ in self._open), "in flight twice"
            self._open.append((number, link.calls[-1][1]))

        return receive

    def leading(self, node: str, term: int) -> None:
        self.region.leading(node, term)

    def advance(self, seconds: float) -> None:
        self.region.clock.advance(seconds)

    def connect(self, node: str, up: bool) -> None:
        self.region.links[node].connected = up

    def map(self, preferred: str, epoch: int) -> None:
        self._version += 1
        self.region.push([self.region.partition_update(epoch, preferred)], self._version, self._version - 1)

    def write(self) -> None:
        self.results.append([])
        put = Put(KEY, b"{}", len(self.results) - 1)
        self.region.placement.send_write(self.region.table, put, self.results[-1].append)

    def answer(self, answer: Any, place: int) -> None:
        if self._open:
            number, done = self._open.pop(place % len(self._open))
            # What comes after a replaced leader was given up on tells its caller nothing any more.
            self.answered[number] = PERHAPS_SENT if self.results[number] else answer
            done(answer)

    def end(self) -> None:
        """Links lose what is in flight; every deadline passes."""
        for _ in range(2):
            while self._open:
                self.answer(PERHAPS_SENT, 0)
            self.advance(REQUEST_SECONDS + 1)


NODE = st.sampled_from(list(ZONES))
ANSWER = st.sampled_from(
    [WRITTEN, NOT_SENT, PERHAPS_SENT, Stale(7, 1), Stale(7, 99)]
    + [Elsewhere(7, node) for node in [None, *ZONES]]
)
EVENT = st.one_of(
    st.tuples(st.just("write")),
    st.tuples(st.just("answer"), ANSWER, st.integers(0, 30)),
    st.tuples(st.just("advance"), st.floats(0.01, 3.0)),
    st.tuples(st.just("leading"), NODE, st.integers(0, 5)),
    st.tuples(st.just("connect"), NODE, st.booleans()),
    st.tuples(st.just("map"), NODE, st.integers(1, 3)),
)


@given(st.lists(EVENT, max_size=60))
def test_a_write_ends_once_and_is_not_repeated_after_it_may_have_happened(
    events: list[tuple[Any, ...]],
) -> None:
    chaos = Chaos()
    for name, *arguments in events:
        getattr(chaos, name)(*arguments)
    chaos.end()
    assert chaos.region.placement.waiting == 0
    for number, (result,) in enumerate(chaos.results):
        match chaos.answered.get(number):
            case WriteAnswer():
                assert result == WRITTEN
            case LinkFailure(sent=True):
                assert result.code == "InternalServerError"
            case _:
                assert result.code == "ServiceUnavailable"


# ---- eventual reads ----------------------------------------------------------------------------------


def test_eventual_reads_prefer_the_routers_own_zone() -> None:
    region = Region(zone="zone-b")
    region.leading("a", 1)
    for _ in range(3):
        region.read(strong=False)
    assert region.sent() == {"b": 3}


def test_eventual_reads_are_spread_where_no_replica_is_near() -> None:
    region = Region(zone="zone-x")
    for _ in range(6):
        region.read(strong=False)
    assert region.sent() == {"a": 2, "b": 2, "c": 2}


def test_eventual_reads_see_what_this_router_has_written() -> None:
    region = Region(zone="zone-b")
    region.leading("a", 1)
    for index in (5, 9, 7):
        region.write()
        region.links["a"].answer(WriteAnswer(None, 0, 2, index))
    region.read(strong=False)
    region.read(strong=True)
    assert region.links["b"].asked == [ReadItem(7, 1, KEY, False, 9)]
    assert region.links["a"].asked[-1] == ReadItem(7, 1, KEY, True, 0)


def test_eventual_reads_fall_over_to_the_leader_last() -> None:
    region = Region(zone="zone-b")
    region.leading("a", 1)
    results = region.read(strong=False)
    region.links["b"].answer(Elsewhere(7, "a"))
    region.links["c"].answer(PERHAPS_SENT)
    region.links["a"].answer(FOUND)
    assert results == [FOUND]


def test_ranges_are_read_like_items() -> None:
    region = Region(zone="zone-b")
    region.leading("a", 1)
    page = PageAnswer([], None)
    for link in region.links.values():
        link.script = lambda message: page

    async def main() -> None:
        for strong in (True, False):
            answer = await region.placement.read_range(
                region.partition,
                b"",
                b"\xff",
                reverse=True,
                items_max=3,
                bytes_max=100,
                strong=strong,
            )
            assert answer == page

    asyncio.run(main())
    assert region.links["a"].asked == [ReadRange(7, 1, b"", b"\xff", True, 3, 100, True)]
    assert region.links["b"].asked == [ReadRange(7, 1, b"", b"\xff", True, 3, 100, False)]


# ---- maps that differ --------------------------------------------------------------------------------


def test_a_stale_map_is_asked_for_and_waited_for() -> None:
    region = Region()
    results = region.write()
    region.links["a"].answer(Stale(7, 2))
    assert region.links["a"].casts == [Watch(1)]
    assert len(region.links["a"].calls) == 1
    region.push([region.partition_update(epoch=2)], version=2, after=1)
    assert region.links["a"].asked[-1] == WriteItem(7, 2, Put(KEY, b"{}", 2))
    region.links["a"].answer(WRITTEN)
    assert results == [WRITTEN]


def test_a_map_that_came_in_between_is_used_at_once() -> None:
    region = Region()
    region.write()
    region.push([region.partition_update(epoch=2)], version=2, after=1)
    region.links["a"].answer(Stale(7, 2))
    assert [message.epoch for message in region.links["a"].asked] == [1, 2]


def test_a_node_behind_us_is_asked_again() -> None:
    region = Region()
    results = region.write()
    region.links["a"].answer(Stale(7, 0))
    region.links["a"].script = lambda message: WRITTEN
    region.clock.advance(PROBE_SECONDS)
    assert results == [WRITTEN]
    assert not region.links["a"].casts


@pytest.mark.parametrize("further", [None, {"dropping": True}])
def test_a_table_that_goes_while_a_request_waits(further: dict[str, Any] | None) -> None:
    region = Region()
    for link in region.links.values():
        link.connected = False
    results = region.write()
    gone = Update("partition", "7", None) if further is None else region.partition_update(**further)
    region.push([gone], version=2, after=1)
    assert code(results) == "ResourceNotFoundException"


def test_a_missed_change_is_asked_for() -> None:
    region = Region()
    region.push([region.partition_update(epoch=4)], version=4, after=3)
    assert region.links["a"].casts == [Watch(1)]
    assert region.directory.version == 1


# ---- control -----------------------------------------------------------------------------------------

COMMAND = DeleteTable(name="T")


def propose(region: Region, drive: Callable[[], None], command: Command = COMMAND) -> Any:
    """What `propose` returns or raises, when `drive` runs after it was sent."""

    async def main() -> Any:
        task = asyncio.create_task(region.placement.propose(command))
        await asyncio.sleep(0)
        drive()
        for _ in range(200):
            await asyncio.sleep(0)
            if task.done():
                break
            region.clock.advance(PROBE_SECONDS)
        try:
            return await task
        except ApiError as error:
            return error.code

    return asyncio.run(main())


def test_a_proposal_returns_when_the_directory_has_it() -> None:
    region = Region()
    proposed = Proposed(5, [])
    region.links["a"].script = lambda message: Elsewhere(0, "c")
    region.links["c"].script = lambda message: proposed
    versions: list[int] = []

    def drive() -> None:
        versions.append(region.directory.version)
        region.push([], version=5, after=1)

    assert propose(region, drive) == proposed
    assert versions == [1]
    assert region.links["c"].asked == [Propose(COMMAND)]
    assert region.sent() == {"a": 1, "c": 1}


def test_a_proposal_is_repeated_while_it_was_not_made() -> None:
    region = Region()
    for link in region.links.values():
        link.script = lambda message: Elsewhere(0, None)

    def drive() -> None:
        region.links["b"].script = lambda message: Proposed(1, [])

    assert propose(region, drive) == Proposed(1, [])


def test_a_proposal_that_may_have_been_made_is_not_repeated() -> None:
    region = Region()
    assert propose(region, lambda: region.links["a"].answer(PERHAPS_SENT)) == "InternalServerError"
    assert region.sent() == {"a": 1}


def test_a_birth_is_proposed_again_because_the_control_group_knows_it() -> None:
    region = Region()
    birth = CreateTable(
        name="N",
        keys=region.table.keys,
        table_uuid="u",
        created_ms=0,
        global_id="",
        regions=(),
        definition={},
        partitions=1,
    )
    answers = iter([PERHAPS_SENT, PERHAPS_SENT, Proposed(1, [])])
    for link in region.links.values():
        link.script = lambda message: next(answers)
    assert propose(region, lambda: None, birth) == Proposed(1, [])


def test_a_proposal_nobody_takes_is_service_unavailable() -> None:
    region = Region()
    for link in region.links.values():
        link.connected = False
    assert propose(region, lambda: None) == "ServiceUnavailable"


def test_a_proposal_refused() -> None:
    region = Region()
    region.links["a"].script = lambda message: Refused("x#ResourceInUseException", "", 400, b"", True)
    assert propose(region, lambda: None) == "ResourceInUseException"


def test_wait_active() -> None:
    region = Region()

    async def main(status: TableStatus | None) -> bool:
        changed = Table(
            id=1, name="T", status=TableStatus.CREATING, keys=region.table.keys, uuid="u", created_ms=0
        )
        version = region.directory.version
        region.push([Update("table", "T", changed)], version + 1, version)
        waiting = asyncio.create_task(region.placement.wait_active(1, 5.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        if status is None:
            region.clock.advance(5.0)
        else:
            region.push([Update("table", "T", region.table)], version + 2, version + 1)
        return await waiting

    assert asyncio.run(main(TableStatus.ACTIVE))
    assert not asyncio.run(main(None))


def test_statistics_are_the_sum_over_partitions() -> None:
    region = Region()
    half = 2**63
    numbers = {7: (0, half - 1), 8: (half, 2**64 - 1)}
    region.push(
        [
            Update(
                "partition",
                str(number),
                Partition(
                    id=number,
                    table_id=1,
                    lower=lower,
                    upper=upper,
                    epoch=2,
                    replicas=("a",),
                    preferred_leader="a",
                ),
            )
            for number, (lower, upper) in numbers.items()
        ],
        version=2,
        after=1,
    )
    region.links["a"].script = lambda message: StatisticsAnswer(message.partition, 100)
    assert asyncio.run(region.placement.statistics(region.table)) == StatisticsAnswer(15, 200)
    assert region.links["a"].asked == [ReadStatistics(7, 2), ReadStatistics(8, 2)]


def test_merges_are_repeated_whatever_happened() -> None:
    region = Region()
    answers = iter([PERHAPS_SENT, Elsewhere(7, None), ShipAnswer(3)])
    for link in region.links.values():
        link.script = lambda message: next(answers)
    assert asyncio.run(region.placement.merge(region.partition, "there", [])) == ShipAnswer(3)


def test_readiness_in_words() -> None:
    region = Region(known=False)
    for link in region.links.values():
        link.connected = False
    assert region.placement.ready() == "no node of here is connected"
    region.links["b"].connected = True
    region.placement.connected(region.links["b"])
    assert region.links["b"].casts == [Watch(-1)]
    assert "waiting for the control group" in str(region.placement.ready())
    region.push(region.updates(), version=1)
    assert region.placement.ready() is None


def test_the_first_directory_is_waited_for_until_the_deadline() -> None:
    region = Region(known=False)

    async def main() -> None:
        waiting = asyncio.create_task(region.placement.wait_directory())
        await asyncio.sleep(0)
        region.clock.advance(REQUEST_SECONDS)
        with pytest.raises(ApiError, match="unavailable"):
            await waiting
        waiting = asyncio.create_task(region.placement.wait_directory())
        await asyncio.sleep(0)
        region.push(region.updates(), version=1)
        await waiting

    asyncio.run(main())


def test_a_caller_that_goes_away_leaves_nothing_behind() -> None:
    region = Region()

    async def main() -> None:
        task = asyncio.create_task(region.placement.read(region.table, KEY, strong=True))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        region.links["a"].answer(FOUND)

    asyncio.run(main())
