"""ExclusiveStartKey: whether it could be the LastEvaluatedKey of such a request, and where it lies.

AWS has other words for the same mistake in a Query, in a Scan of a table and in a Scan of an index.
"""

from __future__ import annotations

from collections.abc import Callable

from kvorum.model import errors, keys, values
from kvorum.model.access_path import AccessPath
from kvorum.model.expressions import KeyRange
from kvorum.model.faults import ValueFault, in_older_words
from kvorum.model.requests import Item
from kvorum.model.table import KeyPart
from kvorum.router.calls import Body
from kvorum.router.violations import Layer

_INVALID = "The provided starting key is invalid"
_NO_MATCH = "The provided key element does not match the schema"


def read(body: Body, layer: Layer) -> Item | None:
    """As values; whether it fits what is read is checked later. Raises ValidationException, which says that it is the
    start key which is wrong unless it is a number or a set that cannot be read."""
    raw: Item | None = body.get("ExclusiveStartKey")
    if raw is None:
        return None
    try:
        return values.read_item(raw)[0]
    except errors.ApiError as error:
        if not isinstance(error, ValueFault):
            raise _within(error) from None
        raise in_older_words(error) if layer is Layer.OLDER else error from None


def part_checker(path: AccessPath, start: Item) -> Callable[[KeyPart], None]:
    """What checks `start` part by part of the key of what is read, so that a Query may look at its conditions in
    between. Raises ValidationException, and at once when `start` has too few or too many attributes."""
    if len(start) != len(path.key_names):
        raise errors.validation(_INVALID)

    def check(part: KeyPart) -> None:
        value = start.get(part.name)
        if value is None:
            raise errors.validation(_INVALID)
        content = value.get(part.kind)
        if content is None:
            raise errors.validation(_NO_MATCH)
        if not content:
            raise errors.empty_key_attribute(part.name, part.kind)

    return check


def encode(path: AccessPath, start: Item) -> bytes:
    """Raises ValidationException unless `start`, whose parts of the index's key are right, names an entry."""
    own = [path.table.keys.hash.name]
    if path.table.keys.range is not None:
        own.append(path.table.keys.range.name)
    whole = start if path.index is None else {name: start[name] for name in own if name in start}
    try:
        keys.encode_key(path.table.keys, whole)
        return path.key_of(start)
    except errors.ApiError as error:
        raise _within(error) from None


def encode_within(path: AccessPath, start: Item, wanted: KeyRange) -> bytes:
    """Raises ValidationException when a Query of `wanted` could not have ended a page at `start`."""
    encoded = encode(path, start)
    hash_values = tuple(start[part.name] for part in path.keys.hash)
    elsewhere = hash_values != wanted.hash_values
    if wanted.operator == "":
        if elsewhere:
            raise errors.validation(
                "The provided starting key is outside query boundaries based on provided conditions"
            )
        return encoded
    lower, upper = path.bounds(KeyRange(hash_values, wanted.equal, wanted.operator, wanted.operands))
    if not lower <= encoded < upper:
        raise errors.validation("The provided starting key does not match the range key predicate")
    if elsewhere:
        raise errors.validation("The query can return at most one row and cannot be restarted")
    return encoded


def _within(error: errors.ApiError) -> errors.ApiError:
    if error.code != "ValidationException":
        return error
    return errors.validation(f"{_INVALID}: {error.message}")
