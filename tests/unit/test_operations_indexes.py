"""Reading through indexes, and what writes to indexed tables are refused, answered and charged."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.model import record, values
from kvorum.model.errors import ApiError
from kvorum.model.table import IndexStatus, Table
from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits

Attributes = dict[str, dict[str, Any]]


def definition(*, local: bool = True, **projections: dict[str, Any]) -> dict[str, Any]:
    """A table pk (S), sk (N); global indexes all, keys and some by g (S) and r (N), hash by g alone, many by g, h and r,
    t; local indexes local and narrow by r."""
    pair = [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}]
    near = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}]
    many = [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in (("g", "HASH"), ("h", "HASH"), ("r", "RANGE"), ("t", "RANGE"))
    ]
    whole: dict[str, Any] = {"ProjectionType": "ALL"}
    keys_only: dict[str, Any] = {"ProjectionType": "KEYS_ONLY"}
    some: dict[str, Any] = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["shown"]}
    return {
        "TableName": "Things",
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("pk", "S"), ("sk", "N"), ("g", "S"), ("h", "S"), ("r", "N"), ("t", "S"))
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [
            {"IndexName": "all", "KeySchema": pair, "Projection": whole},
            {"IndexName": "keys", "KeySchema": pair, "Projection": keys_only},
            {"IndexName": "some", "KeySchema": pair, "Projection": some},
            {"IndexName": "hash", "KeySchema": pair[:1], "Projection": keys_only},
            {"IndexName": "many", "KeySchema": many, "Projection": whole},
        ],
        "LocalSecondaryIndexes": [
            {"IndexName": "local", "KeySchema": near, "Projection": whole},
            {"IndexName": "narrow", "KeySchema": near, "Projection": some},
        ],
    }


def new_cluster(partitions: int = 3) -> FakeCluster:
    cluster = FakeCluster(partitions=partitions)
    cluster.call("CreateTable", **definition())
    cluster.settle()
    return cluster


def item(pk: str, sk: str, **attributes: str | dict[str, Any]) -> Attributes:
    """r is a number, other attributes are strings unless they are values already."""
    whole: Attributes = {"pk": {"S": pk}, "sk": {"N": sk}}
    for name, content in attributes.items():
        kind = "N" if name == "r" else "S"
        whole[name] = content if isinstance(content, dict) else {kind: content}
    return whole


def put(cluster: FakeCluster, whole: Attributes, **more: Any) -> dict[str, Any]:
    return cluster.call("PutItem", TableName="Things", Item=whole, **more)


def query(cluster: FakeCluster, index: str, condition: str, given: Attributes, **more: Any) -> dict[str, Any]:
    answer = cluster.call(
        "Query",
        TableName="Things",
        IndexName=index,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=given,
        **more,
    )
    assert_answer_fits("Query", answer)
    return answer


def pages(cluster: FakeCluster, operation: str, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    start: dict[str, Any] = {}
    while True:
        answer = cluster.call(operation, TableName="Things", **body, **start)
        found.append(answer)
        if "LastEvaluatedKey" not in answer:
            return found
        assert len(found) < 200, "pages without end"
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def table_of(cluster: FakeCluster) -> Table:
    return cluster.directory.tables["Things"]


# ---- pages against a sorted list -----------------------------------------------------------------------------

_FEW = st.sampled_from(["-1", "0", "0.5", "10"])
_NAMES = st.sampled_from("ab")


@st.composite
def _tables(draw: st.DrawFn) -> list[Attributes]:
    """Items of many equal index keys, some without them."""
    keys = draw(st.sets(st.tuples(_NAMES, st.integers(-9, 9)), max_size=14))
    whole: list[Attributes] = []
    for pk, sk in sorted(keys):
        made = item(pk, str(sk), odd={"BOOL": sk % 2 == 1})
        for name, content in (("g", _NAMES), ("h", _NAMES), ("r", _FEW), ("t", _NAMES)):
            if draw(st.integers(0, 5)):
                made |= {name: {"N" if name == "r" else "S": draw(content)}}
        whole.append(made)
    return whole


def _key(whole: Attributes) -> tuple[str, Decimal]:
    return whole["pk"]["S"], Decimal(whole["sk"]["N"])


_INDEX_KEYS = {
    "all": ("g", "r"),
    "keys": ("g", "r"),
    "some": ("g", "r"),
    "hash": ("g",),
    "many": ("g", "h", "r", "t"),
    "local": ("pk", "r"),
    "narrow": ("pk", "r"),
}
_CONDITIONS: dict[str, Any] = {
    "": lambda _value, _low, _high: True,
    " AND r = :low": lambda value, low, _high: value == low,
    " AND r < :low": lambda value, low, _high: value < low,
    " AND r <= :low": lambda value, low, _high: value <= low,
    " AND r > :low": lambda value, low, _high: value > low,
    " AND r >= :low": lambda value, low, _high: value >= low,
    " AND r BETWEEN :low AND :high": lambda value, low, high: low <= value <= high,
}


@settings(max_examples=120, deadline=None)
@given(
    whole=_tables(),
    index=st.sampled_from(sorted(_INDEX_KEYS)),
    condition=st.sampled_from(sorted(_CONDITIONS)),
    bounds=st.tuples(_FEW, _FEW).map(lambda pair: sorted(pair, key=Decimal)),
    forward=st.booleans(),
    limit=st.none() | st.integers(1, 5),
    page_items_max=st.integers(0, 3),
    odd_only=st.booleans(),
)
def test_query_pages_of_an_index_neither_skip_nor_repeat(
    whole: list[Attributes],
    index: str,
    condition: str,
    bounds: list[str],
    forward: bool,
    limit: int | None,
    page_items_max: int,
    odd_only: bool,
) -> None:
    cluster = new_cluster()
    for each in whole:
        put(cluster, each)
    cluster.page_items_max = page_items_max
    names = _INDEX_KEYS[index]
    if "r" not in names:
        condition = ""
    placeholders: Attributes = {":p": {"S": "a"}}
    text = f"{names[0]} = :p"
    if index == "many":
        text += " AND h = :h"
        placeholders[":h"] = {"S": "b"}
    text += condition
    for placeholder, bound in zip((":low", ":high"), bounds, strict=True):
        if placeholder in text:
            placeholders[placeholder] = {"N": bound}
    body: dict[str, Any] = {"IndexName": index, "KeyConditionExpression": text, "ScanIndexForward": forward}
    if limit is not None:
        body["Limit"] = limit
    filtered = odd_only and index in ("all", "many", "local")
    if filtered:
        body["FilterExpression"] = "odd = :odd"
        placeholders[":odd"] = {"BOOL": True}
    answers = pages(cluster, "Query", **body, ExpressionAttributeValues=placeholders)

    holds = _CONDITIONS[condition]
    low, high = map(Decimal, bounds)
    matching = [
        each
        for each in whole
        if all(name in each for name in names)
        and each[names[0]]["S"] == "a"
        and (index != "many" or each["h"]["S"] == "b")
        and (not condition or holds(Decimal(each["r"]["N"]), low, high))
    ]
    kept = [each for each in matching if not filtered or each["odd"]["BOOL"]]
    found = [each for answer in answers for each in answer["Items"]]
    assert sorted(map(_key, found)) == sorted(map(_key, kept)), "each once"
    if "r" in names:
        order = [Decimal(each["r"]["N"]) for each in found]
        assert order == sorted(order, reverse=not forward)
    assert sum(answer["ScannedCount"] for answer in answers) == len(matching)
    for answer in answers[:-1]:
        assert answer["ScannedCount"] == limit
        assert set(answer["LastEvaluatedKey"]) == {"pk", "sk", *names}
    if index in ("all", "many", "local"):
        by_key = {_key(each): each for each in whole}
        assert all(each == by_key[_key(each)] for each in found), "whole items"


@settings(max_examples=60, deadline=None)
@given(
    whole=_tables(),
    index=st.sampled_from(sorted(_INDEX_KEYS)),
    partitions=st.integers(1, 4),
    segments=st.integers(1, 5),
    limit=st.none() | st.integers(1, 5),
)
def test_segments_of_an_index_are_disjoint_and_complete(
    whole: list[Attributes], index: str, partitions: int, segments: int, limit: int | None
) -> None:
    cluster = new_cluster(partitions)
    for each in whole:
        put(cluster, each)
    body: dict[str, Any] = {"IndexName": index}
    if limit is not None:
        body["Limit"] = limit
    seen: list[tuple[str, Decimal]] = []
    for segment in range(segments):
        more = {"Segment": segment, "TotalSegments": segments}
        for answer in pages(cluster, "Scan", **body, **more):
            seen += map(_key, answer["Items"])
    entered = [_key(each) for each in whole if all(name in each for name in _INDEX_KEYS[index])]
    assert sorted(seen) == sorted(entered)


@settings(max_examples=40, deadline=None)
@given(
    whole=_tables(), changes=st.lists(st.tuples(_NAMES, st.integers(-9, 9), st.integers(0, 2)), max_size=12)
)
def test_what_an_index_holds_is_what_its_table_shows_there(
    whole: list[Attributes], changes: list[tuple[str, int, int]]
) -> None:
    cluster = new_cluster()
    held = {_key(each): each for each in whole}
    for each in whole:
        put(cluster, each)
    for pk, sk, change in changes:
        key = item(pk, str(sk))
        if change == 0:
            cluster.call("DeleteItem", TableName="Things", Key=key)
            held.pop(_key(key), None)
        else:
            text, given = ("SET g = :g", {":g": {"S": "b"}}) if change == 1 else ("REMOVE g", None)
            more = {} if given is None else {"ExpressionAttributeValues": given}
            cluster.call("UpdateItem", TableName="Things", Key=key, UpdateExpression=text, **more)
            if change == 1:
                held[_key(key)] = held.get(_key(key), key) | {"g": {"S": "b"}}
            elif _key(key) in held:
                held[_key(key)] = {name: value for name, value in held[_key(key)].items() if name != "g"}
    found = cluster.call("Scan", TableName="Things", IndexName="hash")["Items"]
    assert sorted(map(_key, found)) == sorted(key for key, each in held.items() if "g" in each)


# ---- what comes back -------------------------------------------------------------------------------------------

_BY_G: Attributes = {":g": {"S": "x"}}
_BY_PK: Attributes = {":p": {"S": "a"}}


@pytest.fixture
def cluster() -> FakeCluster:
    made = new_cluster()
    for sk, r in (("1", "5"), ("2", "5"), ("3", "7")):
        put(made, item("a", sk, g="x", h="y", r=r, t=f"t{sk}", shown="seen", dark="h" * 200))
    put(made, item("a", "4", dark="alone"))
    return made


def attributes_of(answer: dict[str, Any]) -> set[str]:
    return {name for each in answer["Items"] for name in each}


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("all", {"pk", "sk", "g", "h", "r", "t", "shown", "dark"}),
        ("keys", {"pk", "sk", "g", "r"}),
        ("some", {"pk", "sk", "g", "r", "shown"}),
        ("hash", {"pk", "sk", "g"}),
    ],
)
def test_a_global_index_shows_what_it_projects(cluster: FakeCluster, index: str, expected: set[str]) -> None:
    for select in ({}, {"Select": "ALL_PROJECTED_ATTRIBUTES"}):
        answer = query(cluster, index, "g = :g", _BY_G, **select)
        assert attributes_of(answer) == expected
        assert answer["Count"] == 3
    assert query(cluster, index, "g = :g", _BY_G, Select="COUNT") == {"Count": 3, "ScannedCount": 3}
    assert attributes_of(cluster.call("Scan", TableName="Things", IndexName=index)) == expected


def test_a_local_index_fetches_what_it_does_not_project(cluster: FakeCluster) -> None:
    projected = query(cluster, "narrow", "pk = :p", _BY_PK)
    assert attributes_of(projected) == {"pk", "sk", "r", "shown"}
    for more in (
        {"Select": "ALL_ATTRIBUTES"},
        {"ProjectionExpression": "pk, sk, dark"},
    ):
        answer = query(cluster, "narrow", "pk = :p", _BY_PK, **more)
        assert all(each["dark"] == {"S": "h" * 200} for each in answer["Items"]), more
        assert answer["Count"] == 3
    limited = query(cluster, "narrow", "pk = :p", _BY_PK, Select="ALL_ATTRIBUTES", Limit=2)
    assert limited["LastEvaluatedKey"] == item("a", "2", r="5")
    rest = query(
        cluster,
        "narrow",
        "pk = :p",
        _BY_PK,
        Select="ALL_ATTRIBUTES",
        ExclusiveStartKey=limited["LastEvaluatedKey"],
    )
    assert [each["sk"]["N"] for each in rest["Items"]] == ["3"]


def test_only_a_local_index_reads_strongly(cluster: FakeCluster) -> None:
    before = cluster.strong_reads
    query(cluster, "local", "pk = :p", _BY_PK, ConsistentRead=True)
    assert cluster.strong_reads == before + 1


def test_a_scans_filter_does_not_see_what_an_index_does_not_hold(cluster: FakeCluster) -> None:
    body = {"TableName": "Things", "FilterExpression": "attribute_exists(dark)"}
    assert cluster.call("Scan", **body, IndexName="all")["Count"] == 3
    for index in ("keys", "some", "narrow"):
        answer = cluster.call("Scan", **body, IndexName=index)
        assert (answer["Count"], answer["ScannedCount"]) == (0, 3)


def test_the_tables_own_key_may_be_filtered_where_it_is_not_the_indexs(cluster: FakeCluster) -> None:
    given = {**_BY_G, ":n": {"N": "1"}}
    assert query(cluster, "keys", "g = :g", given, FilterExpression="sk > :n")["Count"] == 2


def test_the_older_parameters_go_through_indexes_too(cluster: FakeCluster) -> None:
    def asked(index: str, name: str, value: str, **more: Any) -> dict[str, Any]:
        condition = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": value}]}
        return {"TableName": "Things", "IndexName": index, "KeyConditions": {name: condition}, **more}

    assert attributes_of(cluster.call("Query", **asked("some", "g", "x"))) == {"pk", "sk", "g", "r", "shown"}
    fetched = asked("narrow", "pk", "a", AttributesToGet=["dark"])
    assert len(cluster.call("Query", **fetched)["Items"]) == 3
    assert cluster.error("Query", **asked("some", "g", "x", AttributesToGet=["dark", "g"])) == (
        "ValidationException: One or more parameter values were invalid: "
        "Global secondary index some does not project [dark]"
    )
    present = {"ComparisonOperator": "NOT_NULL"}
    assert cluster.error("Query", **asked("some", "g", "x", QueryFilter={"dark": present})) == (
        "ValidationException: One or more parameter values were invalid: "
        "Secondary index some does not project one or more filter attributes: [dark]"
    )
    assert cluster.error("Query", **asked("some", "g", "x", QueryFilter={"r": present})) == (
        "ValidationException: QueryFilter can only contain non-primary key attributes: Primary key attribute: r"
    )
    assert cluster.call("Query", **asked("some", "g", "x", QueryFilter={"shown": present}))["Count"] == 3
    wrong = {"g": {"ComparisonOperator": "NE", "AttributeValueList": [{"S": "x"}]}}
    assert cluster.error("Query", **{**asked("some", "g", "x"), "KeyConditions": wrong}) == (
        "ValidationException: Attempted conditional constraint is not an indexable operation"
    )


def test_conditions_on_a_key_of_several_attributes(cluster: FakeCluster) -> None:
    both: Attributes = {":g": {"S": "x"}, ":h": {"S": "y"}}
    assert query(cluster, "many", "g = :g AND h = :h", both)["Count"] == 3
    five = {**both, ":r": {"N": "5"}}
    assert query(cluster, "many", "g = :g AND h = :h AND r = :r", five)["Count"] == 2
    prefixed = {**five, ":t": {"S": "t2"}}
    answer = query(cluster, "many", "h = :h AND begins_with(t, :t) AND r = :r AND g = :g", prefixed)
    assert [each["sk"]["N"] for each in answer["Items"]] == ["2"]
    older = {name[1:]: ("BEGINS_WITH" if name == ":t" else "EQ", value) for name, value in prefixed.items()}
    conditions = {
        name: {"ComparisonOperator": operator, "AttributeValueList": [value]}
        for name, (operator, value) in older.items()
    }
    assert cluster.call("Query", TableName="Things", IndexName="many", KeyConditions=conditions) == answer


# ---- refusals ------------------------------------------------------------------------------------------------

_INVALID = "ValidationException: One or more parameter values were invalid: "
_UNEQUAL = "ValidationException: HASH key attributes "
_BAD_START = "ValidationException: The provided starting key is invalid"
_NO_MATCH = "The provided key element does not match the schema"
_START = item("a", "1", g="x", r="5")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (
            {"IndexName": "none", "ExclusiveStartKey": {}},
            "ValidationException: The table does not have the specified index: none",
        ),
        (
            {"ConsistentRead": True, "ExclusiveStartKey": {}},
            "ValidationException: Consistent reads are not supported on global secondary indexes",
        ),
        (
            {"Select": "ALL_ATTRIBUTES"},
            _INVALID + "Select type ALL_ATTRIBUTES is not supported for global secondary index some "
            "because its projection type is not ALL",
        ),
        (
            {"ProjectionExpression": "dark.x, shown, h"},
            _INVALID + "Global secondary index some does not project [dark, h]",
        ),
        (
            {"FilterExpression": "attribute_exists(dark)"},
            _INVALID + "Secondary index some does not project one or more filter attributes: [dark]",
        ),
        (
            {
                "IndexName": "narrow",
                "KeyConditionExpression": "pk = :g",
                "FilterExpression": "attribute_exists(g)",
            },
            _INVALID + "Secondary index narrow does not project one or more filter attributes: [g]",
        ),
        (
            {"FilterExpression": "attribute_exists(r)"},
            (
                "ValidationException: Filter Expression can only contain non-primary key attributes: "
                "Primary key attribute: r"
            ),
        ),
        (
            {"KeyConditionExpression": "pk = :g"},
            "ValidationException: Query condition missed key schema element: g",
        ),
        ({"KeyConditionExpression": "g > :g"}, "ValidationException: Query key condition not supported"),
        (
            {"KeyConditionExpression": "g = :g AND r = :g"},
            _INVALID + "Condition parameter type does not match schema type",
        ),
        ({"ExclusiveStartKey": item("a", "1")}, _BAD_START),
        ({"ExclusiveStartKey": item("a", "1", g="x", h="5")}, _BAD_START),
        ({"ExclusiveStartKey": item("a", "1", g="x", r={"S": "5"})}, f"ValidationException: {_NO_MATCH}"),
        (
            {"ExclusiveStartKey": item("a", "1", g="x", r="5") | {"sk": {"S": "1"}}},
            f"{_BAD_START}: {_NO_MATCH}",
        ),
        (
            {"ExclusiveStartKey": {**_START, "g": {"S": "other"}}},
            (
                "ValidationException: "
                "The provided starting key is outside query boundaries based on provided conditions"
            ),
        ),
        (
            {
                "KeyConditionExpression": "g = :g AND r > :r",
                "ExpressionAttributeValues": {":g": {"S": "x"}, ":r": {"N": "5"}},
                "ExclusiveStartKey": _START,
            },
            "ValidationException: The provided starting key does not match the range key predicate",
        ),
        (
            {"IndexName": "many", "KeyConditionExpression": "g = :g"},
            f"{_UNEQUAL}h must have equality conditions specified in the query",
        ),
        (
            {"IndexName": "many", "KeyConditionExpression": "g = :g AND begins_with(h, :g)"},
            f"{_UNEQUAL}h must have equality conditions specified in the query",
        ),
        (
            {"IndexName": "many", "KeyConditionExpression": "t = :g AND g > :g"},
            f"{_UNEQUAL}g, h must have equality conditions specified in the query",
        ),
        (
            {
                "IndexName": "many",
                "KeyConditionExpression": "g = :n",
                "ExpressionAttributeValues": {":n": {"N": "1"}},
            },
            _INVALID + "Condition parameter type does not match schema type",
        ),
        (
            {"IndexName": "many", "KeyConditionExpression": "g = :g AND h = :g AND t = :g"},
            (
                "ValidationException: RANGE key attributes r must have equality conditions specified in the query "
                "because a condition is present on key attribute t"
            ),
        ),
        (
            {"IndexName": "many", "KeyConditionExpression": "g = :g AND h = :g AND sk = :g"},
            "ValidationException: Query condition missed key schema element: r",
        ),
        (
            {
                "IndexName": "many",
                "KeyConditionExpression": "g = :g AND h = :g AND r > :r AND t = :g",
                "ExpressionAttributeValues": {":g": {"S": "x"}, ":r": {"N": "5"}},
            },
            (
                "ValidationException: RANGE key attributes r must have equality conditions specified in the query "
                "because a condition is present on key attribute t"
            ),
        ),
    ],
)
def test_a_query_of_an_index_is_refused_in_awss_words(
    cluster: FakeCluster, more: dict[str, Any], error: str
) -> None:
    body: dict[str, Any] = {
        "TableName": "Things",
        "IndexName": "some",
        "KeyConditionExpression": "g = :g",
        "ExpressionAttributeValues": _BY_G,
    }
    assert cluster.error("Query", **{**body, **more}) == error


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"IndexName": "none"}, "ValidationException: The table does not have the specified index: none"),
        (
            {"ConsistentRead": True},
            "ValidationException: Consistent reads are not supported on global secondary indexes",
        ),
        (
            {"Select": "ALL_ATTRIBUTES", "ExclusiveStartKey": _START | {"sk": {"S": "1"}}},
            _INVALID + "Select type ALL_ATTRIBUTES is not supported for global secondary index some "
            "because its projection type is not ALL",
        ),
        (
            {"ProjectionExpression": "dark"},
            _INVALID + "Global secondary index some does not project [dark]",
        ),
        ({"ExclusiveStartKey": item("a", "1")}, _BAD_START),
        ({"ExclusiveStartKey": {**_START, "r": {"S": "1"}}}, f"ValidationException: {_NO_MATCH}"),
        ({"ExclusiveStartKey": {**_START, "pk": {"N": "1"}}}, f"{_BAD_START}: {_NO_MATCH}"),
    ],
)
def test_a_scan_of_an_index_is_refused_in_awss_words(
    cluster: FakeCluster, more: dict[str, Any], error: str
) -> None:
    assert cluster.error("Scan", **{"TableName": "Things", "IndexName": "some", **more}) == error


_ANY_VALUE = st.sampled_from(
    [
        {"S": "x"},
        {"S": ""},
        {"S": "x" * 2_100},
        {"N": "1"},
        {"N": "x"},
        {"B": ""},
        {"SS": ["x"]},
        {"M": {}},
        {},
    ]
)
_ANY_START = st.dictionaries(st.sampled_from(["pk", "sk", "g", "h", "r", "t", "zz"]), _ANY_VALUE, max_size=6)
_USUAL_START = st.fixed_dictionaries(
    {"pk": st.just({"S": "a"}), "sk": st.just({"N": "1"})},
    optional={"g": _ANY_VALUE, "h": _ANY_VALUE, "r": _ANY_VALUE, "t": _ANY_VALUE},
)


@settings(max_examples=300, deadline=None)
@given(
    index=st.none() | st.sampled_from(sorted(_INDEX_KEYS)),
    start=_ANY_START | _USUAL_START,
    condition=st.sampled_from(
        [
            "g = :v",
            "pk = :v",
            "g = :v AND r > :w",
            "pk = :v AND r = :w",
            "g = :v AND h = :v AND r BETWEEN :w AND :w",
        ]
    ),
    one=_ANY_VALUE,
    two=_ANY_VALUE,
    scan=st.booleans(),
)
def test_any_start_key_and_condition_is_answered_or_refused(
    index: str | None, start: Attributes, condition: str, one: Any, two: Any, scan: bool
) -> None:
    body: dict[str, Any] = {"TableName": "Things", "ExclusiveStartKey": start}
    if index is not None:
        body["IndexName"] = index
    if not scan:
        body["KeyConditionExpression"] = condition
        body["ExpressionAttributeValues"] = {":v": one} | ({":w": two} if ":w" in condition else {})
    code = "ValidationException"
    try:
        _EMPTY_CLUSTER.call("Scan" if scan else "Query", **body)
    except ApiError as error:
        code = error.code
    assert code == "ValidationException"


_EMPTY_CLUSTER = new_cluster()


def test_an_index_is_not_read_before_it_is_complete_nor_when_it_goes(cluster: FakeCluster) -> None:
    update = {
        "TableName": "Things",
        "AttributeDefinitions": [{"AttributeName": "late", "AttributeType": "S"}],
        "GlobalSecondaryIndexUpdates": [
            {
                "Create": {
                    "IndexName": "late",
                    "KeySchema": [{"AttributeName": "late", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    }
    cluster.call("UpdateTable", **update)
    while table_of(cluster).indexes[-1].status is IndexStatus.CREATING:
        assert cluster.error("Scan", TableName="Things", IndexName="late") == (
            "ValidationException: Cannot read from backfilling global secondary index: late"
        )
        assert cluster.step()
    assert cluster.call("Scan", TableName="Things", IndexName="late")["Count"] == 0
    gone = {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "late"}}]}
    cluster.call("UpdateTable", TableName="Things", **gone)
    assert cluster.error("Scan", TableName="Things", IndexName="late") == (
        "ValidationException: The table does not have the specified index: late"
    )
    put(cluster, item("a", "1", late={"N": "1"}))


# ---- writes ----------------------------------------------------------------------------------------------------

_UNSUPPORTED = "ValidationException: The update expression attempted to update the secondary index key to unsupported type"
_MISMATCH = _INVALID + "Type mismatch for Index Key r Expected: N Actual: S IndexName: all"
_EMPTY = (
    "ValidationException: One or more parameter values are not valid. The update expression attempted to update a "
    "secondary index key to a value that is not supported. "
    "The AttributeValue for a key attribute cannot contain an empty string value."
)


def test_items_that_do_not_fit_an_index_are_not_put(cluster: FakeCluster) -> None:
    bad = item("b", "1", r={"S": "1"})
    assert cluster.error("PutItem", TableName="Things", Item=bad) == _MISMATCH
    batch = {"Things": [{"PutRequest": {"Item": bad}}]}
    assert cluster.error("BatchWriteItem", RequestItems=batch) == _MISMATCH
    insert = "INSERT INTO Things VALUE {'pk': 'b', 'sk': 1, 'r': '1'}"
    assert cluster.error("ExecuteStatement", Statement=insert) == _MISMATCH


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"UpdateExpression": "SET r = :s"}, _MISMATCH),
        ({"UpdateExpression": "SET g = :e"}, _EMPTY),
        ({"UpdateExpression": "SET r = shown"}, _UNSUPPORTED),
        ({"UpdateExpression": "SET g = if_not_exists(absent, r)"}, _UNSUPPORTED),
        ({"AttributeUpdates": {"r": {"Value": {"S": "1"}}}}, _MISMATCH),
        (
            {"UpdateExpression": "SET r.x = :s"},
            (
                "ValidationException: Key attributes must be scalars; list random access '[]' and map lookup '.' "
                "are not allowed: IndexKey: r"
            ),
        ),
    ],
)
def test_updates_that_would_not_fit_an_index(cluster: FakeCluster, more: dict[str, Any], error: str) -> None:
    given: Attributes = {":s": {"S": "1"}, ":e": {"S": ""}}
    used = {name: value for name, value in given.items() if name in str(more.get("UpdateExpression"))}
    body = {"TableName": "Things", "Key": item("a", "1"), **more}
    if used:
        body["ExpressionAttributeValues"] = used
    assert cluster.error("UpdateItem", **body) == error
    assert query(cluster, "all", "g = :g", _BY_G)["Count"] == 3


def test_an_item_that_never_fitted_can_only_be_updated_to_fit(cluster: FakeCluster) -> None:
    """It was there before its index."""
    update = {
        "TableName": "Things",
        "AttributeDefinitions": [{"AttributeName": "shown", "AttributeType": "N"}],
        "GlobalSecondaryIndexUpdates": [
            {
                "Create": {
                    "IndexName": "late",
                    "KeySchema": [{"AttributeName": "shown", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    }
    cluster.call("UpdateTable", **update)
    cluster.settle()
    body = {"TableName": "Things", "Key": item("a", "1"), "ExpressionAttributeValues": {":n": {"N": "1"}}}
    assert cluster.error("UpdateItem", **body, UpdateExpression="SET later = :n") == _UNSUPPORTED
    cluster.call("UpdateItem", **body, UpdateExpression="SET shown = :n")
    assert cluster.call("Scan", TableName="Things", IndexName="late")["Count"] == 1


# ---- capacity ----------------------------------------------------------------------------------------------------


def arms(answer: dict[str, Any]) -> dict[str, float]:
    """By name: "" for the total, "table" for the table's arm."""
    consumed = answer["ConsumedCapacity"]
    found = {"": consumed["CapacityUnits"], "table": consumed["Table"]["CapacityUnits"]}
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        for name, units in consumed.get(member, {"": None}).items():
            if name:
                assert set(units) == {"CapacityUnits"}
                found[name] = units["CapacityUnits"]
    return found


