"""UpdateTable's GlobalSecondaryIndexUpdates: indexes that begin, that end, and what the others may consume.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html; what AWS says of it is what a lab
recorded in October 2026 (model/definitions) and dynalite's tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kvorum.model import definitions, errors, throughput
from kvorum.model.index_definitions import (
    Specification,
    global_member,
    global_specifications,
    key_names,
    kinds_of,
    local_specifications,
)
from kvorum.model.limits import CAPACITY_UNITS_MAX
from kvorum.model.table import IndexKeys, IndexStatus, KeyPart, Table
from kvorum.router.calls import Body
from kvorum.router.describe import Description

MEMBER = "GlobalSecondaryIndexUpdates"

_UPDATING = "UPDATING"
_Schema = list[tuple[KeyPart, str]]
"""Key attributes and their roles."""
_ACTIONS = ("Update", "Create", "Delete")
_THROUGHPUTS = ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")


@dataclass(frozen=True, slots=True)
class IndexUpdates:
    """By index name, in the request's order."""

    updated: Mapping[str, Specification]
    created: Mapping[str, Specification]
    deleted: Mapping[str, Specification]

    @property
    def online(self) -> bool:
        """Whether an index begins or ends: the table is UPDATING then."""
        return bool(self.created or self.deleted)

    def settings(self, table: Table, body: Body, update_uuid: str, now_ms: int) -> dict[str, Any]:
        """What becomes of the definition's members for global indexes, as control.state.UpdateTable has them; also
        where only the table's billing mode changes. Raises what AWS says: for what can be decided here, the rest is
        refused by the control group."""
        self._check_units()
        if len(self.created) + len(self.deleted) > 1:
            raise errors.one_online_index()
        definition = table.definition
        specifications = global_specifications(definition)
        mode = body.get("BillingMode") or definition.get("BillingMode", "PROVISIONED")
        switched = (
            {} if (mode == "PAY_PER_REQUEST") == throughput.on_demand(definition) else {"BillingMode": mode}
        )
        settings: dict[str, Any] = {}
        for name, action in self.created.items():
            settings[global_member(name)] = _created(table, body, action, mode, update_uuid)
        for name in self.deleted:
            settings[global_member(name)] = None
        self._check_present(table, specifications)
        kept = {name: each for name, each in specifications.items() if name not in self.deleted}
        if switched and mode == "PROVISIONED":
            throughput.check_switch(kept, self.updated)
        for name in kept if switched else self.updated:
            request = {**self.updated.get(name, {}), **switched}
            changed = throughput.change_index(
                specifications[name], definition, table.created_ms, request, now_ms
            )
            if changed != specifications[name]:
                settings[global_member(name)] = changed
        return settings

    def begun(
        self, before: list[Description], after: list[Description], *, switched: bool
    ) -> list[Description]:
        """The descriptions of the indexes when AWS has only begun. `before`, `after`: what they were and are;
        `switched`: the table's billing mode has changed as well, and with it all of them."""
        earlier = {index["IndexName"]: index for index in before}
        shown: dict[str, Description] = {index["IndexName"]: dict(index) for index in after}
        for name, index in shown.items():  # by now, others may have deleted what was updated or created here
            if name in self.created:
                index.update(IndexStatus=IndexStatus.CREATING.name, Backfilling=False)
            elif switched:
                index["IndexStatus"] = _UPDATING
                if name in earlier:
                    index["ProvisionedThroughput"] = _switching(
                        earlier[name]["ProvisionedThroughput"], index["ProvisionedThroughput"]
                    )
            elif name in self.updated and name in earlier:
                _show_updating(index, earlier[name], self.updated[name])
        for name in self.deleted:
            shown[name] = {**earlier[name], "IndexStatus": IndexStatus.DELETING.name}
        return list(shown.values())

    def _check_present(self, table: Table, specifications: Mapping[str, Specification]) -> None:
        present = {index.name: index for index in table.indexes}
        for action, names in (("update", self.updated), ("delete", self.deleted)):
            for name in names:
                index = present.get(name)
                if index is None:
                    raise errors.index_not_found(table.name, name)
                if index.local:
                    raise errors.local_index(name, action)
                if name not in specifications:
                    raise errors.index_being_deleted(table.name, name)

    def _check_units(self) -> None:
        for action in self.updated.values():
            units = action.get("ProvisionedThroughput", {})
            if any(value > CAPACITY_UNITS_MAX for value in units.values()):
                raise errors.validation(
                    "This operation cannot be performed with given input values. Please contact DynamoDB service "
                    "team for more info: Action Blocked: IndexUpdate"
                )


