"""Many callers at once: nothing is lost, one wins, and what was written is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.kit.boto import Client, Tables
from tests.kit.endpoints import Endpoint

_CALLERS = 8


def test_counters_lose_nothing(client: Client, tables: Tables, unique: str) -> None:
    table, key = tables("S"), {"pk": {"S": unique}}
    each = 40

    def count(_: int) -> list[int]:
        seen: list[int] = []
        for _ in range(each):
            answer = client.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="SET n = if_not_exists(n, :zero) + :one ADD m :one",
                ExpressionAttributeValues={":zero": {"N": "0"}, ":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
            assert answer["Attributes"]["n"] == answer["Attributes"]["m"]
            seen.append(int(answer["Attributes"]["n"]["N"]))
        return seen

    with ThreadPoolExecutor(_CALLERS) as pool:
        seen = list(pool.map(count, range(_CALLERS)))
    assert sorted(number for numbers in seen for number in numbers) == list(range(1, _CALLERS * each + 1))
    assert all(numbers == sorted(numbers) for numbers in seen)


def test_of_conditional_puts_one_wins(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S", "N")
    rounds = 10

    def put(caller: int, number: int) -> bool:
        try:
            client.put_item(
                TableName=table,
                Item={"pk": {"S": unique}, "sk": {"N": str(number)}, "by": {"N": str(caller)}},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(_CALLERS) as pool:
        for number in range(rounds):
            won = list(pool.map(put, range(_CALLERS), [number] * _CALLERS))
            assert won.count(True) == 1
            stored = client.get_item(
                TableName=table, Key={"pk": {"S": unique}, "sk": {"N": str(number)}}, ConsistentRead=True
            )["Item"]
            assert stored["by"] == {"N": str(won.index(True))}


def test_optimistic_updates_are_serial(client: Client, tables: Tables, unique: str) -> None:
    """Each caller reads, and writes only over what it read: the versions follow each other without a gap."""
    table, key = tables("S"), {"pk": {"S": unique}}
    client.put_item(TableName=table, Item={**key, "version": {"N": "0"}})

    def raise_version(_: int) -> int:
        while True:
            item = client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
            version = int(item["version"]["N"])
            try:
                client.update_item(
                    TableName=table,
                    Key=key,
                    UpdateExpression="SET version = :new",
                    ConditionExpression="version = :old",
                    ExpressionAttributeValues={
                        ":old": {"N": str(version)},
                        ":new": {"N": str(version + 1)},
                    },
                )
            except client.exceptions.ConditionalCheckFailedException:
                continue
            return version + 1

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(raise_version, range(40)))
    assert sorted(versions) == list(range(1, 41))


def test_strong_reads_are_fresh(client: Client, tables: Tables, unique: str) -> None:
    table, key = tables("S", "N"), {"pk": {"S": unique}, "sk": {"N": "0"}}
    for number in range(100):
        written = {**key, "n": {"N": str(number)}}
        client.put_item(TableName=table, Item=written)
        assert client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"] == written
        found = client.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": unique}},
            ConsistentRead=True,
        )
        assert found["Items"] == [written]


def test_eventual_reads_find_what_their_router_wrote(
    client: Client, kvorum: Endpoint, tables: Tables, unique: str
) -> None:
    """More than AWS promises: a router asks no replica that is behind what it wrote itself."""
    table, key = tables("S"), {"pk": {"S": unique}}
    for number in range(100):
        written = {**key, "n": {"N": str(number)}}
        client.put_item(TableName=table, Item=written)
        assert client.get_item(TableName=table, Key=key)["Item"] == written
        answer = client.batch_get_item(RequestItems={table: {"Keys": [key]}})
        assert answer["Responses"][table] == [written]
    client.delete_item(TableName=table, Key=key)
    assert "Item" not in client.get_item(TableName=table, Key=key)


def test_a_throng_of_writers_on_many_keys(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S", "N")

    def write(number: int) -> None:
        client.put_item(TableName=table, Item={"pk": {"S": unique}, "sk": {"N": str(number)}})
        if number % 2:
            client.delete_item(TableName=table, Key={"pk": {"S": unique}, "sk": {"N": str(number)}})

    with ThreadPoolExecutor(_CALLERS) as pool:
        list(pool.map(write, range(200)))
    found = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": unique}},
        ConsistentRead=True,
    )
    assert [int(item["sk"]["N"]) for item in found["Items"]] == list(range(0, 200, 2))


def test_writes_while_their_table_goes(client: Client, kvorum: Endpoint, tables: Tables) -> None:
    """They are done or find no table; none is left in doubt."""
    rounds, gone = 10, client.exceptions.ResourceNotFoundException

    def write(table: str) -> int:
        for number in range(10_000):
            try:
                client.update_item(
                    TableName=table,
                    Key={"pk": {"S": str(number % 50)}},
                    UpdateExpression="ADD n :one",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )
            except gone:
                return number
        raise AssertionError("the table does not go")

    with ThreadPoolExecutor(_CALLERS) as pool:
        for _ in range(rounds):
            table = tables.new("S")
            written = [pool.submit(write, table) for _ in range(_CALLERS - 1)]
            with suppress(gone):  # by a try that was not answered
                client.delete_table(TableName=table)
            for each in written:
                each.result()
