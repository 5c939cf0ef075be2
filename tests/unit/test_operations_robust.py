"""Whatever a caller sends, an operation answers or says AWS's error: nothing else ever comes out."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.model.errors import ApiError
from kvorum.model.table import KeyPart, KeySchema
from tests.kit.fake_cluster import FakeCluster
from tests.kit.requests import NONSENSE, REQUESTS, Vocabulary
from tests.kit.service_model import assert_answer_fits

_VALUE = st.one_of(
    *[st.sampled_from(({"S": "a"}, {"S": "b"}, {"N": "1"}, {"S": ""}, {"L": [{"M": {}}]}))] * 4, NONSENSE
)
_KEY = st.one_of(
    st.fixed_dictionaries({"pk": st.sampled_from(({"S": "a"}, {"S": "b"}))}),
    st.fixed_dictionaries({"pk": st.just({"S": "a"}), "sk": _VALUE}),
)
_CONDITIONS = ("attribute_exists(pk)", "#n = :v", "size(a) > :v", "a IN (:v, :w)", "NOT contains(#n, :w)")
_TEXTS = {
    "TableName": ("Things", "Things", "Things", "New"),
    "KeyConditionExpression": (
        "pk = :v",
        "pk = :v AND begins_with(sk, :w)",
        "#n = :v AND sk > :w",
        "pk > :v",
    ),
    "FilterExpression": _CONDITIONS,
    "ConditionExpression": _CONDITIONS,
    "UpdateExpression": ("SET a = :v", "REMOVE #n", "SET b = if_not_exists(a, :w) + :v", "ADD a :v"),
    "ProjectionExpression": ("pk", "a.b[1], #n", "pk, pk"),
    "IndexName": ("GSI1",),
    "AttributeName": ("pk", "sk"),
    "AttributesToGet": ("pk", "a", "b"),
    "ExpressionAttributeNames": ("pk", "a", "c"),
    "ExclusiveStartTableName": ("New", "Things"),
    "Statement": (
        'SELECT * FROM "Things" WHERE pk = ?',
        "SELECT a FROM Things WHERE pk IN ['a', ?] AND sk > 'a' ORDER BY pk DESC",
        "INSERT INTO Things VALUE {'pk': ?, 'sk': 'c'}",
        "UPDATE Things SET a = a + ? WHERE pk = 'a' AND sk = 'a' RETURNING ALL NEW *",
        "DELETE FROM Things WHERE pk = 'a' AND sk = ?",
        "SELECT",
    ),
    "ResourceArn": ("arn:aws:dynamodb:eu-test-1:123456789012:table/Things", "arn:a:b:c:d:e/f", "x"),
}
_NAMES = {"ExpressionAttributeNames": ("#n", "#m"), "RequestItems": ("Things", "Things", "Absent")}
_MAPS = {
    "Key": _KEY,
    "Keys": _KEY,
    "ExclusiveStartKey": _KEY,
    "Item": st.fixed_dictionaries({"pk": _VALUE}, optional={"sk": _VALUE, "a": _VALUE}),
    "ExpressionAttributeValues": st.fixed_dictionaries({":v": _VALUE}, optional={":w": _VALUE}),
}


@pytest.mark.parametrize("operation", sorted(REQUESTS))
@settings(max_examples=60)
@given(data=st.data(), sane=st.booleans(), ranged=st.booleans())
def test_nothing_but_answers_and_api_errors(
    operation: str, data: st.DataObject, sane: bool, ranged: bool
) -> None:
    vocabulary = Vocabulary(texts=_TEXTS, names=_NAMES, maps=_MAPS, sane=sane)
    body = data.draw(vocabulary.request(operation))
    cluster = FakeCluster()
    cluster.add_table("Things", KeySchema(KeyPart("pk", "S"), KeyPart("sk", "S") if ranged else None))
    for sort in ("a", "b"):
        item = {"pk": {"S": "a"}, "sk": {"S": sort}, "a": {"N": "1"}}
        cluster.call("PutItem", TableName="Things", Item=item)
    with suppress(ApiError):
        assert_answer_fits(operation, cluster.call(operation, **body))
