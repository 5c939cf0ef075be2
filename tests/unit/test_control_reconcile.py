"""The reconciler as a table: what is, what nodes report, what it proposes."""

from __future__ import annotations

import pytest

from kvorum.control.directory import Directory
from kvorum.control.messages import NodeReport, ReplicaReport
from kvorum.control.reconcile import plan
from kvorum.control.state import (
    ActivateTable,
    Command,
    FormPartitions,
    Partition,
    RemovePartition,
    Update,
)
from kvorum.model.table import KeyPart, KeySchema, Table, TableStatus

CREATING, ACTIVE = TableStatus.CREATING, TableStatus.ACTIVE
ACTIVATE = ActivateTable(table_id=7)
BOTH = FormPartitions(partitions=(1, 2))

Holdings = dict[str, str]
"""node -> what it reports, for example "1 2*": it holds 1 and leads 2."""


def directory(status: TableStatus, *, formed: bool = False, dropped_version: int = 0) -> Directory:
    table = Table(id=7, name="T", status=status, keys=KeySchema(KeyPart("pk", "S")), uuid="u", created_ms=1)
    updates = [
        Update(
            "partition",
            str(number),
            Partition(
                id=number,
                table_id=7,
                lower=(number - 1) << 63,
                upper=(number << 63) - 1,
                epoch=1,
                replicas=("a", "b", "c"),
                preferred_leader="a",
                formed=formed,
                dropping=dropped_version > 0,
                dropped_version=dropped_version,
            ),
        )
        for number in (1, 2)
    ]
    if not dropped_version:
        updates.append(Update("table", "T", table))
    result = Directory()
    result.receive(20, True, updates)
    return result


def reports(holdings: Holdings, version: int = 20) -> dict[str, NodeReport]:
    leaders = {
        word.rstrip("*"): node
        for node, words in holdings.items()
        for word in words.split()
        if word.endswith("*")
    }
    return {
        node: NodeReport(
            node,
            version,
            [
                ReplicaReport(int(word.rstrip("*")), leaders.get(word.rstrip("*")), 1, 1, 1)
                for word in ["0", *words.split()]
            ],
        )
        for node, words in holdings.items()
    }


@pytest.mark.parametrize(
    ("status", "formed", "holdings", "expected"),
    [
        (CREATING, False, {}, []),
        (CREATING, False, {"a": "1 2", "b": "1 2"}, []),
        (CREATING, False, {"a": "1* 2", "b": "1 2"}, []),
        (CREATING, False, {"a": "1* 2", "b": "1 2*"}, [ACTIVATE]),
        (CREATING, False, {"a": "1* 2", "b": "1 2*", "c": "1"}, [ACTIVATE, FormPartitions(partitions=(1,))]),
        (CREATING, False, {"a": "1* 2*", "b": "1 2", "c": "1 2"}, [ACTIVATE, BOTH]),
        (ACTIVE, False, {"a": "1* 2*", "b": "1 2", "c": "1 2"}, [BOTH]),
        (ACTIVE, True, {"a": "1* 2*", "b": "1 2", "c": "1 2"}, []),
        (ACTIVE, True, {}, []),
    ],
)
def test_births(status: TableStatus, formed: bool, holdings: Holdings, expected: list[Command]) -> None:
    assert plan(directory(status, formed=formed), reports(holdings)) == expected


def test_only_a_leaders_own_word_counts() -> None:
    """b and c still believe in a, which has restarted and leads nothing."""
    heard = reports({"a": "1* 2*", "b": "1 2", "c": "1 2"})
    heard["a"] = NodeReport("a", 20, [ReplicaReport(number, None, 2, 0, 0) for number in (1, 2)])
    assert plan(directory(CREATING, formed=True), heard) == []


@pytest.mark.parametrize(
    ("version", "holdings", "expected"),
    [
        (20, {"a": "", "b": ""}, []),
        (20, {"a": "", "b": "", "c": "1"}, [2]),
        (20, {"a": "", "b": "", "c": ""}, [1, 2]),
        (15, {"a": "", "b": "", "c": ""}, [1, 2]),
        (14, {"a": "", "b": "", "c": ""}, []),
    ],
)
def test_ends(version: int, holdings: Holdings, expected: list[int]) -> None:
    commands = plan(directory(ACTIVE, dropped_version=15), reports(holdings, version))
    assert commands == [RemovePartition(partition=number) for number in expected]
