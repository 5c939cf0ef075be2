"""Index entries: the order of their keys, and what becomes of them however their changes arrive."""

from __future__ import annotations

import random
from base64 import b64decode, b64encode
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from kvorum.model import index_checks, index_keys, indexes, keys, numbers
from kvorum.model import record as records
from kvorum.model.errors import ApiError
from kvorum.model.limits import ITEM_BYTES_MAX
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.table import Index, IndexKeys, KeyPart, KeySchema, ProjectionKind, Table, TableStatus
from kvorum.model.values import dumps, item_size, loads
from kvorum.replication.lww import merge

SCHEMA = KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N"))
REGION = b"here"

# Small alphabets: shared prefixes, equal values and the bytes that the layout uses itself are likely.
_texts = st.text("\x00\x01aé\U0010ffff", min_size=1, max_size=3)
_numbers = st.integers(-20, 20).map(str)
_binaries = st.lists(st.sampled_from((0x00, 0x01, 0x61, 0xFF)), min_size=1, max_size=3).map(bytes)


def _values(kind: str) -> st.SearchStrategy[AttributeValue]:
    if kind == "S":
        return _texts.map(lambda text: {"S": text})
    if kind == "N":
        return _numbers.map(lambda text: {"N": text})
    return _binaries.map(lambda data: {"B": b64encode(data).decode()})


def _sortable(value: AttributeValue) -> object:
    ((kind, content),) = value.items()
    if kind == "N":
        return Decimal(content)
    return content.encode() if kind == "S" else b64decode(content)


_parts = st.sampled_from("SNB")
_schemas = st.tuples(st.lists(_parts, min_size=1, max_size=3), st.lists(_parts, max_size=3)).map(
    lambda kinds: IndexKeys(
        tuple(KeyPart(f"h{place}", kind) for place, kind in enumerate(kinds[0])),
        tuple(KeyPart(f"r{place}", kind) for place, kind in enumerate(kinds[1])),
    )
)


@st.composite
def _schema_and_items(draw: st.DrawFn) -> tuple[IndexKeys, list[Item]]:
    schema = draw(_schemas)
    own = {"pk": _values("S"), "sk": _values("N")}
    attributes = {part.name: _values(part.kind) for part in (*schema.hash, *schema.range)}
    one = st.fixed_dictionaries({**own, **attributes})
    items = draw(st.lists(one, min_size=2, max_size=8))
    for item in items[1:]:  # often in one collection, where the order matters
        if draw(st.booleans()):
            item.update({part.name: items[0][part.name] for part in schema.hash})
    return schema, items


def _entry_key(schema: IndexKeys, item: Item) -> bytes:
    found = index_keys.entry_key(SCHEMA, schema, item, keys.encode_item_key(SCHEMA, item))
    assert found is not None
    return found


@given(_schema_and_items())
def test_entries_of_a_collection_sort_by_their_sort_key_attributes(
    given: tuple[IndexKeys, list[Item]],
) -> None:
    schema, items = given
    for one in items:
        for other in items:
            if all(one[part.name] == other[part.name] for part in schema.hash):
                order_one = [_sortable(one[part.name]) for part in schema.range]
                order_other = [_sortable(other[part.name]) for part in schema.range]
                if order_one != order_other:
                    smaller = _entry_key(schema, one) < _entry_key(schema, other)
                    assert smaller == (order_one < order_other)


@given(_schema_and_items())
def test_an_entry_names_one_item(given: tuple[IndexKeys, list[Item]]) -> None:
    schema, items = given
    for one in items:
        for other in items:
            assert (_entry_key(schema, one) == _entry_key(schema, other)) == (one == other)


_OPERATORS = ("", "=", "<", "<=", ">", ">=", "begins_with", "BETWEEN")


@given(_schema_and_items(), st.data())
def test_bounds_hold_exactly_what_satisfies_the_condition(
    given: tuple[IndexKeys, list[Item]], data: st.DataObject
) -> None:
    schema, items = given
    wanted = items[0]
    equal_count = data.draw(st.integers(0, len(schema.range)))
    equal = [wanted[part.name] for part in schema.range[:equal_count]]
    operator, operands = "", list[AttributeValue]()
    if equal_count < len(schema.range):
        part = schema.range[equal_count]
        operator = data.draw(st.sampled_from(_OPERATORS))
        if operator == "begins_with" and part.kind == "N":
            operator = "="
        count = 0 if operator == "" else 2 if operator == "BETWEEN" else 1
        operands = data.draw(st.lists(_values(part.kind), min_size=count, max_size=count))
    hash_values = [wanted[part.name] for part in schema.hash]
    lower, upper = index_keys.bounds(schema, hash_values, equal, operator, operands)
    assert lower <= upper
    for item in items:
        matches = all(item[part.name] == wanted[part.name] for part in schema.hash)
        matches = matches and [item[part.name] for part in schema.range[:equal_count]] == equal
        if matches and operator:
            value = _sortable(item[schema.range[equal_count].name])
            matches = _satisfies(value, operator, [_sortable(operand) for operand in operands])
        assert (lower <= _entry_key(schema, item) < upper) == matches


