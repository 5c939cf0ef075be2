"""What is wrong with a text whatever its placeholders stand for: reserved words, function names and places,
numbers of operands, list indexes. Checked once, when the text is parsed; the order is that of the text."""

from __future__ import annotations

from kvorum.model.expressions.kind import ExpressionKind, invalid
from kvorum.model.expressions.nodes import (
    And,
    Arithmetic,
    Call,
    Condition,
    Node,
    Not,
    Operand,
    Or,
    Path,
    Projection,
    SetAction,
    Update,
    children_of,
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
"""Function to its number of operands."""

_INDEX_MAX = 2**31 - 1


def check_condition(kind: ExpressionKind, node: Condition) -> None:
    """A condition in a condition's place."""
    if isinstance(node, Not):
        check_condition(kind, node.condition)
    elif isinstance(node, And | Or):
        for condition in node.conditions:
            check_condition(kind, condition)
    elif isinstance(node, Call):
        _check_call(kind, node, CONDITION_FUNCTIONS)
    else:
        for child in children_of(node):
            _check_operand(kind, child)


def _check_operand(kind: ExpressionKind, node: Node) -> None:
    if isinstance(node, Path):
        check_path(kind, node)
    elif isinstance(node, Call):
        _check_call(kind, node, OPERAND_FUNCTIONS)


def _check_call(kind: ExpressionKind, call: Call, allowed: dict[str, int]) -> None:
    function = call.function
    if function in UPDATE_FUNCTIONS:
        raise invalid(kind, f"The function is not allowed in a condition expression; function: {function}")
    if function not in CONDITION_FUNCTIONS and function not in OPERAND_FUNCTIONS:
        raise invalid(kind, f"Invalid function name; function: {function}")
    if function not in allowed:
        raise invalid(
            kind, f"The function is not allowed to be used this way in an expression; function: {function}"
        )
    check_operand_count(kind, call, allowed[function])
    for argument in call.arguments:
        _check_operand(kind, argument)


def check_operand_count(kind: ExpressionKind, call: Call, count: int) -> None:
    if len(call.arguments) != count:
        raise invalid(
            kind,
            "Incorrect number of operands for operator or function; "
            f"operator or function: {call.function}, number of operands: {len(call.arguments)}",
        )


def check_update(update: Update) -> None:
    seen: set[str] = set()
    for section in update.sections:
        for action in section.actions:
            check_path(ExpressionKind.UPDATE, action.path)
            if isinstance(action, SetAction):
                _check_set_value(action.value)
        if section.keyword in seen:
            raise invalid(
                ExpressionKind.UPDATE,
                f'The "{section.keyword}" section can only be used once in an update expression;',
            )
        seen.add(section.keyword)


def _check_set_value(node: Operand) -> None:
    if isinstance(node, Path):
        check_path(ExpressionKind.UPDATE, node)
    elif isinstance(node, Arithmetic):
        _check_set_value(node.left)
        _check_set_value(node.right)
    elif isinstance(node, Call):
        if node.function in CONDITION_FUNCTIONS or node.function in OPERAND_FUNCTIONS:
            raise invalid(
                ExpressionKind.UPDATE,
                f"The function is not allowed in an update expression; function: {node.function}",
            )
        if node.function not in UPDATE_FUNCTIONS:
            raise invalid(ExpressionKind.UPDATE, f"Invalid function name; function: {node.function}")
        for argument in node.arguments:
            _check_set_value(argument)


def check_projection(projection: Projection) -> None:
    for path in projection.paths:
        check_path(ExpressionKind.PROJECTION, path)


def check_path(kind: ExpressionKind, path: Path) -> None:
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
