"""Local secondary indexes: another order of a collection's items, as current as the items themselves."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.kit import endpoints
from tests.kit.boto import Client, Item, Tables, all_pages, items_of, keys_of, new_client, put_all, refused
from tests.kit.processes import REGIONS, kvorum_dev, until

PROJECTIONS: dict[str, dict[str, Any]] = {
    "by_text": {"ProjectionType": "ALL"},
    "by_number": {"ProjectionType": "KEYS_ONLY"},
    "by_binary": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["more"]},
}
KINDS = {"text": "S", "number": "N", "binary": "B"}


def definition() -> dict[str, Any]:
    """CreateTable's parameters: keys `pk` and `sk`, and an index by each of `text`, `number` and `binary`."""
    parameters = keys_of("S", "S")
    parameters["AttributeDefinitions"] += [
        {"AttributeName": name, "AttributeType": kind} for name, kind in KINDS.items()
    ]
    parameters["LocalSecondaryIndexes"] = [
        {
            "IndexName": name,
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": name.removeprefix("by_"), "KeyType": "RANGE"},
            ],
            "Projection": projection,
        }
        for name, projection in PROJECTIONS.items()
    ]
    return parameters | {"BillingMode": "PAY_PER_REQUEST"}


def create(client: Client, name: str) -> str:
    client.create_table(TableName=name, **definition())
    client.get_waiter("table_exists").wait(TableName=name)
    return name


@pytest.fixture(scope="module")
def table(client: Client, tables: Tables) -> str:
    return create(client, tables.unused_name())


def row(pk: str, sk: str, **attributes: Any) -> Item:
    """`text="x"`, `number=1`, `binary=b"x"`, and any attribute of type S."""
    kinds = {str: "S", int: "N", bytes: "B"}
    values = {
        name: {kinds[type(value)]: value if type(value) is not int else str(value)}
        for name, value in attributes.items()
    }
    return {"pk": {"S": pk}, "sk": {"S": sk}} | values


