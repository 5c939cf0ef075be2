"""Texts to parsed expressions, through a cache: a text costs its parsing once, whatever its placeholders come
to mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from kvorum.model.expressions import rules
from kvorum.model.expressions.grammar import Parser
from kvorum.model.expressions.kind import ExpressionKind, invalid
from kvorum.model.expressions.nodes import Condition, Node, Path, Projection, Update, Value, walk
from kvorum.model.expressions.operands import Check, asks_for_contents, checks_of, checks_of_update
from kvorum.model.expressions.placeholders import names_in
from kvorum.model.limits import EXPRESSION_BYTES_MAX

# A text of 4 KB makes about 100 KB of nodes, an ordinary one 2 KB.
CACHED_TEXTS = 1024

Root = TypeVar("Root", Condition, Update, Projection)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[Root]):
    """`names` and `values`: the placeholders in use. `entered`: the paths that lead into an attribute. `checks`: of a
    condition or an update, what to check even when all are defined. `by_types`: these checks ask of a value nothing but
    its type."""

    root: Root
    names: frozenset[str]
    values: frozenset[str]
    entered: tuple[Path, ...]
    checks: tuple[Check, ...] = ()

    @property
    def by_types(self) -> bool:
        return not any(asks_for_contents(node) for _, node in self.checks)


@lru_cache(CACHED_TEXTS)
def parse_condition(kind: ExpressionKind, text: str) -> Parsed[Condition]:
    """Raises ValidationException in AWS's words, as all three do."""
    _check_size(kind, text)
    root = Parser(kind, text).condition()
    rules.check_condition(kind, root)
    return Parsed(root, *_parts_of(root), checks_of(root))


@lru_cache(CACHED_TEXTS)
def parse_update(text: str) -> Parsed[Update]:
    _check_size(ExpressionKind.UPDATE, text)
    root = Parser(ExpressionKind.UPDATE, text).update()
    rules.check_update(root)
    return Parsed(root, *_parts_of(root), checks_of_update(root))


@lru_cache(CACHED_TEXTS)
def parse_projection(text: str) -> Parsed[Projection]:
    _check_size(ExpressionKind.PROJECTION, text)
    root = Parser(ExpressionKind.PROJECTION, text).projection()
    rules.check_projection(root)
    return Parsed(root, *_parts_of(root))


def _check_size(kind: ExpressionKind, text: str) -> None:
    if not text:
        raise invalid(kind, "The expression can not be empty;")
    size = len(text.encode())
    if size > EXPRESSION_BYTES_MAX:
        # AWS does not say how large an update is.
        tail = "" if kind is ExpressionKind.UPDATE else f" expression size: {size}"
        raise invalid(kind, f"Expression size has exceeded the maximum allowed size;{tail}")


def _parts_of(root: Node) -> tuple[frozenset[str], frozenset[str], tuple[Path, ...]]:
    """As Parsed has them."""
    names: set[str] = set()
    values: set[str] = set()
    entered: list[Path] = []
    for node in walk(root):
        if isinstance(node, Path):
            names.update(names_in(node))
            if len(node.steps) > 1:
                entered.append(node)
        elif isinstance(node, Value):
            values.add(node.name)
    return frozenset(names), frozenset(values), tuple(entered)
