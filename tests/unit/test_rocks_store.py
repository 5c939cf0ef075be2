"""RocksStore where a store meets the world: killed processes, damaged logs, full disks, foreign directories."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.node.disk_guard import DiskGuard, Writes, default_reserve_bytes
from kvorum.node.memory_store import MemoryStore
from kvorum.node.rocks_store import RocksStore, open_rocks_store
from kvorum.node.store import (
    Family,
    StoreBrokenError,
    StoreDirectoryError,
    StoreFullError,
    StoreLockedError,
)
from tests.kit.small_disk import SmallDisk, small_disk

_MIB = 1 << 20


def open_small(path: Path) -> RocksStore:
    return open_rocks_store(path, block_cache_bytes=_MIB, write_buffer_bytes=_MIB)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RocksStore]:
    opened = open_small(tmp_path / "store")
    yield opened
    opened.close()


# A history is numbered writes, each one batch over all families: whatever survives must be the numbers
# 0 … n - 1, the same n in every family.


def write_number(store: RocksStore, number: int, value: bytes) -> None:
    batch = store.batch()
    for family in Family:
        batch.put(family, b"%09d" % number, value)
    store.write(batch)


def survivors(store: RocksStore) -> int:
    """How many numbered writes are there; fails unless they are a prefix and none is in part."""
    counts = set[int]()
    for family in Family:
        numbers = [int(key) for key, _ in store.scan(family, b"", b"\xff")]
        assert numbers == list(range(len(numbers)))
        counts.add(len(numbers))
    assert len(counts) == 1, f"a batch is there in part: {counts}"
    return counts.pop()


_WRITER = """
import sys
from pathlib import Path
from tests.unit.test_rocks_store import open_small, survivors, write_number

store = open_small(Path(sys.argv[1]))
number = survivors(store)
while True:
    for _ in range(7):
        write_number(store, number, number.to_bytes(300, "big"))
        number += 1
    if number % 3 == 0:
        store.sync()
        print(number, flush=True)