def read(changes: Body) -> IndexUpdates:
    """The request's updates, each of which is one action on one index. Raises ValidationException."""
    if changes.get(MEMBER) == []:
        raise errors.invalid(f"List of {MEMBER} is empty")
    actions: dict[str, dict[str, Specification]] = {action: {} for action in _ACTIONS}
    names: set[str] = set()
    for update in changes.get(MEMBER, ()):
        given = [action for action in _ACTIONS if update.get(action) is not None]
        if not given:
            raise errors.invalid(
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        if len(given) > 1:
            raise errors.invalid(
                "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object"
            )
        action = update[given[0]]
        name = action["IndexName"]
        if name in names:
            raise errors.invalid(
                f"Only one global secondary index update per index is allowed simultaneously. Index: {name}"
            )
        names.add(name)
        if given[0] == "Update" and not any(action.get(member) for member in _THROUGHPUTS):
            raise errors.invalid(
                "ProvisionedThroughput, OnDemandThroughput or WarmThroughput must be specified for index: "
                f"{name}"
            )
        actions[given[0]][name] = action
    return IndexUpdates(actions["Update"], actions["Create"], actions["Delete"])


def _show_updating(index: Description, earlier: Description, action: Specification) -> None:
    if "ProvisionedThroughput" in action or "OnDemandThroughput" in action:
        index["IndexStatus"] = _UPDATING
        index["ProvisionedThroughput"] = earlier["ProvisionedThroughput"]
    if "WarmThroughput" in action:
        index["WarmThroughput"] = {**earlier["WarmThroughput"], "Status": _UPDATING}


def _switching(before: Description, after: Description) -> Description:
    """The units are the new ones at once; that the switch was a decrease AWS says when it is done."""
    return {**before, **{member: after[member] for member in ("ReadCapacityUnits", "WriteCapacityUnits")}}


def _created(table: Table, body: Body, action: Specification, mode: str, update_uuid: str) -> Specification:
    name = action["IndexName"]
    if body.get("AttributeDefinitions") is None:
        raise errors.invalid(f"AttributeDefinitions is not specified for index: {name}")
    kinds = kinds_of(body["AttributeDefinitions"])  # what the table has defined does not count
    definitions.check_global_index(action, kinds)
    _check_redefined(table, action["KeySchema"], kinds)
    throughput.check_index(action, on_demand=mode == "PAY_PER_REQUEST", later=True)
    others = [*local_specifications(table.definition), *global_specifications(table.definition).values()]
    definitions.check_projected([*others, action])
    own = [{"AttributeName": each, "AttributeType": kinds[each]} for each in key_names(action["KeySchema"])]
    return {**action, "AttributeDefinitions": own, "Uuid": update_uuid}


def _check_redefined(table: Table, elements: Sequence[dict[str, Any]], kinds: Mapping[str, str]) -> None:
    """A key attribute of the new index has the type it has elsewhere. AWS ignores another type of any other attribute
    (paritysuite/dynamodb-conformance#78)."""
    new = [
        (KeyPart(each["AttributeName"], kinds[each["AttributeName"]]), each["KeyType"]) for each in elements
    ]
    redefined = {part.name: part.kind for part, _ in new}
    for schema in _schemas(table):
        if any(redefined.get(part.name, part.kind) != part.kind for part, _ in schema):
            raise errors.invalid(
                "Attributes cannot be redefined. Please check that your attribute has the same type as "
                f"previously defined. Existing schema: {_shown_schema(schema)} New schema: {_shown_schema(new)}"
            )


def _shown_schema(schema: _Schema) -> str:
    elements = [f"SchemaElement: key{{{part.name}:{part.kind}:{role}}}" for part, role in schema]
    return f"Schema:[{', '.join(elements)}]"


def _schemas(table: Table) -> list[_Schema]:
    """The table's, then those of its indexes."""
    own = IndexKeys((table.keys.hash,), () if table.keys.range is None else (table.keys.range,))
    return [
        [*((part, "HASH") for part in keys.hash), *((part, "RANGE") for part in keys.range)]
        for keys in (own, *(index.keys for index in table.indexes))
    ]
