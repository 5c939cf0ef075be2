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

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import orjson

from kvorum.model import errors
from kvorum.model.faults import in_older_words
from kvorum.model.values import BOOLEAN_WORDS, too_deep

FAULTS_MAX = 10
"""AWS stops looking after the tenth violated constraint."""

SHOWN_MAX = 16_384
"""Characters of a text, or bytes of a collection's JSON: an error does not send a whole batch back."""

_PACKAGE = "com.amazonaws.dynamodb.v20120810."
_UNEXPECTED_STRUCTURE = "Start of structure or map found where not expected"
_PARAMETERIZED = (
    "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class "
    "(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of "
    "loader 'bootstrap')"
)
_NAME_PATTERN = "[a-zA-Z0-9_.-]+"

Path = tuple[str, ...]
"""Members and positions from the request's top, in the model's own capitals; "member" for an element."""


class MapKey(str):
    """What a request calls an entry of a map: no message changes its capitals."""


def _older_name(path: Path) -> str:
    return ".".join(part if isinstance(part, MapKey) else part[:1].lower() + part[1:] for part in path)


class Layer(Enum):
    """Which of AWS's validations an operation runs, which decides order and words of what is wrong.

    AWS is replacing its validation, operation by operation and region by region, since June 2026. Kvorum answers as
    eu-west-2 does, the region that public conformance suites pin; most regions have followed it. The evidence is
    what the suite paritysuite/dynamodb-conformance recorded of AWS (captures/cross-region-latest.json of 2026-09-20,
    captures/2026-09-28-scan-validation-messages.json, captures/2026-10-07-sweep-follow-up.json: 31 of 33 regions
    answer PutItem and UpdateItem in the newer way; tests/tier3/error-messages/valueLayers, deleteItem and putItem of
    2026-10-09: eu-west-2 and us-east-1 agree). dynalite's tests hold the older words for every operation.
    """

    OLDER = 0
    """All constraints together, each with the value that violates it. A Scan is among them: 29 of 33 regions tell its
    faults so, though eu-west-2 has begun to tell some in the newer way."""
    NEWER = 1
    """GetItem, BatchGetItem, Query. Some constraints hide the value, and some are told alone, without looking on. A
    request without a required member, or deeper than LEVELS_MAX, is still treated in the older way."""
    ENVELOPED = 2
    """PutItem, UpdateItem, DeleteItem. NEWER, and whatever is found wrong before the table is looked up stands behind
    "1 validation error detected: ", not only what a shape says: ReturnValues, expressions, values, Expected."""


LEVELS_MAX = 128
"""Of a request's JSON: more are more than the newer validation reads. The suite finds the border between 62 and 63
maps in a value (tests/tier3/validation-ordering/deepRequests), which is this many objects in all."""


class Echo(Enum):
    """How a violated constraint shows the value."""

    JAVA = 0  # as Java prints it
    JSON = 1
    NONE = 2  # not at all; the member is named as the model does


class Faults:
    """The violated constraints of one request, in AWS's words."""

    def __init__(self, layer: Layer = Layer.OLDER) -> None:
        self.layer = layer
        self.texts: list[str] = []
        self._fallback = ""

    def add(
        self, path: Path, shown: str, constraint: str, echo: Echo = Echo.JAVA, *, fallback: bool = False
    ) -> None:
        """`shown`: the value. `fallback`: told only where nothing else is wrong."""
        if echo is Echo.NONE:
            text = f"Value at '{'.'.join(path)}' failed to satisfy constraint: {constraint}"
        else:
            text = f"Value '{shown}' at '{_older_name(path)}' failed to satisfy constraint: {constraint}"
        if not fallback:
            self.add_text(text)
        elif not self._fallback:
            self._fallback = text

    def add_null(self, path: Path) -> None:
        self.add_text(
            f"Value null at '{_older_name(path)}' failed to satisfy constraint: Member must not be null"
        )

    def add_text(self, text: str) -> None:
        if len(self.texts) < FAULTS_MAX:
            self.texts.append(text)

    def raise_if_any(self) -> None:
        texts = self.texts or ([self._fallback] if self._fallback else [])
        if texts:
            count = len(texts)
            raise errors.validation(
                f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(texts)}"
            )


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


