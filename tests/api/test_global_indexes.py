"""Global secondary indexes: what users ask of them, and that they follow their table, a moment later."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kvorum.client import Client as KvorumClient
from tests.kit.boto import Client, Item, Tables, all_pages, items_of, keys_of, put_all, refused
from tests.kit.endpoints import Endpoint
from tests.kit.processes import until

FOLLOWS_SECONDS = 20.0
"""Within which an index must show what was written. It takes milliseconds; a busy machine, or AWS, may take longer."""

PROJECTIONS: dict[str, dict[str, Any]] = {
    "GSI1": {"ProjectionType": "ALL"},
    "GSI2": {"ProjectionType": "KEYS_ONLY"},
    "GSI3": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["name"]},
}


def index(
    name: str, *parts: str, hashes: int = 1, projection: dict[str, Any] | None = None
) -> dict[str, Any]:
    """`parts`: the key's attributes, of which the first `hashes` are the partition key."""
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": part, "KeyType": "HASH" if place < hashes else "RANGE"}
            for place, part in enumerate(parts)
        ],
        "Projection": projection or {"ProjectionType": "ALL"},
    }


def strings(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def create(client: Client, name: str, attributes: list[dict[str, str]], *indexes: dict[str, Any]) -> str:
    parameters = keys_of("S", "S")
    parameters["AttributeDefinitions"] += attributes
    client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=list(indexes), **parameters
    )
    client.get_waiter("table_exists").wait(TableName=name)
    return name


@pytest.fixture(scope="module")
def table(client: Client, tables: Tables) -> str:
    """Three indexes by their own pairs of attributes, GSI1PK and GSI1SK and so on, as in single-table designs; `pair` by
    a key of four attributes; `score` with a sort key of type N."""
    attributes = strings(
        *(f"{name}{part}" for name in PROJECTIONS for part in ("PK", "SK")), "a", "b", "c", "d"
    )
    return create(
        client,
        tables.unused_name(),
        [*attributes, {"AttributeName": "n", "AttributeType": "N"}],
        *(
            index(name, f"{name}PK", f"{name}SK", projection=projection)
            for name, projection in PROJECTIONS.items()
        ),
        index("pair", "a", "b", "c", "d", hashes=2),
        index("score", "a", "n", projection={"ProjectionType": "KEYS_ONLY"}),
    )


def row(pk: str, sk: str, **attributes: str | int) -> Item:
    values = {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in attributes.items()
    }
    return {"pk": {"S": pk}, "sk": {"S": sk}} | values


