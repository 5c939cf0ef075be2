"""PutItem, GetItem, UpdateItem and DeleteItem: what they do, what they return, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.boto import Client, Item, Tables, refused

_ENVELOPE = "1 validation error detected: "
_INVALID = "One or more parameter values were invalid: "
_CONDITION_FAILED = "The conditional request failed"


class Row:
    """One item of a table with a partition key alone, by its key."""

    def __init__(self, client: Client, table: str, unique: str) -> None:
        self.client = client
        self.table = table
        self.key = {"pk": {"S": unique}}

    def put(self, attributes: Item | None = None, **parameters: Any) -> dict[str, Any]:
        item = {**self.key, **(attributes or {})}
        answer: dict[str, Any] = self.client.put_item(TableName=self.table, Item=item, **parameters)
        return answer

    def update(self, expression: str | None = None, **parameters: Any) -> dict[str, Any]:
        if expression is not None:
            parameters["UpdateExpression"] = expression
        answer: dict[str, Any] = self.client.update_item(TableName=self.table, Key=self.key, **parameters)
        return answer

    def delete(self, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.delete_item(TableName=self.table, Key=self.key, **parameters)
        return answer

    def get(self, **parameters: Any) -> Item | None:
        """Without the key."""
        answer = self.client.get_item(TableName=self.table, Key=self.key, ConsistentRead=True, **parameters)
        item: Item | None = answer.get("Item")
        return item if item is None else {name: value for name, value in item.items() if name != "pk"}


@pytest.fixture
def row(client: Client, tables: Tables, unique: str) -> Row:
    return Row(client, tables("S"), unique)


def test_put_replaces_whole(row: Row) -> None:
    assert row.get() is None
    row.put({"a": {"S": "1"}, "b": {"S": "2"}})
    row.put({"b": {"S": "3"}})
    assert row.get() == {"b": {"S": "3"}}


def test_delete_is_idempotent(row: Row) -> None:
    row.put()
    row.delete()
    assert row.get() is None
    assert "Attributes" not in row.delete(ReturnValues="ALL_OLD")


def test_an_absent_item_has_no_member(row: Row) -> None:
    assert "Item" not in row.client.get_item(TableName=row.table, Key=row.key)


# ---- ReturnValues ------------------------------------------------------------------------------------------


def test_put_and_delete_return_what_was_there(row: Row) -> None:
    assert "Attributes" not in row.put({"a": {"S": "1"}}, ReturnValues="ALL_OLD")
    assert row.put(ReturnValues="ALL_OLD")["Attributes"] == {**row.key, "a": {"S": "1"}}
    assert "Attributes" not in row.put({"a": {"S": "2"}}, ReturnValues="NONE")
    assert row.delete(ReturnValues="ALL_OLD")["Attributes"] == {**row.key, "a": {"S": "2"}}


_OLD: Item = {"kept": {"S": "k"}, "map": {"M": {"a": {"N": "1"}, "b": {"N": "2"}}}, "gone": {"S": "g"}}
_CHANGE = "SET #m.a = :n, born = :n REMOVE gone"


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", _OLD),
        (
            "ALL_NEW",
            {"kept": {"S": "k"}, "map": {"M": {"a": {"N": "9"}, "b": {"N": "2"}}}, "born": {"N": "9"}},
        ),
        ("UPDATED_OLD", {"map": {"M": {"a": {"N": "1"}}}, "gone": {"S": "g"}}),
        ("UPDATED_NEW", {"map": {"M": {"a": {"N": "9"}}}, "born": {"N": "9"}}),
    ],
)
def test_update_returns_what_was_asked_for(row: Row, returns: str, expected: Item | None) -> None:
    row.put(_OLD)
    answer = row.update(
        _CHANGE,
        ExpressionAttributeNames={"#m": "map"},
        ExpressionAttributeValues={":n": {"N": "9"}},
        ReturnValues=returns,
    )
    if expected is None:
        assert "Attributes" not in answer
    else:
        key = row.key if returns.startswith("ALL") else {}
        assert answer["Attributes"] == {**key, **expected}


def test_update_returns_the_elements_that_it_changed(row: Row) -> None:
    row.put({"l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]}})
    for returns, number in (("UPDATED_OLD", "1"), ("UPDATED_NEW", "9")):
        answer = row.update(
            "SET l[1] = :nine", ExpressionAttributeValues={":nine": {"N": "9"}}, ReturnValues=returns
        )
        assert answer["Attributes"] == {"l": {"L": [{"N": number}]}}


@pytest.mark.parametrize("returns", ["ALL_OLD", "UPDATED_OLD"])
def test_update_of_nothing_returns_nothing_old(row: Row, returns: str) -> None:
    answer = row.update("SET a = :v", ExpressionAttributeValues={":v": {"S": "x"}}, ReturnValues=returns)
    assert "Attributes" not in answer


def test_return_values_that_put_does_not_know(row: Row) -> None:
    for call in (row.put, row.delete):
        message = refused(call, "ValidationException", ReturnValues="ALL_NEW")
        assert message == _ENVELOPE + "ReturnValues can only be ALL_OLD or NONE"


# ---- updates -----------------------------------------------------------------------------------------------


def test_update_without_an_expression_creates_the_item(row: Row) -> None:
    row.update()
    assert row.get() == {}


def test_an_update_that_creates_the_item_may_read_its_key(row: Row) -> None:
    row.update("SET a = pk, b = if_not_exists(c, pk)")
    assert row.get() == {"a": row.key["pk"], "b": row.key["pk"]}


@pytest.mark.parametrize(
    ("before", "expression", "values", "after"),
    [
        (
            {},
            "SET n = if_not_exists(n, :z) + :one",
            {":z": {"N": "0"}, ":one": {"N": "1"}},
            {"n": {"N": "1"}},
        ),
        ({"n": {"N": "5"}}, "SET n = n - :v", {":v": {"N": "7"}}, {"n": {"N": "-2"}}),
        ({"a": {"S": "x"}, "b": {"S": "y"}}, "SET a = b, b = a", {}, {"a": {"S": "y"}, "b": {"S": "x"}}),
        (
            {"l": {"L": [{"S": "b"}]}},
            "SET l = list_append(:v, l)",
            {":v": {"L": [{"S": "a"}]}},
            {"l": {"L": [{"S": "a"}, {"S": "b"}]}},
        ),
        (
            {"l": {"L": [{"S": "a"}]}},
            "SET l[7] = :v",
            {":v": {"S": "z"}},
            {"l": {"L": [{"S": "a"}, {"S": "z"}]}},
        ),
        (
            {"l": {"L": [{"S": "a"}, {"S": "b"}, {"S": "c"}]}},
            "REMOVE l[0], l[2]",
            {},
            {"l": {"L": [{"S": "b"}]}},
        ),
        (
            {"m": {"M": {"l": {"L": [{"M": {"x": {"N": "1"}}}]}}}},
            "SET m.l[0].x = m.l[0].x + :v, m.l[0].y = :v",
            {":v": {"N": "2"}},
            {"m": {"M": {"l": {"L": [{"M": {"x": {"N": "3"}, "y": {"N": "2"}}}]}}}},
        ),
        ({}, "ADD n :v", {":v": {"N": "-3"}}, {"n": {"N": "-3"}}),
        ({"n": {"N": "0.1"}}, "ADD n :v", {":v": {"N": "0.2"}}, {"n": {"N": "0.3"}}),
        ({"s": {"SS": ["a"]}}, "ADD s :v", {":v": {"SS": ["b", "a"]}}, {"s": {"SS": ["a", "b"]}}),
        ({"s": {"NS": ["1", "2"]}}, "DELETE s :v", {":v": {"NS": ["2.0", "3"]}}, {"s": {"NS": ["1"]}}),
        ({"s": {"SS": ["a"]}}, "DELETE s :v", {":v": {"SS": ["a"]}}, {}),
        ({"a": {"S": "x"}}, "REMOVE nothing.whatever", {}, None),
        ({"a": {"S": "x"}}, "REMOVE nothing", {}, {"a": {"S": "x"}}),
    ],
)
def test_update_expressions(
    row: Row, before: Item, expression: str, values: dict[str, Any], after: Item | None
) -> None:
    row.put(before)
    parameters = {"ExpressionAttributeValues": values} if values else {}
    if after is None:
        message = refused(row.update, "ValidationException", expression=expression, **parameters)
        assert message == "The document path provided in the update expression is invalid for update"
        after = before
    else:
        row.update(expression, **parameters)
    assert row.get() == after


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("REMOVE a", {}),
        ("REMOVE a.b, l[0]", {}),
        ("DELETE s :v", {"ExpressionAttributeValues": {":v": {"SS": ["a"]}}}),
    ],
)
def test_taking_away_from_an_absent_item_does_nothing(
    row: Row, expression: str, values: dict[str, Any]
) -> None:
    row.update(expression, **values)
    assert row.get() is None


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        (
            "SET name = :v",
            {":v": {"S": "x"}},
            _ENVELOPE
            + "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name",
        ),
        (
            "SET pk = :v",
            {":v": {"S": "x"}},
            _INVALID + "Cannot update attribute pk. This attribute is part of the key",
        ),
        (
            "SET a = :v",
            {},
            _ENVELOPE
            + "Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :v",
        ),
        (
            "SET a = a + :v",
            {":v": {"S": "x"}},
            _ENVELOPE
            + "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "SET n = lacking",
            {},
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        (
            "SET n = s + :v",
            {":v": {"N": "1"}},
            "An operand in the update expression has an incorrect data type",
        ),
        (
            "ADD s :v",
            {":v": {"N": "1"}},
            "An operand in the update expression has an incorrect data type",
        ),
        (
            "ADD s :v",
            {":v": {"S": "x"}},
            (
                _ENVELOPE
                + "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, "
                "operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"
            ),
        ),
        (
            "SET m.x.y = :v",
            {":v": {"N": "1"}},
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "SET a = :v SET b = :v",
            {":v": {"N": "1"}},
            _ENVELOPE
            + 'Invalid UpdateExpression: The "SET" section can only be used once in an update expression;',
        ),
        (
            "SET a = :v, a.b = :v",
            {":v": {"N": "1"}},
            _ENVELOPE
            + "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]",
        ),
        ("", {}, _ENVELOPE + "Invalid UpdateExpression: The expression can not be empty;"),
        (
            "SET a = :v",
            {":v": {"N": "1"}, ":w": {"N": "1"}},
            _ENVELOPE + "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}",
        ),
    ],
)
def test_refused_updates_change_nothing(
    row: Row, expression: str, values: dict[str, Any], message: str
) -> None:
    before: Item = {"s": {"S": "text"}, "m": {"M": {}}}
    row.put(before)
    parameters = {"ExpressionAttributeValues": values} if values else {}
    assert refused(row.update, "ValidationException", expression=expression, **parameters) == message
    assert row.get() == before


# ---- conditions --------------------------------------------------------------------------------------------

_ITEM: Item = {
    "n": {"N": "10"},
    "s": {"S": "straw"},
    "set": {"SS": ["a", "b"]},
    "l": {"L": [{"S": "one"}, {"N": "2"}]},
    "m": {"M": {"deep": {"BOOL": True}}},
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("attribute_exists(pk) AND attribute_not_exists(lacking)", True),
        ("attribute_not_exists(pk)", False),
        ("n BETWEEN :five AND :ten", True),
        ("n IN (:five, :text)", False),
        ("n <> :five AND NOT n < :five", True),
        ("begins_with(s, :text)", True),
        ("contains(#set, :letter) OR contains(s, :five)", True),
        ("size(l) = size(#set)", True),
        ("attribute_type(m.deep, :type)", True),
        ("l[1] < l[0]", False),
        ("lacking = :five", False),
        ("lacking <> :five", True),
    ],
)
def test_conditions_decide(row: Row, condition: str, holds: bool) -> None:
    values = {
        ":five": {"N": "5"},
        ":ten": {"N": "1E1"},
        ":text": {"S": "st"},
        ":letter": {"S": "b"},
        ":type": {"S": "BOOL"},
    }
    parameters: dict[str, Any] = {"ConditionExpression": condition}
    used = {name: value for name, value in values.items() if name in condition}
    if used:
        parameters["ExpressionAttributeValues"] = used
    if "#set" in condition:
        parameters["ExpressionAttributeNames"] = {"#set": "set"}
    row.put(_ITEM)
    if holds:
        row.delete(**parameters)
        assert row.get() is None
    else:
        assert refused(row.delete, "ConditionalCheckFailedException", **parameters) == _CONDITION_FAILED
        assert row.get() == _ITEM


def test_a_second_conditional_put_is_refused_and_shows_what_is_there(row: Row) -> None:
    only_new = {"ConditionExpression": "attribute_not_exists(pk)"}
    row.put({"a": {"S": "first"}}, **only_new)
    with pytest.raises(row.client.exceptions.ConditionalCheckFailedException) as raised:
        row.put({"a": {"S": "second"}}, ReturnValuesOnConditionCheckFailure="ALL_OLD", **only_new)
    assert raised.value.response["Error"]["Message"] == _CONDITION_FAILED
    assert raised.value.response["Item"] == {**row.key, "a": {"S": "first"}}
    with pytest.raises(row.client.exceptions.ConditionalCheckFailedException) as raised:
        row.put({"a": {"S": "second"}}, **only_new)
    assert "Item" not in raised.value.response
    assert row.get() == {"a": {"S": "first"}}


# ---- reading -----------------------------------------------------------------------------------------------


def test_projections(row: Row) -> None:
    row.put(_ITEM)
    assert row.get(ProjectionExpression="m.deep, l[1], lacking") == {
        "m": {"M": {"deep": {"BOOL": True}}},
        "l": {"L": [{"N": "2"}]},
    }
    assert row.get(ProjectionExpression="#a", ExpressionAttributeNames={"#a": "set"}) == {"set": _ITEM["set"]}


def test_capacity_is_counted_in_aws_units(row: Row) -> None:
    size_without = 2 + len(row.key["pk"]["S"]) + 1
    answer = row.put({"a": {"S": "x" * (3_000 - size_without)}}, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == {"TableName": row.table, "CapacityUnits": 3.0}
    row.put({"a": {"S": "x" * (8_192 - size_without)}})
    for strong, units in ((False, 1.0), (True, 2.0)):
        answer = row.client.get_item(
            TableName=row.table, Key=row.key, ConsistentRead=strong, ReturnConsumedCapacity="TOTAL"
        )
        assert answer["ConsumedCapacity"]["CapacityUnits"] == units


# ---- what an item cannot be --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"pk": {"N": "1"}}, "The provided key element does not match the schema"),
        ({"other": {"S": "a"}}, "The provided key element does not match the schema"),
        ({"pk": {"S": "a"}, "sk": {"S": "b"}}, "The provided key element does not match the schema"),
        ({}, "The provided key element does not match the schema"),
        (
            {"pk": {"S": ""}},
            (
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
                "an empty string value. Key: pk"
            ),
        ),
        (
            {"pk": {"S": "x" * 2_049}},
            _INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
    ],
)
def test_keys_that_are_none(client: Client, tables: Tables, key: Item, message: str) -> None:
    for call in (client.get_item, client.delete_item, client.update_item):
        assert refused(call, "ValidationException", TableName=tables("S"), Key=key) == message


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"pk": {"N": "1"}}, _INVALID + "Type mismatch for key pk expected: S actual: N"),
        ({"a": {"SS": []}}, _ENVELOPE + _INVALID + "An string set  may not be empty"),
        (
            {"a": {"SS": ["a", "a"]}},
            _ENVELOPE + _INVALID + 'Input collection ["a", "a"] contains duplicates.',
        ),
        (
            {"a": {"NULL": False}},
            _ENVELOPE + _INVALID + "Null attribute value types must have the value of true",
        ),
        ({"a": {"N": "x"}}, _ENVELOPE + "The parameter cannot be converted to a numeric value: x"),
        (
            {"a": {"N": "1" * 39}},
            _ENVELOPE + "Attempting to store more than 38 significant digits in a Number",
        ),
        (
            {"a": {"N": "1E126"}},
            _ENVELOPE
            + "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            {"a": {"N": "1E-131"}},
            _ENVELOPE
            + "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
        ({"a": {"S": "x" * 409_600}}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_items_that_cannot_be_put(row: Row, attributes: Item, message: str) -> None:
    assert refused(row.put, "ValidationException", attributes=attributes) == message
    assert row.get() is None


def test_a_put_without_its_key(client: Client, tables: Tables) -> None:
    message = refused(client.put_item, "ValidationException", TableName=tables("S"), Item={"a": {"S": "x"}})
    assert message == _INVALID + "Missing the key pk in the item"


def test_400_kb_is_the_limit_and_no_byte_more(row: Row) -> None:
    room = 409_600 - 2 - len(row.key["pk"]["S"]) - 1
    row.put({"a": {"S": "x" * room}})
    message = refused(
        row.update,
        "ValidationException",
        expression="SET b = :v",
        ExpressionAttributeValues={":v": {"S": ""}},
    )
    assert message == "Item size to update has exceeded the maximum allowed size"
    message = refused(row.put, "ValidationException", attributes={"a": {"S": "x" * (room + 1)}})
    assert message == "Item size has exceeded the maximum allowed size"
    assert row.get() == {"a": {"S": "x" * room}}


def test_a_sort_key_of_1024_bytes(client: Client, tables: Tables, unique: str) -> None:
    item = {"pk": {"S": unique}, "sk": {"S": "é" * 512}}
    client.put_item(TableName=tables("S", "S"), Item=item)
    answer = client.get_item(TableName=tables("S", "S"), Key=item, ConsistentRead=True)
    assert answer["Item"] == item
    message = refused(
        client.put_item,
        "ValidationException",
        TableName=tables("S", "S"),
        Item={"pk": {"S": unique}, "sk": {"S": "x" * 1_025}},
    )
    assert message == _INVALID + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"


def test_a_key_attribute_holds_nothing_to_read(row: Row) -> None:
    row.put()
    message = refused(row.update, "ValidationException", expression="SET a = pk.a")
    assert message == (
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"
    )
    assert row.get() == {}


def test_redundant_parentheses_are_told_of_after_mistakes_of_syntax(row: Row) -> None:
    message = refused(row.delete, "ValidationException", ConditionExpression="((a = b)) AND")
    assert "Syntax error" in message
    message = refused(row.delete, "ValidationException", ConditionExpression="((a = b)) AND name = b")
    assert message.endswith("Invalid ConditionExpression: The expression has redundant parentheses;")
