"""Capacity units, exactly as DynamoDB counts them, and the ConsumedCapacity member of a response.

Source: AWS developer guide, "DynamoDB read and write operations", "Provisioned throughput considerations" of global and
of local secondary indexes. One read unit is a strong read of up to 4 KB, an eventual read costs half; one write unit is
up to 1 KB of the larger of the old and the new item. A page (Query, Scan) is charged for the sum of the sizes that it
read, rounded up once; an item that is fetched for a local index's entry is rounded up by itself. Nothing is free: an
absent item and an empty page cost what the smallest item costs.

What is read from an index, or what a write costs it, stands in an arm of its own, and in the total. Reading an index
leaves the table's arm at 0; an index that a write costs nothing has no arm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from kvorum.control.messages import WriteAnswer
from kvorum.model.table import Index, Table

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


@dataclass(slots=True)
class Consumption:
    """Units that one table and its indexes, by name, were charged with."""

    table: float = 0.0
    local_indexes: dict[str, float] = field(default_factory=dict[str, float])
    global_indexes: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def total(self) -> float:
        return self.table + sum(self.local_indexes.values()) + sum(self.global_indexes.values())

    def charge(self, index: Index, units: float) -> None:
        arm = self.local_indexes if index.local else self.global_indexes
        arm[index.name] = arm.get(index.name, 0.0) + units

    def add(self, other: Consumption) -> None:
        self.table += other.table
        for arm, more in (
            (self.local_indexes, other.local_indexes),
            (self.global_indexes, other.global_indexes),
        ):
            for name, units in more.items():
                arm[name] = arm.get(name, 0.0) + units


def read_units(size: int, *, strong: bool) -> float:
    """`size`: bytes read as AWS counts them, 0 for nothing found."""
    units = (size + READ_UNIT_BYTES - 1) // READ_UNIT_BYTES or 1
    return float(units) if strong else units / 2


def write_units(size_old: int, size_new: int) -> float:
    """Sizes in bytes as AWS counts them, 0 for no item."""
    larger = max(size_old, size_new)
    return float((larger + WRITE_UNIT_BYTES - 1) // WRITE_UNIT_BYTES or 1)


def of_read(size: int, *, strong: bool) -> Consumption:
    return Consumption(read_units(size, strong=strong))


def of_index_read(index: Index, size: int, fetched_sizes: list[int], *, strong: bool) -> Consumption:
    """`size`: of all the entries of a page; `fetched_sizes`: of the items that were read for them. Bytes."""
    consumption = Consumption(sum((read_units(each, strong=strong) for each in fetched_sizes), 0.0))
    consumption.charge(index, read_units(size, strong=strong))
    return consumption


def of_write(table: Table, answer: WriteAnswer) -> Consumption:
    """`answer`: of a write that was measured where the table has indexes."""
    consumption = Consumption(write_units(answer.size_old, answer.size_new))
    if answer.index_units:
        for index in table.indexes:
            units = answer.index_units.get(index.name)
            if units:
                consumption.charge(index, float(units))
    return consumption


def consumed(table: str, consumption: Consumption, asked: Report) -> bytes:
    """One ConsumedCapacity object as JSON. `asked` is not NONE; names of tables and indexes need no escaping."""
    total = f'"TableName":"{table}","CapacityUnits":{consumption.total}'
    if asked is Report.TOTAL:
        return f"{{{total}}}".encode()
    parts = [total, f'"Table":{{"CapacityUnits":{consumption.table}}}']
    for member, arm in (
        ("LocalSecondaryIndexes", consumption.local_indexes),
        ("GlobalSecondaryIndexes", consumption.global_indexes),
    ):
        if arm:
            units = ",".join(f'"{name}":{{"CapacityUnits":{each}}}' for name, each in arm.items())
            parts.append(f'"{member}":{{{units}}}')
    return f"{{{','.join(parts)}}}".encode()
