"""What is wrong with an expression once its placeholders have meanings: undefined ones, types that an operator
cannot take, operands that should differ, paths in each other's way. Depends on the request; nothing here
depends on an item.

Conditions are checked the way AWS does it: one comparison or function after the other, as they are written, and in
each of them placeholders, then numbers of operands, operands that should differ, and types. So are updates: all
target paths, then whether these are disjoint, then the actions from the last to the first, their names before
their values.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kvorum.model.errors import ApiError
from kvorum.model.expressions.kind import ExpressionKind, invalid
from kvorum.model.expressions.nodes import (
    Action,
    AddAction,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    DeleteAction,
    In,
    Node,
    Operand,
    Path,
    Projection,
    Update,
    Value,
    walk,
)
from kvorum.model.expressions.paths import Names, Steps, check_disjoint, resolve, text_of
from kvorum.model.expressions.placeholders import Values, check_names_defined, check_value_defined
from kvorum.model.expressions.rules import OPERANDS, leaves_of
from kvorum.model.expressions.types import ORDERED_TYPES, SET_TYPES, order
from kvorum.model.limits import IN_OPERANDS_MAX
from kvorum.model.requests import AttributeValue
from kvorum.model.values import type_of

_SIZED = SET_TYPES | {"S", "B", "L", "M"}
_PREFIXED = frozenset({"S", "B"})
_LISTS = frozenset({"L"})
_NUMBERS = frozenset({"N"})
_ADDED = SET_TYPES | _NUMBERS

_TYPE_TAGS = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"  # in AWS's order
_TYPE_WORDS = {"S": "STRING", "N": "NUMBER", "B": "BINARY", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP"}
_NEED_A_PATH = frozenset({"attribute_exists", "attribute_not_exists", "if_not_exists"})


Rule = Callable[[ExpressionKind, Any, Names, Values], None]
Check = tuple[Rule, Node]
"""A rule and the node that it is about."""


def check_condition(kind: ExpressionKind, root: Condition, names: Names, values: Values) -> None:
    for leaf in leaves_of(root):
        for node in walk(leaf):
            _check_defined(kind, node, names, values)
        check_all(kind, _checks_of_leaf(leaf), names, values)


def check_update_paths(update: Update, names: Names) -> None:
    """The targets of the actions."""
    kind = ExpressionKind.UPDATE
    paths: list[Steps] = []
    for action in update.actions():
        check_names_defined(kind, action.path, names)
        paths.append(resolve(action.path, names))
    if len(paths) > 1:
        check_disjoint(kind, paths)


def check_update(update: Update, names: Names, values: Values) -> None:
    """The rest of an update, after `check_update_paths`."""
    backwards = list(update.actions())[::-1]
    for action in backwards:
        for node in walk(action):
            if isinstance(node, Path):
                check_names_defined(ExpressionKind.UPDATE, node, names)
    for action in backwards:
        for node in walk(action):
            if isinstance(node, Value):
                check_value_defined(ExpressionKind.UPDATE, node, values)
        check_all(ExpressionKind.UPDATE, _checks_of_action(action), names, values)


def check_projection(projection: Projection, names: Names) -> None:
    kind = ExpressionKind.PROJECTION
    for path in projection.paths:
        check_names_defined(kind, path, names)
    if len(projection.paths) > 1:
        check_disjoint(kind, [resolve(path, names) for path in projection.paths])


def check_all(kind: ExpressionKind, checks: Iterable[Check], names: Names, values: Values) -> None:
    """In this order. When every placeholder is defined, the `checks_of…` an expression are enough."""
    for rule, node in checks:
        rule(kind, node, names, values)


def checks_of(root: Condition) -> tuple[Check, ...]:
    """What not all values of its placeholders suit, or none."""
    return tuple(check for leaf in leaves_of(root) for check in _checks_of_leaf(leaf))


def checks_of_update(update: Update) -> tuple[Check, ...]:
    """The same of an update, in the order of `check_update`."""
    backwards = list(update.actions())[::-1]
    return tuple(check for action in backwards for check in _checks_of_action(action))


def asks_for_contents(node: Node) -> bool:
    """Whether it depends on more than the types of its placeholders' values that nothing is wrong with `node`."""
    if isinstance(node, Between):
        return isinstance(node.lower, Value) and isinstance(node.upper, Value)
    return isinstance(node, Call) and node.function == "attribute_type"


