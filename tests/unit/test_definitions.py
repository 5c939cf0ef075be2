from __future__ import annotations

import pytest

from kvorum.model.definitions import attribute_kinds, key_schema
from kvorum.model.errors import ApiError
from kvorum.model.table import KeyPart, KeySchema

INVALID = "One or more parameter values were invalid: "


def read(definitions: str, elements: str) -> KeySchema:
    """`definitions`: "name:kind…", `elements`: "name:role…", separated by spaces."""
    kinds = attribute_kinds(
        dict(zip(("AttributeName", "AttributeType"), d.split(":"), strict=True)) for d in definitions.split()
    )
    return key_schema(
        kinds,
        [dict(zip(("AttributeName", "KeyType"), e.split(":"), strict=True)) for e in elements.split()],
    )


def test_a_partition_key_alone() -> None:
    assert read("pk:S", "pk:HASH") == KeySchema(KeyPart("pk", "S"))


def test_definitions_may_come_in_any_order() -> None:
    expected = KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N"))
    assert read("pk:S sk:N", "pk:HASH sk:RANGE") == expected
    assert read("sk:N pk:S", "pk:HASH sk:RANGE") == expected


@pytest.mark.parametrize(
    ("definitions", "elements", "message"),
    [
        ("", "pk:HASH", "Invalid KeySchema: Some index key attribute have no definition"),
        ("pk:S", "pk:HASH sk:RANGE", "Invalid KeySchema: Some index key attribute have no definition"),
        ("pk:S", "pk:HASH pk:RANGE", "Invalid KeySchema: Some index key attribute have no definition"),
        (
            "other:S more:N",
            "pk:HASH",
            INVALID + "Some index key attributes are not defined in AttributeDefinitions. "
            "Keys: [pk], AttributeDefinitions: [other, more]",
        ),
        (
            "pk:S sk:S",
            "pk:HASH pk:RANGE",
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        ("pk:S", "pk:RANGE", "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
        (
            "pk:S sk:S",
            "sk:RANGE pk:HASH",
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            "pk:S sk:S",
            "pk:HASH sk:HASH",
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
        ),
        (
            "pk:S sk:S",
            "pk:HASH",
            INVALID + "Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions",
        ),
        ("pk:S pk:S", "pk:HASH", "Attribute Name is duplicated: pk"),
        ("pk:S pk:N", "pk:HASH", "Attribute Name is duplicated: pk"),
    ],
)
def test_what_does_not_fit_is_refused(definitions: str, elements: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        read(definitions, elements)
    assert (caught.value.code, caught.value.message) == ("ValidationException", message)
