"""NextToken: where a SELECT's next page begins. Opaque to callers, and good for nothing but the statement, the
parameters and the table that it was made for (its seal). It is no secret: what a forged one can reach is what the
statement reads anyway."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from kvorum.model.errors import ApiError, validation
from kvorum.model.requests import AttributeValue

_VERSION = b"\x01"
_SEAL_BYTES = 16
_INTERVAL_BYTES = 2
_KEY_BYTES_MIN = 8  # the token with which every key begins


@dataclass(frozen=True, slots=True)
class Cursor:
    """`interval`: which of a Reading's; 0 in a scan. `key`: the last one that was read there."""

    interval: int
    key: bytes


def seal_of(table_uuid: str, statement: str, parameters: Sequence[AttributeValue]) -> bytes:
    said = orjson.dumps([table_uuid, statement, parameters], option=orjson.OPT_SORT_KEYS)
    return blake2b(said, digest_size=_SEAL_BYTES).digest()


def write(cursor: Cursor, seal: bytes) -> str:
    return b64encode(_VERSION + seal + cursor.interval.to_bytes(_INTERVAL_BYTES, "big") + cursor.key).decode()


def read(text: str, seal: bytes) -> Cursor:
    """Raises ValidationException."""
    try:
        data = b64decode(text.encode(), validate=True)
    except NotBase64:
        raise invalid() from None
    ahead = len(_VERSION) + _SEAL_BYTES
    key_start = ahead + _INTERVAL_BYTES
    if not data.startswith(_VERSION) or len(data) < key_start + _KEY_BYTES_MIN:
        raise invalid()
    if data[len(_VERSION) : ahead] != seal:
        raise validation("NextToken does not match request")
    return Cursor(int.from_bytes(data[ahead:key_start], "big"), data[key_start:])


def invalid() -> ApiError:
    return validation("Invalid NextToken")
