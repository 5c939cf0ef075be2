"""What is wrong with the shape of a request, in the words of that one of AWS's validations which the operation runs."""

from __future__ import annotations

from enum import Enum
from typing import Any

from kvorum.model import errors

FAULTS_MAX = 10
"""AWS stops looking after the tenth violated constraint."""

SHOWN_MAX = 16_384
"""Characters of a text, or bytes of a collection's JSON: an error does not send a whole batch back."""


Path = tuple[str, ...]
"""Members and positions from the request's top, in the model's own capitals; "member" for an element."""


class MapKey(str):
    """What a request calls an entry of a map: no message changes its capitals."""


def _older_name(path: Path) -> str:
    return ".".join(part if isinstance(part, MapKey) else part[:1].lower() + part[1:] for part in path)


class Layer(Enum):
    """Which of AWS's validations an operation runs, which decides order and words of what is wrong.

    AWS is replacing its validation, operation by operation and region by region, since June 2026. Kvorum answers as
    most regions did in autumn 2026. The evidence is what the suite paritysuite/dynamodb-conformance recorded of AWS
    (captures/cross-region-latest.json of 2026-09-20, captures/2026-09-28-scan-validation-messages.json,
    captures/2026-10-07-sweep-follow-up.json: 31 of 33 regions answer PutItem and UpdateItem in the newer way;
    tests/tier3/error-messages/valueLayers, deleteItem and putItem of 2026-10-09: eu-west-2 and us-east-1 agree). dynalite's tests hold the older words for every operation.
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


def cut(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"


def length_constraints(length_min: int, length_max: int | None) -> list[str]:
    """Map constraints, as AWS lists them inside brackets."""
    texts: list[str] = []
    if length_max is not None:
        texts.append(f"Member must have length less than or equal to {length_max}")
    if length_min > 0:
        texts.append(f"Member must have length greater than or equal to {length_min}")
    return texts


def length_fault(value: Any, length_min: int, length_max: int | None) -> str | None:
    if len(value) < length_min:
        return f"Member must have length greater than or equal to {length_min}"
    if length_max is not None and len(value) > length_max:
        return f"Member must have length less than or equal to {length_max}"
    return None


def pattern_constraint(pattern: str) -> str:
    return f"Member must satisfy regular expression pattern: {pattern}"


def enumeration_constraint(values: tuple[str, ...]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(values)}]"