def _satisfies(value: object, operator: str, operands: list[object]) -> bool:
    first = operands[0]
    match operator:
        case "=":
            return value == first
        case "<":
            return value < first  # type: ignore[operator,no-any-return]
        case "<=":
            return value <= first  # type: ignore[operator,no-any-return]
        case ">":
            return value > first  # type: ignore[operator,no-any-return]
        case ">=":
            return value >= first  # type: ignore[operator,no-any-return]
        case "begins_with":
            assert isinstance(value, bytes)
            assert isinstance(first, bytes)
            return value.startswith(first)
        case _:
            return first <= value <= operands[1]  # type: ignore[operator,no-any-return]


@pytest.mark.parametrize(
    ("indexed", "pairs"),
    [
        ((), ["bb", "aa", "ce", "ea", "da", "cd"]),
        (("d",), ["da", "ba", "ca", "db", "cb"]),
    ],
)
def test_entries_of_equal_keys_are_in_the_order_that_aws_has_them_in(
    indexed: tuple[str, ...], pairs: list[str]
) -> None:
    index = IndexKeys((KeyPart("c", "S"),), tuple(KeyPart(name, "S") for name in indexed))
    schema = KeySchema(KeyPart("a", "S"), KeyPart("b", "S"))
    entries: list[bytes] = []
    for first, second in pairs:
        item: Item = {"a": {"S": first}, "b": {"S": second}, "c": {"S": "any"}, "d": {"S": "equal"}}
        entry = index_keys.entry_key(schema, index, item, keys.encode_item_key(schema, item))
        assert entry is not None
        entries.append(entry)
    assert entries == sorted(entries)


def test_a_local_index_entry_has_its_items_token() -> None:
    item: Item = {"pk": {"S": "a\x00b"}, "sk": {"N": "1"}, "when": {"S": "now"}}
    key = keys.encode_item_key(SCHEMA, item)
    entry = index_keys.local_entry_key(IndexKeys((KeyPart("pk", "S"),), (KeyPart("when", "S"),)), item, key)
    assert entry is not None
    assert keys.token_of(entry) == keys.token_of(key)
    assert entry.startswith(keys.hash_prefix(SCHEMA, item["pk"]))


# ---- what changes do to a global index ----------------------------------------------------------------

_GLOBAL = Index(
    id=9,
    name="by-owner",
    local=False,
    keys=IndexKeys((KeyPart("owner", "S"),), (KeyPart("rank", "N"),)),
    projection=ProjectionKind.INCLUDE,
    included=("note",),
)
_KEY: Item = {"pk": {"S": "p"}, "sk": {"N": "1"}}
_ITEM_KEY = keys.encode_item_key(SCHEMA, _KEY)

_images = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "owner": st.sampled_from(["x", "y"]).map(lambda text: {"S": text}),
        "rank": st.sampled_from(["1", "2"]).map(lambda text: {"N": text}),
        "note": st.sampled_from(["n", "m"]).map(lambda text: {"S": text}),
        "other": st.sampled_from(["o", "p"]).map(lambda text: {"S": text}),
    },
)


def _record(image: Item | None, stamp: int) -> bytes:
    if image is None:
        return records.encode_tombstone(stamp, REGION)
    item = {**_KEY, **image}
    return records.encode(dumps(item), item_size(item), stamp, REGION)


def _live(entries: dict[bytes, bytes]) -> dict[bytes, Item]:
    return {
        key: loads(records.json_of(record))
        for key, record in entries.items()
        if not records.is_tombstone(record)
    }


