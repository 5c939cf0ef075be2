"""Mistakes and AWS's words for them."""

from __future__ import annotations

from typing import Any

import pytest

from kvorum.model import expressions
from kvorum.model.access_path import key_attributes
from kvorum.model.errors import ApiError
from kvorum.model.table import KeyPart, KeySchema

S = {"S": "x"}
N = {"N": "1"}
WRONG = "Incorrect operand type for operator or function; "


def refusal(**given: Any) -> str:
    with pytest.raises(ApiError) as caught:
        expressions.check(**given)
    assert caught.value.code == "ValidationException"
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "token", "near"),
    [
        ("foo", "<EOF>", "foo"),
        ("a = ", "<EOF>", "= "),
        ("a = :v AND", "<EOF>", "AND"),
        ("attribute_not_exists(", "<EOF>", "("),
        ("attribute_exists()", ")", "()"),
        ("ADD #v :i", "ADD", "ADD #v"),
        ("a = = :v", "=", "= = :v"),
        ("a == :v", "=", "== :v"),
        ("(a = :v", "<EOF>", ":v"),
        ("a = :v)", ")", ":v)"),
        ("!!", "!", "!!"),
        ("a = 5", "5", "= 5"),
        ("a = 'x'", "'", "= 'x"),
        ("a AND b = :v", "AND", "a AND b"),
        ("NOT a", "<EOF>", "a"),
        ("begins_with(LSI_SK_1, G_M#)", "#", "G_M#)"),
        ("(a) AND b = :v", "AND", ") AND b"),
        ("(a = :v) = :v", "=", ") = :v"),
        ("a BETWEEN :v OR :w", "OR", ":v OR :w"),
        ("a IN :v", ":v", "IN :v"),
        ("a IN ()", ")", "()"),
        ("a.0 = :v", "0", ".0 ="),
        ("a[x] = :v", "x", "[x]"),
        ("a[01] = :v", "1", "01]"),
        ("_a = :v", "_", "_a"),
        ("   ", "<EOF>", "   "),
    ],
)
def test_syntax_of_conditions(text: str, token: str, near: str) -> None:
    message = f'Invalid ConditionExpression: Syntax error; token: "{token}", near: "{near}"'
    assert refusal(condition=text) == message


