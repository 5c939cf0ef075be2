"""BatchWriteItem and BatchGetItem: what they do, and their limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.boto import Client, Item, Tables, put_all, refused


def _keys(unique: str, count: int) -> list[Item]:
    return [{"pk": {"S": f"{unique}{number}"}} for number in range(count)]


def _puts(items: list[Item]) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": item}} for item in items]


def test_puts_and_deletes_on_two_tables(client: Client, tables: Tables, unique: str) -> None:
    one, other = tables("S"), tables("S", "N")
    keys = _keys(unique, 3)
    far = {"pk": {"S": unique}, "sk": {"N": "1"}}
    client.put_item(TableName=one, Item=keys[0])
    answer = client.batch_write_item(
        RequestItems={
            one: [{"DeleteRequest": {"Key": keys[0]}}, *_puts(keys[1:])],
            other: _puts([far]),
        }
    )
    assert answer["UnprocessedItems"] == {}
    answer = client.batch_get_item(
        RequestItems={
            one: {"Keys": keys, "ConsistentRead": True},
            other: {"Keys": [far], "ConsistentRead": True, "ProjectionExpression": "sk"},
        }
    )
    assert answer["UnprocessedKeys"] == {}
    assert sorted(answer["Responses"][one], key=str) == sorted(keys[1:], key=str)
    assert answer["Responses"][other] == [{"sk": {"N": "1"}}]


def test_a_hundred_keys_and_no_more(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    keys = _keys(unique, 101)
    put_all(client, table, keys)
    answer = client.batch_get_item(RequestItems={table: {"Keys": keys[:100], "ConsistentRead": True}})
    assert len(answer["Responses"][table]) == 100
    message = refused(client.batch_get_item, "ValidationException", RequestItems={table: {"Keys": keys}})
    assert message == (
        f"1 validation error detected: Value at 'RequestItems.{table}.member.Keys' failed to satisfy constraint: "
        "Member must have length less than or equal to 100"
    )
    other = tables("S", "N")
    message = refused(
        client.batch_get_item,
        "ValidationException",
        RequestItems={
            table: {"Keys": keys[:100]},
            other: {"Keys": [{"pk": {"S": "a"}, "sk": {"N": "1"}}]},
        },
    )
    assert message == "Too many items requested for the BatchGetItem call"


def test_twenty_five_writes_and_no_more(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    with pytest.raises(client.exceptions.ClientError) as raised:
        client.batch_write_item(RequestItems={table: _puts(_keys(unique, 26))})
    error = raised.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].endswith(
        "at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: "
        "[Member must have length less than or equal to 25, Member must have length greater than or equal to 1]"
    )
    answer = client.batch_get_item(RequestItems={table: {"Keys": _keys(unique, 26), "ConsistentRead": True}})
    assert answer["Responses"][table] == []


def test_one_key_twice(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    (key,) = _keys(unique, 1)
    duplicates = "Provided list of item keys contains duplicates"
    asked = {table: {"Keys": [key, key]}}
    assert refused(client.batch_get_item, "ValidationException", RequestItems=asked) == duplicates
    writes = {table: [{"DeleteRequest": {"Key": key}}, *_puts([key])]}
    assert refused(client.batch_write_item, "ValidationException", RequestItems=writes) == duplicates


def test_a_table_by_its_name_and_by_its_arn(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    arn = client.describe_table(TableName=table)["Table"]["TableArn"]
    one, other = _keys(unique, 2)
    writes = {table: _puts([one]), arn: _puts([other])}
    answer = client.batch_write_item(RequestItems=writes, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 2.0}]
    reads = {table: {"Keys": [one]}, arn: {"Keys": [other], "ConsistentRead": True}}
    answer = client.batch_get_item(RequestItems=reads, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 1.5}]
    twice = {table: {"Keys": [one]}, arn: {"Keys": [other, one]}}
    assert refused(client.batch_get_item, "ValidationException", RequestItems=twice) == (
        "Provided list of item keys contains duplicates"
    )


def test_one_bad_request_refuses_the_whole_batch(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    good, bad = _keys(unique, 2)
    for attributes, message in (
        ({"a": {"N": "x"}}, "The parameter cannot be converted to a numeric value: x"),
        ({"a": {"S": "x" * 409_600}}, "Item size has exceeded the maximum allowed size"),
        (
            {"pk": {"N": "1"}},
            "The provided key element does not match the schema",
        ),
    ):
        writes = {table: _puts([good, {**bad, **attributes}])}
        assert refused(client.batch_write_item, "ValidationException", RequestItems=writes) == message
    assert "Item" not in client.get_item(TableName=table, Key=good, ConsistentRead=True)


def test_a_table_that_is_not_there(client: Client, tables: Tables, unique: str) -> None:
    (key,) = _keys(unique, 1)
    absent = tables.unused_name()
    writes = {tables("S"): _puts([key]), absent: _puts([key])}
    message = refused(client.batch_write_item, "ResourceNotFoundException", RequestItems=writes)
    assert message == "Requested resource not found"
    assert "Item" not in client.get_item(TableName=tables("S"), Key=key, ConsistentRead=True)


def test_more_than_16_mb_come_in_parts(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    keys = _keys(unique, 45)
    padding = {"S": "x" * 390_000}
    for key in keys:
        client.put_item(TableName=table, Item={**key, "p": padding})
    waiting: dict[str, Any] = {table: {"Keys": keys, "ConsistentRead": True}}
    found: list[Item] = []
    parts = 0
    while waiting:
        answer = client.batch_get_item(RequestItems=waiting)
        found += answer["Responses"][table]
        waiting = answer["UnprocessedKeys"]
        parts += 1
    assert parts == 2
    assert sorted(item["pk"]["S"] for item in found) == sorted(key["pk"]["S"] for key in keys)
    for key in keys:
        client.delete_item(TableName=table, Key=key)


def test_a_put_without_a_key_is_told_of_its_key(client: Client, tables: Tables, unique: str) -> None:
    message = refused(
        client.batch_write_item,
        "ValidationException",
        RequestItems={tables("S"): _puts([{"other": {"S": unique}}])},
    )
    assert message == "The provided key element does not match the schema"


def test_a_projection_leads_into_no_key(client: Client, tables: Tables, unique: str) -> None:
    message = refused(
        client.batch_get_item,
        "ValidationException",
        RequestItems={tables("S"): {"Keys": _keys(unique, 1), "ProjectionExpression": "pk[0]"}},
    )
    assert message == (
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"
    )
