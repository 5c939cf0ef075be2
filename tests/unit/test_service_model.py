"""The requests of every operation that AWS's service model has, served or not: what the model calls right is accepted
as it stands, and of what it calls wrong all is told, as botocore's copy of the model has it.

The oracle walks botocore's model itself and knows nothing of the router's shapes; it says which constraints a request
violates, not in which order or words. Where AWS does other than its model, the tables below say so once more.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections import Counter
from collections.abc import Iterator
from typing import Any

import botocore
import orjson
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.model.errors import ApiError
from kvorum.router import service_model
from kvorum.router.violations import FAULTS_MAX
from tests.kit.service_model import TABLE, dynamodb, table

OPERATIONS = sorted(dynamodb().operation_names)
_WANT_TABLE_FIRST = {
    "CreateTable",
    "DeleteTable",
    "DescribeContinuousBackups",
    "DescribeTable",
    "DescribeTimeToLive",
    "UpdateContinuousBackups",
    "UpdateTable",
    "UpdateTimeToLive",
}
_OWN_WORDS = {"TagResourceInput", "UntagResourceInput", "ListTagsOfResourceInput", "Tag"}
"""Structures whose members AWS checks in words of their own."""
_REQUIRED = {"CreateTableInput": ["AttributeDefinitions", "KeySchema"]}
_ON_TABLES = (
    *("CreateTable", "DeleteTable", "DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive"),
    *("UpdateContinuousBackups", "UpdateTable", "UpdateTimeToLive"),
)
"""Operations that want a table's whole name, though the model takes one character."""
_LENGTHS = {
    **{(f"{operation}Input", "TableName"): (3, 255) for operation in _ON_TABLES},
    ("CreateTableInput", "KeySchema"): (1, 2),
    ("LocalSecondaryIndex", "KeySchema"): (1, 2),
    ("BatchGetItemInput", "RequestItems"): (0, 100),  # none are told in words of their own
    ("BatchWriteItemInput", "RequestItems"): (0, 25),
}
_TOLD_OTHERWISE = {"ReturnValues", "ConditionalOperator", "TableClass"}
"""What AWS tells without naming the member, or alone, or in words of its own."""

Faults = Counter[tuple[str, str]]
"""(the member's path, the constraint), values of enumerations in order."""


def test_the_table_is_what_the_installed_model_says() -> None:
    committed = orjson.loads(TABLE.read_bytes())
    if committed["botocore"] != botocore.__version__:
        pytest.skip(f"made from botocore {committed['botocore']}: make service-model")
    assert TABLE.read_bytes() == table()


class _Drawing:
    """A request of the right types. `right`: within all constraints; else now and then a little beyond one."""

    def __init__(self, seed: int, *, right: bool) -> None:
        self._random = random.Random(seed)
        self._right = right

    def structure(self, shape: StructureShape) -> dict[str, Any]:
        if shape.name == "AttributeValue":
            return self._random.choice([{"S": "a"}, {"N": "1"}, {"L": [{"BOOL": True}]}, {"SS": ["a"]}])
        required = {*shape.required_members, *_REQUIRED.get(shape.name, ())}
        members: dict[str, Any] = {}
        for name, member in shape.members.items():
            always = name in required and (self._right or name == "TableName" or self._now())
            if always or (name not in required and self._random.random() < 0.3):
                members[name] = self._member(shape.name, name, member)
        return members

    def _member(self, structure: str, name: str, shape: Shape) -> Any:
        if name == "TableName":
            low, high = _LENGTHS.get((structure, name), (shape.metadata["min"], 255))
            return self._letters(max(self._length(low, high), 1))
        if name in _TOLD_OTHERWISE:
            return self._random.choice(shape.metadata["enum"])
        return self.value(shape, _LENGTHS.get((structure, name)))

    def value(self, shape: Shape, lengths: tuple[int, int] | None = None) -> Any:
        low, high = lengths or (shape.metadata.get("min", 0), shape.metadata.get("max", 1 << 31))
        if isinstance(shape, StructureShape):
            return self.structure(shape)
        if isinstance(shape, ListShape):
            return [self.value(shape.member) for _ in range(self._length(low, min(high, low + 2)))]
        if isinstance(shape, MapShape):
            count = self._length(low, min(high, low + 2))
            return {self._letters(3 + number): self.value(shape.value) for number in range(count)}
        match shape.type_name:
            case "string" if "enum" in shape.metadata:
                right = self._right or self._now()
                return self._random.choice(shape.metadata["enum"]) if right else "INVALID"
            case "string":
                return self._text(shape, low, high)
            case "integer" | "long":
                least = shape.metadata.get("min", -5)
                return self._random.randint(least - (not self._right), min(high, least + 5))
            case "double" | "timestamp":
                return self._random.choice([0, 1_700_000_000, 0.5])
            case "boolean":
                return self._random.random() < 0.5
            case _:
                return "AAEC"

    def _text(self, shape: Shape, low: int, high: int) -> str:
        if shape.name in _MATCHING:
            return _MATCHING[shape.name]
        least = max(low, 2) if "pattern" in shape.metadata and self._right else low
        return self._letters(self._length(least, min(high, least + 12)))

    def _length(self, low: int, high: int) -> int:
        """At a limit, or beyond it, as often as between."""
        edges = [low, min(high, low + 3)]
        if not self._right:
            edges += [max(low - 1, 0), high + 1] if high < 300 else [max(low - 1, 0)]
        return self._random.choice(edges)

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(string.ascii_lowercase, k=count))

    def _now(self) -> bool:
        return self._random.random() < 0.9