def key(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def by(condition: str, **values: str | int) -> dict[str, Any]:
    """Query's parameters; `values` are its placeholders without the colon."""
    given = {f":{name}": {"N": str(v)} if isinstance(v, int) else {"S": v} for name, v in values.items()}
    return {"KeyConditionExpression": condition, "ExpressionAttributeValues": given}


def query(client: Client, table: str, name: str, **parameters: Any) -> list[Item]:
    return items_of(all_pages(client.query, TableName=table, IndexName=name, **parameters))


def eventually(read: Callable[[], list[Item]], expected: list[Item], *, ordered: bool = True) -> None:
    """Wait until the index shows exactly these items."""

    def in_any_order(items: list[Item]) -> list[str]:
        return sorted(repr(sorted(item.items())) for item in items)

    def shown() -> bool:
        found = read()
        return found == expected if ordered else in_any_order(found) == in_any_order(expected)

    until(shown, FOLLOWS_SECONDS, "the index shows what was written")


# ---- patterns of use -------------------------------------------------------------------------------------------


def test_one_index_serves_several_patterns(client: Client, table: str, unique: str) -> None:
    shipped = f"STATUS#SHIPPED-{unique}"
    orders = [
        row(f"ORDER#{unique}", str(place), GSI1PK=shipped, GSI1SK=f"2026-0{place}-11T10:00:00Z")
        for place in range(1, 5)
    ]
    user = row(f"USER#{unique}", "PROFILE", GSI1PK=f"EMAIL#{unique}@example.com", GSI1SK="USER#001")
    products = [
        row(f"PRODUCT#{unique}", str(price), GSI1PK=f"CAT#{unique}", GSI1SK=f"PRICE#{price:010}")
        for price in (300, 29_900, 1_200)
    ]
    put_all(client, table, [*orders, user, *products])
    recent = by("GSI1PK = :p AND GSI1SK BETWEEN :a AND :b", p=shipped, a="2026-02-01", b="2026-03-31")
    eventually(lambda: query(client, table, "GSI1", **recent), orders[1:3])
    eventually(lambda: query(client, table, "GSI1", **recent, ScanIndexForward=False), orders[2:0:-1])
    eventually(lambda: query(client, table, "GSI1", **by("GSI1PK = :p", p=user["GSI1PK"]["S"])), [user])
    cheap = by("GSI1PK = :p AND begins_with(GSI1SK, :c)", p=f"CAT#{unique}", c="PRICE#00000")
    eventually(lambda: query(client, table, "GSI1", **cheap), [products[0], products[2], products[1]])


def test_a_sparse_index_holds_what_has_its_key(client: Client, table: str, unique: str) -> None:
    featured = row("PRODUCT", f"{unique}-1", GSI2PK=unique, GSI2SK="PRICE#000029900", name="X")
    plain = row("PRODUCT", f"{unique}-2", name="Y")
    halfway = row("PRODUCT", f"{unique}-3", GSI2PK=unique, name="Z")
    put_all(client, table, [plain, halfway, featured])
    shown = {name: value for name, value in featured.items() if name != "name"}

    def read() -> list[Item]:
        return query(client, table, "GSI2", **by("GSI2PK = :p", p=unique))

    eventually(read, [shown])
    entering = {"UpdateExpression": "SET GSI2SK = :s", "ExpressionAttributeValues": {":s": {"S": "PRICE#1"}}}
    client.update_item(TableName=table, Key=key(halfway), **entering)
    eventually(read, [shown, key(halfway) | {"GSI2PK": {"S": unique}, "GSI2SK": {"S": "PRICE#1"}}])
    client.update_item(TableName=table, Key=key(featured), UpdateExpression="REMOVE GSI2PK")
    eventually(read, [key(halfway) | {"GSI2PK": {"S": unique}, "GSI2SK": {"S": "PRICE#1"}}])


def test_each_projection_shows_its_attributes(client: Client, table: str, unique: str) -> None:
    keys = {f"{name}{part}": unique for name in PROJECTIONS for part in ("PK", "SK")}
    whole = row(unique, "1", **keys, name="n", other="o")
    client.put_item(TableName=table, Item=whole)
    for name, extra in (("GSI1", set(whole)), ("GSI2", set()), ("GSI3", {"name"})):
        shown = {"pk", "sk", f"{name}PK", f"{name}SK"} | extra
        expected = [{attribute: whole[attribute] for attribute in whole if attribute in shown}]
        condition = by(f"{name}PK = :p", p=unique)

        def read(name: str = name, condition: dict[str, Any] = condition, **more: Any) -> list[Item]:
            return query(client, table, name, **condition, **more)

        eventually(read, expected)
        assert read(Select="ALL_PROJECTED_ATTRIBUTES") == expected
        assert read(ProjectionExpression="sk") == [{"sk": {"S": "1"}}]
        filtered = {**condition, "FilterExpression": "attribute_exists(sk)"}
        assert query(client, table, name, **filtered) == expected
    assert query(client, table, "GSI1", **by("GSI1PK = :p", p=unique), Select="ALL_ATTRIBUTES") == [whole]


# ---- an index follows its table ----------------------------------------------------------------------------------


def test_an_index_follows_every_change(client: Client, table: str, unique: str) -> None:
    item = row(unique, "1", GSI1PK=f"{unique}-a", GSI1SK="1", name="first")

    def read(part: str) -> list[Item]:
        return query(client, table, "GSI1", **by("GSI1PK = :p", p=f"{unique}-{part}"))

    client.put_item(TableName=table, Item=item)
    eventually(lambda: read("a"), [item])
    item |= {"name": {"S": "second"}}
    client.put_item(TableName=table, Item=item)
    eventually(lambda: read("a"), [item])
    item |= {"GSI1PK": {"S": f"{unique}-b"}}
    client.put_item(TableName=table, Item=item)
    eventually(lambda: read("b"), [item])
    eventually(lambda: read("a"), [])
    client.delete_item(TableName=table, Key=key(item))
    eventually(lambda: read("b"), [])
    client.put_item(TableName=table, Item=item)
    eventually(lambda: read("b"), [item])


def test_an_index_comes_to_agree_with_its_table(client: Client, table: str, unique: str) -> None:
    """Whatever eight writers do to the same few items at the same time."""

    def write(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(40):
            item = row(unique, str(dice.randrange(6)))
            match dice.randrange(4):
                case 0:
                    client.delete_item(TableName=table, Key=item)
                case 1:
                    client.update_item(TableName=table, Key=item, UpdateExpression="REMOVE GSI1SK")
                case _:
                    group = f"{unique}-{dice.randrange(3)}"
                    client.put_item(TableName=table, Item={**item, **_grouped(group, dice.randrange(3))})

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(8)))
    held = items_of(all_pages(client.query, TableName=table, ConsistentRead=True, **by("pk = :p", p=unique)))
    for group in range(3):
        name = f"{unique}-{group}"
        expected = [item for item in held if "GSI1SK" in item and item["GSI1PK"]["S"] == name]

        def read(name: str = name) -> list[Item]:
            return query(client, table, "GSI1", **by("GSI1PK = :p", p=name))

        eventually(read, expected, ordered=False)


