"""Scan: every item of a table or every entry of an index, in the order of tokens, or of one of its segments.

A segment is a range of tokens, so that segments are disjoint and complete however the table's partitions lie.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
"""

from __future__ import annotations

from collections.abc import Iterator

from kvorum.model import errors, keys
from kvorum.model.access_path import AccessPath
from kvorum.model.key_paths import check_scalars
from kvorum.model.requests import Expressions, Item
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import page, start_keys
from kvorum.router.operations.arguments import ExpressionParameters, check_attributes_to_get, table_in_use
from kvorum.router.operations.page import Range, Selection

REQUEST = service_model.request("Scan")
EXPRESSIONS = ExpressionParameters(
    ("ProjectionExpression", "FilterExpression"),
    ("AttributesToGet", "ScanFilter", "ConditionalOperator"),
    REQUEST.layer,
)


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    present = EXPRESSIONS.present(body)
    page.check_select(body, REQUEST.layer)
    check_attributes_to_get(body)
    older_filter = page.read_older_filter(body, "ScanFilter", REQUEST.layer)
    start = start_keys.read(body, REQUEST.layer)
    segment, segments = _segment(body)
    checked = EXPRESSIONS.read(body) if present else Expressions()
    selection = Selection.of(body, checked, older_filter)
    table = table_in_use(body["TableName"], cluster.directory, REQUEST.operation)
    path = page.access_path(body, table, strong=selection.strong)
    if start is not None:
        _check_start(path, start)
    fetch = selection.fetches(path, keyed=False)
    lower, upper = _segment_tokens(segment, segments)
    after = None if start is None else start_keys.encode(path, start)
    if after is not None and not lower <= keys.token_of(after) <= upper:
        raise errors.validation(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. "
            "Please use ExclusiveStartKey with correct Segment. "
            f"TotalSegments: {segments} Segment: {segment}"
        )
    check_scalars(table, selection.projection_entered)
    check_scalars(table, selection.filter_entered)
    found = await page.read_page(
        cluster,
        ranges_of(cluster, path, lower, upper, after),
        reverse=False,
        strong=selection.strong,
        items_max=body.get("Limit", 0),
        local_index=path.local_index,
        fetch=fetch,
    )
    return await page.render(path, found, selection)


def _check_start(path: AccessPath, start: Item) -> None:
    """Of a table's start key, start_keys.encode has the words."""
    if path.index is None:
        return
    check = start_keys.part_checker(path, start)
    for part in (*path.keys.hash, *path.keys.range):
        check(part)


def _segment(body: Body) -> tuple[int, int]:
    """(segment, segments); the whole table is segment 0 of 1."""
    segment: int | None = body.get("Segment")
    segments: int | None = body.get("TotalSegments")
    if segments is None:
        if segment is None:
            return 0, 1
        raise errors.validation(
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present"
        )
    if segment is None:
        raise errors.validation(
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present"
        )
    if segment >= segments:
        raise errors.validation(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {segments}"
        )
    return segment, segments


def _segment_tokens(segment: int, segments: int) -> tuple[int, int]:
    """First and last token, as keys.split_tokens would cut them."""
    return keys.TOKENS * segment // segments, keys.TOKENS * (segment + 1) // segments - 1


def ranges_of(
    cluster: Cluster, path: AccessPath, lower: int, upper: int, after: bytes | None
) -> Iterator[Range]:
    """What of each partition lies in the tokens lower..upper and behind the key `after`."""
    for partition in cluster.directory.partitions_of(path.partitioned_by):
        first, last = max(lower, partition.lower), min(upper, partition.upper)
        if first > last or (after is not None and last < keys.token_of(after)):
            continue
        begin, end = keys.token_bounds(first, last)
        if after is not None and begin <= after:
            begin = keys.after(after)
        yield Range(partition, begin, end)
