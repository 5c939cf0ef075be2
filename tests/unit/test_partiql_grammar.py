"""PartiQL's grammar: what is written is what is meant, AWS's words for what is wrong, and nothing but those words
for any text at all."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.model import expressions, partiql
from kvorum.model.errors import ApiError
from kvorum.model.expressions import condition as conditions
from kvorum.model.expressions.nodes import And, Between, Call, Comparison, Condition, In, Not, Or, Path, Value
from kvorum.model.partiql.grammar import parse
from kvorum.model.partiql.nodes import Column, Insert, Select, Source
from kvorum.model.partiql.texts import texts_of
from kvorum.model.requests import AttributeValue, Item
from kvorum.model.values import read_value, type_of

NOT_WELL_FORMED = "Statement wasn't well formed, can't be processed: "


def test_a_function_among_the_columns_is_refused_by_itself() -> None:
    """Where what is read is known: a statement that cannot be read, or an index that cannot, is told first."""
    for statement, place in (
        ("SELECT COUNT(*) FROM T", "1:8:5"),
        ("SELECT a, attribute_exists(b), size(size(c)) FROM T WHERE a = 1", "1:11:16"),
    ):
        body = parse(statement).body
        assert isinstance(body, Select)
        with pytest.raises(ApiError, match=f"^Unexpected path component at {place}$"):
            partiql.refuse_calls(body)


def refusal(statement: str, *parameters: AttributeValue) -> str:
    with pytest.raises(ApiError) as raised:
        partiql.bind(statement, parameters)
    assert raised.value.code == "ValidationException"
    return raised.value.message


# ---- any text ------------------------------------------------------------------------------------------------

_PIECES = st.one_of(
    st.sampled_from(
        [
            "SELECT",
            "*",
            "FROM",
            "T",
            "WHERE",
            "pk",
            "=",
            "'a'",
            "AND",
            "OR",
            "NOT",
            "IN",
            "BETWEEN",
            "IS",
            "MISSING",
            "NULL",
            "ORDER",
            "BY",
            "DESC",
            "INSERT",
            "INTO",
            "VALUE",
            "UPDATE",
            "SET",
            "REMOVE",
            "DELETE",
            "RETURNING",
            "ALL",
            "OLD",
            "NEW",
            "MODIFIED",
            "TRUE",
            "?",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "<<",
            ">>",
            ",",
            ".",
            ":",
            ";",
            "+",
            "-",
            "<",
            "<>",
            "!=",
            ">=",
            "1",
            "2.5",
            "1e3",
            "'it''s'",
            '"quoted"',
            '""',
            "a.b[0]",
            "[0]",
            "size(",
            "begins_with(",
            "set_add(",
            "list_append(",
            "--",
            "/*",
            "*/",
            "EXISTS",
            "LIMIT",
            "STRING",
        ]
    ),
    st.text(max_size=4),
)


@settings(max_examples=400)
@given(st.lists(_PIECES, max_size=25), st.sampled_from(("", "SELECT * FROM T WHERE ", "UPDATE T SET a = ")))
def test_any_text_is_a_statement_or_refused(pieces: list[str], start: str) -> None:
    with suppress(ApiError):
        parse(start + " ".join(pieces))


@pytest.mark.parametrize("opening", ["(", "NOT (", "size(", "[", "{'a':", "<<", "- "])
def test_depth_is_bounded(opening: str) -> None:
    refusal("SELECT * FROM T WHERE a = " + opening * 2_000)
    refusal("SELECT * FROM T WHERE " + opening * 2_000)


# ---- literals ------------------------------------------------------------------------------------------------

_SCALARS = st.one_of(
    st.text(max_size=8).map(lambda text: {"S": text}),
    st.integers(-(10**20), 10**20).map(lambda number: {"N": str(number)}),
    st.decimals(-1000, 1000, places=3).map(lambda number: {"N": str(number)}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
    st.sets(st.text(max_size=4), min_size=1, max_size=3).map(lambda members: {"SS": list(members)}),
    st.sets(st.integers(-99, 99), min_size=1, max_size=3).map(lambda members: {"NS": [*map(str, members)]}),
)
_VALUES: st.SearchStrategy[AttributeValue] = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements})
        | st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3).map(
            lambda members: {"M": members}
        )
    ),
    max_leaves=8,
).map(read_value)


def written(value: AttributeValue) -> str:
    """The value as a literal."""
    kind = type_of(value)
    content: Any = value[kind]
    match kind:
        case "S":
            return "'" + content.replace("'", "''") + "'"
        case "N":
            return content
        case "BOOL":
            return str(content).lower()
        case "NULL":
            return "Null"
        case "SS":
            return f"<<{', '.join(written({'S': member}) for member in content)}>>"
        case "NS":
            return f"<<{','.join(content)}>>"
        case "L":
            return f"[ {', '.join(map(written, content))}]"
        case _:
            members = (f"{written({'S': name})} : {written(inner)}" for name, inner in content.items())
            return f"{{{', '.join(members)}}}"


@given(_VALUES)
def test_literals_mean_what_they_say(value: AttributeValue) -> None:
    bound = partiql.bind(f"insert into T value {{'a': {written(value)}, 'b': ?}};", [value])
    assert isinstance(bound.body, Insert)
    assert isinstance(bound.body.item, dict)
    assert {name: bound.values[placeholder] for name, placeholder in bound.body.item.items()} == {
        "a": value,
        "b": value,
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1E3", "1000"),
        ("-1.5e-3", "-0.0015"),
        ("2.50", "2.5"),
        ("-0", "0"),
        ("- - 1", "1"),
        ("-/* sign */+1", "-1"),
        (".5", "0.5"),
        ("7.", "7"),
        ("00012", "12"),
    ],
)
def test_numbers(text: str, number: str) -> None:
    assert parse(f"INSERT INTO T VALUE {{'n': {text}}}").literals == {":0": {"N": number}}


# ---- names, comments, columns ----------------------------------------------------------------------------------


def test_names_are_what_is_written() -> None:
    body = parse('SELECT "a""b", m.k[0], "x.y" FROM "my-table" -- here\nWHERE a/* c */= \'--\'').body
    assert isinstance(body, Select)
    assert body.source == Source("my-table")
    assert body.columns == (
        Column('a"b', ('a"b',)),
        Column("k[0]", ("m", "k", 0)),
        Column("x.y", ("x.y",)),
    )
    assert body.condition == Comparison("=", Path(("a",), symbolic=False), Value(":0"))


def test_precedence() -> None:
    body = parse("SELECT * FROM T WHERE a = ? OR NOT b = ? AND (c = ? OR d = ?)").body
    assert isinstance(body, Select)
    a, b, c, d = (
        Comparison("=", Path((name,), symbolic=False), Value(f":p{place}"))
        for place, name in enumerate("abcd")
    )
    assert body.condition == Or((a, And((Not(b), Or((c, d))))))


# ---- conditions go to the engine of expressions unchanged --------------------------------------------------------

_NAMES = ("a", "order", "x.y", "#n", "é", ":v")
_PATHS = st.tuples(st.sampled_from(_NAMES)).map(lambda steps: Path(steps, symbolic=False))
_OPERAND = st.sampled_from((":0", ":1", ":p0")).map(Value)
_LEAVES: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Comparison, st.sampled_from(("=", "<>", "<", ">=")), _PATHS, _OPERAND),
    st.builds(lambda path: Between(path, Value(":0"), Value(":1")), _PATHS),
    st.builds(In, _PATHS, st.lists(_OPERAND, min_size=1, max_size=3).map(tuple)),
    st.builds(lambda path: Call("attribute_exists", (path,)), _PATHS),
    st.builds(lambda path, value: Comparison(">", Call("size", (path,)), value), _PATHS, _OPERAND),
)
_CONDITIONS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)
_ITEMS = st.dictionaries(
    st.sampled_from(_NAMES), st.sampled_from(({"N": "1"}, {"N": "2"}, {"N": "3"}, {"S": "xy"})), max_size=4
)


@given(_CONDITIONS, _ITEMS)
def test_a_text_means_what_its_nodes_mean(condition: Condition, item: Item) -> None:
    values = {":0": {"N": "1"}, ":1": {"N": "2"}, ":p0": {"N": "3"}, ":unused": {"N": "4"}}
    texts = texts_of(values, condition=condition)
    assert texts.condition is not None
    assert expressions.evaluate(texts.condition, item, texts.names, texts.values) == conditions.holds(
        condition, item, {}, values
    )


# ---- AWS's words -------------------------------------------------------------------------------------------------

_OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
_LEFT_OVER = NOT_WELL_FORMED + "Unexpected token after expression"
_TERM = NOT_WELL_FORMED + "Unexpected term"
_NO_RIGHT = NOT_WELL_FORMED + "Missing right-hand side expression of infix operator"
_IDENTIFIER = NOT_WELL_FORMED + "Expected identifier for simple path"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT * FROM T WHERE pk = 1 foo", _LEFT_OVER),
        ("SELECT * FROM T WHERE pk = 1 e5", _LEFT_OVER),
        ("SELECT * FROM T WHERE pk = 1)", _LEFT_OVER),
        ("SELECT * FROM T ORDER BY pk WHERE pk = 1", _LEFT_OVER),
        ("INSERT INTO T VALUE {'pk': 1} foo", _LEFT_OVER),
        ("INSERT INTO T x VALUE {'pk': 1}", _LEFT_OVER),
        ("UPDATE T SET a = 9 WHERE pk = 1 foo", _LEFT_OVER),
        ("DELETE FROM T WHERE pk = 1 ORDER BY pk", _LEFT_OVER),
        ("FROM T SET c = 1 WHERE pk = 'x'", _LEFT_OVER),
        ("SELECT * FROM T WHERE pk = 1;;", _LEFT_OVER),
        ("SELECT * FROM T WHERE pk = 1e2147483648", NOT_WELL_FORMED),
        ("SELECT * FROM T WHERE pk = 1e99999999999999999999", NOT_WELL_FORMED),
        ("SELECT * FROM T WHERE pk = 1.5e-2147483647", NOT_WELL_FORMED),
        ("SELECT * FROM T WHERE pk = 1 # note", NOT_WELL_FORMED),
        ("SELECT * FROM T WHERE pk = 1 /* note", NOT_WELL_FORMED),
        ("SELECT * FROM T WHERE pk = 'open", NOT_WELL_FORMED),
        ("SELECT * FROM T x WHERE pk = 1", "Aliasing is not supported"),
        ("SELECT * FROM T AS x", "Aliasing is not supported"),
        ("SELECT a AS b FROM T", "Aliasing is not supported"),
        ("UPDATE T x SET a = 3", "Aliasing is not supported"),
        ("DELETE FROM T x", "Aliasing is not supported"),
        ("SELECT * FROM T WHERE pk = 1e126", f"{_OVERFLOW} under root"),
        ("INSERT INTO T VALUE {'pk': 1, 'm': {'x': 1e126}}", f"{_OVERFLOW} under root.x"),
        ("INSERT INTO T VALUE {'pk': 1, 'l': [1, 1e126]}", f"{_OVERFLOW} under root[1]"),
        ("", _TERM),
        ("SELECT * FROM", _TERM),
        ("SELECT * FROM T WHERE", _TERM),
        ("SELECT * FROM T WHERE;", _TERM),
        ("SELECT * FROM T WHERE NOT", _TERM),
        ("SELECT * FROM T WHERE (", _TERM),
        ("UPDATE T SET a = 1 WHERE", _TERM),
        ("SELECT * FROM T WHERE a = 1 AND", _NO_RIGHT),
        ("SELECT * FROM T WHERE a = 1 OR ;", _NO_RIGHT),
        ("SELECT * FROM T WHERE a =", _NO_RIGHT),
        ("SELECT * FROM T WHERE ORDER BY pk", NOT_WELL_FORMED + "Unexpected keyword"),
        ("SELECT * FROM T WHERE IS NULL", NOT_WELL_FORMED + "Unexpected operator"),
        ("SELECT * FROM T WHERE pk = LIKE", NOT_WELL_FORMED + "Unexpected operator"),
        ("SELECT * FROM T WHERE x IS FOO", NOT_WELL_FORMED + "Expected type name"),
        (
            "SELECT * FROM T WHERE x IS INTEGER",
            (
                "IS asks for a type of DynamoDB, and INTEGER is none. The types are "
                "[MISSING, NULL, BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]"
            ),
        ),
        ("x IS INT4", "Unsupported operation: IsType"),
        ("x IS NOT DOUBLE PRECISION", "Unsupported operation: IsType"),
        ("x IS FOO", NOT_WELL_FORMED + "Expected type name"),
        ("SELECT a FROM T WHERE user = 1", NOT_WELL_FORMED + "Unexpected keyword"),
        ("UPDATE T SET count = 1 WHERE pk = 1", NOT_WELL_FORMED + "Unexpected keyword"),
        ("SELECT * FROM T WHERE m.inner = 1", NOT_WELL_FORMED + "Invalid path dot component"),
        ("SELECT m.size FROM T", NOT_WELL_FORMED + "Invalid path dot component"),
        ("SELECT COUNT(* FROM T", NOT_WELL_FORMED + "Unexpected term"),
        ("SELECT * FROM T WHERE a = 1 AND EXISTS(b)", "Unrecognized function: exists at 1:33:6"),
        ("SELECT * FROM T WHERE Set_Add(s, <<'x'>>) = s", "Unrecognized function: set_add at 1:23:7"),
        (
            "INSERT INTO T VALUE {'a': {'b': set_add(<<'a'>>, <<'b'>>)}}",
            "Unsupported data type: set_add under key root.b at 1:33:7",
        ),
        ("UPDATE T SET s = set_add(s)", "SET_ADD must have exactly two arguments at 1:18:7"),
        (
            "UPDATE T SET s = set_delete(s, <<'a'>>, <<'b'>>)",
            "SET_DELETE must have exactly two arguments at 1:18:10",
        ),
        ('SELECT "" FROM T', "Path component cannot be an empty string"),
        ("DELETE FROM", _IDENTIFIER),
        ("DELETE FROM;", _IDENTIFIER),
        ("DELETE FROM WHERE pk = 'a'", _IDENTIFIER),
        ("SLECT * FROM T", NOT_WELL_FORMED + "Expected data manipulation"),
        ("UPDATE T WHERE pk = 1", NOT_WELL_FORMED + "Expected data manipulation"),
        ("SELECT * FROM T LIMIT 5", "Unsupported clause: LIMIT at 1:23:1"),
        ("SELECT a, a FROM T", "Duplicate identifiers in select clause: a"),
        ("SELECT a.z, b.z FROM T", "Duplicate identifiers in select clause: z"),
        (
            "SELECT *, a FROM T",
            "A projection is either * or a list of attributes.",
        ),
        ("INSERT INTO T VALUE {'s': <<>>}", "Empty bags are not supported"),
        (
            "INSERT INTO T VALUE {'s': <<1, 'a'>>}",
            "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags",
        ),
        (
            "INSERT INTO T VALUE {'s': <<'a', 'a'>>}",
            "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
        ),
        (
            "UPDATE T SET n = set_add(n, <<2, 2.0>>)",
            "One or more parameter values were invalid: Input collection [2, 2.0] contains duplicates! under root",
        ),
        ("INSERT INTO T VALUE {'a': 1, 'a': 2}", "The key a appears twice in one tuple, at root"),
        ("INSERT INTO T VALUE {'a': 1} RETURNING ALL OLD *", "An INSERT has nothing to return"),
        (
            "UPDATE T SET x = [?]",
            "Unsupported data type: Parameter under key root[0] at 1:19:1",
        ),
        (
            "UPDATE T SET Other = set_add(a, <<'x'>>)",
            "The first argument to SET_ADD must equal the assignment value at 1:22:7",
        ),
        (
            "UPDATE T\nSET Members = set_delete(Members, 'x')",
            "The second argument to SET_DELETE must be a value with type SET at 2:26:7",
        ),
        (
            "DELETE FROM T WHERE pk = 'x' RETURNING modified OLD *",
            (
                "Invalid returning clause: RETURNING MODIFIED OLD *. "
                "Only RETURNING ALL OLD * is allowed in DELETE statements."
            ),
        ),
        (
            f"UPDATE T SET d = {'[' * 32}1{']' * 32}",
            "Nesting Levels have exceeded supported limits under root" + "[0]" * 32,
        ),
        (
            "EXISTS(SELECT * FROM T WHERE pk = 1)",
            "EXISTS can only be used in ExecuteTransaction write requests.",
        ),
        (
            "SELECT * FROM T WHERE attribute_exists(a) > false",
            "Incorrect operand type for operator or function; operator or function: >, operand type: BOOL",
        ),
    ],
)
def test_refusals(statement: str, message: str) -> None:
    assert refusal(statement) == message


def test_every_parameter_has_its_place() -> None:
    message = "Number of parameters in request and statement don't match."
    assert refusal("SELECT * FROM T WHERE a = ?") == message
    assert refusal("SELECT * FROM T WHERE a = '?'", {"S": "x"}) == message
    bound = partiql.bind("SELECT * FROM T WHERE a = ? AND b IN [?, 1]", [{"S": "x"}, {"N": "2"}])
    assert bound.values == {":0": {"N": "1"}, ":p0": {"S": "x"}, ":p1": {"N": "2"}}
