"""What AttributeDefinitions, KeySchema and secondary indexes mean together, and AWS's words when they do not fit.

Shapes (types, required members, enumerations) were checked before; here are the checks that need several members,
in the order in which AWS makes them. Sources: dynalite's tests, taken from AWS; what a lab recorded of AWS in October
2026 for its DynamoDB controller for Kubernetes (ack-api-quirks, "Table secondary indexes").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kvorum.model import throughput
from kvorum.model.errors import invalid, validation
from kvorum.model.index_definitions import Specification, key_names
from kvorum.model.limits import GLOBAL_INDEXES_MAX, LOCAL_INDEXES_MAX, PROJECTED_ATTRIBUTES_MAX
from kvorum.model.table import KeyPart, KeySchema

Kinds = dict[str, str]
"""Attribute -> "S", "N" or "B", in the order of AttributeDefinitions."""

_PARTS_MAX = 4
"""Attributes that make up the partition key, or the sort key, of a global index."""


def attribute_kinds(attribute_definitions: Iterable[dict[str, Any]]) -> Kinds:
    """`attribute_definitions`: [{"AttributeName": …, "AttributeType": "S" | "N" | "B"}…]. Raises
    ValidationException for two of one name."""
    kinds: Kinds = {}
    for definition in attribute_definitions:
        name = definition["AttributeName"]
        if name in kinds:
            raise validation(f"Attribute Name is duplicated: {name}")
        kinds[name] = definition["AttributeType"]
    return kinds


def key_schema(kinds: Kinds, elements: Sequence[dict[str, Any]], *, indexed: bool = False) -> KeySchema:
    """The primary key of a table. `elements`: [{"AttributeName": …, "KeyType": "HASH" | "RANGE"}…]. `indexed`:
    indexes have a say in which attributes are defined. Raises ValidationException."""
    names = key_names(elements)
    if len(names) > len(kinds):
        raise validation("Invalid KeySchema: Some index key attribute have no definition")
    _check_elements(elements, kinds)
    if not indexed and len(names) != len(kinds):
        raise invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions"
        )
    return KeySchema(*(KeyPart(name, kinds[name]) for name in names))


def check_indexes(
    local: Sequence[Specification] | None,
    everywhere: Sequence[Specification] | None,
    keys: KeySchema,
    kinds: Kinds,
    *,
    on_demand: bool,
) -> None:
    """The secondary indexes of a table that is being created, local and global ones, None where the request has no such
    list. `on_demand`: the table's billing mode. Raises ValidationException."""
    if local is not None:
        if not local:
            raise invalid("List of LocalSecondaryIndexes is empty")
        if keys.range is None:
            raise invalid(
                "Table KeySchema does not have a range key, which is required when specifying a "
                "LocalSecondaryIndex"
            )
    if everywhere is not None and not everywhere:
        raise invalid("List of GlobalSecondaryIndexes is empty")
    indexes = [*(local or ()), *(everywhere or ())]
    if indexes:
        for index in indexes:
            _defined_names(index["KeySchema"], kinds)
        _check_used(keys, indexes, kinds)
    names: set[str] = set()
    _check_local_indexes(local or (), keys, kinds, names)
    _check_global_indexes(everywhere or (), kinds, names, on_demand=on_demand)
    check_projected(indexes)


def _check_local_indexes(
    indexes: Sequence[Specification], keys: KeySchema, kinds: Kinds, names: set[str]
) -> None:
    """`names`: of indexes that there are already; gets these."""
    for index in indexes:
        name, elements = index["IndexName"], index["KeySchema"]
        _check_elements(elements, kinds)
        if len(elements) == 1:
            raise invalid(f"Index KeySchema does not have a range key for index: {name}")
        leading = elements[0]["AttributeName"]
        if leading != keys.hash.name:
            raise invalid(
                "Index KeySchema does not have the same leading hash key as table KeySchema for index: "
                f"{name}. index hash key: {leading}, table hash key: {keys.hash.name}"
            )
        _check_projection(index["Projection"])
        _check_name(name, names)
    if len(indexes) > LOCAL_INDEXES_MAX:
        raise invalid(f"Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_INDEXES_MAX}")


