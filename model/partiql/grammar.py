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
    Arithmetic,
    DeleteAction,
    Path,
    RemoveAction,
    Section,
    SetAction,
    Value,
)
from kvorum.model.expressions.types import SET_TYPES
from kvorum.model.partiql import literals
from kvorum.model.partiql.conditions import ConditionReader
from kvorum.model.partiql.faults import LEFT_OVER, not_well_formed
from kvorum.model.partiql.nodes import Column, Delete, Insert, Order, Select, Source, Statement, Update
from kvorum.model.partiql.tokens import TokenKind, place_of
from kvorum.model.requests import ReturnValues
from kvorum.model.values import type_of

# A statement of 8 KB makes up to 800 KB of nodes and literals, an ordinary one less than 2 KB.
CACHED_STATEMENTS = 256

_SET_FUNCTIONS: dict[str, type[AddAction | DeleteAction]] = {"set_add": AddAction, "set_delete": DeleteAction}
_SECTIONS = {SetAction: "SET", RemoveAction: "REMOVE", AddAction: "ADD", DeleteAction: "DELETE"}
_UNSUPPORTED_CLAUSES = frozenset({"GROUP", "HAVING", "LIMIT", "OFFSET"})

_RETURNS = {
    ("ALL", "OLD"): ReturnValues.ALL_OLD,
    ("ALL", "NEW"): ReturnValues.ALL_NEW,
    ("MODIFIED", "OLD"): ReturnValues.UPDATED_OLD,
    ("MODIFIED", "NEW"): ReturnValues.UPDATED_NEW,
}


@lru_cache(CACHED_STATEMENTS)
def parse(text: str) -> Statement:
    """Raises ValidationException in AWS's words."""
    return _StatementReader(text).statement()


class _StatementReader(ConditionReader):
    """Reads one statement once."""

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
                raise self._no_statement()
        self._accept(";")
        if self._token.kind is not TokenKind.END:
            raise not_well_formed(LEFT_OVER)
        return Statement(body, self._literals, self._parameters)

    # ---- statements

    def _no_statement(self) -> ApiError:
        if self._at_end():
            return self._no_term()
        if self._at_name() and self._tokens[self._position + 1].sign == "IS":
            self._advance()
            self._type_asked_for()
            if self._at_end():
                return validation("Unsupported operation: IsType")
        return not_well_formed("Expected data manipulation")

    def _select(self) -> Select:
        self._advance()
        if self._token.sign == "DISTINCT":
            raise validation("Unsupported clause: DISTINCT")
        columns, call = self._columns()
        if not self._accept("FROM"):
            raise self._no_term() if self._at_end() else not_well_formed(LEFT_OVER)
        if not self._at_name():
            raise self._no_term()
        source = self._source()
        self._refuse_alias()
        condition = self._where()
        order = self._order()
        if self._token.sign in _UNSUPPORTED_CLAUSES:
            raise self._unsupported_clause()
        return Select(source, columns, condition, order, call)

    def _columns(self) -> tuple[tuple[Column, ...] | None, str | None]:
        """As Select has them, and its call."""
        if self._accept("*"):
            if self._token.sign == ",":
                raise _star_and_others()
            return None, None
        columns: list[Column] = []
        call: str | None = None
        while True:
            if not self._at_call():
                columns.append(self._column())
            else:
                call = call or place_of(self._text, self._token.start, self._token.end)
                self._skip_call()
            if not self._accept(","):
                break
        seen: set[str] = set()
        for column in columns:
            if column.name in seen:
                raise validation(f"Duplicate identifiers in select clause: {column.name}")
            seen.add(column.name)
        return tuple(columns), call

    def _skip_call(self) -> None:
        self._advance()
        open_parentheses = 0
        while True:
            open_parentheses += (self._token.sign == "(") - (self._token.sign == ")")
            if self._token.kind is TokenKind.END:
                raise self._no_term()
            self._advance()
            if not open_parentheses:
                return

    def _column(self) -> Column:
        token = self._token
        if token.sign == "*":
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
        descending = self._token.sign == "DESC"
        if self._token.sign in ("ASC", "DESC"):
            self._advance()
        return Order(attribute, descending)

    def _insert(self) -> Insert:
        self._advance()
        if not self._accept("INTO"):
            raise not_well_formed("Expected data manipulation")
        source = self._simple_source()
        if source.index is not None:
            raise validation("FROM clause may only contain a single table name")
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
            raise validation("An INSERT has nothing to return")
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
        if self._at_call():
            made = _SET_FUNCTIONS.get(self._token.text.lower())
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
        arguments = self._arguments()
        place = place_of(self._text, function.start, function.end)
        if len(arguments) != 2:
            raise validation(f"{name} must have exactly two arguments at {place}")
        (target, target_place), (value, _) = arguments
        if target != path:
            raise validation(f"The first argument to {name} must equal the assignment value at {place}")
        given = self._literals.get(value.name) if isinstance(value, Value) else {"": None}
        if not isinstance(value, Value) or (given is not None and type_of(given) not in SET_TYPES):
            raise validation(f"The second argument to {name} must be a value with type SET at {target_place}")
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
        if not self._at_name():
            raise not_well_formed("Expected identifier for simple path")
        return self._source()

    def _source(self) -> Source:
        table = self._name()
        index = self._name() if self._accept(".") else None
        if self._token.sign == ".":
            raise validation("A path may contain at most 2 components in the FROM clause")
        if self._token.sign == "[":
            raise validation("Unexpected path component")
        return Source(table, index)

    def _refuse_alias(self) -> None:
        if self._token.sign == "AS" or self._at_name():
            raise validation("Aliasing is not supported")

    def _unsupported_clause(self) -> ApiError:
        """AWS points at what the clause is given."""
        clause = self._token.sign
        self._advance()
        if self._token.kind is TokenKind.END:
            return self._no_term()
        place = place_of(self._text, self._token.start, self._token.end)
        return validation(f"Unsupported clause: {clause} at {place}")


def _star_and_others() -> ApiError:
    return validation("A projection is either * or a list of attributes.")
