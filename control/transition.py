"""What the control group's commands do: `apply(state, command, index) -> Outcome`.

Pure: identity and time (uuids, milliseconds) come inside the command, so every replica computes the same.

How global tables agree without agreement
-----------------------------------------
Every region decides by itself and tells the others; what it tells is idempotent and may arrive in any order.
A region knows two sets: the claims (global tables that were born somewhere and that nobody ended) and the ended.
Whoever ends a table on its own initiative tells all other regions, and a birth carries the ends of its name that
its region knew of (`CreateTable.after`), so that a table born again is never taken for its predecessor's twin.
Hence the sets become equal everywhere, and which table bears a name is a function of them (`_settle`):

* Claims of one name with equal keys and regions are one table: the oldest (`created_ms`, then `global_id`) gives
  it its global id, the others become its aliases, under which changes that are already on their way still count.
* A younger claim with other keys than the oldest is ended everywhere with `detach`: a table that holds its items
  stays, as a local one, because nothing that was acknowledged may go away unasked.
* What has been changed in a global table's definition is kept by its claims (`Claim.settings`): of several settings
  of one member the latest stays, by (updated_ms, region). The definition is that of the oldest claim's birth with the
  settings of all its claims in it, so that it too is a function of the sets. An update is told with the births of
  the tables that it means: it may arrive before them.
* A global index is a member of the definition as well, so that regions agree on it in the same way; its partitions
  and its way to ACTIVE every region has for itself (control/indexes).
* A name that a local table bears already is not taken from it: the claim waits, `waiting_claims` shows it, and it
  becomes a table when the local one is deleted. Senders keep what they could not deliver until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from kvorum.control import indexes
from kvorum.control.placement import Placement, placements
from kvorum.control.state import (
    LOCAL_SETTINGS,
    ActivateIndex,
    ActivateTable,
    Claim,
    Command,
    CompletePeerOperation,
    CreateTable,
    DeleteTable,
    Ended,
    FormPartitions,
    Key,
    NodeRecord,
    Partition,
    PeerOperation,
    Record,
    RecordViews,
    RegisterNode,
    RemoveIndex,
    RemovePartition,
    Setting,
    StartBackfill,
    State,
    Update,
    UpdateTable,
    global_ids,
)
from kvorum.model.errors import (
    ApiError,
    being_created,
    deletion_protected,
    resource_in_use,
    resource_not_found,
    too_many_tags,
)
from kvorum.model.index_definitions import local_indexes
from kvorum.model.keys import split_tokens
from kvorum.model.limits import TAGS_MAX
from kvorum.model.table import Index, IndexStatus, Table, TableStatus

ENDED_MAX = 4_096
"""Ends that are remembered. One that is forgotten could be undone by a birth that arrives later still: a peer
would have to be thousands of deletions behind, and out of order."""

AFTER_MAX = 16
"""Ends of its own name that a birth carries, the newest ones."""

UPDATES_MAX = 16
"""Updates of a table that are known again: a router repeats one within seconds or never."""

Numbered = Literal["next_table", "next_partition", "next_peer_operation", "next_end"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after a command, the records that it changed, and what to tell the caller when it was refused
    (then nothing changed)."""

    state: State
    updates: list[Update]
    refusal: ApiError | None = None


def apply(state: State, command: Command, index: int) -> Outcome:
    """What `command`, committed at raft index `index`, makes of `state`. Refusals are AWS's, word for word; a
    command that comes a second time succeeds and changes nothing."""
    draft = _Draft(state, index)
    try:
        _CARRY_OUT[type(command)](draft, command)
    except ApiError as refusal:
        return Outcome(state, [], refusal)
    return draft.outcome()


