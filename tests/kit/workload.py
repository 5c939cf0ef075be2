"""Writers of a chaos test, and what they remember: every operation with its times and its outcome.

A writer sends its next request when the last one is answered, to its own region, so that as many requests are
in flight as there are writers. Most are writes to shared items; some are operations on a few registers of the
region, for the linearizability check; some are strong reads.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from kvorum.model import keys
from tests.kit import dynamo
from tests.kit.dynamo import Answer, Connection
from tests.kit.history import Observation, Operation, Outcome, Write

TABLE = "chaos"
KEYS = tuple(f"key-{number}" for number in range(200))
INDEXES = {"value": {"ProjectionType": "KEYS_ONLY"}, "base": {"ProjectionType": "ALL"}}
"""Projections of the table's global indexes, by their key. Every write has another `value`; only a put gives an item
a `base`."""
REGISTERS = 3
"""A region; their keys begin with its name, so that only this region's clients know them."""

_RETRY_SECONDS = 0.01  # as an SDK would wait; a refused connection is refused again in microseconds


@dataclass(frozen=True, slots=True)
class PartitionRanges:
    """The table's partitions in one region: first tokens, ascending, and their numbers."""

    lowers: list[int]
    numbers: list[int]

    def of(self, key: str) -> int:
        return self.numbers[bisect_right(self.lowers, keys.token(key.encode())) - 1]


WHOLE_TABLE = PartitionRanges([0], [0])
"""For those who do not ask which partition a key is in."""


@dataclass(slots=True)
class Record:
    """`successes`: when writes to a partition were answered with success, by (region, partition)."""

    writes: list[Write] = field(default_factory=list[Write])
    observations: list[Observation] = field(default_factory=list[Observation])
    registers: dict[str, list[Operation]] = field(
        default_factory=lambda: defaultdict[str, list[Operation]](list)
    )
    successes: dict[tuple[str, int], list[float]] = field(
        default_factory=lambda: defaultdict[tuple[str, int], list[float]](list)
    )
    errors: dict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))
    slowest_seconds: float = 0.0

    def outcomes(self) -> dict[str, int]:
        counts: dict[str, int] = defaultdict(int)
        for write in self.writes:
            counts[write.outcome.value] += 1
        return dict(counts)


