"""Conditions, as the nodes that expressions have. What PartiQL alone has is said with what both have: IS MISSING
with attribute_not_exists, IS and a type with attribute_type, a comparison with TRUE or FALSE with NOT or nothing.

A parenthesis may open a condition or an operand; both are read by the same methods, and whoever needs one of them
refuses the other.
"""

from __future__ import annotations

from kvorum.model.errors import validation
from kvorum.model.expressions.nodes import (
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
    Value,
)
from kvorum.model.partiql.faults import not_well_formed
from kvorum.model.partiql.operands import OperandReader
from kvorum.model.partiql.tokens import TokenKind

_COMPARATORS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OPERAND_FUNCTIONS = frozenset({"size"})

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
        "CHARACTER VARYING",
        "CLOB",
        "DATE",
        "DECIMAL",
        "DOUBLE PRECISION",
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


class ConditionReader(OperandReader):
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
        negated, name = self._type_asked_for()
        condition: Condition
        if name == "MISSING":
            return Call("attribute_exists" if negated else "attribute_not_exists", (operand,))
        if name in _UNSUPPORTED_TYPES:
            raise validation(
                f"IS asks for a type of DynamoDB, and {name} is none. The types are "
                "[MISSING, NULL, BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]"
            )
        condition = Call("attribute_type", (operand, self._bound({"S": _TYPES[name]})))
        return Not(condition) if negated else condition

    def _type_asked_for(self) -> tuple[bool, str]:
        """Over IS [NOT] type: whether NOT, and the type's name in capitals, of one word or two."""
        self._advance()
        negated = self._accept("NOT")
        name = self._word()
        self._advance()
        pair = f"{name} {self._word()}"
        if pair in _UNSUPPORTED_TYPES:
            self._advance()
            return negated, pair
        if name != "MISSING" and name not in _TYPES and name not in _UNSUPPORTED_TYPES:
            raise not_well_formed("Expected type name")
        return negated, name

    def _word(self) -> str:
        return self._token.text.upper() if self._token.kind in (TokenKind.NAME, TokenKind.SIGN) else ""


def _is_operand(found: Condition | Operand) -> bool:
    if isinstance(found, Call):
        return found.function in _OPERAND_FUNCTIONS
    return isinstance(found, Path | Value | Arithmetic)
