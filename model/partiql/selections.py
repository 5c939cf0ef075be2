"""What of an item a SELECT keeps: nothing unless the condition holds, and then its columns; and which attributes these
name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kvorum.model import expressions
from kvorum.model.errors import validation
from kvorum.model.expressions.nodes import Path, walk
from kvorum.model.expressions.paths import attribute_of, read_steps
from kvorum.model.partiql.binding import Bound
from kvorum.model.partiql.nodes import Column, Select
from kvorum.model.partiql.texts import texts_of
from kvorum.model.requests import Item

_NO_NAMES: dict[str, str] = {}  # a statement's paths have none of their own


def refuse_calls(select: Select) -> None:
    """Raises ValidationException for a function among the columns. AWS looks at the key of what is read first."""
    if select.call is not None:
        raise validation(f"Unexpected path component at {select.call}")


def filter_of(bound: Bound, select: Select) -> Callable[[Item], bool] | None:
    """None: every item matches. Raises ValidationException for a condition that cannot be evaluated."""
    if select.condition is None:
        return None
    texts = texts_of(bound.values, condition=select.condition)
    assert texts.condition is not None
    return expressions.predicate(texts.condition, texts.names, texts.values)


def projection_of(select: Select) -> Callable[[Item], Item] | None:
    """None: whole items."""
    return None if select.columns is None else partial(_columns_of, select.columns)


def filtered_attributes(select: Select) -> list[str]:
    """Each once, in written order."""
    if select.condition is None:
        return []
    paths = (node for node in walk(select.condition) if isinstance(node, Path))
    return list(dict.fromkeys(attribute_of(path, _NO_NAMES) for path in paths))


def selected_attributes(select: Select) -> list[str]:
    """Each once, in written order; none when whole items are selected."""
    return list(dict.fromkeys(str(column.steps[0]) for column in select.columns or ()))


def _columns_of(columns: tuple[Column, ...], item: Item) -> Item:
    """Flat, unlike what a ProjectionExpression makes of the same paths."""
    found: Item = {}
    for column in columns:
        value = read_steps(item, column.steps)
        if value is not None:
            found[column.name] = value
    return found
