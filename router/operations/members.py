"""The shapes that operations share, with the constraints of the service model and the order in which AWS lists
an enumeration's values in its messages (which is not the model's)."""

from __future__ import annotations

from kvorum.router.shapes import ATTRIBUTE_VALUE, Flag, ListOf, MapOf, Structure, Text, Whole, required

NAME_PATTERN = "[a-zA-Z0-9_.-]+"
ARN_PATTERN = r"arn:[a-z-]+:dynamodb:[a-z0-9-]*:[0-9]*:table/" + NAME_PATTERN

TABLE = Text(1, 1024, f"{NAME_PATTERN}|{ARN_PATTERN}", NAME_PATTERN)
"""A table by its name or its ARN. What is a valid name but too short for one is simply not found."""

NAME = Text(3, 255, NAME_PATTERN)
"""The name of a new table, or of an index."""

ATTRIBUTE_NAME = Text(0, 65_535)
ITEM = MapOf(ATTRIBUTE_VALUE)
KEY = MapOf(ATTRIBUTE_VALUE)
NAMES = MapOf(ATTRIBUTE_NAME)
VALUES = MapOf(ATTRIBUTE_VALUE)
LIMIT = Whole(least=1, terse=True)
SELECT = Text(values=("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"))
ATTRIBUTES_TO_GET = ListOf(ATTRIBUTE_NAME, 1, 255)

RETURN_CONSUMED_CAPACITY = Text(values=("INDEXES", "TOTAL", "NONE"))
RETURN_ITEM_COLLECTION_METRICS = Text(values=("SIZE", "NONE"))
RETURN_VALUES = Text(values=("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"))
RETURN_VALUES_ON_FAILURE = Text(values=("ALL_OLD", "NONE"))


CONDITIONAL_OPERATOR = Text(values=("OR", "AND"))
_COMPARISON_OPERATOR = Text(
    values=(
        "IN",
        "NULL",
        "BETWEEN",
        "LT",
        "NOT_CONTAINS",
        "EQ",
        "GT",
        "NOT_NULL",
        "NE",
        "LE",
        "BEGINS_WITH",
        "GE",
        "CONTAINS",
    )
)
CONDITIONS = MapOf(
    Structure(
        "Condition",
        {
            "AttributeValueList": ListOf(ATTRIBUTE_VALUE),
            "ComparisonOperator": required(_COMPARISON_OPERATOR),
        },
    )
)
EXPECTED = MapOf(
    Structure(
        "ExpectedAttributeValue",
        {
            "AttributeValueList": ListOf(ATTRIBUTE_VALUE),
            "ComparisonOperator": _COMPARISON_OPERATOR,
            "Exists": Flag(),
            "Value": ATTRIBUTE_VALUE,
        },
    )
)
ATTRIBUTE_UPDATES = MapOf(
    Structure(
        "AttributeValueUpdate",
        {"Action": Text(values=("ADD", "PUT", "DELETE")), "Value": ATTRIBUTE_VALUE},
    )
)
