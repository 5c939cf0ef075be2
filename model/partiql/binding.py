"""A statement with its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kvorum.model.errors import validation
from kvorum.model.partiql.grammar import parse
from kvorum.model.partiql.nodes import Delete, Insert, Select, Source, Update, parameter_placeholder
from kvorum.model.partiql.texts import texts_of
from kvorum.model.requests import AttributeValue


@dataclass(frozen=True, slots=True)
class Bound:
    """`values`: of all the statement's placeholders, literals and parameters, canonical. Shared with other
    executions of the same text: nobody may change them."""

    body: Select | Insert | Update | Delete
    values: Mapping[str, AttributeValue]

    @property
    def source(self) -> Source:
        return self.body.source


def bind(text: str, parameters: Sequence[AttributeValue]) -> Bound:
    """`parameters`: canonical. Raises ValidationException, also for what AWS refuses to evaluate whatever the table."""
    statement = parse(text)
    if statement.parameters != len(parameters):
        raise validation("Number of parameters in request and statement don't match.")
    values = dict(statement.literals)
    for position, parameter in enumerate(parameters):
        values[parameter_placeholder(position)] = parameter
    body = statement.body
    if not isinstance(body, Insert):
        texts_of(values, condition=body.condition, update=body.changes if isinstance(body, Update) else None)
    return Bound(body, values)
