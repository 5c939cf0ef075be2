"""What one partition's leader sends to one reader of its changes, and when: a state machine without I/O.

It tails the partition's change log behind a replicated cursor. What a change says to a reader, a peer region or a
global index, is the reader's affair (`Translate`): keys and records. Delivery is at least once and in any order; that
is enough, for the receiver keeps the newer of each pair.

Several batches travel at a time. The cursor is the raft index up to which every batch is acknowledged, with
nothing missing in between; after a failure, and at a new leader, sending goes on from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from msgspec import Struct

from kvorum.model.change import Change
from kvorum.model.record import stamp_of
from kvorum.replication.clock import milliseconds_of
from kvorum.replication.lww import newer

ReadChanges = Callable[[int, int], Iterator[tuple[int, int, Change]]]
"""(index, offset) -> every change behind that place of the log, as (index, offset, change), in order."""

Translate = Callable[[Change], Iterable[tuple[bytes, bytes]]]
"""What a change says to the reader: keys and records (model/record). Nothing: the change is none of its business."""


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """`linger_ms`: while changes keep coming, so long goes by from one incomplete batch to the next. A batch
    passes `batch_bytes` by at most one item. `scanned_max` and `scanned_bytes`: log entries, and records in them, read
    for one batch, so that no read holds the loop for long."""

    batch_changes: int = 512
    batch_bytes: int = 256 * 1024
    scanned_max: int = 2_048
    scanned_bytes: int = 1024 * 1024
    window: int = 4
    linger_ms: int = 50
    cursor_ms: int = 1_000
    backoff_ms_min: int = 50
    backoff_ms_max: int = 2_000


class Batch(Struct, frozen=True):
    """Keys and records to ship; `acknowledged` or `failed` of its `number` is owed to the sender."""

    number: int
    entries: list[tuple[bytes, bytes]]


@dataclass(slots=True)
class SenderCounts:
    """`shipped`: entries acknowledged. `collapsed`: not sent, for a later one of the same key was. `lost`:
    acknowledged, but the reader has a newer one. `passed_over`: changes that say nothing to the reader."""

    batches: int = 0
    shipped: int = 0
    collapsed: int = 0
    lost: int = 0
    passed_over: int = 0
    failures: int = 0


@dataclass(slots=True)
class _Flight:
    """A batch on its way. `through`: the whole entries that it and the batches before it cover. `place`: its
    last change's. `since_ms`: when its oldest change was made. `entries`: how many."""

    number: int
    through: int
    place: tuple[int, int]
    since_ms: int
    entries: int
    settled: bool