def _show(shape: Shape, value: Any) -> str:
    return "null" if value is None else shape.show(value)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"


def _shown(shape: Shape, value: Any, echo: Echo = Echo.JAVA) -> str:
    """A list or map in an error. Java prints it at up to twenty times the size of its JSON."""
    if echo is Echo.NONE:
        return ""
    json = orjson.dumps(value)
    if len(json) <= SHOWN_MAX:
        return shape.show(value)
    return json[:SHOWN_MAX].decode(errors="ignore") + "…"


def _length_constraints(length_min: int, length_max: int | None) -> list[str]:
    """Map constraints, as AWS lists them inside brackets."""
    texts: list[str] = []
    if length_max is not None:
        texts.append(f"Member must have length less than or equal to {length_max}")
    if length_min > 0:
        texts.append(f"Member must have length greater than or equal to {length_min}")
    return texts


def _length_fault(value: Any, length_min: int, length_max: int | None) -> str | None:
    if len(value) < length_min:
        return f"Member must have length greater than or equal to {length_min}"
    if length_max is not None and len(value) > length_max:
        return f"Member must have length less than or equal to {length_max}"
    return None


def _pattern_constraint(pattern: str) -> str:
    return f"Member must satisfy regular expression pattern: {pattern}"


def _enumeration_constraint(values: tuple[str, ...]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def _inspect_element(shape: Shape, value: Any, path: Path, faults: Faults) -> None:
    """An element may not be null, but for attribute values, where model/values says what is missing."""
    if value is not None:
        shape.inspect(value, path, faults)
    elif not isinstance(shape, AttributeValue):
        faults.add_null(path)


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
    _refuse_collection(raw, "java.lang.String")
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
            faults.add(path, _cut(value), _pattern_constraint(self.pattern_shown or self.pattern))
        fault = _length_fault(value, self.length_min, self.length_max)
        if fault is not None:
            faults.add(path, _cut(value), fault)

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
            faults.add(path, _cut(value), _enumeration_constraint(self.values))
            return
        text = f"Failed to satisfy constraint: {_enumeration_constraint(self.newer)}"
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
        return ", ".join([*_length_constraints(3, self.NAME_MAX), _pattern_constraint(_NAME_PATTERN)])

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
            faults.add(path, _cut(value), _pattern_constraint(_NAME_PATTERN))
        fault = _length_fault(value, self.name_min, longest)
        if fault is not None:
            faults.add(path, _cut(value), fault)

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
        _refuse_word(raw, self.kind)
        _refuse_collection(raw, self.java)
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


def _refuse_word(raw: object, kind: str) -> None:
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
        _refuse_word(raw, self.kind)
        _refuse_collection(raw, self.java)
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
        _refuse_collection(raw, self.java)
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

    def show(self, value: str) -> str:
        size = len(value) // 4 * 3 - value.count("=", -2)
        return f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"


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
            raise errors.serialization(_UNEXPECTED_STRUCTURE)
        if not isinstance(raw, list):
            raise errors.serialization(_PARAMETERIZED if element else "Unexpected field type")
        member = self.member
        return [None if entry is None else member.convert(entry, element=True) for entry in raw]

    def inspect(self, value: list[Any], path: Path, faults: Faults) -> None:
        fault = _length_fault(value, self.length_min, self.length_max)
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
        fault = _length_fault(value, self.length_min, self.length_max)
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
        if any(entry is not None and _length_fault(entry, low, high) is not None for entry in value.values()):
            constraint = ", ".join(_length_constraints(low, high))
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
