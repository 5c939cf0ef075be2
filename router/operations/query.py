"""Query: the items of one partition key's value, in the order of their sort keys.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kvorum.model import errors, expressions, keys, legacy
from kvorum.model.expressions import KeyRange
from kvorum.model.requests import Expressions, Item
from kvorum.model.table import KeySchema, Table
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import page
from kvorum.router.operations.arguments import ExpressionParameters, check_attributes_to_get, table_in_use
from kvorum.router.operations.page import Range, Selection

REQUEST = service_model.request("Query")
EXPRESSIONS = ExpressionParameters(
    ("ProjectionExpression", "FilterExpression", "KeyConditionExpression"),
    ("AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"),
)


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    present = EXPRESSIONS.present(body)
    page.check_select(body, prefix="1 validation error detected: ")
    older_filter = page.read_older_filter(body, "QueryFilter")
    check_attributes_to_get(body)
    start = page.read_start_key(body)
    if "KeyConditionExpression" not in body and "KeyConditions" not in body:
        raise errors.validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    checked = EXPRESSIONS.read(body) if present else Expressions()
    range_within = _range_reader(body, checked)
    selection = Selection.of(body, checked, older_filter)
    table = table_in_use(body["TableName"], cluster.directory)
    page.refuse_index(body)
    wanted = range_within(table.keys)
    if "FilterExpression" in body:
        expressions.check_filter_without_keys(body["FilterExpression"], checked.names, table.keys)
    elif older_filter is not None:
        legacy.check_filter_without_keys(older_filter, table.keys)
    reverse = body.get("ScanIndexForward", True) is False
    ranges = _ranges(cluster, table, wanted, start, reverse=reverse)
    found = await page.read_page(
        cluster, ranges, reverse=reverse, strong=selection.strong, items_max=body.get("Limit", 0)
    )
    return await page.render(table, found, selection)


def _range_reader(body: Body, checked: Expressions) -> Callable[[KeySchema], KeyRange]:
    """What the key condition comes to under a key schema. Raises ValidationException for what is wrong with
    KeyConditions under any; of KeyConditionExpression `checked` has seen to that."""
    text: str | None = body.get("KeyConditionExpression")
    if text is not None:
        return lambda schema: expressions.key_range(text, schema, checked.names, checked.values)
    return partial(legacy.key_range, legacy.read_key_conditions(body["KeyConditions"]))


def _ranges(
    cluster: Cluster, table: Table, wanted: KeyRange, start: Item | None, *, reverse: bool
) -> list[Range]:
    """One range: a partition key's value lives in one partition. Empty when nothing can match."""
    lower, upper = keys.range_bounds(table.keys, wanted.hash_value, wanted.operator, list(wanted.operands))
    prefix = keys.hash_prefix(table.keys, wanted.hash_value)
    if start is not None:
        after = _checked_start(table, start, prefix, lower, upper)
        if reverse:
            upper = after
        else:
            lower = keys.after(after)
    partition = cluster.directory.partition_for(table.id, keys.token_of(prefix))
    if partition is None:
        raise errors.service_unavailable()
    return [Range(partition, lower, upper)] if lower < upper else []


def _checked_start(table: Table, start: Item, prefix: bytes, lower: bytes, upper: bytes) -> bytes:
    """The start key's bytes. Raises ValidationException when the query could not have ended a page there."""
    encoded = page.encode_start_key(table.keys, start)
    if not encoded.startswith(prefix):
        raise errors.validation(
            "The provided starting key is outside query boundaries based on provided conditions"
        )
    if not lower <= encoded < upper:
        raise errors.validation("The provided starting key does not match the range key predicate")
    return encoded
