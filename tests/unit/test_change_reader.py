"""Whoever reads a partition's change log, and from wherever: it gets what lies in the store."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import change as change_log
from kvorum.model.change import Change
from kvorum.node import change_reader
from kvorum.node.change_reader import ChangeReader
from kvorum.node.memory_store import MemoryStore
from kvorum.node.store import Family

PARTITION = 7

step = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 3), st.integers(1, 40)),  # entries skipped, bytes
    st.tuples(st.just("append beside"), st.just(0), st.integers(1, 40)),
    st.tuples(st.just("read"), st.integers(0, 30), st.integers(0, 12)),  # so far from the end, so many
)


@given(st.lists(step, max_size=80))
def test_reads_what_the_store_holds(script: list[tuple[str, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(change_reader, "KEPT_CHANGES_MAX", 5)
        patch.setattr(change_reader, "KEPT_BYTES_MAX", 100)
        store = MemoryStore()
        reader = ChangeReader(PARTITION, store)
        log: list[tuple[int, int, Change]] = []
        index = offset = 0
        _write(store, PARTITION - 1, 1, 0, _change(0, 1))
        _write(store, PARTITION + 1, 1, 0, _change(0, 1))
        for name, first, second in script:
            if name == "read":
                place = log[-first][:2] if 0 < first <= len(log) else (0, 0xFFFF)
                behind = [entry for entry in log if entry[:2] > place]
                assert list(islice(reader.read(*place), second)) == behind[:second]
                continue
            index, offset = (index, offset + 1) if name == "append beside" and log else (index + first + 1, 0)
            log.append((index, offset, _change(len(log), second)))
            _write(store, PARTITION, *log[-1])
        assert list(reader.read(0, 0xFFFF)) == log
        assert len(reader._changes) <= 5


def test_what_one_reader_has_decoded_the_next_one_gets_as_it_is() -> None:
    store = MemoryStore()
    for index in range(1, 10):
        _write(store, PARTITION, index, 0, _change(index, 10))
    reader = ChangeReader(PARTITION, store)
    first = [change for _, _, change in reader.read(3, 0)]
    second = [change for _, _, change in reader.read(5, 0)]
    assert all(one is other for one, other in zip(first[2:], second, strict=True))


def _change(number: int, size: int) -> Change:
    return Change(b"key-%d" % number, b"\0" * size, b"\0" * size if number % 2 else None)


def _write(store: MemoryStore, partition: int, index: int, offset: int, change: Change) -> None:
    batch = store.batch()
    batch.put(Family.CHANGES, change_log.position(partition, index, offset), change_log.encode(change))
    store.write(batch)
