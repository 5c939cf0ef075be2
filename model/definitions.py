"""What CreateTable's AttributeDefinitions and KeySchema mean together, and AWS's words when they do not fit.

Shapes (types, required members, enumerations) were checked before; here are the checks that need both lists,
in the order in which AWS makes them.
"""

from __future__ import annotations

from typing import Any

from kvorum.model.errors import validation
from kvorum.model.table import KeyPart, KeySchema

_ELEMENTS_MAX = 2
_INVALID = "One or more parameter values were invalid: "


def key_schema(attribute_definitions: list[dict[str, Any]], elements: list[dict[str, Any]]) -> KeySchema:
    """The primary key of a table without secondary indexes.

    `attribute_definitions`: [{"AttributeName": …, "AttributeType": "S" | "N" | "B"}…];
    `elements`: [{"AttributeName": …, "KeyType": "HASH" | "RANGE"}…]. Raises ValidationException.
    """
    names = [element["AttributeName"] for element in elements]
    roles = [element["KeyType"] for element in elements]
    _check_count(elements)
    kinds = _kinds(attribute_definitions)
    if len(names) > len(kinds):
        raise validation("Invalid KeySchema: Some index key attribute have no definition")
    if any(name not in kinds for name in names):
        raise validation(
            f"{_INVALID}Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(kinds)}]"
        )
    if len(set(names)) != len(names):
        raise validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if roles[0] != "HASH":
        raise validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if roles[1:] not in ([], ["RANGE"]):
        raise validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    if len(names) != len(kinds):
        raise validation(
            f"{_INVALID}Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions"
        )
    parts = [KeyPart(name, kinds[name]) for name in names]
    return KeySchema(*parts)


def _kinds(attribute_definitions: list[dict[str, Any]]) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for definition in attribute_definitions:
        name = definition["AttributeName"]
        if name in kinds:
            raise validation(f"Attribute Name is duplicated: {name}")
        kinds[name] = definition["AttributeType"]
    return kinds


def _check_count(elements: list[dict[str, Any]]) -> None:
    if 1 <= len(elements) <= _ELEMENTS_MAX:
        return
    shown = ", ".join(
        f"KeySchemaElement(attributeName={element['AttributeName']}, keyType={element['KeyType']})"
        for element in elements
    )
    constraint = f"less than or equal to {_ELEMENTS_MAX}" if elements else "greater than or equal to 1"
    raise validation(
        f"1 validation error detected: Value '[{shown}]' at 'keySchema' failed to satisfy constraint: "
        f"Member must have length {constraint}"
    )
