"""The same random operations on a table with both kinds of index and on a dictionary: every answer is the same, and
so is what is there in the end, however it is asked for."""

from __future__ import annotations

import copy
import os
import time
import uuid
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit import model_table
from tests.kit.boto import Client, Tables, all_pages, items_of
from tests.kit.model_table import Action, Condition, Impossible, Item, Key, ModelTable, Refused
from tests.kit.wild_requests import TABLE_DEFINITION

_EXAMPLES = int(os.environ.get("KVORUM_MODEL_EXAMPLES", "60"))
_STEPS_MAX = 20
_SETTLED_SECONDS = 15.0

_numbers = st.integers(-5, 5).map(Decimal)
_strings = st.sampled_from(("a", "b", "ab", "é", "z"))
_lists = st.lists(_numbers | _strings, max_size=3)
_sets = st.sets(_strings, min_size=1)
_attributes = st.fixed_dictionaries(
    {}, optional={"n": _numbers, "s": _strings, "l": _lists, "t": _sets, "lsk": _strings, "gsk": _numbers}
)
_sort_keys = st.integers(0, 4).map(Decimal)
_partitions = st.sampled_from(("p", "q"))

_plain_conditions: st.SearchStrategy[Condition] = st.one_of(
    st.sampled_from(("pk", "n", "s", "l", "t", "gsk")).map(model_table.exists),
    _strings.map(model_table.begins),
    st.tuples(_numbers, _numbers).map(sorted).map(lambda pair: model_table.between(*pair)),
    _strings.map(model_table.has),
    st.integers(0, 2).map(model_table.longer),
)
_conditions = st.one_of(
    st.none(),
    _plain_conditions,
    _plain_conditions.map(model_table.negated),
    st.tuples(
        st.sampled_from(("pk", "n")).map(model_table.exists), st.integers(0, 2).map(model_table.longer)
    ).map(lambda pair: model_table.both(*pair)),
)
_actions: st.SearchStrategy[list[Action]] = st.lists(
    st.one_of(
        _numbers.map(lambda value: model_table.set_to("n", value)),
        st.builds(
            lambda value, start: model_table.add_to_number(value, start=start), _numbers, st.booleans()
        ),
        _lists.map(lambda value: model_table.set_to("l", value)),
        _lists.map(model_table.append),
        _sets.map(lambda value: model_table.add("t", value)),
        _numbers.map(lambda value: model_table.add("n", value)),
        _sets.map(model_table.take_away),
        _strings.map(lambda value: model_table.set_to("lsk", value)),
        _numbers.map(lambda value: model_table.set_to("gsk", value)),
        st.sampled_from(("n", "s", "l", "t", "lsk", "gsk")).map(model_table.remove),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda action: action.attribute,
)


def _wire(item: Item) -> Item:
    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in item.items()}


def _plain(item: Item) -> Item:
    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in item.items()}


