"""Capacity units, exactly as DynamoDB counts them, and the ConsumedCapacity member of a response.

Source: AWS developer guide, "DynamoDB read and write operations". One read unit is a strong read of up to
4 KB, an eventual read costs half; one write unit is up to 1 KB of the larger of the old and the new item.
A page (Query, Scan) is charged for the sum of the sizes that it read, rounded up once. Nothing is free: an
absent item and an empty page cost what the smallest item costs.
"""

from __future__ import annotations

from enum import IntEnum

READ_UNIT_BYTES = 4_096
WRITE_UNIT_BYTES = 1_024


class Report(IntEnum):
    """What ReturnConsumedCapacity asked for."""

    NONE = 0
    TOTAL = 1
    INDEXES = 2


_REPORTS: dict[str | None, Report] = {None: Report.NONE, **{report.name: report for report in Report}}


def report(asked: str | None) -> Report:
    """`asked`: the parameter's value, already known to be of its enumeration."""
    return _REPORTS[asked]


def read_units(size: int, *, strong: bool) -> float:
    """`size`: bytes read as AWS counts them, 0 for nothing found."""
    units = (size + READ_UNIT_BYTES - 1) // READ_UNIT_BYTES or 1
    return float(units) if strong else units / 2


def write_units(size_old: int, size_new: int) -> float:
    """Sizes in bytes as AWS counts them, 0 for no item."""
    larger = max(size_old, size_new)
    return float((larger + WRITE_UNIT_BYTES - 1) // WRITE_UNIT_BYTES or 1)


def consumed(table: str, units: float, asked: Report) -> bytes:
    """One ConsumedCapacity object as JSON. `asked` is not NONE; table names need no escaping."""
    if asked is Report.TOTAL:
        return f'{{"TableName":"{table}","CapacityUnits":{units}}}'.encode()
    return f'{{"TableName":"{table}","CapacityUnits":{units},"Table":{{"CapacityUnits":{units}}}}}'.encode()
