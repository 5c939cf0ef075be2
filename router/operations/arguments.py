"""What the operations' arguments mean: the checks that come after the shapes and are the same everywhere.

In AWS's order: parameters that do not go together, then what the expressions say, then the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from kvorum.control.directory import Directory
from kvorum.model import errors, expressions, legacy, values
from kvorum.model.faults import in_older_words
from kvorum.model.limits import PLACEHOLDER_BYTES_MAX, SUBSTITUTION_BYTES_MAX
from kvorum.model.requests import AttributeValue, Expressions, Item, Legacy
from kvorum.model.table import Table, TableStatus
from kvorum.router.calls import Body
from kvorum.router.operations.table_arns import table_name
from kvorum.router.violations import Layer

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


def table_in_use(text: str, directory: Directory, operation: str) -> Table:
    """The table whose items a request is about, by its name or ARN. Raises ResourceNotFoundException, also
    while the table is being created or deleted, and what table_arns.table_name does."""
    table = directory.tables.get(text)
    if table is None:
        table = directory.tables.get(table_name(text, directory, operation))
    if table is None or table.status not in IN_USE:
        raise errors.resource_not_found()
    return table


class ExpressionParameters:
    """Which of an operation's parameters are expressions, and which are the older way to say the same. Both in
    the order in which AWS names them. `layer`: the operation's validation, which has words of its own."""

    def __init__(self, given: tuple[str, ...], older: tuple[str, ...], layer: Layer) -> None:
        self._expressions = given
        self._older = older
        self._layer = layer
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
        names = _read_names(body)
        placeholders = self._read_values(body, names)
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
            why = f": {' and '.join(places)} {'are' if len(places) > 1 else 'is'} null"
            raise errors.validation(
                "ExpressionAttributeValues can only be specified when using expressions"
                f"{'' if self._layer is Layer.ENVELOPED else why}"
            )

    def _read_values(self, body: Body, names: Names) -> Values:
        """Canonical from here on: they are read where they lie."""
        raw: Values | None = body.get(_VALUES)
        if raw is None:
            return _NO_VALUES
        if not raw:
            raise errors.validation(f"{_VALUES} must not be empty")
        if not all(map(_IS_VALUE, raw)):
            _check_placeholders(_VALUES, _IS_VALUE, raw)
        try:
            _, size = values.read_item(raw)
        except errors.ApiError as error:
            if error.code != "ValidationException":
                raise
            _check_placeholders(_VALUES, _IS_VALUE, raw)
            raise error if self._layer is not Layer.OLDER else _invalid_value(raw) from None
        if size > PLACEHOLDER_BYTES_MAX:
            _check_placeholders(_VALUES, _IS_VALUE, raw)
            if size + _size(names) > SUBSTITUTION_BYTES_MAX:
                raise errors.validation(f"{_VALUES} exceeds max size")
        return raw


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


_IS_NAME = re.compile(r"#[0-9A-Za-z_]+").fullmatch
_IS_VALUE = re.compile(r":[0-9A-Za-z_]+").fullmatch


def _check_placeholders(
    parameter: str, is_placeholder: Callable[[str], object], placeholders: Iterable[str]
) -> None:
    for placeholder in placeholders:
        size = len(placeholder.encode())
        if size > PLACEHOLDER_BYTES_MAX:
            # AWS says how long a name is, but not a value's (ExtendDB/extenddb#181, captured in June 2026).
            tail = f" size of key: {size}" if parameter == _NAMES else ""
            raise errors.validation(
                f"{parameter} contains invalid key: "
                f"The expression attribute map contains a key that is too long;{tail}"
            )
        if is_placeholder(placeholder) is None:
            raise errors.validation(f'{parameter} contains invalid key: Syntax error; key: "{placeholder}"')


def _read_names(body: Body) -> Names:
    names: Names | None = body.get(_NAMES)
    if names is None:
        return _NO_NAMES
    if not names:
        raise errors.validation(f"{_NAMES} must not be empty")
    characters = 0
    for placeholder, name in names.items():
        if _IS_NAME(placeholder) is None or not name:
            _check_names(names)
        characters += len(placeholder) + len(name)
    if characters > PLACEHOLDER_BYTES_MAX:  # else none of them can be too long
        _check_names(names)
    return names


def _check_names(names: Names) -> None:
    _check_placeholders(_NAMES, _IS_NAME, names)
    for placeholder, name in names.items():
        if not name:
            raise errors.validation(
                f"{_NAMES} contains invalid value: Empty attribute name for key {placeholder}"
            )
        values.check_attribute_name(name)
    if _size(names) > SUBSTITUTION_BYTES_MAX:
        raise errors.validation(f"{_NAMES} exceeds max size")


def _size(names: Names) -> int:
    """Bytes of placeholders and names together."""
    return sum(len(placeholder) + len(name.encode()) for placeholder, name in names.items())


def _invalid_value(placeholders: Values) -> errors.ApiError:
    """The first value that means nothing, named as the older validation does."""
    for placeholder, value in placeholders.items():
        try:
            values.read_value(value)
        except errors.ApiError as error:
            if error.code != "ValidationException":
                return error
            return errors.validation(
                f"{_VALUES} contains invalid value: {in_older_words(error).message} for key {placeholder}"
            )
    raise AssertionError("none of the values is wrong")


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
    """Raises ValidationException when AttributesToGet names an attribute twice, or one that cannot be."""
    seen: set[str] = set()
    for name in body.get("AttributesToGet", ()):
        values.check_attribute_name(name)
        if name in seen:
            raise errors.invalid(f"Duplicate value in attribute name: {name}")
        seen.add(name)


def _pick(attributes: list[str], item: Item) -> Item:
    return {name: item[name] for name in attributes if name in item}