def _grouped(group: str, place: int) -> Item:
    return {"GSI1PK": {"S": group}, "GSI1SK": {"S": str(place)}}


def test_a_write_is_seen_through_its_index_at_once(
    client: Client, kvorum: Endpoint, table: str, unique: str
) -> None:
    """Nearly always: what answered the write has told the index within a moment."""
    late = 0
    for place in range(50):
        item = row(unique, str(place), GSI1PK=f"{unique}-{place}", GSI1SK="1")
        client.put_item(TableName=table, Item=item)

        def read(place: int = place) -> list[Item]:
            return query(client, table, "GSI1", **by("GSI1PK = :p", p=f"{unique}-{place}"))

        time_written = time.monotonic()
        until(read, FOLLOWS_SECONDS, "the index has the item")
        late += time.monotonic() - time_written > 1.0
    assert late < 10


# ---- keys and pages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forward", [True, False])
def test_pages_of_equal_keys_hold_every_item_once(
    client: Client, table: str, unique: str, forward: bool
) -> None:
    rows = [row(f"{unique}-{place}", str(place), GSI1PK=unique, GSI1SK=str(place % 2)) for place in range(11)]
    put_all(client, table, rows)
    condition = by("GSI1PK = :p", p=unique)
    eventually(lambda: query(client, table, "GSI1", **condition), rows, ordered=False)
    for limit in (1, 2, 5, 11):
        more = {"Limit": limit, "ScanIndexForward": forward}
        pages = all_pages(client.query, TableName=table, IndexName="GSI1", **condition, **more)
        found = items_of(pages)
        assert sorted(item["pk"]["S"] for item in found) == sorted(item["pk"]["S"] for item in rows)
        order = [item["GSI1SK"]["S"] for item in found]
        assert order == sorted(order, reverse=not forward)
        for page in pages[:-1]:
            assert set(page["LastEvaluatedKey"]) == {"pk", "sk", "GSI1PK", "GSI1SK"}


