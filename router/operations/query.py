"""Query: the items of one partition key's value, in the order of their sort keys.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kvorum.model import errors, expressions, keys, legacy
from kvorum.model.access_path import AccessPath
from kvorum.model.expressions import KeyRange
from kvorum.model.expressions.key_condition import Visitor
from kvorum.model.key_paths import check_scalars
from kvorum.model.requests import Expressions
from kvorum.model.table import IndexKeys
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import page, start_keys
from kvorum.router.operations.arguments import ExpressionParameters, check_attributes_to_get, table_in_use
from kvorum.router.operations.page import Range, Selection

REQUEST = service_model.request("Query")
EXPRESSIONS = ExpressionParameters(
    ("ProjectionExpression", "FilterExpression", "KeyConditionExpression"),
    ("AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"),
    REQUEST.layer,
)


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    present = EXPRESSIONS.present(body)
    page.check_select(body, REQUEST.layer)
    older_filter = page.read_older_filter(body, "QueryFilter", REQUEST.layer)
    check_attributes_to_get(body)
    start = start_keys.read(body, REQUEST.layer)
    if "KeyConditionExpression" not in body and "KeyConditions" not in body:
        raise errors.validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    checked = EXPRESSIONS.read(body) if present else Expressions()
    range_within = _range_reader(body, checked)
    selection = Selection.of(body, checked, older_filter)
    table = table_in_use(body["TableName"], cluster.directory, REQUEST.operation)
    path = page.access_path(body, table, strong=selection.strong)
    wanted = range_within(path.keys, None if start is None else start_keys.part_checker(path, start))
    after = None if start is None else start_keys.encode_within(path, start, wanted)
    check_scalars(table, selection.projection_entered)
    _check_filter_without_keys(body, selection.filtered, path.keys)
    fetch = selection.fetches(path, keyed=True)
    check_scalars(table, selection.filter_entered)
    reverse = body.get("ScanIndexForward", True) is False
    ranges = _ranges(cluster, path, wanted, after, reverse=reverse)
    found = await page.read_page(
        cluster,
        ranges,
        reverse=reverse,
        strong=selection.strong,
        items_max=body.get("Limit", 0),
        local_index=path.local_index,
        fetch=fetch,
    )
    return await page.render(path, found, selection)


def _range_reader(body: Body, checked: Expressions) -> Callable[[IndexKeys, Visitor | None], KeyRange]:
    """What the key condition comes to under the key of a table or an index. Raises ValidationException for what is
    wrong with KeyConditions under any; of KeyConditionExpression `checked` has seen to that."""
    text: str | None = body.get("KeyConditionExpression")
    if text is not None:
        return lambda keys, visit: expressions.key_range(text, keys, checked.names, checked.values, visit)
    return partial(legacy.key_range, legacy.read_key_conditions(body["KeyConditions"]))


def _check_filter_without_keys(body: Body, filtered: list[str], keys: IndexKeys) -> None:
    """Raises ValidationException when the filter looks at a key attribute of what is queried."""
    for part in (*keys.hash, *keys.range):
        if part.name in filtered:
            what = "Filter Expression" if "FilterExpression" in body else "QueryFilter"
            raise errors.validation(
                f"{what} can only contain non-primary key attributes: Primary key attribute: {part.name}"
            )


def _ranges(
    cluster: Cluster, path: AccessPath, wanted: KeyRange, after: bytes | None, *, reverse: bool
) -> list[Range]:
    """One range: a partition key's value lives in one partition. Empty when nothing can match."""
    lower, upper = path.bounds(wanted)
    if after is not None:
        if reverse:
            upper = after
        else:
            lower = keys.after(after)
    partition = cluster.directory.partition_for(path.partitioned_by, keys.token_of(lower))
    if partition is None:
        raise errors.service_unavailable()
    return [Range(partition, lower, upper)] if lower < upper else []
