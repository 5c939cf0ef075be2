"""What the control leader should do next, from what should be and what the nodes report.

Pure: the same directory and reports give the same commands. Repeating a command is harmless, so nothing here
remembers what was proposed before.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from kvorum.control.directory import Directory
from kvorum.control.messages import NodeReport
from kvorum.control.state import (
    ActivateIndex,
    ActivateTable,
    Command,
    FormPartitions,
    Partition,
    RemoveIndex,
    RemovePartition,
    StartBackfill,
)
from kvorum.model.table import Index, IndexStatus, Table, TableStatus


def plan(directory: Directory, reports: Mapping[str, NodeReport]) -> list[Command]:
    """Commands that bring the records up to what the nodes report. `reports`: the newest of every node.

    * A table whose partitions are all led, and those of its global indexes, becomes ACTIVE. Only a leader's own word
      counts.
    * A global index that is being created is backfilled once its partitions are all led, and becomes ACTIVE once the
      leader of every partition of its table says that all items have been entered. One that is being deleted is gone
      when most replicas of its partitions are: no node that is away holds that up.
    * A partition of which every replica exists has formed.
    * A dropping partition goes once each of its nodes, knowing of the drop, reports that it holds nothing of it.
    """
    creating = [table for table in directory.tables.values() if table.status is TableStatus.CREATING]
    unsettled = [
        partition for partition in directory.partitions.values() if partition.dropping or not partition.formed
    ]
    unfinished = [
        (table, index)
        for table, index in directory.indexes_by_id.values()
        if index.status is not IndexStatus.ACTIVE
    ]
    if (
        not creating and not unfinished and not unsettled
    ):  # as nearly always: do not look at what every replica reports
        return []
    held = {node: {replica.partition for replica in report.replicas} for node, report in reports.items()}
    led: dict[int, set[int]] = {}
    for node, report in reports.items():
        for replica in report.replicas:
            if replica.leader == node:  # also one that is dead: what was entered stays entered
                led.setdefault(replica.partition, set()).update(replica.indexed)
    commands: list[Command] = [
        ActivateTable(table_id=table.id) for table in creating if _all_led(directory, table, led)
    ]
    for table, index in unfinished:
        if index.status is IndexStatus.CREATING:
            commands.extend(_next_step(directory, table, index, led))
    commands.extend(
        RemoveIndex(index_id=index.id)
        for _, index in unfinished
        if index.status is IndexStatus.DELETING and _mostly_dropped(directory, index, reports, held)
    )
    formed: list[int] = []
    for partition in unsettled:
        if partition.dropping:
            if all(_has_dropped(reports.get(node), held.get(node), partition) for node in partition.replicas):
                commands.append(RemovePartition(partition=partition.id))
        elif all(partition.id in held.get(node, ()) for node in partition.replicas):
            formed.append(partition.id)
    if formed:
        commands.append(FormPartitions(partitions=tuple(formed)))
    return commands


def _all_led(directory: Directory, table: Table, led: Container[int]) -> bool:
    owners = [table.id, *(index.id for index in table.indexes if not index.local)]
    return all(partition.id in led for owner in owners for partition in directory.partitions_of(owner))


def _next_step(
    directory: Directory, table: Table, index: Index, led: Mapping[int, set[int]]
) -> Iterator[Command]:
    if not index.backfilling:
        if all(partition.id in led for partition in directory.partitions_of(index.id)):
            yield StartBackfill(index_id=index.id)
    elif all(index.id in led.get(partition.id, ()) for partition in directory.partitions_of(table.id)):
        yield ActivateIndex(index_id=index.id)


def _mostly_dropped(
    directory: Directory, index: Index, reports: Mapping[str, NodeReport], held: Mapping[str, set[int]]
) -> bool:
    for partition in directory.partitions.values():
        if partition.table_id == index.id:
            dropped = [
                _has_dropped(reports.get(node), held.get(node), partition) for node in partition.replicas
            ]
            if 2 * sum(dropped) <= len(dropped):
                return False
    return True


def _has_dropped(report: NodeReport | None, held: set[int] | None, partition: Partition) -> bool:
    if report is None or held is None or report.version < partition.dropped_version:
        return False
    return partition.id not in held
