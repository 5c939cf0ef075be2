"""Updates and projections: properties of any update, and examples of what AWS documents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from kvorum.model import expressions
from kvorum.model.errors import ApiError
from kvorum.model.expressions.charge import charge
from kvorum.model.expressions.parsing import parse_update
from kvorum.model.expressions.reserved import is_reserved
from kvorum.model.limits import EXPRESSION_BYTES_MAX, ITEM_BYTES_MAX
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.values import read_item
from tests.kit.items import items, lists_of_strings, numbers, sets
from tests.kit.items import values as attribute_values

operands = st.sampled_from(
    [
        ":n",
        ":l",
        ":any",
        "b",
        "a[0]",
        "if_not_exists(d, :any)",
        "list_append(b, :l)",
        "a + :n",
        "#c - :n",
        "a.a",
    ]
)
actions = st.one_of(
    operands.map("SET {{}} = {}".format),
    st.sampled_from(["REMOVE {}", "ADD {} :n", "ADD {} :s", "DELETE {} :s"]),
)


def at_one_of(*paths: str) -> st.SearchStrategy[str]:
    return st.tuples(actions, st.sampled_from(paths)).map(lambda pair: pair[0].format(pair[1]))


# At most one action at each place, so that the paths are disjoint.
actions_by_place = st.fixed_dictionaries(
    {},
    optional={
        "a": at_one_of("a", "a.a", "a[0]"),
        "b": at_one_of("b[0]"),
        "b ": at_one_of("b[1]", "b[3]"),
        "c": at_one_of("#c", "#c.a", "#c.d[0]"),
        "d": at_one_of("d"),
    },
).filter(bool)


def text_of(actions: Iterable[str]) -> str:
    sections: dict[str, list[str]] = {}
    for action in actions:
        keyword, _, rest = action.partition(" ")
        sections.setdefault(keyword, []).append(rest)
    return " ".join(f"{keyword} {', '.join(rests)}" for keyword, rests in sections.items())


numeric = numbers | lists_of_strings
shaped_items = st.fixed_dictionaries(
    {},
    optional={
        "a": st.one_of(
            st.fixed_dictionaries({"a": numbers, "b": numeric}).map(lambda members: {"M": members}),
            st.lists(numeric, max_size=3).map(lambda elements: {"L": elements}),
            numeric,
        ),
        "b": st.lists(numeric, max_size=4).map(lambda elements: {"L": elements}),
        "c": numbers | st.just({"M": {"a": {"N": "1"}, "d": {"L": []}}}),
        "d": attribute_values,
    },
)


@given(actions_by_place, shaped_items, numbers, lists_of_strings, sets, attribute_values)
@settings(max_examples=300)
def test_an_update_keeps_its_promises(
    actions: dict[str, str],
    item: Item,
    one: AttributeValue,
    elements: AttributeValue,
    members: AttributeValue,
    anything: AttributeValue,
) -> None:
    text = text_of(actions.values())
    names = {"#c": "c"} if "#c" in text else {}
    available = {":n": one, ":l": elements, ":s": members, ":any": anything}
    values = {name: value for name, value in available.items() if re.search(rf"{name}\b", text)}
    before = deepcopy((item, values))
    try:
        expressions.check(update=text, names=names, values=values)
        outcome = expressions.apply_update(text, item, names, values)
    except ApiError as error:
        event(error.message[:40])
        return
    finally:
        assert (item, values) == before, "mutated what it was given"
    event("applied")
    assert expressions.apply_update(text, item, names, values).item == outcome.item
    assert read_item(deepcopy(outcome.item))[0] == outcome.item, "not canonical"
    for name in set("abcd") - {place.strip() for place in actions}:
        assert outcome.item.get(name) == item.get(name)


@given(items, attribute_values)
def test_what_is_set_can_be_projected(item: Item, value: AttributeValue) -> None:
    outcome = expressions.apply_update("SET #d = :v", item, {"#d": "d"}, {":v": value})
    assert outcome.item == item | {"d": value}
    assert expressions.project(outcome.item, outcome.touched) == {"d": value}
    assert expressions.project(item, outcome.touched) == ({"d": item["d"]} if "d" in item else {})


@given(items)
def test_the_projection_of_all_attributes_is_the_item(item: Item) -> None:
    assert expressions.project(item, expressions.projection_paths("a, b, c, #d", {"#d": "d"})) == item


def number(text: int | str) -> AttributeValue:
    return {"N": str(text)}


def listed(*elements: int) -> AttributeValue:
    return {"L": [number(element) for element in elements]}


ITEM: Item = {
    "pk": {"S": "x"},
    "n": number(10),
    "l": listed(0, 1, 2),
    "m": {"M": {"a": number(1), "l": listed(5, 6), "deep": {"M": {"x": {"S": "y"}}}}},
    "s": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "9"]},
}
V = {
    ":n": number("0.5"),
    ":s": {"S": "new"},
    ":ss": {"SS": ["b", "c"]},
    ":ab": {"SS": ["a", "b"]},
    ":ns": {"NS": ["10", "9"]},
    ":l": listed(7),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET n = n + :n", {"n": number("10.5")}),
        ("SET n = :n - n", {"n": number("-9.5")}),
        ("SET fresh = if_not_exists(fresh, :n) + :n", {"fresh": number(1)}),
        ("SET n = if_not_exists(n, :s)", {}),
        ("SET fresh = if_not_exists(n, missing_attribute)", {"fresh": number(10)}),
        ("SET l = list_append(l, :l)", {"l": listed(0, 1, 2, 7)}),
        ("SET l = list_append(:l, if_not_exists(l, :l))", {"l": listed(7, 0, 1, 2)}),
        ("SET n = l[0], l[0] = n", {"n": number(0), "l": listed(10, 1, 2)}),
        ("SET l[7] = :n, l[5] = n", {"l": {"L": [*listed(0, 1, 2, 10)["L"], number("0.5")]}}),
        ("REMOVE l[0], l[2]", {"l": listed(1)}),
        ("REMOVE l[0], l[9] SET l[1] = n, l[3] = n", {"l": listed(10, 2, 10)}),
        ("REMOVE l[0], l[1], l[2]", {"l": {"L": []}}),
        ("SET m.a = n, m.fresh = n", {"m": {"M": ITEM["m"]["M"] | {"a": number(10), "fresh": number(10)}}}),
        (
            "REMOVE m.deep.x, m.l[0], m.nothing",
            {"m": {"M": {"a": number(1), "l": listed(6), "deep": {"M": {}}}}},
        ),
        ("REMOVE n, absent", {"n": None}),
        ("ADD n :n, fresh :n", {"n": number("10.5"), "fresh": number("0.5")}),
        ("ADD s :ss, fresh :ss", {"s": {"SS": ["a", "b", "c"]}, "fresh": V[":ss"]}),
        ("ADD ns :ns", {"ns": {"NS": ["1", "9", "10"]}}),
        ("ADD m.a :n", {"m": {"M": ITEM["m"]["M"] | {"a": number("1.5")}}}),
        ("DELETE s :ss, ns :ns, fresh :ss", {"s": {"SS": ["a"]}, "ns": {"NS": ["1"]}}),
        ("DELETE s :ab", {"s": None}),
        ("SET a1 = n REMOVE n ADD fresh :n", {"a1": number(10), "n": None, "fresh": number("0.5")}),
    ],
)
def test_examples(text: str, expected: dict[str, Any]) -> None:
    values = {
        name: value for name, value in V.items() if name in text.replace(",", " ").replace(")", " ").split()
    }
    expressions.check(update=text, values=values)
    wanted = {name: value for name, value in (ITEM | expected).items() if value is not None}
    assert expressions.apply_update(text, ITEM, {}, values).item == wanted


MISSING = "The provided expression refers to an attribute that does not exist in the item"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"
BAD_PATH = "The document path provided in the update expression is invalid for update"
DEEP: AttributeValue = {"S": "leaf"}
for _ in range(31):
    DEEP = {"L": [DEEP]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET n = absent", MISSING),
        ("SET n = absent + :n", MISSING),
        ("SET n = if_not_exists(absent, absent2)", MISSING),
        ("SET n = list_append(l, absent)", MISSING),
        ("SET n = l[3]", MISSING),
        ("SET n = pk + :n", WRONG_TYPE),
        ("SET n = absent + pk", WRONG_TYPE),
        ("SET l = list_append(l, n)", WRONG_TYPE),
        ("ADD pk :n", WRONG_TYPE),
        ("ADD s :n", WRONG_TYPE),
        ("ADD n :ss", WRONG_TYPE),
        ("DELETE s :ns", WRONG_TYPE),
        ("DELETE n :ns", WRONG_TYPE),
        ("SET absent.a = :n", BAD_PATH),
        ("SET m.absent.a = :n", BAD_PATH),
        ("SET pk.a = :n", BAD_PATH),
        ("SET l.a = :n", BAD_PATH),
        ("SET m[0] = :n", BAD_PATH),
        ("SET l[9].a = :n", BAD_PATH),
        ("REMOVE absent.a", BAD_PATH),
        ("ADD absent.a :n", BAD_PATH),
        # the first of several: types before paths before what is missing
        ("SET a1 = absent, absent.a = :n, a2 = pk + :n", WRONG_TYPE),
        ("SET a1 = absent, absent.a = :n", BAD_PATH),
        (
            "SET m.deep = :deep",
            (
                "Nesting Levels have exceeded supported limits: "
                "Attributes in the item have nested levels beyond supported limit"
            ),
        ),
        (
            "SET n = :big + :big",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
    ],
)
def test_mistakes_that_only_an_item_shows(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        expressions.apply_update(text, ITEM, {}, V | {":deep": DEEP, ":big": number("9" + "0" * 125)})
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n, absent", {"n": ITEM["n"]}),
        ("l[2], l[0], l[9]", {"l": listed(0, 2)}),
        ("m.l[1], m.a", {"m": {"M": {"a": number(1), "l": listed(6)}}}),
        ("m.deep.x", {"m": {"M": {"deep": {"M": {"x": {"S": "y"}}}}}}),
        ("m.absent, l.a, l[5], n.a, n[0], m[0]", {}),
        ("#p, m.#a", {"pk": ITEM["pk"], "m": {"M": {"a": number(1)}}}),
    ],
)
def test_projections(text: str, expected: Item) -> None:
    names = {"#p": "pk", "#a": "a"}
    assert expressions.project(ITEM, expressions.projection_paths(text, names)) == expected


# ---- what UpdateItem counts before it looks at the item ------------------------------------------------------

_TEN: AttributeValue = {"S": "y" * 10}


@pytest.mark.parametrize(
    ("text", "values", "size"),
    [
        ("SET b = :v", {":v": _TEN}, 3 + 19 + 1 + 10),
        ("SET #long = :v", {":v": _TEN}, 3 + 19 + 12 + 10),
        ("SET b = :v, c = :v", {":v": _TEN}, 3 + 2 * (19 + 1 + 10)),
        ("SET c = abc", {}, 3 + 19 + 1 + (1 + 14 + 3)),
        ("SET c = m.z", {}, 3 + 19 + 1 + (1 + 15 + 15)),
        ("SET c = l[10]", {}, 3 + 19 + 1 + (1 + 15 + 16)),
        ("SET m.leaf = :v", {":v": _TEN}, 3 + 19 + (1 + 4 + 4) + 10),
        ("SET l[0] = :v", {":v": _TEN}, 3 + 19 + (1 + 4 + 1) + 10),
        ("SET l = list_append(l, :v)", {":v": {"L": [_TEN]}}, 3 + 19 + 1 + 37 + (1 + 15) + (3 + 1 + 10)),
        ("SET c = if_not_exists(c, :v)", {":v": {"M": {"a": _TEN}}}, 3 + 19 + 1 + 39 + 16 + (3 + 1 + 1 + 10)),
        ("SET n = n + :v", {":v": {"N": "1"}}, 3 + 19 + 1 + 34 + 16 + 2),
        ("SET n = n - :v", {":v": {"N": "1"}}, 3 + 19 + 1 + 37 + 16 + 2),
        ("ADD n :v", {":v": {"N": "1"}}, 3 + 19 + 1 + 2),
        ("ADD s :v", {":v": {"SS": ["ab", "cde"]}}, 3 + 19 + 1 + 5),
        ("REMOVE m.yy, l[10]", {}, 3 + (1 + 1 + 4 + 2) + (1 + 1 + 4 + 2)),
        ("DELETE s :v", {":v": {"SS": ["ab", "cde"]}}, 3 + 1 + 1),
    ],
)
def test_what_an_update_is_charged(text: str, values: dict[str, AttributeValue], size: int) -> None:
    assert charge(parse_update(text).root, {"#long": "twelve_chars"}, values) == size


@pytest.mark.parametrize("text", ["SET b = :v", "SET b = if_not_exists(b, :v)", "ADD b :v"])
def test_an_update_is_too_large_from_one_byte_more(text: str) -> None:
    """A string is no operand of ADD; its size is looked at first."""
    spare = ITEM_BYTES_MAX - charge(parse_update(text).root, {}, {":v": {"S": ""}})
    assert not expressions.writes_too_much(text, {}, {":v": {"S": "x" * spare}})
    assert expressions.writes_too_much(text, {}, {":v": {"S": "x" * (spare + 1)}})


def test_short_placeholders_are_never_too_large() -> None:
    text = "SET " + ",".join(f"{name}=:v" for name in _short_names(600))
    values = {":v": {"S": "\U0001f600" * 64}}
    assert len(text) <= EXPRESSION_BYTES_MAX
    assert charge(parse_update(text).root, {}, values) <= ITEM_BYTES_MAX


def _short_names(count: int) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [one + other for one in letters for other in letters if not is_reserved(one + other)][:count]
