"""The storage port over RocksDB: the only module that knows it.

One database, a column family per Family, bytes in and out. Shape, and the reasons:

* The write-ahead log is flushed by hand (`manual_wal_flush`): a write copies into a buffer and returns, so the
  loop never waits for a disk; `sync` writes and syncs the buffer in another thread, without the interpreter's
  lock. Measured: a batch of 32 × 300 B costs the loop 16 µs, against 23 µs and a longer tail otherwise.
* All families are flushed to tables together (`atomic_flush`): what survives a crash is a prefix across
  families even where the log is cut short, and one log file is all there is to replay.
* The options are a text file, because only RocksDB's own file format reaches all of them from Python.

**Errors.** The binding raises bare exceptions with RocksDB's words. They are mapped here and nowhere else. Once a
write or a sync has failed, every later one is refused with the same kind of error until `reopen`: whatever
RocksDB might do by itself, what is on the disk stays a prefix of what was written.

**A full disk,** tried with RocksDB 9.8. An append to the log that fails is fatal to all later writes until the
database is opened again. A failed compaction makes the next flush fail, and a failed flush stops writes (or
leaves them waiting for ever, see `_UNDELAYED`); that ends by itself only when 64 MiB are free, looked at every 5 s.
Reads go on through all of it. Closing and opening again once there is space works each time, keeps every synced
write and takes 10–80 ms, or 1 s behind a failed flush: so that is the one procedure, see `store`. There is no
ballast file to delete in need: a process that takes every byte that is freed would take that too.

**A damaged log.** Opening ends the log at its first record that does not verify, which is right for a torn tail
and wrong for a bit flipped before it. A mark beside the database (`store_directory.DurableMark`) tells the two
apart; a database that lost confirmed writes is refused with StoreBrokenError.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from threading import Lock
from typing import Final
from weakref import WeakSet

from rocksdict import ColumnFamily, DbClosedError, Rdict, RdictIter, ReadOptions, WriteBatch, WriteOptions

from kvorum.node.rocks_options import LEVEL0_FILES_SLOW, load_options
from kvorum.node.store import (
    Batch,
    Family,
    StoreBrokenError,
    StoreClosedError,
    StoreDirectoryError,
    StoreError,
    StoreFullError,
    StoreLockedError,
)
from kvorum.node.store_directory import DurableMark, explained, prepare_directory

_WRITE_BUFFER_BYTES_MAX: Final = 24 << 20
_WRITE_BUFFER_BYTES_MIN: Final = 1 << 20
# disk_guard's reserve of 1/8 then holds the largest compaction, 12 times what one of three families flushes.
_WRITE_BUFFER_OF_DISK: Final = 32
_OPEN_FILES_MAX: Final = 8192
# Half of what makes RocksDB throttle: time for the callers to notice.
_CONGESTED_LEVEL0_FILES: Final = LEVEL0_FILES_SLOW // 2
_CONGESTED_MEMTABLES: Final = 2

# A write that RocksDB would delay, or block until background work is done, fails instead: it would wait with the
# interpreter's lock held, and behind a failed flush for ever.
_UNDELAYED: Final = WriteOptions()
_UNDELAYED.no_slowdown = True

_Scan = Generator[tuple[bytes, bytes], None, bool]


def open_rocks_store(
    path: Path,
    *,
    block_cache_bytes: int = 128 << 20,
    write_buffer_bytes: int | None = None,
    max_open_files: int | None = None,
) -> RocksStore:
    """Open the store in the directory `path`, or make it there, durably.

    `write_buffer_bytes`: about what all memtables hold before they are flushed, and what a restart after a crash
    replays (6 ms/MiB); by default 24 MiB, or 1/32 of a smaller disk. Memory is taken as it is
    used. `max_open_files`: tables kept open (one is up to a third of the write buffer); by default a quarter of
    the process's limit of descriptors, which leaves room for sockets and for a second store.

    Raises StoreDirectoryError, StoreLockedError, StoreFullError, StoreBrokenError, each with one line for the
    operator.
    """
    prepare_directory(path)
    if write_buffer_bytes is None:
        share = _disk_bytes(path) // _WRITE_BUFFER_OF_DISK
        write_buffer_bytes = max(_WRITE_BUFFER_BYTES_MIN, min(_WRITE_BUFFER_BYTES_MAX, share))
    if max_open_files is None:
        max_open_files = min(_OPEN_FILES_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
    return RocksStore(path, block_cache_bytes, write_buffer_bytes, max_open_files)


class RocksStore:
    """Implements `Store`. `write`, `get` and `scan` from one thread, `sync` from another; `reopen` and `close`
    from the first, which waits for a sync under way."""

    def __init__(
        self, path: Path, block_cache_bytes: int, write_buffer_bytes: int, max_open_files: int
    ) -> None:
        self.path = path
        self._block_cache_bytes = block_cache_bytes
        self._write_buffer_bytes = write_buffer_bytes
        self._max_open_files = max_open_files
        self._syncing = Lock()
        self._scans: WeakSet[_Scan] = WeakSet()
        # Shared with every batch and emptied in place: a forgotten batch must not keep the database open.
        self._handles: list[ColumnFamily] = []
        self._gets: list[Callable[[bytes], bytes | None]] = []
        self._failure: StoreError | None = None
        self._closed = True
        self._open()

    def get(self, family: Family, key: bytes) -> bytes | None:
        try:
            return self._gets[family](key)
        except Exception as error:
            raise _translated(error) from error

    def scan(
        self, family: Family, lower: bytes, upper: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        if lower >= upper:
            return iter(())
        options = ReadOptions()
        options.set_iterate_upper_bound(upper)
        if self._closed:
            raise StoreClosedError(f"{self.path} is closed")
        try:
            # A point in time from here on; the first seek comes when the first row is asked for.
            rows = self._families[family].iter(options)
        except Exception as error:
            raise _translated(error) from error
        scan = _backward(rows, options, lower, upper) if reverse else _forward(rows, options, lower, upper)
        self._scans.add(scan)
        return _whole(scan)

    def batch(self) -> RocksBatch:
        return RocksBatch(self._handles)

    def write(self, batch: Batch) -> None:
        assert isinstance(batch, RocksBatch), "a batch of another store"
        if self._failure is not None:
            raise _again(self._failure)
        try:
            self._database.write(batch.raw, _UNDELAYED)
        except Exception as error:
            self._failure = _translated(error)
            raise self._failure from error

    def sync(self) -> None:
        with self._syncing:
            if self._failure is not None:
                raise _again(self._failure)
            try:
                # Read before, so that the mark never claims what was written during the sync.
                sequence = self._database.latest_sequence_number()
                self._database.flush_wal(True)
            except Exception as error:
                self._failure = _translated(error)
                raise self._failure from error
            if sequence != self._mark.sequence:
                self._mark.record(sequence)

    def free_bytes(self) -> int:
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def total_bytes(self) -> int:
        return _disk_bytes(self.path)

    def is_congested(self) -> bool:
        for family in self._families:
            if (family.property_int_value("rocksdb.num-immutable-mem-table") or 0) >= _CONGESTED_MEMTABLES:
                return True
            if int(family.property_value("rocksdb.num-files-at-level0") or 0) >= _CONGESTED_LEVEL0_FILES:
                return True
        return False

    def reopen(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        if self._closed:
            return
        try:
            if self._failure is None:
                self.sync()
        finally:
            with self._syncing:
                self._close_engine()

    def _open(self) -> None:
        with explained(self.path):
            options, families = load_options(
                self.path / "options",
                write_buffer_bytes=self._write_buffer_bytes,
                block_cache_bytes=self._block_cache_bytes,
                max_open_files=self._max_open_files,
            )
        self._mark = DurableMark(self.path / "SYNCED")
        try:
            self._database = Rdict(os.fspath(self.path / "db"), options, families)
        except Exception as error:
            self._mark.close()
            raise _translated_at_opening(error, self.path) from error
        names = [family.name.lower() for family in Family]
        self._families = [self._database.get_column_family(name) for name in names]
        self._gets = [family.get for family in self._families]
        self._handles.extend(self._database.get_column_family_handle(name) for name in names)
        self._failure = None
        self._closed = False
        try:
            self._check_nothing_durable_is_lost()
        except StoreBrokenError:
            self._close_engine()
            raise

    def _check_nothing_durable_is_lost(self) -> None:
        recovered = self._database.latest_sequence_number()
        if recovered < self._mark.sequence:
            raise StoreBrokenError(
                f"{self.path} lost {self._mark.sequence - recovered} confirmed operations: its log is damaged. "
                "Suspect the disk; start with an empty directory, and the node is filled by the other replicas"
            )

    def _close_engine(self) -> None:
        """Iterators, handles and families before the database: each alive would keep the directory locked."""
        healthy = self._failure is None
        self._closed = True
        self._failure = StoreClosedError(f"{self.path} is closed")
        for scan in list(self._scans):
            scan.close()
        self._handles.clear()
        self._gets = [self._refuse_get] * len(Family)
        try:
            if healthy:
                # Here without the interpreter's lock; dropping a family would flush it with the lock held.
                for family in self._families:
                    family.flush()
            self._families.clear()
            self._database.close()
        except Exception as error:
            # After a failure, closing fails for the reason that was reported then.
            if healthy:
                raise _translated(error) from error
        finally:
            self._families.clear()
            self._mark.close()

    def _refuse_get(self, key: bytes) -> bytes | None:
        raise StoreClosedError(f"{self.path} is closed")


class RocksBatch:
    """Implements `Batch`."""

    __slots__ = ("_handles", "raw")

    def __init__(self, handles: list[ColumnFamily]) -> None:
        self.raw = WriteBatch(raw_mode=True)
        self._handles = handles

    def put(self, family: Family, key: bytes, value: bytes) -> None:
        self.raw.put(key, value, self._handles[family])

    def delete(self, family: Family, key: bytes) -> None:
        self.raw.delete(key, self._handles[family])

    def delete_range(self, family: Family, lower: bytes, upper: bytes) -> None:
        # RocksDB takes a range that ends before it begins for a failure of the write.
        if lower < upper:
            self.raw.delete_range(lower, upper, self._handles[family])

    def __len__(self) -> int:
        return len(self.raw)


def _whole(scan: _Scan) -> Iterator[tuple[bytes, bytes]]:
    """The scan's rows, or StoreClosedError if the store closed it before its end."""
    if not (yield from scan):
        raise StoreClosedError("the store was closed during a scan")


