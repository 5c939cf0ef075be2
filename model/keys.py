"""Primary keys as bytes: what routes an item, and what orders it in the store.

    8 bytes       token, big endian: where the item's collection lies among the table's partitions. It is AWS's own
                  hash, so that a Scan, and its segments, find items in AWS's order
    hash part     the partition key's value: S (UTF-8) and B with 00 written as 00 FF and ended by 00 01,
                  N as numbers.encode writes it; so no hash part is a prefix of another
    range part    the sort key's value, when the table has one: S and B as they are, N as above

Keys with an equal hash value lie together and sort as DynamoDB sorts them: S by UTF-8 bytes, N by value, B by
unsigned bytes. This layout, the token's hash included, is on disk: whoever changes it changes the store's format.

Every function takes values that model/values has read. Limits and texts: AWS developer guide, "Constraints",
partition keys and sort keys.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from hashlib import md5
from itertools import pairwise
from typing import cast

from kvorum.model import numbers
from kvorum.model.errors import (
    ApiError,
    empty_key_attribute,
    invalid,
    key_attribute_kind,
    partition_key_too_long,
    sort_keys_too_long,
    validation,
)
from kvorum.model.limits import HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.table import KeyPart, KeySchema
from kvorum.model.values import type_of

TOKENS = 2**64

_TOKEN_BYTES = 8
# No key has the last token, so that these eight bytes sort after every key.
_AFTER_EVERY_KEY = b"\xff" * _TOKEN_BYTES
_LAST_TOKEN = (TOKENS - 2).to_bytes(_TOKEN_BYTES, "big")
_TERMINATOR = b"\x00\x01"
_ESCAPED_ZERO = b"\x00\xff"


_HASH = md5(b"Outliers", usedforsecurity=False)
"""What AWS's hash begins with, as dynalite's tests have found out."""


def token(hashed: bytes) -> int:
    """Where a partition key's value belongs, 0 <= token < 2**64 - 1. `hashed`: S as UTF-8, N as numbers.hashed, B as it
    is."""
    return int.from_bytes(token_bytes(hashed), "big")


def token_bytes(hashed: bytes) -> bytes:
    state = _HASH.copy()
    state.update(hashed)
    digest = state.digest()[:_TOKEN_BYTES]
    return digest if digest != _AFTER_EVERY_KEY else _LAST_TOKEN


def pair_hash(hash_part: KeyPart, range_part: KeyPart, item: Item) -> bytes:
    """Both key attributes of `item`, which it has, hashed together."""
    pair = [_hashed(part.kind, cast(str, item[part.name][part.kind])) for part in (hash_part, range_part)]
    return token_bytes(b"".join(pair))


def _hashed(kind: str, content: str) -> bytes:
    return numbers.hashed(content) if kind == "N" else content_bytes(kind, content)


# ---- keys -------------------------------------------------------------------------------------------------


def encode_item_key(schema: KeySchema, item: Item) -> bytes:
    """The key of an item that is being put. Raises ValidationException when a key attribute is missing, of
    another type, empty or too long."""
    hash_part = schema.hash
    prefix = _hash_prefix(hash_part, _content_in_item(hash_part, item))
    range_part = schema.range
    if range_part is None:
        return prefix
    return prefix + _range_bytes(range_part, _content_in_item(range_part, item))


def encode_key(schema: KeySchema, key: object) -> bytes:
    """The key that a request's Key member names. Raises ValidationException unless it has exactly the key
    attributes with their types, none empty or too long."""
    if not isinstance(key, dict):
        raise _no_match()
    attributes = cast(Item, key)
    hash_part = schema.hash
    range_part = schema.range
    if len(attributes) != (1 if range_part is None else 2):
        raise _no_match()
    hash_content = _content_in_key(hash_part, attributes)
    if range_part is None:
        return _hash_prefix(hash_part, hash_content)
    range_content = _content_in_key(range_part, attributes)
    return _hash_prefix(hash_part, hash_content) + _range_bytes(range_part, range_content)


def decode_key(schema: KeySchema, data: bytes) -> Item:
    """The key attributes that `data` was encoded from."""
    part = schema.hash
    if part.kind == "N":
        end = numbers.encoded_end(data, _TOKEN_BYTES)
        hash_bytes = data[_TOKEN_BYTES:end]
    else:
        terminator = data.index(_TERMINATOR, _TOKEN_BYTES)
        end = terminator + len(_TERMINATOR)
        hash_bytes = data[_TOKEN_BYTES:terminator].replace(_ESCAPED_ZERO, b"\x00")
    attributes = {part.name: {part.kind: _content_of(part.kind, hash_bytes)}}
    if schema.range is not None:
        attributes[schema.range.name] = {schema.range.kind: _content_of(schema.range.kind, data[end:])}
    return attributes


def collection_of(schema: KeySchema, key: bytes) -> bytes:
    """What every key with the partition key's value of `key` starts with: `hash_prefix` of that value."""
    return key[: delimited_end(schema.hash.kind, key, _TOKEN_BYTES)]


def token_of(key: bytes) -> int:
    return int.from_bytes(key[:_TOKEN_BYTES], "big")


def _content_in_item(part: KeyPart, item: Item) -> str:
    value = item.get(part.name)
    if value is None:
        raise invalid(f"Missing the key {part.name} in the item")
    content: str | None = value.get(part.kind)
    if content is None:
        raise invalid(f"Type mismatch for key {part.name} expected: {part.kind} actual: {type_of(value)}")
    return content


