"""Tokens to nodes, by recursive descent: the statements of AWS's developer guide ("PartiQL statements for
DynamoDB").

    statement   := select | insert | update | delete, then an optional ;
    select      := SELECT (* | path, …) FROM source [WHERE condition] [ORDER BY name [ASC | DESC], …]
    insert      := INSERT INTO source VALUE (tuple | ?)
    update      := UPDATE source change… [WHERE condition] [returning]
                 | FROM source [WHERE condition] change… [returning]
    change      := SET path = value, … | REMOVE path, …
    delete      := DELETE FROM source [WHERE condition] [returning]
    returning   := RETURNING (ALL | MODIFIED) (OLD | NEW) *
    source      := name [. name]
    condition   := terms joined by OR, AND and NOT, AND before OR, NOT before both
    term        := operand comparator operand | operand [NOT] BETWEEN operand AND operand
                 | operand [NOT] IN [operand, …] | path IS [NOT] type | call | (condition) [= TRUE | FALSE]
    operand     := path | literal | ? | function(operand, …) | (operand)
    value       := operand | operand + operand | operand - operand
    path        := name, then .name or [index] steps
    literal     := string | [sign] number | TRUE | FALSE | NULL | [value, …] | {string: value, …} | <<value, …>>

Names are as they are written, in double quotes or not; only keywords need the quotes.
"""

from __future__ import annotations

from functools import lru_cache

from kvorum.model.errors import ApiError, validation
from kvorum.model.expressions import nodes as expressions
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
    Not,
    Operand,
    Or,
    Path,
    RemoveAction,
    Section,
    SetAction,
    Step,
    Value,
)
from kvorum.model.expressions.types import SET_TYPES
from kvorum.model.partiql import literals
from kvorum.model.partiql.faults import LEFT_OVER, not_well_formed
from kvorum.model.partiql.nodes import (
    Column,
    Delete,
    Insert,
    Order,
    Select,
    Source,
    Statement,
    Update,
    parameter_placeholder,
)
from kvorum.model.partiql.tokens import KEYWORDS, OPERATORS, Token, TokenKind, place_of, tokens_of
from kvorum.model.requests import AttributeValue, ReturnValues
from kvorum.model.values import type_of

# A statement of 8 KB makes about 200 KB of nodes, an ordinary one 3 KB.
CACHED_STATEMENTS = 512

# Keeps the parser inside Python's stack; a condition of such a depth has no other use.
_DEPTH_MAX = 64

_COMPARATORS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OPERAND_FUNCTIONS = frozenset({"size"})
_SET_FUNCTIONS: dict[str, type[AddAction | DeleteAction]] = {"set_add": AddAction, "set_delete": DeleteAction}
_SECTIONS = {SetAction: "SET", RemoveAction: "REMOVE", AddAction: "ADD", DeleteAction: "DELETE"}
_UNSUPPORTED_CLAUSES = frozenset({"GROUP", "HAVING", "LIMIT", "OFFSET"})

_TYPES = {
    "NULL": "NULL",
    "BOOLEAN": "BOOL",
    "BOOL": "BOOL",
    "BLOB": "B",
    "STRING": "S",
    "NUMERIC": "N",
    "STRUCT": "M",
    "TUPLE": "M",
    "LIST": "L",
}
"""What IS can ask for, as attribute_type's names; MISSING is no type."""

_UNSUPPORTED_TYPES = frozenset(
    {
        "ANY",
        "BAG",
        "CHAR",
        "CHARACTER",
        "CLOB",
        "DATE",
        "DECIMAL",
        "DOUBLE",
        "FLOAT",
        "INT",
        "INT2",
        "INT4",
        "INT8",
        "INTEGER",
        "INTEGER2",
        "INTEGER4",
        "INTEGER8",
        "REAL",
        "SEXP",
        "SMALLINT",
        "SYMBOL",
        "TIME",
        "TIMESTAMP",
        "VARCHAR",
    }
)
"""Types of PartiQL that DynamoDB has no values of."""

