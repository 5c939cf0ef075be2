"""What a request must look like before anyone asks what it means: declared shapes, checked in AWS's order.

An operation's request is a `Structure` of shapes, in the words of the service model (type, length, range, pattern,
enumeration, required); router/service_model makes it from that model. `Request.read` then does what AWS does: first
every JSON type (SerializationException, the first one found), then every constraint (ValidationException, all of
them, at most ten), in the order of the members. A request that is right as it stands is accepted by closures made
once from the same shapes; only one that is not, or that needs converting, takes the slow walk that finds words.

Attribute values are the exception: the fast way leaves their inside to model/values, which every operation
calls anyway and which says the same things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from kvorum.model import errors
from kvorum.model.faults import in_older_words
from kvorum.model.values import too_deep
from kvorum.router.shapes import UNEXPECTED_STRUCTURE, Accept, Blob, Flag, Shape, TableText, Text
from kvorum.router.violations import (
    SHOWN_MAX,
    Echo,
    Faults,
    Layer,
    MapKey,
    Path,
    length_constraints,
    length_fault,
)

_PACKAGE = "com.amazonaws.dynamodb.v20120810."
_PARAMETERIZED = (
    "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class "
    "(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of "
    "loader 'bootstrap')"
)

LEVELS_MAX = 128
"""Of a request's JSON: more are more than the newer validation reads. The suite finds the border between 62 and 63
maps in a value (tests/tier3/validation-ordering/deepRequests), which is this many objects in all."""


def _show(shape: Shape, value: Any) -> str:
    return "null" if value is None else shape.show(value)


def _shown(shape: Shape, value: Any, echo: Echo = Echo.JAVA) -> str:
    """A list or map in an error. Java prints it at up to twenty times the size of its JSON."""
    if echo is Echo.NONE:
        return ""
    try:
        json = orjson.dumps(value)
    except orjson.JSONEncodeError:  # it writes no more than 254 levels
        raise too_deep() from None
    if len(json) <= SHOWN_MAX:
        return shape.show(value)
    return json[:SHOWN_MAX].decode(errors="ignore") + "…"


def _inspect_element(shape: Shape, value: Any, path: Path, faults: Faults) -> None:
    """An element may not be null, but for attribute values, where model/values says what is missing."""
    if value is not None:
        shape.inspect(value, path, faults)
    elif not isinstance(shape, AttributeValue):
        faults.add_null(path)


@dataclass(frozen=True, slots=True)
class ListOf:
    member: Shape
    length_min: int = 0
    length_max: int | None = None
    echo: Echo = Echo.JAVA

    @property
    def java(self) -> str:
        return f"java.util.List<{self.member.java}>"

    def accept(self) -> Accept:
        low, high = self.length_min, self.length_max if self.length_max is not None else 1 << 62
        member = self.member.accept()
        return lambda raw: type(raw) is list and low <= len(raw) <= high and all(map(member, raw))

    def convert(self, raw: Any, *, element: bool) -> list[Any]:
        if isinstance(raw, dict):
            raise errors.serialization(UNEXPECTED_STRUCTURE)
        if not isinstance(raw, list):
            raise errors.serialization(_PARAMETERIZED if element else "Unexpected field type")
        member = self.member
        return [None if entry is None else member.convert(entry, element=True) for entry in raw]

    def inspect(self, value: list[Any], path: Path, faults: Faults) -> None:
        fault = length_fault(value, self.length_min, self.length_max)
        if fault is not None:
            faults.add(path, _shown(self, value, self.echo), fault, self.echo)
        self.inspect_elements(value, path, faults)

    def inspect_elements(self, value: list[Any], path: Path, faults: Faults) -> None:
        for position, entry in enumerate(value, 1):
            _inspect_element(self.member, entry, (*path, str(position), "member"), faults)

    def show(self, value: list[Any]) -> str:
        return f"[{', '.join(_show(self.member, entry) for entry in value)}]"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from strings. Lengths are of the map; `length_echo` is how a violated one shows it. `key` constrains its
    keys, which AWS reports at the map itself, as it does the lengths of values that are lists; `fallback`: a wrong
    key is told only where nothing else is wrong."""

    value: Shape
    length_min: int = 0
    length_max: int | None = None
    key: TableText | None = None
    echo: Echo = Echo.JAVA
    length_echo: Echo = Echo.JAVA
    fallback: bool = False

    @property
    def java(self) -> str:
        return f"java.util.Map<java.lang.String, {self.value.java}>"

    def accept(self) -> Accept:
        low, high = self.length_min, self.length_max if self.length_max is not None else 1 << 62
        if isinstance(self.value, AttributeValue) and self.key is None:
            return lambda raw: type(raw) is dict and low <= len(raw) <= high
        value = self.value.accept()
        if self.key is None:
            return lambda raw: type(raw) is dict and low <= len(raw) <= high and all(map(value, raw.values()))
        key = self.key.accept()
        return lambda raw: (
            type(raw) is dict
            and low <= len(raw) <= high
            and all(map(key, raw))
            and all(map(value, raw.values()))
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
        fault = length_fault(value, self.length_min, self.length_max)
        if fault is not None:
            faults.add(path, _shown(self, value, self.length_echo), fault, self.length_echo)
        if self.key is not None and not all(map(self.key.accept(), value)):
            constraint = f"Map keys must satisfy constraint: [{self.key.constraints}]"
            faults.add(path, _shown(self, value), constraint, fallback=self.fallback)
        if not isinstance(self.value, ListOf):
            for name, entry in value.items():
                _inspect_element(self.value, entry, (*path, MapKey(name), "member"), faults)
            return
        low, high = self.value.length_min, self.value.length_max
        if any(entry is not None and length_fault(entry, low, high) is not None for entry in value.values()):
            constraint = ", ".join(length_constraints(low, high))
            faults.add(path, _shown(self, value), f"Map value must satisfy constraint: [{constraint}]")
        for name, entry in value.items():
            if entry is None:
                faults.add_null((*path, MapKey(name), "member"))
            else:
                self.value.inspect_elements(entry, (*path, MapKey(name), "member"), faults)

    def show(self, value: dict[str, Any]) -> str:
        if self.echo is Echo.JSON:
            return orjson.dumps(value).decode()
        return "{" + ", ".join(f"{name}={_show(self.value, entry)}" for name, entry in value.items()) + "}"


class Required(Enum):
    NO = 0
    MEMBER = 1  # reported with the other constraints: Value null at …
    PARAMETER = 2  # reported before them: The parameter 'X' is required …


@dataclass(frozen=True, slots=True)
class Member:
    shape: Shape
    required: Required = Required.NO


@dataclass(frozen=True, slots=True)
class Structure:
    """`members` in the order in which AWS reports them; `shown`: in the order in which Java prints them. Unknown
    members are ignored, as on AWS."""

    name: str
    members: Mapping[str, Member]
    shown: tuple[str, ...] = field(default=(), compare=False)

    @property
    def java(self) -> str:
        return _PACKAGE + self.name

    def accept(self) -> Accept:
        tests = {name: member.shape.accept() for name, member in self.members.items()}
        find = tests.get
        demanded = [name for name, member in self.members.items() if member.required is not Required.NO]

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
            for name, member in self.members.items()
            if raw.get(name) is not None
        }

    def inspect(self, value: dict[str, Any], path: Path, faults: Faults) -> None:
        for name, member in self.members.items():
            if name in value:
                member.shape.inspect(value[name], (*path, name), faults)
            elif member.required is Required.MEMBER:
                faults.add_null((*path, name))

    def show(self, value: dict[str, Any]) -> str:
        shown = [
            f"{name[:1].lower()}{name[1:]}={self.members[name].shape.show(value[name]) if name in value else 'null'}"
            for name in self.shown or self.members
        ]
        return f"{self.name}({', '.join(shown)})"

    def demand(self, value: dict[str, Any]) -> None:
        """The parameters whose absence AWS reports on its own, before it looks at any constraint."""
        for name, member in self.members.items():
            if member.required is Required.PARAMETER and name not in value:
                raise errors.validation(
                    f"The parameter '{name}' is required but was not present in the request"
                )

    def complete(self, value: dict[str, Any]) -> bool:
        """Whether every required member of `value` itself is there."""
        return all(
            name in value for name, member in self.members.items() if member.required is Required.MEMBER
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

    def show(self, value: dict[str, Any]) -> str:
        members = _ATTRIBUTE_VALUE_STRUCTURE.members
        shown = [
            f"{name[0].lower()}{name[1:]}={_show(members[name].shape, value[name]) if name in value else 'null'}"
            for name in _ATTRIBUTE_VALUE_SHOWN
        ]
        return f"AttributeValue({', '.join(shown)})"


ATTRIBUTE_VALUE = AttributeValue()

_ATTRIBUTE_VALUE_STRUCTURE = Structure(
    "AttributeValue",
    {
        "S": Member(Text()),
        "B": Member(Blob()),
        "N": Member(Text()),
        "BOOL": Member(Flag()),
        "NULL": Member(Flag()),
        "BS": Member(ListOf(Blob())),
        "NS": Member(ListOf(Text())),
        "SS": Member(ListOf(Text())),
        "L": Member(ListOf(ATTRIBUTE_VALUE)),
        "M": Member(MapOf(ATTRIBUTE_VALUE)),
    },
)
_ATTRIBUTE_VALUE_SHOWN = (
    *("S", "N", "B", "INT", "DECIMAL", "DOUBLE", "SS", "NS", "BS", "INTSET", "DECIMALSET", "DOUBLESET"),
    *("M", "L", "NULL", "BOOL"),
)
"""As AWS prints one (captured 2026-09-20), types that its API does not have included."""


class Request:
    """An operation's whole request. `operation`: its name in X-Amz-Target."""

    def __init__(self, operation: str, structure: Structure, layer: Layer = Layer.OLDER) -> None:
        self.operation = operation
        self.structure = structure
        self.layer = layer
        self._accepted = structure.accept()

    def read(self, body: dict[str, Any]) -> dict[str, Any]:
        """`body` itself when it is right as it stands, else a copy without nulls and unknown members, its
        scalars converted. Raises SerializationException or ValidationException, all faults in one."""
        try:
            return body if self._accepted(body) else self.examine(body)
        except (
            RecursionError
        ):  # far deeper than an attribute value may be: nothing else in a request can nest
            raise in_older_words(too_deep()) from None

    def examine(self, body: dict[str, Any]) -> dict[str, Any]:
        """The slow way of `read`: the same answer for every body, and the words when there are faults."""
        converted = self.structure.convert(body, element=False)
        self.structure.demand(converted)
        faults = Faults(self._layer_of(converted))
        try:
            self.structure.inspect(converted, (), faults)
            faults.raise_if_any()
        except errors.ApiError as error:
            raise self.worded(error, converted) from None
        return converted

    def worded(self, error: errors.ApiError, body: dict[str, Any]) -> errors.ApiError:
        """What was found wrong with a request before its table was looked up, in the words of the layer."""
        if error.code != "ValidationException":
            return error
        match self._layer_of(body):
            case Layer.OLDER:
                return in_older_words(error)
            case Layer.NEWER:
                return error
            case Layer.ENVELOPED:
                return errors.in_envelope(error)

    def _layer_of(self, body: dict[str, Any]) -> Layer:
        if self.layer is Layer.OLDER or (self.structure.complete(body) and _levels(body) <= LEVELS_MAX):
            return self.layer
        return Layer.OLDER


def _levels(body: dict[str, Any]) -> int:
    """How deep the request nests objects and lists; no more than LEVELS_MAX + 1 are counted."""
    level: list[Any] = [body]
    count = 0
    while level and count <= LEVELS_MAX:
        count += 1
        inner: list[Any] = []
        for each in level:
            inner += each.values() if isinstance(each, dict) else each
        level = [each for each in inner if isinstance(each, dict | list)]
    return count
