"""A table's secondary indexes, from what its definition says: which begin, which end, and what AWS refuses.

Pure decisions, which control/transition carries out. The definition is what regions agree on; how far an index is
(status, number, partitions) every region knows for itself. An index that is deleted stays until most nodes have
dropped what they held of it, and only then can another of its name begin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from kvorum.model import errors
from kvorum.model.index_definitions import (
    GLOBAL_INDEX,
    global_specifications,
    index_of,
    local_indexes,
    same_index,
)
from kvorum.model.limits import GLOBAL_INDEXES_MAX
from kvorum.model.table import Index, IndexStatus, Table


class IndexChange(NamedTuple):
    """`indexes`: what the table has now. `begun`: those of them that need partitions. `ended`: numbers of those whose
    partitions must go."""

    indexes: tuple[Index, ...]
    begun: list[Index]
    ended: list[int]


def born(definition: Mapping[str, Any], take_number: Callable[[], int]) -> IndexChange:
    """The indexes of a table that is being created: nothing has to be entered in them, so they are ACTIVE at once."""
    local = [replace(index, id=take_number()) for index in local_indexes(definition)]
    begun = [
        replace(index_of(specification), id=take_number())
        for specification in global_specifications(definition).values()
    ]
    return IndexChange((*local, *begun), begun, [])


def settled(table: Table, take_number: Callable[[], int]) -> IndexChange:
    """The indexes of a table whose definition may have changed."""
    wanted = {name: index_of(each) for name, each in global_specifications(table.definition).items()}
    indexes: list[Index] = []
    ended: list[int] = []
    for index in table.indexes:
        deleting = index.status is IndexStatus.DELETING
        if deleting or index.local or (index.name in wanted and same_index(index, wanted[index.name])):
            indexes.append(index)
        else:
            indexes.append(replace(index, status=IndexStatus.DELETING, backfilling=False))
            ended.append(index.id)
    taken = {index.name for index in indexes}
    begun = [
        replace(wanted[name], id=take_number(), status=IndexStatus.CREATING)
        for name in sorted(wanted.keys() - taken)
    ]
    return IndexChange((*indexes, *begun), begun, ended)


def check_changes(table: Table, settings: Mapping[str, Any], update_uuid: str) -> None:
    """Raises what AWS says of settings that create (a specification whose Uuid is `update_uuid`), delete (None) or
    change global indexes: one at a time, as long as none is being created or deleted. An index that is being
    backfilled may be deleted. Source: developer guide, "Managing global secondary indexes"."""
    indexes = {index.name: index for index in table.indexes}
    created: list[str] = []
    deleted: list[str] = []
    for member, specification in settings.items():
        if not member.startswith(GLOBAL_INDEX):
            continue
        name = member.removeprefix(GLOBAL_INDEX)
        index = indexes.get(name)
        if specification is not None and specification.get("Uuid") == update_uuid:
            if index is not None:
                raise errors.validation("Attempting to create an index which already exists")
            created.append(name)
        elif index is None:
            raise errors.index_not_found(table.name, name)
        elif index.local:
            raise errors.local_index(name, "delete" if specification is None else "update")
        elif index.status is IndexStatus.DELETING:
            raise errors.index_being_deleted(table.name, name)
        elif specification is None:
            deleted.append(name)
        elif specification.get("Uuid", "") != index.uuid:
            raise errors.index_not_found(table.name, name)
    begun = [index for index in table.indexes if index.status is not IndexStatus.ACTIVE]
    if created or deleted:
        others = [index for index in begun if index.name not in deleted]
        if others or len(created) + len(deleted) > 1:
            raise errors.one_online_index()
    if any(index.name in deleted and not index.backfilling for index in begun):
        raise errors.index_being_allocated(table.name, deleted[0])
    if created and len(global_specifications(table.definition)) + len(created) > GLOBAL_INDEXES_MAX:
        raise errors.limit_exceeded(
            "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of "
            f"{GLOBAL_INDEXES_MAX}"
        )


def check_deletable(table: Table) -> None:
    """A table is not deleted while an index of it is being created or deleted."""
    if any(index.status is not IndexStatus.ACTIVE for index in table.indexes):
        raise errors.indexes_unsettled()