def test_keys_of_several_attributes(client: Client, table: str, unique: str) -> None:
    rows = [row(unique, f"{c}{d}", a=unique, b="b", c=c, d=d) for c in "xy" for d in "123"]
    put_all(client, table, [*rows, row(unique, "other", a=unique, b="elsewhere", c="x", d="1")])
    pair = {"a": unique, "b": "b"}
    eventually(lambda: query(client, table, "pair", **by("a = :a AND b = :b", **pair)), rows)
    one = by("a = :a AND b = :b AND c = :c", **pair, c="y")
    assert query(client, table, "pair", **one) == rows[3:]
    later = by("c = :c AND d > :d AND b = :b AND a = :a", **pair, c="x", d="1")
    assert query(client, table, "pair", **later) == rows[1:3]
    ask: dict[str, Any] = {"TableName": table, "IndexName": "pair"}
    missing = refused(client.query, "ValidationException", **ask, **by("a = :a", a=unique))
    assert missing == "HASH key attributes b must have equality conditions specified in the query"
    skipped = by("a = :a AND b = :b AND d = :d", **pair, d="1")
    assert refused(client.query, "ValidationException", **ask, **skipped) == (
        "RANGE key attributes c must have equality conditions specified in the query "
        "because a condition is present on key attribute d"
    )


def test_numbers_are_in_order(client: Client, table: str, unique: str) -> None:
    rows = [row(unique, str(n), a=unique, n=n) for n in (-10, -9, 0, 5, 9, 10, 100)]
    put_all(client, table, random.Random(5).sample(rows, len(rows)))
    eventually(lambda: query(client, table, "score", **by("a = :a", a=unique)), rows)
    some = by("a = :a AND n BETWEEN :low AND :high", a=unique, low=-9, high=9)
    assert query(client, table, "score", **some, ScanIndexForward=False) == rows[4:0:-1]


def test_segments_of_an_index_are_disjoint_and_complete(client: Client, tables: Tables) -> None:
    name = create(client, tables.unused_name(), strings("g"), index("by_g", "g"))
    rows = [row(f"p{place}", "1", g=f"g{place % 17}") for place in range(60)]
    put_all(client, name, [*rows, *(row(f"q{place}", "1") for place in range(9))])

    def read() -> list[Item]:
        return items_of(
            [
                page
                for segment in range(4)
                for page in all_pages(
                    client.scan, TableName=name, IndexName="by_g", Segment=segment, TotalSegments=4, Limit=7
                )
            ]
        )

    eventually(read, rows, ordered=False)


# ---- an index for a table that has items --------------------------------------------------------------------------


def test_an_index_of_a_table_with_items_holds_them(client: Client, tables: Tables) -> None:
    """And what is written meanwhile; until it does it says that it is being made."""
    name = tables.new("S", "S")
    rows = {place: row(f"p{place}", "1", g=f"g{place % 5}", name="old") for place in range(400)}
    put_all(client, name, [*rows.values(), row("never", "1", name="no key"), row("never", "2", g=7)])
    client.update_table(
        TableName=name,
        AttributeDefinitions=strings("g"),
        GlobalSecondaryIndexUpdates=[{"Create": index("by_g", "g")}],
    )
    parameters = {"TableName": name, "IndexName": "by_g"}
    for place in range(0, 400, 10):
        rows[place] = row(f"p{place}", "1", g=f"g{place % 5}", name="new")
        client.put_item(TableName=name, Item=rows[place])
    for place in range(5, 400, 10):
        client.delete_item(TableName=name, Key=key(rows.pop(place)))

    refusals: set[str] = set()

    def made() -> bool:
        (shown,) = client.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"]
        if shown["IndexStatus"] == "ACTIVE":
            assert "Backfilling" not in shown
            return True
        try:
            client.query(**parameters, **by("g = :g", g="g1"))
        except client.exceptions.ClientError as error:
            refusals.add(error.response["Error"]["Message"])
        return False

    until(made, 60, "the index is active")
    assert refusals <= {"Cannot read from backfilling global secondary index: by_g"}
    eventually(lambda: items_of(all_pages(client.scan, **parameters)), list(rows.values()), ordered=False)
    misfit = {"Key": row("never", "2"), "UpdateExpression": "SET x = :x"}
    misfit["ExpressionAttributeValues"] = {":x": {"S": "x"}}
    assert refused(client.update_item, "ValidationException", TableName=name, **misfit) == (
        "The update expression attempted to update the secondary index key to unsupported type"
    )
    client.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by_g"}}])

    def gone() -> bool:
        return "GlobalSecondaryIndexes" not in client.describe_table(TableName=name)["Table"]

    until(gone, 60, "the index is deleted")
    assert refused(client.query, "ValidationException", **parameters, **by("g = :g", g="g1")) == (
        "The table does not have the specified index: by_g"
    )
    client.put_item(TableName=name, Item=row("p1", "1", g=7))


