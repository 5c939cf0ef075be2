"""What is wrong with a text whatever its placeholders stand for: function names and places, reserved words, list
indexes, sections that repeat. Checked once, when the text is parsed; each rule on the whole text before the next."""

from __future__ import annotations

from collections.abc import Iterator

from kvorum.model.errors import ApiError
from kvorum.model.expressions.kind import ExpressionKind, invalid
from kvorum.model.expressions.nodes import (
    And,
    Call,
    Condition,
    Node,
    Not,
    Or,
    Path,
    Projection,
    SetAction,
    Update,
    children_of,
    walk,
)
from kvorum.model.expressions.reserved import is_reserved
from kvorum.model.limits import NESTING_LEVELS_MAX

CONDITION_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
OPERAND_FUNCTIONS = {"size": 1}
UPDATE_FUNCTIONS = {"if_not_exists": 2, "list_append": 2}
OPERANDS = CONDITION_FUNCTIONS | OPERAND_FUNCTIONS | UPDATE_FUNCTIONS
"""Function to its number of operands."""

_INDEX_MAX = 2**31 - 1


def check_condition(kind: ExpressionKind, condition: Condition) -> None:
    calls = [node for node in walk(condition) if isinstance(node, Call)]
    for call in calls:
        if call.function in UPDATE_FUNCTIONS:
            raise invalid(
                kind, f"The function is not allowed in a condition expression; function: {call.function}"
            )
        if call.function not in CONDITION_FUNCTIONS and call.function not in OPERAND_FUNCTIONS:
            raise _no_function(kind, call)
    for leaf in leaves_of(condition):
        _check_places(kind, leaf)
    _check_paths(kind, condition)


def leaves_of(condition: Condition) -> Iterator[Condition]:
    """What AND, OR and NOT join, in written order."""
    if isinstance(condition, And | Or | Not):
        for child in children_of(condition):
            yield from leaves_of(child)  # type: ignore[arg-type]
    else:
        yield condition


def _check_places(kind: ExpressionKind, leaf: Condition) -> None:
    """Functions that are conditions stand alone, all others as operands."""
    for node in walk(leaf):
        if isinstance(node, Call) and (node.function in CONDITION_FUNCTIONS) != (node is leaf):
            raise _misplaced(kind, node)


def _misplaced(kind: ExpressionKind, call: Call) -> ApiError:
    return invalid(
        kind, f"The function is not allowed to be used this way in an expression; function: {call.function}"
    )


def _no_function(kind: ExpressionKind, call: Call) -> ApiError:
    return invalid(kind, f"Invalid function name; function: {call.function}")


def check_update(update: Update) -> None:
    _check_paths(ExpressionKind.UPDATE, update)
    for call in walk(update):
        if not isinstance(call, Call):
            continue
        if call.function in CONDITION_FUNCTIONS or call.function in OPERAND_FUNCTIONS:
            raise invalid(
                ExpressionKind.UPDATE,
                f"The function is not allowed in an update expression; function: {call.function}",
            )
        if call.function not in UPDATE_FUNCTIONS:
            raise _no_function(ExpressionKind.UPDATE, call)
    for action in update.actions():
        if isinstance(action, SetAction):
            _check_appended(action)
    seen: set[str] = set()
    for section in update.sections:
        if section.keyword in seen:
            raise invalid(
                ExpressionKind.UPDATE,
                f'The "{section.keyword}" section can only be used once in an update expression;',
            )
        seen.add(section.keyword)


def _check_appended(action: SetAction) -> None:
    """list_append is all of a SET's value. Source: ScyllaDB's tests/alternator test_update_expression, run on AWS."""
    for node in walk(action.value):
        if isinstance(node, Call) and node.function == "list_append" and node is not action.value:
            raise _misplaced(ExpressionKind.UPDATE, node)


def check_projection(projection: Projection) -> None:
    _check_paths(ExpressionKind.PROJECTION, projection)


def _check_paths(kind: ExpressionKind, root: Node) -> None:
    for node in walk(root):
        if isinstance(node, Path):
            _check_path(kind, node)


def _check_path(kind: ExpressionKind, path: Path) -> None:
    for step in path.steps:
        if isinstance(step, int):
            if step > _INDEX_MAX:
                raise invalid(kind, f"List index is not within the allowable range; index: [{step}]")
        elif step[0] != "#" and is_reserved(step):
            raise invalid(kind, f"Attribute name is a reserved keyword; reserved keyword: {step}")
    if len(path.steps) > NESTING_LEVELS_MAX:
        raise invalid(
            kind, f"The document path has too many nesting levels; nesting levels: {len(path.steps)}"
        )
