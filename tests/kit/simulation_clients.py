"""Virtual clients of a simulated cluster: one request at a time each, in DynamoDB JSON, through real routers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol

import orjson

from tests.kit.links import VirtualLoop
from tests.kit.simulation_history import History, Item, Key, Operation, Outcome

CLIENT_SECONDS_MAX = 12.0
"""A client that has no answer by then gives up: what it asked for may have happened."""

Respond = Callable[[int, bytes], None]

_WRITE_KINDS = ("put", "put", "put_new", "put_if", "set", "set_default", "add", "add", "delete", "delete_if")


class Door(Protocol):
    """One life of a router, as clients see it."""

    name: str

    @property
    def alive(self) -> bool: ...

    def request(self, operation: str, body: bytes, respond: Respond) -> None:
        """`respond` gets (status, body); status 0: the connection broke."""
        ...


@dataclass(slots=True)
class Keys:
    """What the clients of one region may touch. `own`: written in this region only. `shared`: in all."""

    table: str
    own: list[Key] = field(default_factory=list[Key])
    shared: list[Key] = field(default_factory=list[Key])
    counters: list[Key] = field(default_factory=list[Key])

    @property
    def all(self) -> list[Key]:
        return self.own + self.shared + self.counters


@dataclass(slots=True)
class Ports:
    """What clients need of the simulation. `route(region)`: some router of it that listens."""

    loop: VirtualLoop
    random: Random
    history: History
    route: Callable[[str], Door | None]
    latency_seconds: tuple[float, float] = (0.000_1, 0.001)
    numbers: int = 0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers


class ItemClient:
    """Reads and writes items until `stop`."""

    def __init__(self, ports: Ports, name: str, region: str, keys: Keys, think_seconds: float) -> None:
        self.waiting: list[Operation] = []
        self.busy = False
        self._ports = ports
        self._name = name
        self._region = region
        self._keys = keys
        self._think_seconds = think_seconds
        self._stopped = False
        self._values: dict[Key, int] = {}  # what was last seen of `v`: conditions are to be true now and then

    def start(self) -> None:
        self._later(self._ports.random.uniform(0, self._think_seconds))

    def stop(self) -> None:
        self._stopped = True

    def _later(self, seconds: float) -> None:
        self._ports.loop.call_later(seconds, self._issue)

    def _issue(self) -> None:
        if self._stopped:
            self.busy = False
            return
        random = self._ports.random
        door = self._ports.route(self._region)
        if door is None:
            self._later(0.1)
            return
        self.busy = True
        draw = random.random()
        if draw < 0.5:
            self._write_something(door)
        elif draw < 0.9:
            self.read(door, random.choice(self._keys.all), strong=random.random() < 0.6)
        elif draw < 0.96:
            wanted = random.choice(self._keys.all)[1]
            self.read_many(door, "Query", wanted, strong=random.random() < 0.6)
        else:
            self.read_many(door, "Scan", "", strong=random.random() < 0.6)

    def _begin(
        self, door: Door, kind: str, key: Key, argument: int = 0, expected: int | None = None
    ) -> Operation:
        ports = self._ports
        operation = Operation(
            ports.number(),
            self._name,
            self._region,
            door.name,
            kind,
            key,
            ports.loop.time(),
            argument,
            expected,
        )
        return ports.history.add(operation)

    def _write_something(self, door: Door) -> None:
        random = self._ports.random
        if self._keys.counters and random.random() < 0.2:
            key, kind = random.choice(self._keys.counters), "add"
        else:
            key = random.choice(self._keys.own + self._keys.shared)
            kind = random.choice(_WRITE_KINDS)
        expected = self._values.get(key, 0) if kind in ("put_if", "delete_if") else None
        self.write(door, kind, key, random.choice((1, 1, 2, 5)), expected)

    def write(
        self, door: Door, kind: str, key: Key, amount: int = 1, expected: int | None = None
    ) -> Operation:
        """`amount`: what "add" adds; other writes put their operation's number."""
        operation = self._begin(door, kind, key, amount, expected)
        if kind != "add":
            operation.argument = operation.number
        name, body = request_of(operation)
        self._send(door, name, body, [operation])
        return operation

    def read(self, door: Door, key: Key, *, strong: bool) -> Operation:
        operation = self._begin(door, "get", key)
        operation.strong = strong
        body = {"TableName": key[0], "Key": key_of(key), "ConsistentRead": strong}
        self._send(door, "GetItem", body, [operation])
        return operation

    def read_many(self, door: Door, name: str, wanted: str, *, strong: bool) -> list[Operation]:
        """Every item of a hash key, or of the table: as one read of each key."""
        keys = [key for key in self._keys.all if wanted in ("", key[1])]
        operations = [self._begin(door, "get", key) for key in keys]
        for operation in operations:
            operation.strong = strong
        body: dict[str, Any] = {"TableName": self._keys.table, "ConsistentRead": strong}
        if name == "Query":
            body["KeyConditionExpression"] = "p = :p"
            body["ExpressionAttributeValues"] = {":p": {"S": wanted}}
        self._send(door, name, body, operations)
        return operations

    def _send(self, door: Door, name: str, body: dict[str, Any], operations: list[Operation]) -> None:
        self.waiting = operations
        concluded = partial(self._concluded, operations)
        send(self._ports, door, name, body, lambda: _count(operations), concluded)

    def _concluded(self, operations: list[Operation], status: int, answer: dict[str, Any]) -> None:
        now = self._ports.loop.time()
        outcome, error = outcome_of(status, answer)
        items = items_of(operations, answer) if outcome is Outcome.OK else {}
        for operation in operations:
            operation.returned = now if outcome is not Outcome.UNKNOWN else operation.returned
            operation.outcome = outcome
            operation.error = error
            operation.refused = error == "ConditionalCheckFailedException"
            operation.seen = seen = items.get(operation.key)
            if seen is not None and seen.v is not None:
                self._values[operation.key] = seen.v
            elif operation.kind.startswith("put") and outcome is Outcome.OK:
                self._values[operation.key] = operation.argument
        self.waiting = []
        self.busy = False
        self._later(self._ports.random.expovariate(1 / self._think_seconds))


