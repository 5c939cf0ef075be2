"""PartiQL as a program uses it: ExecuteStatement and BatchExecuteStatement through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.boto import Client, Item, Tables, put_all, refused


def execute(client: Client, statement: str, *parameters: dict[str, Any], **more: Any) -> list[Item]:
    if parameters:
        more["Parameters"] = list(parameters)
    answer = client.execute_statement(Statement=statement, **more)
    items: list[Item] = answer["Items"]
    return items


@pytest.fixture
def song(client: Client, tables: Tables, unique: str) -> str:
    """The partition key of an item that a statement has made."""
    execute(
        client,
        f"""INSERT INTO "{tables("S")}" VALUE {{
            'pk': ?, 'title': 'It''s here', 'year': 1999, 'live': false, 'label': null,
            'band': <<'a', 'b'>>, 'charts': [1, 2.50, {{'de': 1e1}}], 'by': {{'first': 'X', 'last': 'Y'}}
        }}""",
        {"S": unique},
    )
    return unique


def test_an_inserted_item_is_what_the_literals_say(client: Client, tables: Tables, song: str) -> None:
    found = client.get_item(TableName=tables("S"), Key={"pk": {"S": song}}, ConsistentRead=True)["Item"]
    found["band"]["SS"].sort()
    assert found == {
        "pk": {"S": song},
        "title": {"S": "It's here"},
        "year": {"N": "1999"},
        "live": {"BOOL": False},
        "label": {"NULL": True},
        "band": {"SS": ["a", "b"]},
        "charts": {"L": [{"N": "1"}, {"N": "2.5"}, {"M": {"de": {"N": "10"}}}]},
        "by": {"M": {"first": {"S": "X"}, "last": {"S": "Y"}}},
    }
    message = refused(
        client.execute_statement,
        "DuplicateItemException",
        Statement=f"INSERT INTO \"{tables('S')}\" VALUE {{'pk': '{song}'}}",
    )
    assert message == "Duplicate primary key exists in table"


def test_select_update_delete(client: Client, tables: Tables, song: str) -> None:
    table, key = tables("S"), {"S": song}
    select = f'SELECT "year", "by"."last", charts[2].de FROM "{table}" WHERE pk = ?'
    assert execute(client, select, key, ConsistentRead=True) == [
        {"year": {"N": "1999"}, "last": {"S": "Y"}, "de": {"N": "10"}}
    ]
    update = (
        f'UPDATE "{table}" SET "year" = "year" + ? SET band = set_delete(band, <<\'a\'>>) REMOVE charts[0] '
        "WHERE pk = ? AND live = false RETURNING MODIFIED NEW *"
    )
    assert execute(client, update, {"N": "1"}, key) == [
        {"year": {"N": "2000"}, "band": {"SS": ["b"]}, "charts": {"L": [{"N": "2.5"}]}}
    ]
    delete = f'DELETE FROM "{table}" WHERE pk = ? AND "year" = ? RETURNING ALL OLD *'
    message = refused(
        client.execute_statement,
        "ConditionalCheckFailedException",
        Statement=delete,
        Parameters=[key, {"N": "1"}],
    )
    assert message == "The conditional request failed"
    assert [item["title"] for item in execute(client, delete, key, {"N": "2000"})] == [{"S": "It's here"}]
    assert execute(client, delete, key, {"N": "2000"}) == []
    assert execute(client, select, key, ConsistentRead=True) == []


def test_an_update_makes_no_item(client: Client, tables: Tables, unique: str) -> None:
    refused(
        client.execute_statement,
        "ConditionalCheckFailedException",
        Statement=f"UPDATE \"{tables('S')}\" SET a = 1 WHERE pk = '{unique}'",
    )
    assert "Item" not in client.get_item(
        TableName=tables("S"), Key={"pk": {"S": unique}}, ConsistentRead=True
    )


def test_queries_with_tokens_and_order(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S", "N")
    one, two = unique + "-1", unique + "-2"
    put_all(
        client,
        table,
        [
            {"pk": {"S": pk}, "sk": {"N": str(number)}, "odd": {"BOOL": number % 2 == 1}}
            for pk in (one, two)
            for number in range(8)
        ],
    )
    statement = (
        f'SELECT pk, sk FROM "{table}" WHERE pk IN [?, ?] AND sk BETWEEN 1 AND 6 AND odd = true '
        "ORDER BY pk DESC, sk DESC"
    )
    body: dict[str, Any] = {
        "Statement": statement,
        "Parameters": [{"S": one}, {"S": two}],
        "ConsistentRead": True,
    }
    found: list[tuple[str, int]] = []
    while True:
        answer = client.execute_statement(**body, Limit=4)
        found += [(item["pk"]["S"], int(item["sk"]["N"])) for item in answer["Items"]]
        if "NextToken" not in answer:
            break
        body["NextToken"] = answer["NextToken"]
    assert found == [(pk, number) for pk in (two, one) for number in (5, 3, 1)]


def test_a_scan_finds_what_no_key_names(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    put_all(
        client, table, [{"pk": {"S": f"{unique}-{number}"}, "mark": {"S": unique}} for number in range(30)]
    )
    body: dict[str, Any] = {
        "Statement": f'SELECT pk FROM "{table}" WHERE mark = ? AND begins_with(pk, ?)',
        "Parameters": [{"S": unique}, {"S": unique}],
        "ConsistentRead": True,
        "Limit": 11,
    }
    found: set[str] = set()
    while True:
        answer = client.execute_statement(**body)
        found |= {item["pk"]["S"] for item in answer["Items"]}
        if "NextToken" not in answer:
            break
        body["NextToken"] = answer["NextToken"]
    assert found == {f"{unique}-{number}" for number in range(30)}


def test_a_batch(client: Client, tables: Tables, unique: str) -> None:
    table = tables("S")
    insert = f"INSERT INTO \"{table}\" VALUE {{'pk': ?, 'n': 1}}"
    keys = [{"S": f"{unique}-{number}"} for number in range(20)]
    client.batch_execute_statement(
        Statements=[{"Statement": insert, "Parameters": [key]} for key in keys[1:]]
    )
    answer = client.batch_execute_statement(
        Statements=[{"Statement": insert, "Parameters": [key]} for key in keys[:2]]
    )
    assert answer["Responses"] == [
        {"TableName": table},
        {
            "TableName": table,
            "Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"},
        },
    ]
    select = f'SELECT pk FROM "{table}" WHERE pk = ?'
    answer = client.batch_execute_statement(
        Statements=[{"Statement": select, "Parameters": [key], "ConsistentRead": True} for key in keys]
    )
    assert [response["Item"]["pk"] for response in answer["Responses"]] == keys


def test_refusals(client: Client, tables: Tables) -> None:
    table = tables("S")
    for statement, message in (
        (
            f'SELECT * FROM "{table}" WHERE',
            "Statement wasn't well formed, can't be processed: Unexpected term",
        ),
        (
            f'DELETE FROM "{table}" WHERE n = 1',
            "Where clause does not contain a mandatory equality on all key attributes",
        ),
        (
            f'SELECT * FROM "{table}" WHERE pk = ?',
            "Number of parameters in request and statement don't match.",
        ),
        (
            f'SELECT info.size FROM "{table}"',
            "Statement wasn't well formed, can't be processed: Invalid path dot component",
        ),
        (f'SELECT COUNT(*) FROM "{table}"', "Unexpected path component at 1:8:5"),
        ("SELECT * FROM T WHERE EXISTS(a)", "Unrecognized function: exists at 1:23:6"),
        ("UPDATE T SET s = set_add(s) WHERE pk = 'x'", "SET_ADD must have exactly two arguments at 1:18:7"),
    ):
        assert refused(client.execute_statement, "ValidationException", Statement=statement) == message
    refused(
        client.execute_statement,
        "ResourceNotFoundException",
        Statement=f"SELECT * FROM \"{tables.unused_name()}\" WHERE pk = 'x'",
    )
