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
* A name that a local table bears already is not taken from it: the claim waits, `waiting_claims` shows it, and it
  becomes a table when the local one is deleted. Senders keep what they could not deliver until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from kvorum.control.placement import placements
from kvorum.control.state import (
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
    RemovePartition,
    State,
    Update,
    global_ids,
)
from kvorum.model.errors import ApiError, resource_in_use, resource_not_found
from kvorum.model.keys import split_tokens
from kvorum.model.table import Table, TableStatus

ENDED_MAX = 4_096
"""Ends that are remembered. One that is forgotten could be undone by a birth that arrives later still: a peer
would have to be thousands of deletions behind, and out of order."""

AFTER_MAX = 16
"""Ends of its own name that a birth carries, the newest ones."""

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
        _make_table(draft, command, ())
        return
    after = _ends_of_name(draft, command.name) if asked_here else command.after
    for end in after:
        _end(draft, end.global_id, end.name, detach=end.detach)
    birth = replace(command, origin="", after=())
    draft.put("claim", command.global_id, Claim(birth=birth))
    _settle(draft, command.name)
    if asked_here:
        _tell(draft, command.regions, replace(command, origin=draft.region, after=after))


def _delete_table(draft: _Draft, command: DeleteTable) -> None:
    if command.origin:
        _end(draft, command.global_id, command.name, detach=command.detach)
        _settle(draft, command.name)
        return
    table = draft.tables.get(command.name)
    if table is None:
        raise resource_not_found(f"Requested resource not found: Table: {command.name} not found")
    if table.status is TableStatus.CREATING:
        raise resource_in_use(
            f"Attempt to change a resource which is still in use: Table is being created: {command.name}"
        )
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
    ActivateTable: _activate_table,
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
    if table is None:
        _make_table(draft, winner.birth, aliases)
    elif table.global_id:
        draft.put("table", name, replace(table, global_id=winner.birth.global_id, aliases=aliases))


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
    return one.keys == other.keys and set(one.regions) == set(other.regions)


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


def _tell(draft: _Draft, regions: Iterable[str], command: CreateTable | DeleteTable) -> None:
    """Have the control leader tell every other region of the table."""
    for region in sorted(set(regions) - {draft.region}):
        number = draft.take_number("next_peer_operation")
        operation = PeerOperation(id=number, region=region, command=command)
        draft.put("peer_operation", str(number), operation)


# ---- tables and their partitions --------------------------------------------------------------------


def _make_table(draft: _Draft, birth: CreateTable, aliases: tuple[str, ...]) -> None:
    spread = placements(draft.nodes.values(), draft.partitions.values(), draft.replicas)
    table = Table(
        id=draft.take_number("next_table"),
        name=birth.name,
        status=TableStatus.CREATING,
        keys=birth.keys,
        uuid=birth.table_uuid,
        created_ms=birth.created_ms,
        global_id=birth.global_id,
        regions=birth.regions,
        definition=birth.definition,
        aliases=aliases,
    )
    draft.put("table", table.name, table)
    for lower, upper in split_tokens(birth.partitions):
        number = draft.take_number("next_partition")
        replicas, preferred_leader = next(spread)
        partition = Partition(
            id=number,
            table_id=table.id,
            lower=lower,
            upper=upper,
            epoch=1,
            replicas=replicas,
            preferred_leader=preferred_leader,
        )
        draft.put("partition", str(number), partition)


def _drop_table(draft: _Draft, table: Table) -> None:
    draft.remove("table", table.name)
    for partition in list(draft.partitions.values()):
        if partition.table_id == table.id:
            dropping = replace(partition, dropping=True, dropped_version=draft.index)
            draft.put("partition", str(partition.id), dropping)
