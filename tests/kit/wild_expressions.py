"""Texts of expressions and PartiQL statements as dice write them: by the grammar, and now and then a token off it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

ATTRIBUTES = ("a", "b", "c", "pk", "sk", "gpk", "gsk", "lsk")
_PLACES = (*ATTRIBUTES, "#a", "#b", "#c", "a.b", "a[0]", "b.#a[1].c", "c[0][0]")
_ODD_PLACES = (
    "name",
    "SIZE",
    "_a",
    "a.b.c.d.e.f.g",
    "a[99999999999999999999]",
    "#",
    "#a.#a",
    "a..b",
    "a[-1]",
    "é",
    "`a`",
)
_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
_ODD_TOKENS = (
    *(
        "(",
        ")",
        "((",
        ",",
        ".",
        "[",
        "]",
        "=",
        "AND",
        "OR",
        "NOT",
        "IN",
        "BETWEEN",
        "SET",
        "+",
        "-",
        "<",
        "#",
        ":",
    ),
    *(
        "'",
        '"',
        "\\",
        "\x00",
        "\t\n",
        "é",
        "💥",
        "\u202e",
        "１",
        "1",
        "-1",
        "size",
        "attribute_type",
        "''''",
        "/*",
        "--",
    ),
)
_REPEATED_MAX = 20
"""Longer tokens are not repeated often, so that no request outgrows what a server takes."""
_TOKEN = re.compile(r"""[#:]?\w+|<>|<=|>=|\s+|.""", re.DOTALL)


class Dice:
    """Draws whole numbers; 0 is the plainest, so that a failing example shrinks to plain things."""

    def __init__(self, below: Callable[[int], int]) -> None:
        """`below(n)`: one of 0…n-1."""
        self.below = below

    def one_in(self, count: int) -> bool:
        return self.below(count) == count - 1

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def some(self, least: int, most: int) -> range:
        return range(least + self.below(most - least + 1))


class Expressions:
    """Writes expressions. `values`: the placeholders that it may use for values; it writes `#a`, `#b`, `#c` for names."""

    def __init__(self, dice: Dice, values: Sequence[str] = (":v", ":w", ":s", ":n")) -> None:
        self._dice = dice
        self._values = values

    def path(self) -> str:
        return self._dice.pick(_ODD_PLACES if self._dice.one_in(40) else _PLACES)

    def value(self) -> str:
        return self._dice.pick(self._values)

    def operand(self) -> str:
        match self._dice.below(6):
            case 0 | 1 | 2:
                return self.value()
            case 3 | 4:
                return self.path()
            case _:
                return f"size({self.path()})"

    def condition(self, depth: int = 3) -> str:
        match self._dice.below(12 if depth else 7):
            case 0 | 1:
                return f"{self.operand()} {self._dice.pick(_COMPARATORS)} {self.operand()}"
            case 2:
                return f"{self.operand()} BETWEEN {self.operand()} AND {self.operand()}"
            case 3:
                return f"{self.operand()} IN ({', '.join(self.operand() for _ in self._dice.some(1, 4))})"
            case 4:
                return f"{self._dice.pick(('attribute_exists', 'attribute_not_exists'))}({self.path()})"
            case 5:
                name = self._dice.pick(("begins_with", "contains", "attribute_type"))
                return f"{name}({self.path()}, {self.operand()})"
            case 6:
                return f"contains({self.operand()}, {self.operand()})"
            case 7:
                return f"NOT {self.condition(depth - 1)}"
            case 8:
                return f"({self.condition(depth - 1)})"
            case 9 | 10:
                return f"{self.condition(depth - 1)} AND {self.condition(depth - 1)}"
            case _:
                return f"({self.condition(depth - 1)}) or {self.condition(depth - 1)}"

    def key_condition(self, partition: str, sort: str) -> str:
        """Of a table or an index with those keys; `:s` and `:n` stand for a string and a number."""
        dice = self._dice
        wanted = {"S": ":s", "N": ":n"}["N" if sort in ("sk", "gsk") else "S"]
        first = f"{partition} = {':s' if not dice.one_in(12) else self.value()}"
        other = wanted if not dice.one_in(8) else self.value()
        match dice.below(8):
            case 0 | 1 | 2:
                return first
            case 3 | 4:
                return f"{first} AND {sort} {dice.pick(_COMPARATORS)} {other}"
            case 5:
                return f"{sort} BETWEEN {other} AND {wanted} AND {first}"
            case 6:
                return f"({first}) AND begins_with({sort}, {other})"
            case _:
                return self.condition()

    def projection(self) -> str:
        return ", ".join(self.path() for _ in self._dice.some(1, 4))

    def update(self) -> str:
        clauses = ("SET", "REMOVE", "ADD", "DELETE")
        return " ".join(self._clause(self._dice.pick(clauses)) for _ in self._dice.some(1, 3))

    def _clause(self, name: str) -> str:
        actions = [self._action(name) for _ in self._dice.some(1, 3)]
        return f"{name} {', '.join(actions)}"

    def _action(self, clause: str) -> str:
        match clause:
            case "SET":
                right = self._right()
                if self._dice.one_in(3):
                    right = f"{right} {self._dice.pick('+-')} {self._right()}"
                return f"{self.path()} = {right}"
            case "REMOVE":
                return self.path()
            case _:
                return f"{self.path()} {self.value()}"

    def _right(self) -> str:
        match self._dice.below(6):
            case 0 | 1 | 2:
                return self.value()
            case 3:
                return self.path()
            case 4:
                return f"if_not_exists({self.path()}, {self.operand()})"
            case _:
                return f"list_append({self.operand()}, {self.operand()})"

    def damaged(self, text: str) -> str:
        """With one to three tokens left out, repeated, exchanged or replaced."""
        dice = self._dice
        tokens: list[str] = _TOKEN.findall(text)
        for _ in dice.some(1, 3):
            if not tokens:
                break
            place = dice.below(len(tokens))
            match dice.below(6):
                case 0:
                    del tokens[place]
                case 1:
                    tokens.insert(place, tokens[place])
                case 2:
                    tokens.insert(place, dice.pick(_ODD_TOKENS))
                case 3:
                    tokens[place] = dice.pick(_ODD_TOKENS)
                case 4:
                    tokens[place] = tokens[place].swapcase()
                case _:
                    tokens[place] *= dice.pick((2, 300, 5_000)) if len(tokens[place]) < _REPEATED_MAX else 2
        return "".join(tokens)


class Statements:
    """Writes PartiQL."""

    def __init__(self, dice: Dice, tables: Sequence[str]) -> None:
        self._dice = dice
        self._tables = tables

    def statement(self) -> str:
        dice = self._dice
        match dice.below(8):
            case 0 | 1 | 2:
                text = self._select()
            case 3:
                text = f"INSERT INTO {self._table()} VALUE {self._item()}"
            case 4 | 5:
                text = self._update()
            case _:
                text = f"DELETE FROM {self._table()} WHERE {self._where()}{self._returning()}"
        return Expressions(dice).damaged(text) if dice.one_in(5) else text

    def _table(self) -> str:
        return f'"{self._dice.pick(self._tables)}"'

    def _select(self) -> str:
        dice = self._dice
        what = "*" if not dice.one_in(3) else ", ".join(self._path() for _ in dice.some(1, 3))
        source = self._table()
        if dice.one_in(4):
            source += f'."{dice.pick(("by-gpk", "by-lsk", "none"))}"'
        where = f" WHERE {self._where()}" if not dice.one_in(5) else ""
        order = f" ORDER BY {self._path()} {dice.pick(('ASC', 'DESC'))}" if dice.one_in(4) else ""
        return f"SELECT {what} FROM {source}{where}{order}"

    def _update(self) -> str:
        dice = self._dice
        actions: list[str] = []
        for _ in dice.some(1, 3):
            if dice.one_in(3):
                actions.append(f"REMOVE {self._path()}")
            else:
                actions.append(f"SET {self._path()} = {self._right()}")
        return f"UPDATE {self._table()} {' '.join(actions)} WHERE {self._where()}{self._returning()}"

    def _returning(self) -> str:
        dice = self._dice
        if not dice.one_in(3):
            return ""
        return f" RETURNING {dice.pick(('ALL', 'MODIFIED'))} {dice.pick(('OLD', 'NEW'))} *"

    def _right(self) -> str:
        match self._dice.below(5):
            case 0 | 1:
                return self._literal()
            case 2:
                return f"{self._path()} {self._dice.pick('+-')} {self._literal()}"
            case 3:
                return f"list_append({self._path()}, {self._literal()})"
            case _:
                return f"{self._dice.pick(('set_add', 'set_delete'))}({self._path()}, {self._literal()})"

    def _where(self) -> str:
        dice = self._dice
        key = dice.pick(("pk = ? AND sk = ?", "pk = 'a' AND sk = 1", "pk = ? AND sk = 2"))
        match dice.below(5):
            case 0 | 1:
                return key
            case 2:
                return f"{key} AND {self._condition()}"
            case 3:
                return self._condition()
            case _:
                return f"NOT ({self._condition()}) OR pk IN ['a', ?] AND ({self._condition()})"

    def _condition(self) -> str:
        dice = self._dice
        match dice.below(6):
            case 0 | 1:
                return f"{self._path()} {dice.pick((*_COMPARATORS, '!='))} {self._literal()}"
            case 2:
                return f"{self._path()} BETWEEN {self._literal()} AND {self._literal()}"
            case 3:
                name = dice.pick(("begins_with", "contains", "attribute_type"))
                return f"{name}({self._path()}, {self._literal()})"
            case 4:
                return f"{self._path()} IS {dice.pick(('', 'NOT '))}{dice.pick(('MISSING', 'NULL'))}"
            case _:
                return f"size({self._path()}) > {self._literal()}"

    def _path(self) -> str:
        return self._dice.pick(("a", "b", "c", '"a"', "a.b", "a[0]", "b.c[1]", "pk", "sk", '"d e"'))

    def _literal(self, depth: int = 2) -> str:
        match self._dice.below(11 if depth else 8):
            case 0 | 1 | 2:
                return "?"
            case 3:
                return self._dice.pick(("'a'", "''", "'it''s'", "'é💥'", "'" + "x" * 3_000 + "'"))
            case 4 | 5:
                return self._dice.pick(("1", "-2.50", "1e125", "1e400", "0." + "1" * 50, "9" * 39, "007"))
            case 6:
                return self._dice.pick(("true", "FALSE", "null", "MISSING"))
            case 7:
                return self._item(depth - 1) if depth else "{}"
            case 8:
                return f"[{', '.join(self._literal(depth - 1) for _ in self._dice.some(0, 3))}]"
            case 9:
                return f"<<{', '.join(self._literal(depth - 1) for _ in self._dice.some(0, 3))}>>"
            case _:
                return self._item(depth - 1)

    def _item(self, depth: int = 2) -> str:
        members = ["'pk': 'a'", "'sk': 1"]
        members += [f"'{self._dice.pick(ATTRIBUTES)}': {self._literal(depth)}" for _ in self._dice.some(0, 3)]
        return f"{{{', '.join(members)}}}"


def placeholders(text: str, sign: str) -> list[str]:
    """The placeholders of names (`#`) or values (`:`) that a text uses."""
    return sorted(set(re.findall(rf"{sign}\w+", text)))
