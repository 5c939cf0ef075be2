"""Last writer wins: the same survivor whatever the order, the grouping and the repetition of what arrives."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import record
from kvorum.replication import lww

regions = st.sampled_from([b"eu", b"eu-west-1", b"us-east-1", b"a"])
stamps = st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1))


def _record(stamp: int, region: bytes) -> bytes:
    """What a write is follows from its order, as in a real region: one write, one stamp."""
    if stamp % 3 == 0:
        return record.encode_tombstone(stamp, region)
    return record.encode(b'{"v":{"N":"%d"}}' % stamp, 8, stamp, region)


records = st.builds(_record, stamps, regions)


def _merged(current: bytes | None, incoming: bytes) -> bytes:
    winner = lww.merge(current, incoming)
    if winner is None:
        assert current is not None
        return current
    return winner


@given(st.lists(records, min_size=1), st.randoms(use_true_random=False))
def test_every_order_with_repetitions_gives_the_latest_write(arrived: list[bytes], random: object) -> None:
    shuffled = arrived + arrived[::2]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    expected = max(arrived, key=lambda r: (record.stamp_of(r), record.region_of(r)))
    assert reduce(_merged, shuffled, None) == expected


@given(records, records, records)
def test_merging_is_associative_commutative_and_idempotent(a: bytes, b: bytes, c: bytes) -> None:
    assert _merged(_merged(a, b), c) == _merged(a, _merged(b, c))
    assert _merged(a, b) == _merged(b, a)
    assert _merged(a, a) == a
    assert lww.merge(a, a) is None


@given(st.lists(records, min_size=2))
def test_newer_is_a_strict_total_order(some: list[bytes]) -> None:
    ordered = sorted(set(some), key=lambda r: (record.stamp_of(r), record.region_of(r)))
    for older, later in pairwise(ordered):
        assert lww.newer(later, older)
        assert not lww.newer(older, later)
    assert not lww.newer(some[0], some[0])
    assert lww.newer(some[0], None)


def test_a_deletion_wins_against_an_older_write_and_loses_to_a_newer_one() -> None:
    old = record.encode(b"{}", 0, 1, b"eu")
    gone = record.encode_tombstone(2, b"eu")
    back = record.encode(b"{}", 0, 3, b"eu")
    assert lww.merge(gone, old) is None
    assert lww.merge(old, gone) == gone
    assert lww.merge(gone, back) == back


def test_regions_decide_between_equal_stamps() -> None:
    assert lww.newer(record.encode(b"{}", 0, 1, b"us"), record.encode(b"{}", 0, 1, b"eu"))
    assert not lww.newer(record.encode(b"{}", 0, 1, b"eu"), record.encode(b"{}", 0, 1, b"eu-west-1"))
