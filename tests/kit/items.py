"""Hypothesis strategies for canonical attribute values and items, small enough that paths often hit."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from kvorum.model.requests import AttributeValue, Item
from kvorum.model.values import read_value

names = st.sampled_from(["a", "b", "c", "d"])
texts = st.text("aé😀", max_size=3)
number_texts = st.one_of(st.integers(-3, 12), st.decimals(-2, 2, places=1)).map(str)
binaries = st.binary(max_size=2).map(lambda data: b64encode(data).decode())


def _tagged(tag: str, contents: st.SearchStrategy[Any]) -> st.SearchStrategy[AttributeValue]:
    return contents.map(lambda content: read_value({tag: content}))


strings = _tagged("S", texts)
numbers = _tagged("N", number_texts)
lists_of_strings = _tagged("L", st.lists(strings, max_size=3))
scalars = st.one_of(
    strings, numbers, _tagged("B", binaries), _tagged("BOOL", st.booleans()), _tagged("NULL", st.just(True))
)
sets = st.one_of(
    _tagged("SS", st.lists(texts, min_size=1, max_size=3, unique=True)),
    _tagged("NS", st.lists(st.integers(-2, 4).map(str), min_size=1, max_size=3, unique=True)),
    _tagged("BS", st.lists(binaries, min_size=1, max_size=3, unique=True)),
)
values: st.SearchStrategy[AttributeValue] = st.recursive(
    scalars | sets,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements}),
        st.dictionaries(names, inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=6,
)
items: st.SearchStrategy[Item] = st.dictionaries(names, values, max_size=4)
