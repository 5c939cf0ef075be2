"""What was right once is not checked again, and that shows in nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kvorum.model import expressions
from kvorum.model.errors import ApiError
from kvorum.model.expressions import checking

TEXTS = {
    "condition": (
        "a BETWEEN :x AND :y",
        "attribute_type(a, :x) OR b = :y",
        "#a < :x AND begins_with(b, :y)",
        "a IN (:x, :y) AND size(#a) > :x",
    ),
    "update": ("SET #a = :x, b = :y", "ADD a :x DELETE b :y", "SET #a = a + :x, b.c = list_append(b.c, :y)"),
    "key_condition": ("a = :x AND b BETWEEN :x AND :y", "#a = :x AND b >= :y"),
    "filter": ("contains(#a, :x) AND c <> :y",),
    "projection": ("#a, b.c", "a, b[0]"),
}
VALUES = st.sampled_from(
    [{"S": "S"}, {"S": "b"}, {"S": "NULL"}, {"N": "1"}, {"N": "22"}, {"SS": ["x"]}, {"L": []}, {"B": "YQ=="}]
)
REQUESTS = st.fixed_dictionaries(
    {
        "names": st.dictionaries(st.just("#a"), st.sampled_from(["a", "b", "z"])),
        "values": st.dictionaries(st.sampled_from([":x", ":y", ":z"]), VALUES),
    },
    optional={parameter: st.sampled_from(texts) for parameter, texts in TEXTS.items()},
)


def verdict(request: dict[str, Any]) -> str | None:
    try:
        expressions.check(**request)
    except ApiError as error:
        return error.message
    return None


@given(st.lists(REQUESTS, max_size=12))
def test_what_was_checked_before_makes_no_difference(requests: list[dict[str, Any]]) -> None:
    checking.forget()
    among_others = [verdict(request) for request in requests]
    for request, found in zip(requests, among_others, strict=True):
        checking.forget()
        assert verdict(request) == found


def test_a_bound_is_looked_at_every_time() -> None:
    request: dict[str, Any] = {"condition": "a BETWEEN :x AND :y"}
    assert verdict({**request, "values": {":x": {"N": "1"}, ":y": {"N": "2"}}}) is None
    assert verdict({**request, "values": {":x": {"N": "2"}, ":y": {"N": "1"}}}) is not None


def test_the_name_of_a_type_is_looked_at_every_time() -> None:
    request: dict[str, Any] = {"condition": "attribute_type(a, :x)"}
    assert verdict({**request, "values": {":x": {"S": "S"}}}) is None
    assert verdict({**request, "values": {":x": {"S": "no type"}}}) is not None


def test_only_so_many_are_remembered() -> None:
    for number in range(checking.REMEMBERED_MAX * 2):
        assert verdict({"condition": "#a = b", "names": {"#a": f"a{number}"}}) is None
        assert checking.remembered() <= checking.REMEMBERED_MAX
    long = {"condition": "#a = b", "names": {"#a": "a" * 5_000}}
    checking.forget()
    assert verdict(long) is None
    assert checking.remembered() == 0
