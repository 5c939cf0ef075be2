"""What an expression means, as frozen nodes.

Placeholders stay symbolic ("#name" as a step of a path, ":value" in a Value), so that one parsed text serves
every request that differs only in its names and values. Nodes may be built without any text: legacy
parameters translate to the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Step = str | int
"""One step of a document path: an attribute's or map member's name (or its #placeholder), or a list index."""


@dataclass(frozen=True, slots=True)
class Path:
    """At least one step, the first a name. `symbolic`: some step is a #placeholder."""

    steps: tuple[Step, ...]
    symbolic: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A placeholder, colon included."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: str  # "+" | "-"
    left: Operand
    right: Operand


Operand = Path | Value | Call | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str  # "=" | "<>" | "<" | "<=" | ">" | ">="
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    lower: Operand
    upper: Operand


@dataclass(frozen=True, slots=True)
class In:
    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    conditions: tuple[Condition, ...]


Condition = Comparison | Between | In | Call | Not | And | Or


@dataclass(frozen=True, slots=True)
class SetAction:
    path: Path
    value: Operand


@dataclass(frozen=True, slots=True)
class RemoveAction:
    path: Path


@dataclass(frozen=True, slots=True)
class AddAction:
    path: Path
    value: Value


@dataclass(frozen=True, slots=True)
class DeleteAction:
    path: Path
    value: Value


Action = SetAction | RemoveAction | AddAction | DeleteAction


@dataclass(frozen=True, slots=True)
class Section:
    keyword: str  # "SET" | "REMOVE" | "ADD" | "DELETE"
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Update:
    sections: tuple[Section, ...]

    def actions(self) -> Iterator[Action]:
        for section in self.sections:
            yield from section.actions


@dataclass(frozen=True, slots=True)
class Projection:
    paths: tuple[Path, ...]


Node = Operand | Condition | Action | Update | Projection


def children_of(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order in which they are written."""
    match node:
        case Path() | Value():
            return ()
        case Call():
            return node.arguments
        case Arithmetic() | Comparison():
            return (node.left, node.right)
        case Between():
            return (node.operand, node.lower, node.upper)
        case In():
            return (node.operand, *node.choices)
        case Not():
            return (node.condition,)
        case And() | Or():
            return node.conditions
        case SetAction() | AddAction() | DeleteAction():
            return (node.path, node.value)
        case RemoveAction():
            return (node.path,)
        case Update():
            return tuple(node.actions())
        case Projection():
            return node.paths


def walk(node: Node) -> Iterator[Node]:
    """`node` and all below it, children before their parent, in written order."""
    for child in children_of(node):
        yield from walk(child)
    yield node
