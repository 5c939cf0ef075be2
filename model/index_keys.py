"""Keys of index entries as bytes: what routes an entry, and what orders it in the store.

    8 bytes       token of the hash part: where the entry lies among a global index's partitions
    hash part     each partition-key attribute's value, self-delimiting as in model/keys
    range part    each sort-key attribute's value, self-delimiting as well: what follows must not change their order
    8 bytes       of a global index: hash of the item's partition and sort key, by which AWS orders entries of equal keys
    item part     the item's own key without its token: one entry for one item

A local index's hash part is its item's own, so an entry has its item's token. As in model/keys, this layout is on
disk, and every function takes values that model/values has read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from kvorum.model import keys, numbers
from kvorum.model.limits import HASH_KEY_BYTES_MAX, RANGE_KEY_BYTES_MAX
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.table import IndexKeys, KeyPart, KeySchema

_TOKEN_BYTES = 8


def entry_key(schema: KeySchema, index: IndexKeys, item: Item, item_key: bytes) -> bytes | None:
    """The key of the item's entry in a global index. None when it has none: an attribute of the index's key is missing,
    or is what no write of an indexed table lets in (another type, empty, too long) but a table may have held before its
    index. `schema`: the table's; `item_key`: the item's, as model/keys encodes it."""
    hash_contents = _contents(index.hash, item)
    range_contents = _contents(index.range, item)
    if hash_contents is None or range_contents is None:
        return None
    if _size(hash_contents) > HASH_KEY_BYTES_MAX or _size(range_contents) > RANGE_KEY_BYTES_MAX:
        return None
    prefix = _prefix(index.hash, item[index.hash[0].name], hash_contents)
    tie = item_key[:_TOKEN_BYTES] if schema.range is None else keys.pair_hash(schema.hash, schema.range, item)
    return prefix + _delimited(index.range, range_contents) + tie + item_key[_TOKEN_BYTES:]


def local_entry_key(index: IndexKeys, item: Item, item_key: bytes) -> bytes | None:
    """What `entry_key` says, of a local index, whose hash part is the item's own."""
    contents = _contents(index.range, item)
    if contents is None or _size(contents) > RANGE_KEY_BYTES_MAX:
        return None
    end = keys.delimited_end(index.hash[0].kind, item_key, _TOKEN_BYTES)
    return item_key[:end] + _delimited(index.range, contents) + item_key[_TOKEN_BYTES:]


def item_key_of(index: IndexKeys, entry: bytes) -> bytes:
    """The key of the item that a local index's entry stands for. `entry`: the entry's key."""
    end = _TOKEN_BYTES
    for part in (*index.hash, *index.range):
        end = keys.delimited_end(part.kind, entry, end)
    return entry[:_TOKEN_BYTES] + entry[end:]


def bounds(
    index: IndexKeys,
    hash_values: Sequence[AttributeValue],
    equal: Sequence[AttributeValue],
    operator: str,
    operands: Sequence[AttributeValue],
) -> tuple[bytes, bytes]:
    """lower <= key < upper of the entries with these partition-key values, whose first sort-key attributes equal
    `equal`, and whose next one satisfies `operator` with `operands`, as keys.range_bounds has them; lower == upper when
    none can. Every value is of its attribute's type and not empty."""
    prefix = hash_prefix(index, hash_values)
    fixed = index.range[: len(equal)]
    prefix += _delimited(fixed, [_bytes(part, value) for part, value in zip(fixed, equal, strict=True)])
    end = keys.successor(prefix)
    if operator == "":
        return prefix, end
    part = index.range[len(equal)]
    contents = [_bytes(part, operand) for operand in operands]
    if operator == "begins_with":
        begun = prefix + keys.escaped(contents[0])
        return begun, keys.successor(begun)
    points = [prefix + keys.delimited(part.kind, content) for content in contents]
    match operator:
        case "=":
            return points[0], keys.successor(points[0])
        case "<":
            return prefix, points[0]
        case "<=":
            return prefix, keys.successor(points[0])
        case ">":
            return keys.successor(points[0]), end
        case ">=":
            return points[0], end
        case "BETWEEN":
            return points[0], max(points[0], keys.successor(points[1]))
        case _:
            raise AssertionError(f"no operator of a key condition: {operator}")


def hash_prefix(index: IndexKeys, hash_values: Sequence[AttributeValue]) -> bytes:
    """What every entry with these partition-key values starts with, and no other."""
    contents = [_bytes(part, value) for part, value in zip(index.hash, hash_values, strict=True)]
    return _prefix(index.hash, hash_values[0], contents)


def _prefix(parts: Sequence[KeyPart], first: AttributeValue, contents: list[bytes]) -> bytes:
    """`first`: the value of the first of `parts`, `contents`: those of all."""
    delimited = _delimited(parts, contents)
    if len(contents) > 1:
        return keys.token_bytes(delimited) + delimited
    hashed = numbers.hashed(cast(str, first["N"])) if parts[0].kind == "N" else contents[0]
    return keys.token_bytes(hashed) + delimited


def _delimited(parts: Sequence[KeyPart], contents: list[bytes]) -> bytes:
    if not parts:
        return b""
    if len(parts) == 1:  # as good as always
        return keys.delimited(parts[0].kind, contents[0])
    return b"".join(keys.delimited(part.kind, content) for part, content in zip(parts, contents, strict=True))


def _contents(parts: Sequence[KeyPart], item: Item) -> list[bytes] | None:
    contents: list[bytes] = []
    for part in parts:
        value = item.get(part.name)
        content = value.get(part.kind) if value is not None else None
        if not content:
            return None
        contents.append(keys.content_bytes(part.kind, content))
    return contents


def _bytes(part: KeyPart, value: AttributeValue) -> bytes:
    return keys.content_bytes(part.kind, cast(str, value[part.kind]))


def _size(contents: list[bytes]) -> int:
    return sum(map(len, contents))