# ---- refusals -------------------------------------------------------------------------------------------------


def test_what_an_index_cannot_give_is_refused(client: Client, table: str) -> None:
    ask: dict[str, Any] = {"TableName": table, "IndexName": "GSI3", **by("GSI3PK = :p", p="x")}
    invalid = "One or more parameter values were invalid: "
    for more, message in (
        ({"IndexName": "absent"}, "The table does not have the specified index: absent"),
        ({"ConsistentRead": True}, "Consistent reads are not supported on global secondary indexes"),
        (
            {"Select": "ALL_ATTRIBUTES"},
            (
                f"{invalid}Select type ALL_ATTRIBUTES is not supported for global secondary index GSI3 "
                "because its projection type is not ALL"
            ),
        ),
        ({"ProjectionExpression": "sk, x"}, f"{invalid}Global secondary index GSI3 does not project [x]"),
        (
            {"FilterExpression": "attribute_exists(x)"},
            f"{invalid}Secondary index GSI3 does not project one or more filter attributes: [x]",
        ),
        (
            {"FilterExpression": "attribute_exists(GSI3SK)"},
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: GSI3SK",
        ),
        ({"ExclusiveStartKey": row("a", "b")}, "The provided starting key is invalid"),
    ):
        assert refused(client.query, "ValidationException", **{**ask, **more}) == message


def test_items_that_do_not_fit_are_refused(client: Client, table: str, unique: str) -> None:
    mismatch = (
        "One or more parameter values were invalid: "
        "Type mismatch for Index Key n Expected: N Actual: S IndexName: score"
    )
    bad = row(unique, "1", n="text")
    assert refused(client.put_item, "ValidationException", TableName=table, Item=bad) == mismatch
    batch = {table: [{"PutRequest": {"Item": bad}}]}
    assert refused(client.batch_write_item, "ValidationException", RequestItems=batch) == mismatch
    update = {"TableName": table, "Key": row(unique, "1"), "UpdateExpression": "SET n = :n"}
    values = {"ExpressionAttributeValues": {":n": {"S": "x"}}}
    assert refused(client.update_item, "ValidationException", **update, **values) == mismatch
    update["UpdateExpression"] = "SET a = :n"
    values = {"ExpressionAttributeValues": {":n": {"S": ""}}}
    assert "cannot contain an empty string value" in refused(
        client.update_item, "ValidationException", **update, **values
    )


# ---- capacity --------------------------------------------------------------------------------------------------


