"""The change log as its readers read it: what one of them has just read and decoded, the others find in memory.

They tail the log at about the same place, each at its own pace. A change never becomes another one once it is in the
log, so what was read stays true; a reader that is further behind reads the store.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from kvorum.model import change as change_log
from kvorum.model.change import Change
from kvorum.node.store import Family, Store

KEPT_CHANGES_MAX = 256
KEPT_BYTES_MAX = 512 * 1024
"""Of records. Beyond either the older half is dropped."""

Place = tuple[int, int]
"""Raft index and offset."""


class ChangeReader:
    """One partition's. The kept changes are all that the log has from behind `_from` to `_places[-1]`."""

    def __init__(self, partition: int, store: Store) -> None:
        self._partition = partition
        self._store = store
        self._upper = change_log.position(partition + 1, 0, 0)
        self._from: Place = (0, 0)
        self._places: list[Place] = []
        self._changes: list[Change] = []
        self._bytes = 0

    def read(self, index: int, offset: int) -> Iterator[tuple[int, int, Change]]:
        """Every change behind that place, as (index, offset, change), in order. Only one such reading at a time."""
        place = index, offset
        is_kept = True
        if not self._places or place > self._places[-1]:
            self._from = place
            self._drop(len(self._places))
        elif place >= self._from:
            for kept in range(bisect_right(self._places, place), len(self._places)):
                yield *self._places[kept], self._changes[kept]
            place = self._places[-1]
        else:
            is_kept = False
        lower = change_log.position(self._partition, *place) + b"\0"
        for key, entry in self._store.scan(Family.CHANGES, lower, self._upper):
            index, offset = change_log.index_of(key), change_log.offset_of(key)
            change = change_log.decode(entry)
            if is_kept:
                self._keep((index, offset), change)
            yield index, offset, change

    def _keep(self, place: Place, change: Change) -> None:
        if len(self._places) == KEPT_CHANGES_MAX or self._bytes > KEPT_BYTES_MAX:
            half = (len(self._places) + 1) // 2
            self._from = self._places[half - 1]
            self._drop(half)
        self._places.append(place)
        self._changes.append(change)
        self._bytes += _bytes_of(change)

    def _drop(self, count: int) -> None:
        self._bytes -= sum(map(_bytes_of, self._changes[:count]))
        del self._places[:count], self._changes[:count]


def _bytes_of(change: Change) -> int:
    return len(change.record) + len(change.previous or b"")
