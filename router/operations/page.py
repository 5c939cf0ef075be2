"""One page of a Query or a Scan: read ranges in order until the page is full, keep what the filter keeps, and
write the answer.

A page is full at Limit items, or with the item that takes it past 1 MB (as AWS does it, where its developer guide
says "a maximum of 1 MB"); sizes and Limit count what was read, not what the filter kept. Without a filter and a
projection the answer is the stored JSON, concatenated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from kvorum.control.state import Partition
from kvorum.model import errors, expressions, keys, legacy, record, values
from kvorum.model.access_path import AccessPath, through_index, through_table
from kvorum.model.faults import in_older_words
from kvorum.model.limits import PAGE_BYTES_MAX
from kvorum.model.requests import Expressions, Item, LegacyConditions
from kvorum.model.table import Index, IndexStatus, Table
from kvorum.router import capacity
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Consumption, Report
from kvorum.router.operations.arguments import Projection, projection
from kvorum.router.violations import Layer

FETCHED_AT_ONCE = 256
"""No page has more items of a local index's entries: each counts as 4 KB at least. The node ends its answer by bytes
as well, of entries and items."""

YIELD_EVERY = 256
"""Items parsed and filtered before other requests get the event loop."""


class Range(Struct, frozen=True):
    """Keys lower <= key < upper of one partition."""

    partition: Partition
    lower: bytes
    upper: bytes


class Page(Struct):
    """`records`: of the entries that were read, `size` bytes of them. `fetched`: the items that they stand for, when
    those were asked for, each of `fetched_sizes` bytes. `stopped`: a limit ended the page, whether or not anything
    follows it."""

    records: list[bytes] = []
    size: int = 0
    fetched: list[bytes] = []
    fetched_sizes: list[int] = []
    stopped: bool = False

    def counted_bytes(self) -> int:
        """What counts towards a page's limit. Where items are fetched, each of them counts as AWS charges for it,
        rounded up to the next 4 KB (developer guide, "Local secondary indexes", read capacity units)."""
        return self.size + sum(map(_charged_bytes, self.fetched_sizes))

    def consumption(self, path: AccessPath, *, strong: bool) -> Consumption:
        if path.index is None:
            return capacity.of_read(self.size, strong=strong)
        return capacity.of_index_read(path.index, self.size, self.fetched_sizes, strong=strong)


async def read_page(
    cluster: Cluster,
    ranges: Iterable[Range],
    *,
    reverse: bool,
    strong: bool,
    items_max: int,
    bytes_max: int = PAGE_BYTES_MAX,
    local_index: int = 0,
    fetch: bool = False,
) -> Page:
    """`ranges` in the order of reading, of entries of `local_index` where it is not 0; `items_max` 0 for no limit.
    `bytes_max`: the item that goes past it is the last one. `fetch`: with the items that the entries stand for."""
    page = Page()
    for piece in ranges:
        lower, upper = piece.lower, piece.upper
        while not page.stopped and lower < upper:
            left = items_max - len(page.records) if items_max else 0
            answer = await cluster.read_range(
                piece.partition,
                lower,
                upper,
                reverse=reverse,
                items_max=min(left or FETCHED_AT_ONCE, FETCHED_AT_ONCE) if fetch else left,
                bytes_max=bytes_max - page.size,
                strong=strong,
                index=local_index,
                fetch=fetch,
            )
            if answer.fetched is None:
                page.records += answer.records
                page.size += sum(map(record.size_of, answer.records))
                page.stopped = page.size > bytes_max
            else:
                _add_fetched(page, answer.records, answer.fetched, bytes_max)
            page.stopped = page.stopped or 0 < items_max <= len(page.records)
            if answer.next_key is None:
                break
            if reverse:
                upper = answer.next_key
            else:
                lower = keys.after(answer.next_key)
        if page.stopped:
            break
    return page


def _add_fetched(page: Page, records: list[bytes], fetched: list[bytes], bytes_max: int) -> None:
    """Up to the item that makes the page full."""
    left = bytes_max - page.counted_bytes()
    for entry, item in zip(records, fetched, strict=True):
        size, item_size = record.size_of(entry), record.size_of(item)
        page.records.append(entry)
        page.fetched.append(item)
        page.size += size
        page.fetched_sizes.append(item_size)
        left -= size + _charged_bytes(item_size)
        if left < 0:
            page.stopped = True
            return


def _charged_bytes(size: int) -> int:
    return capacity.READ_UNIT_BYTES * int(capacity.read_units(size, strong=True))


_SELECTING = frozenset({"FilterExpression", "ProjectionExpression", "AttributesToGet"})
"""Without these, and without an older filter, a page is shown as it is read."""


class Selection(Struct, frozen=True):
    """What of a page goes into the answer. `filtered`, `projected`: the top-level attributes that the filter and the
    projection name; `filter_entered`, `projection_entered`: those that their paths lead into."""

    filter: Callable[[Item], bool] | None
    projection: Projection | None
    count_only: bool
    report: Report
    strong: bool
    filtered: list[str] = []
    projected: list[str] = []
    all_attributes: bool = False
    filter_entered: list[str] = []
    projection_entered: list[str] = []

    @classmethod
    def of(cls, body: Body, checked: Expressions, older: LegacyConditions | None) -> Selection:
        """`checked`: the request's expressions; `older`: its QueryFilter or ScanFilter. Raises
        ValidationException for AttributesToGet."""
        whole = partial(
            cls,
            count_only=body.get("Select") == "COUNT",
            report=capacity.report(body.get("ReturnConsumedCapacity")),
            strong=body.get("ConsistentRead", False),
            all_attributes=body.get("Select") == "ALL_ATTRIBUTES",
        )
        if older is None and _SELECTING.isdisjoint(body):
            return whole(None, None)
        return whole(
            _filter(body, checked, older),
            projection(body, checked.names),
            filtered=_filtered(body, checked, older),
            projected=_projected(body, checked),
            filter_entered=_entered(body, "FilterExpression", expressions.entered_by_filter, checked),
            projection_entered=_entered(
                body, "ProjectionExpression", expressions.entered_by_projection, checked
            ),
        )

    def fetches(self, path: AccessPath, *, keyed: bool) -> bool:
        """Whether the items behind the entries are needed, as a local index may fetch them. `keyed`: entries are
        found by key, and not scanned: then a filter may only name what they hold (scanned, they lack the rest).
        Raises ValidationException for what the index cannot give."""
        index = path.index
        if index is None or path.holds_all:
            return False
        if self.all_attributes and not index.local:
            raise errors.invalid(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} "
                "because its projection type is not ALL"
            )
        missing = path.unprojected(self.projected)
        if missing and not index.local:
            raise errors.invalid(
                f"Global secondary index {index.name} does not project [{', '.join(missing)}]"
            )
        unfiltered = path.unprojected(self.filtered) if keyed else []
        if unfiltered:
            raise errors.invalid(
                f"Secondary index {index.name} does not project one or more filter attributes: "
                f"[{', '.join(unfiltered)}]"
            )
        return self.all_attributes or bool(missing)


def _entered(
    body: Body,
    parameter: str,
    entered_by: Callable[[str, Mapping[str, str]], list[str]],
    checked: Expressions,
) -> list[str]:
    text: str | None = body.get(parameter)
    return [] if text is None else entered_by(text, checked.names)


def _filtered(body: Body, checked: Expressions, older: LegacyConditions | None) -> list[str]:
    text: str | None = body.get("FilterExpression")
    if text is not None:
        return expressions.filtered_attributes(text, checked.names)
    return [] if older is None else [condition.attribute for condition in older.conditions]


def _projected(body: Body, checked: Expressions) -> list[str]:
    text: str | None = body.get("ProjectionExpression")
    if text is not None:
        return expressions.projected_attributes(text, checked.names)
    attributes: list[str] = body.get("AttributesToGet", [])
    return attributes


def _filter(
    body: Body, checked: Expressions, older: LegacyConditions | None
) -> Callable[[Item], bool] | None:
    text: str | None = body.get("FilterExpression")
    if text is not None:
        return expressions.predicate(text, checked.names, checked.values)
    return None if older is None else legacy.predicate(older)


def read_older_filter(body: Body, parameter: str, layer: Layer) -> LegacyConditions | None:
    """`parameter`: QueryFilter or ScanFilter. None when it is absent or asks for nothing. Raises
    ValidationException, in the words of `layer`."""
    raw: dict[str, Any] | None = body.get(parameter)
    if not raw:
        return None
    try:
        return legacy.read_conditions(raw, body.get("ConditionalOperator"))
    except errors.ApiError as error:
        raise in_older_words(error) if layer is Layer.OLDER else error from None


def check_select(body: Body, layer: Layer) -> None:
    """Raises ValidationException when Select does not go with the other parameters."""
    select: str | None = body.get("Select")
    problem = None if select is None else _problem_of_select(select, body)
    if problem is not None:
        error = errors.validation(problem)
        raise error if layer is Layer.OLDER else errors.in_envelope(error)


def _problem_of_select(select: str, body: Body) -> str | None:
    given = next((name for name in ("ProjectionExpression", "AttributesToGet") if name in body), None)
    if select == "SPECIFIC_ATTRIBUTES":
        if given is None:
            return (
                "Must specify the AttributesToGet or ProjectionExpression "
                "when choosing to get SPECIFIC_ATTRIBUTES"
            )
        return None
    if given is not None:
        wanted = "only the Count" if select == "COUNT" else select
        return f"Cannot specify the {given} when choosing to get {wanted}"
    if select == "ALL_PROJECTED_ATTRIBUTES" and "IndexName" not in body:
        return "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
    return None


def access_path(body: Body, table: Table, *, strong: bool) -> AccessPath:
    """Raises ValidationException when there is no such index, or it cannot be read now or so."""
    name: str | None = body.get("IndexName")
    if name is None:
        return through_table(table)
    index = readable_index(table, name)
    if index is None:
        raise errors.validation(f"The table does not have the specified index: {name}")
    if strong and not index.local:
        raise errors.validation("Consistent reads are not supported on global secondary indexes")
    return through_index(table, index)


def readable_index(table: Table, name: str) -> Index | None:
    """None when there is no such index (any more). Raises ValidationException while the table's items are still being
    entered."""
    index = next((index for index in table.indexes if index.name == name), None)
    if index is None or index.status is IndexStatus.DELETING:
        return None
    if index.status is IndexStatus.CREATING:
        raise errors.validation(f"Cannot read from backfilling global secondary index: {name}")
    return index


async def render(path: AccessPath, page: Page, selection: Selection) -> bytes:
    scanned = len(page.records)
    if selection.filter is None and selection.projection is None:
        count = scanned
        shown = page.fetched or page.records
        items = [] if selection.count_only else list(map(record.json_of, shown))
    else:
        count, items = await select(page, selection)
    parts: list[bytes] = []
    if not selection.count_only:
        parts.append(b'"Items":[' + b",".join(items) + b"]")
    parts.append(b'"Count":%d,"ScannedCount":%d' % (count, scanned))
    if page.stopped:
        last = values.loads(record.json_of(page.records[-1]))
        parts.append(b'"LastEvaluatedKey":' + values.dumps(path.last_key(last)))
    if selection.report is not Report.NONE:
        consumption = page.consumption(path, strong=selection.strong)
        consumed = capacity.consumed(path.table.name, consumption, selection.report)
        parts.append(b'"ConsumedCapacity":' + consumed)
    return b"{" + b",".join(parts) + b"}"


async def select(page: Page, selection: Selection) -> tuple[int, list[bytes]]:
    """How many items the filter keeps, and their JSON unless they are only counted."""
    condition, kept = selection.filter, selection.projection
    count = 0
    items: list[bytes] = []
    for position, found in enumerate(page.fetched or page.records, 1):
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
