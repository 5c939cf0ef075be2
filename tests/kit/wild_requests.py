"""Requests drawn from AWS's service model: mostly as a program would send them, and then one or a few places of them
exchanged for what no program should send."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from hypothesis import strategies as st

from tests.kit.service_model import dynamodb
from tests.kit.wild_expressions import ATTRIBUTES, Dice, Expressions, Statements, placeholders

Body = dict[str, Any]

_KEY_KINDS = {"pk": "S", "sk": "N", "lsk": "S", "gpk": "S", "gsk": "N"}


def _schema(partition: str, sort: str | None) -> list[Body]:
    schema = [{"AttributeName": partition, "KeyType": "HASH"}]
    return schema if sort is None else [*schema, {"AttributeName": sort, "KeyType": "RANGE"}]


TABLE = "fuzz-things"
"""Keys: `pk` S and `sk` N. Local index `by-lsk`: `lsk` S. Global index `by-gpk`: `gpk` S and `gsk` N."""

TABLE_DEFINITION: Body = {
    "TableName": TABLE,
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind} for name, kind in _KEY_KINDS.items()
    ],
    "KeySchema": _schema("pk", "sk"),
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by-lsk",
            "KeySchema": _schema("pk", "lsk"),
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"]},
        }
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-gpk",
            "KeySchema": _schema("gpk", "gsk"),
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}

CHANGING = ("fuzz-new-1", "fuzz-new-2")
"""Tables that requests may make, change and delete."""

_ARN = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/"
_INDEXES = ("by-gpk", "by-lsk")
_KEYS_OF = {"": ("pk", "sk"), "by-gpk": ("gpk", "gsk"), "by-lsk": ("pk", "lsk")}
_NOT_SERVED = frozenset(
    {"GlobalTableSourceArn", "GlobalTableSettingsReplicationMode", "ResourcePolicy", "VectorIndexes"}
)
_CHANGES_TABLES = frozenset({"CreateTable", "DeleteTable", "UpdateTable", "TagResource", "UntagResource"})

_STRINGS = ("a", "b", "c", "aa", "é", "", "\x00", "日本", "💥", "\ud800", "a\u0301", "x" * 1_024, "x" * 2_049)
_NUMBERS = (
    *(
        "1",
        "2",
        "3",
        "0",
        "-1",
        "1.50",
        "100000000000000000000",
        "1e3",
        "9" * 38,
        "-" + "9" * 38,
        "1E125",
        "1E-130",
    ),
    *(
        "9.9999999999999999999999999999999999999E+125",
        "0" * 50 + "1",
        "1" + "0" * 125,
        "0.1e-129",
        "-0",
        "+5",
    ),
)
_BAD_NUMBERS = (
    *(
        "",
        " 1",
        "1 ",
        "x",
        "1_0",
        "0x1",
        "１",
        "NaN",
        "Infinity",
        "1e",
        "--1",
        "1E126",
        "1E-131",
        "9" * 39,
        ".",
    ),
    *("1e99999999999999999999", "0e99999999", "1" * 5_000, "\u0661", "1\x00", "1,5", "1.2.3", "-"),
)
_BINARIES = ("AAE=", "AA==", "", "/+8=", "AAAA" * 700)
_BAD_BINARIES = ("A", "A=", "====", "AA", "_-8=", "AA==AA==", "é", "A A=", "AAE", "\n", "AA=\n=")

_NONSENSE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 25, 101, 2**31, -(2**63) - 1, 10**40, 1e308, float("nan")),
    *(
        "",
        "x",
        "\x00",
        "\ud800",
        "a\u202eb",
        "é" * 100,
        "x" * 256,
        "x" * 1_025,
        "x" * 2_049,
        "#a",
        ":v",
        "NONE",
    ),
    *(
        [],
        {},
        [[]],
        [None],
        [{}],
        {"": ""},
        {"S": "a"},
        {"S": None},
        {"N": 1},
        {"M": {"a": None}},
        {"L": [None]},
    ),
    *(
        {"S": "a", "N": "1"},
        {"X": "a"},
        {"s": "a"},
        {"NULL": False},
        {"SS": []},
        {"NS": ["1", "1.0"]},
        {"B": 1},
    ),
)


class Author:
    """Writes requests."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._expressions = Expressions(dice)
        self._is_deep = False

    def request(self, operations: Sequence[str]) -> tuple[str, bytes]:
        """(operation, JSON)."""
        dice = self._dice
        self._is_deep = False
        operation = dice.pick(operations)
        model = dynamodb().operation_model(operation)
        body = self._tables(operation, self._body(model))
        for _ in range(dice.pick((0, 0, 0, 0, 1, 1, 2))):
            self._hurt(body)
        return operation, json.dumps(body, ensure_ascii=dice.one_in(2)).encode(errors="surrogatepass")

    # ---- by the model ----

    def _body(self, model: OperationModel) -> Body:
        dice = self._dice
        shape = model.input_shape
        assert isinstance(shape, StructureShape)
        body: Body = self._structure(shape, "")
        match model.name:
            case "ExecuteStatement":
                self._parameters(body)
            case "BatchExecuteStatement":
                for statement in body.get("Statements", ()):
                    self._parameters(statement)
            case "CreateTable" | "UpdateTable":
                body = self._definition(body) if model.name == "CreateTable" else self._change(body)
            case "BatchWriteItem":
                for requests in body.get("RequestItems", {}).values():
                    self._one_of_each(requests, ("PutRequest", "DeleteRequest"))
            case "Query":
                self._query(body)
            case "Scan":
                self._page(body)
            case "PutItem" | "DeleteItem" if "ReturnValues" in body and dice.below(10):
                body["ReturnValues"] = dice.pick(("ALL_OLD", "NONE"))
        return self._one_style(body)

    def _structure(self, shape: StructureShape, place: str) -> Body:
        dice = self._dice
        body: Body = {}
        for name, member in shape.members.items():
            required = name in shape.required_members
            if (not dice.one_in(80)) if required else dice.one_in(7):
                body[name] = self._value(member, name)
        if place in ("Expected", "Update") and not body:
            body["Value"] = self.attribute_value()
        return body

    def _value(self, shape: Shape, place: str) -> Any:
        dice = self._dice
        if shape.name == "AttributeValue":
            return self.attribute_value()
        written = self._written(place) if shape.name != "TagKeyString" else None
        if written is not None:
            return written
        if isinstance(shape, StructureShape):
            return self._structure(shape, place)
        if isinstance(shape, ListShape):
            count = dice.pick((1, 2, 3, 1, 2, 3, 1, 2, 3, shape.metadata.get("max", 26), 0))
            return [self._value(shape.member, place) for _ in range(min(count, 30))]
        if isinstance(shape, MapShape):
            return {self._text(shape.key, place): self._value(shape.value, place) for _ in dice.some(1, 3)}
        match shape.type_name:
            case "string":
                return self._text(shape, place)
            case "integer" | "long":
                least = shape.metadata.get("min", 0)
                return dice.pick((least + 1, least, 5, 100, shape.metadata.get("max", 1_000_000), least - 1))
            case "boolean":
                return bool(dice.below(2))
            case "blob":
                return dice.pick(_BINARIES)
            case _:
                return dice.pick((1, 1.5, 1_700_000_000))

    def _text(self, shape: Shape, place: str) -> str:
        dice = self._dice
        allowed = shape.metadata.get("enum")
        if allowed:
            return str(dice.pick(allowed)) if not dice.one_in(30) else dice.pick(("", "none", "ALL", "é"))
        match place:
            case "TableName" | "RequestItems" | "ExclusiveStartTableName":
                return dice.pick((*(TABLE,) * 12, _ARN + TABLE, CHANGING[0], "fuzz-absent"))
            case "ResourceArn":
                return _ARN + dice.pick((TABLE, TABLE, TABLE, CHANGING[0], CHANGING[1], "fuzz-absent"))
            case "IndexName":
                return dice.pick((*_INDEXES, *_INDEXES, "none"))
            case (
                "AttributesToGet"
                | "AttributeUpdates"
                | "Expected"
                | "QueryFilter"
                | "ScanFilter"
                | "KeyConditions"
            ):
                return dice.pick(ATTRIBUTES)
            case "Statement":
                return Statements(dice, (*(TABLE,) * 12, CHANGING[0], "fuzz-absent")).statement()
            case _:
                least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 100)
                return "x" * dice.pick((3, 5, least, most + 1)) if most < 5_000 else "xyz"

    def _written(self, place: str) -> Any:
        """What has a form of its own; None for what has none."""
        dice = self._dice
        match place:
            case "ConditionExpression" | "FilterExpression":
                text = self._expressions.condition()
            case "UpdateExpression":
                text = self._expressions.update()
            case "ProjectionExpression":
                text = self._expressions.projection()
            case "KeyConditionExpression":
                text = self._expressions.key_condition("pk", "sk")
            case "Key" | "Keys" | "DeleteRequest":
                key = self._key("")
                return {"Key": key} if place == "DeleteRequest" else [key] if place == "Keys" else key
            case "ExclusiveStartKey":
                key = self._key("")
                for index in dice.pick(((), (), _INDEXES[:1], _INDEXES[1:], _INDEXES)):
                    key |= self._key(index)
                return key
            case "Item":
                item = self._key("")
                return item | {
                    dice.pick(ATTRIBUTES[2:] + ATTRIBUTES[:3]): self.attribute_value()
                    for _ in dice.some(0, 4)
                }
            case "ExpressionAttributeNames" | "ExpressionAttributeValues":
                return {}  # filled in by what the expressions use
            case _:
                return None
        return self._expressions.damaged(text) if dice.one_in(8) else text

    # ---- values ----

    def _key(self, index: str) -> Body:
        return {name: self._key_value(_KEY_KINDS[name]) for name in _KEYS_OF[index]}

    def _key_value(self, kind: str) -> Body:
        dice = self._dice
        if dice.one_in(25):
            return self.attribute_value()
        return {"S": dice.pick(("a", "b", "c"))} if kind == "S" else {"N": dice.pick(("1", "2", "3", "1.50"))}

    def attribute_value(self, depth: int = 2) -> Any:
        dice = self._dice
        bad = dice.one_in(25)
        match dice.below(12 if depth else 7):
            case 0 | 1:
                return {"S": dice.pick(_STRINGS)}
            case 2 | 3:
                return {"N": dice.pick(_BAD_NUMBERS if bad else _NUMBERS)}
            case 4:
                return {"B": dice.pick(_BAD_BINARIES if bad else _BINARIES)}
            case 5:
                return {"BOOL": bool(dice.below(2))}
            case 6:
                return {"NULL": not bad}
            case 7:
                return {
                    "SS": [dice.pick(_STRINGS[: 13 if bad else 6]) for _ in dice.some(0 if bad else 1, 3)]
                }
            case 8:
                return {"NS": [dice.pick(_NUMBERS) for _ in dice.some(0 if bad else 1, 3)]}
            case 9:
                return {"BS": [dice.pick(_BAD_BINARIES if bad else _BINARIES) for _ in dice.some(1, 3)]}
            case 10:
                return {"L": [self.attribute_value(depth - 1) for _ in dice.some(0, 3)]}
            case _:
                return {
                    "M": {
                        dice.pick((*ATTRIBUTES, "", "é", "x" * 300)): self.attribute_value(depth - 1)
                        for _ in dice.some(0, 3)
                    }
                }

    # ---- what goes together ----

    def _query(self, body: Body) -> None:
        dice = self._dice
        if dice.one_in(3):
            body["IndexName"] = dice.pick(_INDEXES)
        if "KeyConditions" not in body or dice.below(3):
            keys = _KEYS_OF.get(body.get("IndexName", ""), ("pk", "sk"))
            body["KeyConditionExpression"] = self._expressions.key_condition(*keys)
            body.pop("KeyConditions", None)
        self._page(body)

    def _page(self, body: Body) -> None:
        dice = self._dice
        if ("Segment" in body or "TotalSegments" in body) and dice.below(10):
            body["TotalSegments"] = dice.pick((1, 2, 5, 1_000_000))
            body["Segment"] = dice.below(body["TotalSegments"])
        if dice.below(4):
            body.pop("Select", None)
        if body.get("IndexName") == "by-gpk" and dice.below(4):
            body.pop("ConsistentRead", None)

    def _parameters(self, body: Body) -> None:
        """As many as the statement asks for."""
        dice = self._dice
        count = body.get("Statement", "").count("?") + (dice.one_in(20))
        body.pop("Parameters", None)
        if count:
            body["Parameters"] = [
                self._key_value(dice.pick("SN")) if dice.below(2) else self.attribute_value()
                for _ in range(min(count, 50))
            ]

    def _one_of_each(self, requests: Any, names: tuple[str, str]) -> None:
        for request in requests if isinstance(requests, list) else ():
            if len(request) != 1 and self._dice.below(20):
                request.clear()
                name = self._dice.pick(names)
                request[name] = (
                    self._written("DeleteRequest") if name == names[1] else {"Item": self._written("Item")}
                )

    _LEGACY = (
        *("AttributesToGet", "AttributeUpdates", "Expected", "ConditionalOperator", "KeyConditions"),
        *("QueryFilter", "ScanFilter"),
    )

    def _one_style(self, body: Body) -> Body:
        """Without the older parameters, or the newer, or (seldom) with both; and with the placeholders that its
        expressions use."""
        dice = self._dice
        style = dice.below(10)
        if style < 9:
            for name in [*body]:
                old, new = name in self._LEGACY, name.endswith("Expression")
                needed = name == "KeyConditionExpression" and "KeyConditions" not in body
                if (old and style < 7) or (new and style >= 7 and not needed):
                    del body[name]
            if not {"Expected", "QueryFilter", "ScanFilter"} & body.keys() and dice.below(10):
                body.pop("ConditionalOperator", None)
        for inner in body.get("RequestItems", {}).values():
            if isinstance(inner, dict):
                self._fill(inner)
        if not isinstance(body.get("RequestItems"), dict):
            self._fill(body)
        return body

    def _fill(self, body: Body) -> None:
        dice = self._dice
        text = " ".join(
            value for name, value in body.items() if name.endswith("Expression") and isinstance(value, str)
        )
        filled = {
            "ExpressionAttributeNames": {
                name: dice.pick(("a", "b", "c", "pk", "é", "a.b")) for name in placeholders(text, "#")
            },
            "ExpressionAttributeValues": {name: self._meant(name) for name in placeholders(text, ":")},
        }
        for parameter, content in filled.items():
            body.pop(parameter, None)
            if dice.one_in(25):
                content[dice.pick(("#z", ":z", "", "z", "#", ":"))] = (
                    "z" if parameter.endswith("Names") else {"S": "z"}
                )
            if dice.one_in(25) and content:
                content.popitem()
            if content:
                body[parameter] = content

    def _meant(self, placeholder: str) -> Any:
        match placeholder:
            case ":s":
                return {"S": self._dice.pick(("a", "b", "c", "", "S", "NS"))}
            case ":n":
                return {"N": self._dice.pick(("1", "2", "3", "-1", "9" * 38, "1E125"))}
            case _:
                return self.attribute_value()

    # ---- tables ----

    def _tables(self, operation: str, body: Body) -> Body:
        """The same, leaving alone the table that other requests are about."""
        if operation in _CHANGES_TABLES and "TableName" in body:
            body["TableName"] = self._dice.pick(CHANGING)
        return body

    def _definition(self, body: Body) -> Body:
        """With keys, indexes and their attributes, which fit each other."""
        dice = self._dice
        left_out = set(_NOT_SERVED) if dice.below(8) else set[str]()
        if dice.below(10):
            left_out.add("DeletionProtectionEnabled")
        if dice.below(5):
            left_out.add("ProvisionedThroughput")
        sort = dice.pick(("sk", "sk", None))
        used = {"pk"} | ({sort} if sort else set())
        body = {name: value for name, value in body.items() if name not in left_out}
        body["KeySchema"] = _schema("pk", sort)
        if dice.one_in(2):
            body["GlobalSecondaryIndexes"] = [self._global_index(number, used) for number in dice.some(1, 3)]
        if dice.one_in(2):
            body["LocalSecondaryIndexes"] = [
                self._index(f"local-{number}", _schema("pk", dice.pick(("lsk", "gsk", "sk"))), used)
                for number in dice.some(1, 3)
            ]
        body["AttributeDefinitions"] = [
            {"AttributeName": name, "AttributeType": _KEY_KINDS.get(name, "B")} for name in sorted(used)
        ]
        if "ProvisionedThroughput" in left_out:
            body["BillingMode"] = "PAY_PER_REQUEST"
        return body

    def _global_index(self, number: int, used: set[str]) -> Body:
        dice = self._dice
        schema = _schema(dice.pick(("gpk", "sk", "gsk")), dice.pick(("gsk", "pk", None)))
        return self._index(f"global-{number}", schema, used)

    def _index(self, name: str, schema: list[Body], used: set[str]) -> Body:
        dice = self._dice
        used |= {element["AttributeName"] for element in schema}
        kind = dice.pick(("ALL", "KEYS_ONLY", "INCLUDE"))
        projection: Body = {"ProjectionType": kind}
        if (kind == "INCLUDE") != dice.one_in(20):
            projection["NonKeyAttributes"] = [dice.pick(ATTRIBUTES) for _ in dice.some(1, 3)]
        index: Body = {"IndexName": name, "KeySchema": schema, "Projection": projection}
        if dice.one_in(8):
            index["ProvisionedThroughput"] = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
        return index

    def _change(self, body: Body) -> Body:
        """With one that UpdateTable takes; mostly with no other."""
        dice = self._dice
        if dice.below(4):
            body = {name: value for name, value in body.items() if name == "TableName"}
        match dice.below(8):
            case 0 | 1:
                used: set[str] = {"pk", "sk"}
                create = self._global_index(dice.below(3), used)
                change: Body = {
                    "AttributeDefinitions": [
                        {"AttributeName": name, "AttributeType": _KEY_KINDS[name]} for name in sorted(used)
                    ],
                    "GlobalSecondaryIndexUpdates": [{"Create": create}],
                }
            case 2 | 3:
                name = f"global-{dice.below(3)}"
                change = {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
            case 4:
                units = {"ReadCapacityUnits": dice.pick((1, 5)), "WriteCapacityUnits": dice.pick((1, 5))}
                update = {"IndexName": f"global-{dice.below(3)}", "ProvisionedThroughput": units}
                change = {"GlobalSecondaryIndexUpdates": [{"Update": update}], "ProvisionedThroughput": units}
            case 5:
                change = {"BillingMode": "PAY_PER_REQUEST"}
            case _:
                change = {}
        return body | change

    # ---- harm ----

    def _hurt(self, body: Body) -> None:
        """Another value, name or number of elements in one place, deep or shallow."""
        dice = self._dice
        holder: Any = body
        for _ in dice.some(0, 5):
            inner = [
                one
                for one in (holder.values() if isinstance(holder, dict) else holder)
                if one and isinstance(one, dict | list)
            ]
            if not inner:
                break
            holder = dice.pick(inner)
        places: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not places:
            return
        place = dice.pick(places)
        match dice.below(8):
            case 0 | 1 | 2:
                alike = [one for one in _NONSENSE if type(one) is type(holder[place])]
                holder[place] = copy.deepcopy(dice.pick(alike or _NONSENSE))
            case 3:
                holder[place] = copy.deepcopy(dice.pick(_NONSENSE))
            case 4 if not self._is_deep:
                self._is_deep = True  # twice would be more than Python's own encoder takes
                holder[place] = self._deep(holder[place])
            case 5:
                del holder[place]
            case 6 if isinstance(holder, dict):
                holder[dice.pick(("Unknown", "", "__type", "\ud800", "é" * 300, place.lower()))] = holder.pop(
                    place
                )
            case 6:
                holder[:] = holder * dice.pick((2, 26, 101))
            case _:
                holder[place] = self.attribute_value()

    def _deep(self, value: Any) -> Any:
        wrap = self._dice.pick(("L", "M", "list", "object"))
        for _ in range(self._dice.pick((2, 31, 33, 300))):
            match wrap:
                case "L":
                    value = {"L": [value]}
                case "M":
                    value = {"M": {"a": value}}
                case "list":
                    value = [value]
                case _:
                    value = {"a": value}
        return value


@st.composite
def requests(draw: st.DrawFn, operations: Sequence[str]) -> tuple[str, bytes]:
    """(operation, JSON)."""
    return Author(Dice(lambda count: draw(_below(count)))).request(operations)


_BELOW: dict[int, st.SearchStrategy[int]] = {}


def _below(count: int) -> st.SearchStrategy[int]:
    strategy = _BELOW.get(count)
    if strategy is None:
        strategy = _BELOW[count] = st.integers(0, count - 1)
    return strategy
