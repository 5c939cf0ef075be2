"""Tokens to nodes, by recursive descent: the grammars of AWS's developer guide ("Expressions").

    condition   := terms joined by OR, AND and NOT, AND before OR, NOT before both
    term        := operand comparator operand | operand BETWEEN operand AND operand
                 | operand IN (operand, …) | call | (condition)
    operand     := path | :value | call | (operand)
    path        := name, then .name or [index] steps; a condition's may go on behind (path)
    call        := function(operand, …)
    update      := SET path = value, … | REMOVE path, … | ADD path :value, … | DELETE path :value, …
    value       := operand | operand + operand | operand - operand
    projection  := path, …

A parenthesis may open a condition or an operand. Both are read by the same method, which returns what it
found; the caller refuses what does not fit. Thus one pass, no backtracking, and the reported token is the one
at which no reading of the text can go on. Redundant parentheses are reported only of a text that can be read.
"""

from __future__ import annotations

from kvorum.model.errors import ApiError
from kvorum.model.expressions.kind import ExpressionKind, invalid
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
    Projection,
    RemoveAction,
    Section,
    SetAction,
    Step,
    Update,
    Value,
)
from kvorum.model.expressions.tokens import TokenKind, tokens_of
from kvorum.model.limits import EXPRESSION_OPERATORS_MAX

_COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})

# Without redundant parentheses every level but a few needs an operator of its own, so that a deeper text holds
# some. The bound keeps the parser inside Python's stack.
_DEPTH_MAX = EXPRESSION_OPERATORS_MAX + 4