class TableClient:
    """Makes and deletes one table, over and over: made in `home` by the request `body`, deleted anywhere."""

    def __init__(self, ports: Ports, body: dict[str, Any], home: str, regions: list[str]) -> None:
        self.name = str(body["TableName"])
        self._body = body
        self.busy = False
        self.operations: list[tuple[str, Outcome]] = []
        self.answers: list[int] = []
        self._ports = ports
        self.home = home
        self._regions = regions
        self._stopped = False

    def start(self) -> None:
        self._later()

    def stop(self) -> None:
        self._stopped = True

    def _later(self) -> None:
        self._ports.loop.call_later(self._ports.random.uniform(0.01, 2.0), self._issue)

    def _issue(self) -> None:
        random = self._ports.random
        if self._stopped:
            self.busy = False
            return
        creates = random.random() < 0.55
        region = self.home if creates else random.choice(self._regions)
        door = self._ports.route(region)
        if door is None:
            self._later()
            return
        self.busy = True
        kind = "create" if creates else "delete"
        body = self._body if creates else {"TableName": self.name}
        self.answers.append(0)
        operation = "CreateTable" if creates else "DeleteTable"
        if region != self.home:
            kind = "delete elsewhere"
        send(self._ports, door, operation, body, self._count, partial(self._concluded, kind))

    def _count(self) -> None:
        self.answers[-1] += 1

    def _concluded(self, kind: str, status: int, answer: dict[str, Any]) -> None:
        self.operations.append((kind, outcome_of(status, answer)[0]))
        self.busy = False
        self._later()