def key(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def query(client: Client, table: str, index: str, pk: str, **more: Any) -> list[Item]:
    """All that the index has of the collection, read strongly unless told otherwise."""
    parameters = {
        "TableName": table,
        "IndexName": index,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": pk}},
        "ConsistentRead": True,
    }
    return items_of(all_pages(client.query, **parameters | more))


# ---- what an index shows -------------------------------------------------------------------------------------


def test_a_strong_read_sees_every_write_at_once(client: Client, table: str, unique: str) -> None:
    for place in range(30):
        client.put_item(TableName=table, Item=row(unique, str(place), number=-place))
        found = query(client, table, "by_number", unique)
        assert [item["number"] for item in found] == [{"N": str(-each)} for each in range(place, -1, -1)]


@pytest.mark.parametrize("forward", [True, False])
def test_entries_are_in_the_order_of_the_index(
    client: Client, table: str, unique: str, forward: bool
) -> None:
    numbers, binaries = [-20, -3, 0, 3, 20], [b"\x00", b"\x00\x01", b"\x01", b"\x7f", b"\xff"]
    texts = ["\x01", "10", "2", "é", "😀"]
    rows = [
        row(unique, str(-place), text=text, number=number, binary=binary)
        for place, (text, number, binary) in enumerate(zip(texts, numbers, binaries, strict=True))
    ]
    put_all(client, table, random.Random(3).sample(rows, len(rows)))
    expected = rows if forward else rows[::-1]
    for index in PROJECTIONS:
        found = query(client, table, index, unique, ScanIndexForward=forward)
        assert [item["sk"] for item in found] == [item["sk"] for item in expected]


def test_entries_of_one_index_key_are_as_many_as_their_items(client: Client, table: str, unique: str) -> None:
    rows = [row(unique, str(place), text="same") for place in range(9)]
    put_all(client, table, rows)
    assert query(client, table, "by_text", unique) == rows
    pages = all_pages(
        client.query,
        TableName=table,
        IndexName="by_text",
        KeyConditionExpression="pk = :pk AND #text = :text",
        ExpressionAttributeNames={"#text": "text"},
        ExpressionAttributeValues={":pk": {"S": unique}, ":text": {"S": "same"}},
        Limit=2,
    )
    assert items_of(pages) == rows
    assert all(set(page["LastEvaluatedKey"]) == {"pk", "sk", "text"} for page in pages[:-1])


@pytest.mark.parametrize(
    ("condition", "places"),
    [
        ("number = :low", [3]),
        ("number < :low", [0, 1, 2]),
        ("number >= :low", [3, 4, 5, 6]),
        ("number BETWEEN :low AND :high", [3, 4, 5]),
    ],
)
def test_conditions_on_the_index_key(
    client: Client, table: str, unique: str, condition: str, places: list[int]
) -> None:
    rows = [row(unique, str(9 - place), number=place) for place in range(7)]
    put_all(client, table, rows)
    values = {":pk": {"S": unique}, ":low": {"N": "3"}}
    if ":high" in condition:
        values[":high"] = {"N": "5"}
    condition = "pk = :pk AND " + condition.replace("number", "#n")
    options: dict[str, Any] = {
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": {"#n": "number"},
    }
    for forward in (True, False):
        found = query(
            client,
            table,
            "by_number",
            unique,
            ExpressionAttributeValues=values,
            ScanIndexForward=forward,
            Limit=2,
            **options,
        )
        assert found == [rows[place] for place in (places if forward else places[::-1])]


def test_an_item_without_the_attribute_is_not_in_the_index(client: Client, table: str, unique: str) -> None:
    put_all(client, table, [row(unique, "a", text="x"), row(unique, "b", number=1)])
    assert query(client, table, "by_text", unique) == [row(unique, "a", text="x")]
    assert query(client, table, "by_number", unique) == [row(unique, "b", number=1)]
    assert query(client, table, "by_binary", unique) == []


def test_an_update_moves_an_item_enters_it_and_takes_it_out(client: Client, table: str, unique: str) -> None:
    item = row(unique, "a", number=5)
    client.put_item(TableName=table, Item=item)
    client.put_item(TableName=table, Item=row(unique, "b", number=7))

    def update(expression: str, **values: Any) -> list[str]:
        client.update_item(
            TableName=table,
            Key=key(item),
            UpdateExpression=expression,
            ExpressionAttributeNames={"#n": "number"},
            **({"ExpressionAttributeValues": values} if values else {}),
        )
        return [found["sk"]["S"] for found in query(client, table, "by_number", unique)]

    assert update("ADD #n :n", **{":n": {"N": "4"}}) == ["b", "a"]
    assert update("SET #n = :n", **{":n": {"N": "-1"}}) == ["a", "b"]
    assert update("REMOVE #n") == ["b"]
    assert update("SET #n = :n", **{":n": {"N": "8"}}) == ["b", "a"]


def test_a_deleted_item_is_in_no_index(client: Client, table: str, unique: str) -> None:
    item = row(unique, "a", text="x", number=1, binary=b"x")
    client.put_item(TableName=table, Item=item)
    client.delete_item(TableName=table, Key=key(item))
    assert [query(client, table, index, unique) for index in PROJECTIONS] == [[], [], []]


def test_an_eventual_read_through_the_same_router_is_as_current(
    client: Client, kvorum: Any, table: str, unique: str
) -> None:
    for place in range(20):
        client.put_item(TableName=table, Item=row(unique, str(place), number=place))
        found = query(client, table, "by_number", unique, ConsistentRead=False)
        assert len(found) == place + 1


def test_indexes_follow_any_writes(client: Client, table: str, unique: str) -> None:
    """Against a dictionary, sorted."""
    chance = random.Random(11)
    items: dict[str, Item] = {}
    for _ in range(120):
        sk = str(chance.randrange(8))
        attributes: dict[str, Any] = {
            "text": chance.choice("xyz"),
            "number": chance.randrange(-3, 3),
            "binary": bytes([chance.randrange(3)]),
            "more": "m" * chance.randrange(1, 20),
        }
        kept = {name: value for name, value in attributes.items() if chance.random() < 0.7}
        if chance.random() < 0.25:
            client.delete_item(TableName=table, Key=key(row(unique, sk)))
            items.pop(sk, None)
        elif chance.random() < 0.5:
            items[sk] = row(unique, sk, **kept)
            client.put_item(TableName=table, Item=items[sk])
        else:
            changed = items.get(sk, row(unique, sk)) | row(unique, sk, **kept)
            client.update_item(
                TableName=table,
                Key=key(changed),
                AttributeUpdates={
                    name: {"Action": "PUT", "Value": value}
                    for name, value in row(unique, sk, **kept).items()
                    if name not in {"pk", "sk"}
                },
            )
            items[sk] = changed
    for index, name in zip(PROJECTIONS, KINDS, strict=True):
        shown = [item for item in items.values() if name in item]
        shown.sort(key=lambda item: item["sk"]["S"])

        def place(item: Item, name: str = name) -> Any:
            ((kind, value),) = item[name].items()
            return int(value) if kind == "N" else value

        shown.sort(key=place)
        assert query(client, table, index, unique, Select="ALL_ATTRIBUTES") == shown


# ---- projections ---------------------------------------------------------------------------------------------


@pytest.fixture
def whole(client: Client, table: str, unique: str) -> Item:
    """An item of every attribute."""
    item = row(unique, "a", text="x", number=1, binary=b"x", more="m", rest="o")
    client.put_item(TableName=table, Item=item)
    return item


def test_an_index_shows_what_it_projects(client: Client, table: str, unique: str, whole: Item) -> None:
    assert query(client, table, "by_text", unique) == [whole]
    assert query(client, table, "by_number", unique) == [
        {name: whole[name] for name in ("pk", "sk", "number")}
    ]
    assert query(client, table, "by_binary", unique) == [
        {name: whole[name] for name in ("pk", "sk", "binary", "more")}
    ]


@pytest.mark.parametrize("index", PROJECTIONS)
@pytest.mark.parametrize("consistent", [True, False])
def test_what_is_not_projected_is_fetched(
    client: Client, kvorum: Any, table: str, unique: str, whole: Item, index: str, consistent: bool
) -> None:
    found = query(client, table, index, unique, Select="ALL_ATTRIBUTES", ConsistentRead=consistent)
    assert found == [whole]
    projected = query(
        client, table, index, unique, ProjectionExpression="rest, sk", ConsistentRead=consistent
    )
    assert projected == [{"rest": whole["rest"], "sk": whole["sk"]}]


def test_fetched_items_keep_the_order_and_the_pages(client: Client, table: str, unique: str) -> None:
    rows = [row(unique, str(9 - place), number=place, rest="o" * place) for place in range(1, 10)]
    put_all(client, table, rows)
    for forward in (True, False):
        pages = all_pages(
            client.query,
            TableName=table,
            IndexName="by_number",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": unique}},
            Select="ALL_ATTRIBUTES",
            Limit=4,
            ConsistentRead=True,
            ScanIndexForward=forward,
        )
        assert items_of(pages) == (rows if forward else rows[::-1])


def test_a_scan_of_an_index(client: Client, tables: Tables) -> None:
    table = create(client, tables.unused_name())
    rows = [row(f"p{place % 5}", str(place), number=place) for place in range(20)]
    put_all(client, table, [*rows, row("p0", "none")])
    pages = all_pages(client.scan, TableName=table, IndexName="by_number", ConsistentRead=True, Limit=3)
    found = items_of(pages)
    assert sorted(found, key=lambda item: int(item["number"]["N"])) == rows
    fetched = all_pages(
        client.scan, TableName=table, IndexName="by_number", ConsistentRead=True, Select="ALL_ATTRIBUTES"
    )
    assert items_of(fetched) == found


# ---- what it takes -------------------------------------------------------------------------------------------


def test_writes_tell_what_they_took_at_each_index(client: Client, table: str, unique: str) -> None:
    """Developer guide, "Write throughput capacity" of local secondary indexes."""

    def took(call: Any, **parameters: Any) -> tuple[float, dict[str, float]]:
        consumed = call(TableName=table, ReturnConsumedCapacity="INDEXES", **parameters)["ConsumedCapacity"]
        units = {
            name: index["CapacityUnits"]
            for name, index in consumed.get("LocalSecondaryIndexes", {}).items()
            if index["CapacityUnits"]
        }
        assert consumed["CapacityUnits"] == consumed["Table"]["CapacityUnits"] + sum(units.values())
        return consumed["Table"]["CapacityUnits"], units

    item = row(unique, "a", text="x", number=1)
    assert took(client.put_item, Item=item) == (1, {"by_text": 1, "by_number": 1})
    assert took(client.put_item, Item=item) == (1, {})
    assert took(client.put_item, Item=item | {"rest": {"S": "o"}}) == (1, {"by_text": 1})
    assert took(client.put_item, Item=item | {"text": {"S": "y"}}) == (1, {"by_text": 2})
    assert took(client.delete_item, Key=key(item)) == (1, {"by_text": 1, "by_number": 1})


def test_writes_tell_the_size_of_their_collection(client: Client, table: str, unique: str) -> None:
    item = row(unique, "a", text="x")
    expected = {"ItemCollectionKey": {"pk": {"S": unique}}, "SizeEstimateRangeGB": [0.0, 1.0]}

    def told(call: Any, **parameters: Any) -> Any:
        return call(ReturnItemCollectionMetrics="SIZE", **parameters)["ItemCollectionMetrics"]

    assert told(client.put_item, TableName=table, Item=item) == expected
    update = {
        "Key": key(item),
        "UpdateExpression": "SET a = :a",
        "ExpressionAttributeValues": {":a": {"S": "x"}},
    }
    assert told(client.update_item, TableName=table, **update) == expected
    assert told(client.delete_item, TableName=table, Key=key(item)) == expected
    batch = {table: [{"PutRequest": {"Item": item}}]}
    assert told(client.batch_write_item, RequestItems=batch) == {table: [expected]}
    assert "ItemCollectionMetrics" not in client.put_item(TableName=table, Item=item)


def test_a_table_without_local_indexes_has_no_collections(
    client: Client, tables: Tables, unique: str
) -> None:
    table = tables("S")
    answer = client.put_item(TableName=table, Item={"pk": {"S": unique}}, ReturnItemCollectionMetrics="SIZE")
    assert "ItemCollectionMetrics" not in answer


def test_describe_table_counts_entries(client: Client, kvorum: Any, tables: Tables) -> None:
    table = create(client, tables.unused_name())
    put_all(client, table, [row("p", "a", text="x"), row("p", "b", text="x", number=1), row("q", "a")])
    described = client.describe_table(TableName=table)["Table"]
    assert described["ItemCount"] == 3
    indexes = {index["IndexName"]: index for index in described["LocalSecondaryIndexes"]}
    assert {name: index["ItemCount"] for name, index in indexes.items()} == {
        "by_text": 2,
        "by_number": 1,
        "by_binary": 0,
    }
    by_number = len("pk" + "p" + "sk" + "b" + "number") + 2
    assert indexes["by_number"]["IndexSizeBytes"] == by_number


# ---- the limit of an item ------------------------------------------------------------------------------------


def test_an_item_shares_its_limit_with_its_entries(client: Client, table: str, unique: str) -> None:
    """Source: developer guide, "Constraints", "Item size for tables with local secondary indexes"."""
    half = "o" * 205_000
    large = row(unique, "a", text="t", rest=half)
    message = refused(client.put_item, "ValidationException", TableName=table, Item=large)
    assert message == "Item size has exceeded the maximum allowed size"
    written = {table: [{"PutRequest": {"Item": large}}]}
    assert message == refused(client.batch_write_item, "ValidationException", RequestItems=written)
    alone = row(unique, "a", rest=half)  # in no index that holds whole items
    client.put_item(TableName=table, Item=alone)
    message = refused(
        client.update_item,
        "ValidationException",
        TableName=table,
        Key=key(alone),
        UpdateExpression="SET #t = :t",
        ExpressionAttributeNames={"#t": "text"},
        ExpressionAttributeValues={":t": {"S": "t"}},
    )
    assert message == "Item size to update has exceeded the maximum allowed size"
    assert client.get_item(TableName=table, Key=key(alone), ConsistentRead=True)["Item"] == alone


# ---- the limit of a collection -------------------------------------------------------------------------------

ROOM = 2_000


@pytest.fixture(scope="module", params=["dev", pytest.param("up", marks=pytest.mark.cluster)])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a Kvorum whose collections hold ROOM bytes: `dev` has it as an option, `up` from the environment."""
    if request.config.getoption("--url"):
        pytest.skip("needs a server with an option of its own")
    directory = tmp_path_factory.mktemp(f"small-{request.param}")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "up":
            patch.setenv("KVORUM_ITEM_COLLECTION_BYTES", str(ROOM))
            starting = endpoints.up(directory)
        else:
            patch.setenv("KVORUM_ITEM_COLLECTION_BYTES", "1")  # which gives way to the option
            starting = endpoints.dev(directory, "--item-collection-bytes", str(ROOM))
        with starting as endpoint:
            with closing(new_client(endpoint)) as client:
                create(client, "small")
                yield client
            assert not endpoint.crashes


def test_a_collection_has_a_limit(small: Client, unique: str) -> None:
    other = "o" * (ROOM // 2 - 50)
    first, second = row(unique, "a", rest=other), row(unique, "b", rest=other)
    put_all(small, "small", [first, second])
    code = "ItemCollectionSizeLimitExceededException"
    for call, parameters in (
        (small.put_item, {"Item": row(unique, "c", rest="o" * 100)}),
        (small.put_item, {"Item": first | {"rest": {"S": other + "o" * 100}}}),
        (
            small.update_item,
            {
                "Key": key(second),
                "UpdateExpression": "SET #t = :t",  # it fits the table, but not the index as well
                "ExpressionAttributeNames": {"#t": "text"},
                "ExpressionAttributeValues": {":t": {"S": "x"}},
            },
        ),
    ):
        message = refused(call, code, TableName="small", **parameters)
        assert message == "Collection size exceeded."
    more = [{"PutRequest": {"Item": row(unique, "c", rest="o" * 100)}}]
    refused(small.batch_write_item, code, RequestItems={"small": more})
    assert small.get_item(TableName="small", Key=key(first), ConsistentRead=True)["Item"] == first
    assert query(small, "small", "by_text", unique) == []
    small.put_item(TableName="small", Item=row(unique + "q", "a", rest=other))  # another collection
    small.put_item(TableName="small", Item=row(unique, "a", rest="o"))
    small.put_item(TableName="small", Item=row(unique, "c", rest="o" * 100))  # now there is room


def test_what_shrinks_a_full_collection_is_welcome(small: Client, unique: str) -> None:
    full = row(unique, "a", rest="o" * (ROOM - 60))
    small.put_item(TableName="small", Item=full)
    small.put_item(TableName="small", Item=full | {"rest": {"S": "p" * (ROOM - 60)}})
    small.delete_item(TableName="small", Key=key(full))
    small.put_item(TableName="small", Item=full)


def test_a_table_without_local_indexes_has_no_limit(small: Client, unique: str) -> None:
    small.create_table(TableName="unlimited", BillingMode="PAY_PER_REQUEST", **keys_of("S", "S"))
    small.get_waiter("table_exists").wait(TableName="unlimited")
    small.put_item(TableName="unlimited", Item=row(unique, "a", rest="o" * 2 * ROOM))
    small.delete_table(TableName="unlimited")


# ---- other regions, and crashes ------------------------------------------------------------------------------


@pytest.fixture
def ours(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--url"):
        pytest.skip("starts servers of its own")


def test_what_another_region_writes_is_in_the_index(ours: None, tmp_path: Path) -> None:
    """And takes room in the collection."""
    with kvorum_dev(tmp_path, "--item-collection-bytes", str(ROOM), in_memory=True) as dev:
        near, far = (new_client(endpoints.Endpoint(dev.urls[region], region)) for region in REGIONS)

        def shown(client: Client, count: int) -> list[Item]:
            """The index's items, once they are so many."""

            def found() -> list[Item] | None:
                items = query(client, "table", "by_number", "p", Select="ALL_ATTRIBUTES")
                return items if len(items) == count else None

            return until(found, 5.0, f"{count} entries")

        with closing(near), closing(far):
            create(near, "table")
            far.get_waiter("table_exists").wait(TableName="table")
            here, there = row("p", "a", number=1, rest="o" * 800), row("p", "b", number=0, rest="o" * 800)
            near.put_item(TableName="table", Item=here)
            far.put_item(TableName="table", Item=there)
            for client in (near, far):
                assert shown(client, 2) == [there, here]
                code = "ItemCollectionSizeLimitExceededException"
                refused(client.put_item, code, TableName="table", Item=row("p", "c", rest="o" * 500))
            near.delete_item(TableName="table", Key=key(there))
            assert shown(far, 1) == [here]
            far.put_item(TableName="table", Item=row("p", "c", rest="o" * 500))


@pytest.mark.cluster
def test_indexes_outlive_kill_9(ours: None, tmp_path: Path) -> None:
    """Killed while it writes, a server comes back with indexes that show its items, no more and no less."""
    with kvorum_dev(tmp_path, regions=REGIONS[:1]) as dev:
        endpoint = endpoints.Endpoint(dev.url, REGIONS[0])
        with closing(new_client(endpoint)) as client:
            create(client, "table")
        for crash in range(3):
            with closing(new_client(endpoint)) as client, ThreadPoolExecutor(8) as pool:
                writers = [
                    pool.submit(_write_until_killed, client, crash * 8 + number) for number in range(8)
                ]
                until(lambda: len(query(client, "table", "by_number", "p0")) > 3, 10.0, "writes")
                dev.kill_all()
                assert sum(writer.result() for writer in writers) > 0
            dev.start()
            dev.wait_ready()
            with closing(new_client(endpoint)) as client:
                items = items_of(all_pages(client.scan, TableName="table", ConsistentRead=True))
                _check_indexes(client, items)


def _write_until_killed(client: Client, seed: int) -> int:
    chance = random.Random(seed)
    written = 0
    try:
        while True:
            item = row(
                f"p{chance.randrange(3)}", str(chance.randrange(30)), rest="o" * chance.randrange(1, 99)
            )
            if chance.random() < 0.8:
                item |= row("", "", number=chance.randrange(50)) | key(item)
            if chance.random() < 0.2:
                client.delete_item(TableName="table", Key=key(item))
            else:
                client.put_item(TableName="table", Item=item)
            written += 1
    except (BotoCoreError, ClientError):
        return written


def _check_indexes(client: Client, items: list[Item]) -> None:
    for pk in ("p0", "p1", "p2"):
        mine = [item for item in items if item["pk"]["S"] == pk]
        shown = sorted(
            (item for item in mine if "number" in item),
            key=lambda item: (int(item["number"]["N"]), item["sk"]["S"]),
        )
        assert query(client, "table", "by_number", pk, Select="ALL_ATTRIBUTES") == shown
        assert query(client, "table", "by_text", pk) == []
    described = client.describe_table(TableName="table")["Table"]
    counts = {index["IndexName"]: index["ItemCount"] for index in described["LocalSecondaryIndexes"]}
    assert described["ItemCount"] == len(items)
    assert counts == {"by_text": 0, "by_number": sum("number" in item for item in items), "by_binary": 0}
