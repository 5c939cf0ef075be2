"""Conditions against items: an oracle on Python values, and examples of what AWS documents."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import expressions
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.table import IndexKeys, KeyPart
from tests.kit.items import items
from tests.kit.items import values as attribute_values


def meaning(value: AttributeValue) -> tuple[str, Any]:
    """Tag and content as Python values that compare by themselves."""
    ((tag, content),) = value.items()
    plain: dict[str, Callable[[Any], Any]] = {"N": Decimal, "B": b64decode, "S": str.encode}
    if tag in plain:
        return tag, plain[tag](content)
    if tag[-1] == "S":
        return tag, frozenset(plain[tag[0]](member) for member in content)
    if tag == "L":
        return tag, [meaning(element) for element in content]
    if tag == "M":
        return tag, {name: meaning(element) for name, element in content.items()}
    return tag, content


Meaning = tuple[str, Any] | None


def compared(operator: str, left: Meaning, right: Meaning) -> bool:
    if operator == "=":
        return left is not None and left == right
    if operator == "<>":
        return left is None or left != right
    if left is None or right is None or left[0] != right[0] or left[0] not in ("S", "N", "B"):
        return False
    a, b = left[1], right[1]
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator])


def contained(whole: Meaning, part: Meaning) -> bool:
    if whole is None or part is None:
        return False
    if whole[0] == "L":
        return part in whole[1]
    if whole[0] in ("S", "B"):
        return part[0] == whole[0] and part[1] in whole[1]
    return whole[0] in ("SS", "NS", "BS") and part[0] == whole[0][0] and part[1] in whole[1]


def begins(whole: Meaning, prefix: Meaning) -> bool:
    if whole is None or prefix is None or whole[0] != prefix[0] or whole[0] not in ("S", "B"):
        return False
    return bool(whole[1].startswith(prefix[1]))


def at(item: Item, name: str) -> Meaning:
    return meaning(item[name]) if name in item else None


@given(items, attribute_values, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
def test_comparisons_agree_with_python(item: Item, value: AttributeValue, operator: str) -> None:
    expected = compared(operator, at(item, "a"), meaning(value))
    assert expressions.evaluate(f"a {operator} :v", item, {}, {":v": value}) is expected
    expected = compared(operator, meaning(value), at(item, "a"))
    assert expressions.evaluate(f":v {operator} a", item, {}, {":v": value}) is expected
    expected = compared(operator, at(item, "a"), at(item, "b"))
    assert expressions.evaluate(f"a {operator} #b", item, {"#b": "b"}, {}) is expected


@given(items, attribute_values, attribute_values)
def test_ranges_and_choices_agree_with_comparisons(
    item: Item, one: AttributeValue, two: AttributeValue
) -> None:
    def holds(text: str) -> bool:
        return expressions.evaluate(text, item, {}, {":v": one, ":w": two})

    assert holds("a BETWEEN :v AND :w") == (holds("a >= :v") and holds("a <= :w"))
    assert holds("a BETWEEN b AND c") == (holds("a >= b") and holds("a <= c"))
    assert holds("a IN (:v, b, :w)") == (holds("a = :v OR a = b OR a = :w"))
    assert holds("NOT a = b") == holds("a <> b")


@given(items, attribute_values)
def test_functions_agree_with_python(item: Item, value: AttributeValue) -> None:
    def holds(text: str) -> bool:
        return expressions.evaluate(text, item, {}, {":v": value, ":t": {"S": next(iter(value))}})

    assert holds("contains(a, :v)") == contained(at(item, "a"), meaning(value))
    assert holds("contains(a, b)") == contained(at(item, "a"), at(item, "b"))
    assert holds("begins_with(a, :v)") == begins(at(item, "a"), meaning(value))
    assert holds("attribute_type(a, :t)") == ("a" in item and next(iter(item["a"])) == next(iter(value)))
    assert holds("attribute_exists(a)") == ("a" in item) != holds("attribute_not_exists(a)")


formulas = st.recursive(
    st.sampled_from(["attribute_exists(a)", "attribute_exists(b)", "attribute_exists(c)"]),
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.tuples(inner, inner).map(lambda pair: "({}) AND {}".format(*pair)),
        st.tuples(inner, inner).map(lambda pair: "{} OR ({})".format(*pair)),
    ),
    max_leaves=8,
)


@given(formulas, st.sets(st.sampled_from("abc")))
def test_logic_agrees_with_python(formula: str, present: set[str]) -> None:
    item: Item = {name: {"NULL": True} for name in present}
    python = formula.replace("NOT", "not").replace("AND", "and").replace("OR", "or")
    expected = eval(python, {"attribute_exists": lambda name: name in present, "a": "a", "b": "b", "c": "c"})
    while "((" in formula:  # redundant parentheses are refused
        formula = formula.replace("((", "(NOT NOT (")
    assert expressions.evaluate(formula, item, {}, {}) is expected


ITEM: Item = {
    "pk": {"S": "x"},
    "m": {"M": {"l": {"L": [{"N": "1"}, {"M": {"deep": {"S": "yes"}}}]}, "list.with": {"S": "dot"}}},
    "n": {"N": "10"},
    "smile": {"S": "😀é"},
    "bytes": {"B": "AP8="},
    "set": {"NS": ["1", "2.5"]},
    "flag": {"BOOL": False},
}


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("m.l[1].deep = :v", {":v": {"S": "yes"}}, True),
        ("m.l[0] < :v", {":v": {"N": "1.5"}}, True),
        ("attribute_exists(m.l[2])", {}, False),
        ("attribute_exists(m.l[1].deep.deeper)", {}, False),
        ("attribute_exists(m[0])", {}, False),
        ("attribute_exists(pk.l)", {}, False),
        ("attribute_exists(m.#dotted)", {}, True),
        ("n > :v", {":v": {"N": "9"}}, True),
        ("n > :v", {":v": {"S": "9"}}, False),
        ("size(smile) = :v", {":v": {"N": "3"}}, True),
        ("size(bytes) = :v", {":v": {"N": "2"}}, True),
        ("size(m) = :v AND size(m.l) = :v AND size(#set) = :v", {":v": {"N": "2"}}, True),
        ("size(n) <> :v", {":v": {"N": "2"}}, True),
        ("size(n) = :v", {":v": {"N": "2"}}, False),
        ("bytes > :v", {":v": {"B": "AH8="}}, True),
        ("contains(bytes, :v)", {":v": {"B": "/w=="}}, True),
        ("contains(#set, :v)", {":v": {"N": "2.5"}}, True),
        ("contains(pk, n)", {}, False),
        ("attribute_type(:v, :t)", {":v": {"NS": ["1"]}, ":t": {"S": "NS"}}, True),
        ("attribute_type(:v, :t)", {":v": {"NS": ["1"]}, ":t": {"S": "N"}}, False),
        ("attribute_type(size(m), :t)", {":t": {"S": "N"}}, True),
        ("flag = :v", {":v": {"BOOL": False}}, True),
        ("absent <> :v", {":v": {"N": "1"}}, True),
        ("absent <> missing_too", {}, True),
        ("absent = missing_too", {}, False),
        ("NOT absent < :v", {":v": {"N": "1"}}, True),
    ],
)
def test_examples(text: str, values: dict[str, AttributeValue], expected: bool) -> None:
    names = {"#dotted": "list.with", "#set": "set"}
    expressions.check(condition=f"({text}) OR #dotted = #set", names=names, values=values)
    assert expressions.evaluate(text, ITEM, names, values) is expected


KEYS = IndexKeys((KeyPart("pk", "S"),), (KeyPart("sk", "N"),))
P: AttributeValue = {"S": "p"}
ONE: AttributeValue = {"N": "1"}
TWO: AttributeValue = {"N": "2"}


@pytest.mark.parametrize(
    ("text", "operator", "operands"),
    [
        ("pk = :p", "", ()),
        (":p = pk", "", ()),
        ("(pk = :p)", "", ()),
        ("pk = :p AND sk = :a", "=", (ONE,)),
        ("sk < :a AND pk = :p", "<", (ONE,)),
        ("(pk = :p) AND (sk >= :a)", ">=", (ONE,)),
        ("(#k = :p AND :a >= sk)", "<=", (ONE,)),
        (":a < sk AND :p = pk", ">", (ONE,)),
        ("pk = :p AND sk BETWEEN :a AND :b", "BETWEEN", (ONE, TWO)),
        ("pk = :p and (sk) between (:a) and :b", "BETWEEN", (ONE, TWO)),
    ],
)
def test_key_ranges(text: str, operator: str, operands: tuple[AttributeValue, ...]) -> None:
    values = {":p": P, ":a": ONE, ":b": TWO}
    used = {name: value for name, value in values.items() if name in text}
    names = {"#k": "pk"} if "#k" in text else {}
    expressions.check(key_condition=text, names=names, values=used)
    assert expressions.key_range(text, KEYS, names, used) == expressions.KeyRange(
        (P,), (), operator, operands
    )


def test_key_range_of_a_prefix() -> None:
    schema = IndexKeys((KeyPart("pk", "S"),), (KeyPart("sk", "S"),))
    found = expressions.key_range("begins_with(sk, :s) AND pk = :p", schema, {}, {":p": P, ":s": {"S": "a#"}})
    assert found == expressions.KeyRange((P,), (), "begins_with", ({"S": "a#"},))