def send(
    ports: Ports,
    door: Door,
    name: str,
    body: dict[str, Any],
    answered: Callable[[], None],
    concluded: Callable[[int, dict[str, Any]], None],
) -> None:
    """`answered` runs for every answer of the router, however late; `concluded` once."""
    over = False

    def conclude(status: int, answer: bytes) -> None:
        nonlocal over
        if not over:
            over = True
            timer.cancel()
            concluded(status, orjson.loads(answer) if answer else {})

    def respond(status: int, answer: bytes) -> None:
        if status:
            answered()
        ports.loop.call_later(ports.random.uniform(*ports.latency_seconds), conclude, status, answer)

    timer = ports.loop.call_later(CLIENT_SECONDS_MAX, conclude, 0, b"")
    ports.loop.call_later(
        ports.random.uniform(*ports.latency_seconds), door.request, name, orjson.dumps(body), respond
    )


def _count(operations: list[Operation]) -> None:
    for operation in operations:
        operation.answers += 1


# ---- DynamoDB JSON -------------------------------------------------------------------------------------


def table_body(name: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "p", "KeyType": "HASH"},
            {"AttributeName": "s", "KeyType": "RANGE"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


def key_of(key: Key) -> dict[str, Any]:
    return {"p": {"S": key[1]}, "s": {"S": key[2]}}


def request_of(operation: Operation) -> tuple[str, dict[str, Any]]:
    key = key_of(operation.key)
    writer, value = {"N": str(operation.number)}, {"N": str(operation.argument)}
    body: dict[str, Any] = {"TableName": operation.key[0]}
    values: dict[str, Any] = {}
    kind = operation.kind
    if kind.startswith("put"):
        name = "PutItem"
        body |= {"Item": {**key, "w": writer, "v": value}, "ReturnValues": "ALL_OLD"}
        if kind == "put_new":
            body["ConditionExpression"] = "attribute_not_exists(p)"
    elif kind.startswith("delete"):
        name = "DeleteItem"
        body |= {"Key": key, "ReturnValues": "ALL_OLD"}
    else:
        name = "UpdateItem"
        body |= {"Key": key, "ReturnValues": "ALL_NEW"}
        values = {":w": writer, ":v": value}
        body["UpdateExpression"] = {
            "set": "SET v = :v, w = :w",
            "set_default": "SET v = if_not_exists(v, :v), w = :w",
            "add": "SET w = :w ADD n :v",
        }[kind]
    if kind.endswith("_if"):
        body["ConditionExpression"] = "v = :e"
        values[":e"] = {"N": str(operation.expected)}
    if values:
        body["ExpressionAttributeValues"] = values
    return name, body


def outcome_of(status: int, answer: dict[str, Any]) -> tuple[Outcome, str]:
    if status == 200:
        return Outcome.OK, ""
    if status == 0:
        return Outcome.UNKNOWN, "no answer"
    error = str(answer.get("__type", "")).rpartition("#")[2]
    if error == "InternalServerError":
        return Outcome.UNKNOWN, error
    return Outcome.FAILED, error


def items_of(operations: list[Operation], answer: dict[str, Any]) -> dict[Key, Item]:
    """What an answer shows, by key."""
    table = operations[0].key[0]
    shown = [answer[member] for member in ("Item", "Attributes") if member in answer] + answer.get(
        "Items", []
    )
    items: dict[Key, Item] = {}
    for each in shown:
        key = (table, each["p"]["S"], each["s"]["S"])
        assert key not in items, f"{key} twice in one answer"
        items[key] = item_of(each)
    assert "LastEvaluatedKey" not in answer, "a page ended early"
    if len(operations) == 1 and "Items" not in answer:
        assert items.keys() <= {operations[0].key}, "an answer to another question"
    return items


def item_of(attributes: dict[str, Any]) -> Item:
    def number(name: str) -> int | None:
        return int(attributes[name]["N"]) if name in attributes else None

    return Item(int(attributes["w"]["N"]), number("v"), number("n"))
