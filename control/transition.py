"""What the control group's commands do: `apply(state, command, index) -> Outcome`.

Pure: identity and time (uuids, milliseconds) come inside the command, so every replica computes the same. How
global tables agree is in control/claims, what tables and partitions are made of in control/table_records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from kvorum.control import indexes
from kvorum.control.claims import end_claim, ends_of_name, learn, set_members, settle, tell, update_everywhere
from kvorum.control.draft import Draft, Outcome
from kvorum.control.state import (
    LOCAL_SETTINGS,
    ActivateIndex,
    ActivateTable,
    Command,
    CompletePeerOperation,
    CreateTable,
    DeleteTable,
    FormPartitions,
    NodeRecord,
    RegisterNode,
    RemoveIndex,
    RemovePartition,
    StartBackfill,
    State,
    UpdateTable,
    global_ids,
)
from kvorum.control.table_records import drop_table, make_table, put_table, with_settings
from kvorum.model.errors import (
    ApiError,
    being_created,
    deletion_protected,
    resource_in_use,
    resource_not_found,
    too_many_tags,
)
from kvorum.model.limits import TAGS_MAX
from kvorum.model.table import Index, IndexStatus, Table, TableStatus

UPDATES_MAX = 16
"""Updates of a table that are known again: a router repeats one within seconds or never."""


def apply(state: State, command: Command, index: int) -> Outcome:
    """What `command`, committed at raft index `index`, makes of `state`. Refusals are AWS's, word for word; a
    command that comes a second time succeeds and changes nothing."""
    draft = Draft(state, index)
    try:
        _CARRY_OUT[type(command)](draft, command)
    except ApiError as refusal:
        return Outcome(state, [], refusal)
    return draft.outcome()


def _create_table(draft: Draft, command: CreateTable) -> None:
    if command.global_id and (command.global_id in draft.claims or command.global_id in draft.ended):
        return
    asked_here = not command.origin
    if asked_here:
        existing = draft.tables.get(command.name)
        if existing is not None:
            if existing.uuid == command.table_uuid:  # our own first attempt, whose answer was lost
                return
            raise resource_in_use(f"Table already exists: {command.name}")
    if not command.global_id:
        make_table(draft, command, (), command.definition)
        return
    after = ends_of_name(draft, command.name) if asked_here else command.after
    learn(draft, replace(command, after=after))
    settle(draft, command.name)
    if asked_here:
        tell(draft, command.regions, replace(command, origin=draft.region, after=after))


def _update_table(draft: Draft, command: UpdateTable) -> None:
    if command.origin:
        for birth in command.births:
            learn(draft, birth)
            set_members(draft, birth.global_id, command.settings, command.updated_ms, command.origin)
        settle(draft, command.name)
        return
    table = draft.tables.get(command.name)
    if table is None or table.uuid != command.table_uuid:
        raise resource_not_found(f"Requested resource not found: Table: {command.name} not found")
    if command.update_uuid in table.updates:  # our own first attempt, whose answer was lost
        return
    if table.status is TableStatus.CREATING:
        raise being_created(command.name)
    indexes.check_changes(table, command.settings, command.update_uuid)
    everywhere = {name: value for name, value in command.settings.items() if name not in LOCAL_SETTINGS}
    here = command.settings
    if table.global_id:
        here = {name: value for name, value in here.items() if name in LOCAL_SETTINGS}
    definition = _with_tags(with_settings(table.definition, here), command.tags)
    updates = (*table.updates, command.update_uuid)[-UPDATES_MAX:]
    put_table(draft, replace(table, definition=definition, updates=updates))
    if table.global_id and everywhere:
        update_everywhere(draft, table, everywhere, command.updated_ms)


def _delete_table(draft: Draft, command: DeleteTable) -> None:
    if command.origin:
        end_claim(draft, command.global_id, command.name, detach=command.detach)
        settle(draft, command.name)
        return
    table = draft.tables.get(command.name)
    if table is None:
        raise resource_not_found(f"Requested resource not found: Table: {command.name} not found")
    if table.status is TableStatus.CREATING:
        raise being_created(command.name)
    if table.definition.get("DeletionProtectionEnabled"):
        raise deletion_protected()
    indexes.check_deletable(table)
    for global_id in global_ids(table):
        end_claim(draft, global_id, table.name, detach=False)
        tell(
            draft,
            table.regions,
            DeleteTable(name=table.name, global_id=global_id, origin=draft.region),
        )
    if not table.global_id:
        drop_table(draft, table)
    settle(draft, table.name)


def _activate_table(draft: Draft, command: ActivateTable) -> None:
    for table in draft.tables.values():
        if table.id == command.table_id:
            if table.status is TableStatus.CREATING:
                draft.put("table", table.name, replace(table, status=TableStatus.ACTIVE))
            return


def _start_backfill(draft: Draft, command: StartBackfill) -> None:
    _change_index(draft, command.index_id, lambda index: replace(index, backfilling=True))


def _activate_index(draft: Draft, command: ActivateIndex) -> None:
    _change_index(
        draft,
        command.index_id,
        lambda index: replace(index, status=IndexStatus.ACTIVE, backfilling=False),
    )


def _remove_index(draft: Draft, command: RemoveIndex) -> None:
    table = _table_of_index(draft, command.index_id)
    if table is not None:
        kept = tuple(
            index
            for index in table.indexes
            if index.id != command.index_id or index.status is not IndexStatus.DELETING
        )
        put_table(draft, replace(table, indexes=kept))  # another index of its name may have waited


def _change_index(draft: Draft, index_id: int, changed: Callable[[Index], Index]) -> None:
    """A step of an index that is still being created."""
    table = _table_of_index(draft, index_id)
    if table is not None:
        stepped = tuple(
            changed(index) if index.id == index_id and index.status is IndexStatus.CREATING else index
            for index in table.indexes
        )
        draft.put("table", table.name, replace(table, indexes=stepped))


def _table_of_index(draft: Draft, index_id: int) -> Table | None:
    for table in draft.tables.values():
        if any(index.id == index_id for index in table.indexes):
            return table
    return None


def _form_partitions(draft: Draft, command: FormPartitions) -> None:
    for number in command.partitions:
        partition = draft.partitions.get(str(number))
        if partition is not None:
            draft.put("partition", str(number), replace(partition, formed=True))


def _register_node(draft: Draft, command: RegisterNode) -> None:
    record = NodeRecord(name=command.name, zone=command.zone, address=command.address)
    draft.put("node", command.name, record)


def _remove_partition(draft: Draft, command: RemovePartition) -> None:
    partition = draft.partitions.get(str(command.partition))
    if partition is not None and partition.dropping:
        draft.remove("partition", str(command.partition))


def _complete_peer_operation(draft: Draft, command: CompletePeerOperation) -> None:
    draft.remove("peer_operation", str(command.id))


def _with_tags(definition: dict[str, Any], tags: dict[str, str | None]) -> dict[str, Any]:
    if not tags:
        return definition
    values: dict[str, str | None] = {tag["Key"]: tag["Value"] for tag in definition.get("Tags", ())}
    values.update(tags)
    kept = [{"Key": key, "Value": value} for key, value in values.items() if value is not None]
    if len(kept) > TAGS_MAX:
        raise too_many_tags()
    return with_settings(definition, {"Tags": kept or None})


_CARRY_OUT: dict[type[Struct], Callable[[Draft, Any], None]] = {
    CreateTable: _create_table,
    DeleteTable: _delete_table,
    UpdateTable: _update_table,
    ActivateTable: _activate_table,
    StartBackfill: _start_backfill,
    ActivateIndex: _activate_index,
    RemoveIndex: _remove_index,
    FormPartitions: _form_partitions,
    RegisterNode: _register_node,
    RemovePartition: _remove_partition,
    CompletePeerOperation: _complete_peer_operation,
}