_MATCHING = {
    "BulkOperationNextToken": "0" * 16,
    "CsvDelimiter": ",",
    "ImportNextToken": "0" * 112,
    "S3BucketOwner": "1" * 12,
    "TableId": "12345678-1234-1234-1234-123456789012",
}
"""Of the patterns that no row of letters matches."""


def _python(pattern: str) -> str:
    return pattern.replace(r"\p{Print}", r"[\x20-\x7E]").replace(
        r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"
    )


def _faults(shape: Shape, value: Any, path: str, lengths: tuple[int, int] | None = None) -> Faults:
    """What the model says of a request of the right types."""
    found: Faults = Counter()
    low, high = lengths or (shape.metadata.get("min"), shape.metadata.get("max"))
    if isinstance(shape, StructureShape):
        return _structure_faults(shape, value, path)
    if isinstance(shape, ListShape):
        for position, entry in enumerate(value, 1):
            found += _faults(shape.member, entry, f"{path}.{position}.member")
    if isinstance(shape, MapShape):
        for name, entry in value.items():
            found += _faults(shape.value, entry, f"{path}.{name}.member")
            if isinstance(shape.value, ListShape):
                _take_up(found, path, f"{path}.{name}.member", shape.value)
    if "enum" in shape.metadata and value not in shape.metadata["enum"]:
        found[path, f"enum {sorted(shape.metadata['enum'])}"] += 1
    if "pattern" in shape.metadata and not re.fullmatch(_python(shape.metadata["pattern"]), value):
        found[path, f"pattern {shape.metadata['pattern']}"] += 1
    kind, size = ("value", value) if shape.type_name in ("integer", "long") else ("length", _length(value))
    if low is not None and size < low:
        found[path, f"{kind} >= {low}"] += 1
    if high is not None and size > high:
        found[path, f"{kind} <= {high}"] += 1
    return found


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | dict) else 0


def _take_up(found: Faults, path: str, inner: str, shape: Shape) -> None:
    """The length of a list in a map is told of the map, once."""
    low, high = shape.metadata["min"], shape.metadata["max"]
    wrong = [found.pop((inner, text), 0) for text in (f"length >= {low}", f"length <= {high}")]
    if any(wrong):
        found[path, f"map value {low} {high}"] = 1


def _structure_faults(shape: StructureShape, value: dict[str, Any], path: str) -> Faults:
    found: Faults = Counter()
    if shape.name == "AttributeValue" or shape.name in _OWN_WORDS:
        return found
    required = {*shape.required_members, *_REQUIRED.get(shape.name, ())}
    for name, member in shape.members.items():
        inner = f"{path}.{name[:1].lower()}{name[1:]}" if path else f"{name[:1].lower()}{name[1:]}"
        if name not in value:
            if name in required:
                found[inner, "not null"] += 1
            continue
        lengths = _LENGTHS.get((shape.name, name))
        if name == "TableName" and lengths is None and member.name == "TableArn":
            lengths = (1, 255)
        found += _faults(member, value[name], inner, lengths)
    return found


_CONSTRAINTS = (
    (r"Member must not be null", lambda match: "not null"),
    (r"Member must satisfy enum value set: \[(.*)\]", lambda match: f"enum {sorted(match[1].split(', '))}"),
    (r"Member must satisfy regular expression pattern: (.*)", lambda match: f"pattern {match[1]}"),
    (r"Member must have length greater than or equal to (\d+)", lambda match: f"length >= {match[1]}"),
    (r"Member must have length less than or equal to (\d+)", lambda match: f"length <= {match[1]}"),
    (r"Member must have value greater than or equal to (-?\d+)", lambda match: f"value >= {match[1]}"),
    (r"Member must have value less than or equal to (-?\d+)", lambda match: f"value <= {match[1]}"),
    (
        (
            r"Map value must satisfy constraint: \[Member must have length less than or equal to (\d+), "
            r"Member must have length greater than or equal to (\d+)\]"
        ),
        lambda match: f"map value {match[2]} {match[1]}",
    ),
)