class _Draft(RecordViews):
    """A state in the making: copies a kind's records when it first changes one of them."""

    __slots__ = ("_base", "_copied", "_next", "_updates", "index")

    def __init__(self, state: State, index: int) -> None:
        super().__init__(dict(state.records))
        self.index = index
        self._base = state
        self._copied: dict[str, dict[str, Record]] = {}
        self._updates: dict[Key, Update] = {}
        self._next: dict[str, int] = {}

    @property
    def region(self) -> str:
        return self._base.region

    @property
    def replicas(self) -> int:
        return self._base.replicas

    def put(self, kind: str, name: str, record: Record) -> None:
        if self.records.get(kind, {}).get(name) != record:
            self._own(kind)[name] = record
            self._updates[(kind, name)] = Update(kind, name, record)

    def remove(self, kind: str, name: str) -> None:
        if name in self.records.get(kind, {}):
            del self._own(kind)[name]
            self._updates[(kind, name)] = Update(kind, name, None)

    def take_number(self, counter: Numbered) -> int:
        """The next number of that counter, which nobody gets again."""
        number: int = self._next[counter] if counter in self._next else getattr(self._base.counters, counter)
        self._next[counter] = number + 1
        return number

    def outcome(self) -> Outcome:
        if not self._updates:
            return Outcome(self._base, [])
        counters = replace(self._base.counters, version=self.index, **self._next)
        state = State(self.region, self.replicas, counters, self.records)
        return Outcome(state, list(self._updates.values()))

    def _own(self, kind: str) -> dict[str, Record]:
        records = self._copied.get(kind)
        if records is None:
            records = self._copied[kind] = dict(self.records.get(kind, {}))
            self.records = {**self.records, kind: records}
        return records


def _create_table(draft: _Draft, command: CreateTable) -> None:
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
        _make_table(draft, command, (), command.definition)
        return
    after = _ends_of_name(draft, command.name) if asked_here else command.after
    _learn(draft, replace(command, after=after))
    _settle(draft, command.name)
    if asked_here:
        _tell(draft, command.regions, replace(command, origin=draft.region, after=after))


def _learn(draft: _Draft, birth: CreateTable) -> None:
    """Claim what was born, unless that is known or has ended since."""
    if birth.global_id in draft.claims or birth.global_id in draft.ended:
        return
    for end in birth.after:
        _end(draft, end.global_id, end.name, detach=end.detach)
    draft.put("claim", birth.global_id, Claim(birth=replace(birth, origin="", after=())))


def _update_table(draft: _Draft, command: UpdateTable) -> None:
    if command.origin:
        for birth in command.births:
            _learn(draft, birth)
            _set(draft, birth.global_id, command.settings, command.updated_ms, command.origin)
        _settle(draft, command.name)
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
    definition = _with_tags(_with_settings(table.definition, here), command.tags)
    updates = (*table.updates, command.update_uuid)[-UPDATES_MAX:]
    _put_table(draft, replace(table, definition=definition, updates=updates))
    if table.global_id and everywhere:
        _update_everywhere(draft, table, everywhere, command.updated_ms)


def _update_everywhere(draft: _Draft, table: Table, settings: dict[str, Any], updated_ms: int) -> None:
    """Set it for every claim of the table: any of them may end, or be all that a peer knows of it."""
    claims = [draft.claims[global_id] for global_id in global_ids(table) if global_id in draft.claims]
    known = [setting.updated_ms for claim in claims for setting in claim.settings.values()]
    updated_ms = max([updated_ms, *(earlier + 1 for earlier in known)])  # clocks of regions differ
    for claim in claims:
        _set(draft, claim.birth.global_id, settings, updated_ms, draft.region)
    _settle(draft, table.name)
    after = _ends_of_name(draft, table.name)
    births = tuple(replace(claim.birth, origin=draft.region, after=after) for claim in claims)
    command = UpdateTable(
        name=table.name, settings=settings, updated_ms=updated_ms, origin=draft.region, births=births
    )
    _tell(draft, table.regions, command)


def _set(draft: _Draft, global_id: str, settings: dict[str, Any], updated_ms: int, region: str) -> None:
    """Enter settings into a claim, where it is not ended and they are not outdone."""
    claim = draft.claims.get(global_id)
    if claim is None:
        return
    entered = dict(claim.settings)
    for name, value in settings.items():
        old = entered.get(name)
        if old is None or (old.updated_ms, old.region) < (updated_ms, region):
            entered[name] = Setting(updated_ms, region, value)
    draft.put("claim", global_id, replace(claim, settings=entered))


def _delete_table(draft: _Draft, command: DeleteTable) -> None:
    if command.origin:
        _end(draft, command.global_id, command.name, detach=command.detach)
        _settle(draft, command.name)
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
        _end(draft, global_id, table.name, detach=False)
        _tell(
            draft,
            table.regions,
            DeleteTable(name=table.name, global_id=global_id, origin=draft.region),
        )
    if not table.global_id:
        _drop_table(draft, table)
    _settle(draft, table.name)


