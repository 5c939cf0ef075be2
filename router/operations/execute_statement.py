"""ExecuteStatement: one PartiQL statement.

A SELECT is a read of one key, one or several queries, or a scan, as its WHERE clause has it (model/partiql/keys);
its pages end as Query's and Scan's do.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kvorum.model import errors, keys, partiql, record, values
from kvorum.model.limits import PAGE_BYTES_MAX
from kvorum.model.partiql import Bound, Cursor, Interval, Reading, cursor
from kvorum.model.table import Table
from kvorum.router import capacity, service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Report
from kvorum.router.operations import page, scan, statements
from kvorum.router.operations.arguments import table_in_use
from kvorum.router.operations.page import Page, Range, Selection

REQUEST = service_model.request("ExecuteStatement")


@dataclass(slots=True)
class _Found:
    """`last`: where reading stopped, None when there is nothing left."""

    records: list[bytes] = field(default_factory=list[bytes])
    size: int = 0
    units: float = 0.0
    last: Cursor | None = None


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    bound = statements.read(body)
    table = table_in_use(bound.source.table, cluster.directory, REQUEST.operation)
    if isinstance(bound.body, partiql.Select):
        return await _select(body, cluster, table, bound, bound.body)
    write = statements.write_of(bound, table, body)
    answer = await statements.carry_out(cluster, table, bound, write)
    units = capacity.write_units(answer.size_old, answer.size_new)
    items = [] if answer.attributes is None else [answer.attributes]
    return _render(items, table, units, capacity.report(body.get("ReturnConsumedCapacity")))


async def _select(body: Body, cluster: Cluster, table: Table, bound: Bound, select: partiql.Select) -> bytes:
    if bound.source.index is not None:
        raise errors.validation("The table does not have the specified index")
    reading = partiql.reading(select.condition, select.order, table.keys, bound.values)
    asked = partiql.filter_of(bound, select)
    selection = Selection(
        filter=None if reading.complete else asked,
        projection=partiql.projection_of(select),
        count_only=False,
        report=capacity.report(body.get("ReturnConsumedCapacity")),
        strong=body.get("ConsistentRead", False),
    )
    seal = cursor.seal_of(table.uuid, body["Statement"], body.get("Parameters", []))
    start = cursor.read(body["NextToken"], seal) if "NextToken" in body else None
    found = await _read(
        cluster, table, reading, start, strong=selection.strong, items_max=body.get("Limit", 0)
    )
    _, items = await page.select(found.records, selection)
    more = b""
    if found.last is not None:
        more = b',"NextToken":"%b","LastEvaluatedKey":%b' % (
            cursor.write(found.last, seal).encode(),
            values.dumps(keys.decode_key(table.keys, found.last.key)),
        )
    return _render(items, table, found.units, selection.report, more)


def _render(items: list[bytes], table: Table, units: float, report: Report, more: bytes = b"") -> bytes:
    """`more`: further members, each after its comma."""
    if report is not Report.NONE:
        more += b',"ConsumedCapacity":' + capacity.consumed(table.name, units, report)
    return b'{"Items":[%b]%b}' % (b",".join(items), more)


async def _read(
    cluster: Cluster, table: Table, reading: Reading, start: Cursor | None, *, strong: bool, items_max: int
) -> _Found:
    if reading.item is not None and start is None:
        return await _read_item(cluster, table, reading.item, strong=strong)
    found = _Found()
    if reading.intervals is None:
        after = None if start is None else start.key
        ranges = scan.ranges_of(cluster, table, 0, keys.TOKENS - 1, after)
        whole = await page.read_page(cluster, ranges, reverse=False, strong=strong, items_max=items_max)
        _add(found, whole, table, 0, strong=strong)
        return found
    first = 0 if start is None else start.interval
    if first >= len(reading.intervals) and start is not None:
        raise cursor.invalid()
    for number, interval in enumerate(reading.intervals[first:], first):
        after = start.key if start is not None and number == first else None
        part = await page.read_page(
            cluster,
            _ranges(cluster, table, interval, after, reverse=reading.reverse),
            reverse=reading.reverse,
            strong=strong,
            items_max=items_max - len(found.records) if items_max else 0,
        )
        _add(found, part, table, number, strong=strong)
        if found.last is not None:
            break
    found.units = found.units or capacity.read_units(0, strong=strong)
    return found


async def _read_item(cluster: Cluster, table: Table, key: bytes, *, strong: bool) -> _Found:
    answer = await cluster.read(table, key, strong=strong)
    if answer.record is None:
        return _Found(units=capacity.read_units(0, strong=strong))
    size = record.size_of(answer.record)
    return _Found([answer.record], size, capacity.read_units(size, strong=strong))


def _add(found: _Found, part: Page, table: Table, number: int, *, strong: bool) -> None:
    """`number`: of the interval that `part` was read from."""
    found.records += part.records
    found.size += part.size
    found.units += capacity.read_units(part.size, strong=strong)
    if part.records and (part.stopped or found.size > PAGE_BYTES_MAX):
        last = values.loads(record.json_of(part.records[-1]))
        found.last = Cursor(number, keys.encode_item_key(table.keys, last))


def _ranges(
    cluster: Cluster, table: Table, interval: Interval, after: bytes | None, *, reverse: bool
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
    partition = cluster.directory.partition_for(table.id, keys.token_of(lower))
    if partition is None:
        raise errors.service_unavailable()
    return [Range(partition, lower, upper)]
