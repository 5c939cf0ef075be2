"""The scalars that requests consist of, and the constraints on them, in the words of AWS's service model.

What a shape says of a value comes in three steps, as on AWS: `accept`, whether it is right as it stands; `convert`,
which finds wrong JSON types; `inspect`, which finds violated constraints.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kvorum.model import errors
from kvorum.model.values import BOOLEAN_WORDS
from kvorum.router.violations import (
    Echo,
    Faults,
    Layer,
    Path,
    cut,
    enumeration_constraint,
    length_constraints,
    length_fault,
    pattern_constraint,
)

UNEXPECTED_STRUCTURE = "Start of structure or map found where not expected"
_NAME_PATTERN = "[a-zA-Z0-9_.-]+"

Accept = Callable[[Any], bool]
"""True when the value is right as it stands: of its type, within its constraints, nothing to convert."""


class Shape(Protocol):
    @property
    def java(self) -> str:
        """The class that AWS's SerializationException names."""
        ...

    def accept(self) -> Accept: ...

    def convert(self, raw: Any, *, element: bool) -> Any:
        """The value with its nulls dropped and its scalars converted as AWS converts them, or
        SerializationException. `raw` is not None. `element`: it lies in a list or a map."""
        ...

    def inspect(self, value: Any, path: Path, faults: Faults) -> None:
        """Report the constraints that a converted value violates."""
        ...

    def show(self, value: Any) -> str:
        """A converted value as Java prints it."""
        ...


def refuse_collection(raw: object, java: str) -> None:
    if isinstance(raw, list):
        raise errors.serialization(f"Unrecognized collection type class {java}")
    if isinstance(raw, dict):
        raise errors.serialization(UNEXPECTED_STRUCTURE)


def _token(raw: object) -> str:
    """What AWS's parser calls a scalar."""
    match raw:
        case bool():
            return "TRUE_VALUE" if raw else "FALSE_VALUE"
        case str():
            return "STRING_VALUE"
        case float() if not raw.is_integer():
            return "DECIMAL_VALUE"
        case _:
            return "NUMBER_VALUE"


ACCEPTED_MAX = 1_024
"""Texts of one pattern that are remembered: mostly names of tables, and the same few again and again."""


def _remembering(check: Accept) -> Accept:
    """`check` for strings, most of which come again and again."""
    accepted: set[str] = set()

    def accept(raw: Any) -> bool:
        if type(raw) is not str:
            return False
        if raw in accepted:
            return True
        if not check(raw):
            return False
        if len(accepted) >= ACCEPTED_MAX:
            accepted.clear()
        accepted.add(raw)
        return True

    return accept


