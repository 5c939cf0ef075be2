"""Text to tokens. Every text has tokens: what DynamoDB does not accept becomes an INVALID one, so that the
grammar reports the first unexpected token whatever the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class TokenKind(Enum):
    NAME = "name"
    NAME_PLACEHOLDER = "name_placeholder"
    VALUE_PLACEHOLDER = "value_placeholder"
    INDEX = "index"
    SIGN = "sign"  # an operator, a bracket, a comma, or a keyword
    INVALID = "invalid"
    END = "end"


KEYWORDS = frozenset({"ADD", "AND", "BETWEEN", "DELETE", "IN", "NOT", "OR", "REMOVE", "SET"})
"""Recognised in any case, and in every kind of expression: none of them can be an attribute's name."""

# A placeholder is # or : and at least one letter, digit or underscore; an attribute name begins with a letter;
# an index has no leading zero. White space is what nothing matches.
_TOKEN = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<name_placeholder>\#[A-Za-z0-9_]+)"
    r"|(?P<value_placeholder>:[A-Za-z0-9_]+)"
    r"|(?P<index>0|[1-9][0-9]*)"
    r"|(?P<sign><>|<=|>=|[=<>()\[\],.+-])"
    r"|(?P<invalid>[^ \t\r\n])"
)


@dataclass(frozen=True, slots=True)
class Token:
    """`text[start:end]` of the expression. `sign`: the operator, or the keyword in capitals; "" for others."""

    kind: TokenKind
    text: str
    sign: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """All tokens in order; the last is END."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = TokenKind(match.lastgroup)
        word = match.group()
        sign = ""
        if kind is TokenKind.SIGN:
            sign = word
        elif kind is TokenKind.NAME and word.upper() in KEYWORDS:
            kind, sign = TokenKind.SIGN, word.upper()
        found.append(Token(kind, word, sign, match.start(), match.end()))
    found.append(Token(TokenKind.END, "<EOF>", "", len(text), len(text)))
    return found