def _checks_of_leaf(leaf: Condition) -> Iterator[Check]:
    nodes = list(walk(leaf))
    for rule, concerns in (
        (_check_count, _has_wrong_count),
        (_check_distinct, _has_paths_to_compare),
        (_check_operands, _is_restricted),
    ):
        for node in nodes:
            if concerns(node):
                yield rule, node


def _checks_of_action(action: Action) -> Iterator[Check]:
    for node in walk(action):
        if _has_wrong_count(node):
            yield _check_count, node
        if _is_restricted(node):
            yield _check_operands, node
        if _has_paths_to_compare(node):
            yield _check_distinct, node


# ---- placeholders that are not defined ----------------------------------------------------------------------


def _check_defined(kind: ExpressionKind, node: Node, names: Names, values: Values) -> None:
    if isinstance(node, Path):
        check_names_defined(kind, node, names)
    elif isinstance(node, Value):
        check_value_defined(kind, node, values)


# ---- numbers of operands ------------------------------------------------------------------------------------


def _has_wrong_count(node: Node) -> bool:
    return isinstance(node, Call) and len(node.arguments) != OPERANDS[node.function]


def _check_count(kind: ExpressionKind, call: Call, _names: Names, _values: Values) -> None:
    raise invalid(
        kind,
        "Incorrect number of operands for operator or function; "
        f"operator or function: {call.function}, number of operands: {len(call.arguments)}",
    )


# ---- operands that should differ ----------------------------------------------------------------------------


def _compared(node: Node) -> tuple[str, Operand, tuple[Operand, ...]] | None:
    """The operator, its first operand, and those that must be other paths."""
    match node:
        case Comparison():
            return node.operator, node.left, (node.right,)
        case Between():
            return "BETWEEN", node.operand, (node.lower, node.upper)
        case In():
            return "IN", node.operand, node.choices
        case Call() if node.function != "list_append":
            return node.function, node.arguments[0], node.arguments[1:]
        case _:
            return None


def _has_paths_to_compare(node: Node) -> bool:
    compared = _compared(node)
    if compared is None:
        return False
    _, first, others = compared
    return isinstance(first, Path) and any(isinstance(other, Path) for other in others)


def _check_distinct(kind: ExpressionKind, node: Node, names: Names, _values: Values) -> None:
    compared = _compared(node)
    assert compared is not None
    operator, first, others = compared
    assert isinstance(first, Path)
    steps = resolve(first, names)
    if any(isinstance(other, Path) and resolve(other, names) == steps for other in others):
        raise invalid(
            kind,
            "The first operand must be distinct from the remaining operands for this operator or "
            f"function; operator: {operator}, first operand: {text_of(steps)}",
        )


# ---- types --------------------------------------------------------------------------------------------------


def _is_restricted(node: Node) -> bool:
    if isinstance(node, Comparison):
        return node.operator not in ("=", "<>")
    if isinstance(node, Call):
        return node.function == "attribute_type" or (
            node.function != "contains" and not all(isinstance(each, Path) for each in node.arguments)
        )
    return isinstance(node, Between | In | Arithmetic | AddAction | DeleteAction)


