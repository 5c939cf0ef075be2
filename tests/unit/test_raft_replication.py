"""How entries travel: pipelining and its caps, probing, catching up, asynchronous writes, truncation, and what
peers must not be able to break."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.replication.raft.core import Core, Ready, Refusal, Settings
from kvorum.replication.raft.messages import (
    AppendReply,
    AppendRequest,
    Entry,
    EntryKind,
    Heartbeat,
    HeartbeatReply,
    RaftMessage,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from tests.kit.raft_cluster import Cluster, Envelope
from tests.kit.raft_simulation import MILLISECOND


def appends_to(cluster: Cluster, name: str) -> list[AppendRequest]:
    return [e.message for e in cluster.wire if e.to == name and isinstance(e.message, AppendRequest)]


def commands(entries: list[Entry]) -> list[bytes]:
    return [entry.data for entry in entries if entry.kind is EntryKind.COMMAND]


def test_proposals_reach_everyone_in_order() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    for number in range(100):
        assert core.propose(b"%d" % number) == number + 2
    cluster.settle()
    for name in "abc":
        assert commands(cluster.applied[name]) == [b"%d" % number for number in range(100)]
    assert {c.shared_index for c in [core]} == {101}


def test_appends_leave_before_the_own_sync_and_commit_without_it() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    core.propose(b"x")
    ready = cluster.work("a")
    assert ready is not None
    assert ready.needs_sync
    assert len(appends_to(cluster, "b")) == len(appends_to(cluster, "c")) == 1
    for _ in range(2):
        cluster.deliver()
        for name in "bc":
            cluster.work(name)
            cluster.sync(name)
    assert core.commit_index == 2, "both followers hold it durably; the leader's own disk is still writing"
    assert core.shared_index == 1


def test_a_follower_answers_after_its_sync() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    core.propose(b"x")
    cluster.work("a")
    cluster.sync("a")
    cluster.deliver()
    ready = cluster.work("b")
    assert ready is not None
    assert ready.needs_sync
    assert [type(message) for _, message in ready.after_sync] == [AppendReply]
    assert not cluster.wire
    # A second append finds nothing to write, but its answer speaks of what is still being written.
    cluster["b"].step(AppendRequest(1, "a", 1, 2, 1, [], 1, 0, cluster.now_us), cluster.now_us)
    ready = cluster.work("b")
    assert ready is not None
    assert ready.needs_sync
    assert not ready.messages
    cluster.sync("b")
    assert len(cluster.wire) == 2
    cluster.deliver()
    assert core.commit_index == 2


def test_the_commit_index_travels_at_once_and_in_one_message() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    core.propose(b"x")
    sent: list[tuple[str, RaftMessage]] = []
    cluster.watch = lambda name, ready: sent.extend(ready.messages if name == "a" else [])
    cluster.settle()
    assert [cluster[name].commit_index for name in "abc"] == [2, 2, 2]
    assert len(sent) == 4, "the entry and the news of its commit, to each follower"


def test_healthy_followers_get_the_same_object() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    core.propose(b"x")
    cluster.work("a")
    assert appends_to(cluster, "b")[0] is appends_to(cluster, "c")[0]


def test_a_batch_is_cut_by_bytes() -> None:
    cluster = Cluster(settings=Settings(append_bytes_max=1000))
    core = cluster.elect("a")
    for _ in range(20):
        core.propose(bytes(100))
    cluster.work("a")
    sizes = [len(request.entries) for request in appends_to(cluster, "b")]
    assert sum(sizes) == 20
    assert max(sizes) == 6, "164 bytes each with their overhead"


def test_entries_under_way_are_capped() -> None:
    cluster = Cluster(settings=Settings(inflight_entries_max=5))
    core = cluster.elect("a")
    for _ in range(20):
        core.propose(b"x")
    cluster.work("a")
    assert sum(len(request.entries) for request in appends_to(cluster, "b")) == 5
    core.propose(b"x")
    cluster.work("a")
    assert sum(len(request.entries) for request in appends_to(cluster, "b")) == 5
    cluster.settle()
    assert cluster["b"].commit_index == 22


def test_bytes_under_way_are_capped() -> None:
    cluster = Cluster(settings=Settings(inflight_bytes_max=1000, append_bytes_max=400))
    core = cluster.elect("a")
    for _ in range(20):
        core.propose(bytes(100))
    cluster.work("a")
    weight = sum(len(entry.data) for request in appends_to(cluster, "b") for entry in request.entries)
    assert 600 <= weight <= 1000
    cluster.settle()
    assert cluster["b"].commit_index == 21


def test_a_probe_is_one_append() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    core.unreachable("b")
    for _ in range(5):
        core.propose(b"x")
        cluster.work("a")
    assert len(appends_to(cluster, "b")) == 1
    assert len(appends_to(cluster, "c")) == 5
    cluster.settle()
    assert cluster["b"].commit_index == 6


def test_a_lost_append_is_found_out() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    cluster.isolate("b")
    core.propose(b"x")
    cluster.settle()
    cluster.heal()
    cluster.tick(times=4)
    assert cluster["b"].commit_index == 2


def test_a_slow_follower_catches_up_from_storage() -> None:
    cluster = Cluster(settings=Settings(cache_bytes_max=1000, append_bytes_max=2000))
    core = cluster.elect("a")
    cluster.isolate("c")
    for number in range(200):
        core.propose(b"%d" % number)
        if number % 7 == 0:
            cluster.settle()
    cluster.settle()
    assert len(core._log._window) < 20, "the rest is on disk only"
    cluster.heal()
    cluster.tick(times=4)
    assert commands(cluster.applied["c"]) == [b"%d" % number for number in range(200)]
    assert not core.lacking


def test_refusals_skip_whole_terms() -> None:
    """A follower with a long tail of its own is understood in a few round trips, not one per entry."""
    cluster = Cluster()
    a = cluster.elect("a")
    cluster.isolate("a")
    for _ in range(100):
        a.propose(b"lost")
    cluster.work("a")
    cluster.sync("a")
    cluster.pass_time(500 * MILLISECOND)
    b = cluster.elect("b")
    for _ in range(50):
        b.propose(b"kept")
        cluster.settle()
    assert b.transfer_leadership("c", cluster.now_us)
    cluster.settle()
    assert cluster["c"].is_leader
    cluster.heal()
    refusals: list[RaftMessage] = []

    def count(name: str, ready: Ready) -> None:
        refusals.extend(m for _, m in ready.messages if isinstance(m, AppendReply) and m.rejected)

    cluster.watch = count
    cluster.tick(times=6)
    assert commands(cluster.applied["a"]) == [b"kept"] * 50
    assert 0 < len(refusals) < 4


def test_what_replaces_entries_replaces_their_syncs() -> None:
    """A sync that ends late says nothing about entries that took the place of those that it wrote."""
    cluster = Cluster()
    b = cluster["b"]
    old = [Entry(index, 1, EntryKind.COMMAND, b"old") for index in (1, 2, 3)]
    b.step(AppendRequest(1, "a", 1, 0, 0, old, 0, 0, 0), cluster.now_us)
    first = b.ready()
    new = [Entry(index, 2, EntryKind.COMMAND, b"new") for index in (2, 3)]
    b.step(AppendRequest(1, "c", 2, 1, 1, new, 0, 0, 0), cluster.now_us)
    second = b.ready()
    assert [entry.index for entry in second.entries] == [2, 3]
    b.persisted(first.number)
    assert b._log.stable_index == 1
    b.persisted(second.number)
    assert b._log.stable_index == 3


def test_the_unsynced_tail_is_fetched_again() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    core.propose(b"x")
    cluster.work("a")
    cluster.sync("a")
    cluster.deliver()
    cluster.work("b")
    cluster.work("c")
    cluster.sync("c")
    cluster.restart("b", survivors=0)
    assert cluster["b"].last_index == 1
    cluster.settle()
    cluster.tick(times=4)
    assert cluster["b"].commit_index == 2
    assert not core.regressed


def test_an_acknowledged_tail_that_is_gone_is_reported_and_sent_again() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    for _ in range(3):
        core.propose(b"x")
        cluster.settle()
    disk = cluster.disks["b"]
    disk.written.entries.clear()
    disk.written.applied = 0
    disk.durable = disk.written.copy()
    cluster.restart("b")
    cluster.tick(times=2)
    assert core.propose(b"y") == 5
    reported = False
    for _ in range(100):
        cluster.tick(settles=False)
        for name in "abc":
            cluster.work(name)
            cluster.sync(name)
        cluster.deliver()
        reported = reported or core.regressed == ("b",)
    assert reported
    assert not core.regressed
    assert cluster["b"].commit_index == core.commit_index == 5


def test_the_refusal_of_an_older_terms_append_says_nothing_of_the_disk() -> None:
    """It reached the follower after this term's election, and its answer carries this term."""
    cluster = Cluster()
    core = cluster.elect("a")
    cluster.settle()
    cluster.pass_time(MILLISECOND)
    core.step(AppendReply(1, "b", core.term, True, 0, cluster.now_us), cluster.now_us)
    assert not core.regressed
    assert core.propose(b"on") is not None
    cluster.settle()
    assert cluster["b"].last_index == core.last_index


