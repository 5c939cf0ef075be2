"""What a statement says, as frozen nodes. Conditions and changes are model/expressions' own nodes, so that one
engine checks and evaluates them: attribute names stand in their paths as they are, values are placeholders, a
literal's bound in the statement (":0"), a parameter's by whoever executes it (":p0")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvorum.model.expressions import nodes as expressions
from kvorum.model.expressions.nodes import Condition, Step
from kvorum.model.requests import AttributeValue, ReturnValues


@dataclass(frozen=True, slots=True)
class Source:
    table: str
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A document path, and the attribute that it becomes in the result."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Order:
    attribute: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Select:
    """`columns` None: whole items. `call`: where a function stands among the columns ("line:column:length"), which
    nothing can select."""

    source: Source
    columns: tuple[Column, ...] | None
    condition: Condition | None
    order: tuple[Order, ...]
    call: str | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """`item`: a placeholder for each attribute, or one for all of it."""

    source: Source
    item: Mapping[str, str] | str


@dataclass(frozen=True, slots=True)
class Update:
    source: Source
    changes: expressions.Update
    condition: Condition | None
    returns: ReturnValues


@dataclass(frozen=True, slots=True)
class Delete:
    source: Source
    condition: Condition | None
    returns: ReturnValues


@dataclass(frozen=True, slots=True)
class Statement:
    """`literals`: their values, canonical, by placeholder. `parameters`: how many the statement takes."""

    body: Select | Insert | Update | Delete
    literals: Mapping[str, AttributeValue]
    parameters: int


def parameter_placeholder(position: int) -> str:
    """Of the parameter at `position`, from 0."""
    return f":p{position}"