def _content_in_key(part: KeyPart, key: Item) -> str:
    value = key.get(part.name)
    if value is None or part.kind not in value:
        raise _no_match()
    return cast(str, value[part.kind])


def _hash_prefix(part: KeyPart, content: str) -> bytes:
    hash_bytes = _bytes_of(part, content)
    if part.kind == "N":
        return token_bytes(numbers.hashed(content)) + hash_bytes
    if len(hash_bytes) > HASH_KEY_BYTES_MAX:
        raise partition_key_too_long()
    return token_bytes(hash_bytes) + escaped(hash_bytes) + _TERMINATOR


def escaped(data: bytes) -> bytes:
    """S or B as in a hash part, without what ends it: in the same order, and a prefix of what has it as prefix."""
    return data.replace(b"\x00", _ESCAPED_ZERO)


def delimited(kind: str, data: bytes) -> bytes:
    """A value that `content_bytes` made, self-delimiting and in the same order."""
    return data if kind == "N" else escaped(data) + _TERMINATOR


def delimited_end(kind: str, data: bytes, start: int) -> int:
    """Where the value ends that begins at `start`, as `delimited` has written it."""
    if kind == "N":
        return numbers.encoded_end(data, start)
    return data.index(_TERMINATOR, start) + len(_TERMINATOR)


def _range_bytes(part: KeyPart, content: str) -> bytes:
    range_bytes = _bytes_of(part, content)
    if len(range_bytes) > RANGE_KEY_BYTES_MAX:
        raise sort_keys_too_long()
    return range_bytes


def content_bytes(kind: str, content: str) -> bytes:
    """A key attribute's value as bytes that sort as it does. `kind`: "S", "N" or "B"."""
    if kind == "N":
        return numbers.encode(content)
    return content.encode() if kind == "S" else a2b_base64(content)


def _bytes_of(part: KeyPart, content: str) -> bytes:
    if not content:
        raise empty_key_attribute(part.name, part.kind)
    return content_bytes(part.kind, content)


def _content_of(kind: str, data: bytes) -> str:
    if kind == "N":
        return numbers.decode(data)
    return data.decode() if kind == "S" else b2a_base64(data, newline=False).decode()


def no_prefix_of_a_number() -> ApiError:
    return validation(
        "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
        "operator or function: begins_with, operand type: N"
    )


def _no_match() -> ApiError:
    return validation("The provided key element does not match the schema")


# ---- intervals of keys, all half-open: lower <= key < upper -------------------------------------------------


def hash_prefix(schema: KeySchema, hash_value: AttributeValue) -> bytes:
    """What every key with this partition key's value starts with, and no other key. Raises
    ValidationException for a value that cannot be one of this table."""
    return _hash_prefix(schema.hash, _operand(schema.hash, hash_value))


def range_bounds(
    schema: KeySchema, hash_value: AttributeValue, operator: str, operands: list[AttributeValue]
) -> tuple[bytes, bytes]:
    """The keys with this partition key's value whose sort key satisfies `operator` with `operands`:
    "" (no condition, no operand), "=", "<", "<=", ">", ">=", "begins_with" (one), "BETWEEN" (two, inclusive).
    An interval that can hold nothing has lower == upper.

    Raises ValidationException for an operand that cannot be a sort key of this table.
    """
    prefix = hash_prefix(schema, hash_value)
    if operator == "":
        return prefix, successor(prefix)
    part = schema.range
    assert part is not None, "a condition on the sort key of a table that has none"
    if operator == "begins_with" and "N" in operands[0]:
        raise no_prefix_of_a_number()
    points = [prefix + _range_bytes(part, _operand(part, operand)) for operand in operands]
    match operator:
        case "=":
            return points[0], after(points[0])
        case "<":
            return prefix, points[0]
        case "<=":
            return prefix, after(points[0])
        case ">":
            return after(points[0]), successor(prefix)
        case ">=":
            return points[0], successor(prefix)
        case "begins_with":
            return points[0], successor(points[0])
        case "BETWEEN":
            return points[0], max(points[0], after(points[1]))
        case _:
            raise AssertionError(f"no operator of a key condition: {operator}")


def successor(prefix: bytes) -> bytes:
    """The smallest bytes greater than everything that starts with `prefix`, which must hold a byte below FF."""
    kept = prefix.rstrip(b"\xff")
    assert kept, "nothing sorts after every key with this prefix"
    return kept[:-1] + bytes((kept[-1] + 1,))


def after(key: bytes) -> bytes:
    """The smallest bytes greater than `key`."""
    return key + b"\x00"


def token_bounds(lower: int, upper_inclusive: int) -> tuple[bytes, bytes]:
    """The keys whose token lies in lower..upper_inclusive; an upper of 2**64 - 1 sorts after every key."""
    if upper_inclusive >= TOKENS - 1:
        return lower.to_bytes(_TOKEN_BYTES, "big"), _AFTER_EVERY_KEY
    return lower.to_bytes(_TOKEN_BYTES, "big"), (upper_inclusive + 1).to_bytes(_TOKEN_BYTES, "big")


def split_tokens(count: int) -> list[tuple[int, int]]:
    """`count` (at least 1) token ranges, both ends inclusive, in order, that cover 0..2**64 - 1 without gap
    or overlap and differ in size by at most one."""
    edges = [TOKENS * index // count for index in range(count + 1)]
    return [(lower, upper - 1) for lower, upper in pairwise(edges)]


def _operand(part: KeyPart, value: AttributeValue) -> str:
    content: str | None = value.get(part.kind)
    if content is None:
        raise key_attribute_kind()
    return content