class Writer:
    """`registers`: the share of its operations that are on registers."""

    def __init__(
        self,
        name: str,
        region: str,
        url: str,
        ranges: PartitionRanges,
        record: Record,
        random: Random,
        registers: float = 0.15,
    ) -> None:
        self._name = name
        self._region = region
        self._url = url
        self._ranges = ranges
        self._record = record
        self._random = random
        self._registers = registers
        self._count = 0

    async def run(self, stop: asyncio.Event) -> None:
        async with Connection(self._url) as connection:
            while not stop.is_set():
                if self._random.random() < self._registers:
                    answer = await self._use_register(connection)
                elif self._random.random() < 0.1:
                    answer = await self._read(connection)
                else:
                    answer = await self._write(connection)
                if answer.error:
                    self._record.errors[answer.error] += 1
                if answer.status in {0, 500, 503}:
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _write(self, connection: Connection) -> Answer:
        key = self._random.choice(KEYS)
        self._count += 1
        value = f"{self._name}-{self._count}"
        dice = self._random.random()
        deletes, updates = dice < 0.1, 0.1 <= dice < 0.45
        named: dict[str, Any] = {"TableName": TABLE, "Key": {"id": {"S": key}}}
        invoked = time.time()
        if deletes:
            answer = await connection.call("DeleteItem", named)
        elif updates:
            answer = await connection.call(
                "UpdateItem",
                {
                    **named,
                    "UpdateExpression": "SET #value = :value",
                    "ExpressionAttributeNames": {"#value": "value"},
                    "ExpressionAttributeValues": {":value": {"S": value}},
                },
            )
        else:
            item = {
                "id": {"S": key},
                "value": {"S": value},
                "base": {"S": value},
                "padding": {"S": "x" * 200},
            }
            answer = await connection.call("PutItem", {"TableName": TABLE, "Item": item})
        completed = time.time()
        self._note(key, answer, invoked, completed)
        self._record.writes.append(
            Write(key, self._region, value, invoked, completed, _outcome(answer), deletes, updates)
        )
        return answer

    async def _read(self, connection: Connection) -> Answer:
        key = self._random.choice(KEYS)
        invoked = time.time()
        answer = await connection.call(
            "GetItem", {"TableName": TABLE, "Key": {"id": {"S": key}}, "ConsistentRead": True}
        )
        if answer.ok:
            item = answer.body.get("Item", {})
            self._record.observations.append(observation(key, self._region, item, invoked, time.time()))
        return answer

    async def _use_register(self, connection: Connection) -> Answer:
        key = f"{self._region}-register-{self._random.randrange(REGISTERS)}"
        kind = self._random.choice(("read", "read", "write", "swap"))
        history = self._record.registers[key]
        self._count += 1
        value = f"{self._name}-{self._count}"
        call: tuple[str, ...]
        invoked = time.time()
        seen: Any = None
        if kind == "read":
            call = ("read",)
            answer = await connection.call(
                "GetItem", {"TableName": TABLE, "Key": {"id": {"S": key}}, "ConsistentRead": True}
            )
            if answer.ok and "Item" in answer.body:
                seen = answer.body["Item"]["value"]["S"]
        else:
            body: dict[str, Any] = {"TableName": TABLE, "Item": {"id": {"S": key}, "value": {"S": value}}}
            call = ("write", value)
            if kind == "swap":
                old = next((one.call[1] for one in reversed(history) if one.call[0] != "read"), "none")
                call = ("swap", old, value)
                body["ConditionExpression"] = "#value = :old"
                body["ExpressionAttributeNames"] = {"#value": "value"}
                body["ExpressionAttributeValues"] = {":old": {"S": old}}
            answer = await connection.call("PutItem", body)
            if kind == "swap":
                seen = answer.ok
        completed = time.time()
        outcome = _outcome(answer)
        if answer.error == "ConditionalCheckFailedException":
            outcome = Outcome.DONE  # an answer like any other
        self._note(key, answer, invoked, completed, counts=kind != "read")
        history.append(Operation(call, seen, invoked, completed, outcome))
        return answer

    def _note(
        self, key: str, answer: Answer, invoked: float, completed: float, *, counts: bool = True
    ) -> None:
        self._record.slowest_seconds = max(self._record.slowest_seconds, completed - invoked)
        if answer.ok and counts:
            self._record.successes[self._region, self._ranges.of(key)].append(completed)


def observation(
    key: str, region: str | None, item: dict[str, Any], invoked: float, completed: float
) -> Observation:
    value = item["value"]["S"] if "value" in item else None
    base = item["base"]["S"] if "base" in item else None
    return Observation(key, region, value, base, invoked, completed)


def _outcome(answer: Answer) -> Outcome:
    if answer.ok:
        return Outcome.DONE
    return Outcome.REFUSED if answer.definite else Outcome.UNKNOWN


def ranges_by_region(status: Iterable[dict[str, Any]]) -> dict[str, PartitionRanges]:
    """From `kvorum status --json`."""
    found: dict[str, PartitionRanges] = {}
    for region in status:
        mine = sorted(
            (int(partition["lower"], 16), int(partition["id"]))
            for partition in region["partitions"]
            if partition["table"] == TABLE and not partition["index"]
        )
        found[region["name"]] = PartitionRanges([lower for lower, _ in mine], [number for _, number in mine])
    return found


def indexed(items: dict[str, dict[str, Any]], attribute: str) -> dict[str, dict[str, Any]]:
    """What the index by `attribute` must show of the table's items, by `id`."""
    shown = {key: item for key, item in items.items() if attribute in item}
    if INDEXES[attribute]["ProjectionType"] == "KEYS_ONLY":
        return {key: {name: item[name] for name in ("id", attribute)} for key, item in shown.items()}
    return shown


def final_observations(url: str) -> list[Observation]:
    """Every item of the table, absent ones too, when nobody writes any more."""
    invoked = time.time()
    items = dynamo.scan(url, TABLE)
    completed = time.time()
    return [observation(key, None, items.get(key, {}), invoked, completed) for key in KEYS]
