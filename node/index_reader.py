"""A global index as a reader of one partition: first the items that were there before it, beside them every change.

The backfill goes through the items in the order of their keys, some at a time, and enters each as it is at that
moment, at its own stamp. Changes are entered meanwhile by the sender; of two operations on one entry the newer stays,
so neither has to wait for the other. Two rules keep a late one of them from bringing back what is gone:

* What was read is sent at once or not at all. After a failure the items are read again: tombstones of an index's
  entries are kept for an hour, and an item that was read before one of them must not arrive after it has gone.
* What was read is sent only when it cannot be lost here any more (a lone voter's store is ahead of its disk).

It is complete once the last item has been entered and the index holds every change up to that moment. Only that is
said of it (`position` None), so a new leader repeats at most some items, and never believes too early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kvorum.control.messages import SenderReport, ShipAnswer
from kvorum.model import keys
from kvorum.model.change import Change
from kvorum.model.indexes import View
from kvorum.node.commands import AdvanceIndex
from kvorum.node.index_cursors import IndexCursor
from kvorum.node.index_routes import IndexRoutes
from kvorum.node.partition import Partition
from kvorum.node.readers import Entries
from kvorum.node.store import Family, Store
from kvorum.replication.change_sender import ChangeSender, SenderSettings
from kvorum.replication.link import LinkFailure, Reply

STEP_BYTES = 256 * 1024
"""A step of the backfill ends with the item that takes it past this, or with the last of `step_items`: no step may
hold the loop for long."""


@dataclass(frozen=True, slots=True)
class _Step:
    """`applied`: what the items' state followed from. `last`: the key up to which they were read."""

    applied: int
    last: bytes
    entries: Entries
    is_end: bool


class IndexReader:
    """`again`: have `advance` called in a coming turn of the loop, if this reader is still wanted then."""

    def __init__(
        self,
        partition: Partition,
        view: View,
        routes: IndexRoutes,
        store: Store,
        now_ms: Callable[[], int],
        again: Callable[[], None],
        settings: SenderSettings,
        step_items: int,
    ) -> None:
        self.settings = settings
        self._partition = partition
        self._view = view
        self._routes = routes
        self._store = store
        self._now_ms = now_ms
        self._again = again
        self._step_items = step_items
        self._id = view.index.id
        held = self._replicated
        self._position = held.position if held is not None else b""
        self._step: _Step | None = None
        self._is_sent = False
        self._ended_at: int | None = None  # what the last items' state followed from
        self._failures = 0
        self._failed_ms = 0
        self._proposed_ms = 0
        self._is_told = False

    @property
    def _replicated(self) -> IndexCursor | None:
        return self._partition.machine.index_cursors.by_id.get(self._id)

    @property
    def cursor(self) -> int:
        held = self._replicated
        return held.index if held is not None else 0

    def translate(self, change: Change) -> Iterable[tuple[bytes, bytes]]:
        return self._view.operations(change.key, change.previous, change.record)

    def ship(self, entries: Entries, done: Reply) -> None:
        self._routes.merge(self._id, entries, done)

    def advance(self, sender: ChangeSender) -> None:
        held = self._replicated
        if held is None:
            return
        if self._position is not None:
            self._fill()
            if self._ended_at is not None and sender.has_reached(self._ended_at):
                self._position = None
        now_ms = self._now_ms()
        is_news = self._position is None and held.position is not None and not self._is_told
        is_due = not 0 <= now_ms - self._proposed_ms < self.settings.cursor_ms
        if (is_due or is_news) and (sender.cursor > held.index or self._position != held.position):
            self._proposed_ms = now_ms
            self._is_told = self._position is None
            self._partition.propose(AdvanceIndex(self._id, sender.cursor, self._position))

    def report(self, sender: ChangeSender) -> SenderReport:
        partition = self._partition
        lag_ms = sender.lag_ms(self._now_ms())
        return SenderReport(
            partition.descriptor.id, "", sender.cursor, lag_ms, partition.table.name, self._view.index.name
        )

    def __str__(self) -> str:
        return f"index {self._view.index.name} of table {self._partition.table.name}"

    # ---- backfill ----

    def _fill(self) -> None:
        """Go on with the backfill as far as can be now."""
        if self._is_sent or self._ended_at is not None or self._is_pausing():
            return
        step = self._step = self._step or self._read()
        if step.applied > self._partition.machine.shown:
            return  # `advance` is called when that is shown
        self._is_sent = True
        if step.entries:
            self._partition.replica.confirm(partial(self._send, step))
        else:
            self._answered(step, ShipAnswer(0))

    def _send(self, step: _Step, is_leader: bool) -> None:
        if is_leader:
            self._routes.merge(self._id, step.entries, partial(self._answered, step))
        else:
            self._answered(step, LinkFailure(sent=False, reason="leads no longer"))

    def _answered(self, step: _Step, answer: Any) -> None:
        self._step = None
        self._is_sent = False
        if not isinstance(answer, ShipAnswer):
            self._failures += 1
            self._failed_ms = self._now_ms()
            return
        self._failures = 0
        self._position = step.last
        if step.is_end:
            self._ended_at = step.applied
        self._again()

    def _read(self) -> _Step:
        """Items behind what has been entered."""
        partition = self._partition
        prefix = partition.machine.prefix
        lower, upper = keys.token_bounds(partition.descriptor.lower, partition.descriptor.upper)
        position = self._position
        assert position is not None
        if position:
            lower = position + b"\0"
        last = position
        entries: Entries = []
        room = STEP_BYTES
        is_end = True
        pairs = self._store.scan(Family.DATA, prefix + lower, prefix + upper)
        for count, (place, record) in enumerate(pairs):
            if count == self._step_items or room <= 0:
                is_end = False
                break
            last = place[len(prefix) :]
            entries += self._view.operations(last, None, record)
            room -= len(record)
        return _Step(partition.machine.applied, last, entries, is_end)

    def _is_pausing(self) -> bool:
        settings = self.settings
        pause_ms = min(settings.backoff_ms_min << min(self._failures, 16), settings.backoff_ms_max)
        return self._failures > 0 and 0 <= self._now_ms() - self._failed_ms < pause_ms
