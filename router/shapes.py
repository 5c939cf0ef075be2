"""What a request must look like before anyone asks what it means: declared shapes, checked in AWS's order.

An operation declares its request as a `Structure` of shapes, in the words of the service model (type, length,
range, pattern, enumeration, required). `Request.read` then does what AWS does: first every JSON type
(SerializationException, the first one found), then every constraint (ValidationException, all of them, at most
ten), in the order of the declaration. A request that is right as it stands is accepted by closures made once
from the same declaration; only one that is not, or that needs converting, takes the slow walk that finds words.

Attribute values are the exception: the fast way leaves their inside to model/values, which every operation
calls anyway and which says the same things.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import orjson

from kvorum.model import errors

FAULTS_MAX = 10
"""AWS stops looking after the tenth violated constraint."""

_PACKAGE = "com.amazonaws.dynamodb.v20120810."
_UNEXPECTED_STRUCTURE = "Start of structure or map found where not expected"
_PARAMETERIZED = (
    "sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to java.lang.Class"
)

Path = tuple[str, ...]
"""Members and positions from the request's top, in the model's own capitals; "member" for an element."""


class Faults:
    """The violated constraints of one request, in AWS's words."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, path: Path, value: object, constraint: str, *, terse: bool = False) -> None:
        """`terse`: the newer wording, which names the member as the model does and hides the value."""
        if len(self.texts) >= FAULTS_MAX:
            return
        if terse:
            subject = f"Value at '{'.'.join(path)}'"
        else:
            shown = "null" if value is None else f"'{_shown(value)}'"
            subject = f"Value {shown} at '{'.'.join(part[:1].lower() + part[1:] for part in path)}'"
        self.texts.append(f"{subject} failed to satisfy constraint: {constraint}")

    def raise_if_any(self) -> None:
        if self.texts:
            count = len(self.texts)
            raise errors.validation(
                f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(self.texts)}"
            )


SHOWN_CHARACTERS_MAX = 10_000
"""An error does not send a whole batch back."""


def _shown(value: object) -> str:
    if isinstance(value, list):
        text = f"[{', '.join(map(_shown, value))}]"
    else:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…"


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


def _refuse_collection(raw: object, java: str) -> None:
    if isinstance(raw, list):
        raise errors.serialization(f"Unrecognized collection type class {java}")
    if isinstance(raw, dict):
        raise errors.serialization(_UNEXPECTED_STRUCTURE)


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


def _length_constraints(length_min: int, length_max: int | None) -> list[str]:
    """Map constraints, as AWS lists them inside brackets."""
    texts: list[str] = []
    if length_max is not None:
        texts.append(f"Member must have length less than or equal to {length_max}")
    if length_min > 0:
        texts.append(f"Member must have length greater than or equal to {length_min}")
    return texts


def _inspect_length(
    value: Any, length_min: int, length_max: int | None, path: Path, faults: Faults, *, terse: bool = False
) -> None:
    if len(value) < length_min:
        faults.add(path, value, f"Member must have length greater than or equal to {length_min}", terse=terse)
    if length_max is not None and len(value) > length_max:
        faults.add(path, value, f"Member must have length less than or equal to {length_max}", terse=terse)


def _inspect_element(shape: Shape, value: Any, path: Path, faults: Faults) -> None:
    """An element may not be null, but for attribute values, where model/values says what is missing."""
    if value is not None:
        shape.inspect(value, path, faults)
    elif not isinstance(shape, AttributeValue):
        faults.add(path, None, "Member must not be null")


ACCEPTED_MAX = 1_024
"""Texts of one pattern that are remembered: mostly names of tables, and the same few again and again."""


def _accept_pattern(low: int, high: int, pattern: str) -> Accept:
    whole = re.compile(pattern).fullmatch
    accepted: set[str] = set()

    def accept(raw: Any) -> bool:
        if type(raw) is not str:
            return False
        if raw in accepted:
            return True
        if not low <= len(raw) <= high or whole(raw) is None:
            return False
        if len(accepted) >= ACCEPTED_MAX:
            accepted.clear()
        accepted.add(raw)
        return True

    return accept


