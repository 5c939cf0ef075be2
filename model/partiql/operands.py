"""Operands: paths, calls, and values. A value becomes a placeholder, a literal's bound at once, a parameter's when
the statement is executed."""

from __future__ import annotations

from kvorum.model.errors import validation
from kvorum.model.expressions.nodes import Call, Operand, Value
from kvorum.model.partiql import literals
from kvorum.model.partiql.faults import not_well_formed
from kvorum.model.partiql.nodes import parameter_placeholder
from kvorum.model.partiql.reader import Reader
from kvorum.model.partiql.tokens import TokenKind, place_of
from kvorum.model.requests import AttributeValue

_FUNCTIONS = frozenset(
    {
        "attribute_exists",
        "attribute_not_exists",
        "attribute_type",
        "begins_with",
        "contains",
        "if_not_exists",
        "list_append",
        "size",
    }
)
"""That model/expressions has. set_add and set_delete are no functions but ways to write an action."""


class OperandReader(Reader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._literals: dict[str, AttributeValue] = {}
        self._parameters = 0

    def _operand(self) -> Operand:
        token = self._token
        if self._at_call():
            return self._call()
        if self._at_name():
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

    def _call(self) -> Call:
        self._deeper()
        token = self._token
        function = token.text.lower()
        arguments = [argument for argument, _ in self._arguments()]
        if function not in _FUNCTIONS:
            place = place_of(self._text, token.start, token.end)
            raise validation(f"Unrecognized function: {function} at {place}")
        if not arguments:
            raise validation(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {function}, number of operands: 0"
            )
        self._depth -= 1
        return Call(function, tuple(arguments))

    def _arguments(self) -> list[tuple[Operand, str]]:
        """Over a function's name and what it is called with, each with its place."""
        self._advance()
        self._advance()
        arguments: list[tuple[Operand, str]] = []
        if self._accept(")"):
            return arguments
        while True:
            start = self._token.start
            arguments.append((self._operand(), self._place(start)))
            if not self._accept(","):
                break
        self._expect(")")
        return arguments

    def _parameter(self) -> Value:
        self._advance()
        value = Value(parameter_placeholder(self._parameters))
        self._parameters += 1
        return value

    def _bound(self, literal: AttributeValue) -> Value:
        name = f":{len(self._literals)}"
        self._literals[name] = literal
        return Value(name)

    # ---- literals

    def _literal(self, path: str, level: int) -> AttributeValue:
        """`path` and `level`: where it lies in the literal around it."""
        token = self._token
        if token.sign == "?":
            place = place_of(self._text, token.start, token.end)
            raise validation(f"Unsupported data type: Parameter under key {path} at {place}")
        if self._at_call():
            place = place_of(self._text, token.start, token.end)
            raise validation(f"Unsupported data type: {token.text.lower()} under key {path} at {place}")
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
            raise validation(f"The key {token.text} appears twice in one tuple, at {path}")
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