def test_a_follower_that_needs_truncated_entries_is_reported() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    cluster.isolate("c")
    for _ in range(10):
        core.propose(b"x")
        cluster.settle()
    cluster.compact("a", 8)
    cluster.heal()
    cluster.tick(times=6)
    assert core.lacking == ("c",)
    assert core.propose(b"y") is not None
    cluster.settle()
    assert cluster["b"].commit_index == core.commit_index == 12


def test_the_shared_prefix_can_be_truncated_everywhere() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    for _ in range(10):
        core.propose(b"x")
        cluster.settle()
    cluster.tick(times=2)
    assert [cluster[name].shared_index for name in "abc"] == [11, 11, 11]
    for name in "abc":
        cluster.compact(name, 11)
        cluster.disks[name].sync(len(cluster.disks[name].unsynced))
        cluster.restart(name)
    cluster.pass_time(cluster.settings.promise_us)
    core = cluster.elect("b")
    assert core.propose(b"y") == 13
    cluster.settle()
    assert not core.lacking
    assert [cluster[name].commit_index for name in "abc"] == [13, 13, 13]


def test_the_uncommitted_are_limited() -> None:
    cluster = Cluster(settings=Settings(uncommitted_bytes_max=450))
    core = cluster.elect("a")
    assert [core.propose(bytes(100)) for _ in range(4)] == [2, 3, 4, None]
    assert core.refusal() is Refusal.TOO_MUCH_UNCOMMITTED
    cluster.settle()
    assert core.refusal() is None
    assert core.propose(b"x") == 5


