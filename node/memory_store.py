"""The storage port in memory: for `--in-memory`, and for simulations, where it can crash.

Point reads and writes touch one dict. Only scans need the keys in order, so the order is brought up to date when
a scan asks for it. A scan reads in place, and copies what it has not read yet if a write comes meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NoReturn, TypeAlias
from weakref import WeakSet

from sortedcontainers import SortedList

from kvorum.node.store import Batch, Family, StoreClosedError

_UNLIMITED_BYTES: Final = 1 << 60
# Deleted keys may wait in the order for the next scan, but not outnumber the living by more than this.
_GONE_KEYS_MAX: Final = 1024

# (family, key, value, None) puts, (family, key, None, None) deletes, (family, lower, None, upper) deletes a range.
_Operation: TypeAlias = tuple[Family, bytes, bytes | None, bytes | None]
# What a key held before a write: applied backwards, it takes the write back.
_Before: TypeAlias = tuple[Family, bytes, bytes | None]


class MemoryStore:
    """Implements `Store`. With `can_crash`, remembers how to take back what is not synced."""

    def __init__(self, *, can_crash: bool = False, free_bytes: int = _UNLIMITED_BYTES) -> None:
        self.disk_free_bytes = free_bytes
        """What `free_bytes` answers; a simulation may change it."""
        self._families = tuple(_OrderedBytes() for _ in Family)
        self._values = tuple(family.values for family in self._families)
        self._unsynced: list[list[_Before]] | None = [] if can_crash else None
        self._scans_in_place: WeakSet[_Scan] = WeakSet()
        self._scans_copied: WeakSet[_Scan] = WeakSet()
        self._closed = False

    def get(self, family: Family, key: bytes) -> bytes | None:
        return self._values[family].get(key)

    def scan(
        self, family: Family, lower: bytes, upper: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        if self._closed:
            raise _closed()
        if lower >= upper:
            return iter(())
        scan = _Scan(self._families[family].scan(lower, upper, reverse))
        self._scans_in_place.add(scan)
        return scan

    def batch(self) -> MemoryBatch:
        return MemoryBatch()

    def write(self, batch: Batch) -> None:
        if self._closed:
            raise _closed()
        assert isinstance(batch, MemoryBatch), "a batch of another store"
        if self._unsynced is not None:
            self._unsynced.append(self._before(batch))
        if self._scans_in_place:
            self._copy_open_scans()
        self._apply(batch.take())

    def sync(self) -> None:
        if self._closed:
            raise _closed()
        if self._unsynced is not None:
            self._unsynced.clear()

    def free_bytes(self) -> int:
        return self.disk_free_bytes

    def total_bytes(self) -> int:
        return _UNLIMITED_BYTES

    def is_congested(self) -> bool:
        return False

    def reopen(self) -> None:
        self.close()
        self._values = tuple(family.values for family in self._families)
        self._closed = False

    def close(self) -> None:
        for scan in (*self._scans_in_place, *self._scans_copied):
            scan.cut()
        self._values = (_CLOSED,) * len(Family)
        self._closed = True

    def crash(self, unsynced_writes_kept: int = 0) -> None:
        """The process died and is about to start again: of the writes since the last sync, the first
        `unsynced_writes_kept` reached the disk. The store is open afterwards."""
        assert self._unsynced is not None, "this store cannot crash"
        self.reopen()
        for before in reversed(self._unsynced[unsynced_writes_kept:]):
            self._apply([(family, key, value, None) for family, key, value in reversed(before)])
        self._unsynced.clear()

    @property
    def unsynced_writes(self) -> int:
        """Writes that a crash could lose; 0 for a store that cannot crash."""
        return len(self._unsynced or ())

    def _copy_open_scans(self) -> None:
        for scan in list(self._scans_in_place):
            scan.read_rest()
            self._scans_copied.add(scan)
        self._scans_in_place.clear()

    def _apply(self, operations: list[_Operation]) -> None:
        families = self._families
        for family, key, value, upper in operations:
            if value is not None:
                families[family].put(key, value)
            elif upper is None:
                families[family].delete(key)
            else:
                families[family].delete_range(key, upper)

    def _before(self, batch: MemoryBatch) -> list[_Before]:
        """State before the batch, not before each operation: a key that is written twice is put back twice,
        to the same value."""
        before: list[_Before] = []
        for family, key, _, upper in batch.operations:
            if upper is None:
                before.append((family, key, self._values[family].get(key)))
            else:
                before.extend((family, each, value) for each, value in self.scan(family, key, upper))
        return before


class MemoryBatch:
    """Implements `Batch`."""

    __slots__ = ("_taken", "operations")

    def __init__(self) -> None:
        self.operations: list[_Operation] = []
        self._taken = False

    def put(self, family: Family, key: bytes, value: bytes) -> None:
        self.operations.append((family, key, value, None))

    def delete(self, family: Family, key: bytes) -> None:
        self.operations.append((family, key, None, None))

    def delete_range(self, family: Family, lower: bytes, upper: bytes) -> None:
        if lower < upper:
            self.operations.append((family, lower, None, upper))

    def __len__(self) -> int:
        return len(self.operations)

    def take(self) -> list[_Operation]:
        assert not self._taken, "a batch is written once"
        self._taken = True
        return self.operations


class _OrderedBytes:
    """One family: a dict, and the order of its keys as of the last scan with what has changed since."""

    __slots__ = ("_fresh", "_gone", "_order", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self._order: SortedList = SortedList()
        self._fresh: list[bytes] = []  # added since, not in _order yet
        self._gone: set[bytes] = set()  # deleted since, still in _order or _fresh

    def put(self, key: bytes, value: bytes) -> None:
        if key not in self.values:
            if key in self._gone:
                self._gone.discard(key)
            else:
                self._fresh.append(key)
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        if self.values.pop(key, None) is not None:
            self._gone.add(key)
            if len(self._gone) > len(self.values) + _GONE_KEYS_MAX:
                self._settle()

    def delete_range(self, lower: bytes, upper: bytes) -> None:
        self._settle()
        for key in list(self._order.irange(lower, upper, (True, False))):
            del self.values[key]
            self._gone.add(key)
        self._settle()

    def scan(self, lower: bytes, upper: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        """In place: valid until the next write."""
        if self._fresh or self._gone:
            self._settle()
        values = self.values
        keys: Iterator[bytes] = self._order.irange(lower, upper, (True, False), reverse)
        return ((key, values[key]) for key in keys)

    def _settle(self) -> None:
        if self._fresh:
            self._order.update(self._fresh)
            self._fresh.clear()
        if self._gone:
            for key in self._gone:
                self._order.remove(key)
            self._gone.clear()


class _Scan:
    """One scan: reading in place, from its copy, or cut off, each an iterator behind the same face."""

    __slots__ = ("__weakref__", "_pairs")

    def __init__(self, pairs: Iterator[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return self

    def __next__(self) -> tuple[bytes, bytes]:
        return next(self._pairs)

    def read_rest(self) -> None:
        """The store is about to change."""
        self._pairs = iter(list(self._pairs))

    def cut(self) -> None:
        self._pairs = iter(_refuse, None)


class _ClosedValues(dict[bytes, bytes]):
    """Stands in for a family's values once the store is closed, so that an open store's get need not ask."""

    def get(self, *_: object) -> NoReturn:
        raise _closed()


_CLOSED: Final = _ClosedValues()


def _closed() -> StoreClosedError:
    return StoreClosedError("the store is closed")


def _refuse() -> tuple[bytes, bytes]:
    raise _closed()
