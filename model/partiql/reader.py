"""One statement's tokens, read from the first to the last, and what every part of the grammar needs of them: names,
paths, and AWS's words for a token in the wrong place."""

from __future__ import annotations

from kvorum.model.errors import ApiError, validation
from kvorum.model.expressions.nodes import Path, Step
from kvorum.model.partiql.faults import not_well_formed
from kvorum.model.partiql.keywords import FUNCTIONS, KEYWORDS, OPERATORS
from kvorum.model.partiql.tokens import TokenKind, place_of, tokens_of

# Keeps the parser inside Python's stack; a condition of such a depth has no other use.
_DEPTH_MAX = 64


class Reader:
    """Every method raises ValidationException with AWS's text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._position = 0
        self._token = self._tokens[0]
        self._depth = 0

    # ---- names

    def _path(self) -> Path:
        steps: list[Step] = [self._name()]
        while True:
            if self._accept("."):
                if not self._at_name():
                    raise not_well_formed("Invalid path dot component")
                steps.append(self._name())
            elif self._accept("["):
                steps.append(self._index())
                self._expect("]")
            else:
                return Path(tuple(steps), symbolic=False)

    def _name(self) -> str:
        token = self._token
        if not self._at_name():
            raise self._no_term()
        if not token.text:
            raise validation("Path component cannot be an empty string")
        self._advance()
        return token.text

    def _at_name(self) -> bool:
        return self._token.kind in (TokenKind.NAME, TokenKind.QUOTED)

    def _at_call(self) -> bool:
        token = self._token
        if token.kind is not TokenKind.NAME and token.sign not in FUNCTIONS:
            return False
        return self._tokens[self._position + 1].sign == "("  # neither is ever the last token, END is

    def _index(self) -> Step:
        token = self._token
        if token.kind is TokenKind.STRING and token.text:
            self._advance()
            return token.text
        if token.kind is not TokenKind.NUMBER or not token.text.isdigit() or len(token.text) > 9:
            raise not_well_formed("Unexpected path component")
        self._advance()
        return int(token.text)

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

    def _place(self, start: int) -> str:
        """Of what was read since `start`, as messages point at it."""
        return place_of(self._text, start, self._tokens[self._position - 1].end)

    def _no_term(self) -> ApiError:
        """What is said of a token where a term should begin."""
        token = self._token
        if token.sign in OPERATORS:
            return not_well_formed("Unexpected operator")
        if token.sign in KEYWORDS:
            return not_well_formed("Unexpected keyword")
        return not_well_formed("Unexpected term")
