"""Text to nodes: printed nodes read back as themselves, and no text makes anything but nodes or an ApiError."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.model import expressions
from kvorum.model.access_path import key_attributes
from kvorum.model.errors import ApiError
from kvorum.model.expressions.grammar import Parser
from kvorum.model.expressions.kind import ExpressionKind
from kvorum.model.expressions.nodes import (
    Action,
    AddAction,
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    DeleteAction,
    In,
    Node,
    Not,
    Or,
    Path,
    Projection,
    RemoveAction,
    Section,
    SetAction,
    Update,
    Value,
)
from kvorum.model.expressions.reserved import is_reserved
from kvorum.model.table import KeyPart, KeySchema
from tests.kit.items import items
from tests.kit.items import values as attribute_values

# ---- printing ---------------------------------------------------------------------------------------------


def printed(node: Node) -> str:  # noqa: C901  (a table of the nodes)
    match node:
        case Path(steps):
            parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps]
            return "".join(parts)[1:]
        case Value(name):
            return name
        case Call(function, arguments):
            return f"{function}({', '.join(map(printed, arguments))})"
        case Arithmetic(operator, left, right) | Comparison(operator, left, right):
            return f"{printed(left)} {operator} {printed(right)}"
        case Between(operand, lower, upper):
            return f"{printed(operand)} between {printed(lower)} AND {printed(upper)}"
        case In(operand, choices):
            return f"{printed(operand)} IN({','.join(map(printed, choices))})"
        case Not(condition):
            return f"NOT {grouped(condition)}"
        case And(conditions):
            return " AND ".join(map(grouped, conditions))
        case Or(conditions):
            return " or ".join(map(grouped, conditions))
        case SetAction(path, value):
            return f"{printed(path)} = {printed(value)}"
        case RemoveAction(path):
            return printed(path)
        case AddAction(path, value) | DeleteAction(path, value):
            return f"{printed(path)} {printed(value)}"
        case Update(sections):
            return " ".join(f"{each.keyword} {', '.join(map(printed, each.actions))}" for each in sections)
        case Projection(paths):
            return ", ".join(map(printed, paths))


def grouped(node: Condition) -> str:
    return f"({printed(node)})" if isinstance(node, And | Or) else printed(node)


# ---- generating -------------------------------------------------------------------------------------------

plain_names = st.sampled_from(["a", "b", "pk", "camelCase", "x_1"])
name_steps = plain_names | st.sampled_from(["#n", "#_", "#1"])


def path_of(head: str, tail: list[str | int]) -> Path:
    steps = (head, *tail)
    return Path(steps, any(isinstance(step, str) and step.startswith("#") for step in steps))


paths = st.builds(path_of, name_steps, st.lists(name_steps | st.integers(0, 20), max_size=3))
placeholders = st.builds(Value, st.sampled_from([":v", ":1", ":_x"]))
operands = st.one_of(
    paths,
    placeholders,
    st.builds(Call, st.just("size"), st.tuples(paths)),
)
leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Comparison, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), operands, operands),
    st.builds(Between, operands, operands, operands),
    st.builds(In, operands, st.lists(operands, min_size=1, max_size=3).map(tuple)),
    st.builds(Call, st.sampled_from(["attribute_exists", "contains", "f"]), st.tuples(paths, operands)),
)


def joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(And, several), st.builds(Or, several))


conditions = st.recursive(leaves, joined, max_leaves=8)
set_operands = st.recursive(
    paths | placeholders,
    lambda inner: st.builds(Call, st.sampled_from(["if_not_exists", "list_append"]), st.tuples(inner, inner)),
    max_leaves=4,
)
set_values = set_operands | st.builds(Arithmetic, st.sampled_from("+-"), set_operands, set_operands)


def section(keyword: str, action: st.SearchStrategy[Action]) -> st.SearchStrategy[Section]:
    return st.lists(action, min_size=1, max_size=3).map(lambda actions: Section(keyword, tuple(actions)))


updates = st.lists(
    st.one_of(
        section("SET", st.builds(SetAction, paths, set_values)),
        section("REMOVE", st.builds(RemoveAction, paths)),
        section("ADD", st.builds(AddAction, paths, placeholders)),
        section("DELETE", st.builds(DeleteAction, paths, placeholders)),
    ),
    min_size=1,
    max_size=3,
).map(lambda sections: Update(tuple(sections)))
projections = st.lists(paths, min_size=1, max_size=4).map(lambda found: Projection(tuple(found)))


@given(conditions)
def test_a_printed_condition_reads_back_as_itself(condition: Condition) -> None:
    assert Parser(ExpressionKind.CONDITION, printed(condition)).condition() == condition


@given(conditions)
def test_one_pair_of_parentheses_changes_nothing(condition: Condition) -> None:
    assert Parser(ExpressionKind.FILTER, f"({printed(condition)})").condition() == condition


@given(updates)
def test_a_printed_update_reads_back_as_itself(update: Update) -> None:
    assert Parser(ExpressionKind.UPDATE, printed(update)).update() == update


@given(projections)
def test_a_printed_projection_reads_back_as_itself(projection: Projection) -> None:
    assert Parser(ExpressionKind.PROJECTION, printed(projection)).projection() == projection


def test_and_binds_tighter_than_or_and_not_tightest() -> None:
    text = "NOT attribute_exists(a) AND a = :v OR b = :v"
    a_exists = Call("attribute_exists", (path_of("a", []),))
    equal = [Comparison("=", path_of(name, []), Value(":v")) for name in "ab"]
    assert Parser(ExpressionKind.CONDITION, text).condition() == Or(
        (And((Not(a_exists), equal[0])), equal[1])
    )


def test_operands_may_stand_in_parentheses() -> None:
    plain = Parser(ExpressionKind.CONDITION, "size(a) > :v AND a IN (:v)").condition()
    assert Parser(ExpressionKind.CONDITION, "(size((a))) > (:v) AND (a) IN ((:v))").condition() == plain


def test_set_values_may_stand_in_parentheses() -> None:
    plain = Parser(ExpressionKind.UPDATE, "SET a = b + :v, c = b + :v, d = b").update()
    assert Parser(ExpressionKind.UPDATE, "SET a = (b + :v), c = (b) + (:v), d = (b)").update() == plain


# ---- whatever comes ---------------------------------------------------------------------------------------

soup = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                "b",
                "a.b",
                "a[0]",
                "#n",
                ":v",
                ":w",
                "name",
                "0",
                "12",
                "(",
                ")",
                "(",
                ")",
                "[",
                "]",
                ",",
                ".",
            ),
            *("=", "<>", "<", "<=", ">", ">=", "+", "-", "AND", "OR", "NOT", "BETWEEN", "IN", "in"),
            *("SET", "REMOVE", "ADD", "DELETE", "if_not_exists", "list_append", "size", "attribute_exists"),
            *("contains", "begins_with", "attribute_type", "f", "!", "#", ":", "é", "_"),
        ]
    ),
    max_size=14,
)
glue = st.sampled_from([" ", "", "\n "])
KEYS = KeySchema(KeyPart("a", "S"), KeyPart("b", "N"))


@given(soup, glue, attribute_values, attribute_values, items)
@settings(max_examples=400)
def test_token_soup_is_refused_or_has_a_meaning(words, separator, one, two, item) -> None:  # type: ignore[no-untyped-def]
    text = separator.join(words)
    given_names = {"#n": "c"} if "#n" in text else None
    given_values = {key: value for key, value in ((":v", one), (":w", two)) if key in text}
    for kind in ("condition", "filter", "key_condition", "update", "projection"):
        with suppress(ApiError):
            expressions.check(**{kind: text}, names=given_names, values=given_values)
            match kind:
                case "condition" | "filter":
                    assert expressions.evaluate(text, item, given_names or {}, given_values) in (True, False)
                case "key_condition":
                    expressions.key_range(text, key_attributes(KEYS), given_names or {}, given_values)
                case "update":
                    expressions.apply_update(text, item, given_names or {}, given_values)
                case _:
                    expressions.project(item, expressions.projection_paths(text, given_names))


@given(st.text(max_size=40))
def test_any_text_is_refused_or_has_a_meaning(text: str) -> None:
    for kind in ("condition", "update", "projection", "key_condition"):
        with suppress(ApiError):
            expressions.check(**{kind: text})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4096,
        "NOT " * 1000 + "a = b",
        "NOT (" * 800 + "a = b" + ")" * 800,
        "(a=b AND " * 400 + "a=b" + ")" * 400,
        "size(" * 800 + "a" + ")" * 800 + " = b",
        "a = " + "(" * 4000,
        " AND ".join(["a=b"] * 500),
    ],
)
def test_deep_texts_are_refused(text: str) -> None:
    with pytest.raises(ApiError):
        expressions.check(condition=text)


@pytest.mark.parametrize(
    "text",
    [
        "NOT (" * 299 + "a = b" + ")" * 299,
        "(a=b AND " * 149 + "a=b" + ")" * 149,
        " AND ".join(["a=b"] * 150),
    ],
)
def test_three_hundred_operators_are_allowed(text: str) -> None:
    expressions.check(condition=text)
    expressions.evaluate(text, {"a": {"N": "1"}, "b": {"N": "1"}}, {}, {})


def test_reserved_words_are_so_in_any_case() -> None:
    assert is_reserved("name")
    assert is_reserved("Name")
    assert not is_reserved("pk")
