"""The sender's decisions: what goes into a batch, what the cursor may say, and what follows a failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import record
from kvorum.model.change import Change
from kvorum.replication.change_sender import ChangeSender, SenderSettings
from kvorum.replication.clock import stamp_at

NOW = 1_000_000
SMALL = SenderSettings(batch_changes=3, batch_bytes=10_000, scanned_max=5, window=2, linger_ms=0)


@dataclass
class Log:
    """A change log as a list; counts how often it is read."""

    changes: list[tuple[int, int, Change]] = field(default_factory=list[tuple[int, int, Change]])
    reads: int = 0

    @property
    def applied(self) -> int:
        return self.changes[-1][0] if self.changes else 0

    def add(self, index: int, *keys: str, region: str = "eu", ms: int = NOW) -> None:
        for offset, key in enumerate(keys):
            stamp = stamp_at(ms) + index * 100 + offset
            entry = record.encode(b"{}", 10, stamp, region.encode())
            self.changes.append((index, offset, Change(key.encode(), entry)))

    def read(self, index: int, offset: int) -> Iterator[tuple[int, int, Change]]:
        self.reads += 1
        return iter([change for change in self.changes if change[:2] > (index, offset)])


def _own(change: Change) -> list[tuple[bytes, bytes]]:
    return [(change.key, change.record)] if record.region_of(change.record) == b"eu" else []


def _sender(log: Log, cursor: int = 0, settings: SenderSettings = SMALL) -> ChangeSender:
    return ChangeSender(cursor, log.read, _own, lambda: 0.0, settings)


def _keys(sender: ChangeSender, log: Log, now_ms: int = NOW) -> str | None:
    batch = sender.next_batch(log.applied, now_ms)
    return None if batch is None else " ".join(key.decode() for key, _ in batch.entries)


def test_batches_go_ahead_and_the_cursor_waits_for_the_gap() -> None:
    log = Log()
    for index, key in enumerate("abcdefgh", start=1):
        log.add(index, key)
    sender = _sender(log)
    assert _keys(sender, log) == "a b c"
    assert _keys(sender, log) == "d e f"
    assert _keys(sender, log) is None  # the window is full
    sender.acknowledged(2, 0)
    assert sender.cursor == 0
    sender.acknowledged(1, 0)
    assert sender.cursor == 6
    assert _keys(sender, log) == "g h"
    assert not sender.more
    sender.acknowledged(3, 1)
    assert (sender.cursor, sender.counts.shipped, sender.counts.lost) == (8, 8, 1)


def test_changes_of_peers_are_passed_over_but_move_the_cursor() -> None:
    log = Log()
    log.add(1, "a", region="us")
    log.add(2, "b", "c", region="us")
    sender = _sender(log)
    assert _keys(sender, log) is None
    assert sender.cursor == 2
    log.add(3, "a")
    log.add(4, "d", region="us")
    assert _keys(sender, log) == "a"
    assert sender.cursor == 2
    sender.acknowledged(2, 0)
    assert sender.cursor == 4
    assert sender.counts.passed_over == 4


def test_an_entry_is_not_passed_before_all_its_changes_are() -> None:
    log = Log()
    log.add(1, "a")
    log.add(2, "b", "c", "d", "e")
    sender = _sender(log)
    assert _keys(sender, log) == "a b c"
    sender.acknowledged(1, 0)
    assert sender.cursor == 1
    assert _keys(sender, log) == "d e"
    sender.acknowledged(2, 0)
    assert sender.cursor == 2


def test_only_the_latest_change_of_a_key_goes() -> None:
    log = Log()
    for index, key in enumerate("aabaa", start=1):
        log.add(index, key)
    sender = _sender(log)
    batch = sender.next_batch(log.applied, NOW)
    assert batch is not None
    assert {key: record.stamp_of(made) for key, made in batch.entries} == {
        b"a": stamp_at(NOW) + 500,
        b"b": stamp_at(NOW) + 300,
    }
    assert sender.counts.collapsed == 3


def test_bytes_bound_a_batch_but_one_item_always_goes() -> None:
    log = Log()
    log.add(1, "a" * 40_000)
    log.add(2, "b")
    sender = _sender(log)
    assert _keys(sender, log) == "a" * 40_000
    assert _keys(sender, log) == "b"


def test_bytes_bound_what_is_read_for_a_batch_that_needs_little_of_it() -> None:
    log = Log()
    log.add(1, *"abcdef", region="us")
    log.add(2, "b")
    record_bytes = len(log.changes[0][2].record)
    sender = _sender(log, settings=SenderSettings(scanned_bytes=4 * record_bytes))
    assert _keys(sender, log) is None
    assert sender.more
    assert sender.cursor == 0
    assert _keys(sender, log) == "b"
    sender.acknowledged(2, 0)
    assert sender.cursor == 2


def test_what_may_still_be_lost_is_not_read() -> None:
    log = Log()
    log.add(1, "a")
    log.add(2, "b", "c")
    log.add(3, "d")
    sender = _sender(log, settings=SenderSettings(linger_ms=0))
    batch = sender.next_batch(2, NOW)
    assert batch is not None
    assert [key for key, _ in batch.entries] == [b"a", b"b", b"c"]
    assert not sender.more
    assert sender.next_batch(2, NOW) is None
    sender.acknowledged(batch.number, 0)
    assert sender.cursor == 2
    assert _keys(sender, log) == "d"


def test_it_has_reached_what_is_acknowledged_and_what_says_nothing() -> None:
    log = Log()
    log.add(1, "a")
    sender = _sender(log)
    assert not sender.has_reached(5)
    batch = sender.next_batch(5, NOW)
    assert batch is not None
    assert not sender.has_reached(1)
    sender.acknowledged(batch.number, 0)
    assert sender.has_reached(5)
    assert not sender.has_reached(6)
    log.add(6, "b")
    batch = sender.next_batch(6, NOW)
    assert batch is not None
    sender.failed(batch.number, NOW)
    assert not sender.has_reached(6)


def test_after_a_failure_it_pauses_then_probes_then_goes_on_from_the_cursor() -> None:
    log = Log()
    for index, key in enumerate("abcdefg", start=1):
        log.add(index, key)
    sender = _sender(log)
    assert _keys(sender, log) == "a b c"
    assert _keys(sender, log) == "d e f"
    sender.acknowledged(1, 0)
    sender.failed(2, NOW)
    assert _keys(sender, log, NOW + 49) is None
    assert _keys(sender, log, NOW + 50) == "d e f"
    assert _keys(sender, log, NOW + 50) is None  # one at a time until the peer has answered
    sender.acknowledged(2, 0)  # a late answer to what was given up says nothing of what was sent since
    assert sender.cursor == 3
    sender.failed(3, NOW + 60)
    assert _keys(sender, log, NOW + 159) is None
    assert _keys(sender, log, NOW + 160) == "d e f"
    sender.acknowledged(4, 0)
    assert _keys(sender, log, NOW + 160) == "g"


def test_pauses_double_up_to_a_bound_and_a_clock_set_back_does_not_prolong_them() -> None:
    log = Log()
    log.add(1, "a")
    sender = _sender(log)
    now = NOW
    pauses: list[int] = []
    for _ in range(8):
        batch = sender.next_batch(log.applied, now)
        assert batch is not None
        sender.failed(batch.number, now)
        pause = next(ms for ms in range(3_000) if sender.next_batch(log.applied, now + ms))
        sender.failed(batch.number + 1, now)
        pauses.append(pause)
        now += 10_000
    assert pauses == [50, 200, 800, 2_000, 2_000, 2_000, 2_000, 2_000]
    assert sender.next_batch(log.applied, now - 3_600_000) is not None


def test_without_news_nothing_is_read() -> None:
    log = Log()
    log.add(1, "a")
    sender = _sender(log)
    assert _keys(sender, log) == "a"
    reads = log.reads
    assert _keys(sender, log) is None
    assert log.reads == reads


def test_incomplete_batches_linger_and_a_lone_change_does_not() -> None:
    log = Log()
    log.add(1, "a")
    sender = _sender(log, settings=SenderSettings(linger_ms=50))
    assert _keys(sender, log, NOW) == "a"
    log.add(2, "b")
    assert _keys(sender, log, NOW + 49) is None
    log.add(3, "c")
    assert _keys(sender, log, NOW + 50) == "b c"


def test_lag_is_the_age_of_the_oldest_unacknowledged_change() -> None:
    log = Log()
    log.add(1, "a", ms=NOW - 300)
    log.add(2, "b", "c", "d", ms=NOW - 100)
    sender = _sender(log)
    assert sender.lag_ms(NOW) == 0
    _keys(sender, log)
    _keys(sender, log)
    assert sender.lag_ms(NOW) == 300
    sender.failed(1, NOW)
    assert sender.lag_ms(NOW) == 300
    _keys(sender, log, NOW + 50)
    sender.acknowledged(3, 0)
    _keys(sender, log, NOW + 50)
    assert sender.lag_ms(NOW) == 100
    sender.acknowledged(4, 0)
    assert sender.lag_ms(NOW) == 0


def test_a_cursor_is_proposed_once_a_second_until_it_is_there() -> None:
    log = Log()
    log.add(1, "a")
    sender = _sender(log)
    assert sender.next_cursor(0, NOW) is None
    _keys(sender, log)
    sender.acknowledged(1, 0)
    assert sender.next_cursor(0, NOW) == 1
    assert sender.next_cursor(0, NOW + 999) is None
    assert sender.next_cursor(0, NOW + 1_000) == 1
    assert sender.next_cursor(1, NOW + 5_000) is None


entries = st.lists(
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=6), max_size=30
)


@given(entries, st.data())
def test_whatever_is_answered_the_cursor_never_passes_a_change_that_was_not_acknowledged(
    log_entries: list[list[tuple[str, bool]]], data: st.DataObject
) -> None:
    """Model: a batch holds, for every key, the latest own change it covers; acknowledged ones are held by the
    peer. What the peer holds must be at least as new as every own change up to the cursor."""
    log = Log()
    for index, entry in enumerate(log_entries, start=1):
        for offset, (key, own) in enumerate(entry):
            stamp = stamp_at(NOW) + index * 100 + offset
            made = record.encode(b"{}", 1, stamp, b"eu" if own else b"us")
            log.changes.append((index, offset, Change(key.encode(), made)))
    sender = _sender(log)
    held: dict[bytes, int] = {}
    travelling: dict[int, dict[bytes, int]] = {}
    now = NOW

    def covered() -> bool:
        return all(
            record.region_of(change.record) != b"eu"
            or held.get(change.key, 0) >= record.stamp_of(change.record)
            for index, _, change in log.changes
            if index <= sender.cursor
        )

    for step in range(400):
        now += 3_000
        batch = sender.next_batch(log.applied, now)
        if batch is not None:
            travelling[batch.number] = {key: record.stamp_of(made) for key, made in batch.entries}
        elif not travelling and not sender.more:
            break
        if travelling and (batch is None or data.draw(st.booleans())):
            number = data.draw(st.sampled_from(sorted(travelling)))
            stamps = travelling.pop(number)
            if step < 200 and data.draw(st.integers(0, 3)) == 0:
                sender.failed(number, now)
            else:
                for key, stamp in stamps.items():
                    held[key] = max(held.get(key, 0), stamp)
                sender.acknowledged(number, 0)
        assert covered()
    assert sender.cursor == log.applied
    assert covered()