def _all_of(units: float, total: float, table: float = 1.0) -> dict[str, float]:
    everywhere = ("all", "keys", "some", "hash", "many", "local", "narrow")
    return {"": total, "table": table, **dict.fromkeys(everywhere, units)}


def test_a_write_is_charged_at_every_index_that_it_changes() -> None:
    """The ladder of the developer guide; the figures as AWS answered a public suite."""
    cluster = new_cluster()
    asked = {"ReturnConsumedCapacity": "INDEXES"}
    whole = item("a", "1", g="x", h="y", r="5", t="z", shown="1", dark="1")
    sparse = put(cluster, item("s", "1", dark="1"), **asked)
    assert sparse["ConsumedCapacity"] == {
        "TableName": "Things",
        "CapacityUnits": 1.0,
        "Table": {"CapacityUnits": 1.0},
    }
    assert arms(put(cluster, whole, **asked)) == _all_of(1.0, 8.0)
    assert arms(put(cluster, whole, **asked)) == {"": 1.0, "table": 1.0}, "nothing changes"
    total = put(cluster, {**whole, "dark": {"S": "2"}}, ReturnConsumedCapacity="TOTAL")
    assert total["ConsumedCapacity"] == {"TableName": "Things", "CapacityUnits": 4.0}

    def update(text: str, **given: dict[str, Any]) -> dict[str, float]:
        values_given = {f":{name}": value for name, value in given.items()}
        body = {"TableName": "Things", "Key": item("a", "1"), "UpdateExpression": text, **asked}
        if values_given:
            body["ExpressionAttributeValues"] = values_given
        answer = cluster.call("UpdateItem", **body)
        assert_answer_fits("UpdateItem", answer)
        return arms(answer)

    assert update("SET dark = :v", v={"S": "3"}) == {
        "": 4.0,
        "table": 1.0,
        "all": 1.0,
        "many": 1.0,
        "local": 1.0,
    }
    assert update("SET shown = :v", v={"S": "3"}) == {
        "": 6.0,
        "table": 1.0,
        "all": 1.0,
        "some": 1.0,
        "many": 1.0,
        "local": 1.0,
        "narrow": 1.0,
    }
    moved = update("SET g = :v", v={"S": "elsewhere"})
    assert moved == {
        "": 12.0,
        "table": 1.0,
        "local": 1.0,
        **dict.fromkeys(("all", "keys", "some", "hash", "many"), 2.0),
    }
    removed = update("REMOVE g")
    assert removed == {
        "": 7.0,
        "table": 1.0,
        "local": 1.0,
        **dict.fromkeys(("all", "keys", "some", "hash", "many"), 1.0),
    }
    deleted = cluster.call("DeleteItem", TableName="Things", Key=item("a", "1"), **asked)
    assert arms(deleted) == {"": 3.0, "table": 1.0, "local": 1.0, "narrow": 1.0}
    nothing = cluster.call("DeleteItem", TableName="Things", Key=item("a", "1"), **asked)
    assert arms(nothing) == {"": 1.0, "table": 1.0}