def _told(message: str) -> Faults:
    head, _, listed = message.partition(" detected: ")
    texts = listed.split("; ")
    assert head == (f"{len(texts)} validation errors" if len(texts) > 1 else "1 validation error")
    found: Faults = Counter()
    for text in texts:
        fault = re.fullmatch(r"Value (?:null |'.*' )?at '([^']*)' failed to satisfy constraint: (.*)", text)
        assert fault is not None, text
        path = ".".join(part[:1].lower() + part[1:] for part in fault[1].split("."))
        (constraint,) = [
            normal(match)
            for pattern, normal in _CONSTRAINTS
            if (match := re.fullmatch(pattern, fault[2])) is not None
        ]
        found[path, constraint] += 1
    return found


def _input(operation: str) -> StructureShape:
    shape = dynamodb().operation_model(operation).input_shape
    assert shape is not None
    return shape


_SEEDS = st.integers(0, 1 << 32)


@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=50)
@given(seed=_SEEDS)
def test_what_the_model_calls_right_is_accepted_as_it_stands(operation: str, seed: int) -> None:
    shape = _input(operation)
    body = _Drawing(seed, right=True).structure(shape)
    assert not _faults(shape, body, "")
    assert service_model.request(operation).read(body) is body, json.dumps(body)


@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=150)
@given(seed=_SEEDS)
def test_all_is_told_that_the_model_calls_wrong(operation: str, seed: int) -> None:
    shape = _input(operation)
    body = _Drawing(seed, right=False).structure(shape)
    expected = _faults(shape, body, "")
    if not expected:
        assert service_model.request(operation).read(body) is body
        return
    with pytest.raises(ApiError) as caught:
        service_model.request(operation).read(body)
    assert caught.value.code == "ValidationException"
    told = _told(caught.value.message)
    assert told <= expected
    assert told.total() == min(expected.total(), FAULTS_MAX)


_WRONG_TYPES: dict[str, list[Any]] = {
    "structure": ["a", 1, True, []],
    "map": ["a", 1, True, []],
    "list": ["a", 1, True, {}],
    "string": [1, 1.5, True, [], {}],
    "blob": [1, True, [], {}, "abc", "a=bc"],
    "boolean": [1, "maybe", [], {}],
    "integer": ["1", True, [], {}],
    "long": ["1", True, [], {}],
    "double": ["1", True, [], {}],
    "timestamp": ["2026-10-09", True, [], {}],
}


def _places(shape: Shape, value: Any) -> Iterator[tuple[Any, Any, Shape]]:
    """(container, key or position, shape) of everything in the request, its attribute values' inside included."""
    if isinstance(shape, StructureShape):
        inner = [(name, shape.members[name]) for name in value]
    elif isinstance(shape, MapShape):
        inner = [(name, shape.value) for name in value]
    elif isinstance(shape, ListShape):
        inner = [(position, shape.member) for position in range(len(value))]
    else:
        return
    for place, member in inner:
        yield value, place, member
        yield from _places(member, value[place])


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if _input(each).members])
@settings(max_examples=15)
@given(seed=_SEEDS, data=st.data())
def test_a_wrong_type_is_told_before_any_constraint(operation: str, seed: int, data: st.DataObject) -> None:
    shape = _input(operation)
    body = _Drawing(seed, right=False).structure(shape)
    places = list(_places(shape, body))
    if not places:
        return
    container, place, member = data.draw(st.sampled_from(places))
    container[place] = data.draw(st.sampled_from(_WRONG_TYPES[member.type_name]))
    with pytest.raises(ApiError) as caught:
        service_model.request(operation).examine(body)
    assert caught.value.code == "SerializationException"


@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=10)
@given(seed=_SEEDS)
def test_nulls_and_unknown_members_are_as_good_as_absent(operation: str, seed: int) -> None:
    shape = _input(operation)
    body = _Drawing(seed, right=True).structure(shape)
    padded = _padded(shape, body)
    service_model.request(operation).read(padded)
    assert service_model.request(operation).examine(padded) == body


def _padded(shape: Shape, value: Any) -> Any:
    """With null for every absent member of a structure, and a member that no model knows."""
    if isinstance(shape, StructureShape):
        known = {name: _padded(shape.members[name], value[name]) for name in value}
        return {"Unknown": {"a": [1]}, **dict.fromkeys(shape.members), **known}
    if isinstance(shape, MapShape):
        return {name: _padded(shape.value, entry) for name, entry in value.items()}
    if isinstance(shape, ListShape):
        return [_padded(shape.member, entry) for entry in value]
    return value
