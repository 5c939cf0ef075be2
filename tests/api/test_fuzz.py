"""Requests as Hypothesis draws them, well-formed and broken: each is answered or refused in AWS's way, none with a
5xx, none with silence. `FUZZ_EXAMPLES=20000` looks longer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.boto import Client, keys_of
from tests.kit.endpoints import Endpoint
from tests.kit.requests import NONSENSE, REQUESTS, Vocabulary
from tests.kit.service_model import assert_answer_fits
from tests.kit.wire_client import Reply, WireClient, request

_SETTINGS = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_THINGS = "fuzz-things"
_NEW = "fuzz-new"
_VALUE = st.one_of(
    *[
        st.sampled_from(
            (
                {"S": "a"},
                {"S": "b"},
                {"N": "1"},
                {"N": "1E-130"},
                {"S": ""},
                {"B": "AAE="},
                {"L": [{"M": {}}]},
                {"M": {"a": {"L": [{"N": "5"}]}}},
                {"NS": ["3", "-2"]},
                {"SS": ["x", "é"]},
                {"BS": ["AA==", "AQ=="]},
                {"NULL": True},
                {"BOOL": False},
            )
        )
    ]
    * 4,
    NONSENSE,
)
_KEY = st.one_of(
    *[
        st.fixed_dictionaries(
            {"pk": st.sampled_from(({"S": "a"}, {"S": "b"})), "sk": st.sampled_from(({"N": "1"}, {"N": "2"}))}
        )
    ]
    * 3,
    st.fixed_dictionaries({"pk": _VALUE}, optional={"sk": _VALUE}),
)
_CONDITIONS = (
    "attribute_exists(pk)",
    "#n = :v",
    "size(a) > :v",
    "a IN (:v, :w)",
    "NOT contains(#n, :w)",
    "a.b[0] BETWEEN :v AND :w OR attribute_type(#n, :v)",
    "((a = :v))",
    "a = ",
)
_TEXTS = {
    "TableName": (_THINGS,),
    "KeyConditionExpression": (
        "pk = :v",
        "pk = :v AND sk > :w",
        "#n = :v AND sk BETWEEN :w AND :v",
        "pk > :v",
    ),
    "FilterExpression": _CONDITIONS,
    "ConditionExpression": _CONDITIONS,
    "UpdateExpression": (
        "SET a = :v",
        "SET a = list_append(a, :v), b = b - :w",
        "SET b = if_not_exists(a, :w) + :v REMOVE c",
        "REMOVE #n, a[0]",
        "ADD a :v",
        "DELETE a :v",
        "SET",
    ),
    "ProjectionExpression": ("pk", "a.b[1], #n", "pk, pk", "a["),
    "IndexName": ("GSI1",),
    "AttributeName": ("pk", "sk"),
    "AttributesToGet": ("pk", "a", "b"),
    "ExpressionAttributeNames": ("pk", "a", "c"),
    "ExclusiveStartTableName": (_NEW, _THINGS),
    "Statement": (
        f'SELECT * FROM "{_THINGS}" WHERE pk = ? AND sk > ?',
        f"SELECT a.b[0], c FROM \"{_THINGS}\" WHERE pk IN ['a', ?] OR size(a) > 1 ORDER BY pk DESC",
        f"INSERT INTO \"{_THINGS}\" VALUE {{'pk': ?, 'sk': 1, 'a': [<<1, 2>>]}}",
        f"UPDATE \"{_THINGS}\" SET a = ? REMOVE b[0] WHERE pk = 'a' AND sk = 1 RETURNING MODIFIED NEW *",
        f'DELETE FROM "{_THINGS}" WHERE pk = ? AND sk = ? AND a IS NOT MISSING',
        "SELECT",
    ),
    "ResourceArn": (f"arn:aws:dynamodb:us-east-1:123456789012:table/{_THINGS}", "arn:a:b:c:d:e/f", "x"),
}
_ATTRIBUTES = ("a", "b", "pk")
_NAMES = {
    "ExpressionAttributeNames": ("#n", "#m"),
    "RequestItems": (_THINGS, _THINGS, "fuzz-absent"),
    "AttributeUpdates": _ATTRIBUTES,
    "Expected": _ATTRIBUTES,
    "KeyConditions": ("pk", "sk"),
    "QueryFilter": _ATTRIBUTES,
    "ScanFilter": _ATTRIBUTES,
}
_MAPS = {
    "Key": _KEY,
    "Keys": _KEY,
    "ExclusiveStartKey": _KEY,
    "Item": st.builds(
        lambda key, more: {**key, **more}, _KEY, st.dictionaries(st.sampled_from(("a", "b", "c")), _VALUE)
    ),
    "ExpressionAttributeValues": st.fixed_dictionaries({":v": _VALUE}, optional={":w": _VALUE}),
}


@st.composite
def _requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """(operation, body). Tables are created and deleted under another name than items are asked for."""
    operation = draw(st.sampled_from(sorted(REQUESTS)))
    sane = draw(st.booleans())
    changing = operation in ("CreateTable", "DeleteTable", "UpdateTable")
    texts = {**_TEXTS, "TableName": (_NEW,)} if changing else _TEXTS
    vocabulary = Vocabulary(texts=texts, names=_NAMES, maps=_MAPS, sane=sane)
    body = draw(vocabulary.request(operation))
    body.pop("DeletionProtectionEnabled", None)  # what is protected would outlive the tests
    if sane:
        body = draw(_coherent(body))
        if operation == "Query":
            body["KeyConditionExpression"] = draw(st.sampled_from(("pk = :p", "pk = :p AND sk <= :q")))
            values = body.setdefault("ExpressionAttributeValues", {})
            values.update({":p": {"S": "a"}, ":q": {"N": "1"}})
            if ":q" not in body["KeyConditionExpression"]:
                del values[":q"]
    return operation, body


_EXPRESSIONS = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
_QUARRELSOME = (
    "AttributesToGet",
    "IndexName",
    "Select",
    "Segment",
    "TotalSegments",
    "KeyConditionExpression",
)
"""Parameters that seldom go together as they are drawn."""


@st.composite
def _coherent(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """The same with exactly the placeholders that its expressions use, so that it often means something."""
    body = {
        name: {
            key: draw(_coherent(value)) if isinstance(value, dict) else value for key, value in member.items()
        }
        if name == "RequestItems"
        else member
        for name, member in body.items()
        if name not in _QUARRELSOME or draw(st.integers(0, 7)) == 0
    }
    used = " ".join(body.get(name, "") for name in _EXPRESSIONS)
    for parameter, sign, drawn in (
        ("ExpressionAttributeNames", "#", st.sampled_from(("a", "b", "c"))),
        ("ExpressionAttributeValues", ":", _VALUE),
    ):
        body.pop(parameter, None)
        placeholders = set(re.findall(rf"{sign}\w+", used))
        if placeholders:
            body[parameter] = {placeholder: draw(drawn) for placeholder in sorted(placeholders)}
    return body


@st.composite
def _broken(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` with a few bytes replaced, left out, repeated or put in."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.integers(0, 8)))
        piece = draw(
            st.one_of(
                st.just(b""),
                st.just(whole[start:end] * 2),
                st.binary(max_size=4),
                st.sampled_from(
                    (b"\r\n", b"\r\n\r\n", b'"', b"{", b"]", b"\\u0000", b"\xff", b":", b"0", b"-1")
                ),
            )
        )
        whole = whole[:start] + piece + whole[end:]
    return whole


@pytest.fixture(scope="module")
def things(client: Client, kvorum: Endpoint) -> Iterator[str]:
    """The table that the requests are about, with a few items."""
    client.create_table(TableName=_THINGS, BillingMode="PAY_PER_REQUEST", **keys_of("S", "N"))
    client.get_waiter("table_exists").wait(TableName=_THINGS)
    for sort in ("1", "2"):
        client.put_item(TableName=_THINGS, Item={"pk": {"S": "a"}, "sk": {"N": sort}, "a": {"N": "1"}})
    yield _THINGS
    for name in (_THINGS, _NEW):
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=name)


def _check(reply: Reply) -> None:
    assert reply.status in (200, 400, 404, 413, 431), reply
    if reply.status == 400 and reply.body:
        assert reply.error[0].endswith("Exception"), reply


@_SETTINGS
@given(drawn=st.data())
def test_bodies(kvorum: Endpoint, things: str, wire: WireClient, drawn: st.DataObject) -> None:
    """Over one connection, which every one of them leaves usable."""
    operation, body = drawn.draw(_requests())
    raw = orjson.dumps(body)
    if drawn.draw(st.integers(0, 4)) == 0:
        raw = drawn.draw(_broken(raw))
    wire.send(request(operation, raw))
    reply = wire.reply()
    _check(reply)
    assert reply.headers["connection"] == "keep-alive"
    if reply.status == 200:
        assert_answer_fits(operation, reply.json)
    assert not kvorum.crashes


@_SETTINGS
@given(drawn=st.data())
def test_whole_requests(kvorum: Endpoint, things: str, drawn: st.DataObject) -> None:
    """A few on a connection, broken anywhere: answers as long as the server can tell requests apart, then the
    end of the connection."""
    parts = [request(*drawn.draw(_requests())) for _ in range(drawn.draw(st.integers(1, 3)))]
    whole = drawn.draw(_broken(b"".join(parts)))
    with WireClient(kvorum.address) as wire, suppress(ConnectionError):
        wire.send(whole)
        wire.end()
        while True:
            _check(wire.reply())
    assert not kvorum.crashes