def test_a_batch_and_a_statement_are_charged_as_their_writes_are() -> None:
    cluster = new_cluster()
    body = {
        "RequestItems": {
            "Things": [
                {"PutRequest": {"Item": item("a", "1", g="x", shown="1")}},
                {"PutRequest": {"Item": item("a", "2", dark="h")}},
                {"DeleteRequest": {"Key": item("a", "3")}},
            ]
        },
        "ReturnConsumedCapacity": "INDEXES",
    }
    answer = cluster.call("BatchWriteItem", **body)
    assert_answer_fits("BatchWriteItem", answer)
    assert arms({"ConsumedCapacity": answer["ConsumedCapacity"][0]}) == {"": 4.0, "table": 3.0, "hash": 1.0}
    statement = "UPDATE Things SET g = 'z' WHERE pk = 'a' AND sk = 1"
    answer = cluster.call("ExecuteStatement", Statement=statement, ReturnConsumedCapacity="INDEXES")
    assert arms(answer) == {"": 3.0, "table": 1.0, "hash": 2.0}
    answer = cluster.call(
        "BatchExecuteStatement", Statements=[{"Statement": statement}], ReturnConsumedCapacity="INDEXES"
    )
    assert arms({"ConsumedCapacity": answer["ConsumedCapacity"][0]}) == {"": 1.0, "table": 1.0}


