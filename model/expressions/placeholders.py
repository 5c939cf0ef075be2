"""Names and values behind placeholders: every one that an expression uses is defined, every one that is
defined is used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from kvorum.model.errors import validation
from kvorum.model.expressions.kind import ExpressionKind, invalid
from kvorum.model.expressions.nodes import Path, Value
from kvorum.model.expressions.paths import Names
from kvorum.model.requests import AttributeValue

Values = Mapping[str, AttributeValue]


def names_in(path: Path) -> Iterable[str]:
    """The #placeholders among the path's steps, in order."""
    return (step for step in path.steps if isinstance(step, str) and step[0] == "#") if path.symbolic else ()


def check_names_defined(kind: ExpressionKind, path: Path, names: Names) -> None:
    for placeholder in names_in(path):
        if placeholder not in names:
            raise invalid(
                kind,
                "An expression attribute name used in the document path is not defined; "
                f"attribute name: {placeholder}",
            )


def check_value_defined(kind: ExpressionKind, value: Value, values: Values) -> None:
    if value.name not in values:
        raise invalid(
            kind,
            f"An expression attribute value used in expression is not defined; attribute value: {value.name}",
        )


def check_all_used(parameter: str, defined: Iterable[str], used: Collection[str]) -> None:
    """`parameter`: ExpressionAttributeNames or ExpressionAttributeValues."""
    unused = [placeholder for placeholder in defined if placeholder not in used]
    if unused:
        raise validation(
            f"Value provided in {parameter} unused in expressions: keys: {{{', '.join(unused)}}}"
        )
