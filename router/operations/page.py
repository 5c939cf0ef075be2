"""One page of a Query or a Scan: read ranges in order until the page is full, keep what the filter keeps, and
write the answer.

A page is full at Limit items, or with the item that takes it past 1 MB (as AWS does it, where its developer guide
says "a maximum of 1 MB"); sizes and Limit count what was read, not what the filter kept. Without a filter and a
projection the answer is the stored JSON, concatenated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from kvorum.control.state import Partition
from kvorum.model import errors, expressions, keys, legacy, record, values
from kvorum.model.limits import PAGE_BYTES_MAX
from kvorum.model.requests import Expressions, Item, LegacyConditions
from kvorum.model.table import KeySchema, Table
from kvorum.router import capacity
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Report
from kvorum.router.operations.arguments import Projection, projection

YIELD_EVERY = 256
"""Items parsed and filtered before other requests get the event loop."""


@dataclass(frozen=True, slots=True)
class Range:
    """Keys lower <= key < upper of one partition."""

    partition: Partition
    lower: bytes
    upper: bytes


@dataclass(slots=True)
class Page:
    """`stopped`: a limit ended the page, whether or not anything follows it."""

    records: list[bytes] = field(default_factory=list[bytes])
    size: int = 0
    stopped: bool = False


async def read_page(
    cluster: Cluster, ranges: Iterable[Range], *, reverse: bool, strong: bool, items_max: int
) -> Page:
    """`ranges` in the order of reading; `items_max` 0 for no limit."""
    page = Page()
    for piece in ranges:
        lower, upper = piece.lower, piece.upper
        while not page.stopped and lower < upper:
            answer = await cluster.read_range(
                piece.partition,
                lower,
                upper,
                reverse=reverse,
                items_max=items_max - len(page.records) if items_max else 0,
                bytes_max=PAGE_BYTES_MAX - page.size,
                strong=strong,
            )
            page.records += answer.records
            page.size += sum(map(record.size_of, answer.records))
            page.stopped = page.size > PAGE_BYTES_MAX or 0 < items_max <= len(page.records)
            if answer.next_key is None:
                break
            if reverse:
                upper = answer.next_key
            else:
                lower = keys.after(answer.next_key)
        if page.stopped:
            break
    return page


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a page goes into the answer."""

    filter: Callable[[Item], bool] | None
    projection: Projection | None
    count_only: bool
    report: Report
    strong: bool

    @classmethod
    def of(cls, body: Body, checked: Expressions, older: LegacyConditions | None) -> Selection:
        """`checked`: the request's expressions; `older`: its QueryFilter or ScanFilter. Raises
        ValidationException for AttributesToGet."""
        return cls(
            filter=_filter(body, checked, older),
            projection=projection(body, checked.names),
            count_only=body.get("Select") == "COUNT",
            report=capacity.report(body.get("ReturnConsumedCapacity")),
            strong=body.get("ConsistentRead", False),
        )


def _filter(
    body: Body, checked: Expressions, older: LegacyConditions | None
) -> Callable[[Item], bool] | None:
    text: str | None = body.get("FilterExpression")
    if text is not None:
        return expressions.predicate(text, checked.names, checked.values)
    return None if older is None else legacy.predicate(older)


def read_older_filter(body: Body, parameter: str) -> LegacyConditions | None:
    """`parameter`: QueryFilter or ScanFilter. None when it is absent or asks for nothing. Raises
    ValidationException."""
    raw: dict[str, Any] | None = body.get(parameter)
    return legacy.read_conditions(raw, body.get("ConditionalOperator")) if raw else None


def check_select(body: Body, *, prefix: str) -> None:
    """Raises ValidationException when Select does not go with the other parameters. `prefix`: what Query puts
    before one of the texts and Scan does not."""
    select: str | None = body.get("Select")
    if select is None:
        return
    given = next((name for name in ("ProjectionExpression", "AttributesToGet") if name in body), None)
    if select == "SPECIFIC_ATTRIBUTES":
        if given is None:
            raise errors.validation(
                f"{prefix}Must specify the AttributesToGet or ProjectionExpression "
                "when choosing to get SPECIFIC_ATTRIBUTES"
            )
        return
    if select == "ALL_PROJECTED_ATTRIBUTES" and "IndexName" not in body:
        raise errors.validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if given is not None:
        wanted = "only the Count" if select == "COUNT" else select
        raise errors.validation(f"Cannot specify the {given} when choosing to get {wanted}")


def read_start_key(body: Body) -> Item | None:
    """ExclusiveStartKey as values; whether it fits the table is checked later. Raises ValidationException."""
    raw: Item | None = body.get("ExclusiveStartKey")
    if raw is None:
        return None
    try:
        return values.read_item(raw)[0]
    except errors.ApiError as error:
        if error.code != "ValidationException":
            raise
        raise errors.validation(f"The provided starting key is invalid: {error.message}") from None


def encode_start_key(schema: KeySchema, start: Item) -> bytes:
    """Raises ValidationException unless `start` is a key of the table."""
    try:
        return keys.encode_key(schema, start)
    except errors.ApiError as error:
        raise errors.validation(f"The provided starting key is invalid: {error.message}") from None


def refuse_index(body: Body) -> None:
    index: str | None = body.get("IndexName")
    if index is not None:
        raise errors.validation(f"The table does not have the specified index: {index}")


async def render(table: Table, page: Page, selection: Selection) -> bytes:
    scanned = len(page.records)
    if selection.filter is None and selection.projection is None:
        count = scanned
        items = [] if selection.count_only else list(map(record.json_of, page.records))
    else:
        count, items = await select(page.records, selection)
    parts: list[bytes] = []
    if not selection.count_only:
        parts.append(b'"Items":[' + b",".join(items) + b"]")
    parts.append(b'"Count":%d,"ScannedCount":%d' % (count, scanned))
    if page.stopped:
        last = values.loads(record.json_of(page.records[-1]))
        parts.append(b'"LastEvaluatedKey":' + values.dumps(_key_of(table.keys, last)))
    if selection.report is not Report.NONE:
        units = capacity.read_units(page.size, strong=selection.strong)
        parts.append(b'"ConsumedCapacity":' + capacity.consumed(table.name, units, selection.report))
    return b"{" + b",".join(parts) + b"}"


async def select(records: list[bytes], selection: Selection) -> tuple[int, list[bytes]]:
    """How many items the filter keeps, and their JSON unless they are only counted."""
    condition, kept = selection.filter, selection.projection
    count = 0
    items: list[bytes] = []
    for position, found in enumerate(records, 1):
        if position % YIELD_EVERY == 0:
            await asyncio.sleep(0)
        json = record.json_of(found)
        item = values.loads(json)
        if condition is not None and not condition(item):
            continue
        count += 1
        if not selection.count_only:
            items.append(json if kept is None else values.dumps(kept(item)))
    return count, items


def _key_of(schema: KeySchema, item: Item) -> Item:
    key = {schema.hash.name: item[schema.hash.name]}
    if schema.range is not None:
        key[schema.range.name] = item[schema.range.name]
    return key
