"""Which top-level attributes an expression is about: what an index must hold to answer it, and what of an index's key an
update would write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kvorum.model.expressions.kind import ExpressionKind
from kvorum.model.expressions.nodes import (
    Action,
    AddAction,
    Arithmetic,
    Call,
    DeleteAction,
    Operand,
    Path,
    RemoveAction,
    Value,
    walk,
)
from kvorum.model.expressions.parsing import parse_condition, parse_projection, parse_update
from kvorum.model.expressions.paths import Names, attribute_of
from kvorum.model.requests import AttributeValue
from kvorum.model.values import type_of


def filtered_attributes(text: str, names: Names) -> list[str]:
    """Of a FilterExpression, each once, in written order."""
    root = parse_condition(ExpressionKind.FILTER, text).root
    return _distinct(attribute_of(node, names) for node in walk(root) if isinstance(node, Path))


def projected_attributes(text: str, names: Names) -> list[str]:
    """Of a ProjectionExpression, each once, in written order."""
    return _distinct(attribute_of(path, names) for path in parse_projection(text).root.paths)


def entered_by_filter(text: str, names: Names) -> list[str]:
    """Into which paths of a FilterExpression lead."""
    return _attributes_of(parse_condition(ExpressionKind.FILTER, text).entered, names)


def entered_by_projection(text: str, names: Names) -> list[str]:
    """Into which paths of a ProjectionExpression lead."""
    return _attributes_of(parse_projection(text).entered, names)


def entered_by_update(text: str, names: Names) -> list[str]:
    """Into which paths of an UpdateExpression lead, those that it reads too."""
    return _attributes_of(parse_update(text).entered, names)


def written_types(
    text: str, names: Names, values: Mapping[str, AttributeValue]
) -> Iterator[tuple[str, str | None]]:
    """Of every action of an UpdateExpression that writes the whole of an attribute: which, and the type of what it
    writes; None when only an item can tell, or nothing is written."""
    for action in parse_update(text).root.actions():
        if len(action.path.steps) == 1:
            yield attribute_of(action.path, names), _type_written(action, values)


def _attributes_of(paths: Iterable[Path], names: Names) -> list[str]:
    return [attribute_of(path, names) for path in paths]


def _type_written(action: Action, values: Mapping[str, AttributeValue]) -> str | None:
    match action:
        case RemoveAction():
            return None
        case AddAction() | DeleteAction():
            return type_of(values[action.value.name])
        case _:
            return _type_of(action.value, values)


def _type_of(operand: Operand, values: Mapping[str, AttributeValue]) -> str | None:
    match operand:
        case Value():
            return type_of(values[operand.name])
        case Arithmetic():
            return "N"
        case Call(function="list_append"):
            return "L"
        case _:
            return None


def _distinct(attributes: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(attributes))
