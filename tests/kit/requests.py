"""Requests as Hypothesis draws them from the operations' own declarations: mostly well-formed, often a little
wrong, sometimes nonsense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from kvorum.router import service_model
from kvorum.router.operations.registry import COMPOUND, READS, WRITES
from kvorum.router.shapes import Enumeration, Flag, Real, Shape, TableText, Text, Whole
from kvorum.router.structures import AttributeValue, ListOf, MapOf, Request, Required, Structure

REQUESTS: dict[str, Request] = {
    name: service_model.request(name) for name in sorted([*READS, *WRITES, *COMPOUND])
}


LEGACY = {
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "GlobalSecondaryIndexUpdates",
    "GlobalSecondaryIndexes",
    "KeyConditions",
    "LocalSecondaryIndexes",
    "QueryFilter",
    "ScanFilter",
}
"""What is refused wherever it stands, until it is served."""

NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.floats(-2, 2) | st.text("aZ0_-! =", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("abSNM", max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
_VALUES = st.one_of(
    st.sampled_from(({"S": "a"}, {"N": "1"}, {"BOOL": True}, {"B": "AAAA"}, {"SS": ["a"]}, {"NULL": True})),
    st.sampled_from(({"S": ""}, {"N": "x"}, {}, {"S": "a", "N": "1"}, {"SS": []}, {"NS": ["1", "1.0"]})),
)
_NAMES = ("abc", "d", "e!")
_ANY_TEXT = ("abc", "T-1_.", "", "a!", "x" * 300)


@dataclass(frozen=True)
class Vocabulary:
    """What requests are drawn from. By the member in which they stand: `texts` for strings without an
    enumeration, `names` for the keys of maps, `values` for attribute values and maps of them. In `sane`
    requests every required member is there, and nothing is of a wrong type or refused for its age."""

    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    maps: Mapping[str, st.SearchStrategy[Any]] = field(default_factory=dict[str, st.SearchStrategy[Any]])
    sane: bool = False

    def request(self, operation: str) -> st.SearchStrategy[dict[str, Any]]:
        return self._fitting(REQUESTS[operation].structure, operation)

    def _fitting(self, shape: Shape, place: str) -> st.SearchStrategy[Any]:
        match shape:
            case Enumeration():
                return st.sampled_from(shape.values)
            case Text() | TableText():
                return st.sampled_from(self.texts.get(place, _ANY_TEXT))
            case Real():
                return st.integers(0, 2_000_000_000) | st.floats(0, 2e9)
            case Whole():
                return st.integers((shape.least or 0) - (not self.sane), (shape.least or 0) + 5)
            case Flag():
                return st.booleans()
            case ListOf():
                return st.lists(self._any(shape.member, place), min_size=self.sane, max_size=4)
            case MapOf():
                if place in self.maps:
                    return self.maps[place]
                names = st.sampled_from(self.names.get(place, _NAMES))
                return st.dictionaries(names, self._any(shape.value, place), min_size=self.sane, max_size=3)
            case Structure():
                return self._structure(shape)
            case _:
                return _VALUES

    def _structure(self, shape: Structure) -> st.SearchStrategy[dict[str, Any]]:
        always: dict[str, st.SearchStrategy[Any]] = {}
        sometimes: dict[str, st.SearchStrategy[Any]] = {"Unknown": st.just(1)}
        for name, member in shape.members.items():
            if not self.sane:
                sometimes[name] = self._any(member.shape, name)
            elif member.required is not Required.NO:
                always[name] = self._any(member.shape, name)
            elif name not in LEGACY:
                sometimes[name] = self._any(member.shape, name)
        return st.fixed_dictionaries(always, optional=sometimes)

    def _any(self, shape: Shape, place: str) -> st.SearchStrategy[Any]:
        right = self._fitting(shape, place)
        if self.sane or isinstance(shape, AttributeValue):
            return right
        return st.integers(0, 9).flatmap(lambda drawn: NONSENSE if drawn == 9 else right)