@dataclass(frozen=True, slots=True)
class Text:
    """A string. `pattern` must match it whole; `pattern_shown` is what the message quotes, where AWS accepts
    more than it says."""

    length_min: int = 0
    length_max: int | None = None
    pattern: str | None = None
    pattern_shown: str | None = None
    values: tuple[str, ...] = ()

    @property
    def java(self) -> str:
        return "java.lang.String"

    def accept(self) -> Accept:
        if self.values:
            values = frozenset(self.values)
            return lambda raw: type(raw) is str and raw in values
        if self.pattern is None and not self.length_min and self.length_max is None:
            return lambda raw: type(raw) is str
        low, high = self.length_min, self.length_max if self.length_max is not None else 1 << 62
        if self.pattern is None:
            return lambda raw: type(raw) is str and low <= len(raw) <= high
        return _accept_pattern(low, high, self.pattern)

    def convert(self, raw: Any, *, element: bool) -> str:
        if isinstance(raw, str):
            return raw
        _refuse_collection(raw, self.java)
        raise errors.serialization(f"{_token(raw)} cannot be converted to String")

    def inspect(self, value: str, path: Path, faults: Faults) -> None:
        if self.values and value not in self.values:
            faults.add(path, value, f"Member must satisfy enum value set: [{', '.join(self.values)}]")
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            faults.add(path, value, self.pattern_constraint())
        _inspect_length(value, self.length_min, self.length_max, path, faults)

    def pattern_constraint(self) -> str:
        return f"Member must satisfy regular expression pattern: {self.pattern_shown or self.pattern}"