def _activate_table(draft: _Draft, command: ActivateTable) -> None:
    for table in draft.tables.values():
        if table.id == command.table_id:
            if table.status is TableStatus.CREATING:
                draft.put("table", table.name, replace(table, status=TableStatus.ACTIVE))
            return


def _start_backfill(draft: _Draft, command: StartBackfill) -> None:
    _change_index(draft, command.index_id, lambda index: replace(index, backfilling=True))


def _activate_index(draft: _Draft, command: ActivateIndex) -> None:
    _change_index(
        draft,
        command.index_id,
        lambda index: replace(index, status=IndexStatus.ACTIVE, backfilling=False),
    )


def _remove_index(draft: _Draft, command: RemoveIndex) -> None:
    table = _table_of_index(draft, command.index_id)
    if table is not None:
        kept = tuple(
            index
            for index in table.indexes
            if index.id != command.index_id or index.status is not IndexStatus.DELETING
        )
        _put_table(draft, replace(table, indexes=kept))  # another index of its name may have waited


def _change_index(draft: _Draft, index_id: int, changed: Callable[[Index], Index]) -> None:
    """A step of an index that is still being created."""
    table = _table_of_index(draft, index_id)
    if table is not None:
        stepped = tuple(
            changed(index) if index.id == index_id and index.status is IndexStatus.CREATING else index
            for index in table.indexes
        )
        draft.put("table", table.name, replace(table, indexes=stepped))


def _table_of_index(draft: _Draft, index_id: int) -> Table | None:
    for table in draft.tables.values():
        if any(index.id == index_id for index in table.indexes):
            return table
    return None


def _form_partitions(draft: _Draft, command: FormPartitions) -> None:
    for number in command.partitions:
        partition = draft.partitions.get(str(number))
        if partition is not None:
            draft.put("partition", str(number), replace(partition, formed=True))


def _register_node(draft: _Draft, command: RegisterNode) -> None:
    record = NodeRecord(name=command.name, zone=command.zone, address=command.address)
    draft.put("node", command.name, record)


def _remove_partition(draft: _Draft, command: RemovePartition) -> None:
    partition = draft.partitions.get(str(command.partition))
    if partition is not None and partition.dropping:
        draft.remove("partition", str(command.partition))


def _complete_peer_operation(draft: _Draft, command: CompletePeerOperation) -> None:
    draft.remove("peer_operation", str(command.id))