def test_reads_and_writes_tell_what_they_took(client: Client, table: str, unique: str) -> None:
    asked = {"ReturnConsumedCapacity": "INDEXES"}
    item = row(unique, "1", GSI1PK=unique, GSI1SK="1", GSI3PK=unique, GSI3SK="1")
    first = client.put_item(TableName=table, Item=item, **asked)["ConsumedCapacity"]
    assert first == {
        "TableName": table,
        "CapacityUnits": 3.0,
        "Table": {"CapacityUnits": 1.0},
        "GlobalSecondaryIndexes": {"GSI1": {"CapacityUnits": 1.0}, "GSI3": {"CapacityUnits": 1.0}},
    }
    again = client.put_item(TableName=table, Item=item, **asked)["ConsumedCapacity"]
    assert again == {"TableName": table, "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}}
    moving = {
        "UpdateExpression": "SET GSI1PK = :p",
        "ExpressionAttributeValues": {":p": {"S": f"{unique}-2"}},
    }
    moved = client.update_item(TableName=table, Key=key(item), **moving, **asked)["ConsumedCapacity"]
    assert moved["CapacityUnits"] == 3.0
    assert moved["GlobalSecondaryIndexes"] == {"GSI1": {"CapacityUnits": 2.0}}
    shown = {name: item[name] for name in ("pk", "sk", "GSI3PK", "GSI3SK")}
    eventually(lambda: query(client, table, "GSI3", **by("GSI3PK = :p", p=unique)), [shown])
    read = client.query(TableName=table, IndexName="GSI3", **by("GSI3PK = :p", p=unique), **asked)
    assert read["ConsumedCapacity"] == {
        "TableName": table,
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0.0},
        "GlobalSecondaryIndexes": {"GSI3": {"CapacityUnits": 0.5}},
    }
    total = client.delete_item(TableName=table, Key=key(item), ReturnConsumedCapacity="TOTAL")
    assert total["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 3.0}


# ---- PartiQL ---------------------------------------------------------------------------------------------------


def test_a_statement_selects_from_an_index(client: Client, table: str, unique: str) -> None:
    rows = [row(unique, str(place), GSI1PK=unique, GSI1SK=str(place)) for place in range(5)]
    put_all(client, table, rows)
    eventually(lambda: query(client, table, "GSI1", **by("GSI1PK = :p", p=unique)), rows)
    statement = f'SELECT * FROM "{table}"."GSI1" WHERE GSI1PK = ? AND GSI1SK >= ? ORDER BY GSI1SK DESC'
    parameters = [{"S": unique}, {"S": "1"}]
    found: list[Item] = []
    more: dict[str, Any] = {}
    while True:
        answer = client.execute_statement(Statement=statement, Parameters=parameters, Limit=3, **more)
        found += answer["Items"]
        if "NextToken" not in answer:
            break
        more = {"NextToken": answer["NextToken"]}
    assert found == rows[:0:-1]
    consumed = client.execute_statement(
        Statement=statement, Parameters=parameters, ReturnConsumedCapacity="INDEXES"
    )["ConsumedCapacity"]
    assert consumed["GlobalSecondaryIndexes"] == {"GSI1": {"CapacityUnits": 0.5}}
    wrong = f'SELECT * FROM "{table}"."absent" WHERE pk = ?'
    assert refused(
        client.execute_statement, "ValidationException", Statement=wrong, Parameters=[{"S": "x"}]
    ) == ("The table does not have the specified index")


# ---- the other door --------------------------------------------------------------------------------------------


def test_the_other_door_reads_through_indexes(
    client: Client, kvorum: Endpoint, table: str, unique: str
) -> None:
    if not kvorum.grpc:
        pytest.skip("only the HTTP address is known")
    rows = [row(unique, str(place), GSI3PK=unique, GSI3SK=str(place), name="n", x="x") for place in range(4)]
    put_all(client, table, rows)
    eventually(lambda: query(client, table, "GSI3", **by("GSI3PK = :p", p=unique))[3:], [_third(rows[3])])
    with KvorumClient(kvorum.grpc) as own:
        values = {":p": unique}
        page = own.query_page(table, "GSI3PK = :p", values=values, index="GSI3", forward=False, limit=2)
        assert [item["sk"] for item in page.items] == ["3", "2"]
        assert set(page.last_key or {}) == {"pk", "sk", "GSI3PK", "GSI3SK"}
        rest = own.query(
            table, "GSI3PK = :p", values=values, index="GSI3", forward=False, start_key=page.last_key
        )
        assert [item["sk"] for item in rest] == ["1", "0"]
        scanned = own.scan(table, index="GSI3", filter="pk = :p", values=values)
        assert sorted(item["sk"] for item in scanned) == ["0", "1", "2", "3"]


def _third(item: Item) -> Item:
    """As GSI3 shows it."""
    return {name: value for name, value in item.items() if name != "x"}