def _convert_text(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    refuse_collection(raw, "java.lang.String")
    raise errors.serialization(f"{_token(raw)} cannot be converted to String")


@dataclass(frozen=True, slots=True)
class Text:
    """A string; lengths in characters. `pattern` must match it whole; `pattern_shown` is what the message quotes
    where Java writes it otherwise."""

    length_min: int = 0
    length_max: int | None = None
    pattern: str | None = None
    pattern_shown: str | None = None

    @property
    def java(self) -> str:
        return "java.lang.String"

    def accept(self) -> Accept:
        low, high = self.length_min, self.length_max if self.length_max is not None else 1 << 62
        if self.pattern is not None:
            whole = re.compile(self.pattern).fullmatch
            return _remembering(lambda raw: low <= len(raw) <= high and whole(raw) is not None)
        if not self.length_min and self.length_max is None:
            return lambda raw: type(raw) is str
        return lambda raw: type(raw) is str and low <= len(raw) <= high

    def convert(self, raw: Any, *, element: bool) -> str:
        return _convert_text(raw)

    def inspect(self, value: str, path: Path, faults: Faults) -> None:
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            faults.add(path, cut(value), pattern_constraint(self.pattern_shown or self.pattern))
        fault = length_fault(value, self.length_min, self.length_max)
        if fault is not None:
            faults.add(path, cut(value), fault)

    def show(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Enumeration:
    """One of a few words, in the order in which AWS lists them. `newer`: what the newer layers list instead, without
    value and member; `alone`: in such a layer nothing else is looked at."""

    values: tuple[str, ...]
    newer: tuple[str, ...] = ()
    alone: bool = False

    @property
    def java(self) -> str:
        return "java.lang.String"

    def accept(self) -> Accept:
        values = frozenset(self.values)
        return lambda raw: type(raw) is str and raw in values

    def convert(self, raw: Any, *, element: bool) -> str:
        return _convert_text(raw)

    def inspect(self, value: str, path: Path, faults: Faults) -> None:
        if value in self.values:
            return
        if not self.newer or faults.layer is Layer.OLDER:
            faults.add(path, cut(value), enumeration_constraint(self.values))
            return
        text = f"Failed to satisfy constraint: {enumeration_constraint(self.newer)}"
        if self.alone:
            raise errors.validation(text)
        faults.add_text(text)

    def show(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class TableText:
    """A table's name or its ARN. A name has at most 255 characters and at least `name_min`; what is a valid name but
    too short for one (where `name_min` is 1) is simply not found."""

    name_min: int = 1

    NAME_MAX = 255
    ARN_MAX = 1_024
    ARN_PATTERN = r"arn:[a-z-]+:dynamodb:[a-z0-9-]*:[0-9]*:table/" + _NAME_PATTERN

    @property
    def java(self) -> str:
        return "java.lang.String"

    @property
    def constraints(self) -> str:
        """Of a map's keys, which are held to what a new table's name is held to."""
        return ", ".join([*length_constraints(3, self.NAME_MAX), pattern_constraint(_NAME_PATTERN)])

    def accept(self) -> Accept:
        whole = re.compile(
            f"{_NAME_PATTERN[:-1]}{{{self.name_min},{self.NAME_MAX}}}|{self.ARN_PATTERN}"
        ).fullmatch
        return _remembering(lambda raw: len(raw) <= self.ARN_MAX and whole(raw) is not None)

    def convert(self, raw: Any, *, element: bool) -> str:
        return _convert_text(raw)

    def inspect(self, value: str, path: Path, faults: Faults) -> None:
        if not value and faults.layer is not Layer.OLDER:
            alone = Faults()
            alone.add(path, "", "Member must have length greater than or equal to 1", Echo.NONE)
            alone.raise_if_any()
        longest = self.NAME_MAX
        if re.fullmatch(self.ARN_PATTERN, value) is not None:
            longest = self.ARN_MAX
        elif value and re.fullmatch(_NAME_PATTERN, value) is None:
            faults.add(path, cut(value), pattern_constraint(_NAME_PATTERN))
        fault = length_fault(value, self.name_min, longest)
        if fault is not None:
            faults.add(path, cut(value), fault)

    def show(self, value: str) -> str:
        return value


_LARGEST = {"Integer": (1 << 31) - 1, "Long": (1 << 63) - 1}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number. `kind`: "Integer" (32 bits) or "Long" (64). Fractions are cut off; what is too large
    becomes the largest of its kind."""

    kind: str = "Integer"
    least: int | None = None
    most: int | None = None
    echo: Echo = Echo.JAVA

    @property
    def java(self) -> str:
        return "java.lang." + self.kind

    def accept(self) -> Accept:
        largest = _LARGEST[self.kind]
        low = self.least if self.least is not None else -largest
        high = self.most if self.most is not None else largest
        return lambda raw: type(raw) is int and low <= raw <= high

    def convert(self, raw: Any, *, element: bool) -> int:
        refuse_word(raw, self.kind)
        refuse_collection(raw, self.java)
        largest = _LARGEST[self.kind]
        within: float = max(-largest, min(raw, largest))
        return math.floor(within)

    def inspect(self, value: int, path: Path, faults: Faults) -> None:
        if self.least is not None and value < self.least:
            constraint = f"Member must have value greater than or equal to {self.least}"
            faults.add(path, str(value), constraint, self.echo)
        if self.most is not None and value > self.most:
            constraint = f"Member must have value less than or equal to {self.most}"
            faults.add(path, str(value), constraint, self.echo)

    def show(self, value: int) -> str:
        return str(value)


def refuse_word(raw: object, kind: str) -> None:
    if isinstance(raw, bool | str):
        raise errors.serialization(f"{_token(raw)} cannot be converted to {kind}")


@dataclass(frozen=True, slots=True)
class Real:
    """A number with a fraction. `kind`: "Double", or "Date" for a moment as seconds since 1970."""

    kind: str = "Double"

    @property
    def java(self) -> str:
        return "java.util.Date" if self.kind == "Date" else "java.lang.Double"

    def accept(self) -> Accept:
        return lambda raw: type(raw) is int or type(raw) is float

    def convert(self, raw: Any, *, element: bool) -> float:
        refuse_word(raw, self.kind)
        refuse_collection(raw, self.java)
        number: float = raw
        return number

    def inspect(self, value: float, path: Path, faults: Faults) -> None:
        """The model bounds no such number."""

    def show(self, value: float) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean; AWS converts a few words too."""

    @property
    def java(self) -> str:
        return "java.lang.Boolean"

    def accept(self) -> Accept:
        return lambda raw: raw is True or raw is False

    def convert(self, raw: Any, *, element: bool) -> bool:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str):
            word = BOOLEAN_WORDS.get(raw.upper())
            if word is None:
                raise errors.serialization("Unexpected token received from parser")
            return word
        refuse_collection(raw, self.java)
        raise errors.serialization(f"{_token(raw)} cannot be converted to Boolean")

    def inspect(self, value: bool, path: Path, faults: Faults) -> None:
        """A boolean has no constraints."""

    def show(self, value: bool) -> str:
        return "true" if value else "false"


_BASE64 = re.compile(r"[A-Za-z0-9+/]*(?:[AEIMQUYcgkosw048]=|[AQgw]==)?")


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes in base64; stays text."""

    @property
    def java(self) -> str:
        return "java.nio.ByteBuffer"

    def accept(self) -> Accept:
        return lambda raw: type(raw) is str and len(raw) % 4 == 0 and _BASE64.fullmatch(raw) is not None

    def convert(self, raw: Any, *, element: bool) -> str:
        if not isinstance(raw, str):
            refuse_collection(raw, self.java)
            raise errors.serialization("only base-64-encoded strings are convertible to bytes")
        if len(raw) % 4:
            raise errors.serialization(
                f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(raw)}"
            )
        if _BASE64.fullmatch(raw) is None:
            raise errors.serialization("Invalid last non-pad Base64 character dectected")
        return raw

    def inspect(self, value: str, path: Path, faults: Faults) -> None:
        """Lengths of binaries depend on their meaning."""

    def show(self, value: str) -> str:
        size = len(value) // 4 * 3 - value.count("=", -2)
        return f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"
