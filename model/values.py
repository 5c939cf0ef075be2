"""DynamoDB JSON: attribute values and items as they come over the wire, checked and made canonical.

Values stay plain dicts and are made canonical where they lie: numbers as numbers.canonical writes them, the
members of sets in order (S by UTF-8 bytes, N by value, B by unsigned bytes), so that equal values are equal
JSON. Binary stays base64 text.

Sizes are bytes as AWS counts them (AWS developer guide, "DynamoDB item sizes and formats"): UTF-8 for names
and S, raw bytes for B, numbers.size for N, 1 for BOOL and NULL, 3 for L and M plus 1 for each element.

Faults are raised in AWS's newer words; faults.in_older_words has the others.

What AWS finds while it reads the JSON (a wrong JSON type behind a tag, broken base64) is a
SerializationException; what it finds in the meaning is a ValidationException.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, cast

import orjson

from kvorum.model import numbers
from kvorum.model.errors import ApiError, serialization, validation
from kvorum.model.faults import ValueFault
from kvorum.model.limits import ATTRIBUTE_NAME_BYTES_MAX, NESTING_LEVELS_MAX
from kvorum.model.requests import AttributeValue, Item

BOOLEAN_WORDS = {"TRUE": True, "1": True, "YES": True, "FALSE": False, "0": False, "NO": False}
"""Strings that AWS takes for booleans, in any case, in attribute values as everywhere else."""

_INVALID = "One or more parameter values were invalid: "
_CONTAINER_BYTES = 3
_ELEMENT_BYTES = 1


def read_item(raw: object) -> tuple[Item, int]:
    """The item that `raw` (parsed JSON) means, and its size in bytes. `raw` itself is changed and returned.

    Raises ValidationException or SerializationException in AWS's words. Neither the presence of key
    attributes nor the limit on an item's size is checked here.
    """
    if type(raw) is not dict:
        raise _not_a_map(raw)
    total = 0
    for name, value in raw.items():
        total += len(name) if name.isascii() else len(name.encode())
        if not name or len(name) > ATTRIBUTE_NAME_BYTES_MAX // 4:
            check_attribute_name(name)
        total += _read(value, 1)
    return raw, total


def read_value(raw: object) -> AttributeValue:
    """One value, with the checks of `read_item`. `raw` itself is changed and returned."""
    _read(raw, 1)
    return cast(AttributeValue, raw)


def item_size(item: Item) -> int:
    """Bytes as AWS counts them, of a canonical item."""
    return sum(_text_size(name) + value_size(value) for name, value in item.items())


def value_size(value: AttributeValue) -> int:
    """Bytes as AWS counts them, of a canonical value without its name."""
    ((tag, content),) = value.items()
    match tag:
        case "S":
            return _text_size(content)
        case "N":
            return numbers.size(content)
        case "B":
            return _binary_size(content)
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(map(_text_size, content))
        case "NS":
            return sum(map(numbers.size, content))
        case "BS":
            return sum(map(_binary_size, content))
        case "L":
            return _CONTAINER_BYTES + sum(_ELEMENT_BYTES + value_size(element) for element in content)
        case _:
            return _CONTAINER_BYTES + _ELEMENT_BYTES * len(content) + item_size(content)


def type_of(value: AttributeValue) -> str:
    """The tag: "S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L" or "M"."""
    return next(iter(value))


def dumps(item: Item) -> bytes:
    """Compact JSON in UTF-8, as records hold it and callers get it."""
    return orjson.dumps(item)


def loads(data: bytes) -> Item:
    return cast(Item, orjson.loads(data))


# ---- reading: each reader checks a value's content, makes it canonical in place, and returns its size -----


def _read(value: Any, level: int) -> int:
    if type(value) is not dict or len(value) != 1:
        return _read_unusual(value, level)
    ((tag, content),) = value.items()
    if tag == "S" and type(content) is str:
        return len(content) if content.isascii() else len(content.encode())
    reader = _READERS.get(tag)
    if reader is None or content is None:
        return _read_unusual(value, level)
    return reader(value, content, level)


def _read_unusual(value: Any, level: int) -> int:
    """Anything but exactly one known tag. Members that are null or unknown count as absent, as on AWS."""
    if value is None:
        raise _empty()
    if type(value) is list:
        raise serialization(
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue"
        )
    if type(value) is not dict:
        raise serialization("Unexpected value type in payload")
    for tag in [tag for tag, content in value.items() if content is None or tag not in _READERS]:
        del value[tag]
    if not value:
        raise _empty()
    size = sum(_READERS[tag](value, content, level) for tag, content in value.items())
    if len(value) > 1:
        raise validation(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    return size


def _read_string(_value: AttributeValue, content: Any, _level: int) -> int:
    if type(content) is not str:
        raise _not_a("String", content)
    return _text_size(content)


def _read_number(value: AttributeValue, content: Any, _level: int) -> int:
    if type(content) is not str:
        raise _not_a("String", content)
    number = numbers.canonical(content)
    value["N"] = number
    return numbers.size(number)


def _read_binary(_value: AttributeValue, content: Any, _level: int) -> int:
    return len(_decode_base64(content))


def _read_boolean(value: AttributeValue, content: Any, _level: int) -> int:
    if type(content) is not bool:
        value["BOOL"] = _boolean_of(content)
    return 1


def _read_null(value: AttributeValue, content: Any, _level: int) -> int:
    if type(content) is not bool:
        value["NULL"] = content = _boolean_of(content)
    if not content:
        raise validation(_INVALID + "Null attribute value types must have the value of true")
    return 1


def _boolean_of(content: object) -> bool:
    word = BOOLEAN_WORDS.get(content.upper()) if isinstance(content, str) else None
    if word is None:
        raise _not_a("Boolean", content)
    return word


def _read_string_set(value: AttributeValue, content: Any, _level: int) -> int:
    members = _members(content)
    for member in members:
        if type(member) is not str:
            raise _not_a("String", member)
    if not members:
        raise validation(_INVALID + "An string set  may not be empty")
    if len(set(members)) != len(members):
        raise _duplicates(members, members, ", ", " contains duplicates.")
    value["SS"] = sorted(members)  # code points sort as their UTF-8 bytes do
    return sum(map(_text_size, members))


def _read_number_set(value: AttributeValue, content: Any, _level: int) -> int:
    members = _members(content)
    for member in members:
        if type(member) is not str:
            raise _not_a("String", member)
    if not members:
        raise ValueFault(_INVALID + "An number set  may not be empty")
    canonical = [numbers.canonical(member) for member in members]
    if len(set(canonical)) != len(canonical):
        problem = "Input collection contains duplicates"
        raise ValueFault(f"{_INVALID}{problem}.", problem)
    value["NS"] = sorted(canonical, key=numbers.to_decimal)
    return sum(map(numbers.size, canonical))


def _read_binary_set(value: AttributeValue, content: Any, _level: int) -> int:
    members = _members(content)
    decoded = [_decode_base64(member) for member in members]
    if not members:
        raise validation(_INVALID + "Binary sets should not be empty")
    if len(set(decoded)) != len(decoded):
        raise _duplicates(members, decoded, ",", "of type BS contains duplicates.")
    value["BS"] = [member for _, member in sorted(zip(decoded, members, strict=True))]
    return sum(map(len, decoded))


def _duplicates(members: list[str], keys: list[Any], separator: str, problem: str) -> ApiError:
    """`members`: as they were sent; `keys`: what they sort by. The newer validation had sorted what it read when it
    came upon the one that repeats."""
    repeated = next(place for place, key in enumerate(keys) if key in keys[:place])
    read = [member for _, member in sorted(zip(keys[:repeated], members[:repeated], strict=True))]
    quoted = separator.join(f'"{member}"' for member in read + members[repeated:])
    return ValueFault(
        f"{_INVALID}Input collection [{quoted}]{problem}",
        f"{_INVALID}Input collection [{', '.join(members)}]{problem}",
    )


def _read_list(_value: AttributeValue, content: Any, level: int) -> int:
    elements = _members(content)
    if elements and level == NESTING_LEVELS_MAX:
        raise too_deep()
    size = _CONTAINER_BYTES
    for element in elements:
        size += _ELEMENT_BYTES + _read(element, level + 1)
    return size


def _read_map(_value: AttributeValue, content: Any, level: int) -> int:
    if type(content) is not dict:
        raise _not_a_map(content)
    if content and level == NESTING_LEVELS_MAX:
        raise too_deep()
    size = _CONTAINER_BYTES
    for name, element in content.items():
        check_attribute_name(name)
        size += _ELEMENT_BYTES + _text_size(name) + _read(element, level + 1)
    return size


_READERS: dict[str, Callable[[AttributeValue, Any, int], int]] = {
    "S": _read_string,
    "N": _read_number,
    "B": _read_binary,
    "BOOL": _read_boolean,
    "NULL": _read_null,
    "SS": _read_string_set,
    "NS": _read_number_set,
    "BS": _read_binary_set,
    "L": _read_list,
    "M": _read_map,
}


def _text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _binary_size(base64: str) -> int:
    return len(base64) // 4 * 3 - base64.count("=", -2)


def _decode_base64(content: Any) -> bytes:
    if type(content) is not str:
        if type(content) is list:
            raise serialization("Unrecognized collection type class java.nio.ByteBuffer")
        if type(content) is dict:
            raise serialization("Start of structure or map found where not expected")
        raise serialization("only base-64-encoded strings are convertible to bytes")
    if len(content) % 4:
        raise serialization(
            f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(content)}"
        )
    try:
        data = a2b_base64(content, strict_mode=True)
    except ValueError:
        data = b""
    # Encoding again also finds bits set behind the last byte, which would give one value two texts.
    if b2a_base64(data, newline=False) != content.encode():
        raise serialization("Invalid last non-pad Base64 character dectected")
    return data


def _members(content: Any) -> list[Any]:
    if type(content) is list:
        return content
    if type(content) is dict:
        raise serialization("Start of structure or map found where not expected")
    raise serialization("Unexpected field type")


def check_attribute_name(name: str) -> None:
    """Raises ValidationException for a name that no attribute can bear."""
    if not name:
        raise validation("Empty attribute name")
    if len(name.encode()) > ATTRIBUTE_NAME_BYTES_MAX:
        raise validation("Attribute name is too large, must be less than 65536 bytes")


def _empty() -> ApiError:
    return validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def too_deep() -> ApiError:
    """For a value of more than NESTING_LEVELS_MAX levels."""
    return validation(
        "Nesting Levels have exceeded supported limits: "
        "Attributes in the item have nested levels beyond supported limit"
    )


def _not_a_map(content: object) -> ApiError:
    if type(content) is list:
        return serialization(
            "Unrecognized collection type java.util.Map<java.lang.String, "
            "com.amazonaws.dynamodb.v20120810.AttributeValue>"
        )
    return serialization("Unexpected field type")


def _not_a(java_class: str, content: object) -> ApiError:
    """The words of AWS's JSON reader for a value that should have been a String or a Boolean."""
    if content is None:
        return _empty()
    if type(content) is list:
        return serialization(f"Unrecognized collection type class java.lang.{java_class}")
    if type(content) is dict:
        return serialization("Start of structure or map found where not expected")
    if type(content) is str:
        return serialization("Unexpected token received from parser")
    if type(content) is bool:
        token = "TRUE_VALUE" if content else "FALSE_VALUE"
    else:
        token = "NUMBER_VALUE" if type(content) is int else "DECIMAL_VALUE"
    return serialization(f"{token} cannot be converted to {java_class}")
