"""Scan: every item of a table, in the order of tokens, or of one of its segments.

A segment is a range of tokens, so that segments are disjoint and complete however the table's partitions lie.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
"""

from __future__ import annotations

from collections.abc import Iterator

from kvorum.model import errors, keys
from kvorum.model.requests import Expressions
from kvorum.model.table import Table
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import page
from kvorum.router.operations.arguments import ExpressionParameters, check_attributes_to_get, table_in_use
from kvorum.router.operations.page import Range, Selection

REQUEST = service_model.request("Scan")
EXPRESSIONS = ExpressionParameters(
    ("ProjectionExpression", "FilterExpression"),
    ("AttributesToGet", "ScanFilter", "ConditionalOperator"),
)


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    present = EXPRESSIONS.present(body)
    page.check_select(body, prefix="")
    check_attributes_to_get(body)
    older_filter = page.read_older_filter(body, "ScanFilter")
    start = page.read_start_key(body)
    segment, segments = _segment(body)
    checked = EXPRESSIONS.read(body) if present else Expressions()
    selection = Selection.of(body, checked, older_filter)
    table = table_in_use(body["TableName"], cluster.directory)
    page.refuse_index(body)
    lower, upper = _segment_tokens(segment, segments)
    after = None if start is None else page.encode_start_key(table.keys, start)
    if after is not None and not lower <= keys.token_of(after) <= upper:
        raise errors.validation(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. "
            "Please use ExclusiveStartKey with correct Segment. "
            f"TotalSegments: {segments} Segment: {segment}"
        )
    ranges = ranges_of(cluster, table, lower, upper, after)
    found = await page.read_page(
        cluster, ranges, reverse=False, strong=selection.strong, items_max=body.get("Limit", 0)
    )
    return await page.render(table, found, selection)


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


def ranges_of(cluster: Cluster, table: Table, lower: int, upper: int, after: bytes | None) -> Iterator[Range]:
    """What of each partition lies in the tokens lower..upper and behind the key `after`."""
    for partition in cluster.directory.partitions_of(table.id):
        first, last = max(lower, partition.lower), min(upper, partition.upper)
        if first > last or (after is not None and last < keys.token_of(after)):
            continue
        begin, end = keys.token_bounds(first, last)
        if after is not None and begin <= after:
            begin = keys.after(after)
        yield Range(partition, begin, end)
