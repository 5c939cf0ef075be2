"""Who leads, and how long others may rely on it: scripts of the cases that chance brings out too seldom."""

from __future__ import annotations

import pytest

from kvorum.replication.raft.core import FOREVER, Core, Refusal, Role, Settings
from kvorum.replication.raft.messages import AppendRequest, EntryKind, TimeoutNow, VoteReply, VoteRequest
from kvorum.replication.raft.progress import NEVER_US
from tests.kit.raft_cluster import Cluster, Envelope
from tests.kit.raft_simulation import TICK_US, Violation


class CommitsAnOlderTermByCounting(Core):
    def _match_moved(self, before: int, now: int) -> None:
        first, self._term_first_index = self._term_first_index, 0
        super()._match_moved(before, now)
        self._term_first_index = first


class RestartForgetsThePromise(Core):
    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self._heard_us = NEVER_US


class NeverAsksFirst(Core):
    """Without pre-vote."""

    def _ask_for_pre_votes(self) -> None:
        self._ask_for_votes(transfer=False)


def figure_8(core_class: type[Core]) -> Cluster:
    """Raft, figure 8, with three replicas: `a` brings its old entry to a majority in a later term, then dies;
    `b` is elected all the same, for its last entry is newer, and replaces it."""
    cluster = Cluster(settings=Settings(append_bytes_max=1), core_class=core_class)
    cluster.drops = lambda e: isinstance(e.message, AppendRequest)
    cluster.elect("a")  # term 1; its no-op stays its own
    cluster.drops = lambda e: isinstance(e.message, AppendRequest) or "a" in (e.sender, e.to)
    cluster.elect("b")  # term 2, by the vote of c; the same
    cluster.restart("a")
    cluster.pass_time(cluster.settings.promise_us)

    def drops_the_new_entry(e: Envelope) -> bool:
        entries = e.message.entries if isinstance(e.message, AppendRequest) else []
        is_new = cluster["c"].last_index == 1 and any(entry.term == 3 for entry in entries)
        return is_new or "b" in (e.sender, e.to)

    cluster.drops = drops_the_new_entry
    cluster.campaign("a")
    cluster.settle()  # c tells it of term 2
    cluster.elect("a")
    cluster.tick("a", times=2)
    assert cluster["a"].term == 3
    assert cluster["c"].last_index == 1
    assert cluster.disks["c"].term(1) == 1, "the old entry is on a majority"

    cluster.drops = lambda e: "a" in (e.sender, e.to)
    cluster.restart("b")
    cluster.pass_time(cluster.settings.promise_us)
    cluster.campaign("b")
    cluster.settle()
    cluster.elect("b")
    return cluster


def test_an_older_term_is_not_committed_by_counting() -> None:
    cluster = figure_8(Core)
    assert cluster["a"].commit_index == 0
    assert [(entry.index, entry.term) for entry in cluster.applied["c"]] == [(1, 2), (2, 4)]
    cluster.heal()
    cluster.tick(times=4)
    assert cluster.applied["a"] == cluster.applied["b"] == cluster.applied["c"]


def test_figure_8_is_a_violation_without_the_rule() -> None:
    with pytest.raises(Violation, match="applies another 1"):
        figure_8(CommitsAnOlderTermByCounting)


def elect_behind_the_lease(core_class: type[Core]) -> Cluster:
    """`b` promised `a` its lease, and restarts; `c`, cut off from `a` only, wants to lead."""
    cluster = Cluster(core_class=core_class)
    cluster.elect("a")
    cluster.drops = lambda e: {e.sender, e.to} == {"a", "c"}
    cluster.tick("a", "b", times=20)
    cluster.isolate("a")
    cluster.restart("b")
    cluster.campaign("c")
    cluster.settle()
    return cluster


def test_a_restarted_voter_keeps_its_promise() -> None:
    cluster = elect_behind_the_lease(Core)
    assert not cluster["c"].is_leader
    assert cluster["a"].lease_until_us() > cluster.now_us
    cluster.pass_time(cluster.settings.promise_us)
    assert cluster["a"].lease_until_us() <= cluster.now_us
    cluster.elect("c")


