"""A statement to its tokens. What has none (a stray sign, a string or a comment without an end) is refused here,
before anyone looks at the grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from kvorum.model.partiql.faults import not_well_formed
from kvorum.model.partiql.keywords import KEYWORDS


class TokenKind(Enum):
    NAME = "name"
    QUOTED = "quoted"
    STRING = "string"
    NUMBER = "number"
    SIGN = "sign"  # an operator, a bracket, a comma, the parameter's ?, or a keyword
    END = "end"


_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n\f\v]+|--[^\n]*|/\*.*?\*/)"
    r"|(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)"
    r'|(?P<quoted>"(?:[^"]|"")*")'
    r"|(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<sign><<|>>|<>|<=|>=|!=|[=<>()\[\]{},.:;?*+-])",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`text`: a name or a string without its quotes, anything else as it is written. `sign`: the operator, or the
    keyword in capitals; "" for others. `start` and `end`: where it stands in the statement, quotes included."""

    kind: TokenKind
    text: str
    sign: str
    start: int
    end: int


def tokens_of(statement: str) -> list[Token]:
    """All tokens in order; the last is END."""
    found: list[Token] = []
    position = 0
    while position < len(statement):
        match = _TOKEN.match(statement, position)
        if match is None:
            raise not_well_formed()
        if match.lastgroup != "space":
            found.append(_token(match))
        position = match.end()
    found.append(Token(TokenKind.END, "", "", position, position))
    return found


def _token(match: re.Match[str]) -> Token:
    kind = TokenKind(match.lastgroup)
    text = match.group()
    sign = ""
    if kind is TokenKind.SIGN:
        sign = text
    elif kind is TokenKind.NAME and text.upper() in KEYWORDS:
        kind, sign = TokenKind.SIGN, text.upper()
    elif kind is TokenKind.QUOTED or kind is TokenKind.STRING:
        quote = text[0]
        text = text[1:-1].replace(quote * 2, quote)
    return Token(kind, text, sign, match.start(), match.end())


def place_of(statement: str, start: int, end: int) -> str:
    """line:column:length as AWS's messages point at a part of a statement; lines and columns count from 1."""
    line = statement.count("\n", 0, start) + 1
    column = start - statement.rfind("\n", 0, start)
    return f"{line}:{column}:{end - start}"
