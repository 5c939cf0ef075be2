"""Compressed bodies over HTTP: requests may come as gzip or deflate, larger answers leave so for those who ask.

As ScyllaDB's tests of Alternator found AWS to do it (2025): which coding an Accept-Encoding asks for, from which
size on, and that a body which cannot be decompressed is the server's fault.
"""

from __future__ import annotations

import re
import zlib

from kvorum.model import errors

COMPRESSED_BYTES_MIN = 4096
"""Of answers."""

_WINDOW_BITS = {b"gzip": 31, b"deflate": 15}
"""What AWS offers, in its order of preference, as zlib wants to be told of it."""

_GZIP_START = b"\x1f\x8b"
_PIECE_BYTES = 2_048
"""Of a request's body, given to zlib at a time: behind each member of a gzip it copies what is left of them."""

_QUALITY = re.compile(rb"q=([^;]*)")
_LEVEL = 1
"""The event loop waits: 1 MB of items takes 28 ms and becomes half; zlib's usual level takes 78 ms for 3 % less."""


def accepted(header: bytes) -> bytes | None:
    """The coding that an Accept-Encoding prefers among those on offer; None for an answer as it is.

    What is named beats `*` of the same quality, the first beats the later; identity counts for nothing.
    """
    best, best_quality = None, 0.0
    named: set[bytes] = set()
    others = 0.0
    for entry in header.lower().split(b","):
        name, _, parameters = entry.partition(b";")
        name = name.strip()
        quality = _quality(parameters)
        if name == b"*":
            others = quality
        elif name in _WINDOW_BITS:
            named.add(name)
            if quality > best_quality:
                best, best_quality = name, quality
    if others > best_quality:
        return next((name for name in _WINDOW_BITS if name not in named), best)
    return best


def _quality(parameters: bytes) -> float:
    """What follows the first `q=`, wherever AWS finds that; 1 where it is more, or no number."""
    found = _QUALITY.search(parameters)
    try:
        return min(float(found[1]), 1.0) if found is not None else 1.0
    except ValueError:
        return 1.0


def compressed(body: bytes, coding: bytes) -> bytes:
    """`coding`: what `accepted` said."""
    return zlib.compress(body, _LEVEL, wbits=_WINDOW_BITS[coding])


def decompressed(body: bytes, coding: bytes, bytes_max: int) -> bytes:
    """A request's body, cut one byte beyond `bytes_max`. `coding`: its Content-Encoding. Raises InternalServerError
    for another coding than gzip and deflate, and for what is not of that coding or not the whole of it."""
    window_bits = _WINDOW_BITS.get(coding.strip().lower())
    if window_bits is None:
        raise errors.internal_server_error()
    parts: list[bytes] = []
    place, room = 0, bytes_max + 1
    stream = zlib.decompressobj(window_bits)
    while room:
        piece = body[place : place + _PIECE_BYTES]
        try:
            part = stream.decompress(piece, room)
        except zlib.error as error:
            raise errors.internal_server_error() from error
        parts.append(part)
        room -= len(part)
        place += len(piece) - len(stream.unused_data)
        if stream.eof:
            # Only gzip goes on with a further member; like AWS, we do not mind what else follows.
            if window_bits != _WINDOW_BITS[b"gzip"] or not body.startswith(_GZIP_START, place):
                break
            stream = zlib.decompressobj(window_bits)
        elif not piece:
            raise errors.internal_server_error()
    return b"".join(parts)
