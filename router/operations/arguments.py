"""What the operations' arguments mean: the checks that come after the shapes and are the same everywhere.

In AWS's order: parameters that do not go together, then what the expressions say, then the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from kvorum.control.directory import Directory
from kvorum.model import errors, expressions, values
from kvorum.model.requests import AttributeValue, Expressions, Item
from kvorum.model.table import Table, TableStatus
from kvorum.router.calls import Body

Names = dict[str, str]
Values = dict[str, AttributeValue]
Projection = Callable[[Item], Item]

IN_USE = (TableStatus.ACTIVE, TableStatus.UPDATING)
"""A table in any other status serves no items."""

_NAMES = "ExpressionAttributeNames"
_VALUES = "ExpressionAttributeValues"
_NO_NAMES: Names = {}
_NO_VALUES: Values = {}

# The parameter of expressions.check that each expression parameter is.
_CHECKED_AS = {
    "ConditionExpression": "condition",
    "UpdateExpression": "update",
    "FilterExpression": "filter",
    "ProjectionExpression": "projection",
    "KeyConditionExpression": "key_condition",
}


def table_name(text: str) -> str:
    """The name in a TableName parameter, which may be an ARN."""
    return text.rpartition("/")[2] if text.startswith("arn:") else text


def table_in_use(text: str, directory: Directory) -> Table:
    """The table whose items a request is about, by its name or ARN. Raises ResourceNotFoundException, also
    while the table is being created or deleted."""
    table = directory.tables.get(text)
    if table is None:
        table = directory.tables.get(table_name(text))
    if table is None or table.status not in IN_USE:
        raise errors.resource_not_found()
    return table


class ExpressionParameters:
    """Which of an operation's parameters are expressions, and which are the older way to say the same, each
    with the expression to use instead ("" when it is served). Both in the order in which AWS names them."""

    def __init__(self, given: tuple[str, ...], legacy: dict[str, str]) -> None:
        self._expressions = given
        self._legacy = legacy
        self._all = frozenset((*given, *legacy, _NAMES, _VALUES))

    def present(self, body: Body) -> bool:
        """Whether the request has expressions. Raises ValidationException for parameters that do not go
        together: the first thing that AWS looks at after the shapes."""
        if self._all.isdisjoint(body):
            return False
        given = [name for name in self._expressions if name in body]
        self._check_legacy(given, [name for name in self._legacy if name in body])
        if _NAMES in body and not given:
            raise errors.validation("ExpressionAttributeNames can only be specified when using expressions")
        if _VALUES in body:
            self._check_values_have_a_place(body)
        return bool(given)

    def read(self, body: Body) -> Expressions:
        """The request's expressions and placeholders, checked; values canonical. Raises ValidationException:
        the last thing that AWS looks at before the table."""
        names, placeholders = _read_names(body), _read_values(body)
        expressions.check(
            names=names,
            values=placeholders,
            **{_CHECKED_AS[name]: body[name] for name in self._expressions if name in body},
        )
        return Expressions(body.get("ConditionExpression"), body.get("UpdateExpression"), names, placeholders)

    def _check_legacy(self, given: list[str], legacy: list[str]) -> None:
        if given and legacy:
            raise errors.validation(
                "Can not use both expression and non-expression parameters in the same request: "
                f"Non-expression parameters: {{{', '.join(legacy)}}} "
                f"Expression parameters: {{{', '.join(given)}}}"
            )
        for name in legacy:
            instead = self._legacy[name]
            if instead:
                raise errors.validation(
                    f"Kvorum does not serve the legacy parameter {name} yet; use {instead}"
                )

    def _check_values_have_a_place(self, body: Body) -> None:
        places = [name for name in self._expressions if name != "ProjectionExpression"]
        if places and not any(name in body for name in places):
            raise errors.validation(
                "ExpressionAttributeValues can only be specified when using expressions: "
                f"{' and '.join(places)} {'are' if len(places) > 1 else 'is'} null"
            )


_PLACEHOLDER = re.compile(r"[#:][0-9A-Za-z_]+")


def _check_placeholders(parameter: str, sign: str, placeholders: Iterable[str]) -> None:
    for placeholder in placeholders:
        if placeholder[:1] != sign or _PLACEHOLDER.fullmatch(placeholder) is None:
            raise errors.validation(f'{parameter} contains invalid key: Syntax error; key: "{placeholder}"')


def _read_names(body: Body) -> Names:
    names: Names | None = body.get(_NAMES)
    if names is None:
        return _NO_NAMES
    if not names:
        raise errors.validation(f"{_NAMES} must not be empty")
    _check_placeholders(_NAMES, "#", names)
    return names


def _read_values(body: Body) -> Values:
    """Canonical from here on: they are read where they lie."""
    raw: Values | None = body.get(_VALUES)
    if raw is None:
        return _NO_VALUES
    if not raw:
        raise errors.validation(f"{_VALUES} must not be empty")
    _check_placeholders(_VALUES, ":", raw)
    for placeholder, value in raw.items():
        try:
            values.read_value(value)
        except errors.ApiError as error:
            if error.code != "ValidationException":
                raise
            raise errors.validation(
                f"{_VALUES} contains invalid value: {error.message} for key {placeholder}"
            ) from None
    return raw


def projection(body: Body, names: Names) -> Projection | None:
    """What ProjectionExpression (already checked) or AttributesToGet keeps of an item; None for all of it."""
    text: str | None = body.get("ProjectionExpression")
    if text is not None:
        return partial(expressions.project, paths=expressions.projection_paths(text, names))
    attributes: list[str] | None = body.get("AttributesToGet")
    if attributes is None:
        return None
    seen: set[str] = set()
    for name in attributes:
        if name in seen:
            raise errors.validation(
                f"One or more parameter values were invalid: Duplicate value in attribute name: {name}"
            )
        seen.add(name)
    return partial(_pick, attributes)


def _pick(attributes: list[str], item: Item) -> Item:
    return {name: item[name] for name in attributes if name in item}
