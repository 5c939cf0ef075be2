"""Ships the changes of the partitions that this node leads to the peer regions: the shell of region/sender.

One sender per partition and peer region, all driven from the node's loop: a kick looks at every one, an answer
goes on with its own. Nothing runs per partition, and a sender without news costs a comparison.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

from kvorum.control.messages import SenderReport, ShipAnswer, ShipChanges, ShippedChange
from kvorum.model import change as change_log
from kvorum.model.change import Change
from kvorum.node.partition import Partition
from kvorum.node.store import Family, Store
from kvorum.replication.link import Link
from kvorum.replication.region.sender import Batch, RegionSender, SenderSettings

_log = logging.getLogger("kvorum.node")

SHIP_SECONDS_MAX = 10.0
BATCHES_A_KICK = 16
"""So many batches are begun by one kick, of all senders: after a long isolation the loop must stay free."""

BATCHES_AN_ANSWER = 2
"""So the number in flight grows to the window's size, as fast as the peer answers."""


class _Tail:
    """One partition's changes on their way to one region."""

    __slots__ = ("partition", "region", "sender", "shipping")

    def __init__(self, partition: Partition, region: str, sender: RegionSender) -> None:
        self.partition = partition
        self.region = region
        self.sender = sender
        self.shipping = False  # on the stack: an answer may come before `call` returns


class Senders:
    """`link_to`: a link to some router of a region, another one when that one failed; None while there is
    none. `propose_cursor(partition, region, index)` may lose what it is given."""

    def __init__(
        self,
        *,
        region: str,
        store: Store,
        link_to: Callable[[str], Link | None],
        propose_cursor: Callable[[int, str, int], None],
        now_ms: Callable[[], int],
        random: Random,
        settings: SenderSettings | None = None,
    ) -> None:
        self._region = region
        self._store = store
        self._link_to = link_to
        self._propose_cursor = propose_cursor
        self._now_ms = now_ms
        self._random = random
        self._settings = settings or SenderSettings()
        self._tails: dict[int, dict[str, _Tail]] = {}
        self._turn = 0

    # ---- which ----

    def follow(self, partition: Partition) -> None:
        """The partition's leadership or table may have changed."""
        wanted = self._peers_of(partition) if partition.replica.serving else set[str]()
        tails = self._tails.setdefault(partition.descriptor.id, {})
        for region in tails.keys() - wanted:
            del tails[region]
        for region in sorted(wanted - tails.keys()):
            tails[region] = _Tail(partition, region, self._new_sender(partition, region))
        if not tails:
            del self._tails[partition.descriptor.id]

    def forget(self, partition: Partition) -> None:
        """The partition leaves this node."""
        self._tails.pop(partition.descriptor.id, None)

    def stop(self) -> None:
        """Answers that are still to come change nothing any more."""
        self._tails.clear()

    # ---- when ----

    def kick(self) -> None:
        """Every now and then (100 ms), and it is no harm to call it more often."""
        tails = [tail for tails in self._tails.values() for tail in tails.values()]
        if not tails:
            return
        # Each kick begins one further on, so that none waits behind the same busy ones for ever.
        self._turn = (self._turn + 1) % len(tails)
        batches = BATCHES_A_KICK
        for tail in tails[self._turn :] + tails[: self._turn]:
            if batches:
                batches -= self._ship(tail, 1)
            self._advance(tail)

    def written(self, partition: Partition) -> None:
        """Changes of this partition have just been applied: ship without waiting for the next kick."""
        for tail in list(self._tails.get(partition.descriptor.id, {}).values()):
            self._ship(tail, 1)

    # ---- what to tell ----

    def reports(self) -> list[SenderReport]:
        now_ms = self._now_ms()
        return [
            SenderReport(number, region, tail.sender.cursor, tail.sender.lag_ms(now_ms))
            for number, tails in self._tails.items()
            for region, tail in tails.items()
        ]

    # ---- inside ----

    def _peers_of(self, partition: Partition) -> set[str]:
        return {region for region in partition.table.regions if region != self._region}

    def _new_sender(self, partition: Partition, region: str) -> RegionSender:
        return RegionSender(
            self._region.encode(),
            partition.machine.cursors.get(region, 0),
            partial(self._read, partition.descriptor.id),
            self._random.random,
            self._settings,
        )

    def _read(self, number: int, index: int, offset: int) -> Iterator[tuple[int, int, Change]]:
        lower = change_log.position(number, index, offset) + b"\0"
        upper = change_log.position(number + 1, 0, 0)
        for place, entry in self._store.scan(Family.CHANGES, lower, upper):
            yield change_log.index_of(place), change_log.offset_of(place), change_log.decode(entry)

    def _ship(self, tail: _Tail, batches_max: int) -> int:
        """Send what can be sent now. Returns the number of batches."""
        if tail.shipping:
            return 0
        tail.shipping = True
        sent = 0
        try:
            while sent < batches_max and tail.partition.replica.serving:
                batch = tail.sender.next_batch(tail.partition.machine.shown, self._now_ms())
                if batch is None:
                    break
                sent += 1
                self._send(tail, batch)
        finally:
            tail.shipping = False
        return sent

    def _send(self, tail: _Tail, batch: Batch) -> None:
        link = self._link_to(tail.region)
        if link is None:
            self._failed(tail, batch.number, "no router of it is connected")
            return
        changes = [ShippedChange(change.key, change.record) for change in batch.changes]
        message = ShipChanges(tail.partition.table.global_id, self._region, changes)
        link.call(message, partial(self._answered, tail, batch.number), SHIP_SECONDS_MAX)

    def _answered(self, tail: _Tail, number: int, answer: Any) -> None:
        if self._tails.get(tail.partition.descriptor.id, {}).get(tail.region) is not tail:
            return  # led no longer, or no longer wanted
        if isinstance(answer, ShipAnswer):
            if tail.sender.failing:
                self._log_state(logging.INFO, tail, "reached again")
            tail.sender.acknowledged(number, answer.lost)
            self._ship(tail, BATCHES_AN_ANSWER)
        else:
            self._failed(tail, number, repr(answer))

    def _failed(self, tail: _Tail, number: int, reason: str) -> None:
        if not tail.sender.failing:
            self._log_state(logging.WARNING, tail, f"cannot be reached: {reason}")
        tail.sender.failed(number, self._now_ms())

    def _log_state(self, level: int, tail: _Tail, what: str) -> None:
        _log.log(
            level,
            "a peer region %s",
            what,
            extra={"peer": tail.region, "partition": tail.partition.descriptor.id},
        )

    def _advance(self, tail: _Tail) -> None:
        replicated = tail.partition.machine.cursors.get(tail.region, 0)
        cursor = tail.sender.next_cursor(replicated, self._now_ms())
        if cursor is not None:
            self._propose_cursor(tail.partition.descriptor.id, tail.region, cursor)