"""


def test_a_killed_process_loses_nothing_it_synced_and_nothing_from_the_middle(tmp_path: Path) -> None:
    """kill -9 at arbitrary moments, also during flushes of memtables: a write is 1.2 kB, they hold 1 MiB."""
    promised = 0
    for lifetime in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        with writer:
            for _ in range(30 + 97 * lifetime):
                line = writer.stdout.readline()
                assert line, "the writer died by itself"
                promised = int(line)
            writer.kill()
            for line in writer.stdout:
                # A line that was cut by the kill promises nothing.
                if line.endswith("\n"):
                    promised = int(line)
        store = open_small(tmp_path / "store")
        assert survivors(store) >= promised
        store.close()


@dataclass(frozen=True, slots=True)
class CrashImage:
    """A store's directory as a crash would leave it: 25 writes in tables, 25 confirmed in the log, 25 more in the
    log that nobody was told about."""

    path: Path
    log: str
    confirmed_bytes: int
    written_bytes: int

    CONFIRMED = 50
    WRITTEN = 75

    def copy(self, path: Path) -> Path:
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.path, path)
        return path / "db" / self.log


@pytest.fixture(scope="module")
def crash_image(tmp_path_factory: pytest.TempPathFactory) -> CrashImage:
    directory = tmp_path_factory.mktemp("crash")
    store = open_small(directory / "store")
    numbers = itertools.count()

    def write_some() -> None:
        for number in itertools.islice(numbers, 25):
            write_number(store, number, b"%d" % number * 20)
        store.sync()

    write_some()
    store.reopen()
    write_some()
    (log,) = (path for path in (directory / "store" / "db").glob("*.log") if path.stat().st_size)
    confirmed_bytes = log.stat().st_size
    mark = (directory / "store" / "SYNCED").read_bytes()
    write_some()
    image = directory / "image"
    shutil.copytree(directory / "store", image)
    (image / "SYNCED").write_bytes(mark)
    store.close()
    return CrashImage(image, log.name, confirmed_bytes, (image / "db" / log.name).stat().st_size)


def test_an_undamaged_log_is_read_to_its_end(crash_image: CrashImage, tmp_path: Path) -> None:
    crash_image.copy(tmp_path / "store")
    store = open_small(tmp_path / "store")
    assert survivors(store) == CrashImage.WRITTEN
    store.close()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_log_that_is_cut_anywhere_after_its_last_sync_costs_only_what_was_not_synced(
    crash_image: CrashImage, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.getbasetemp() / "cut"
    log = crash_image.copy(directory)
    os.truncate(log, data.draw(st.integers(crash_image.confirmed_bytes, crash_image.written_bytes)))
    store = open_small(directory)
    assert CrashImage.CONFIRMED <= survivors(store) <= CrashImage.WRITTEN
    store.close()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_bit_flipped_anywhere_in_the_log_never_takes_what_was_synced_in_silence(
    crash_image: CrashImage, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.getbasetemp() / "flipped"
    log = crash_image.copy(directory)
    position = data.draw(st.integers(0, crash_image.written_bytes - 1))
    content = bytearray(log.read_bytes())
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    log.write_bytes(content)
    for _ in range(2):  # a refusal must not heal by trying again
        if position >= crash_image.confirmed_bytes:
            assert confirmed_or_refused(directory)
        else:
            confirmed_or_refused(directory)


def confirmed_or_refused(directory: Path) -> bool:
    """False if the store refuses to open; fails if it opens without what it confirmed."""
    try:
        store = open_small(directory)
    except StoreBrokenError:
        return False
    assert survivors(store) >= CrashImage.CONFIRMED
    store.close()
    return True


def test_a_damaged_mark_is_not_taken_for_a_low_one(store: RocksStore) -> None:
    write_number(store, 0, b"value")
    store.sync()
    mark = store.path / "SYNCED"
    content = bytearray(mark.read_bytes())
    content[7] ^= 1
    store.close()
    mark.write_bytes(content)
    with pytest.raises(StoreBrokenError, match="SYNCED is damaged"):
        store.reopen()


def test_a_scan_over_a_damaged_table_fails_instead_of_ending_early(store: RocksStore) -> None:
    for number in range(2000):
        write_number(store, number, os.urandom(100))
    store.close()
    for table in (store.path / "db").glob("*.sst"):
        content = bytearray(table.read_bytes())
        content[len(content) // 3] ^= 1
        table.write_bytes(content)
    store.reopen()
    for reverse in (False, True):
        with pytest.raises(StoreBrokenError, match="Corruption"):
            list(store.scan(Family.DATA, b"", b"\xff", reverse=reverse))
    with pytest.raises(StoreBrokenError, match="Corruption"):
        list(map(store.get, itertools.repeat(Family.DATA), (b"%09d" % number for number in range(2000))))


# The disk is full.


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 16 * _MIB) as mounted:
        yield mounted


def assert_refuses_writes_and_serves_reads(store: RocksStore, present: int) -> None:
    for _ in range(2):
        with pytest.raises(StoreFullError):
            write_number(store, 999_999_999, b"never")
        with pytest.raises(StoreFullError):
            store.sync()
    assert store.get(Family.DATA, b"%09d" % 0) is not None
    assert store.get(Family.DATA, b"%09d" % (present - 1)) is not None
    assert survivors(store) >= present


def write_until_full(store: RocksStore) -> int:
    """How many numbered writes were confirmed."""
    for number in itertools.count():
        try:
            write_number(store, number, os.urandom(2000))
            store.sync()
        except StoreFullError:
            return number
    raise AssertionError("unreachable")


def come_back(store: RocksStore) -> float:
    """The procedure of a node whose store is full; seconds until it is open again."""
    started = time.monotonic()
    guard = DiskGuard(store, 2 * _MIB)
    while not guard.may_reopen():
        assert time.monotonic() < started + 10
    store.reopen()
    return time.monotonic() - started


def test_a_sync_without_space_is_survived_by_opening_again(disk: SmallDisk) -> None:
    store = open_small(disk.path / "store")
    for number in range(100):
        write_number(store, number, b"confirmed")
    store.sync()
    disk.fill()
    for number in range(100, 110):
        write_number(store, number, os.urandom(1000))
    with pytest.raises(StoreFullError):
        store.sync()
    assert_refuses_writes_and_serves_reads(store, 100)
    disk.release()
    # Space alone does not bring it back: what RocksDB holds in memory is not what is on the disk.
    with pytest.raises(StoreFullError):
        store.sync()
    assert come_back(store) < 3
    present = survivors(store)
    assert 100 <= present <= 110
    write_number(store, present, b"after")
    store.sync()
    store.reopen()
    assert survivors(store) == present + 1
    store.close()


@pytest.mark.parametrize("leave_bytes", [100_000, 600_000, 1_500_000, 2_500_000])
def test_a_store_that_grows_into_the_end_of_its_disk_keeps_all_it_confirmed(
    disk: SmallDisk, leave_bytes: int
) -> None:
    """Whichever comes first: the log's append, or a flush or compaction in the background."""
    store = open_small(disk.path / "store")
    disk.fill(leave_bytes)
    confirmed = write_until_full(store)
    assert_refuses_writes_and_serves_reads(store, confirmed)
    disk.release()
    assert come_back(store) < 3
    assert confirmed <= survivors(store) <= confirmed + 1
    store.close()


def test_a_failed_flush_is_noticed_by_the_next_write(disk: SmallDisk) -> None:
    store = open_small(disk.path / "store")
    for number in range(100):
        write_number(store, number, os.urandom(1000))
    store.sync()
    disk.fill(50_000)
    # As RocksDB does by itself when memtables are full; the log still has room.
    with pytest.raises(Exception, match="No space left"):
        store._families[Family.DATA].flush()
    assert_refuses_writes_and_serves_reads(store, 100)
    disk.release()
    assert come_back(store) < 3
    assert survivors(store) == 100
    store.close()