def test_two_leases_when_a_restarted_voter_forgets() -> None:
    cluster = elect_behind_the_lease(RestartForgetsThePromise)
    assert cluster["c"].serves
    assert cluster["a"].lease_until_us() > cluster.now_us


def term_after_partition(core_class: type[Core]) -> tuple[Cluster, int]:
    cluster = Cluster(core_class=core_class)
    cluster.elect("a")
    cluster.isolate("c")
    cluster.tick(times=100)
    cluster.heal()
    cluster.tick(times=30)
    return cluster, cluster.leader.term


def test_a_partitioned_replica_does_not_disturb() -> None:
    cluster, term = term_after_partition(Core)
    assert term == 1
    assert cluster["a"].is_leader
    assert cluster["c"].leader == "a"


def test_a_partitioned_replica_disturbs_without_pre_vote() -> None:
    _, term = term_after_partition(NeverAsksFirst)
    assert term > 1


def test_a_replica_whose_term_ran_ahead_comes_back() -> None:
    """Its term makes it deaf to the leader, which only its answers can tell."""
    cluster = Cluster()
    cluster.elect("a")
    cluster.isolate("c")
    cluster["c"]._ask_for_votes(transfer=False)
    cluster.settle()
    assert cluster["c"].term == 2
    cluster.heal()
    cluster.tick(times=40)
    assert {core.term for core in cluster.cores.values()} == {cluster.leader.term}
    assert cluster.leader.term >= 2


def test_an_election_times_out_and_is_decided() -> None:
    cluster = Cluster("abcde")
    cluster.tick(times=60)
    assert {core.leader for core in cluster.cores.values()} == {cluster.leader.name}


def test_a_single_voter_leads_at_its_first_tick() -> None:
    cluster = Cluster("a")
    cluster.tick(settles=False)
    core = cluster["a"]
    assert core.is_leader
    cluster.work("a")
    assert core.commit_index == 0, "nothing is durable yet"
    assert not core.serves
    cluster.settle()
    assert cluster.leader.serves
    assert core.lease_until_us() == FOREVER
    assert core.read_index(7)
    cluster.settle()
    assert cluster.reads == [("a", 7, 1)]


def test_a_leader_without_a_majority_steps_down() -> None:
    cluster = Cluster()
    cluster.elect("a")
    cluster.tick(times=10)
    cluster.isolate("a")
    assert cluster["a"].read_index(5)
    cluster.tick("a", times=21)
    assert cluster["a"].role is not Role.LEADER
    assert cluster["a"].leader is None
    assert cluster.refused_reads == [("a", 5)]
    assert cluster["a"].refusal() is Refusal.NOT_LEADER


def test_a_vote_request_leaves_after_the_sync() -> None:
    cluster = Cluster()
    cluster.campaign("a")
    for name in "abc":
        cluster.work(name)
    cluster.deliver()
    for name in "bc":
        cluster.work(name)
    cluster.deliver()
    ready = cluster.work("a")
    assert ready is not None
    assert ready.needs_sync
    assert ready.hard_state is not None
    assert (ready.hard_state.term, ready.hard_state.vote) == (1, "a")
    assert not any(isinstance(e.message, VoteRequest) for e in cluster.wire)
    cluster.sync("a")
    assert sum(isinstance(e.message, VoteRequest) for e in cluster.wire) == 2


def test_a_vote_leaves_after_the_sync() -> None:
    cluster = Cluster()
    request = VoteRequest(1, "b", 1, 0, 0, False, False)
    cluster["a"].step(request, cluster.now_us)
    cluster.work("a")
    assert not cluster.wire
    cluster.sync("a")
    assert [e.message for e in cluster.wire] == [VoteReply(1, "a", 1, False, True)]


