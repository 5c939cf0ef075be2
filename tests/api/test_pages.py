"""Query and Scan: order, conditions on keys, filters, pages to the end, segments."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.kit.boto import Client, Item, Tables, all_pages, items_of, put_all, refused

_SORTED: dict[str, list[Any]] = {
    "S": ["\x01", "0", "10", "2", "A", "Z", "a", "aa", "ab", "b", "z", "é", "中", "\uffee", "😀"],
    "N": ["-1E+125", "-20", "-3.5", "-1E-130", "0", "1E-130", "0.5", "3", "3.25", "20", "100", "1E+125"],
    "B": [b"\x00", b"\x00\x00", b"\x00\x01", b"\x01", b"\x7f", b"\x80", b"\xfe\xff", b"\xff", b"\xff\x00"],
}


def _plain(value: Any) -> Any:
    """A number as its value, anything else as it is."""
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content


@pytest.mark.parametrize("kind", ["S", "N", "B"])
@pytest.mark.parametrize("forward", [True, False])
def test_sort_keys_are_in_order(
    client: Client, tables: Tables, unique: str, kind: str, forward: bool
) -> None:
    table = tables("S", kind)
    rows = [{"pk": {"S": unique}, "sk": {kind: value}} for value in _SORTED[kind]]
    put_all(client, table, random.Random(7).sample(rows, len(rows)))
    answer = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": unique}},
        ScanIndexForward=forward,
        ConsistentRead=True,
    )
    expected = [_plain(row["sk"]) for row in rows]
    assert [_plain(item["sk"]) for item in answer["Items"]] == (expected if forward else expected[::-1])
    assert "LastEvaluatedKey" not in answer


@pytest.mark.parametrize("kind", ["S", "N", "B"])
def test_partition_keys_of_every_type(client: Client, tables: Tables, kind: str) -> None:
    table = tables(kind)
    rows = [{"pk": {kind: value}, "a": {"N": str(place)}} for place, value in enumerate(_SORTED[kind])]
    put_all(client, table, rows)
    for place, row in enumerate(rows):
        answer = client.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": row["pk"]},
            ConsistentRead=True,
        )
        assert [item["a"] for item in answer["Items"]] == [{"N": str(place)}]


@pytest.mark.parametrize(
    ("condition", "low", "high", "expected"),
    [
        ("sk = :low", 3, None, [3]),
        ("sk < :low", 3, None, [0, 1, 2]),
        ("sk <= :low", 3, None, [0, 1, 2, 3]),
        ("sk > :low", 7, None, [8, 9]),
        ("sk >= :low", 7, None, [7, 8, 9]),
        ("sk BETWEEN :low AND :high", 4, 6, [4, 5, 6]),
    ],
)
@pytest.mark.parametrize("forward", [True, False])
def test_conditions_on_the_sort_key(
    client: Client,
    tables: Tables,
    unique: str,
    condition: str,
    low: int,
    high: int | None,
    expected: list[int],
    forward: bool,
) -> None:
    table = tables("S", "N")
    put_all(client, table, [{"pk": {"S": unique}, "sk": {"N": str(number)}} for number in range(10)])
    values = {":pk": {"S": unique}, ":low": {"N": str(low)}}
    if high is not None:
        values[":high"] = {"N": str(high)}
    pages = all_pages(
        client.query,
        TableName=table,
        KeyConditionExpression=f"pk = :pk AND {condition}",
        ExpressionAttributeValues=values,
        ScanIndexForward=forward,
        ConsistentRead=True,
        Limit=2,
    )
    found = [int(item["sk"]["N"]) for item in items_of(pages)]
    assert found == (expected if forward else expected[::-1])


def test_begins_with(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S", "S")
    sorts = ["ORDER", "ORDER#1", "ORDER#\U0010ffff", "ORDER$", "PROFILE"]
    put_all(client, table, [{"pk": {"S": unique}, "sk": {"S": sort}} for sort in sorts])
    answer = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues={":pk": {"S": unique}, ":prefix": {"S": "ORDER#"}},
        ConsistentRead=True,
    )
    assert [item["sk"]["S"] for item in answer["Items"]] == sorts[1:3]


# ---- pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 4, 5, 20])
def test_a_query_page_by_page(client: Client, tables: Tables, unique: str, forward: bool, limit: int) -> None:
    table = tables("S", "N")
    put_all(
        client,
        table,
        [
            {"pk": {"S": unique}, "sk": {"N": str(number)}, "even": {"BOOL": number % 2 == 0}}
            for number in range(20)
        ],
    )
    pages = all_pages(
        client.query,
        TableName=table,
        KeyConditionExpression="pk = :pk",
        FilterExpression="even = :yes",
        ExpressionAttributeValues={":pk": {"S": unique}, ":yes": {"BOOL": True}},
        ScanIndexForward=forward,
        ConsistentRead=True,
        Limit=limit,
    )
    found = [int(item["sk"]["N"]) for item in items_of(pages)]
    assert found == sorted(range(0, 20, 2), reverse=not forward)
    # A page that Limit stopped says where, even when nothing follows it: hence one empty page at the end.
    assert [page["ScannedCount"] for page in pages] == [limit] * (20 // limit) + [0]
    for page in pages[:-1]:
        assert set(page["LastEvaluatedKey"]) == {"pk", "sk"}


def test_a_query_counts_and_projects(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S", "N")
    put_all(
        client,
        table,
        [
            {"pk": {"S": unique}, "sk": {"N": str(number)}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}}
            for number in range(3)
        ],
    )
    asked: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": unique}},
        "ConsistentRead": True,
    }
    counted = client.query(**asked, Select="COUNT")
    assert (counted["Count"], counted["ScannedCount"], "Items" in counted) == (3, 3, False)
    projected = client.query(**asked, ProjectionExpression="m.y, sk", Limit=1)
    assert projected["Items"] == [{"sk": {"N": "0"}, "m": {"M": {"y": {"N": "2"}}}}]
    assert projected["LastEvaluatedKey"] == {"pk": {"S": unique}, "sk": {"N": "0"}}


@pytest.mark.parametrize("forward", [True, False])
def test_pages_end_at_1_mb(client: Client, tables: Tables, unique: str, forward: bool) -> None:
    table = tables("S", "N")
    padding = {"S": "x" * 100_000}
    for number in range(24):  # larger batches would be refused by some proxies
        client.put_item(TableName=table, Item={"pk": {"S": unique}, "sk": {"N": str(number)}, "p": padding})
    pages = all_pages(
        client.query,
        TableName=table,
        KeyConditionExpression="pk = :pk",
        FilterExpression="sk_text <> :pk AND attribute_exists(p)",
        ExpressionAttributeValues={":pk": {"S": unique}},
        ProjectionExpression="sk",
        ScanIndexForward=forward,
        ConsistentRead=True,
        ReturnConsumedCapacity="TOTAL",
    )
    assert [page["ScannedCount"] for page in pages] == [11, 11, 2]
    numbers = [int(item["sk"]["N"]) for item in items_of(pages)]
    assert numbers == sorted(range(24), reverse=not forward)
    assert pages[0]["ConsumedCapacity"]["CapacityUnits"] == 269  # 11 times 100,040 bytes, 4 KB each


@pytest.fixture(scope="module")
def filled(client: Client, tables: Tables) -> tuple[str, list[Item]]:
    """A table of its own, and its items."""
    table = tables.new("S", "N")
    rows = [
        {"pk": {"S": f"p{number % 37}"}, "sk": {"N": str(number)}, "third": {"BOOL": number % 3 == 0}}
        for number in range(300)
    ]
    put_all(client, table, rows)
    return table, rows


def _numbers(items: list[Item]) -> list[int]:
    return sorted(int(item["sk"]["N"]) for item in items)


@pytest.mark.parametrize("limit", [None, 1_000, 7])
def test_a_scan_is_complete(client: Client, filled: tuple[str, list[Item]], limit: int | None) -> None:
    table, rows = filled
    parameters = {} if limit is None else {"Limit": limit}
    pages = all_pages(client.scan, TableName=table, ConsistentRead=True, **parameters)
    assert _numbers(items_of(pages)) == list(range(300))
    if limit is not None:
        assert max(page["ScannedCount"] for page in pages) <= limit
    for item in items_of(pages):
        assert item == rows[int(item["sk"]["N"])]


def test_a_scan_with_a_filter(client: Client, filled: tuple[str, list[Item]]) -> None:
    pages = all_pages(
        client.scan,
        TableName=filled[0],
        FilterExpression="third = :yes AND sk < :limit",
        ExpressionAttributeValues={":yes": {"BOOL": True}, ":limit": {"N": "100"}},
        ConsistentRead=True,
        Limit=50,
    )
    assert _numbers(items_of(pages)) == list(range(0, 100, 3))
    assert sum(page["ScannedCount"] for page in pages) == 300


@pytest.mark.parametrize("segments", [1, 2, 5, 16])
def test_parallel_scans_are_disjoint_and_complete(
    client: Client, filled: tuple[str, list[Item]], segments: int
) -> None:
    def scan(segment: int) -> list[Item]:
        return items_of(
            all_pages(
                client.scan,
                TableName=filled[0],
                Segment=segment,
                TotalSegments=segments,
                ConsistentRead=True,
                Limit=11,
            )
        )

    with ThreadPoolExecutor(segments) as pool:
        parts = list(pool.map(scan, range(segments)))
    assert _numbers([item for part in parts for item in part]) == list(range(300))
    owners = [{item["pk"]["S"] for item in part} for part in parts]
    assert sum(map(len, owners)) == 37  # an item collection lies in one segment


# ---- what is refused ---------------------------------------------------------------------------------------

_PK = {":pk": {"S": "a"}}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {},
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ),
        (
            {"KeyConditionExpression": "sk = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}},
            "Query condition missed key schema element: pk",
        ),
        (
            {"KeyConditionExpression": "pk > :pk", "ExpressionAttributeValues": _PK},
            "Query key condition not supported",
        ),
        (
            {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": _PK, "IndexName": "GSI1"},
            "The table does not have the specified index: GSI1",
        ),
        (
            {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"N": "1"}}},
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            {"KeyConditionExpression": "", "ExpressionAttributeValues": _PK},
            "Invalid KeyConditionExpression: The expression can not be empty;",
        ),
        (
            {
                "KeyConditionExpression": "pk = :pk",
                "FilterExpression": "#x = :pk",
                "ExpressionAttributeValues": _PK,
            },
            (
                "Invalid FilterExpression: An expression attribute name used in the document path is not defined; "
                "attribute name: #x"
            ),
        ),
        (
            {
                "KeyConditionExpression": "pk = :pk",
                "FilterExpression": "sk = :pk",
                "ExpressionAttributeValues": _PK,
            },
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk",
        ),
        (
            {
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": _PK,
                "ExclusiveStartKey": {"pk": {"S": "b"}, "sk": {"N": "1"}},
            },
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            {
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": _PK,
                "ExclusiveStartKey": {"pk": {"S": "a"}},
            },
            "The provided starting key is invalid",
        ),
        (
            {
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": _PK,
                "ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"S": "1"}},
            },
            "The provided key element does not match the schema",
        ),
    ],
)
def test_queries_that_are_none(
    client: Client, tables: Tables, parameters: dict[str, Any], message: str
) -> None:
    table = tables("S", "N")
    assert refused(client.query, "ValidationException", TableName=table, **parameters) == message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"Segment": 0},
            (
                "The TotalSegments parameter is required but was not present in the request when Segment parameter "
                "is present"
            ),
        ),
        (
            {"Segment": 5, "TotalSegments": 5},
            (
                "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 5 is "
                "not less than TotalSegments: 5"
            ),
        ),
        (
            {"ProjectionExpression": "a!!"},
            'Invalid ProjectionExpression: Syntax error; token: "!", near: "a!!"',
        ),
        (
            {"FilterExpression": "attribute_exists(a) AND attribute_exists(pk.a)"},
            (
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
                "Key: pk"
            ),
        ),
    ],
)
def test_scans_that_are_none(
    client: Client, tables: Tables, parameters: dict[str, Any], message: str
) -> None:
    assert refused(client.scan, "ValidationException", TableName=tables("S"), **parameters) == message
