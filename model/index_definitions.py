"""Secondary indexes as a table's definition keeps them, and the Index that such a specification means.

A definition has one member for all local indexes, which never change, and one for each global index, so that regions
can agree on each by itself: GLOBAL_INDEX + its name → a specification. That is the index as CreateTable or UpdateTable
gave it (IndexName, KeySchema, Projection, throughputs), with the AttributeDefinitions of its own key attributes and,
when it came after its table, the Uuid of its creation (`update_uuid` of that UpdateTable). Those of a table's birth
have none: what two regions' births of one table say in the same words is one index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kvorum.model.table import Index, IndexKeys, IndexStatus, KeyPart, ProjectionKind

Definition = dict[str, Any]
Specification = dict[str, Any]

LOCAL_INDEXES = "LocalSecondaryIndexes"
GLOBAL_INDEX = "GlobalSecondaryIndexes/"


def global_member(name: str) -> str:
    """Where a definition keeps the global index of that name."""
    return GLOBAL_INDEX + name


def global_specifications(definition: Mapping[str, Any]) -> dict[str, Specification]:
    """By name, in the definition's order."""
    return {
        member.removeprefix(GLOBAL_INDEX): value
        for member, value in definition.items()
        if member.startswith(GLOBAL_INDEX)
    }


def local_specifications(definition: Mapping[str, Any]) -> list[Specification]:
    specifications: list[Specification] = definition.get(LOCAL_INDEXES, [])
    return specifications


def local_indexes(definition: Mapping[str, Any]) -> list[Index]:
    """As `index_of` makes them, in the definition's order."""
    kinds = kinds_of(definition.get("AttributeDefinitions", ()))
    return [_index(each, kinds, local=True) for each in local_specifications(definition)]


def index_of(specification: Specification) -> Index:
    """The global index that a specification means, as if ACTIVE and without a number (0). Two specifications mean the
    same index, with the same entries, exactly if these are equal."""
    return _index(specification, kinds_of(specification["AttributeDefinitions"]), local=False)


def same_index(one: Index, other: Index) -> bool:
    """Whether they mean the same, whatever their numbers and however far they are."""
    return _bare(one) == _bare(other)


def kinds_of(attribute_definitions: Iterable[dict[str, Any]]) -> dict[str, str]:
    """name -> "S", "N" or "B"."""
    return {each["AttributeName"]: each["AttributeType"] for each in attribute_definitions}


def key_names(elements: Iterable[dict[str, Any]]) -> list[str]:
    """The attributes of a KeySchema, in its order."""
    return [element["AttributeName"] for element in elements]


def _index(specification: Specification, kinds: Mapping[str, str], *, local: bool) -> Index:
    elements = specification["KeySchema"]
    projection = specification["Projection"]
    return Index(
        id=0,
        name=specification["IndexName"],
        local=local,
        keys=IndexKeys(_parts(elements, kinds, "HASH"), _parts(elements, kinds, "RANGE")),
        projection=ProjectionKind[projection["ProjectionType"]],
        included=tuple(sorted(projection.get("NonKeyAttributes", ()))),
        uuid=specification.get("Uuid", ""),
    )


def _parts(elements: Iterable[dict[str, Any]], kinds: Mapping[str, str], role: str) -> tuple[KeyPart, ...]:
    names = [element["AttributeName"] for element in elements if element["KeyType"] == role]
    return tuple(KeyPart(name, kinds[name]) for name in names)


def _bare(index: Index) -> Index:
    return Index(
        id=0,
        name=index.name,
        local=index.local,
        keys=index.keys,
        projection=index.projection,
        included=index.included,
        uuid=index.uuid,
        status=IndexStatus.ACTIVE,
    )