_LARGEST = {"Integer": (1 << 31) - 1, "Long": (1 << 63) - 1}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number. `kind`: "Integer" (32 bits) or "Long" (64). Fractions are cut off; what is too large
    becomes the largest of its kind."""

    kind: str = "Integer"
    least: int | None = None
    most: int | None = None
    terse: bool = False

    @property
    def java(self) -> str:
        return "java.lang." + self.kind

    def accept(self) -> Accept:
        largest = _LARGEST[self.kind]
        low = self.least if self.least is not None else -largest
        high = self.most if self.most is not None else largest
        return lambda raw: type(raw) is int and low <= raw <= high

    def convert(self, raw: Any, *, element: bool) -> int:
        if isinstance(raw, bool | str):
            raise errors.serialization(f"{_token(raw)} cannot be converted to {self.kind}")
        _refuse_collection(raw, self.java)
        largest = _LARGEST[self.kind]
        within: float = max(-largest, min(raw, largest))
        return math.floor(within)

    def inspect(self, value: int, path: Path, faults: Faults) -> None:
        if self.least is not None and value < self.least:
            constraint = f"Member must have value greater than or equal to {self.least}"
            faults.add(path, value, constraint, terse=self.terse)
        if self.most is not None and value > self.most:
            constraint = f"Member must have value less than or equal to {self.most}"
            faults.add(path, value, constraint, terse=self.terse)


_TRUE = frozenset(("TRUE", "1", "YES"))
_FALSE = frozenset(("FALSE", "0", "NO"))


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
            word = raw.upper()
            if word in _TRUE or word in _FALSE:
                return word in _TRUE
            raise errors.serialization("Unexpected token received from parser")
        _refuse_collection(raw, self.java)
        raise errors.serialization(f"{_token(raw)} cannot be converted to Boolean")

    def inspect(self, value: bool, path: Path, faults: Faults) -> None:
        """A boolean has no constraints."""


_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


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
            _refuse_collection(raw, self.java)
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


@dataclass(frozen=True, slots=True)
class ListOf:
    member: Shape
    length_min: int = 0
    length_max: int | None = None
    terse: bool = False

    @property
    def java(self) -> str:
        return f"java.util.List<{self.member.java}>"

    def accept(self) -> Accept:
        low, high = self.length_min, self.length_max if self.length_max is not None else 1 << 62
        member = self.member.accept()
        return lambda raw: type(raw) is list and low <= len(raw) <= high and all(map(member, raw))

    def convert(self, raw: Any, *, element: bool) -> list[Any]:
        if isinstance(raw, dict):
            raise errors.serialization(_UNEXPECTED_STRUCTURE)
        if not isinstance(raw, list):
            raise errors.serialization(_PARAMETERIZED if element else "Unexpected field type")
        member = self.member
        return [None if entry is None else member.convert(entry, element=True) for entry in raw]

    def inspect(self, value: list[Any], path: Path, faults: Faults) -> None:
        _inspect_length(value, self.length_min, self.length_max, path, faults, terse=self.terse)
        for position, entry in enumerate(value, 1):
            _inspect_element(self.member, entry, (*path, str(position), "member"), faults)


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from strings. Lengths are of the map; `key` constrains its keys, and `value_length_min/max` the
    values' lengths, which AWS reports at the map itself."""

    value: Shape
    length_min: int = 0
    length_max: int | None = None
    key: Text | None = None
    value_length_min: int = 0
    value_length_max: int | None = None

    @property
    def java(self) -> str:
        return f"java.util.Map<java.lang.String, {self.value.java}>"

    def accept(self) -> Accept:
        low, high = self.length_min, self.length_max if self.length_max is not None else 1 << 62
        if isinstance(self.value, AttributeValue) and self.key is None:
            return lambda raw: type(raw) is dict and low <= len(raw) <= high
        value = self.value.accept()
        if self.key is None and not self.value_length_min and self.value_length_max is None:
            return lambda raw: type(raw) is dict and low <= len(raw) <= high and all(map(value, raw.values()))
        key = self.key.accept() if self.key is not None else lambda _: True
        least, most = self.value_length_min, self.value_length_max or 1 << 62
        return lambda raw: (
            type(raw) is dict
            and low <= len(raw) <= high
            and all(map(key, raw))
            and all(map(value, raw.values()))
            and (not least or all(least <= len(entry) <= most for entry in raw.values()))
        )

    def convert(self, raw: Any, *, element: bool) -> dict[str, Any]:
        if isinstance(raw, list):
            raise errors.serialization(f"Unrecognized collection type {self.java}")
        if not isinstance(raw, dict):
            raise errors.serialization(_PARAMETERIZED if element else "Unexpected field type")
        value = self.value
        return {
            name: None if entry is None else value.convert(entry, element=True) for name, entry in raw.items()
        }

    def inspect(self, value: dict[str, Any], path: Path, faults: Faults) -> None:
        _inspect_length(value, self.length_min, self.length_max, path, faults)
        if self.key is not None:
            accepted = self.key.accept()
            if not all(map(accepted, value)):
                constraints = _length_constraints(self.key.length_min, self.key.length_max)
                if self.key.pattern is not None:
                    constraints.append(self.key.pattern_constraint())
                faults.add(path, value, f"Map keys must satisfy constraint: [{', '.join(constraints)}]")
        if self.value_length_max is not None:
            least, most = self.value_length_min, self.value_length_max
            if not all(entry is None or least <= len(entry) <= most for entry in value.values()):
                constraints = _length_constraints(least, most)
                faults.add(path, value, f"Map value must satisfy constraint: [{', '.join(constraints)}]")
        for name, entry in value.items():
            _inspect_element(self.value, entry, (*path, name, "member"), faults)


class Required(Enum):
    NO = 0
    MEMBER = 1  # reported with the other constraints: Value null at …
    PARAMETER = 2  # reported before them: The parameter 'X' is required …


@dataclass(frozen=True, slots=True)
class Member:
    shape: Shape
    required: Required = Required.NO


def required(shape: Shape) -> Member:
    return Member(shape, Required.MEMBER)


