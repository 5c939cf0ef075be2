"""Native Python values as DynamoDB's, and back.

    str             S        list, tuple               L
    int, Decimal    N        dict (any Mapping)        M
    bytes           B        set of str                SS
    bool            BOOL     set of int, Decimal       NS
    None            NULL     set of bytes              BS

A whole number comes back as int, any other as Decimal; the two compare and hash alike. bytearray and memoryview
are taken for bytes, a frozenset for a set. A float is refused: most decimals have no exact float, so
Decimal("0.1") says what is meant. An empty set is refused: DynamoDB has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from kvorum.client.errors import Item, ValidationError
from kvorum.model.limits import NESTING_LEVELS_MAX
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb

Scalar = str | int | Decimal | bytes | bytearray | memoryview | None
Value = Scalar | Sequence["Value"] | Mapping[str, "Value"] | AbstractSet[Any]
"""What an attribute may be given as; bool is an int to the type checker."""

Attributes = Mapping[str, Value]
"""An item or a key to send. What comes back is an `Item`, a plain dict."""


def fill_item(message: pb.Item, attributes: Attributes) -> None:
    """`message` is empty. Raises TypeError for what has no DynamoDB value."""
    _fill_map(message, attributes, 0)


def fill_value(message: pb.AttributeValue, value: Value) -> None:
    """`message` is empty. Raises TypeError for what has no DynamoDB value."""
    _fill(message, value, 1)


def read_item(message: pb.Item) -> Item:
    return {name: read_value(value) for name, value in message.attributes.items()}


def read_value(message: pb.AttributeValue) -> Any:
    match message.WhichOneof("value"):
        case "s":
            return message.s
        case "n":
            return _number(message.n)
        case "m":
            return read_item(message.m)
        case "l":
            return [read_value(element) for element in message.l.values]
        case "b":
            return message.b
        case "boolean":
            return message.boolean
        case "ss":
            return set(message.ss.values)
        case "ns":
            return {_number(member) for member in message.ns.values}
        case "bs":
            return set(message.bs.values)
        case _:
            return None


def _number(text: str) -> int | Decimal:
    return Decimal(text) if "." in text or "E" in text else int(text)


# ---- writing: by exact type, which is a dictionary's lookup; subclasses are found the slow way --------------


def _fill(message: pb.AttributeValue, value: Any, level: int) -> None:
    fill = _FILLERS.get(type(value)) or _filler_of_subclass(value)
    fill(message, value, level)


def _fill_string(message: pb.AttributeValue, value: str, _level: int) -> None:
    message.s = value


def _fill_integer(message: pb.AttributeValue, value: int, _level: int) -> None:
    message.n = _number_text(value)


def _fill_decimal(message: pb.AttributeValue, value: Decimal, _level: int) -> None:
    message.n = _number_text(value)


def _fill_bytes(message: pb.AttributeValue, value: bytes | bytearray | memoryview, _level: int) -> None:
    message.b = bytes(value)


def _fill_boolean(message: pb.AttributeValue, value: bool, _level: int) -> None:
    message.boolean = value


def _fill_null(message: pb.AttributeValue, _value: None, _level: int) -> None:
    message.null = True


def _fill_list(message: pb.AttributeValue, value: Sequence[Any], level: int) -> None:
    message.l.SetInParent()
    elements = message.l.values
    if value:
        _check_level(level)
    for element in value:
        _fill(elements.add(), element, level + 1)


def _fill_mapping(message: pb.AttributeValue, value: Mapping[str, Any], level: int) -> None:
    if value:
        _check_level(level)
    _fill_map(message.m, value, level)


def _fill_map(message: pb.Item, attributes: Mapping[str, Any], level: int) -> None:
    message.SetInParent()  # it may be empty, and is not absent then
    fields = message.attributes
    for name, value in attributes.items():
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  callers without types
            raise TypeError(f"the name of an attribute must be str, not {type(name).__name__}")
        _fill(fields[name], value, level + 1)


def _fill_set(message: pb.AttributeValue, value: AbstractSet[Any], _level: int) -> None:
    kinds = {_member_kind(member) for member in value}
    match sorted(kinds):
        case ["S"]:
            message.ss.values.extend(value)
        case ["N"]:
            message.ns.values.extend(map(_number_text, value))
        case ["B"]:
            message.bs.values.extend(bytes(member) for member in value)
        case []:
            raise TypeError("an empty set has no DynamoDB type; leave the attribute out")
        case mixed:
            raise TypeError(f"a set must hold one type, not {' and '.join(mixed)}")


def _number_text(value: int | Decimal) -> str:
    return str(value if isinstance(value, Decimal) else int(value))  # an Enum of int prints its name


def _member_kind(member: object) -> str:
    match member:
        case str():
            return "S"
        case bool():
            raise TypeError("a set cannot hold bool")
        case int() | Decimal():
            return "N"
        case bytes() | memoryview():
            return "B"
        case float():
            raise _no_float()
        case _:
            raise TypeError(f"a set cannot hold {type(member).__name__}")


def _check_level(level: int) -> None:
    """Here and not at the router: protobuf libraries refuse to read messages nested much deeper."""
    if level >= NESTING_LEVELS_MAX:
        raise ValidationError(
            "ValidationException",
            "Nesting Levels have exceeded supported limits: "
            "Attributes in the item have nested levels beyond supported limit",
        )


def _no_float() -> TypeError:
    return TypeError("float is not exact; use decimal.Decimal, as in Decimal('0.1') or Decimal(repr(x))")


def _filler_of_subclass(value: object) -> Callable[[pb.AttributeValue, Any, int], None]:
    if isinstance(value, float):
        raise _no_float()
    for kind, fill in _FILLERS.items():
        if isinstance(value, kind):
            return fill
    if isinstance(value, Mapping):
        return _fill_mapping
    if isinstance(value, AbstractSet):
        return _fill_set
    raise TypeError(f"{type(value).__name__} has no DynamoDB type")


_FILLERS: dict[type, Callable[[pb.AttributeValue, Any, int], None]] = {
    str: _fill_string,
    bool: _fill_boolean,
    int: _fill_integer,
    Decimal: _fill_decimal,
    bytes: _fill_bytes,
    bytearray: _fill_bytes,
    memoryview: _fill_bytes,
    type(None): _fill_null,
    list: _fill_list,
    tuple: _fill_list,
    dict: _fill_mapping,
    set: _fill_set,
    frozenset: _fill_set,
}