class _Both:
    """The table and its model. Partitions are this run's own: `run` is put before them."""

    def __init__(self, client: Client, table: str, drawn: st.DataObject) -> None:
        self.model = ModelTable()
        self._client = client
        self._table = table
        self._run = uuid.uuid4().hex
        self._drawn = drawn
        self.steps = (
            self._put,
            self._put,
            self._update,
            self._update,
            self._update,
            self._delete,
            self._get,
            self._query,
        )

    def _draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self._drawn.draw(strategy)

    def _key(self) -> Key:
        return self._run + self._draw(_partitions), self._draw(_sort_keys)

    def _put(self) -> None:
        pk, sk = self._key()
        item = {"pk": pk, "sk": sk, "gpk": self._run, **self._draw(_attributes)}
        condition = self._draw(_conditions)
        self._write(
            lambda: self.model.put(item, condition),
            self._client.put_item,
            condition,
            {},
            Item=_wire(item),
            ReturnValues="ALL_OLD",
        )

    def _delete(self) -> None:
        pk, sk = self._key()
        condition = self._draw(_conditions)
        self._write(
            lambda: self.model.delete((pk, sk), condition),
            self._client.delete_item,
            condition,
            {},
            Key=_wire({"pk": pk, "sk": sk}),
            ReturnValues="ALL_OLD",
        )

    def _update(self) -> None:
        """Of something that is not there, only with a SET: what merely takes away makes no item."""
        pk, sk = self._key()
        actions = self._draw(_actions)
        if (pk, sk) not in self.model.items:
            actions = [model_table.set_to("gpk", self._run), *actions]
        condition = self._draw(_conditions)
        returns = self._draw(st.sampled_from(("ALL_NEW", "ALL_OLD", "UPDATED_NEW", "UPDATED_OLD", "NONE")))

        def expected() -> Item | None:
            old, new = self.model.update((pk, sk), actions, condition)
            chosen = {"ALL_NEW": new, "UPDATED_NEW": new, "NONE": None}.get(returns, old)
            if chosen is None or returns.startswith("ALL"):
                return chosen
            touched = {action.attribute for action in actions}
            return {name: value for name, value in chosen.items() if name in touched} or None

        self._write(
            expected,
            self._client.update_item,
            condition,
            {name: value for action in actions for name, value in action.values.items()},
            Key=_wire({"pk": pk, "sk": sk}),
            UpdateExpression=model_table.update_expression(actions),
            ReturnValues=returns,
        )

    def _write(
        self, expected: Any, call: Any, condition: Condition | None, values: Item, **parameters: Any
    ) -> None:
        """Both do it, or both refuse it for the same reason, and show the same."""
        if condition is not None:
            parameters["ConditionExpression"] = condition.text
            parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            values = values | condition.values
        if values:
            parameters["ExpressionAttributeValues"] = _wire(values)
        try:
            shown = expected()
        except Refused as refusal:
            self._refused(call, "ConditionalCheckFailedException", parameters, refusal.item)
        except Impossible:
            self._refused(call, "ValidationException", parameters, None)
        else:
            answer = call(TableName=self._table, **parameters)
            assert (_plain(answer["Attributes"]) if "Attributes" in answer else None) == shown

    def _refused(self, call: Any, code: str, parameters: Item, shown: Item | None) -> None:
        with pytest.raises(ClientError) as raised:
            call(TableName=self._table, **parameters)
        response: dict[str, Any] = raised.value.response
        assert response["Error"]["Code"] == code
        assert (_plain(response["Item"]) if "Item" in response else None) == shown

    def _get(self) -> None:
        key = self._key()
        answer = self._client.get_item(
            TableName=self._table, Key=_wire({"pk": key[0], "sk": key[1]}), ConsistentRead=True
        )
        assert (_plain(answer["Item"]) if "Item" in answer else None) == self.model.items.get(key)

    def _query(self) -> None:
        least, most = sorted((self._draw(_sort_keys), self._draw(_sort_keys)))
        partition = self._run + self._draw(_partitions)
        forward = self._draw(st.booleans())
        wanted = self.model.query(partition, least, most)
        pages = all_pages(
            self._client.query,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :least AND :most",
            ExpressionAttributeValues=_wire({":pk": partition, ":least": least, ":most": most}),
            ScanIndexForward=forward,
            Limit=self._draw(st.integers(1, 6)),
            ConsistentRead=True,
        )
        assert [_plain(item) for item in items_of(pages)] == (wanted if forward else wanted[::-1])

    # ---- in the end ----

    def check_everything(self) -> None:
        for partition in ("p", "q"):
            found = self._by_index("by-lsk", "pk", self._run + partition, ConsistentRead=True)
            assert found == self.model.local_index(self._run + partition)
        wanted = self.model.global_index(self._run)
        deadline = time.monotonic() + _SETTLED_SECONDS
        while True:  # it is a moment behind
            found = self._by_index("by-gpk", "gpk", self._run)
            assert [item["gsk"] for item in found] == sorted(item["gsk"] for item in found)
            found.sort(key=lambda item: (item["gsk"], item["pk"], item["sk"]))
            if found == wanted or time.monotonic() > deadline:
                break
        assert found == wanted

    def _by_index(self, index: str, name: str, value: str, **more: Any) -> list[Item]:
        pages = all_pages(
            self._client.query,
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=f"{name} = :value",
            ExpressionAttributeValues=_wire({":value": value}),
            Limit=3,
            **more,
        )
        return [_plain(item) for item in items_of(pages)]


@pytest.fixture(scope="module")
def table(client: Client, tables: Tables) -> str:
    """With the indexes `by-lsk` and `by-gpk`, all attributes in both."""
    name = tables.unused_name()
    definition = copy.deepcopy(TABLE_DEFINITION) | {"TableName": name}
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        definition[kind][0]["Projection"] = {"ProjectionType": "ALL"}
    with suppress(client.exceptions.ResourceInUseException):  # made by a try that was not answered
        client.create_table(**definition)
    client.get_waiter("table_exists").wait(TableName=name)
    return name


@settings(
    max_examples=_EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(drawn=st.data())
def test_a_table_is_a_dictionary(client: Client, table: str, drawn: st.DataObject) -> None:
    both = _Both(client, table, drawn)
    for _ in range(drawn.draw(st.integers(1, _STEPS_MAX))):
        drawn.draw(st.sampled_from(both.steps))()
    both.check_everything()