def test_transfer() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    cluster.isolate("b")
    core.propose(b"behind")
    cluster.settle()
    cluster.heal()
    assert core.transfer_leadership("b", cluster.now_us)
    assert core.refusal() is Refusal.TRANSFERRING
    assert core.propose(b"late") is None
    assert core.lease_until_us() == 0
    cluster.tick(times=4)
    assert cluster.leader.name == "b"
    assert [entry.data for entry in cluster.applied["b"] if entry.kind is EntryKind.COMMAND] == [b"behind"]


@pytest.mark.parametrize("to", ["a", "z"])
def test_transfer_to_nobody_is_refused(to: str) -> None:
    cluster = Cluster()
    assert not cluster["b"].transfer_leadership("a", cluster.now_us)
    core = cluster.elect("a")
    assert not core.transfer_leadership(to, cluster.now_us)
    assert core.transfer_leadership("b", cluster.now_us)
    assert not core.transfer_leadership("c", cluster.now_us)


def test_transfer_to_a_dead_replica_is_given_up() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    cluster.isolate("b")
    core.propose(b"x")
    cluster.tick("a", "c", times=2)
    assert core.transfer_leadership("b", cluster.now_us)
    cluster.tick("a", "c", times=cluster.settings.election_ticks)
    assert core.propose(b"y") is not None
    assert core.lease_until_us() > cluster.now_us, "nobody was asked to take over"
    assert core.transfer_leadership("b", cluster.now_us)
    core.unreachable("b")
    assert core.propose(b"z") is not None


def test_no_lease_after_a_handover_that_failed() -> None:
    """The call to take over may be late by any time, and breaks the promise that a lease rests on."""
    cluster = Cluster()
    core = cluster.elect("a")
    assert core.transfer_leadership("b", cluster.now_us)
    cluster.drops = lambda e: isinstance(e.message, TimeoutNow)
    cluster.tick(times=2 * cluster.settings.election_ticks)
    assert core.propose(b"x") is not None
    assert core.is_leader
    assert core.lease_until_us() == 0
    cluster.isolate("a")
    cluster["b"].step(TimeoutNow(1, "a", 1), cluster.now_us)
    cluster.settle()
    assert cluster["b"].is_leader, "at once, though c heard from a just now"


def test_the_lease_counts_from_what_was_sent() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    cluster.tick(settles=False)
    cluster.tick(settles=False)
    sent_us = cluster.now_us
    cluster.work("a")
    cluster.pass_time(100_000)
    cluster.settle()
    assert core.lease_until_us() == sent_us + cluster.settings.lease_us


def test_no_lease_before_the_own_term_commits() -> None:
    cluster = Cluster()
    cluster.drops = lambda e: isinstance(e.message, AppendRequest)
    cluster.campaign("a")
    cluster.settle()
    cluster.tick("a", times=3)
    assert cluster["a"].is_leader
    assert cluster["a"].lease_until_us() == 0
    assert not cluster["a"].serves
    assert not cluster["a"].read_index(1)


def test_one_round_confirms_all_waiting_reads() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    for context in range(5):
        assert core.read_index(context)
    cluster.work("a")
    assert len(cluster.wire) == 2
    assert not cluster.reads
    cluster.settle()
    assert cluster.reads == [("a", context, 1) for context in range(5)]


def test_a_lost_round_is_tried_again() -> None:
    cluster = Cluster()
    core = cluster.elect("a")
    cluster.isolate("a")
    assert core.read_index(1)
    cluster.settle()
    cluster.heal()
    cluster.tick(times=2)
    assert cluster.reads == [("a", 1, 1)]


def test_an_election_waits_between_one_and_two_timeouts() -> None:
    waits: set[int] = set()
    for _ in range(50):
        cluster = Cluster()
        cluster.random.seed(len(waits) * 7 + _)
        core = cluster.restart("a")
        ticks = 0
        while core.role is Role.FOLLOWER:
            ticks += 1
            core.tick(cluster.now_us + ticks * TICK_US)
        waits.add(ticks)
    assert min(waits) >= 10
    assert max(waits) < 20
    assert len(waits) > 4
