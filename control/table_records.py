"""Tables and their partitions in a region's state: how they are made, changed and dropped, with those of indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from kvorum.control import indexes
from kvorum.control.draft import Draft
from kvorum.control.placement import Placement, placements
from kvorum.control.state import CreateTable, Partition
from kvorum.model.keys import split_tokens
from kvorum.model.table import Table, TableStatus


def make_table(
    draft: Draft, birth: CreateTable, aliases: tuple[str, ...], definition: dict[str, Any]
) -> None:
    """`aliases`: further global ids of it. `definition`: the birth's with what has been changed since."""
    spread = _spread(draft)
    table_id = draft.take_number("next_table")
    change = indexes.born(definition, lambda: draft.take_number("next_table"))
    table = Table(
        id=table_id,
        name=birth.name,
        status=TableStatus.CREATING,
        keys=birth.keys,
        uuid=birth.table_uuid,
        created_ms=birth.created_ms,
        global_id=birth.global_id,
        regions=birth.regions,
        definition=definition,
        aliases=aliases,
        indexes=change.indexes,
    )
    draft.put("table", table.name, table)
    for owner in (table_id, *(index.id for index in change.begun)):
        _make_partitions(draft, owner, birth.partitions, spread)


def put_table(draft: Draft, table: Table) -> None:
    """A table whose definition may have changed, with the indexes that it says. A new index gets as many partitions
    as its table has."""
    change = indexes.settled(table, lambda: draft.take_number("next_table"))
    draft.put("table", table.name, replace(table, indexes=change.indexes))
    _drop_partitions(draft, change.ended)
    if change.begun:
        spread = _spread(draft)
        count = sum(partition.table_id == table.id for partition in draft.partitions.values())
        for index in change.begun:
            _make_partitions(draft, index.id, count, spread)


def drop_table(draft: Draft, table: Table) -> None:
    """The table is gone at once; its partitions, and those of its indexes, when their replicas are."""
    draft.remove("table", table.name)
    _drop_partitions(draft, [table.id, *(index.id for index in table.indexes)])


def _spread(draft: Draft) -> Iterator[Placement]:
    return placements(draft.nodes.values(), draft.partitions.values(), draft.replicas)


def _make_partitions(draft: Draft, table_id: int, count: int, spread: Iterator[Placement]) -> None:
    for lower, upper in split_tokens(count):
        number = draft.take_number("next_partition")
        replicas, preferred_leader = next(spread)
        partition = Partition(
            id=number,
            table_id=table_id,
            lower=lower,
            upper=upper,
            epoch=1,
            replicas=replicas,
            preferred_leader=preferred_leader,
        )
        draft.put("partition", str(number), partition)


def _drop_partitions(draft: Draft, table_ids: Sequence[int]) -> None:
    """Of tables and indexes that are gone; those that go already keep the version at which they began to."""
    if not table_ids:
        return
    for partition in list(draft.partitions.values()):
        if partition.table_id in table_ids and not partition.dropping:
            dropping = replace(partition, dropping=True, dropped_version=draft.index)
            draft.put("partition", str(partition.id), dropping)


def with_settings(definition: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """`definition` with these members; without those that are None."""
    changed = {**definition, **settings}
    return {name: value for name, value in changed.items() if value is not None}
