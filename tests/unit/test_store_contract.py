"""What every store promises, tried against a dict: the port's contract for RocksStore and MemoryStore."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kvorum.node.memory_store import MemoryStore
from kvorum.node.rocks_store import open_rocks_store
from kvorum.node.store import Family, Store, StoreClosedError

Rows = list[tuple[bytes, bytes]]
Oracle = dict[Family, dict[bytes, bytes]]


def make_rocks(directory: Path) -> Store:
    return open_rocks_store(directory / "store", block_cache_bytes=1 << 20, write_buffer_bytes=1 << 20)


def make_memory(_directory: Path) -> Store:
    return MemoryStore(can_crash=True)


STORES: dict[str, Callable[[Path], Store]] = {"rocks": make_rocks, "memory": make_memory}

# Few distinct bytes, so that keys meet, are prefixes of each other and touch the ends of the key space.
keys = st.lists(st.sampled_from([0x00, 0x61, 0xFF]), max_size=3).map(bytes)
values = st.binary(max_size=4)
families = st.sampled_from(list(Family))


@dataclass(frozen=True, slots=True)
class Put:
    family: Family
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    family: Family
    key: bytes


@dataclass(frozen=True, slots=True)
class DeleteRange:
    family: Family
    lower: bytes
    upper: bytes


Operation = Put | Delete | DeleteRange
operations = st.one_of(
    st.builds(Put, families, keys, values),
    st.builds(Put, families, keys, values),
    st.builds(Delete, families, keys),
    st.builds(DeleteRange, families, keys, keys),
)
batches = st.lists(operations, max_size=6)


def write(store: Store, batch_operations: list[Operation]) -> None:
    batch = store.batch()
    for operation in batch_operations:
        match operation:
            case Put(family, key, value):
                batch.put(family, key, value)
            case Delete(family, key):
                batch.delete(family, key)
            case DeleteRange(family, lower, upper):
                batch.delete_range(family, lower, upper)
    store.write(batch)


def write_to_oracle(oracle: Oracle, batch_operations: list[Operation]) -> None:
    for operation in batch_operations:
        match operation:
            case Put(family, key, value):
                oracle[family][key] = value
            case Delete(family, key):
                oracle[family].pop(key, None)
            case DeleteRange(family, lower, upper):
                for key in [key for key in oracle[family] if lower <= key < upper]:
                    del oracle[family][key]


def empty_oracle() -> Oracle:
    return {family: {} for family in Family}


def oracle_scan(oracle: Oracle, family: Family, lower: bytes, upper: bytes, reverse: bool) -> Rows:
    rows = [(key, value) for key, value in oracle[family].items() if lower <= key < upper]
    return sorted(rows, reverse=reverse)


def everything(store: Store) -> Oracle:
    return {family: dict(store.scan(family, b"", b"\xff" * 4)) for family in Family}


class StoreMachine(RuleBasedStateMachine):
    kind: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="store-contract-"))
        self.store = STORES[self.kind](self.directory)
        self.oracle = empty_oracle()
        self.open_scans: list[tuple[Iterator[tuple[bytes, bytes]], Rows]] = []

    def teardown(self) -> None:
        self.open_scans.clear()
        self.store.close()
        shutil.rmtree(self.directory)

    @rule(batch_operations=batches)
    def write(self, batch_operations: list[Operation]) -> None:
        write(self.store, batch_operations)
        write_to_oracle(self.oracle, batch_operations)

    @rule(family=families, key=keys)
    def get(self, family: Family, key: bytes) -> None:
        assert self.store.get(family, key) == self.oracle[family].get(key)

    @rule(family=families, lower=keys, upper=keys, reverse=st.booleans())
    def scan(self, family: Family, lower: bytes, upper: bytes, reverse: bool) -> None:
        expected = oracle_scan(self.oracle, family, lower, upper, reverse)
        assert list(self.store.scan(family, lower, upper, reverse=reverse)) == expected

    @precondition(lambda self: len(self.open_scans) < 4)
    @rule(family=families, lower=keys, upper=keys, reverse=st.booleans(), read=st.integers(0, 2))
    def open_scan(self, family: Family, lower: bytes, upper: bytes, reverse: bool, read: int) -> None:
        scan = self.store.scan(family, lower, upper, reverse=reverse)
        expected = oracle_scan(self.oracle, family, lower, upper, reverse)
        assert list(itertools.islice(scan, read)) == expected[:read]
        self.open_scans.append((scan, expected[read:]))

    @precondition(lambda self: self.open_scans)
    @rule()
    def finish_scan(self) -> None:
        scan, expected = self.open_scans.pop(0)
        assert list(scan) == expected

    @precondition(lambda self: self.open_scans)
    @rule()
    def forget_scan(self) -> None:
        self.open_scans.pop()

    @rule()
    def sync(self) -> None:
        self.store.sync()

    @rule()
    def reopen(self) -> None:
        self.store.reopen()
        for scan, expected in self.open_scans:
            if expected:
                with pytest.raises(StoreClosedError):
                    list(scan)
        self.open_scans.clear()

    @invariant()
    def holds_what_was_written(self) -> None:
        for family, key in ((Family.DATA, b"a"), (Family.LOG, b"\xff")):
            assert self.store.get(family, key) == self.oracle[family].get(key)


class RocksMachine(StoreMachine):
    kind = "rocks"


class MemoryMachine(StoreMachine):
    kind = "memory"


TestRocksStore = RocksMachine.TestCase
TestRocksStore.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestMemoryStore = MemoryMachine.TestCase
TestMemoryStore.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = STORES[request.param](tmp_path)
    yield opened
    opened.close()


def test_nothing_written_is_nothing_read(store: Store) -> None:
    assert store.get(Family.DATA, b"key") is None
    assert list(store.scan(Family.DATA, b"", b"\xff")) == []
    store.write(store.batch())
    store.sync()


def test_a_batch_counts_its_operations_and_is_invisible_until_written(store: Store) -> None:
    batch = store.batch()
    assert len(batch) == 0
    batch.put(Family.DATA, b"key", b"value")
    batch.delete(Family.META, b"key")
    assert len(batch) == 2
    assert store.get(Family.DATA, b"key") is None
    store.write(batch)
    assert store.get(Family.DATA, b"key") == b"value"


def test_families_do_not_mix(store: Store) -> None:
    write(store, [Put(family, b"key", family.name.encode()) for family in Family])
    assert [store.get(family, b"key") for family in Family] == [family.name.encode() for family in Family]


def test_a_thousand_scans_at_once_keep_their_own_bounds(store: Store) -> None:
    write(store, [Put(Family.DATA, b"%04d" % number, b"") for number in range(1100)])
    scans = [store.scan(Family.DATA, b"%04d" % n, b"%04d" % (n + 50)) for n in range(1000)]
    for first, scan in enumerate(scans):
        assert [key for key, _ in scan] == [b"%04d" % number for number in range(first, first + 50)]


def test_a_closed_store_refuses_everything_and_closes_again(store: Store) -> None:
    write(store, [Put(Family.DATA, b"key", b"value")])
    batch = store.batch()
    store.close()
    store.close()
    with pytest.raises(StoreClosedError):
        store.get(Family.DATA, b"key")
    with pytest.raises(StoreClosedError):
        store.scan(Family.DATA, b"", b"\xff")
    with pytest.raises(StoreClosedError):
        store.write(batch)
    with pytest.raises(StoreClosedError):
        store.sync()
    store.reopen()
    assert store.get(Family.DATA, b"key") == b"value"


def test_a_scan_that_the_store_was_closed_under_does_not_look_complete(store: Store) -> None:
    write(store, [Put(Family.DATA, b"%d" % number, b"") for number in range(9)])
    started, copied, untouched = (store.scan(Family.DATA, b"", b"\xff") for _ in range(3))
    assert next(started) == (b"0", b"")
    assert next(copied) == (b"0", b"")
    write(store, [Put(Family.DATA, b"late", b"")])
    store.close()
    for scan in (started, copied, untouched):
        with pytest.raises(StoreClosedError):
            next(scan)


def test_the_disk_has_a_size(store: Store) -> None:
    assert 0 < store.free_bytes() <= store.total_bytes()
    assert not store.is_congested()


@given(
    synced=st.lists(batches, max_size=5),
    unsynced=st.lists(batches, max_size=5),
    data=st.data(),
    after=batches,
)
def test_a_crash_keeps_what_was_synced_and_a_prefix_of_the_rest(
    synced: list[list[Operation]],
    unsynced: list[list[Operation]],
    data: st.DataObject,
    after: list[Operation],
) -> None:
    """Of MemoryStore, whose crash is simulated; RocksStore is killed in test_rocks_store."""
    store = MemoryStore(can_crash=True)
    for batch_operations in synced:
        write(store, batch_operations)
    store.sync()
    assert store.unsynced_writes == 0
    for batch_operations in unsynced:
        write(store, batch_operations)
    assert store.unsynced_writes == len(unsynced)
    kept = data.draw(st.integers(0, len(unsynced)))
    store.crash(kept)
    write(store, after)
    oracle = empty_oracle()
    for batch_operations in [*synced, *unsynced[:kept], after]:
        write_to_oracle(oracle, batch_operations)
    assert everything(store) == oracle
