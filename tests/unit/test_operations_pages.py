"""Query and Scan: pages add up to what a sorted list says, and AWS's words for what they refuse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.model import errors, record, values
from kvorum.model.limits import PAGE_BYTES_MAX
from kvorum.model.table import KeyPart, KeySchema
from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits

SCHEMA = KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N"))
BY_HASH: dict[str, Any] = {
    "TableName": "Things",
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": {"S": "a"}},
}


def item(pk: str, sk: str, **attributes: dict[str, Any]) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": sk}, **attributes}


def key_of(whole: dict[str, Any]) -> dict[str, Any]:
    return {name: whole[name] for name in ("pk", "sk")}


def cluster_with(items: list[dict[str, Any]], partitions: int = 4) -> FakeCluster:
    cluster = FakeCluster(partitions=partitions)
    cluster.add_table("Things", SCHEMA)
    for each in items:
        cluster.call("PutItem", TableName="Things", Item=each)
    return cluster


@pytest.fixture
def cluster() -> FakeCluster:
    numbers = ("-2", "-1", "0", "1", "1.5", "10")
    return cluster_with(
        [item("a", number, parity={"S": "odd" if number in ("-1", "1") else "even"}) for number in numbers]
        + [item("b", "7"), item("c", "8")]
    )


def pages(cluster: FakeCluster, operation: str, **body: Any) -> list[dict[str, Any]]:
    """All pages, following LastEvaluatedKey as an SDK does."""
    found: list[dict[str, Any]] = []
    start: dict[str, Any] = {}
    while True:
        answer = cluster.call(operation, **body, **start)
        assert_answer_fits(operation, answer)
        found.append(answer)
        if "LastEvaluatedKey" not in answer:
            return found
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def numbers_of(answers: list[dict[str, Any]]) -> list[str]:
    return [each["sk"]["N"] for answer in answers for each in answer["Items"]]


# ---- pages against a sorted list -----------------------------------------------------------------------------

_NUMBER = st.integers(-5, 5).map(lambda number: str(Decimal(number) / 2))
_CONDITIONS: dict[str, Any] = {
    "": lambda _value, _low, _high: True,
    " AND sk = :low": lambda value, low, _high: value == low,
    " AND sk < :low": lambda value, low, _high: value < low,
    " AND sk <= :low": lambda value, low, _high: value <= low,
    " AND sk > :low": lambda value, low, _high: value > low,
    " AND sk >= :low": lambda value, low, _high: value >= low,
    " AND sk BETWEEN :low AND :high": lambda value, low, high: low <= value <= high,
}


@settings(max_examples=60)
@given(
    keys=st.sets(st.tuples(st.sampled_from("ab"), _NUMBER), max_size=12),
    condition=st.sampled_from(sorted(_CONDITIONS)),
    bounds=st.tuples(_NUMBER, _NUMBER).map(lambda pair: sorted(pair, key=Decimal)),
    forward=st.booleans(),
    limit=st.none() | st.integers(1, 5),
    page_items_max=st.integers(0, 3),
    odd_only=st.booleans(),
)
def test_query_pages_add_up(
    keys: set[tuple[str, str]],
    condition: str,
    bounds: list[str],
    forward: bool,
    limit: int | None,
    page_items_max: int,
    odd_only: bool,
) -> None:
    whole = [item(pk, sk, odd={"BOOL": Decimal(sk) % 1 != 0}) for pk, sk in sorted(keys)]
    cluster = cluster_with(whole)
    cluster.page_items_max = page_items_max
    low, high = map(Decimal, bounds)
    placeholders: dict[str, dict[str, Any]] = {":p": {"S": "a"}}
    if ":low" in condition:
        placeholders[":low"] = {"N": bounds[0]}
    if ":high" in condition:
        placeholders[":high"] = {"N": bounds[1]}
    body: dict[str, Any] = {
        "TableName": "Things",
        "KeyConditionExpression": "pk = :p" + condition,
        "ScanIndexForward": forward,
    }
    if limit is not None:
        body["Limit"] = limit
    if odd_only:
        body["FilterExpression"] = "odd = :odd"
        placeholders[":odd"] = {"BOOL": True}
    answers = pages(cluster, "Query", **body, ExpressionAttributeValues=placeholders)

    holds = _CONDITIONS[condition]
    matching = sorted((Decimal(sk) for pk, sk in keys if pk == "a" and holds(Decimal(sk), low, high)))
    expected = [number for number in matching if not odd_only or number % 1 != 0]
    assert [Decimal(number) for number in numbers_of(answers)] == (expected if forward else expected[::-1])
    assert sum(answer["ScannedCount"] for answer in answers) == len(matching)
    for answer in answers:
        assert answer["Count"] == len(answer["Items"])
        if "LastEvaluatedKey" in answer:
            assert answer["ScannedCount"] == limit, "only Limit ends these pages"
    if limit is not None and matching and len(matching) % limit == 0:
        assert answers[-1]["ScannedCount"] == 0, "a page that Limit ended says so even if nothing follows"


@settings(max_examples=60)
@given(
    keys=st.sets(st.tuples(st.text("abcdefgh", min_size=1, max_size=2), _NUMBER), max_size=20),
    partitions=st.integers(1, 5),
    segments=st.integers(1, 7),
    limit=st.none() | st.integers(1, 5),
    page_items_max=st.integers(0, 3),
)
def test_segments_are_disjoint_and_complete(
    keys: set[tuple[str, str]], partitions: int, segments: int, limit: int | None, page_items_max: int
) -> None:
    cluster = cluster_with([item(pk, sk) for pk, sk in sorted(keys)], partitions)
    cluster.page_items_max = page_items_max
    body: dict[str, Any] = {"TableName": "Things"}
    if limit is not None:
        body["Limit"] = limit
    seen: list[tuple[str, Decimal]] = []
    for segment in range(segments):
        more = {"Segment": segment, "TotalSegments": segments} if segments > 1 else {}
        for answer in pages(cluster, "Scan", **body, **more):
            seen += [(each["pk"]["S"], Decimal(each["sk"]["N"])) for each in answer["Items"]]
    assert len(seen) == len(keys)
    assert set(seen) == {(pk, Decimal(sk)) for pk, sk in keys}
    whole = [
        (each["pk"]["S"], Decimal(each["sk"]["N"]))
        for answer in pages(cluster, "Scan", **body)
        for each in answer["Items"]
    ]
    assert whole == seen, "segments one after the other are the table in its order"


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(100_000, 409_000), min_size=1, max_size=9),
    scan=st.booleans(),
    page_items_max=st.integers(0, 2),
)
def test_a_page_ends_with_the_item_that_passes_one_megabyte(
    sizes: list[int], scan: bool, page_items_max: int
) -> None:
    whole = [
        item(f"p{position}" if scan else "a", str(position), body={"S": "x" * (size - 12)})
        for position, size in enumerate(sizes)
    ]
    cluster = cluster_with(whole, partitions=3)
    cluster.page_items_max = page_items_max
    body = {"TableName": "Things"} if scan else BY_HASH
    answers = pages(cluster, "Scan" if scan else "Query", **body, ReturnConsumedCapacity="TOTAL")
    stored = _sizes(cluster)
    order = numbers_of(answers)
    assert sorted(order) == sorted(stored)
    position = 0
    for answer in answers:
        page = order[position : position + answer["Count"]]
        position += len(page)
        size = sum(stored[number] for number in page)
        assert answer["ConsumedCapacity"]["CapacityUnits"] == max(1, -(-size // 4096)) / 2
        if "LastEvaluatedKey" in answer:
            assert size > PAGE_BYTES_MAX >= size - stored[page[-1]]
        else:
            assert size <= PAGE_BYTES_MAX
            assert position == len(order)


def _sizes(cluster: FakeCluster) -> dict[str, int]:
    """By sort key, as AWS counts them."""
    (store,) = cluster.stores.values()
    return {values.loads(record.json_of(found))["sk"]["N"]: record.size_of(found) for found in store.values()}


# ---- what a page holds ---------------------------------------------------------------------------------------


def test_a_query_reads_in_the_order_of_numbers_both_ways(cluster: FakeCluster) -> None:
    numbers = ["-2", "-1", "0", "1", "1.5", "10"]
    assert numbers_of([cluster.call("Query", **BY_HASH)]) == numbers
    assert numbers_of([cluster.call("Query", **BY_HASH, ScanIndexForward=False)]) == numbers[::-1]


def test_a_page_that_limit_ended_says_where_even_if_nothing_follows(cluster: FakeCluster) -> None:
    answer = cluster.call("Query", **BY_HASH, Limit=6)
    assert answer["LastEvaluatedKey"] == key_of(item("a", "10"))
    assert "LastEvaluatedKey" not in cluster.call("Query", **BY_HASH, Limit=7)
    assert cluster.call("Query", **BY_HASH, ExclusiveStartKey=answer["LastEvaluatedKey"]) == {
        "Items": [],
        "Count": 0,
        "ScannedCount": 0,
    }


def test_limit_counts_what_was_read_not_what_the_filter_kept(cluster: FakeCluster) -> None:
    body = {**BY_HASH, "FilterExpression": "parity = :o"}
    body["ExpressionAttributeValues"] = {":p": {"S": "a"}, ":o": {"S": "odd"}}
    answer = cluster.call("Query", **body, Limit=3)
    assert (answer["Count"], answer["ScannedCount"]) == (1, 3)
    assert answer["LastEvaluatedKey"] == key_of(item("a", "0"))
    assert cluster.call("Query", **body, Limit=1) == {
        "Items": [],
        "Count": 0,
        "ScannedCount": 1,
        "LastEvaluatedKey": key_of(item("a", "-2")),
    }


def test_select_says_what_comes_back(cluster: FakeCluster) -> None:
    assert cluster.call("Query", **BY_HASH, Select="COUNT") == {"Count": 6, "ScannedCount": 6}
    assert cluster.call("Scan", TableName="Things", Select="COUNT", Limit=8)["Count"] == 8
    body = {**BY_HASH, "FilterExpression": "parity = :o"}
    body["ExpressionAttributeValues"] = {":p": {"S": "a"}, ":o": {"S": "odd"}}
    assert cluster.call("Query", **body, Select="COUNT") == {"Count": 2, "ScannedCount": 6}
    assert cluster.call("Query", **BY_HASH, Select="ALL_ATTRIBUTES") == cluster.call("Query", **BY_HASH)
    chosen = {"Select": "SPECIFIC_ATTRIBUTES", "ProjectionExpression": "parity", "Limit": 1}
    assert cluster.call("Query", **BY_HASH, **chosen)["Items"] == [{"parity": {"S": "even"}}]
    older = {"AttributesToGet": ["sk"], "TableName": "Things"}
    assert {tuple(each) for each in cluster.call("Scan", **older)["Items"]} == {("sk",)}


def test_a_query_asks_one_partition_once_and_strongly_when_told(cluster: FakeCluster) -> None:
    cluster.range_reads = 0
    cluster.call("Query", **BY_HASH)
    assert (cluster.range_reads, cluster.strong_reads) == (1, 0)
    cluster.call("Query", **BY_HASH, ConsistentRead=True)
    assert (cluster.range_reads, cluster.strong_reads) == (2, 1)


def test_a_condition_that_nothing_can_meet_asks_nobody(cluster: FakeCluster) -> None:
    cluster.range_reads = 0
    start = key_of(item("a", "10"))
    body = {**BY_HASH, "KeyConditionExpression": "pk = :p AND sk = :s", "ExclusiveStartKey": start}
    body["ExpressionAttributeValues"] = {":p": {"S": "a"}, ":s": {"N": "10"}}
    assert cluster.call("Query", **body)["Count"] == 0
    assert cluster.range_reads == 0


def test_an_empty_page_costs_what_the_smallest_item_costs(cluster: FakeCluster) -> None:
    body = {
        **BY_HASH,
        "ExpressionAttributeValues": {":p": {"S": "none"}},
        "ReturnConsumedCapacity": "INDEXES",
    }
    for strong, units in ((False, 0.5), (True, 1.0)):
        answer = cluster.call("Query", **body, ConsistentRead=strong)
        assert answer["ConsumedCapacity"] == {
            "TableName": "Things",
            "CapacityUnits": units,
            "Table": {"CapacityUnits": units},
        }


def test_an_unavailable_partition_fails_the_page(cluster: FakeCluster) -> None:
    for partition in cluster.directory.partitions.values():
        cluster.refusing[partition.id] = errors.service_unavailable()
    assert cluster.error("Scan", TableName="Things").startswith("ServiceUnavailable: ")
    assert cluster.error("Query", **BY_HASH).startswith("ServiceUnavailable: ")


# ---- refusals ------------------------------------------------------------------------------------------------

_INVALID_KEY = "The provided starting key is invalid: "
_START = f"ValidationException: {_INVALID_KEY}"
_WRONG_VALUE = "One or more parameter values were invalid: "
_WRONG_IN_START_KEYS = [
    ({"SS": []}, f"{_INVALID_KEY}{_WRONG_VALUE}An string set  may not be empty"),
    ({"BS": []}, f"{_INVALID_KEY}{_WRONG_VALUE}Binary sets should not be empty"),
    (
        {"NULL": False},
        f"{_INVALID_KEY}{_WRONG_VALUE}Null attribute value types must have the value of true",
    ),
    (
        {"L": [{}]},
        (
            f"{_INVALID_KEY}Supplied AttributeValue is empty, "
            "must contain exactly one of the supported datatypes"
        ),
    ),
    (
        {"S": "a", "N": "1"},
        (
            f"{_INVALID_KEY}Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        ),
    ),
]
_INVALID_START = "ValidationException: The provided starting key is invalid"
_ONE_ROW = "ValidationException: The query can return at most one row and cannot be restarted"
_NO_MATCH = "The provided key element does not match the schema"
_ATTRIBUTES = (
    "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
)
_ONE_ERROR = "ValidationException: 1 validation error detected: "
_UNINDEXED = "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
_OUTSIDE = (
    "ValidationException: The provided starting key is outside query boundaries based on provided conditions"
)
_PREDICATE = "ValidationException: The provided starting key does not match the range key predicate"
_NO_CONDITION = (
    "ValidationException: "
    "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
)
_FILTER_ON_KEY = (
    "ValidationException: Filter Expression can only contain non-primary key attributes: "
    "Primary key attribute: sk"
)
_NO_SCALAR = (
    "ValidationException: Key attributes must be scalars; "
    "list random access '[]' and map lookup '.' are not allowed: Key: "
)
_ABOVE_ONE = {
    "KeyConditionExpression": "pk = :p AND sk > :s",
    "ExpressionAttributeValues": {":p": {"S": "a"}, ":s": {"N": "1"}},
}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"KeyConditionExpression": None, "ExpressionAttributeValues": None}, _NO_CONDITION),
        (
            {"KeyConditionExpression": "sk = :p"},
            "ValidationException: Query condition missed key schema element: pk",
        ),
        ({"KeyConditionExpression": "pk < :p"}, "ValidationException: Query key condition not supported"),
        ({"IndexName": "GSI2"}, "ValidationException: The table does not have the specified index: GSI2"),
        ({"TableName": "Absent"}, "ResourceNotFoundException: Requested resource not found"),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}}}, _INVALID_START),
        ({"ExclusiveStartKey": item("a", "1", x={"S": "x"})}, _INVALID_START),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}, "xx": {"N": "1"}}}, _INVALID_START),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"S": "1"}}}, f"ValidationException: {_NO_MATCH}"),
        (
            {"KeyConditionExpression": "sk = :p", "ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"S": "1"}}},
            "ValidationException: Query condition missed key schema element: pk",
        ),
        (
            {"ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"N": "x"}}},
            "ValidationException: The parameter cannot be converted to a numeric value: x",
        ),
        *[
            ({"ExclusiveStartKey": {"pk": value}}, f"ValidationException: {message}")
            for value, message in (
                ({"N": ""}, "The parameter cannot be converted to a numeric value: "),
                ({"NS": []}, f"{_WRONG_VALUE}An number set  may not be empty"),
                ({"SS": ["b", "b"]}, f'{_WRONG_VALUE}Input collection ["b", "b"] contains duplicates.'),
                *_WRONG_IN_START_KEYS,
            )
        ],
        ({"ExclusiveStartKey": item("b", "7")}, _OUTSIDE),
        ({**_ABOVE_ONE, "ExclusiveStartKey": item("a", "1")}, _PREDICATE),
        ({**_ABOVE_ONE, "ExclusiveStartKey": item("b", "1")}, _PREDICATE),
        ({**_ABOVE_ONE, "ExclusiveStartKey": item("b", "2")}, _ONE_ROW),
        (
            {"Select": "SPECIFIC_ATTRIBUTES"},
            _ONE_ERROR + _ATTRIBUTES,
        ),
        ({"Select": "ALL_PROJECTED_ATTRIBUTES"}, _ONE_ERROR + _UNINDEXED),
        (
            {"Select": "COUNT", "ProjectionExpression": "a"},
            f"{_ONE_ERROR}Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
        (
            {"Select": "ALL_ATTRIBUTES", "ProjectionExpression": "a"},
            f"{_ONE_ERROR}Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES",
        ),
        ({"FilterExpression": "attribute_exists(sk)"}, _FILTER_ON_KEY),
        ({"FilterExpression": "attribute_exists(sk.a)"}, _FILTER_ON_KEY),
        ({"ProjectionExpression": "v, sk[0]", "FilterExpression": "attribute_exists(sk)"}, _NO_SCALAR + "sk"),
    ],
)
def test_a_query_is_refused_in_awss_words(cluster: FakeCluster, more: dict[str, Any], error: str) -> None:
    assert cluster.error("Query", **{**BY_HASH, **more}) == error


_SEGMENT_OF = "ValidationException: The {} parameter is required but was not present in the request when "


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"Segment": 0}, _SEGMENT_OF.format("TotalSegments") + "Segment parameter is present"),
        ({"TotalSegments": 2}, _SEGMENT_OF.format("Segment") + "parameter TotalSegments is present"),
        (
            {"Segment": 5, "TotalSegments": 5},
            (
                "ValidationException: The Segment parameter is zero-based and must be less than parameter "
                "TotalSegments: Segment: 5 is not less than TotalSegments: 5"
            ),
        ),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}}}, _START + _NO_MATCH),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}, "xx": {"N": "1"}}}, _START + _NO_MATCH),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"S": "1"}}}, _START + _NO_MATCH),
        *[
            ({"ExclusiveStartKey": {"pk": value}}, f"ValidationException: {message}")
            for value, message in (
                ({"N": ""}, "The parameter cannot be converted to a numeric value"),
                (
                    {"N": "1e2147483647"},
                    "Number underflow. Attempting to store a number with magnitude smaller than supported range",
                ),
                ({"NS": ["2", "2"]}, "Input collection contains duplicates"),
                ({"NS": []}, f"{_WRONG_VALUE}An number set  may not be empty"),
                ({"SS": ["b", "b"]}, f"{_WRONG_VALUE}Input collection [b, b] contains duplicates."),
                *_WRONG_IN_START_KEYS,
            )
        ],
        (
            {"ScanFilter": {"a": {"ComparisonOperator": "EQ", "AttributeValueList": [{"SS": ["b", "b"]}]}}},
            (
                "ValidationException: One or more parameter values were invalid: "
                "Input collection [b, b] contains duplicates."
            ),
        ),
        ({"Select": "SPECIFIC_ATTRIBUTES"}, f"ValidationException: {_ATTRIBUTES}"),
        (
            {"Select": "ALL_PROJECTED_ATTRIBUTES", "ProjectionExpression": "a"},
            "ValidationException: Cannot specify the ProjectionExpression when choosing to get ALL_PROJECTED_ATTRIBUTES",
        ),
        ({"Select": "ALL_PROJECTED_ATTRIBUTES"}, f"ValidationException: {_UNINDEXED}"),
        ({"IndexName": "GSI2"}, "ValidationException: The table does not have the specified index: GSI2"),
        ({"TableName": "Absent"}, "ResourceNotFoundException: Requested resource not found"),
        ({"FilterExpression": "attribute_exists(sk.a)"}, _NO_SCALAR + "sk"),
        ({"FilterExpression": "attribute_exists(sk.a)", "ProjectionExpression": "pk.a"}, _NO_SCALAR + "pk"),
    ],
)
def test_a_scan_is_refused_in_awss_words(cluster: FakeCluster, more: dict[str, Any], error: str) -> None:
    assert cluster.error("Scan", **{"TableName": "Things", **more}) == error


def test_a_start_key_of_another_segment_is_refused(cluster: FakeCluster) -> None:
    start = key_of(item("a", "1"))
    answers = set()
    for segment in (0, 1):
        body = {"TableName": "Things", "Segment": segment, "TotalSegments": 2, "ExclusiveStartKey": start}
        try:
            cluster.call("Scan", **body)
            answers.add("answered")
        except errors.ApiError as error:
            answers.add(error.message)
    assert len(answers) == 2
    assert "answered" in answers
    (refusal,) = answers - {"answered"}
    assert refusal.startswith(
        "The provided starting key is invalid: Invalid ExclusiveStartKey. "
        "Please use ExclusiveStartKey with correct Segment. TotalSegments: 2 Segment: "
    )
