"""Who follows a partition's changes, and how each of them is told: what node/sender drives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from kvorum.control.messages import SenderReport, ShipChanges, ShippedChange
from kvorum.model.change import Change
from kvorum.model.record import region_of
from kvorum.node.commands import AdvanceCursor
from kvorum.node.partition import Partition
from kvorum.replication.change_sender import ChangeSender, SenderSettings
from kvorum.replication.link import Link, LinkFailure, Reply

SHIP_SECONDS_MAX = 10.0

Entries = list[tuple[bytes, bytes]]
"""Keys and records."""


class Reader(Protocol):
    """One reader of one partition's changes, for as long as its leader serves. `settings`: how it likes them."""

    @property
    def settings(self) -> SenderSettings: ...

    @property
    def cursor(self) -> int:
        """As replicated: raft index up to which it holds every change."""
        ...

    def translate(self, change: Change) -> Iterable[tuple[bytes, bytes]]:
        """What a change says to this reader."""
        ...

    def ship(self, entries: Entries, done: Reply) -> None:
        """`done(ShipAnswer)` once all of it is durable there, or `done` of anything else; perhaps at once."""
        ...

    def advance(self, sender: ChangeSender) -> None:
        """Propose what is now known of its progress. Called often."""
        ...

    def report(self, sender: ChangeSender) -> SenderReport: ...

    def __str__(self) -> str:
        """For logs."""
        ...


@dataclass(slots=True)
class RegionReader:
    """A peer region. It is shipped what was written in this region: every region ships to every other (a full mesh),
    so what came from a peer is on its way from there. `link_to`: a link to some router of a region, another one when
    that one failed; None while there is none."""

    partition: Partition
    own: str
    peer: str
    link_to: Callable[[str], Link | None]
    now_ms: Callable[[], int]
    settings: SenderSettings

    @property
    def cursor(self) -> int:
        return self.partition.machine.cursors.get(self.peer, 0)

    def translate(self, change: Change) -> Iterable[tuple[bytes, bytes]]:
        return ((change.key, change.record),) if region_of(change.record) == self.own.encode() else ()

    def ship(self, entries: Entries, done: Reply) -> None:
        link = self.link_to(self.peer)
        if link is None:
            done(LinkFailure(sent=False, reason="no router of it is connected"))
            return
        changes = [ShippedChange(key, record) for key, record in entries]
        link.call(ShipChanges(self.partition.table.global_id, self.own, changes), done, SHIP_SECONDS_MAX)

    def advance(self, sender: ChangeSender) -> None:
        cursor = sender.next_cursor(self.cursor, self.now_ms())
        if cursor is not None:
            self.partition.propose(AdvanceCursor(self.peer, cursor))

    def report(self, sender: ChangeSender) -> SenderReport:
        lag_ms = sender.lag_ms(self.now_ms())
        return SenderReport(self.partition.descriptor.id, self.peer, sender.cursor, lag_ms)

    def __str__(self) -> str:
        return f"region {self.peer}"