_CARRY_OUT: dict[type[Struct], Callable[[_Draft, Any], None]] = {
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


# ---- which global table bears a name ---------------------------------------------------------------


def _settle(draft: _Draft, name: str) -> None:
    """Make the table of that name what the claims say it is."""
    members = _members(draft, name)
    table = draft.tables.get(name)
    if table is not None and table.global_id:
        table = _keep_or_end(draft, table, members)
    if not members:
        return
    winner = members[0]
    aliases = tuple(sorted(claim.birth.global_id for claim in members[1:]))
    definition = _agreed_definition(members)
    if table is None:
        _make_table(draft, winner.birth, aliases, definition)
    elif table.global_id:
        own = {member: table.definition.get(member) for member in LOCAL_SETTINGS}
        _put_table(
            draft,
            replace(
                table,
                global_id=winner.birth.global_id,
                aliases=aliases,
                definition=_with_settings(definition, own),
            ),
        )


def _agreed_definition(members: Sequence[Claim]) -> dict[str, Any]:
    """The definition of the table that these claims, oldest first, are: the same in every region that knows them."""
    newest: dict[str, Setting] = {}
    for claim in members:
        for name, setting in claim.settings.items():
            old = newest.get(name)
            if old is None or (old.updated_ms, old.region) < (setting.updated_ms, setting.region):
                newest[name] = setting
    settings = {name: setting.value for name, setting in newest.items()}
    return _with_settings(members[0].birth.definition, settings)


def _with_settings(definition: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """`definition` with these members; without those that are None."""
    changed = {**definition, **settings}
    return {name: value for name, value in changed.items() if value is not None}


def _with_tags(definition: dict[str, Any], tags: dict[str, str | None]) -> dict[str, Any]:
    if not tags:
        return definition
    values: dict[str, str | None] = {tag["Key"]: tag["Value"] for tag in definition.get("Tags", ())}
    values.update(tags)
    kept = [{"Key": key, "Value": value} for key, value in values.items() if value is not None]
    if len(kept) > TAGS_MAX:
        raise too_many_tags()
    return _with_settings(definition, {"Tags": kept or None})


def _members(draft: _Draft, name: str) -> list[Claim]:
    """The claims of one table, oldest first. Claims that cannot be the same table are ended on the way."""
    claims = sorted(
        (claim for claim in draft.claims.values() if claim.birth.name == name),
        key=lambda claim: (claim.birth.created_ms, claim.birth.global_id),
    )
    members: list[Claim] = []
    for claim in claims:
        birth = claim.birth
        if not members or _same_table(members[0].birth, birth):
            members.append(claim)
        elif _end(draft, birth.global_id, name, detach=True):
            end = DeleteTable(name=name, global_id=birth.global_id, origin=draft.region, detach=True)
            _tell(draft, birth.regions, end)
    return members


def _same_table(one: CreateTable, other: CreateTable) -> bool:
    """Local indexes cannot be changed later, so tables that differ in them cannot become one."""
    return (
        one.keys == other.keys
        and set(one.regions) == set(other.regions)
        and set(local_indexes(one.definition)) == set(local_indexes(other.definition))
    )


def _keep_or_end(draft: _Draft, table: Table, members: Sequence[Claim]) -> Table | None:
    """A global table after its claims have changed: as it is while any of them is alive; otherwise gone, or
    local when it lost its name without anybody having asked for its end."""
    mine = global_ids(table)
    if any(claim.birth.global_id in mine for claim in members):
        return table
    ends = [draft.ended[global_id] for global_id in mine if global_id in draft.ended]
    if any(end.detach for end in ends):
        table = replace(table, global_id="", aliases=(), regions=())
        draft.put("table", table.name, table)
        return table
    _drop_table(draft, table)
    return None


def _end(draft: _Draft, global_id: str, name: str, *, detach: bool) -> bool:
    """Remember that a global table has ended. False when that was known."""
    if global_id in draft.ended:
        return False
    ended = Ended(global_id=global_id, name=name, number=draft.take_number("next_end"), detach=detach)
    draft.put("ended", global_id, ended)
    draft.remove("claim", global_id)
    if len(draft.ended) > ENDED_MAX:
        oldest = min(draft.ended.values(), key=lambda end: end.number)
        draft.remove("ended", oldest.global_id)
    return True


def _ends_of_name(draft: _Draft, name: str) -> tuple[DeleteTable, ...]:
    """The newest ends of tables called `name`, oldest first, as a birth carries them."""
    ends = sorted((end for end in draft.ended.values() if end.name == name), key=lambda end: end.number)
    return tuple(
        DeleteTable(name=name, global_id=end.global_id, origin=draft.region, detach=end.detach)
        for end in ends[-AFTER_MAX:]
    )


def _tell(draft: _Draft, regions: Iterable[str], command: CreateTable | DeleteTable | UpdateTable) -> None:
    """Have the control leader tell every other region of the table."""
    for region in sorted(set(regions) - {draft.region}):
        number = draft.take_number("next_peer_operation")
        operation = PeerOperation(id=number, region=region, command=command)
        draft.put("peer_operation", str(number), operation)


# ---- tables and their partitions --------------------------------------------------------------------


def _make_table(
    draft: _Draft, birth: CreateTable, aliases: tuple[str, ...], definition: dict[str, Any]
) -> None:
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


def _put_table(draft: _Draft, table: Table) -> None:
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


def _drop_table(draft: _Draft, table: Table) -> None:
    draft.remove("table", table.name)
    _drop_partitions(draft, [table.id, *(index.id for index in table.indexes)])


def _spread(draft: _Draft) -> Iterator[Placement]:
    return placements(draft.nodes.values(), draft.partitions.values(), draft.replicas)


def _make_partitions(draft: _Draft, table_id: int, count: int, spread: Iterator[Placement]) -> None:
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


def _drop_partitions(draft: _Draft, table_ids: Sequence[int]) -> None:
    """Of tables and indexes that are gone; those that go already keep the version at which they began to."""
    if not table_ids:
        return
    for partition in list(draft.partitions.values()):
        if partition.table_id in table_ids and not partition.dropping:
            dropping = replace(partition, dropping=True, dropped_version=draft.index)
            draft.put("partition", str(partition.id), dropping)
