"""Tags: what they may be, whose they are, and AWS's words where they are not right."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from kvorum.model import errors
from kvorum.model.limits import TAGS_MAX
from kvorum.model.table import Table
from kvorum.router.calls import Body, Cluster

KEY_CHARACTERS_MAX = 128
VALUE_CHARACTERS_MAX = 256

_ARN = re.compile("arn:[^:]*:dynamodb:(?P<region>[^:]*):(?P<account>[^:]*):(?P<resource>.*)")
_RESOURCE = re.compile("table/(?P<table>[^/]*)(?:/(?P<part>index|stream)/.*)?")
_TABLE = re.compile("[a-zA-Z0-9_.-]{3,255}")

_PUNCTUATION = frozenset("+-=._:/@")
_RESERVED_PREFIX = "aws:"


def resource_name(body: Body, cluster: Cluster, needed: str | None = None) -> str:
    """The name of the table whose ARN is in the request; `needed`: the member that must be there too. Raises
    AccessDeniedException for another service's ARN, as AWS's authorization does, ValidationException for what is no
    ARN or that of something else than a table of this region, and ResourceNotFoundException for a stream's.

    Sources: ExtendDB/extenddb#227; scylladb/scylladb test/alternator/test_tag.py; a public lab's captures of AWS of
    October 2026. dynalite's tests hold the older words."""
    arn: str | None = body.get("ResourceArn")
    if arn is None:
        raise errors.validation("Invalid TableArn")
    if not arn.startswith("arn:"):
        raise errors.invalid(f"ARNs must start with 'arn:': {arn}")
    parts = _ARN.fullmatch(arn)
    if parts is None:
        raise errors.access_denied("Access is denied")
    if needed is not None and needed not in body:
        raise errors.validation(
            f"1 validation error detected: Value null at '{needed[:1].lower()}{needed[1:]}' failed to satisfy "
            "constraint: Member must not be null"
        )
    found = _RESOURCE.fullmatch(parts["resource"])
    if found is None:
        raise errors.invalid(f"Provided Arn is not a DynamoDB resource arn: {arn}")
    if parts["account"] != cluster.account:
        raise errors.access_denied("Access is denied")
    if found["part"] == "index":
        raise errors.invalid(
            f"Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}"
        )
    if parts["region"] != cluster.region or _TABLE.fullmatch(found["table"]) is None:
        raise errors.validation(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    if found["part"] == "stream":
        raise _not_found(arn)
    return found["table"]


def resource(name: str, body: Body, cluster: Cluster) -> Table:
    table = cluster.directory.tables.get(name)
    if table is None:
        raise _not_found(body["ResourceArn"])
    return table


def _not_found(arn: str) -> errors.ApiError:
    return errors.resource_not_found(f"Requested resource not found: ResourceArn: {arn} not found")


def check_tags(tags: list[dict[str, str]]) -> None:
    """Raises ValidationException: all of them are right, or none is taken."""
    _check_count(tags)
    keys: set[str | None] = set()
    for tag in tags:
        key, value = tag.get("Key"), tag.get("Value")
        _check_key(key)
        if value is None or len(value) > VALUE_CHARACTERS_MAX or not _is_plain(value):
            raise errors.validation(f"The Tag Value provided is invalid, Value: {_shown(value)}")
        if key in keys:
            raise errors.validation(f"Duplicate Tag Keys provided as input: Duplicate Tag Key found {key}")
        keys.add(key)


def check_keys(keys: list[str]) -> None:
    _check_count(keys)
    for key in keys:
        _check_key(key)


def _check_count(given: list[Any]) -> None:
    if len(given) > TAGS_MAX:
        raise errors.too_many_tags()


def _check_key(key: str | None) -> None:
    if not key or len(key) > KEY_CHARACTERS_MAX or not _is_plain(key):
        raise errors.validation(f"The Tag Key provided is invalid, Key: {_shown(key)}")
    if key[: len(_RESERVED_PREFIX)].lower() == _RESERVED_PREFIX:
        raise errors.validation(f"Tag Key cannot be prefixed with aws:, Key: {key}")


def _shown(text: str | None) -> str:
    return "null" if text is None else text


def _is_plain(text: Iterable[str]) -> bool:
    """Letters, digits and spaces of any script, and a few signs."""
    return all(sign in _PUNCTUATION or unicodedata.category(sign)[0] in "LNZ" for sign in text)
