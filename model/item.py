"""What a write means: the item before, the request, and what stands there afterwards.

Pure, and callable twice with the same answer: the leader evaluates a write against the newest image that it
knows, proposed ones included, and may have to do it again.
"""

from __future__ import annotations

from msgspec import Struct

from kvorum.model import expressions, legacy
from kvorum.model.errors import conditional_check_failed, item_to_update_too_large
from kvorum.model.index_checks import check_updated_item
from kvorum.model.limits import ITEM_BYTES_MAX
from kvorum.model.requests import Delete, Expressions, Item, Put, ReturnValues, Update, Write
from kvorum.model.table import Table
from kvorum.model.values import dumps, item_size, loads


class Image(Struct, eq=False):
    """A stored item as the leader holds it. `json`: canonical, as in its record; `size`: bytes as AWS counts
    them; `decoded`: its attributes, once somebody asked."""

    json: bytes
    size: int
    decoded: Item | None = None

    @property
    def attributes(self) -> Item:
        """Decoded when first asked for. Shared: nobody may change it."""
        if self.decoded is None:
            self.decoded = loads(self.json)
        return self.decoded


class Outcome(Struct, frozen=True):
    """`json`: the new item, None when there is none afterwards; `size`: its bytes as AWS counts them, else 0.
    `attributes`: the JSON that ReturnValues asked for, None when there is nothing to return. `changed`: False
    when what was stored already is what the write would store. `decoded`: the new item's attributes, where the
    write had to make them."""

    json: bytes | None
    size: int
    attributes: bytes | None
    changed: bool
    decoded: Item | None = None

    @property
    def image(self) -> Image | None:
        """The new item."""
        return None if self.json is None else Image(self.json, self.size, self.decoded)


def apply(write: Write, previous: Image | None, table: Table) -> Outcome:
    """Raises ConditionalCheckFailedException, with the old item when the write asks for it, and
    ValidationException for what only shows on the item: an update's operands and paths, the new size, attributes
    that no longer fit an index."""
    match write:
        case Put():
            return _put(write, previous)
        case Update():
            return _update(write, previous, table)
        case Delete():
            return _delete(write, previous)


def _put(put: Put, previous: Image | None) -> Outcome:
    if put.expressions is not None:
        _check_condition(put.expressions, previous, put.return_old_on_failure)
    return Outcome(
        put.item,
        put.size,
        previous.json if previous is not None and put.returns is ReturnValues.ALL_OLD else None,
        previous is None or previous.json != put.item,
    )


def _delete(delete: Delete, previous: Image | None) -> Outcome:
    if delete.expressions is not None:
        _check_condition(delete.expressions, previous, delete.return_old_on_failure)
    if previous is None:
        return Outcome(None, 0, None, changed=False)
    return Outcome(None, 0, previous.json if delete.returns is ReturnValues.ALL_OLD else None, changed=True)


def _update(update: Update, previous: Image | None, table: Table) -> Outcome:
    given = update.expressions
    _check_condition(given, previous, update.return_old_on_failure)
    _check_key_untouched(given, table)
    if previous is None and not _creates_item(given):
        # Wherever its paths would lead. Source: ScyllaDB's tests/alternator test_update_expression, run on AWS.
        return Outcome(None, 0, None, changed=False)
    # To an update, unlike to its condition, an item that is not there is one of nothing but its key.
    old = previous.attributes if previous is not None else update.key_attributes
    outcome = _updated(given, old)
    new, touched = outcome.item, outcome.touched
    # Canonical values are equal exactly when their dicts are, whatever the order of the attributes.
    if previous is not None and new == old:
        json, size, changed = previous.json, previous.size, False
    else:
        json, size, changed = dumps(new), item_size(new), True
        if size > ITEM_BYTES_MAX:
            raise item_to_update_too_large()
    if table.indexes:
        check_updated_item(table, new, size)
    return Outcome(json, size, _returned(update.returns, previous, new, json, touched), changed, new)


def _check_key_untouched(given: Expressions, table: Table) -> None:
    if given.update is not None:
        expressions.check_key_untouched(given.update, given.names, table.keys)
    elif given.legacy is not None and given.legacy.updates is not None:
        legacy.check_key_untouched(given.legacy.updates, table.keys)


def _updated(given: Expressions, old: Item) -> expressions.UpdateOutcome:
    if given.update is not None:
        return expressions.apply_update(given.update, old, given.names, given.values)
    if given.legacy is not None and given.legacy.updates is not None:
        return legacy.apply_updates(given.legacy.updates, old)
    return expressions.UpdateOutcome(old, expressions.Paths())


def _creates_item(given: Expressions) -> bool:
    """An update that changes nothing makes an item of its key; one that only takes away makes none."""
    if given.update is not None:
        return expressions.creates_item(given.update)
    updates = given.legacy.updates if given.legacy is not None else None
    return updates is None or legacy.creates_item(updates)


def _returned(
    returns: ReturnValues, previous: Image | None, new: Item, json: bytes, touched: expressions.Paths
) -> bytes | None:
    match returns:
        case ReturnValues.NONE:
            return None
        case ReturnValues.ALL_NEW:
            return json
        case ReturnValues.ALL_OLD:
            return None if previous is None else previous.json
        case ReturnValues.UPDATED_OLD:
            part = {} if previous is None else expressions.project(previous.attributes, touched)
        case ReturnValues.UPDATED_NEW:
            part = expressions.project(new, touched)
    return dumps(part) if part else None


def _check_condition(given: Expressions, previous: Image | None, return_old: bool) -> None:
    if given.condition is None and given.legacy is None:
        return
    attributes = previous.attributes if previous is not None else {}
    if not _holds(given, attributes):
        raise conditional_check_failed(attributes if return_old and previous is not None else None)


def _holds(given: Expressions, attributes: Item) -> bool:
    if given.condition is not None:
        return expressions.evaluate(given.condition, attributes, given.names, given.values)
    expected = given.legacy.expected if given.legacy is not None else None
    return expected is None or legacy.predicate(expected)(attributes)
