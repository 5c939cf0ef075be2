"""The hybrid logical clock: strictly increasing, above all that was followed, bounded in its drift."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kvorum.replication.clock import COUNTER_BITS, HybridClock, milliseconds_of, stamp_at

times = st.integers(min_value=0, max_value=2**47)
DRIFT = 1_000


@given(st.lists(times, min_size=2))
def test_ticks_rise_however_physical_time_moves(readings: list[int]) -> None:
    clock = HybridClock()
    stamps = [clock.tick(now) for now in readings]
    assert all(a < b for a, b in pairwise(stamps))
    assert all(milliseconds_of(stamp) >= now for stamp, now in zip(stamps, readings, strict=True))


@given(times, st.lists(st.tuples(st.booleans(), st.integers(-5_000, 5_000))))
def test_a_tick_outranks_all_that_was_accepted_and_drift_is_bounded(
    now: int, events: list[tuple[bool, int]]
) -> None:
    clock = HybridClock(drift_ms_max=DRIFT)
    seen = 0
    refused = 0
    for is_tick, offset in events:
        if is_tick:
            now += abs(offset)
            stamp = clock.tick(now)
            assert stamp > seen
            seen = stamp
        else:
            stamp = stamp_at(max(0, now + offset))
            accepted = clock.observe(stamp, now)
            assert accepted or offset > DRIFT
            refused += not accepted
            seen = max(seen, stamp) if accepted else seen
        assert milliseconds_of(clock.last) <= now + DRIFT + len(events)
    assert clock.refused == refused


def test_a_clock_that_stands_still_counts() -> None:
    clock = HybridClock()
    first = clock.tick(1_000)
    assert first == stamp_at(1_000)
    assert [clock.tick(1_000), clock.tick(999), clock.tick(1_001)] == [first + 1, first + 2, stamp_at(1_001)]


def test_a_full_counter_carries_into_the_milliseconds() -> None:
    clock = HybridClock(last=stamp_at(8) - 1)
    assert clock.tick(7) == stamp_at(8)
    assert stamp_at(8) - stamp_at(7) == 2**COUNTER_BITS


def test_a_stamp_too_far_ahead_is_refused_until_time_has_come_near() -> None:
    clock = HybridClock(drift_ms_max=DRIFT)
    ahead = stamp_at(10_000)
    assert not clock.observe(ahead, 8_999)
    assert clock.last == 0
    assert clock.observe(ahead, 9_000)
    assert clock.tick(9_000) == ahead + 1
    assert clock.refused == 1


def test_a_known_stamp_is_never_refused_and_a_committed_one_always_followed() -> None:
    clock = HybridClock(drift_ms_max=DRIFT)
    clock.witness(stamp_at(50_000))
    clock.witness(stamp_at(40_000))
    assert clock.observe(stamp_at(50_000), 0)
    assert clock.tick(0) == stamp_at(50_000) + 1
    assert clock.refused == 0