@pytest.mark.parametrize(
    ("text", "token", "near"),
    [
        ("INVALID SYNTAX HERE", "INVALID", "INVALID SYNTAX"),
        ("ADD hits : incr", ":", "hits : incr"),
        ("SET a = :v,", "<EOF>", ","),
        ("SET", "<EOF>", "SET"),
        ("SET a, #,", ",", "a, #"),
        ("REMOVE a, #,", "#", ", #,"),
        ("SET a = :v updated = :w", "updated", ":v updated ="),
        ("SET a = a + :v + :w", "+", ":v + :w"),
        ("SET Last-Update = :v", "-", "Last-Update"),
        ("DELETE a b", "b", "a b"),
    ],
)
def test_syntax_of_updates(text: str, token: str, near: str) -> None:
    assert refusal(update=text) == f'Invalid UpdateExpression: Syntax error; token: "{token}", near: "{near}"'


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"condition": ""}, "The expression can not be empty;"),
        ({"condition": "((a = :v))"}, "The expression has redundant parentheses;"),
        ({"condition": "((a)) = :v"}, "The expression has redundant parentheses;"),
        ({"condition": "NOT ((a = :v) ) !"}, 'Syntax error; token: "!", near: ") !"'),
        ({"condition": "a = a AND b > ((views))"}, "The expression has redundant parentheses;"),
        ({"condition": "a BETWEEN ((b.c)).d AND c"}, "The expression has redundant parentheses;"),
        ({"condition": "a > nothing((:b), ((c)))"}, "The expression has redundant parentheses;"),
        (
            {"condition": "a = a OR ((a = a OR (a = a OR a = a)))"},
            "The expression has redundant parentheses;",
        ),
        ({"condition": "(" * 1000 + "a = b" + ")" * 1000}, "The expression has redundant parentheses;"),
        ({"condition": "(size(a)).b > a"}, 'Syntax error; token: ".", near: ").b"'),
        ({"condition": "(size(a))[0] > a"}, 'Syntax error; token: "[", near: ")[0"'),
        ({"condition": "a BETWEEN b.(c.d) AND c"}, 'Syntax error; token: "(", near: ".(c"'),
        (
            {"condition": "a = " + "b" * 4093},
            "Expression size has exceeded the maximum allowed size; expression size: 4097",
        ),
        (
            {"condition": " AND ".join(["a=b"] * 151)},
            "The expression contains too many operators; operator count: 301",
        ),
        # the text alone
        ({"condition": "name = :v"}, "Attribute name is a reserved keyword; reserved keyword: name"),
        ({"condition": "a.Status = :v"}, "Attribute name is a reserved keyword; reserved keyword: Status"),
        ({"condition": "exists(a)"}, "Invalid function name; function: exists"),
        ({"condition": "Attribute_exists(a)"}, "Invalid function name; function: Attribute_exists"),
        (
            {"condition": "list_append(a, b)"},
            "The function is not allowed in a condition expression; function: list_append",
        ),
        (
            {"condition": "size(a)"},
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            {"condition": "a = contains(a, b)"},
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        (
            {"condition": "NOT size(a)"},
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            {"condition": "begins_with(a)"},
            "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 1",
        ),
        (
            {"condition": "a[2147483648] = :v"},
            "List index is not within the allowable range; index: [2147483648]",
        ),
        (
            {"condition": "a" + ".b" * 32 + " = :v"},
            "The document path has too many nesting levels; nesting levels: 33",
        ),
        # functions anywhere before names anywhere, whatever is undefined
        (
            {"condition": "attribute_exists(views, #a) AND nothing(a)"},
            "Invalid function name; function: nothing",
        ),
        (
            {"condition": "a = a AND attribute_exists((views), (#a)) > b"},
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            {"condition": "size(contains(a, b)) > a"},
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        (
            {"condition": "a IN (b, attribute_exists(c))"},
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            {"condition": "attribute_exists(views, #a)"},
            "Attribute name is a reserved keyword; reserved keyword: views",
        ),
        # placeholders
        (
            {"condition": "attribute_exists(#a.b, :v) AND a = a"},
            "An expression attribute name used in the document path is not defined; attribute name: #a",
        ),
        (
            {"condition": "begins_with(:v, #a, #b)"},
            "An expression attribute value used in expression is not defined; attribute value: :v",
        ),
        (
            {"condition": "size(:v) > :w", "values": {":v": N}},
            "An expression attribute value used in expression is not defined; attribute value: :w",
        ),
        (
            {"condition": "#a = :v"},
            "An expression attribute name used in the document path is not defined; attribute name: #a",
        ),
        (
            {"condition": "a = :w AND #a = :v", "values": {":v": S}},
            "An expression attribute value used in expression is not defined; attribute value: :w",
        ),
        # one comparison or function after the other
        (
            {"condition": "attribute_exists(b, a) AND a = a"},
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2",
        ),
        (
            {"condition": "begins_with(b, size(:v), a)", "values": {":v": N}},
            "Incorrect number of operands for operator or function; operator or function: begins_with, number of operands: 3",
        ),
        (
            {"condition": "a = a AND #a = b"},
            "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]",
        ),
        (
            {"condition": "attribute_type(b[1].c, b[1].c)"},
            "The first operand must be distinct from the remaining operands for this operator or function; operator: attribute_type, first operand: [b, [1], c]",
        ),
        (
            {"condition": "attribute_type(a, size(a)) AND a = a AND a = :v"},
            WRONG + "operator or function: attribute_type, operand type: N",
        ),
        (
            {"condition": "attribute_not_exists(size(:v))", "values": {":v": N}},
            WRONG + "operator or function: size, operand type: N",
        ),
        (
            {"condition": "attribute_not_exists(size(:v))", "values": {":v": S}},
            "Operator or function requires a document path; operator or function: attribute_not_exists",
        ),
        # types
        (
            {"condition": "a < :v", "values": {":v": {"BOOL": True}}},
            WRONG + "operator or function: <, operand type: BOOL",
        ),
        (
            {"condition": ":v >= a", "values": {":v": {"SS": ["x"]}}},
            WRONG + "operator or function: >=, operand type: SS",
        ),
        (
            {"condition": "begins_with(a, :v)", "values": {":v": N}},
            WRONG + "operator or function: begins_with, operand type: N",
        ),
        (
            {"condition": "begins_with(a, size(b))"},
            WRONG + "operator or function: begins_with, operand type: N",
        ),
        (
            {"condition": "size(:v) > :v", "values": {":v": N}},
            WRONG + "operator or function: size, operand type: N",
        ),
        (
            {"condition": "attribute_type(a, :v)", "values": {":v": N}},
            WRONG + "operator or function: attribute_type, operand type: N",
        ),
        (
            {"condition": "attribute_type(a, b)"},
            WRONG + "operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}",
        ),
        (
            {"condition": "attribute_type(a, :v)", "values": {":v": S}},
            "Invalid attribute type name found; type: x, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            {"condition": "attribute_exists(:v)", "values": {":v": S}},
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            {"condition": "a = a"},
            "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]",
        ),
        (
            {"condition": "contains(a.b[1], #n.b[1])", "names": {"#n": "a"}},
            (
                "The first operand must be distinct from the remaining operands for this operator or function; "
                "operator: contains, first operand: [a, b, [1]]"
            ),
        ),
        (
            {"condition": "a BETWEEN :v AND :w", "values": {":v": {"S": "b"}, ":w": {"S": "a"}}},
            (
                "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
                "lower bound operand: AttributeValue: {S:b}, upper bound operand: AttributeValue: {S:a}"
            ),
        ),
        (
            {"condition": "a BETWEEN :v AND :w", "values": {":v": {"N": "10"}, ":w": {"B": "YQ=="}}},
            (
                "The BETWEEN operator requires same data type for lower and upper bounds; "
                "lower bound operand: AttributeValue: {N:10}, "
                "upper bound operand: AttributeValue: {B:java.nio.HeapByteBuffer[pos=0 lim=1 cap=1]}"
            ),
        ),
        (
            {"condition": f"a IN ({','.join(['b'] * 101)})"},
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
        # the first of several mistakes, in the order of the text
        (
            {"condition": "begins_with(a, :n) AND b = :missing", "values": {":n": N}},
            WRONG + "operator or function: begins_with, operand type: N",
        ),
        (
            {"condition": "b = :missing AND begins_with(a, :n)", "values": {":n": N}},
            "An expression attribute value used in expression is not defined; attribute value: :missing",
        ),
        ({"condition": "name = :missing"}, "Attribute name is a reserved keyword; reserved keyword: name"),
    ],
)
def test_conditions(given: dict[str, Any], message: str) -> None:
    assert refusal(**given) == f"Invalid ConditionExpression: {message}"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"update": ""}, "The expression can not be empty;"),
        ({"update": "SET a = " + "b" * 4093}, "Expression size has exceeded the maximum allowed size;"),
        ({"update": "SET name = :v"}, "Attribute name is a reserved keyword; reserved keyword: name"),
        (
            {"update": "SET a = :v SET b = :v"},
            'The "SET" section can only be used once in an update expression;',
        ),
        (
            {"update": "remove a SET b = :v REMOVE c"},
            'The "REMOVE" section can only be used once in an update expression;',
        ),
        ({"update": "SET a = foo(a)"}, "Invalid function name; function: foo"),
        (
            {"update": "SET a = list_append(list_append(a, b), c)"},
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        (
            {"update": "SET a = if_not_exists(a, list_append(b, c))"},
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        (
            {"update": "SET a = list_append(a, b) + c"},
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        (
            {"update": "SET a = size(a)"},
            "The function is not allowed in an update expression; function: size",
        ),
        (
            {"update": "SET a = if_not_exists(a)"},
            "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1",
        ),
        (
            {"update": "SET a = if_not_exists(:v, :v)", "values": {":v": S}},
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            {"update": "SET #a = :v", "values": {":v": S}},
            "An expression attribute name used in the document path is not defined; attribute name: #a",
        ),
        (
            {"update": "SET a = :v"},
            "An expression attribute value used in expression is not defined; attribute value: :v",
        ),
        (
            {"update": "SET a = :v, a.b = :v"},
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]",
        ),
        (
            {"update": "SET a.b[0].c = :v REMOVE a.b"},
            (
                "Two document paths overlap with each other; must remove or rewrite one of these paths; "
                "path one: [a, b, [0], c], path two: [a, b]"
            ),
        ),
        (
            {"update": "SET #x = :v, a = :v", "names": {"#x": "a"}},
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
        ),
        (
            {"update": "SET a.b = :v, a[0] = :v"},
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [0]]",
        ),
        (
            {"update": "SET d[1] = a, d.b = a, c[1].a = a, c = if_not_exists(a)"},
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [c, [1], a], path two: [c]",
        ),
        (
            {"update": "SET #c[3].#d = a, #c.#d[3] = if_not_exists(a)", "names": {"#c": "c", "#d": "[3]"}},
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [c, [3], [3]], path two: [c, [3], [3]]",
        ),
        ({"update": "SET #c = foo(:c) SET c = d"}, "Invalid function name; function: foo"),
        (
            {"update": "SET #c = foo(:c) SET abOrt = a"},
            "Attribute name is a reserved keyword; reserved keyword: abOrt",
        ),
        ({"update": "SET a = ((b + c))"}, "The expression has redundant parentheses;"),
        (
            {"update": "SET a = b + :v", "values": {":v": S}},
            WRONG + "operator or function: +, operand type: S",
        ),
        (
            {"update": "SET a = :v - b", "values": {":v": {"L": []}}},
            WRONG + "operator or function: -, operand type: L",
        ),
        (
            {"update": "SET a = list_append(a, :v)", "values": {":v": {"M": {}}}},
            WRONG + "operator or function: list_append, operand type: M",
        ),
        (
            {"update": "ADD a :v", "values": {":v": S}},
            WRONG + "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            {"update": "ADD a :v", "values": {":v": {"NULL": True}}},
            WRONG + "operator: ADD, operand type: NULL, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            {"update": "DELETE a :v", "values": {":v": N}},
            WRONG + "operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
        ),
    ],
)
def test_updates(given: dict[str, Any], message: str) -> None:
    assert refusal(**given) == f"Invalid UpdateExpression: {message}"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"projection": "!!"}, 'Invalid ProjectionExpression: Syntax error; token: "!", near: "!!"'),
        ({"projection": "a,"}, 'Invalid ProjectionExpression: Syntax error; token: "<EOF>", near: ","'),
        ({"projection": "l[a]"}, 'Invalid ProjectionExpression: Syntax error; token: "a", near: "[a]"'),
        ({"projection": ""}, "Invalid ProjectionExpression: The expression can not be empty;"),
        (
            {"projection": "date"},
            "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: date",
        ),
        (
            {"projection": "a, b, a"},
            (
                "Invalid ProjectionExpression: Two document paths overlap with each other; "
                "must remove or rewrite one of these paths; path one: [a], path two: [a]"
            ),
        ),
        (
            {"projection": "#p"},
            "Invalid ProjectionExpression: An expression attribute name used in the document path is not defined; attribute name: #p",
        ),
        ({"key_condition": ""}, "Invalid KeyConditionExpression: The expression can not be empty;"),
        ({"filter": "a = = :v"}, 'Invalid FilterExpression: Syntax error; token: "=", near: "= = :v"'),
        (
            {"filter": "", "projection": "", "key_condition": ""},
            "Invalid KeyConditionExpression: The expression can not be empty;",
        ),
        (
            {"filter": "", "key_condition": "attribute_type(a, b)"},
            "Invalid KeyConditionExpression: "
            + WRONG
            + "operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}",
        ),
        (
            {"filter": "", "projection": "", "key_condition": "attribute_exists(a)"},
            "Invalid FilterExpression: The expression can not be empty;",
        ),
        (
            {"filter": "a > b", "projection": "", "key_condition": "attribute_exists(a)"},
            "Invalid ProjectionExpression: The expression can not be empty;",
        ),
        (
            {"condition": "attribute_exists(a)", "names": {"#unused": "x"}, "values": {":unused": S}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#unused}",
        ),
        (
            {"update": "SET a = :v", "condition": "a = :v", "values": {":v": S, ":w": S, ":x": S}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w, :x}",
        ),
        (
            {"key_condition": "attribute_exists(a)", "names": {"#unused": "x"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#unused}",
        ),
        # the form of key conditions
        (
            {"key_condition": "a > b and size(b) > c or a > c"},
            "Invalid operator used in KeyConditionExpression: OR",
        ),
        ({"key_condition": "a in (b, size(c), d)"}, "Invalid operator used in KeyConditionExpression: IN"),
        (
            {"key_condition": "attribute_exists(a)"},
            "Invalid operator used in KeyConditionExpression: attribute_exists",
        ),
        ({"key_condition": "contains(a.d, b)"}, "Invalid operator used in KeyConditionExpression: contains"),
        ({"key_condition": "not a > b"}, "Invalid operator used in KeyConditionExpression: NOT"),
        ({"key_condition": "a <> b"}, "Invalid operator used in KeyConditionExpression: <>"),
        (
            {"key_condition": "size(b) > a"},
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot contain nested operations",
        ),
        (
            {"key_condition": "b > a"},
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        ),
        (
            {"key_condition": "begins_with(a, b)"},
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        ),
        (
            {"key_condition": "b.d > a"},
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested attributes",
        ),
        (
            {"key_condition": ":a > :a", "values": {":a": N}},
            "Invalid condition in KeyConditionExpression: No key attribute specified",
        ),
        (
            {"key_condition": ":a between a and :a", "values": {":a": N}},
            "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand",
        ),
        (
            {"key_condition": "begins_with(:a, a)", "values": {":a": S}},
            "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand",
        ),
        (
            {"key_condition": "a = :a AND #a > :a", "names": {"#a": "a"}, "values": {":a": N}},
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        (
            {"key_condition": "pk = :p AND begins_with(sk, :v)", "values": {":p": S, ":v": N}},
            "Invalid KeyConditionExpression: " + WRONG + "operator or function: begins_with, operand type: N",
        ),
    ],
)
def test_the_other_expressions_and_what_they_share(given: dict[str, Any], message: str) -> None:
    assert refusal(**given) == message


KEYS = KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N"))


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("sk = :n", {":n": N}, "Query condition missed key schema element: pk"),
        ("pk = :s AND extra = :n", {":s": S, ":n": N}, "Query condition missed key schema element: sk"),
        ("pk > :s", {":s": S}, "Query key condition not supported"),
        (
            "pk = :s AND sk > :n AND extra = :n",
            {":s": S, ":n": N},
            "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)",
        ),
        (
            "pk = :n",
            {":n": N},
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "pk = :e",
            {":e": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        ),
    ],
)
def test_key_conditions_against_a_schema(text: str, values: dict[str, Any], message: str) -> None:
    expressions.check(key_condition=text, values=values)
    with pytest.raises(ApiError) as caught:
        expressions.key_range(text, key_attributes(KEYS), {}, values)
    assert caught.value.message == message


def test_an_update_may_not_touch_the_key() -> None:
    expressions.check_key_untouched("SET a.pk = :v", None, KEYS)
    with pytest.raises(ApiError) as caught:
        expressions.check_key_untouched("SET a = :v REMOVE #k", {"#k": "sk"}, KEYS)
    assert caught.value.message == (
        "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key"
    )


def test_the_attributes_that_an_expression_is_about() -> None:
    names = {"#k": "pk"}
    assert expressions.filtered_attributes("a = :v AND b.pk = :v OR size(#k[1]) > a", names) == [
        "a",
        "b",
        "pk",
    ]
    assert expressions.projected_attributes("b.c, #k, b.d[1]", names) == ["b", "pk"]
    written = expressions.written_types(
        "SET a = :n, b.c = :s, c = d + :n, d = list_append(d, :l), e = a ADD #k :ss REMOVE f",
        names,
        {":n": N, ":s": S, ":l": {"L": []}, ":ss": {"SS": ["x"]}},
    )
    assert list(written) == [
        ("a", "N"),
        ("c", "N"),
        ("d", "L"),
        ("e", None),
        ("pk", "SS"),
        ("f", None),
    ]


def test_the_attributes_that_paths_lead_into() -> None:
    names = {"#k": "pk"}
    assert expressions.entered_by_filter("a = b.c AND size(#k[1]) > a", names) == ["b", "pk"]
    assert expressions.entered_by_projection("a, b.c, #k[0].d", names) == ["b", "pk"]
    update = "SET a = if_not_exists(b.c, d), e[0] = a REMOVE #k.f"
    assert sorted(expressions.entered_by_update(update, names)) == ["b", "e", "pk"]


@pytest.mark.parametrize("text", ["(b.c).d = a", "(b)[0] = a", "(a) BETWEEN (b.c).d AND (c)"])
def test_a_conditions_path_may_go_on_behind_parentheses(text: str) -> None:
    expressions.check(condition=text)


@pytest.mark.parametrize("text", ["SET a = ((b.c.d)+(e))", "SET a = (b + c)", "SET a = (b) - (c)"])
def test_parentheses_in_updates(text: str) -> None:
    expressions.check(update=text)


@pytest.mark.parametrize(
    "text", ["SET a = (b.c).d + e", "SET a = (b.c)[0]", "SET a = (b + c) + d", "SET (a = b)"]
)
def test_parentheses_that_updates_do_not_have(text: str) -> None:
    assert refusal(update=text).startswith("Invalid UpdateExpression: Syntax error; token: ")
