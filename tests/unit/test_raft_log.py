"""The log and the quorum, against oracles that are a list and a count."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.replication.raft.log import ENTRY_OVERHEAD_BYTES, Log, LogLostError
from kvorum.replication.raft.messages import Entry, EntryKind
from kvorum.replication.raft.quorum import Outcome, Voters
from kvorum.replication.raft.settings import Settings
from tests.kit.raft_simulation import Disk, Write


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 500, 1 << 20]))
def test_a_log_is_a_list(dice: random.Random, cache_bytes_max: int) -> None:
    """Appends, replacements, late syncs, commits, truncations: every index answers as the list does."""
    disk = Disk()
    log = Log(disk, 0, cache_bytes_max)
    oracle: list[Entry] = []
    floor = durable = number = term = 0
    writes: list[tuple[int, int]] = []
    for _ in range(60):
        match dice.randrange(6):
            case 0:
                term = max(term, 1)
                entry = Entry(len(oracle) + 1, term, EntryKind.COMMAND, bytes(dice.randrange(200)))
                log.append(entry)
                oracle.append(entry)
            case 1:
                term += 1
                first = dice.randrange(log.commit_index, len(oracle) + 1)
                entries = [
                    Entry(first + offset + 1, term, EntryKind.COMMAND, b"r")
                    for offset in range(dice.randrange(4))
                ]
                kept = dice.randrange(first - log.commit_index + 1)
                log.extend(oracle[first - kept : first] + entries)
                if entries:
                    oracle[first:] = entries
                    durable = min(durable, first)
                    writes = [(n, min(last, first)) for n, last in writes]
            case 2:
                number += 1
                disk.write(Write(number, log.take_unwritten(), None, None))
                log.sync_began(number)
                writes.append((number, len(oracle)))
            case 3 if writes:
                ended = dice.randrange(len(writes)) + 1
                disk.sync(min(ended, len(disk.unsynced)))
                log.sync_ended(writes[ended - 1][0])
                durable = max(durable, *(last for _, last in writes[:ended]))
                del writes[:ended]
            case 4:
                log.commit_index = dice.randrange(log.commit_index, len(oracle) + 1)
                before = log.applying_index
                if before < log.commit_index:
                    entries, weight = log.take_committed(dice.choice((1, 300, 1 << 20)))
                    assert entries
                    assert entries == oracle[before : before + len(entries)]
                    assert weight == sum(len(entry.data) + ENTRY_OVERHEAD_BYTES for entry in entries)
            case 5:
                index = min(log.applying_index, durable)
                if index > floor:
                    floor = dice.randrange(floor, index) + 1
                    disk.write(Write(0, [], None, None, floor))
                    log.compacted_to(floor)
            case _:
                pass
        assert (log.first_index, log.last_index, log.stable_index) == (floor + 1, len(oracle), durable)
        assert log.last_term == (oracle[-1].term if oracle else 0)
        for index in range(-1, len(oracle) + 2):
            known = floor <= index <= len(oracle)
            expected = (oracle[index - 1].term if index > 0 else 0) if known else None
            assert log.term(index) == expected
        if len(oracle) > floor:
            lower = dice.randrange(floor, len(oracle)) + 1
            upper = dice.randrange(lower, len(oracle) + 1) + 1
            entries, weight = log.cut(lower, upper, dice.choice((1, 300, 1 << 20)))
            assert entries
            assert entries == oracle[lower - 1 : lower - 1 + len(entries)]
            assert len(entries) <= upper - lower
            assert weight == sum(len(entry.data) + ENTRY_OVERHEAD_BYTES for entry in entries)


def test_a_log_that_went_back_is_refused() -> None:
    with pytest.raises(LogLostError):
        Log(Disk(), 3, 1)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_agreed_is_what_a_majority_reached(values: list[int]) -> None:
    names = tuple("abcdefg"[: len(values)])
    reached = dict(zip(names, values, strict=True))
    agreed = Voters(names).agreed(reached)
    assert sum(value >= agreed for value in values) * 2 > len(values)
    assert sum(value >= agreed + 1 for value in values) * 2 <= len(values)


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=7))
def test_an_election_is_decided_when_it_cannot_change(ballots: list[bool | None]) -> None:
    names = tuple("abcdefg"[: len(ballots)])
    votes = {name: vote for name, vote in zip(names, ballots, strict=True) if vote is not None}
    voters = Voters(names)
    best = sum(vote is not False for vote in ballots) * 2 > len(ballots)
    worst = sum(vote is True for vote in ballots) * 2 > len(ballots)
    expected = Outcome.WON if worst else Outcome.PENDING if best else Outcome.LOST
    assert voters.outcome(votes) is expected
    assert voters.majority([name for name, vote in votes.items() if vote]) is worst


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_voters_are_distinct(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="distinct"):
        Voters(names)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="heartbeat"):
        Settings(heartbeat_ticks=10, election_ticks=10)
    with pytest.raises(ValueError, match="lease_us"):
        Settings(lease_us=0)
    assert Settings(lease_us=400_000).promise_us == 420_000
