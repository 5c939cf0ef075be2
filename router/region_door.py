"""Where peer regions knock: their changes go to the partitions they belong to, their commands to the control
group. Answered only when all of it is durable here; whatever else, the peer sends it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import orjson

from kvorum.control.directory import Directory
from kvorum.control.messages import PeerCommand, Proposed, Refused, ShipAnswer, ShipChanges, ShippedChange
from kvorum.control.state import Command, Partition, told
from kvorum.model.errors import (
    ApiError,
    internal_server_error,
    resource_not_found,
    service_unavailable,
    throttled,
    validation,
)
from kvorum.model.table import Table
from kvorum.replication.link import Link, Reply

M = TypeVar("M")

IN_FLIGHT_MAX = 512
"""Messages of peer regions being worked on; further ones are refused, and come again."""

_TOKEN_BYTES = 8

MergeItems = Callable[[Partition, str, list[ShippedChange]], Awaitable[ShipAnswer]]
"""(partition, origin, changes) -> the answer of the partition's leader; raises ApiError (Placement.merge)."""

Proposal = Callable[[Command], Awaitable[Proposed]]
"""Through the control group; raises ApiError (Placement.propose)."""


class RegionDoor:
    """`handle` is the link handler of the port that peer regions connect to."""

    def __init__(self, directory: Directory, merge: MergeItems, propose: Proposal) -> None:
        self._directory = directory
        self._merge = merge
        self._propose = propose
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, message: Any, reply: Reply | None, link: Link) -> None:
        """ShipChanges is answered by ShipAnswer or Refused, PeerCommand by Proposed or Refused."""
        if reply is None:
            return
        if len(self._tasks) >= IN_FLIGHT_MAX:
            reply(_refused(throttled()))
        elif isinstance(message, ShipChanges):
            self._start(self._answer(self._ship, message, reply))
        elif isinstance(message, PeerCommand):
            self._start(self._answer(self._command, message, reply))
        else:
            reply(
                _refused(validation("A peer region ships changes and tells of global tables, nothing else."))
            )

    async def stop(self) -> None:
        """Give up what is being worked on; the peers will send it again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- what is asked ----

    async def _ship(self, message: ShipChanges) -> ShipAnswer:
        table = self._directory.tables_by_global_id.get(message.global_id)
        if table is None:
            if message.global_id in self._directory.ended:
                return ShipAnswer(len(message.changes))
            # Its birth is on its way, or waits for a name that is taken here.
            raise resource_not_found(f"No global table {message.global_id} in this region yet")
        parts = self._parts(table, message.changes)
        if len(parts) == 1:
            partition, changes = parts[0]
            return await self._merge(partition, message.origin, changes)
        answers = await asyncio.gather(
            *(self._merge(partition, message.origin, changes) for partition, changes in parts),
            return_exceptions=True,
        )
        lost = 0
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            lost += answer.lost
        return ShipAnswer(lost)

    async def _command(self, message: PeerCommand) -> Proposed:
        command = told(message.command, message.origin)
        if command is None:
            raise validation("A region may only tell of global tables.")
        return await self._propose(command)

    def _parts(
        self, table: Table, changes: list[ShippedChange]
    ) -> list[tuple[Partition, list[ShippedChange]]]:
        """The changes by partition. ApiError when the table has no partitions at the moment."""
        parts: dict[int, tuple[Partition, list[ShippedChange]]] = {}
        for change in changes:
            if not _is_sound(change):
                raise validation("A shipped change is not a key and a record.")
            token = int.from_bytes(change.key[:_TOKEN_BYTES], "big")
            partition = self._directory.partition_for(table.id, token)
            if partition is None:
                raise service_unavailable(f"Table {table.name} has no partitions at the moment")
            parts.setdefault(partition.id, (partition, []))[1].append(change)
        return list(parts.values())

    # ---- how it is answered ----

    async def _answer(
        self, work: Callable[[M], Awaitable[ShipAnswer | Proposed]], message: M, reply: Reply
    ) -> None:
        try:
            answer: ShipAnswer | Proposed | Refused = await work(message)
        except ApiError as error:
            answer = _refused(error)
        except asyncio.CancelledError:
            reply(_refused(internal_server_error()))
            raise
        reply(answer)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)


def _is_sound(change: ShippedChange) -> bool:
    record = change.record
    return len(change.key) > _TOKEN_BYTES and len(record) > 13 and len(record) >= 14 + record[13]


def _refused(error: ApiError) -> Refused:
    extra = orjson.dumps(error.extra) if error.extra else b""
    return Refused(error.kind, error.message, error.status, extra, error.definite)