def test_applying_is_limited_per_ready() -> None:
    cluster = Cluster(settings=Settings(apply_bytes_max=1))
    core = cluster.elect("a")
    for _ in range(5):
        core.propose(b"x")
    most: list[int] = []
    cluster.watch = lambda name, ready: most.append(len(ready.committed))
    cluster.settle()
    assert max(most) == 1
    assert core.applied_index == 6


def test_a_late_copy_does_not_shorten_the_log() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    core.propose(b"x")
    cluster.work("a")
    early = appends_to(cluster, "b")[0]
    for _ in range(3):
        core.propose(b"y")
    cluster.settle()
    cluster["b"].step(early, cluster.now_us)
    assert cluster["b"].last_index == 5


def test_what_cannot_be_is_dropped_and_counted() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    b = cluster["b"]
    future = cluster.now_us + 1
    entry = Entry(7, 1, EntryKind.COMMAND, b"")
    gap = AppendRequest(1, "a", 1, 1, 1, [entry], 0, 0, 0)
    older = AppendRequest(1, "a", 1, 1, 1, [Entry(2, 0, EntryKind.COMMAND, b"")], 0, 0, 0)
    newer = AppendRequest(1, "a", 1, 1, 1, [Entry(2, 5, EntryKind.COMMAND, b"")], 0, 0, 0)
    before_all = AppendRequest(1, "a", 1, -1, 0, [], 0, 0, 0)
    second_leader = Heartbeat(1, "c", 1, 0, 0, 0)
    other_group = Heartbeat(2, "a", 1, 0, 0, 0)
    stranger = Heartbeat(1, "z", 1, 0, 0, 0)
    impossible: list[RaftMessage] = [gap, older, newer, before_all, second_leader, other_group, stranger]
    for message in impossible:
        count = b.impossible_count
        b.step(message, cluster.now_us)
        assert b.impossible_count == count + 1, message
    answers: list[RaftMessage] = [
        AppendReply(1, "b", 1, False, 99, 0),
        AppendReply(1, "b", 1, False, -1, 0),
        HeartbeatReply(1, "b", 1, future),
        HeartbeatReply(1, "b", 1, 0, 99),
    ]
    for message in answers:
        count = core.impossible_count
        core.step(message, cluster.now_us)
        assert core.impossible_count == count + 1, message
    assert b.last_index == core.last_index == 1


