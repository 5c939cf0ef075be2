"""ExecuteStatement: one PartiQL statement.

A SELECT is a read of one key, one or several queries, or a scan, as its WHERE clause has it (model/partiql/keys), of a
table or of one of its indexes; its pages end as Query's and Scan's do.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kvorum.model import errors, keys, partiql, record, values
from kvorum.model.access_path import AccessPath, through_index, through_table
from kvorum.model.limits import PAGE_BYTES_MAX
from kvorum.model.partiql import Bound, Cursor, Interval, Reading, cursor
from kvorum.model.requests import Item
from kvorum.model.table import Table
from kvorum.router import capacity, service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Consumption, Report
from kvorum.router.operations import page, scan, statements
from kvorum.router.operations.arguments import table_in_use
from kvorum.router.operations.page import Page, Range, Selection

REQUEST = service_model.request("ExecuteStatement")


@dataclass(slots=True)
class _Found:
    """`last`: where reading stopped, with the key attributes of the entry there; None when there is nothing left."""

    page: Page = field(default_factory=Page)
    consumption: Consumption = field(default_factory=Consumption)
    last: tuple[Cursor, Item] | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """How entries are read. `fetch`: with the items that they stand for."""

    path: AccessPath
    strong: bool
    items_max: int
    fetch: bool


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    bound = statements.read(body)
    table = table_in_use(bound.source.table, cluster.directory, REQUEST.operation)
    report = capacity.report(body.get("ReturnConsumedCapacity"))
    if isinstance(bound.body, partiql.Select):
        return await _select(body, cluster, table, bound, bound.body, report)
    write = statements.write_of(bound, table, body, report)
    answer = await statements.carry_out(cluster, table, bound, write)
    items = [] if answer.attributes is None else [answer.attributes]
    return _render(items, table, capacity.of_write(table, answer), report)


async def _select(
    body: Body, cluster: Cluster, table: Table, bound: Bound, select: partiql.Select, report: Report
) -> bytes:
    strong: bool = body.get("ConsistentRead", False)
    path = _access_path(table, bound.source.index, strong=strong)
    partiql.refuse_calls(select)
    reading = partiql.reading(select.condition, select.order, path, bound.values)
    asked = partiql.filter_of(bound, select)
    selection = Selection(
        filter=None if reading.complete else asked,
        projection=partiql.projection_of(select),
        count_only=False,
        report=report,
        strong=strong,
        filtered=partiql.filtered_attributes(select),
        projected=partiql.selected_attributes(select),
    )
    fetch = selection.fetches(path, keyed=reading.keyed)
    seal = cursor.seal_of(table.uuid, body["Statement"], body.get("Parameters", []))
    start = cursor.read(body["NextToken"], seal) if "NextToken" in body else None
    found = await _read(cluster, _Way(path, strong, body.get("Limit", 0), fetch), reading, start)
    _, items = await page.select(found.page, selection)
    more = b""
    if found.last is not None:
        where, key = found.last
        more = b',"NextToken":"%b","LastEvaluatedKey":%b' % (
            cursor.write(where, seal).encode(),
            values.dumps(key),
        )
    return _render(items, table, found.consumption, report, more)


def _access_path(table: Table, name: str | None, *, strong: bool) -> AccessPath:
    """Raises ValidationException, in other words than Query has them."""
    if name is None:
        return through_table(table)
    index = page.readable_index(table, name)
    if index is None:
        raise errors.validation("The table does not have the specified index")
    statements.refuse_several_key_attributes(index)
    if strong and not index.local:
        raise errors.validation("Strongly consistent read is not supported on Global Secondary Indexes")
    return through_index(table, index)


def _render(
    items: list[bytes], table: Table, consumption: Consumption, report: Report, more: bytes = b""
) -> bytes:
    """`more`: further members, each after its comma."""
    if report is not Report.NONE:
        more += b',"ConsumedCapacity":' + capacity.consumed(table.name, consumption, report)
    return b'{"Items":[%b]%b}' % (b",".join(items), more)


async def _read(cluster: Cluster, way: _Way, reading: Reading, start: Cursor | None) -> _Found:
    if reading.item is not None and start is None:
        return await _read_item(cluster, way, reading.item)
    found = _Found()
    if reading.intervals is None:
        after = None if start is None else start.key
        everything = scan.ranges_of(cluster, way.path, 0, keys.TOKENS - 1, after)
        await _read_part(cluster, way, found, everything, 0, reverse=False)
        return found
    first = 0 if start is None else start.interval
    if first >= len(reading.intervals) and start is not None:
        raise cursor.invalid()
    for number, interval in enumerate(reading.intervals[first:], first):
        after = start.key if start is not None and number == first else None
        within = _ranges(cluster, way.path, interval, after, reverse=reading.reverse)
        await _read_part(cluster, way, found, within, number, reverse=reading.reverse)
        if found.last is not None:
            break
    return found


async def _read_item(cluster: Cluster, way: _Way, key: bytes) -> _Found:
    answer = await cluster.read(way.path.table, key, strong=way.strong)
    if answer.record is None:
        return _Found(consumption=capacity.of_read(0, strong=way.strong))
    size = record.size_of(answer.record)
    return _Found(Page([answer.record], size), capacity.of_read(size, strong=way.strong))


async def _read_part(
    cluster: Cluster, way: _Way, found: _Found, ranges: Iterable[Range], number: int, *, reverse: bool
) -> None:
    """`number`: of the interval that `ranges` are, 0 in a scan."""
    whole = found.page
    part = await page.read_page(
        cluster,
        ranges,
        reverse=reverse,
        strong=way.strong,
        items_max=way.items_max - len(whole.records) if way.items_max else 0,
        bytes_max=PAGE_BYTES_MAX - whole.counted_bytes(),
        local_index=way.path.local_index,
        fetch=way.fetch,
    )
    whole.records += part.records
    whole.fetched += part.fetched
    whole.fetched_sizes += part.fetched_sizes
    whole.size += part.size
    found.consumption.add(part.consumption(way.path, strong=way.strong))
    if part.stopped:
        entry = values.loads(record.json_of(part.records[-1]))
        found.last = (Cursor(number, way.path.key_of(entry)), way.path.last_key(entry))


def _ranges(
    cluster: Cluster, path: AccessPath, interval: Interval, after: bytes | None, *, reverse: bool
) -> list[Range]:
    """At most one: a partition key's value lives in one partition."""
    lower, upper = interval.lower, interval.upper
    if after is not None:
        if not lower <= after < upper:
            raise cursor.invalid()
        if reverse:
            upper = after
        else:
            lower = keys.after(after)
    if lower >= upper:
        return []
    partition = cluster.directory.partition_for(path.partitioned_by, keys.token_of(lower))
    if partition is None:
        raise errors.service_unavailable()
    return [Range(partition, lower, upper)]