@given(st.lists(_images, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_changes_in_any_order_and_number_make_the_same_index(
    images: list[Item | None], shuffle: random.Random
) -> None:
    view = indexes.View(SCHEMA, _GLOBAL)
    history = [_record(image, stamp) for stamp, image in enumerate(images, 1)]
    operations = [
        operation
        for previous, record in zip([None, *history], history, strict=False)
        for operation in view.operations(_ITEM_KEY, previous, record)
    ]
    arriving = operations + [operation for operation in operations if shuffle.random() < 0.5]
    shuffle.shuffle(arriving)
    entries: dict[bytes, bytes] = {}
    for key, record in arriving:
        entries[key] = merge(entries.get(key), record) or entries[key]
    last = images[-1]
    expected = view.entry({**_KEY, **last}, _ITEM_KEY) if last is not None else None
    assert _live(entries) == ({} if expected is None else {expected.key: expected.attributes})


@given(_images, _images)
def test_a_write_costs_an_index_what_aws_says(old: Item | None, new: Item | None) -> None:
    view = indexes.View(SCHEMA, _GLOBAL)
    before = view.entry({**_KEY, **old}, _ITEM_KEY) if old is not None else None
    after = view.entry({**_KEY, **new}, _ITEM_KEY) if new is not None else None
    units = indexes.write_units(before, after)
    if before == after:
        assert units == 0
    elif before is not None and after is not None and before.key != after.key:
        assert units == 2
    else:
        assert units == 1


def test_only_projected_attributes_are_in_an_entry() -> None:
    item: Item = {**_KEY, "owner": {"S": "x"}, "rank": {"N": "1"}, "note": {"S": "n"}, "other": {"S": "o"}}
    for projection, included, names in (
        (ProjectionKind.ALL, (), {"pk", "sk", "owner", "rank", "note", "other"}),
        (ProjectionKind.KEYS_ONLY, (), {"pk", "sk", "owner", "rank"}),
        (ProjectionKind.INCLUDE, ("note",), {"pk", "sk", "owner", "rank", "note"}),
    ):
        index = Index(
            id=1, name="i", local=False, keys=_GLOBAL.keys, projection=projection, included=included
        )
        entry = indexes.View(SCHEMA, index).entry(item, _ITEM_KEY)
        assert entry is not None
        assert set(entry.attributes) == names
        assert entry.size == item_size(entry.attributes)


_TABLE = Table(
    id=1,
    name="t",
    status=TableStatus.ACTIVE,
    keys=SCHEMA,
    uuid="u",
    created_ms=0,
    indexes=(_GLOBAL,),
)


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        (
            {"owner": {"N": "1"}},
            (
                "One or more parameter values were invalid: Type mismatch for Index Key owner Expected: S Actual: N "
                "IndexName: by-owner"
            ),
        ),
        (
            {"owner": {"NULL": True}},
            (
                "One or more parameter values were invalid: Type mismatch for Index Key owner Expected: S "
                "Actual: NULL IndexName: by-owner"
            ),
        ),
        (
            {"owner": {"S": ""}},
            (
                "One or more parameter values are not valid. A value specified for a secondary index key is not "
                "supported. The AttributeValue for a key attribute cannot contain an empty string value. "
                "IndexName: by-owner, IndexKey: owner"
            ),
        ),
        (
            {"owner": {"S": "é" * 1_025}},
            (
                "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit "
                "of2048 bytes"
            ),
        ),
    ],
)
def test_a_value_that_cannot_be_an_index_key_is_refused_and_never_entered(
    attributes: Item, text: str
) -> None:
    item = {**_KEY, "rank": {"N": "1"}, **attributes}
    with pytest.raises(ApiError) as caught:
        index_checks.check_item(_TABLE, item, item_size(item))
    assert caught.value.message == text
    assert indexes.View(SCHEMA, _GLOBAL).entry(item, _ITEM_KEY) is None


def test_what_is_missing_is_only_left_out() -> None:
    item: Item = {**_KEY, "owner": {"S": "x" * 2_048}}
    index_checks.check_item(_TABLE, item, item_size(item))
    assert indexes.View(SCHEMA, _GLOBAL).entry(item, _ITEM_KEY) is None
    item["rank"] = {"N": numbers.canonical("1e2")}
    assert indexes.View(SCHEMA, _GLOBAL).entry(item, _ITEM_KEY) is not None


def _by_rank(
    number: int, projection: ProjectionKind, *, local: bool = True, attribute: str = "rank"
) -> Index:
    schema = IndexKeys((SCHEMA.hash,), (KeyPart(attribute, "N"),))
    return Index(id=number, name=f"by-{number}", local=local, keys=schema, projection=projection)


@pytest.mark.parametrize(
    ("held", "size_max"),
    [
        ([_by_rank(2, ProjectionKind.ALL)], ITEM_BYTES_MAX // 2),
        ([_by_rank(2, ProjectionKind.ALL), _by_rank(3, ProjectionKind.ALL)], ITEM_BYTES_MAX // 3),
        ([_by_rank(2, ProjectionKind.KEYS_ONLY)], ITEM_BYTES_MAX - len("pk" + "p" + "sk" + "rank") - 2 - 2),
        ([_by_rank(2, ProjectionKind.ALL, attribute="absent")], ITEM_BYTES_MAX),
        ([_by_rank(2, ProjectionKind.ALL, local=False)], ITEM_BYTES_MAX),
    ],
    ids=["whole", "whole twice", "only keys", "without an entry", "global"],
)
def test_an_item_is_bounded_with_its_local_entries(held: list[Index], size_max: int) -> None:
    table = structs.replace(_TABLE, indexes=tuple(held))
    item: Item = {**_KEY, "rank": {"N": "1"}, "filling": {"S": ""}}
    filling = "x" * (size_max - item_size(item))
    item["filling"] = {"S": filling}
    index_checks.check_item(table, item, size_max)
    index_checks.check_updated_item(table, item, size_max)
    item["filling"] = {"S": filling + "x"}
    with pytest.raises(ApiError, match="Item size has exceeded the maximum allowed size"):
        index_checks.check_item(table, item, size_max + 1)
    with pytest.raises(ApiError, match="Item size to update has exceeded the maximum allowed size"):
        index_checks.check_updated_item(table, item, size_max + 1)