def _check_global_indexes(
    indexes: Sequence[Specification], kinds: Kinds, names: set[str], *, on_demand: bool
) -> None:
    for index in indexes:
        check_global_index(index, kinds)
        throughput.check_index(index, on_demand=on_demand)
        _check_name(index["IndexName"], names)
    if len(indexes) > GLOBAL_INDEXES_MAX:
        raise invalid(f"GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES_MAX}")


def check_global_index(index: Specification, kinds: Kinds) -> None:
    """One global index, by itself, but for its throughput. Raises ValidationException."""
    _check_parts(index["KeySchema"], kinds)
    _check_projection(index["Projection"])


def _check_used(keys: KeySchema, indexes: Iterable[Specification], kinds: Kinds) -> None:
    """Every attribute that is defined must be a key attribute of the table or of an index."""
    used = {keys.hash.name} if keys.range is None else {keys.hash.name, keys.range.name}
    used.update(name for index in indexes for name in key_names(index["KeySchema"]))
    if kinds.keys() - used:
        found = [name for name in kinds if name in used]
        raise invalid(
            f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(kinds)}], "
            f"keys used: [{', '.join(found)}]"
        )


def check_projected(indexes: Iterable[Specification]) -> None:
    """All indexes of a table together. Source: developer guide, "Quotas": projected secondary index attributes."""
    count = sum(len(index["Projection"].get("NonKeyAttributes", ())) for index in indexes)
    if count > PROJECTED_ATTRIBUTES_MAX:
        raise invalid(
            f"Number of NonKeyAttributes of all indexes exceeds per-table limit of {PROJECTED_ATTRIBUTES_MAX}"
        )


def _check_elements(elements: Sequence[dict[str, Any]], kinds: Kinds) -> None:
    """A partition key and perhaps a sort key."""
    names = _defined_names(elements, kinds)
    if len(set(names)) != len(names):
        raise validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    roles = [element["KeyType"] for element in elements]
    _check_first(roles)
    if roles[1:] not in ([], ["RANGE"]):
        raise validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")


def _check_parts(elements: Sequence[dict[str, Any]], kinds: Kinds) -> None:
    """A global index's: the attributes of its partition key, then those of its sort key."""
    names = _defined_names(elements, kinds)
    if len(set(names)) != len(names):
        raise validation("The KeySchema contains multiple key attributes with the same name")
    roles = [element["KeyType"] for element in elements]
    _check_first(roles)
    if roles != sorted(roles):  # "HASH" < "RANGE"
        raise invalid("All HASH key attributes must precede RANGE key attributes in the KeySchema")
    for role in ("HASH", "RANGE"):
        if roles.count(role) > _PARTS_MAX:
            raise invalid(f"The KeySchema exceeds the maximum allowed number of {role} key attributes")


def _defined_names(elements: Sequence[dict[str, Any]], kinds: Kinds) -> list[str]:
    names = key_names(elements)
    if any(name not in kinds for name in names):
        raise invalid(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(kinds)}]"
        )
    return names


def _check_first(roles: Sequence[str]) -> None:
    if roles[0] != "HASH":
        raise validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")


def _check_projection(projection: dict[str, Any]) -> None:
    kind, included = projection.get("ProjectionType"), projection.get("NonKeyAttributes")
    if kind is None:
        raise invalid("Unknown ProjectionType: null")
    if kind == "INCLUDE" and not included:
        raise invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if kind != "INCLUDE" and included is not None:
        raise invalid(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    if included is not None and len(set(included)) != len(included):
        repeated = next(name for name in included if included.count(name) > 1)
        raise invalid(f"Duplicate element in NonKeyAttributes: {repeated}")


def _check_name(name: str, names: set[str]) -> None:
    if name in names:
        raise invalid(f"Duplicate index name: {name}")
    names.add(name)
