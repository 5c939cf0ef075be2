"""How answers look: an ApiError as JSON (here and nowhere else), and responses as bytes on an HTTP connection.

Knows nothing of connections or requests: what goes in is a status and a body, what comes out is ready to
be written.
"""

from __future__ import annotations

from base64 import b32hexencode
from collections.abc import Callable
from email.utils import formatdate
from zlib import crc32

import orjson

from kvorum.control.messages import Refused
from kvorum.model.errors import ApiError

JSON = b"application/x-amz-json-1.0"
PLAIN_JSON = b"application/json"

_REASONS = {
    200: b"200 OK",
    400: b"400 Bad Request",
    404: b"404 Not Found",
    413: b"413 Request Entity Too Large",
    500: b"500 Internal Server Error",
    503: b"503 Service Unavailable",
}

# AWS is not of one mind: these errors, and any that shows the item which failed its condition, carry `Message` where
# all others carry `message`.
_CAPITAL_MESSAGE = frozenset(
    {
        "AccessDeniedException",
        "IdempotentParameterMismatchException",
        "SerializationException",
        "TransactionCanceledException",
        "TransactionInProgressException",
    }
)

_ID_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUV"
_ID_ENDINGS = [bytes((high, low)) for high in _ID_ALPHABET for low in _ID_ALPHABET]
_ID_STEM_BYTES = 32  # 52 characters in base 32, of which the stem keeps the first 50


def error_body(error: ApiError) -> bytes:
    """`{"__type": …, "message": …}` and the error's further members; an empty message is left out."""
    members: dict[str, object] = {"__type": error.kind}
    if error.message:
        capital = error.code in _CAPITAL_MESSAGE or (error.extra is not None and "Item" in error.extra)
        members["Message" if capital else "message"] = error.message
    if error.extra:
        members.update(error.extra)
    return orjson.dumps(members)


def error_of(refused: Refused) -> ApiError:
    """The caller's error as the node sent it."""
    extra = orjson.loads(refused.extra) if refused.extra else None
    return ApiError(
        refused.kind, refused.message, status=refused.status, extra=extra, definite=refused.definite
    )


class ResponseWriter:
    """Builds whole responses with AWS's headers.

    The parts that repeat (date, stem of the request id) are joined once, so that the usual response costs
    one formatting. A request id is 52 characters [0-9A-V]: a random stem of 50, renewed after every 1,024
    answers, and a counter. `entropy(n)` gives n random bytes, `now()` seconds since the epoch.
    """

    def __init__(self, entropy: Callable[[int], bytes], now: Callable[[], float]) -> None:
        self._entropy = entropy
        self._now = now
        self._id_stem = b""
        self._id_next = 0
        self._opening = b""
        self._success = b""
        self._renew_ids()
        self.refresh()

    def refresh(self) -> None:
        """Read the clock again for the Date header; to be called once a second."""
        date = formatdate(self._now(), usegmt=True).encode()
        self._opening = b"\r\nServer: Server\r\nDate: " + date + b"\r\nContent-Type: "
        self._success = (
            b"HTTP/1.1 200 OK" + self._opening + JSON + b"\r\nConnection: keep-alive\r\nx-amzn-RequestId: "
        )

    def success(self, body: bytes) -> bytes:
        """200 with JSON 1.0 on a connection that stays open: the response of nearly every request."""
        return b"%b%b\r\nx-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n%b" % (
            self._success,
            self._new_id(),
            crc32(body),
            len(body),
            body,
        )

    def response(
        self,
        status: int,
        body: bytes,
        *,
        content_type: bytes = JSON,
        keep_alive: bool = True,
        headers: bytes = b"",
        with_body: bool = True,
    ) -> bytes:
        """Any response. `headers`: further header lines, each with its line end. `with_body` False answers a
        HEAD request: the headers alone."""
        return (
            b"HTTP/1.1 %b%b%b\r\nConnection: %b\r\n%bx-amzn-RequestId: %b\r\nx-amz-crc32: %d\r\nContent-Length: %d\r\n\r\n%b"
            % (
                _REASONS.get(status) or b"%d Error" % status,
                self._opening,
                content_type,
                b"keep-alive" if keep_alive else b"close",
                headers,
                self._new_id(),
                crc32(body),
                len(body),
                body if with_body else b"",
            )
        )

    def _new_id(self) -> bytes:
        number = self._id_next
        if number == len(_ID_ENDINGS):
            self._renew_ids()
            number = 0
        self._id_next = number + 1
        return self._id_stem + _ID_ENDINGS[number]

    def _renew_ids(self) -> None:
        self._id_stem = b32hexencode(self._entropy(_ID_STEM_BYTES))[:50]
        self._id_next = 0
