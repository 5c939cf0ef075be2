"""What an update makes of an item.

Every right-hand side reads the item as it was. All actions are evaluated into one tree of edits first, then
the tree is laid over the item: what it does not touch is shared with the old item, and nothing is mutated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kvorum.model import numbers
from kvorum.model.errors import ApiError, validation
from kvorum.model.expressions.nodes import (
    Action,
    AddAction,
    Arithmetic,
    Call,
    DeleteAction,
    Operand,
    Path,
    RemoveAction,
    SetAction,
    Step,
    Update,
    Value,
)
from kvorum.model.expressions.paths import Branch, Names, Steps, read, read_steps, resolve
from kvorum.model.expressions.placeholders import Values
from kvorum.model.expressions.types import SET_TYPES
from kvorum.model.limits import NESTING_LEVELS_MAX
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.values import read_value, type_of


@dataclass(frozen=True, slots=True)
class UpdateOutcome:
    """`item`: the new one; it shares what it can with the old one. `touched`: the paths that the update names,
    for `project`; a list index means the same place in the old item and in the new one."""

    item: Item
    touched: Branch


def apply(update: Update, item: Item, names: Names, values: Values) -> UpdateOutcome:
    """`update` has been checked with these names and values. Raises ValidationException, in AWS's order: an
    operand of a wrong type, then a path that leads nowhere, then an operand that is not there."""
    edits = Branch()
    unreachable = missing = False
    for action in update.actions():
        steps = resolve(action.path, names)
        reachable = _is_reachable(item, steps)
        unreachable |= not reachable
        edit = _evaluate(action, item, names, values) if reachable or type(action) is SetAction else None
        if edit is None:
            missing |= type(action) is SetAction
        elif len(steps) > 1:
            _check_depth(steps, edit)
        edits.plant(steps, edit)
    if unreachable:
        raise _invalid_path()
    if missing:
        raise validation("The provided expression refers to an attribute that does not exist in the item")
    return UpdateOutcome(_edited_members(item, edits), edits)


def creates_item(update: Update) -> bool:
    """Whether `update` makes an item where there is none. Not when all it does is to take away."""
    return not all(isinstance(action, RemoveAction | DeleteAction) for action in update.actions())


def _is_reachable(item: Item, steps: Steps) -> bool:
    """Whether something is there to hold the path's last step. Raises when it is something else."""
    if len(steps) == 1:
        return True
    parent = read_steps(item, steps[:-1])
    if parent is None:
        return False
    if ("L" if isinstance(steps[-1], int) else "M") not in parent:
        raise _invalid_path()
    return True


def _invalid_path() -> ApiError:
    return validation("The document path provided in the update expression is invalid for update")


def _wrong_type() -> ApiError:
    return validation("An operand in the update expression has an incorrect data type")


def _check_depth(steps: Steps, value: AttributeValue) -> None:
    if len(steps) - 1 + _levels(value) > NESTING_LEVELS_MAX:
        raise validation(
            "Nesting Levels have exceeded supported limits: "
            "Attributes in the item have nested levels beyond supported limit"
        )


def _levels(value: AttributeValue) -> int:
    if "M" in value:
        return 1 + max(map(_levels, value["M"].values()), default=0)
    if "L" in value:
        return 1 + max(map(_levels, value["L"]), default=0)
    return 1


# ---- evaluating: what shall stand at an action's path; None for nothing -----------------------------------


def _evaluate(action: Action, item: Item, names: Names, values: Values) -> AttributeValue | None:
    match action:
        case SetAction():
            return _operand(action.value, item, names, values)
        case RemoveAction():
            return None
        case AddAction():
            return _added(read(item, action.path, names), values[action.value.name])
        case DeleteAction():
            return _deleted(read(item, action.path, names), values[action.value.name])


def _added(old: AttributeValue | None, value: AttributeValue) -> AttributeValue:
    if old is None:
        return value
    if "N" in value and "N" in old:
        return {"N": numbers.add(old["N"], value["N"])}
    kind = type_of(value)
    if kind not in SET_TYPES or kind not in old:
        raise _wrong_type()
    return read_value({kind: list({*old[kind], *value[kind]})})


def _deleted(old: AttributeValue | None, value: AttributeValue) -> AttributeValue | None:
    if old is None:
        return None
    kind = type_of(value)
    if kind not in SET_TYPES or kind not in old:
        raise _wrong_type()
    kept = [member for member in old[kind] if member not in value[kind]]
    return {kind: kept} if kept else None


def _operand(node: Operand, item: Item, names: Names, values: Values) -> AttributeValue | None:
    """None: it needs an attribute that does not exist. A wrong type is found first, wherever it is."""
    match node:
        case Path():
            return read(item, node, names)
        case Value():
            return values[node.name]
        case Arithmetic():
            left, right = _both("N", node.left, node.right, item, names, values)
            if left is None or right is None:
                return None
            return {"N": _SUMS[node.operator](left["N"], right["N"])}
        case Call(function="if_not_exists"):
            found = _operand(node.arguments[0], item, names, values)
            return _operand(node.arguments[1], item, names, values) if found is None else found
        case Call():
            one, two = node.arguments
            left, right = _both("L", one, two, item, names, values)
            return None if left is None or right is None else {"L": left["L"] + right["L"]}


def _both(
    kind: str, one: Operand, two: Operand, item: Item, names: Names, values: Values
) -> tuple[AttributeValue | None, AttributeValue | None]:
    left = _operand(one, item, names, values)
    right = _operand(two, item, names, values)
    if (left is not None and kind not in left) or (right is not None and kind not in right):
        raise _wrong_type()
    return left, right


_SUMS: dict[str, Callable[[str, str], str]] = {"+": numbers.add, "-": numbers.subtract}


# ---- editing: copies of what lies on an edited path, None removes -----------------------------------------


def _edited_members(members: dict[str, AttributeValue], edits: dict[Step, Any]) -> dict[str, AttributeValue]:
    edited = dict(members)
    for name, edit in edits.items():
        assert isinstance(name, str)
        if edit is None:
            edited.pop(name, None)
        else:
            edited[name] = _edited(members[name], edit) if type(edit) is Branch else edit
    return edited


def _edited(value: AttributeValue, edits: Branch) -> AttributeValue:
    if "M" in value:
        return {"M": _edited_members(value["M"], edits)}
    return {"L": _edited_elements(value["L"], edits)}


def _edited_elements(elements: list[AttributeValue], edits: Branch) -> list[AttributeValue]:
    """Indexes are those of the old list. One beyond its end appends; several append in their order."""
    edited: list[AttributeValue | None] = list(elements)
    for index in sorted(step for step in edits if isinstance(step, int)):
        edit = edits[index]
        if type(edit) is Branch:
            edit = _edited(elements[index], edit)
        if index < len(elements):
            edited[index] = edit
        elif edit is not None:
            edited.append(edit)
    return [element for element in edited if element is not None]