def test_reading_an_index_is_charged_to_it(cluster: FakeCluster) -> None:
    asked = {"ReturnConsumedCapacity": "INDEXES"}
    answer = query(cluster, "all", "g = :g", _BY_G, **asked)
    assert answer["ConsumedCapacity"] == {
        "TableName": "Things",
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0.0},
        "GlobalSecondaryIndexes": {"all": {"CapacityUnits": 0.5}},
    }
    assert arms(query(cluster, "all", "g = :g", {":g": {"S": "none"}}, **asked)) == {
        "": 0.5,
        "table": 0.0,
        "all": 0.5,
    }
    assert arms(query(cluster, "local", "pk = :p", _BY_PK, ConsistentRead=True, **asked)) == {
        "": 1.0,
        "table": 0.0,
        "local": 1.0,
    }
    fetched = {"ProjectionExpression": "dark"}
    assert arms(query(cluster, "narrow", "pk = :p", _BY_PK, **fetched, **asked)) == {
        "": 2.0,
        "table": 1.5,
        "narrow": 0.5,
    }
    assert arms(query(cluster, "narrow", "pk = :p", _BY_PK, ConsistentRead=True, **fetched, **asked)) == {
        "": 4.0,
        "table": 3.0,
        "narrow": 1.0,
    }
    total = query(cluster, "narrow", "pk = :p", _BY_PK, **fetched, ReturnConsumedCapacity="TOTAL")
    assert total["ConsumedCapacity"] == {"TableName": "Things", "CapacityUnits": 2.0}
    counted = query(cluster, "narrow", "pk = :p", _BY_PK, Select="COUNT", **asked)
    assert arms(counted) == {"": 0.5, "table": 0.0, "narrow": 0.5}


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(60, 20_000), min_size=1, max_size=40),
    strong=st.booleans(),
    index=st.sampled_from(["all", "keys", "local", "narrow"]),
)
def test_a_page_is_rounded_once_and_a_fetched_item_by_itself(
    sizes: list[int], strong: bool, index: str
) -> None:
    cluster = new_cluster()
    for position, size in enumerate(sizes):
        put(cluster, item("a", str(position), g="x", r=str(position % 3), dark="h" * size))
    table = table_of(cluster)
    half = 1 if strong and index in ("local", "narrow") else 2
    more: dict[str, Any] = {"ConsistentRead": True} if half == 1 else {}
    if index == "narrow":
        more["Select"] = "ALL_ATTRIBUTES"
    name, given = ("g = :g", _BY_G) if index in ("all", "keys") else ("pk = :p", _BY_PK)
    answers = pages(
        cluster,
        "Query",
        IndexName=index,
        KeyConditionExpression=name,
        ExpressionAttributeValues=given,
        ReturnConsumedCapacity="INDEXES",
        **more,
    )
    (entries,) = (cluster.stores[each.id] for each in table.indexes if each.name == index)
    by_key = {
        values.loads(record.json_of(each))["sk"]["N"]: record.size_of(each) for each in entries.values()
    }
    items = {
        values.loads(record.json_of(each))["sk"]["N"]: record.size_of(each)
        for each in cluster.stores[table.id].values()
    }
    assert sum(len(answer["Items"]) for answer in answers) == len(sizes)
    for answer in answers:
        read = [each["sk"]["N"] for each in answer["Items"]]
        of_index = (-(-sum(by_key[sk] for sk in read) // 4096) or 1) / half
        of_table = sum(-(-items[sk] // 4096) for sk in read) / half if index == "narrow" else 0.0
        assert arms(answer) == {"": of_index + of_table, "table": of_table, index: of_index}


def test_fetched_items_fill_a_page_as_they_are_charged() -> None:
    """1 MB of 4 KB blocks, though the items themselves are small."""
    cluster = new_cluster()
    for position in range(300):
        put(cluster, item("a", str(position), r="1", dark="h"))
    body = {"IndexName": "narrow", "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": _BY_PK}
    counts = [answer["Count"] for answer in pages(cluster, "Query", **body, Select="ALL_ATTRIBUTES")]
    assert counts == [256, 44]
    assert [answer["Count"] for answer in pages(cluster, "Query", **body)] == [300]
    for position in range(10):
        put(cluster, item("0", str(position), r="1", dark="h"))
    either = {"Statement": """SELECT dark FROM "Things"."narrow" WHERE pk IN ['0', 'a']"""}
    first = cluster.call("ExecuteStatement", **either)
    second = cluster.call("ExecuteStatement", **either, NextToken=first["NextToken"])
    assert [len(answer["Items"]) for answer in (first, second)] == [256, 54]
    assert "NextToken" not in second


# ---- item collections --------------------------------------------------------------------------------------------


def test_item_collections_are_told_where_there_are_local_indexes() -> None:
    cluster = new_cluster()
    asked = {"ReturnItemCollectionMetrics": "SIZE"}
    expected = {"ItemCollectionKey": {"pk": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}
    assert put(cluster, item("a", "1", r="1"), **asked) == {"ItemCollectionMetrics": expected}
    assert put(cluster, item("a", "1", r="1"), ReturnItemCollectionMetrics="NONE") == {}
    key = {"TableName": "Things", "Key": item("a", "1")}
    assert cluster.call("UpdateItem", **key, **asked) == {"ItemCollectionMetrics": expected}
    old = cluster.call("DeleteItem", **key, **asked, ReturnValues="ALL_OLD", ReturnConsumedCapacity="TOTAL")
    assert_answer_fits("DeleteItem", old)
    assert old["ItemCollectionMetrics"] == expected
    assert old["Attributes"] == item("a", "1", r="1")
    assert old["ConsumedCapacity"]["CapacityUnits"] == 3.0
    requests = [{"PutRequest": {"Item": item(pk, sk)}} for pk, sk in (("a", "1"), ("a", "2"), ("b", "1"))]
    batch = cluster.call("BatchWriteItem", RequestItems={"Things": requests}, **asked)
    assert_answer_fits("BatchWriteItem", batch)
    assert batch["ItemCollectionMetrics"] == {
        "Things": [expected, {**expected, "ItemCollectionKey": {"pk": {"S": "b"}}}]
    }


def test_tables_without_local_indexes_have_no_item_collections() -> None:
    cluster = FakeCluster()
    made = definition()
    del made["LocalSecondaryIndexes"]
    cluster.call("CreateTable", **made)
    cluster.settle()
    assert put(cluster, item("a", "1", g="x"), ReturnItemCollectionMetrics="SIZE") == {}


# ---- PartiQL -------------------------------------------------------------------------------------------------------


_SEVERAL = "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys."


def run(cluster: FakeCluster, statement: str, **more: Any) -> dict[str, Any]:
    answer = cluster.call("ExecuteStatement", Statement=statement, ReturnConsumedCapacity="INDEXES", **more)
    assert_answer_fits("ExecuteStatement", answer)
    return answer


def numbers_of(answer: dict[str, Any]) -> list[str]:
    return [each["sk"]["N"] for each in answer["Items"]]


def test_a_select_reads_an_index(cluster: FakeCluster) -> None:
    answer = run(cluster, """SELECT * FROM "Things"."some" WHERE g = 'x'""")
    assert attributes_of(answer) == {"pk", "sk", "g", "r", "shown"}
    assert arms(answer) == {"": 0.5, "table": 0.0, "some": 0.5}
    assert numbers_of(run(cluster, """SELECT * FROM "Things"."all" WHERE g = 'x' AND r > 5""")) == ["3"]
    descending = run(cluster, """SELECT * FROM "Things"."all" WHERE g = 'x' ORDER BY r DESC""")
    assert numbers_of(descending)[0] == "3"
    assert attributes_of(run(cluster, """SELECT * FROM "Things"."narrow" WHERE pk = 'a'""")) == {
        "pk",
        "sk",
        "r",
        "shown",
    }
    fetched = run(cluster, """SELECT dark FROM "Things"."narrow" WHERE pk = 'a'""")
    assert len(fetched["Items"]) == 3
    assert all("dark" in each for each in fetched["Items"])
    assert arms(fetched) == {"": 2.0, "table": 1.5, "narrow": 0.5}


def test_pages_of_a_select_from_an_index(cluster: FakeCluster) -> None:
    for statement in (
        """SELECT sk FROM "Things"."all" WHERE g = 'x'""",
        """SELECT sk FROM "Things"."all" WHERE g IN ['x', 'y']""",
        """SELECT sk FROM "Things"."all" WHERE g = 'x' ORDER BY r DESC""",
        """SELECT sk FROM "Things"."hash" """,
        """SELECT sk FROM "Things"."local" WHERE pk = 'a'""",
        """SELECT sk FROM "Things"."narrow" """,
    ):
        found: list[str] = []
        more: dict[str, Any] = {}
        while True:
            answer = run(cluster, statement, Limit=1, **more)
            found += numbers_of(answer)
            if "NextToken" not in answer:
                break
            more = {"NextToken": answer["NextToken"]}
        assert sorted(found) == ["1", "2", "3"], statement
    first = run(cluster, """SELECT sk FROM "Things"."all" WHERE g = 'x'""", Limit=1)
    assert set(first["LastEvaluatedKey"]) == {"pk", "sk", "g", "r"}
    other = {"Statement": """SELECT sk FROM "Things"."keys" WHERE g = 'x'""", "NextToken": first["NextToken"]}
    assert (
        cluster.error("ExecuteStatement", **other) == "ValidationException: NextToken does not match request"
    )


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (
            """SELECT pk FROM "Things"."some" WHERE g = 'x' AND dark = '1'""",
            (
                "One or more parameter values were invalid: "
                "Secondary index some does not project one or more filter attributes: [dark]"
            ),
        ),
        (
            """SELECT pk FROM "Things"."narrow" WHERE pk = 'a' AND NOT dark = '1'""",
            (
                "One or more parameter values were invalid: "
                "Secondary index narrow does not project one or more filter attributes: [dark]"
            ),
        ),
        (
            """SELECT pk FROM "Things"."some" WHERE g IN ['x', 'z'] AND dark IS MISSING""",
            (
                "One or more parameter values were invalid: "
                "Secondary index some does not project one or more filter attributes: [dark]"
            ),
        ),
        (
            """SELECT dark FROM "Things"."some" WHERE g = 'x'""",
            "One or more parameter values were invalid: Global secondary index some does not project [dark]",
        ),
        ("""SELECT * FROM "Things"."none" WHERE pk = 'a'""", "The table does not have the specified index"),
        ("""SELECT * FROM "Things"."many" WHERE g = 5""", _SEVERAL),
        ("""SELECT * FROM "Things"."many" """, _SEVERAL),
        ("""SELECT COUNT(*) FROM "Things"."many" """, _SEVERAL),
        (
            """SELECT * FROM "Things"."all"."x" WHERE pk = 'a'""",
            "A path may contain at most 2 components in the FROM clause",
        ),
        ("""SELECT * FROM "Things"."" WHERE pk = 'a'""", "Path component cannot be an empty string"),
        (
            """INSERT INTO "Things"."all" VALUE {'pk': 'a', 'sk': 1}""",
            "FROM clause may only contain a single table name",
        ),
        (
            """UPDATE "Things"."all" SET x = 1 WHERE pk = 'a' AND sk = 1""",
            "This operation is not supported on an index",
        ),
        (
            """DELETE FROM "Things"."all" WHERE pk = 'a' AND sk = 1""",
            "This operation is not supported on an index",
        ),
    ],
)
def test_statements_about_indexes_are_refused_in_awss_words(
    cluster: FakeCluster, statement: str, error: str
) -> None:
    assert cluster.error("ExecuteStatement", Statement=statement) == f"ValidationException: {error}"


def test_only_a_local_index_is_selected_from_strongly(cluster: FakeCluster) -> None:
    assert run(cluster, """SELECT * FROM "Things"."local" WHERE pk = 'a'""", ConsistentRead=True)
    strong = {"Statement": """SELECT * FROM "Things"."all" WHERE g = 'x'""", "ConsistentRead": True}
    assert cluster.error("ExecuteStatement", **strong) == (
        "ValidationException: Strongly consistent read is not supported on Global Secondary Indexes"
    )


def test_a_filter_that_is_not_beside_a_key_does_not_see_what_the_index_lacks(cluster: FakeCluster) -> None:
    for statement, expected in (
        ("""SELECT sk FROM "Things"."some" WHERE dark = '1'""", []),
        ("""SELECT sk FROM "Things"."narrow" WHERE dark = '1'""", []),
        ("""SELECT sk FROM "Things"."keys" WHERE NOT dark = '1'""", ["1", "2", "3"]),
        ("""SELECT sk FROM "Things"."some" WHERE (g = 'x' AND dark = '1') OR (g = 'y')""", []),
    ):
        assert sorted(numbers_of(run(cluster, statement))) == expected, statement


def test_a_batch_of_statements_reads_no_index(cluster: FakeCluster) -> None:
    statements = [
        """SELECT * FROM "Things"."all" WHERE g = 'x' AND r = 5""",
        """SELECT * FROM "Things"."many" WHERE g = 'x' AND h = 'y' AND r = 5""",
        """SELECT sk FROM "Things" WHERE pk = 'a' AND sk = 1""",
    ]
    answer = cluster.call("BatchExecuteStatement", Statements=[{"Statement": text} for text in statements])
    first, second, third = answer["Responses"]
    assert first["Error"]["Message"].startswith("Select statements within BatchExecuteStatement must specify")
    assert second["Error"] == {"Code": "ValidationError", "Message": _SEVERAL}
    assert third["Item"] == {"sk": {"N": "1"}}
