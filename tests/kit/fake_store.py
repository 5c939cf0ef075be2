"""A router's service without a cluster: tables of one partition key in memory, scripted failures, slow answers.

It speaks DynamoDB JSON, as router/service does, and knows no expressions: a write with a condition fails, a
query finds everything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from kvorum.model import errors

Json = dict[str, Any]


class FakeStore:
    """`script`: for the next calls in turn, an error to raise or a coroutine function to await first."""

    def __init__(self, *, key: str = "id", page_size: int = 2) -> None:
        self.calls: list[tuple[str, Json]] = []
        self.items: dict[str, Json] = {}
        self.tables: dict[str, Json] = {}
        self.script: deque[Exception | Callable[[], Awaitable[None]] | None] = deque()
        self.unprocessed = 0
        """How many writes or keys of the next batches are left undone, one a batch."""
        self._key = key
        self._page_size = page_size

    async def execute_json(self, operation: str, body: Json) -> bytes:
        self.calls.append((operation, body))
        step = self.script.popleft() if self.script else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            await step()
        answer: Json = getattr(self, f"_{operation}")(body)
        return orjson.dumps(answer)

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    def _name(self, item: Json) -> str:
        return orjson.dumps(item[self._key]).decode()

    def _PutItem(self, body: Json) -> Json:  # noqa: N802
        name = self._name(body["Item"])
        old = self.items.get(name)
        if body.get("ConditionExpression"):
            asked = body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise errors.conditional_check_failed(old if asked else None)
        self.items[name] = body["Item"]
        return {"Attributes": old} if old is not None and body.get("ReturnValues") == "ALL_OLD" else {}

    def _GetItem(self, body: Json) -> Json:  # noqa: N802
        item = self.items.get(self._name(body["Key"]))
        return {} if item is None else {"Item": item}

    def _UpdateItem(self, body: Json) -> Json:  # noqa: N802
        item = self.items.setdefault(self._name(body["Key"]), body["Key"])
        item.update({name[1:]: value for name, value in body.get("ExpressionAttributeValues", {}).items()})
        return {"Attributes": item} if body.get("ReturnValues") == "ALL_NEW" else {}

    def _DeleteItem(self, body: Json) -> Json:  # noqa: N802
        old = self.items.pop(self._name(body["Key"]), None)
        return {"Attributes": old} if old is not None and body.get("ReturnValues") == "ALL_OLD" else {}

    def _Scan(self, body: Json) -> Json:  # noqa: N802
        names = sorted(self.items)[body.get("Segment", 0) :: body.get("TotalSegments", 1)]
        if "ExclusiveStartKey" in body:
            names = [name for name in names if name > self._name(body["ExclusiveStartKey"])]
        page = [self.items[name] for name in names[: body.get("Limit", self._page_size)]]
        answer: Json = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        if len(page) < len(names):
            answer["LastEvaluatedKey"] = {self._key: page[-1][self._key]}
        return answer

    _Query = _Scan

    def _BatchGetItem(self, body: Json) -> Json:  # noqa: N802
        ((table, request),) = body["RequestItems"].items()
        keys = request["Keys"]
        found = [self.items[name] for name in map(self._name, keys) if name in self.items]
        answer: Json = {"Responses": {table: found}, "UnprocessedKeys": {}}
        if self.unprocessed:
            self.unprocessed -= 1
            answer["Responses"][table] = [item for item in found if item[self._key] != keys[0][self._key]]
            answer["UnprocessedKeys"] = {table: {**request, "Keys": keys[:1]}}
        return answer

    def _BatchWriteItem(self, body: Json) -> Json:  # noqa: N802
        ((table, writes),) = body["RequestItems"].items()
        undone = writes[:1] if self.unprocessed else []
        self.unprocessed -= len(undone)
        for write in writes[len(undone) :]:
            if "PutRequest" in write:
                item = write["PutRequest"]["Item"]
                self.items[self._name(item)] = item
            else:
                self.items.pop(self._name(write["DeleteRequest"]["Key"]), None)
        return {"UnprocessedItems": {table: undone} if undone else {}}

    def _CreateTable(self, body: Json) -> Json:  # noqa: N802
        if body["TableName"] in self.tables:
            raise errors.resource_in_use(f"Table already exists: {body['TableName']}")
        indexes = [{**index, "IndexStatus": "ACTIVE"} for index in body.get("GlobalSecondaryIndexes", [])]
        description = {
            **body,
            "TableStatus": "CREATING",
            "CreationDateTime": 1_700_000_000.5,
            "ItemCount": 0,
            "TableSizeBytes": 0,
            "TableArn": f"arn:aws:dynamodb:x:1:table/{body['TableName']}",
            "TableId": "f0",
            "GlobalSecondaryIndexes": indexes,
            "WarmThroughput": {"Status": "ACTIVE"},
        }
        self.tables[body["TableName"]] = {**description, "TableStatus": "ACTIVE"}
        return {"TableDescription": description}

    def _DescribeTable(self, body: Json) -> Json:  # noqa: N802
        return {"Table": self._table(body)}

    def _DeleteTable(self, body: Json) -> Json:  # noqa: N802
        description = self._table(body)
        del self.tables[body["TableName"]]
        return {"TableDescription": {**description, "TableStatus": "DELETING"}}

    def _ListTables(self, body: Json) -> Json:  # noqa: N802
        names = [name for name in sorted(self.tables) if name > body.get("ExclusiveStartTableName", "")]
        page = names[: self._page_size]
        answer: Json = {"TableNames": page}
        if len(page) < len(names):
            answer["LastEvaluatedTableName"] = page[-1]
        return answer

    def _table(self, body: Json) -> Json:
        if body["TableName"] not in self.tables:
            raise errors.resource_not_found(
                f"Requested resource not found: Table: {body['TableName']} not found"
            )
        return self.tables[body["TableName"]]


class Gate:
    """Holds calls until it is opened, and tells how many have come: put `pass_through` into a script."""

    def __init__(self) -> None:
        self.arrived = asyncio.Semaphore(0)
        self._open = asyncio.Event()

    async def pass_through(self) -> None:
        self.arrived.release()
        await self._open.wait()

    def open(self) -> None:
        self._open.set()
