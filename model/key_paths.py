"""Key attributes are scalars: no path of an expression may lead into one."""

from __future__ import annotations

from collections.abc import Iterable

from kvorum.model.access_path import key_attributes
from kvorum.model.errors import ApiError, validation
from kvorum.model.table import Table


def check_scalars(table: Table, entered: Iterable[str]) -> None:
    """`entered`: attributes that paths lead into. Raises ValidationException when one is of the key of `table` or of
    an index; AWS names the table's first, then the index's that is first by name."""
    attributes = set(entered)
    if not attributes:
        return
    own = key_attributes(table.keys)
    for part in (*own.hash, *own.range):
        if part.name in attributes:
            raise _no_scalar("Key", part.name)
    for index in sorted(table.indexes, key=lambda index: index.name):
        for part in (*index.keys.hash, *index.keys.range):
            if part.name in attributes:
                raise _no_scalar("IndexKey", part.name)


def _no_scalar(kind: str, attribute: str) -> ApiError:
    return validation(
        "Key attributes must be scalars; list random access '[]' and map lookup '.' "
        f"are not allowed: {kind}: {attribute}"
    )