def _check_operands(kind: ExpressionKind, node: Node, _names: Names, values: Values) -> None:
    match node:
        case Comparison():
            _check_types(kind, node.operator, (node.left, node.right), ORDERED_TYPES, values)
        case Between():
            bounds = (node.lower, node.upper)
            _check_types(kind, "BETWEEN", (node.operand, *bounds), ORDERED_TYPES, values)
            if isinstance(node.lower, Value) and isinstance(node.upper, Value):
                _check_bounds(kind, values[node.lower.name], values[node.upper.name])
        case In():
            if len(node.choices) > IN_OPERANDS_MAX:
                raise invalid(
                    kind,
                    "The IN operator is provided with too many operands; "
                    f"number of operands: {len(node.choices)}",
                )
        case Call():
            _check_call(kind, node, values)
        case Arithmetic():
            _check_types(kind, node.operator, (node.left, node.right), _NUMBERS, values)
        case AddAction():
            _check_action(kind, "ADD", values[node.value.name], _ADDED)
        case DeleteAction():
            _check_action(kind, "DELETE", values[node.value.name], SET_TYPES)
        case _:
            raise AssertionError(f"nothing restricts {node}")


def _check_call(kind: ExpressionKind, call: Call, values: Values) -> None:
    function = call.function
    first, *others = call.arguments
    if function in _NEED_A_PATH and not isinstance(first, Path):
        raise invalid(
            kind, f"Operator or function requires a document path; operator or function: {function}"
        )
    if function == "size":
        _check_types(kind, function, call.arguments, _SIZED, values)
    elif function == "begins_with":
        _check_types(kind, function, call.arguments, _PREFIXED, values)
    elif function == "list_append":
        _check_types(kind, function, call.arguments, _LISTS, values)
    elif function == "attribute_type":
        _check_type_name(kind, others[0], values)


def _check_type_name(kind: ExpressionKind, operand: Operand, values: Values) -> None:
    found = _type_of(operand, values)
    if found != "S":
        # AWS names every type there is for an operand whose type only an item can tell.
        raise _wrong_type(kind, "attribute_type", found or "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
    assert isinstance(operand, Value)
    name = values[operand.name]["S"]
    if name not in _TYPE_TAGS[1:-1].split(","):
        raise invalid(kind, f"Invalid attribute type name found; type: {name}, valid types: {_TYPE_TAGS}")


def _check_types(
    kind: ExpressionKind,
    operator: str,
    operands: tuple[Operand, ...],
    allowed: frozenset[str],
    values: Values,
) -> None:
    for operand in operands:
        found = _type_of(operand, values)
        if found is not None and found not in allowed:
            raise _wrong_type(kind, operator, found)


def _type_of(operand: Operand, values: Values) -> str | None:
    """None: only an item can tell."""
    if isinstance(operand, Value):
        return type_of(values[operand.name])
    if isinstance(operand, Call) and operand.function == "size":
        return "N"
    return None


def _wrong_type(kind: ExpressionKind, operator: str, found: str) -> ApiError:
    return invalid(
        kind,
        "Incorrect operand type for operator or function; "
        f"operator or function: {operator}, operand type: {found}",
    )


def _check_action(kind: ExpressionKind, keyword: str, value: AttributeValue, allowed: frozenset[str]) -> None:
    found = type_of(value)
    if found not in allowed:
        raise invalid(
            kind,
            f"Incorrect operand type for operator or function; operator: {keyword}, "
            f"operand type: {_TYPE_WORDS.get(found, found)}, typeSet: ALLOWED_FOR_{keyword}_OPERAND",
        )


def _check_bounds(kind: ExpressionKind, lower: AttributeValue, upper: AttributeValue) -> None:
    if type_of(lower) != type_of(upper):
        rule = "same data type for lower and upper bounds"
    elif order(lower, upper) == 1:
        rule = "upper bound to be greater than or equal to lower bound"
    else:
        return
    raise invalid(
        kind,
        f"The BETWEEN operator requires {rule}; lower bound operand: AttributeValue: {_text_of(lower)}, "
        f"upper bound operand: AttributeValue: {_text_of(upper)}",
    )


def _text_of(value: AttributeValue) -> str:
    """As AWS's messages write a value, which shows that they are written in Java."""
    ((tag, content),) = value.items()
    if tag == "B":
        length = len(a2b_base64(content))
        content = f"java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]"
    return f"{{{tag}:{content}}}"
