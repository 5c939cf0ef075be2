"""Last writer wins: which of two records of one key stays. Pure.

The order is that of model/record.order_of: stamp, then region's name, deletions (tombstones) included. It is
total over the writes of one key, for one region's leaders never give one key the same stamp twice. So a merge
is the maximum of a total order: commutative, associative, idempotent, whatever the network does.
"""

from __future__ import annotations

from kvorum.model.record import order_of


def newer(a: bytes, b: bytes | None) -> bool:
    """Whether record `a` is of a later write than record `b` (None: there is none)."""
    return b is None or order_of(a) > order_of(b)


def merge(current: bytes | None, incoming: bytes) -> bytes | None:
    """The record to store when `incoming` arrives where `current` lies; None when it loses or is known."""
    return incoming if newer(incoming, current) else None


def is_same_write(a: bytes, b: bytes) -> bool:
    """Whether both records are of one write: a change that came again, and no conflict."""
    return order_of(a) == order_of(b)