small = st.integers(-1, 6)
terms = st.integers(0, 4)
senders = st.sampled_from(["b", "c", "a", "z"])
kinds = st.sampled_from(list(EntryKind))
some_entries = st.lists(st.builds(Entry, small, terms, kinds, st.binary(max_size=3)), max_size=4)
sequences = st.builds(
    lambda first, entry_terms: [
        Entry(first + offset, term, EntryKind.COMMAND, b"") for offset, term in enumerate(entry_terms)
    ],
    st.integers(1, 4),
    st.lists(terms, max_size=4).map(sorted),
)
messages: st.SearchStrategy[RaftMessage] = st.one_of(
    st.builds(
        AppendRequest, st.just(1), senders, terms, small, terms, some_entries | sequences, small, small, small
    ),
    st.builds(AppendReply, st.just(1), senders, terms, st.booleans(), small, small, terms, small),
    st.builds(Heartbeat, st.just(1), senders, terms, small, small, small, small),
    st.builds(HeartbeatReply, st.just(1), senders, terms, small, small),
    st.builds(VoteRequest, st.just(1), senders, terms, small, terms, st.booleans(), st.booleans()),
    st.builds(VoteReply, st.just(1), senders, terms, st.booleans(), st.booleans()),
    st.builds(TimeoutNow, st.just(1), senders, terms),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(messages | st.sampled_from(["tick", "work", "sync", "propose", "read"]), max_size=40))
def test_no_sequence_of_messages_breaks_a_replica(inputs: list[RaftMessage | str]) -> None:
    """Whatever peers say, the replica neither raises nor goes back on what it committed or which term it saw."""
    cluster = Cluster()
    core: Core = cluster["a"]
    commit_index = term = 0
    for number, item in enumerate(inputs):
        cluster.pass_time(100 * MILLISECOND)
        match item:
            case "tick":
                core.tick(cluster.now_us)
            case "work":
                cluster.work("a")
            case "sync":
                cluster.sync("a")
            case "propose":
                core.propose(b"x")
            case "read":
                core.read_index(number)
            case str():
                raise AssertionError(item)
            case _:
                core.step(item, cluster.now_us)
        assert core.commit_index >= commit_index
        assert core.term >= term
        assert core.commit_index <= core.last_index
        commit_index, term = core.commit_index, core.term
    cluster.work("a")
    cluster.sync("a")
    assert [entry.index for entry in cluster.applied["a"]] == list(range(1, core.applied_index + 1))


def test_replies_only_go_to_voters() -> None:
    cluster = Cluster()
    cluster["a"].step(VoteRequest(1, "z", 9, 9, 9, False, False), cluster.now_us)
    cluster.work("a")
    assert cluster.wire == []
    assert cluster["a"].term == 0


def test_an_envelope_is_lost_by_the_rule_of_the_moment() -> None:
    cluster = Cluster()
    cluster.drops = lambda e: e == Envelope("a", "b", e.message)
    cluster.campaign("a")
    cluster.work("a")
    assert [e.to for e in cluster.wire] == ["c"]
