"""What the types of attribute values are good for, and the order of values. Equality needs no function:
canonical values are equal exactly when their dicts are."""

from __future__ import annotations

from binascii import a2b_base64

from kvorum.model import numbers
from kvorum.model.requests import AttributeValue

ORDERED_TYPES = frozenset({"S", "N", "B"})
SET_TYPES = frozenset({"SS", "NS", "BS"})


def order(left: AttributeValue, right: AttributeValue) -> int | None:
    """-1, 0 or 1: N by value, S by UTF-8 bytes, B by unsigned bytes. None for values without an order: of
    different types, or of none of these three."""
    if "N" in left and "N" in right:
        return numbers.compare(left["N"], right["N"])
    if "S" in left and "S" in right:
        # Code points sort as their UTF-8 bytes do.
        one, two = left["S"], right["S"]
    elif "B" in left and "B" in right:
        one, two = a2b_base64(left["B"]), a2b_base64(right["B"])
    else:
        return None
    return 0 if one == two else -1 if one < two else 1