# `options` and `upper` are arguments in order to live as long as `rows`, which reads the bound's bytes from them.
# The bound on the left is compared here: the binding's own lower bound overwrites the upper one.


def _forward(rows: RdictIter, options: ReadOptions, lower: bytes, upper: bytes) -> _Scan:
    valid, key, value, advance = rows.valid, rows.key, rows.value, rows.next
    rows.seek(lower)
    while valid():
        yield key(), value()
        advance()
    _check_status(rows)
    return True


def _backward(rows: RdictIter, options: ReadOptions, lower: bytes, upper: bytes) -> _Scan:
    valid, key, value, advance = rows.valid, rows.key, rows.value, rows.prev
    rows.seek_to_last()
    while valid():
        found = key()
        if found < lower:
            break
        yield found, value()
        advance()
    _check_status(rows)
    return True


def _check_status(rows: RdictIter) -> None:
    """An iterator also stops being valid where it meets corruption."""
    try:
        rows.status()
    except Exception as error:
        raise _translated(error) from error


def _disk_bytes(path: Path) -> int:
    disk = os.statvfs(path)
    return disk.f_blocks * disk.f_frsize


def _again(failure: StoreError) -> StoreError:
    return type(failure)(str(failure))


def _translated(error: Exception) -> StoreError:
    """What RocksDB's words mean. Mistakes of the caller (a TypeError) are raised as they are."""
    if type(error) is DbClosedError:
        return StoreClosedError(str(error))
    if type(error) is not Exception:
        raise error
    words = str(error)
    if "No space left" in words or "Disk quota exceeded" in words:
        return StoreFullError(words)
    if "Write stall" in words:
        # Nobody heeded is_congested, or flushes cannot finish for lack of space: the cure is the same.
        return StoreFullError("the disk is too far behind to take more writes")
    return StoreBrokenError(words)


def _translated_at_opening(error: Exception, path: Path) -> StoreError:
    words = str(error)
    if "Resource temporarily unavailable" in words or "lock hold by current process" in words:
        return StoreLockedError(
            f"{path} is in use: stop the process that has it open, or choose another directory"
        )
    if "Permission denied" in words or "Read-only file system" in words:
        return StoreDirectoryError(
            f"{path} is not writable: give it to the user that runs the node ({words})"
        )
    translated = _translated(error)
    return type(translated)(f"{path}: {words}")
