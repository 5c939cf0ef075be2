"""What of an item a SELECT keeps: nothing unless the condition holds, and then its columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kvorum.model import expressions
from kvorum.model.expressions.paths import read_steps
from kvorum.model.partiql.binding import Bound
from kvorum.model.partiql.nodes import Column, Select
from kvorum.model.partiql.texts import texts_of
from kvorum.model.requests import Item


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


def _columns_of(columns: tuple[Column, ...], item: Item) -> Item:
    """Flat, unlike what a ProjectionExpression makes of the same paths."""
    found: Item = {}
    for column in columns:
        value = read_steps(item, column.steps)
        if value is not None:
            found[column.name] = value
    return found