def required_parameter(shape: Shape) -> Member:
    return Member(shape, Required.PARAMETER)


@dataclass(frozen=True, slots=True)
class Structure:
    """`members` in the order in which AWS reports them. Unknown members are ignored, as on AWS."""

    name: str
    members: Mapping[str, Shape | Member]
    _members: dict[str, Member] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        members = {
            name: member if isinstance(member, Member) else Member(member)
            for name, member in self.members.items()
        }
        object.__setattr__(self, "_members", members)

    @property
    def java(self) -> str:
        return _PACKAGE + self.name

    def accept(self) -> Accept:
        tests = {name: member.shape.accept() for name, member in self._members.items()}
        find = tests.get
        demanded = [name for name, member in self._members.items() if member.required is not Required.NO]

        def accepted(raw: Any) -> bool:
            if type(raw) is not dict:
                return False
            for name in demanded:
                if name not in raw:
                    return False
            for name, value in raw.items():
                test = find(name)
                if test is not None and not test(value):
                    return False
            return True

        return accepted

    def convert(self, raw: Any, *, element: bool) -> dict[str, Any]:
        if isinstance(raw, list):
            raise errors.serialization(f"Unrecognized collection type class {self.java}")
        if not isinstance(raw, dict):
            raise errors.serialization(
                "Unexpected value type in payload" if element else "Unexpected field type"
            )
        return {
            name: member.shape.convert(raw[name], element=False)
            for name, member in self._members.items()
            if raw.get(name) is not None
        }

    def inspect(self, value: dict[str, Any], path: Path, faults: Faults) -> None:
        for name, member in self._members.items():
            if name in value:
                member.shape.inspect(value[name], (*path, name), faults)
            elif member.required is Required.MEMBER:
                faults.add((*path, name), None, "Member must not be null")

    def demand(self, value: dict[str, Any]) -> None:
        """The parameters whose absence AWS reports on its own, before it looks at any constraint."""
        for name, member in self._members.items():
            if member.required is Required.PARAMETER and name not in value:
                raise errors.validation(
                    f"The parameter '{name}' is required but was not present in the request"
                )


class AttributeValue:
    """One value of an item: type-checked here only on the slow way; what it means is model/values' business."""

    @property
    def java(self) -> str:
        return _PACKAGE + "AttributeValue"

    def accept(self) -> Accept:
        return lambda raw: type(raw) is dict

    def convert(self, raw: Any, *, element: bool) -> dict[str, Any]:
        return _ATTRIBUTE_VALUE_STRUCTURE.convert(raw, element=element)

    def inspect(self, value: dict[str, Any], path: Path, faults: Faults) -> None:
        """What an attribute value may hold is checked after the constraints."""


ATTRIBUTE_VALUE = AttributeValue()

_ATTRIBUTE_VALUE_STRUCTURE = Structure(
    "AttributeValue",
    {
        "S": Text(),
        "B": Blob(),
        "N": Text(),
        "BOOL": Flag(),
        "NULL": Flag(),
        "BS": ListOf(Blob()),
        "NS": ListOf(Text()),
        "SS": ListOf(Text()),
        "L": ListOf(ATTRIBUTE_VALUE),
        "M": MapOf(ATTRIBUTE_VALUE),
    },
)


class Request:
    """An operation's whole request."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self._accepted = structure.accept()

    def read(self, body: dict[str, Any]) -> dict[str, Any]:
        """`body` itself when it is right as it stands, else a copy without nulls and unknown members, its
        scalars converted. Raises SerializationException or ValidationException, all faults in one."""
        return body if self._accepted(body) else self.examine(body)

    def examine(self, body: dict[str, Any]) -> dict[str, Any]:
        """The slow way of `read`: the same answer for every body, and the words when there are faults."""
        converted = self.structure.convert(body, element=False)
        self.structure.demand(converted)
        faults = Faults()
        self.structure.inspect(converted, (), faults)
        faults.raise_if_any()
        return converted
