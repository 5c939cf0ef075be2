"""Literals as attribute values, canonical. What is wrong with one is said with the path to it inside the literal,
"root" being its top, as AWS says it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kvorum.model import numbers
from kvorum.model.errors import ApiError, invalid, validation
from kvorum.model.faults import in_older_words
from kvorum.model.limits import NESTING_LEVELS_MAX
from kvorum.model.partiql.faults import not_well_formed
from kvorum.model.requests import AttributeValue
from kvorum.model.values import read_value

ROOT = "root"

_NUMBER = re.compile(r"-?([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?")
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
# More digits than any exponent of 32 bits has, which int() would still turn over.
_EXPONENT_CHARACTERS_MAX = 12


def number(text: str, path: str) -> AttributeValue:
    """`text`: as the tokens have it, perhaps with a minus sign."""
    match = _NUMBER.fullmatch(text)
    assert match is not None
    integer, fraction, exponent_text = match.groups(default="")
    if len(exponent_text) > _EXPONENT_CHARACTERS_MAX:
        raise not_well_formed()
    exponent = int(exponent_text or "0")
    if not (_INT32_MIN <= exponent <= _INT32_MAX and _INT32_MIN <= len(fraction) - exponent <= _INT32_MAX):
        raise not_well_formed()
    sign = "-" if text[0] == "-" else ""
    plain = f"{sign}{integer or '0'}.{fraction or '0'}e{exponent}"
    try:
        return {"N": numbers.canonical(plain)}
    except ApiError as error:
        raise validation(f"{error.message} under {path}") from None


def bag(members: Sequence[tuple[AttributeValue, str]], path: str) -> AttributeValue:
    """A set. `members`: each with the text that it was written as."""
    if not members:
        raise validation("Empty bags are not supported")
    kinds = {kind for member, _ in members for kind in member}
    if kinds == {"S"}:
        return _set_of([member["S"] for member, _ in members])
    if kinds != {"N"}:
        raise unsupported_in_bag()
    content = [member["N"] for member, _ in members]
    if len(set(content)) != len(content):
        raise invalid(
            f"Input collection [{', '.join(text for _, text in members)}] contains duplicates! under {path}"
        )
    return read_value({"NS": content})


def _set_of(members: list[str]) -> AttributeValue:
    try:
        return read_value({"SS": members})
    except ApiError as error:
        raise in_older_words(error) from None


def unsupported_in_bag() -> ApiError:
    return validation(
        "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags"
    )


def check_level(level: int, path: str) -> None:
    """`level`: 1 for the literal itself, 2 for what lies in it."""
    if level > NESTING_LEVELS_MAX:
        raise validation(f"Nesting Levels have exceeded supported limits under {path}")