class ChangeSender:
    """`cursor`: the replicated cursor as the leader has it applied, perhaps behind.

    Times are milliseconds of the host's clock; a clock that is set back delays nothing by more than
    `backoff_ms_max`. `random` draws from [0, 1).
    """

    def __init__(
        self,
        cursor: int,
        read: ReadChanges,
        translate: Translate,
        random: Callable[[], float],
        settings: SenderSettings,
    ) -> None:
        self.counts = SenderCounts()
        self.cursor = cursor
        self._read = read
        self._translate = translate
        self._random = random
        self._settings = settings
        self._window: deque[_Flight] = deque()
        self._number = 0
        self._place = self._acknowledged_place = (cursor, _WHOLE_ENTRY)
        self._scanned = -1
        self._more = True
        self._sent_ms = 0
        self._failures = 0
        self._failed_ms = 0
        self._pause_ms = 0
        self._waiting_since_ms = 0
        self._proposed_ms = 0

    # ---- what to do ----

    def next_batch(self, applied: int, now_ms: int) -> Batch | None:
        """The next entries to ship, None when there are none or it is not the time. `applied`: the raft index that
        may be read up to. Reads only when there is something new."""
        # After a failure one batch goes ahead to find out.
        room = self._settings.window if not self._failures else 1
        if len(self._window) >= room or self._is_pausing(now_ms):
            return None
        if not self._more and (applied <= self._scanned or self._is_lingering(now_ms)):
            return None
        entries = self._read_batch(applied)
        if not entries:
            return None
        self._sent_ms = now_ms
        self.counts.batches += 1
        return Batch(self._number, entries)

    def next_cursor(self, replicated: int, now_ms: int) -> int | None:
        """The cursor to propose, when it is ahead of the `replicated` one and none was proposed just now. What
        is lost on the way is proposed again."""
        if self.cursor <= replicated or 0 <= now_ms - self._proposed_ms < self._settings.cursor_ms:
            return None
        self._proposed_ms = now_ms
        return self.cursor

    # ---- what became of it ----

    def acknowledged(self, number: int, lost: int) -> None:
        """The reader holds batch `number`, `lost` of it as newer writes. Late answers are ignored."""
        flight = next((flight for flight in self._window if flight.number == number), None)
        if flight is None or flight.settled:
            return
        flight.settled = True
        self.counts.shipped += flight.entries
        self.counts.lost += lost
        self._failures = 0
        self._settle()

    def failed(self, number: int, now_ms: int) -> None:
        """Batch `number` was refused, or nobody knows. Everything behind the cursor is sent again, after a
        pause that doubles from failure to failure."""
        if all(flight.number != number for flight in self._window):
            return
        self._waiting_since_ms = self._oldest_ms()
        self._window.clear()
        self._place = self._acknowledged_place
        self._more = True
        settings = self._settings
        self._pause_ms = min(settings.backoff_ms_min << min(self._failures, 16), settings.backoff_ms_max)
        self._pause_ms -= int(self._pause_ms * self._random() / 2)
        self._failed_ms = now_ms
        self._failures += 1
        self.counts.failures += 1

    # ---- what to tell ----

    @property
    def more(self) -> bool:
        """The log was left before its end: there is something to do without any news."""
        return self._more

    def has_reached(self, index: int) -> bool:
        """Whether every change up to raft index `index` is acknowledged, or says nothing to the reader."""
        return self.cursor >= index or (not self._more and not self._window and self._scanned >= index)

    def lag_ms(self, now_ms: int) -> int:
        """Age of the oldest change that is known here and not acknowledged; 0 when there is none."""
        since_ms = self._oldest_ms()
        return max(0, now_ms - since_ms) if since_ms else 0

    # ---- inside ----

    def _read_batch(self, applied: int) -> list[tuple[bytes, bytes]]:
        """One batch behind the last one, into the window. Empty when nothing was read that concerns the reader.

        Of several records of one key only the latest goes. That is safe because a merge takes a maximum:
        merging the latest leaves what merging all of them in any order would, and the batch is acknowledged
        as a whole, so nobody ever counts on one that was left out.
        """
        settings = self._settings
        chosen: dict[bytes, bytes] = {}
        room, readable = settings.batch_bytes, settings.scanned_bytes
        scanned = since_ms = 0
        index, offset = self._place
        complete = True  # whether all of the last entry's changes were read
        self._more = False
        for index_next, offset_next, change in self._read(*self._place):
            if index_next > applied:
                break  # the store is ahead of the disk: this may yet be lost, and must not be elsewhere then
            is_full = len(chosen) >= settings.batch_changes or room <= 0
            if is_full or scanned >= settings.scanned_max or readable <= 0:
                complete = index_next != index
                self._more = True
                break
            index, offset = index_next, offset_next
            scanned += 1
            readable -= len(change.record) + len(change.previous or b"")
            passed_over = True
            for key, record in self._translate(change):
                passed_over = False
                since_ms = since_ms or milliseconds_of(stamp_of(record))
                earlier = chosen.get(key)
                if earlier is not None:
                    self.counts.collapsed += 1
                    if newer(earlier, record):
                        continue
                    room += len(key) + len(earlier)
                room -= len(key) + len(record)
                chosen[key] = record
            self.counts.passed_over += passed_over
        if not self._more:
            self._scanned = applied
        if scanned:
            self._place = (index, offset)
            self._number += 1
            through = index if complete else index - 1
            self._window.append(
                _Flight(self._number, through, self._place, since_ms, len(chosen), settled=not chosen)
            )
            self._settle()
        return list(chosen.items())

    def _settle(self) -> None:
        """Let go of what is acknowledged without a gap."""
        window = self._window
        while window and window[0].settled:
            flight = window.popleft()
            self._acknowledged_place = flight.place
            self.cursor = max(self.cursor, flight.through)
            self._waiting_since_ms = 0

    def _oldest_ms(self) -> int:
        known = [flight.since_ms for flight in self._window if flight.since_ms and not flight.settled]
        if self._waiting_since_ms:
            known.append(self._waiting_since_ms)
        return min(known, default=0)

    def _is_pausing(self, now_ms: int) -> bool:
        return self._failures > 0 and 0 <= now_ms - self._failed_ms < self._pause_ms

    def _is_lingering(self, now_ms: int) -> bool:
        return 0 <= now_ms - self._sent_ms < self._settings.linger_ms


_WHOLE_ENTRY = 0xFFFF
"""An offset that no change stands behind: the cursor covers whole entries (model/change.position)."""
