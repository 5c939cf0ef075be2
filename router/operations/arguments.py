"""What the operations' arguments mean: the checks that come after the shapes and are the same everywhere.

In AWS's order: parameters that do not go together, then what the expressions say, then the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from kvorum.control.directory import Directory
from kvorum.model import errors, expressions, legacy, values
from kvorum.model.requests import AttributeValue, Expressions, Item, Legacy
from kvorum.model.table import Table, TableStatus
from kvorum.router.calls import Body

Names = dict[str, str]
Values = dict[str, AttributeValue]
Projection = Callable[[Item], Item]

IN_USE = (TableStatus.ACTIVE, TableStatus.UPDATING)
"""A table in any other status serves no items."""

_NAMES = "ExpressionAttributeNames"
_VALUES = "ExpressionAttributeValues"
_CONDITIONAL_OPERATOR = "ConditionalOperator"
_CONDITIONS = frozenset({"Expected", "QueryFilter", "ScanFilter"})
"""What ConditionalOperator is about; an operation has one of them at most."""

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
    """Which of an operation's parameters are expressions, and which are the older way to say the same. Both in
    the order in which AWS names them."""

    def __init__(self, given: tuple[str, ...], older: tuple[str, ...]) -> None:
        self._expressions = given
        self._older = older
        self._all = frozenset((*given, *older, _NAMES, _VALUES))
        self._of_writes = frozenset(older) & {"Expected", "AttributeUpdates"}
        self._conditions = next((name for name in older if name in _CONDITIONS), "")

    def present(self, body: Body) -> bool:
        """Whether the request has something for `read`. Raises ValidationException for parameters that do not
        go together: the first thing that AWS looks at after the shapes."""
        if self._all.isdisjoint(body):
            return False
        given = [name for name in self._expressions if name in body]
        self._check_not_mixed(given, body)
        if _NAMES in body and not given:
            raise errors.validation("ExpressionAttributeNames can only be specified when using expressions")
        if _VALUES in body:
            self._check_values_have_a_place(body)
        if self._conditions and _CONDITIONAL_OPERATOR in body:
            _check_conditional_operator(len(body.get(self._conditions, ())))
        return bool(given) or not self._of_writes.isdisjoint(body)

    def read(self, body: Body) -> Expressions:
        """The request's expressions and placeholders, or a write's older parameters, checked; values canonical.
        Raises ValidationException: the last thing that AWS looks at before the table."""
        if not self._of_writes.isdisjoint(body):
            return Expressions(legacy=_read_legacy(body))
        names, placeholders = _read_names(body), _read_values(body)
        expressions.check(
            names=names,
            values=placeholders,
            **{_CHECKED_AS[name]: body[name] for name in self._expressions if name in body},
        )
        return Expressions(body.get("ConditionExpression"), body.get("UpdateExpression"), names, placeholders)

    def _check_not_mixed(self, given: list[str], body: Body) -> None:
        if not given:
            return
        older = [name for name in self._older if name in body]
        if "KeyConditions" in older and "KeyConditionExpression" not in body:
            older.remove("KeyConditions")  # AWS lets them stand beside the other expressions
        if older:
            raise errors.validation(
                "Can not use both expression and non-expression parameters in the same request: "
                f"Non-expression parameters: {{{', '.join(older)}}} "
                f"Expression parameters: {{{', '.join(given)}}}"
            )

    def _check_values_have_a_place(self, body: Body) -> None:
        places = [name for name in self._expressions if name != "ProjectionExpression"]
        if places and not any(name in body for name in places):
            raise errors.validation(
                "ExpressionAttributeValues can only be specified when using expressions: "
                f"{' and '.join(places)} {'are' if len(places) > 1 else 'is'} null"
            )


def _check_conditional_operator(conditions: int) -> None:
    """`conditions`: how many there are for it to join."""
    if conditions == 0:
        raise errors.validation("ConditionalOperator cannot be used without Filter or Expected")
    if conditions == 1:
        raise errors.validation(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements"
        )


def _read_legacy(body: Body) -> Legacy:
    updates = body.get("AttributeUpdates")
    checked = None if updates is None else legacy.read_updates(updates)
    expected = body.get("Expected")
    return Legacy(
        legacy.read_expected(expected, body.get(_CONDITIONAL_OPERATOR)) if expected else None, checked
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
    check_attributes_to_get(body)
    return partial(_pick, attributes)


def check_attributes_to_get(body: Body) -> None:
    """Raises ValidationException when AttributesToGet names an attribute twice."""
    seen: set[str] = set()
    for name in body.get("AttributesToGet", ()):
        if name in seen:
            raise errors.validation(
                f"One or more parameter values were invalid: Duplicate value in attribute name: {name}"
            )
        seen.add(name)


def _pick(attributes: list[str], item: Item) -> Item:
    return {name: item[name] for name in attributes if name in item}
