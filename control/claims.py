"""Which global table bears a name: how regions agree on it without agreement.

Every region decides by itself and tells the others; what it tells is idempotent and may arrive in any order.
A region knows two sets: the claims (global tables that were born somewhere and that nobody ended) and the ended.
Whoever ends a table on its own initiative tells all other regions, and a birth carries the ends of its name that
its region knew of (`CreateTable.after`), so that a table born again is never taken for its predecessor's twin.
Hence the sets become equal everywhere, and which table bears a name is a function of them (`settle`):

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

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from kvorum.control.draft import Draft
from kvorum.control.state import (
    LOCAL_SETTINGS,
    Claim,
    CreateTable,
    DeleteTable,
    Ended,
    PeerOperation,
    Setting,
    UpdateTable,
    global_ids,
)
from kvorum.control.table_records import drop_table, make_table, put_table, with_settings
from kvorum.model.index_definitions import local_indexes
from kvorum.model.table import Table

ENDED_MAX = 4_096
"""Ends that are remembered. One that is forgotten could be undone by a birth that arrives later still: a peer
would have to be thousands of deletions behind, and out of order."""

AFTER_MAX = 16
"""Ends of its own name that a birth carries, the newest ones."""


def learn(draft: Draft, birth: CreateTable) -> None:
    """Claim what was born, unless that is known or has ended since."""
    if birth.global_id in draft.claims or birth.global_id in draft.ended:
        return
    for end in birth.after:
        end_claim(draft, end.global_id, end.name, detach=end.detach)
    draft.put("claim", birth.global_id, Claim(birth=replace(birth, origin="", after=())))


def update_everywhere(draft: Draft, table: Table, settings: dict[str, Any], updated_ms: int) -> None:
    """Set it for every claim of the table: any of them may end, or be all that a peer knows of it."""
    claims = [draft.claims[global_id] for global_id in global_ids(table) if global_id in draft.claims]
    known = [setting.updated_ms for claim in claims for setting in claim.settings.values()]
    updated_ms = max([updated_ms, *(earlier + 1 for earlier in known)])  # clocks of regions differ
    for claim in claims:
        set_members(draft, claim.birth.global_id, settings, updated_ms, draft.region)
    settle(draft, table.name)
    after = ends_of_name(draft, table.name)
    births = tuple(replace(claim.birth, origin=draft.region, after=after) for claim in claims)
    command = UpdateTable(
        name=table.name, settings=settings, updated_ms=updated_ms, origin=draft.region, births=births
    )
    tell(draft, table.regions, command)


def set_members(draft: Draft, global_id: str, settings: dict[str, Any], updated_ms: int, region: str) -> None:
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


def settle(draft: Draft, name: str) -> None:
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
        make_table(draft, winner.birth, aliases, definition)
    elif table.global_id:
        own = {member: table.definition.get(member) for member in LOCAL_SETTINGS}
        put_table(
            draft,
            replace(
                table,
                global_id=winner.birth.global_id,
                aliases=aliases,
                definition=with_settings(definition, own),
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
    return with_settings(members[0].birth.definition, settings)


def _members(draft: Draft, name: str) -> list[Claim]:
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
        elif end_claim(draft, birth.global_id, name, detach=True):
            end = DeleteTable(name=name, global_id=birth.global_id, origin=draft.region, detach=True)
            tell(draft, birth.regions, end)
    return members


def _same_table(one: CreateTable, other: CreateTable) -> bool:
    """Local indexes cannot be changed later, so tables that differ in them cannot become one."""
    return (
        one.keys == other.keys
        and set(one.regions) == set(other.regions)
        and set(local_indexes(one.definition)) == set(local_indexes(other.definition))
    )


def _keep_or_end(draft: Draft, table: Table, members: Sequence[Claim]) -> Table | None:
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
    drop_table(draft, table)
    return None


def end_claim(draft: Draft, global_id: str, name: str, *, detach: bool) -> bool:
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


def ends_of_name(draft: Draft, name: str) -> tuple[DeleteTable, ...]:
    """The newest ends of tables called `name`, oldest first, as a birth carries them."""
    ends = sorted((end for end in draft.ended.values() if end.name == name), key=lambda end: end.number)
    return tuple(
        DeleteTable(name=name, global_id=end.global_id, origin=draft.region, detach=end.detach)
        for end in ends[-AFTER_MAX:]
    )


def tell(draft: Draft, regions: Iterable[str], command: CreateTable | DeleteTable | UpdateTable) -> None:
    """Have the control leader tell every other region of the table."""
    for region in sorted(set(regions) - {draft.region}):
        number = draft.take_number("next_peer_operation")
        operation = PeerOperation(id=number, region=region, command=command)
        draft.put("peer_operation", str(number), operation)
