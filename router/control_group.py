"""A router's side of the control group: proposals to whoever leads it, and waiting for what they bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from kvorum.control.directory import Directory
from kvorum.control.messages import Elsewhere, Propose, Proposed, Refused
from kvorum.control.state import Command, CreateTable, DeleteTable, UpdateTable
from kvorum.model import errors
from kvorum.model.table import TableStatus
from kvorum.replication.link import Link, LinkFailure
from kvorum.router.answers import error_of
from kvorum.router.awaited import Awaited, Clocks, finish, pause
from kvorum.router.request import PlacementLimits

RETRY_SECONDS = 0.05


class ControlGroup:
    """`links`: by node name; any of them may lead."""

    def __init__(
        self, directory: Directory, links: Mapping[str, Link], clocks: Clocks, limits: PlacementLimits
    ) -> None:
        self._directory = directory
        self._links = links
        self._clocks = clocks
        self._limits = limits
        self._leader: str | None = None
        self._conditions: dict[asyncio.Future[None], Callable[[], bool]] = {}

    def directory_changed(self) -> None:
        for changed, condition in self._conditions.items():
            if condition():
                finish(changed)

    async def propose(self, command: Command) -> Proposed:
        """A proposal that may have been made is made again only where the control group knows it by its
        identity (a table's birth, an update, a peer region's command); otherwise InternalServerError says so."""
        repeatable = isinstance(command, CreateTable | UpdateTable) or (
            isinstance(command, DeleteTable) and command.origin != ""
        )
        deadline = self._clocks.monotonic() + self._limits.request_seconds
        tried: set[str] = set()
        pending = (
            False  # an attempt whose fate is unknown may still take effect, whatever a later one is told
        )
        while True:
            if self._clocks.monotonic() >= deadline:
                raise errors.internal_server_error() if pending else errors.service_unavailable()
            link = self._link(tried)
            if link is None:
                await pause(self._clocks, RETRY_SECONDS)
                tried.clear()
                continue
            tried.add(link.peer)
            remaining = deadline - self._clocks.monotonic()
            attempt_seconds = min(remaining, self._limits.strong_attempt_seconds) if repeatable else remaining
            answer = await self._call(link, Propose(command), attempt_seconds)
            match answer:
                case Proposed():
                    self._leader = link.peer
                    await self._reach(answer.version, deadline)
                    return answer
                case Refused():
                    raise errors.internal_server_error() if pending else error_of(answer)
                case Elsewhere():
                    self._leader = answer.leader
                case LinkFailure(sent=sent) if repeatable or not sent:
                    self._leader = None
                    pending = pending or sent
                case _:
                    raise errors.internal_server_error()

    async def wait_active(self, table_id: int, timeout_seconds: float) -> bool:
        def settled() -> bool:
            table = self._directory.tables_by_id.get(table_id)
            return table is None or table.status is TableStatus.ACTIVE

        await self._until(settled, timeout_seconds)
        table = self._directory.tables_by_id.get(table_id)
        return table is not None and table.status is TableStatus.ACTIVE

    async def wait_told(self, global_id: str, timeout_seconds: float) -> bool:
        def told() -> bool:
            return all(
                operation.command.global_id != global_id
                for operation in self._directory.peer_operations.values()
                if isinstance(operation.command, CreateTable | DeleteTable)
            )

        return await self._until(told, timeout_seconds)

    async def propose_from_peer(self, command: Command) -> Proposed:
        """A peer region's command. A table's birth is answered when the table is ready here."""
        proposed = await self.propose(command)
        if isinstance(command, CreateTable):
            table = self._directory.tables_by_global_id.get(command.global_id)
            if table is not None:
                await self.wait_active(table.id, self._limits.strong_attempt_seconds)
        return proposed

    async def wait_directory(self) -> None:
        """Until the first directory has come; ServiceUnavailable after a request's time."""
        if not await self._until(lambda: self._directory.version >= 0, self._limits.request_seconds):
            raise errors.service_unavailable()

    async def _reach(self, version: int, deadline: float) -> None:
        remaining = deadline - self._clocks.monotonic()
        if not await self._until(lambda: self._directory.version >= version, remaining):
            raise errors.internal_server_error()

    async def _until(self, condition: Callable[[], bool], timeout_seconds: float) -> bool:
        """Wait for the directory to fulfil `condition`, looked at after every change."""
        if condition():
            return True
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._conditions[changed] = condition
        timer = self._clocks.call_later(timeout_seconds, lambda: finish(changed))
        try:
            await changed
        finally:
            timer.cancel()
            self._conditions.pop(changed, None)
        return condition()

    async def _call(self, link: Link, message: Any, timeout_seconds: float) -> Any:
        answer: Awaited[Any] = Awaited()
        link.call(message, answer, timeout_seconds)
        return await answer.get()

    def _link(self, tried: set[str]) -> Link | None:
        """The control leader as far as known, else any node not yet asked."""
        names = sorted(self._links)
        if self._leader is not None:
            names.insert(0, self._leader)
        for name in names:
            link = self._links.get(name)
            if link is not None and link.connected and name not in tried:
                return link
        return None