def test_opening_on_a_full_disk_says_so_and_can_be_tried_again(disk: SmallDisk) -> None:
    store = open_small(disk.path / "store")
    write_number(store, 0, b"confirmed")
    store.sync()
    disk.fill()
    write_number(store, 1, bytes(5000))
    with pytest.raises(StoreFullError):
        store.sync()
    with pytest.raises(StoreFullError):
        store.reopen()
    with pytest.raises(StoreFullError):
        open_small(disk.path / "another")
    disk.release()
    store.reopen()
    assert survivors(store) >= 1
    store.close()


def test_a_disk_that_is_full_at_closing_leaves_no_lock(disk: SmallDisk) -> None:
    store = open_small(disk.path / "store")
    write_number(store, 0, b"confirmed")
    store.sync()
    write_number(store, 1, bytes(5000))
    disk.fill()
    with pytest.raises(StoreFullError):
        store.close()
    store.close()
    disk.release()
    store = open_small(disk.path / "store")
    assert survivors(store) >= 1
    store.close()


def test_the_guard_stops_a_node_before_its_engine_meets_the_end(disk: SmallDisk) -> None:
    store = open_rocks_store(disk.path / "store")
    guard = DiskGuard(store)
    confirmed = 0
    while guard.allowed() is Writes.ALL:
        write_number(store, confirmed, os.urandom(5000))
        store.sync()
        confirmed += 1
    assert guard.allowed() is Writes.ESSENTIAL
    for _ in range(3):  # what cannot be put off still goes through, and flushes find room in the reserve
        write_number(store, confirmed, b"essential")
        confirmed += 1
        store.sync()
        store._families[Family.DATA].flush()
    disk.fill()
    assert guard.allowed() is Writes.NONE
    assert survivors(store) == confirmed
    disk.release()
    store.close()


def test_the_guards_lines() -> None:
    store = MemoryStore(free_bytes=1000)
    guard = DiskGuard(store, reserve_bytes=640)

    def allowed(free_bytes: int) -> Writes:
        store.disk_free_bytes = free_bytes
        return guard.allowed()

    falling = [allowed(free) for free in (1000, 640, 639, 10, 9)]
    assert falling == [Writes.ALL, Writes.ALL, Writes.ESSENTIAL, Writes.ESSENTIAL, Writes.NONE]
    rising = [allowed(free) for free in (10, 640, 719, 720, 640)]
    assert rising == [Writes.ESSENTIAL, Writes.ESSENTIAL, Writes.ESSENTIAL, Writes.ALL, Writes.ALL]
    assert default_reserve_bytes(1 << 40) == 256 * _MIB
    assert default_reserve_bytes(128 * _MIB) == 16 * _MIB


# The directory.


def message_of(opening: Path) -> str:
    with pytest.raises(StoreDirectoryError) as caught:
        open_small(opening)
    assert caught.value.definite
    assert "\n" not in str(caught.value)
    assert str(opening) in str(caught.value)
    return str(caught.value)


def test_a_second_opener_is_told_so(store: RocksStore) -> None:
    with pytest.raises(StoreLockedError, match="is in use"):
        open_small(store.path)
    script = "import sys; from pathlib import Path; from tests.unit.test_rocks_store import open_small\n"
    other = subprocess.run(
        [sys.executable, "-c", script + "open_small(Path(sys.argv[1]))", str(store.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "StoreLockedError" in other.stderr
    write_number(store, 0, b"undisturbed")
    store.sync()


def test_a_store_that_was_forgotten_open_does_not_lock_its_directory_for_ever(tmp_path: Path) -> None:
    store = open_small(tmp_path / "store")
    write_number(store, 0, b"value")
    batch = store.batch()
    scan = store.scan(Family.DATA, b"", b"\xff")
    next(scan)
    store.close()
    again = open_small(tmp_path / "store")
    assert len(batch) == 0
    assert survivors(again) == 1
    again.close()


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    assert "thesis.tex" in message_of(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_an_empty_directory_and_one_whose_creation_was_cut_short_are_taken(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "FORMAT.new").write_text("kvo")
    open_small(tmp_path).close()
    open_small(tmp_path).close()


def test_a_file_is_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is not a directory" in message_of(tmp_path / "file")
    with pytest.raises(StoreDirectoryError, match="is not a directory"):
        open_small(tmp_path / "file" / "store")


@pytest.mark.parametrize(
    ("content", "words"),
    [("kvorum-store 1\n", "has store format 1"), ("something\n", "does not say"), ("", "does not say")],
)
def test_another_format_is_refused_in_words(tmp_path: Path, content: str, words: str) -> None:
    open_small(tmp_path).close()
    (tmp_path / "FORMAT").write_text(content)
    assert words in message_of(tmp_path)


def test_a_read_only_disk_is_refused_in_words(disk: SmallDisk) -> None:
    open_small(disk.path / "store").close()
    disk.make_read_only()
    assert "read-only" in message_of(disk.path / "store")
    assert "read-only" in message_of(disk.path / "new")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o555)
    assert "not accessible" in message_of(tmp_path / "closed" / "store")


def test_a_mistake_of_the_caller_does_not_look_like_a_broken_disk(store: RocksStore) -> None:
    with pytest.raises(KeyError, match="only support bytes"):
        store.get(Family.DATA, 7)  # type: ignore[arg-type]
    write_number(store, 0, b"value")
    assert survivors(store) == 1