_RETURNS = {
    ("ALL", "OLD"): ReturnValues.ALL_OLD,
    ("ALL", "NEW"): ReturnValues.ALL_NEW,
    ("MODIFIED", "OLD"): ReturnValues.UPDATED_OLD,
    ("MODIFIED", "NEW"): ReturnValues.UPDATED_NEW,
}


@lru_cache(CACHED_STATEMENTS)
def parse(text: str) -> Statement:
    """Raises ValidationException in AWS's words."""
    return _Parser(text).statement()


class _Parser:
    """Reads one statement once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._position = 0
        self._token = self._tokens[0]
        self._depth = 0
        self._literals: dict[str, AttributeValue] = {}
        self._parameters = 0

    def statement(self) -> Statement:
        body: Select | Insert | Update | Delete
        match self._token.sign:
            case "SELECT":
                body = self._select()
            case "INSERT":
                body = self._insert()
            case "UPDATE":
                body = self._update()
            case "FROM":
                body = self._update_from()
            case "DELETE":
                body = self._delete()
            case "EXISTS":
                raise validation("EXISTS can only be used in ExecuteTransaction write requests.")
            case _:
                raise not_well_formed("Unexpected term" if self._at_end() else "Expected data manipulation")
        self._accept(";")
        if self._token.kind is not TokenKind.END:
            raise not_well_formed(LEFT_OVER)
        return Statement(body, self._literals, self._parameters)

    # ---- statements

    def _select(self) -> Select:
        self._advance()
        if self._token.sign == "DISTINCT":
            raise validation("Unsupported clause: DISTINCT")
        columns = self._columns()
        if not self._accept("FROM"):
            raise self._no_term() if self._at_end() else not_well_formed(LEFT_OVER)
        if self._token.kind not in (TokenKind.NAME, TokenKind.QUOTED):
            raise self._no_term()
        source = self._source()
        self._refuse_alias()
        condition = self._where()
        order = self._order()
        if self._token.sign in _UNSUPPORTED_CLAUSES:
            raise self._unsupported_clause()
        return Select(source, columns, condition, order)

    def _columns(self) -> tuple[Column, ...] | None:
        if self._accept("*"):
            if self._token.sign == ",":
                raise _star_and_others()
            return None
        columns = [self._column()]
        while self._accept(","):
            columns.append(self._column())
        seen: set[str] = set()
        for column in columns:
            if column.name in seen:
                raise validation(f"Duplicate identifiers in select clause: {column.name}")
            seen.add(column.name)
        return tuple(columns)

    def _column(self) -> Column:
        if self._token.sign == "*":
            raise _star_and_others()
        steps = self._path().steps
        last = max(place for place, step in enumerate(steps) if isinstance(step, str))
        name = f"{steps[last]}{''.join(f'[{index}]' for index in steps[last + 1 :])}"
        if self._token.sign not in (",", "FROM") and not self._at_end():
            self._refuse_alias()
        return Column(name, steps)

    def _order(self) -> tuple[Order, ...]:
        if not self._accept("ORDER"):
            return ()
        if not self._accept("BY"):
            raise not_well_formed("Expected BY")
        terms = [self._order_term()]
        while self._accept(","):
            terms.append(self._order_term())
        return tuple(terms)

    def _order_term(self) -> Order:
        attribute = self._name()
        word = self._token.text.upper() if self._token.kind is TokenKind.NAME else ""
        if word in ("ASC", "DESC"):
            self._advance()
        return Order(attribute, word == "DESC")

    def _insert(self) -> Insert:
        self._advance()
        if not self._accept("INTO"):
            raise not_well_formed("Expected data manipulation")
        source = self._simple_source()
        if not self._accept("VALUE"):
            raise self._no_term() if self._at_end() else not_well_formed(LEFT_OVER)
        item: dict[str, str] | str
        if self._token.sign == "?":
            item = self._parameter().name
        elif self._token.sign == "{":
            item = self._item()
        else:
            raise self._no_term()
        if self._accept("RETURNING"):
            raise validation("RETURNING is not supported in INSERT")
        return Insert(source, item)

    def _item(self) -> dict[str, str]:
        self._advance()
        item: dict[str, str] = {}
        if self._accept("}"):
            return item
        while True:
            name = self._member_name(item, literals.ROOT)
            if self._token.sign == "?":
                item[name] = self._parameter().name
            else:
                item[name] = self._bound(self._literal(literals.ROOT, 1)).name
            if not self._accept(","):
                break
        self._expect("}")
        return item

    def _update(self) -> Update:
        self._advance()
        source = self._simple_source()
        if self._token.sign not in ("SET", "REMOVE"):
            self._refuse_alias()
        changes = self._changes()
        condition = self._where()
        return Update(source, changes, condition, self._returning())

    def _update_from(self) -> Update:
        self._advance()
        source = self._simple_source()
        self._refuse_alias()
        condition = self._where()
        changes = self._changes()
        return Update(source, changes, condition, self._returning())

    def _changes(self) -> expressions.Update:
        actions: dict[str, list[Action]] = {}
        while True:
            if self._accept("SET"):
                read = self._set_action
            elif self._accept("REMOVE"):
                read = self._remove_action
            else:
                break
            self._add(actions, read())
            while self._accept(","):
                self._add(actions, read())
        if not actions:
            raise not_well_formed("Expected data manipulation")
        return expressions.Update(tuple(Section(keyword, tuple(each)) for keyword, each in actions.items()))

    @staticmethod
    def _add(actions: dict[str, list[Action]], action: Action) -> None:
        actions.setdefault(_SECTIONS[type(action)], []).append(action)

    def _set_action(self) -> Action:
        path = self._path()
        self._expect("=")
        function = self._token
        if function.kind is TokenKind.NAME and self._opens_call():
            made = _SET_FUNCTIONS.get(function.text.lower())
            if made is not None:
                return self._set_change(made, path)
        value = self._operand()
        if self._token.sign in ("+", "-"):
            operator = self._token.sign
            self._infix()
            value = Arithmetic(operator, value, self._operand())
        return SetAction(path, value)

    def _set_change(self, made: type[AddAction | DeleteAction], path: Path) -> Action:
        """path = set_add(path, set), or set_delete."""
        function = self._token
        name = function.text.upper()
        self._advance()
        self._advance()
        first = self._token
        if first.kind not in (TokenKind.NAME, TokenKind.QUOTED) or self._path() != path:
            place = place_of(self._text, function.start, function.end)
            raise validation(f"The first argument to {name} must equal the assignment value at {place}")
        end = self._tokens[self._position - 1].end
        self._expect(",")
        value = self._operand()
        self._expect(")")
        given = self._literals.get(value.name) if isinstance(value, Value) else {"": None}
        if not isinstance(value, Value) or (given is not None and type_of(given) not in SET_TYPES):
            place = place_of(self._text, first.start, end)
            raise validation(f"The second argument to {name} must be a value with type SET at {place}")
        return made(path, value)

    def _remove_action(self) -> Action:
        return RemoveAction(self._path())

    def _delete(self) -> Delete:
        self._advance()
        if not self._accept("FROM"):
            raise not_well_formed("Expected data manipulation")
        source = self._simple_source()
        self._refuse_alias()
        condition = self._where()
        before = self._position
        returns = self._returning()
        if returns not in (ReturnValues.NONE, ReturnValues.ALL_OLD):
            words = " ".join(token.text.upper() for token in self._tokens[before : self._position - 1])
            raise validation(
                f"Invalid returning clause: {words} *. "
                "Only RETURNING ALL OLD * is allowed in DELETE statements."
            )
        return Delete(source, condition, returns)

    def _returning(self) -> ReturnValues:
        if not self._accept("RETURNING"):
            return ReturnValues.NONE
        words: list[str] = []
        for _ in range(2):
            words.append(self._token.text.upper())
            self._advance()
        returns = _RETURNS.get((words[0], words[1]))
        if returns is None:
            raise not_well_formed("Expected ALL OLD, ALL NEW, MODIFIED OLD or MODIFIED NEW")
        self._expect("*")
        return returns

    # ---- sources

    def _simple_source(self) -> Source:
        if self._token.kind not in (TokenKind.NAME, TokenKind.QUOTED):
            raise not_well_formed("Expected identifier for simple path")
        return self._source()

    def _source(self) -> Source:
        table = self._name()
        index = self._name() if self._accept(".") else None
        if self._token.sign in (".", "["):
            raise validation("Unexpected path component")
        return Source(table, index)

    def _refuse_alias(self) -> None:
        if self._token.sign == "AS" or self._token.kind in (TokenKind.NAME, TokenKind.QUOTED):
            raise validation("Aliasing is not supported")

    def _unsupported_clause(self) -> ApiError:
        """AWS points at what the clause is given."""
        clause = self._token.sign
        self._advance()
        if self._token.kind is TokenKind.END:
            return self._no_term()
        place = place_of(self._text, self._token.start, self._token.end)
        return validation(f"Unsupported clause: {clause} at {place}")

    # ---- conditions

    def _where(self) -> Condition | None:
        return self._condition() if self._accept("WHERE") else None

    def _condition(self) -> Condition:
        found = self._disjunction()
        if _is_operand(found):
            raise self._no_term()
        return found  # type: ignore[return-value]

    def _disjunction(self) -> Condition | Operand:
        self._deeper()
        alternatives = [self._conjunction()]
        while self._token.sign == "OR":
            self._infix()
            alternatives.append(self._conjunction())
        self._depth -= 1
        return alternatives[0] if len(alternatives) == 1 else Or(self._all_conditions(alternatives))

    def _conjunction(self) -> Condition | Operand:
        conditions = [self._negation()]
        while self._token.sign == "AND":
            self._infix()
            conditions.append(self._negation())
        return conditions[0] if len(conditions) == 1 else And(self._all_conditions(conditions))

    def _negation(self) -> Condition | Operand:
        negated = False
        some = False
        while self._accept("NOT"):
            negated, some = not negated, True
        term = self._term()
        if not some:
            return term
        (condition,) = self._all_conditions([term])
        return Not(condition) if negated else condition

    def _all_conditions(self, found: list[Condition | Operand]) -> tuple[Condition, ...]:
        if any(_is_operand(each) for each in found):
            raise self._no_term()
        return tuple(found)  # type: ignore[arg-type]

    def _term(self) -> Condition | Operand:
        if self._token.sign == "(":
            self._advance()
            left = self._disjunction()
            self._expect(")")
        else:
            left = self._operand()
        if not _is_operand(left):
            return self._compared_with_boolean(left)  # type: ignore[arg-type]
        operand: Operand = left  # type: ignore[assignment]
        sign = self._token.sign
        if sign in _COMPARATORS:
            self._infix()
            return Comparison(_COMPARATORS[sign], operand, self._operand())
        if sign == "IS":
            return self._type_test(operand)
        negated = sign == "NOT" and self._tokens[self._position + 1].sign in ("BETWEEN", "IN", "LIKE")
        if negated:
            self._advance()
        condition = self._between_or_in(operand)
        if condition is None:
            return operand
        return Not(condition) if negated else condition

    def _between_or_in(self, operand: Operand) -> Condition | None:
        match self._token.sign:
            case "BETWEEN":
                self._infix()
                lower = self._operand()
                self._expect("AND")
                return Between(operand, lower, self._operand())
            case "IN":
                self._infix()
                return In(operand, self._choices())
            case "LIKE":
                self._infix()
                raise validation("Unsupported operation: Like")
            case _:
                return None

    def _compared_with_boolean(self, condition: Condition) -> Condition:
        """A condition is a boolean, and may be compared with one."""
        sign = _COMPARATORS.get(self._token.sign)
        if sign is None:
            return condition
        self._infix()
        wanted = self._token.sign
        if sign not in ("=", "<>") or wanted not in ("TRUE", "FALSE"):
            raise validation(
                "Incorrect operand type for operator or function; "
                f"operator or function: {sign}, operand type: BOOL"
            )
        self._advance()
        return condition if (sign == "=") == (wanted == "TRUE") else Not(condition)

    def _choices(self) -> tuple[Operand, ...]:
        closing = {"[": "]", "(": ")", "<<": ">>"}.get(self._token.sign)
        if closing is None:
            raise self._no_term()
        self._advance()
        choices = [self._operand()]
        while self._accept(","):
            choices.append(self._operand())
        self._expect(closing)
        return tuple(choices)

    def _type_test(self, operand: Operand) -> Condition:
        self._advance()
        negated = self._accept("NOT")
        word = self._token.text.upper() if self._token.kind in (TokenKind.NAME, TokenKind.SIGN) else ""
        condition: Condition
        if word == "MISSING":
            function = "attribute_exists" if negated else "attribute_not_exists"
            self._advance()
            return Call(function, (operand,))
        if word in _TYPES:
            self._advance()
            condition = Call("attribute_type", (operand, self._bound({"S": _TYPES[word]})))
            return Not(condition) if negated else condition
        if word in _UNSUPPORTED_TYPES:
            raise validation(
                f"Unsupported data type for IS operator: {word}. Supported data types are "
                "[MISSING, NULL, BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]"
            )
        raise not_well_formed("Expected type name")

    # ---- operands

    def _operand(self) -> Operand:
        token = self._token
        if token.kind is TokenKind.NAME and self._opens_call():
            return self._call()
        if token.kind in (TokenKind.NAME, TokenKind.QUOTED):
            return self._path()
        if token.sign == "?":
            return self._parameter()
        if token.sign == "(":
            self._deeper()
            self._advance()
            operand = self._operand()
            self._expect(")")
            self._depth -= 1
            return operand
        return self._bound(self._literal(literals.ROOT, 1))

    def _opens_call(self) -> bool:
        return self._tokens[self._position + 1].sign == "("  # a name is never the last token, END is

    def _call(self) -> Call:
        self._deeper()
        function = self._token.text.lower()
        self._advance()
        self._advance()
        arguments: list[Operand] = []
        if not self._accept(")"):
            arguments.append(self._operand())
            while self._accept(","):
                arguments.append(self._operand())
            self._expect(")")
        if not arguments:
            raise validation(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {function}, number of operands: 0"
            )
        self._depth -= 1
        return Call(function, tuple(arguments))

    def _parameter(self) -> Value:
        self._advance()
        value = Value(parameter_placeholder(self._parameters))
        self._parameters += 1
        return value

    def _bound(self, literal: AttributeValue) -> Value:
        name = f":{len(self._literals)}"
        self._literals[name] = literal
        return Value(name)

    def _path(self) -> Path:
        steps: list[Step] = [self._name()]
        while True:
            if self._accept("."):
                steps.append(self._name())
            elif self._accept("["):
                steps.append(self._index())
                self._expect("]")
            else:
                return Path(tuple(steps), symbolic=False)

    def _name(self) -> str:
        token = self._token
        if token.kind not in (TokenKind.NAME, TokenKind.QUOTED):
            raise self._no_term()
        if not token.text:
            raise validation("Path component cannot be empty")
        self._advance()
        return token.text

    def _index(self) -> Step:
        token = self._token
        if token.kind is TokenKind.STRING and token.text:
            self._advance()
            return token.text
        if token.kind is not TokenKind.NUMBER or not token.text.isdigit() or len(token.text) > 9:
            raise not_well_formed("Unexpected path component")
        self._advance()
        return int(token.text)

    # ---- literals

    def _literal(self, path: str, level: int) -> AttributeValue:
        """`path` and `level`: where it lies in the literal around it."""
        token = self._token
        if token.sign == "?":
            place = place_of(self._text, token.start, token.end)
            raise validation(f"Unsupported data type: Parameter under key {path} at {place}")
        literals.check_level(level, path)
        if token.kind is TokenKind.STRING:
            self._advance()
            return {"S": token.text}
        if token.kind is TokenKind.NUMBER or token.sign in ("+", "-"):
            return self._number(path)
        match token.sign:
            case "TRUE" | "FALSE":
                self._advance()
                return {"BOOL": token.sign == "TRUE"}
            case "NULL":
                self._advance()
                return {"NULL": True}
            case "[":
                return {"L": self._elements("]", path, level)}
            case "{":
                return {"M": self._members(path, level)}
            case "<<":
                return self._bag(path, level)
            case _:
                raise self._no_term()

    def _number(self, path: str) -> AttributeValue:
        negative = False
        while self._token.sign in ("+", "-"):
            negative ^= self._token.sign == "-"
            self._advance()
        token = self._token
        if token.kind is not TokenKind.NUMBER:
            raise self._no_term()
        self._advance()
        return literals.number(f"-{token.text}" if negative else token.text, path)

    def _elements(self, closing: str, path: str, level: int) -> list[AttributeValue]:
        self._advance()
        elements: list[AttributeValue] = []
        if self._accept(closing):
            return elements
        while True:
            elements.append(self._literal(f"{path}[{len(elements)}]", level + 1))
            if not self._accept(","):
                break
        self._expect(closing)
        return elements

    def _members(self, path: str, level: int) -> dict[str, AttributeValue]:
        self._advance()
        members: dict[str, AttributeValue] = {}
        if self._accept("}"):
            return members
        while True:
            name = self._member_name(members, path)
            members[name] = self._literal(f"{path}.{name}", level + 1)
            if not self._accept(","):
                break
        self._expect("}")
        return members

    def _member_name(self, members: dict[str, AttributeValue] | dict[str, str], path: str) -> str:
        token = self._token
        if token.kind is not TokenKind.STRING:
            raise not_well_formed("Unexpected term")
        if token.text in members:
            raise validation(f"Duplicate keys in tuple. Key: {token.text} under {path}")
        self._advance()
        self._expect(":")
        return token.text

    def _bag(self, path: str, level: int) -> AttributeValue:
        self._advance()
        members: list[tuple[AttributeValue, str]] = []
        if not self._accept(">>"):
            while True:
                members.append(self._bag_member(path, level))
                if not self._accept(","):
                    break
            self._expect(">>")
        return literals.bag(members, path)

    def _bag_member(self, path: str, level: int) -> tuple[AttributeValue, str]:
        if self._token.sign == "?":
            raise literals.unsupported_in_bag()
        start = self._token.start
        member = self._literal(path, level + 1)
        return member, self._text[start : self._tokens[self._position - 1].end]

    # ---- tokens

    def _at_end(self) -> bool:
        return self._token.kind is TokenKind.END or self._token.sign == ";"

    def _advance(self) -> None:
        if self._token.kind is not TokenKind.END:
            self._position += 1
            self._token = self._tokens[self._position]

    def _accept(self, sign: str) -> bool:
        if self._token.sign != sign:
            return False
        self._advance()
        return True

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise not_well_formed(f"Expected {sign}")

    def _infix(self) -> None:
        """Over an operator that needs something on its right."""
        self._advance()
        if self._at_end():
            raise not_well_formed("Missing right-hand side expression of infix operator")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise not_well_formed("Too many nested expressions")

    def _no_term(self) -> ApiError:
        """What is said of a token where a term should begin."""
        token: Token = self._token
        if token.sign in OPERATORS:
            return not_well_formed("Unexpected operator")
        if token.sign in KEYWORDS:
            return not_well_formed("Unexpected keyword")
        return not_well_formed("Unexpected term")


def _is_operand(found: Condition | Operand) -> bool:
    if isinstance(found, Call):
        return found.function in _OPERAND_FUNCTIONS
    return isinstance(found, Path | Value | Arithmetic)


def _star_and_others() -> ApiError:
    return validation("Other attributes should not be present in the projection when '*' is used.")