class Parser:
    """Reads one text once. Every method raises ValidationException with AWS's text."""

    def __init__(self, kind: ExpressionKind, text: str) -> None:
        self._kind = kind
        self._text = text
        self._tokens = tokens_of(text)
        self._position = 0
        self._token = self._tokens[0]
        self._operators = 0
        self._depth = 0
        self._last_group = (-1, -1)  # positions of the parentheses that closed last
        self._redundant = False

    # ---- whole texts

    def condition(self) -> Condition:
        found = self._condition_or_operand()
        if isinstance(found, Path | Value | Arithmetic):
            raise self._unexpected()
        self._end()
        return found

    def update(self) -> Update:
        sections = [self._section()]
        while self._token.kind is not TokenKind.END:
            sections.append(self._section())
        self._end()
        return Update(tuple(sections))

    def projection(self) -> Projection:
        paths = [self._path()]
        while self._accept(","):
            paths.append(self._path())
        self._end()
        return Projection(tuple(paths))

    # ---- conditions

    def _condition_or_operand(self) -> Condition | Operand:
        """An operand only where nothing joins or negates it: its caller knows whether it may stand there."""
        alternatives: list[Condition] = []
        while True:
            conjuncts: list[Condition] = []
            while True:
                negations = 0
                while self._accept("NOT"):
                    self._count_operator()
                    negations += 1
                term = self._term()
                joined = self._token.sign in ("AND", "OR")
                if isinstance(term, Path | Value | Arithmetic):
                    if negations or conjuncts or alternatives or joined:
                        raise self._unexpected()
                    return term
                for _ in range(negations):
                    term = Not(term)
                conjuncts.append(term)
                if not self._accept("AND"):
                    break
                self._count_operator()
            alternatives.append(conjuncts[0] if len(conjuncts) == 1 else And(tuple(conjuncts)))
            if not self._accept("OR"):
                break
            self._count_operator()
        return alternatives[0] if len(alternatives) == 1 else Or(tuple(alternatives))

    def _term(self) -> Condition | Operand:
        left: Condition | Operand
        if self._token.sign == "(":
            opening = self._open()
            left = self._condition_or_operand()
            self._close(opening)
            if not isinstance(left, Path | Value | Call | Arithmetic):
                return left
            left = self._rest_of_path(left)
        else:
            left = self._operand()
        sign = self._token.sign
        if sign in _COMPARATORS:
            self._operator()
            return Comparison(sign, left, self._operand())
        if sign == "BETWEEN":
            self._operator()
            lower = self._operand()
            self._expect("AND")
            return Between(left, lower, self._operand())
        if sign == "IN":
            self._operator()
            return In(left, self._list())
        return left

    # ---- updates

    def _section(self) -> Section:
        keyword = self._token.sign
        read = {
            "SET": self._set_action,
            "REMOVE": self._remove_action,
            "ADD": self._add_action,
            "DELETE": self._delete_action,
        }.get(keyword)
        if read is None:
            raise self._unexpected()
        self._advance()
        actions: list[Action] = [read()]
        while self._accept(","):
            actions.append(read())
        return Section(keyword, tuple(actions))

    def _set_action(self) -> Action:
        path = self._path()
        self._expect("=")
        return SetAction(path, self._sum())

    def _remove_action(self) -> Action:
        return RemoveAction(self._path())

    def _add_action(self) -> Action:
        return AddAction(self._path(), self._value())

    def _delete_action(self) -> Action:
        return DeleteAction(self._path(), self._value())

    def _sum(self) -> Operand:
        if self._token.sign == "(":
            opening = self._open()
            left = self._sum()
            self._close(opening)
        else:
            left = self._operand()
        sign = self._token.sign
        if sign not in ("+", "-") or isinstance(left, Arithmetic):
            return left
        self._operator()
        return Arithmetic(sign, left, self._operand())

    # ---- operands

    def _operand(self) -> Operand:
        token = self._token
        if token.kind is TokenKind.VALUE_PLACEHOLDER:
            return self._value()
        if token.sign == "(":
            opening = self._open()
            operand = self._operand()
            self._close(opening)
            return self._rest_of_path(operand)
        # A name is never the last token, END is.
        if token.kind is TokenKind.NAME and self._tokens[self._position + 1].sign == "(":
            self._operator()
            return Call(token.text, self._list())
        return self._path()

    def _list(self) -> tuple[Operand, ...]:
        opening = self._open()
        operands = [self._operand()]
        while self._accept(","):
            operands.append(self._operand())
        self._expect(")")
        self._depth -= 1
        self._last_group = (opening, -1)  # these parentheses belong to the call, and are never redundant
        return tuple(operands)

    def _value(self) -> Value:
        token = self._token
        if token.kind is not TokenKind.VALUE_PLACEHOLDER:
            raise self._unexpected()
        self._advance()
        return Value(token.text)

    def _path(self) -> Path:
        return self._path_on([self._name()])

    def _rest_of_path(self, left: Operand) -> Operand:
        """`left` was in parentheses: a condition's path goes on behind them, an update's does not."""
        if self._kind is ExpressionKind.UPDATE or not isinstance(left, Path):
            return left
        return self._path_on(list(left.steps))

    def _path_on(self, steps: list[Step]) -> Path:
        while True:
            if self._accept("."):
                steps.append(self._name())
            elif self._accept("["):
                steps.append(self._index())
                self._expect("]")
            else:
                break
        return Path(tuple(steps), any(isinstance(step, str) and step[0] == "#" for step in steps))

    def _name(self) -> str:
        token = self._token
        if token.kind is not TokenKind.NAME and token.kind is not TokenKind.NAME_PLACEHOLDER:
            raise self._unexpected()
        self._advance()
        return token.text

    def _index(self) -> int:
        token = self._token
        if token.kind is not TokenKind.INDEX:
            raise self._unexpected()
        self._advance()
        return int(token.text)

    # ---- tokens

    def _advance(self) -> None:
        self._position += 1
        self._token = self._tokens[self._position]

    def _accept(self, sign: str) -> bool:
        if self._token.sign != sign:
            return False
        self._advance()
        return True

    def _expect(self, sign: str) -> None:
        if self._token.sign != sign:
            raise self._unexpected()
        self._advance()

    def _end(self) -> None:
        if self._token.kind is not TokenKind.END:
            raise self._unexpected()
        if self._redundant:
            raise self._redundant_parentheses()

    def _operator(self) -> None:
        self._count_operator()
        self._advance()

    def _open(self) -> int:
        """Position of the opening parenthesis, which must come now."""
        opening = self._position
        self._expect("(")
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise self._redundant_parentheses()
        return opening

    def _close(self, opening: int) -> None:
        closing = self._position
        self._expect(")")
        self._depth -= 1
        self._redundant |= self._last_group == (opening + 1, closing - 1)
        self._last_group = (opening, closing)

    def _count_operator(self) -> None:
        self._operators += 1
        if self._operators > EXPRESSION_OPERATORS_MAX:
            raise self._too_many_operators()

    def _redundant_parentheses(self) -> ApiError:
        return invalid(self._kind, "The expression has redundant parentheses;")

    def _too_many_operators(self) -> ApiError:
        return invalid(
            self._kind,
            f"The expression contains too many operators; operator count: {EXPRESSION_OPERATORS_MAX + 1}",
        )

    def _unexpected(self) -> ApiError:
        """`near` is the text from the token before to the token after."""
        here = self._position
        start = self._tokens[here - 1].start if here else 0
        end = self._tokens[min(here + 1, len(self._tokens) - 1)].end
        return invalid(
            self._kind, f'Syntax error; token: "{self._token.text}", near: "{self._text[start:end]}"'
        )
