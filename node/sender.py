"""Ships the changes of the partitions that this node leads to whoever reads them, peer regions and global indexes:
the shell of replication/change_sender.

One sender per partition and reader, all driven from the node's loop: a kick looks at every one, an answer goes on
with its own. Nothing runs per partition, and a sender without news costs a comparison.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any

from kvorum.control.messages import SenderReport, ShipAnswer
from kvorum.node.change_reader import ChangeReader
from kvorum.node.partition import Partition
from kvorum.node.readers import Reader
from kvorum.node.store import Store
from kvorum.replication.change_sender import Batch, ChangeSender
from kvorum.replication.link import LinkFailure

_log = logging.getLogger("kvorum.node")

BATCHES_A_KICK = 16
"""So many batches are begun by one kick, of all senders: after a long isolation the loop must stay free."""

BATCHES_AN_ANSWER = 2
"""So the number in flight grows to the window's size, as fast as the reader answers."""

TOLD_AFTER_MS = 5_000
"""What fails for so long is news to an operator; less is an election, a restart, an index that is just being made, or
a table that is being deleted and has gone there first."""

MakeReader = Callable[[Callable[[], None]], Reader]
"""(again) -> a reader; `again()` has it advanced in a coming turn of the loop."""

ReadersOf = Callable[[Partition], Mapping[str, MakeReader]]
"""Who reads a partition's changes now, by a name that stays its own."""


class _Tail:
    """One partition's changes on their way to one reader."""

    __slots__ = ("failing_since_ms", "is_told", "name", "partition", "reader", "sender", "shipping")

    reader: Reader
    sender: ChangeSender

    def __init__(self, partition: Partition, name: str) -> None:
        self.partition = partition
        self.name = name
        self.failing_since_ms: int | None = None
        self.is_told = False
        self.shipping = False  # on the stack: an answer may come before `ship` returns


class Senders:
    """`call_soon`: in a coming turn of the loop."""

    def __init__(
        self,
        *,
        store: Store,
        readers_of: ReadersOf,
        now_ms: Callable[[], int],
        random: Random,
        call_soon: Callable[[Callable[[], None]], None],
    ) -> None:
        self._store = store
        self._readers_of = readers_of
        self._now_ms = now_ms
        self._random = random
        self._call_soon = call_soon
        self._tails: dict[int, dict[str, _Tail]] = {}
        self._logs: dict[int, ChangeReader] = {}
        self._turn = 0

    # ---- which ----

    def follow(self, partition: Partition) -> None:
        """The partition's leadership or readers may have changed."""
        wanted = self._readers_of(partition) if partition.replica.serving else {}
        number = partition.descriptor.id
        tails = self._tails.setdefault(number, {})
        for name in tails.keys() - wanted.keys():
            del tails[name]
        for name in sorted(wanted.keys() - tails.keys()):
            log = self._logs.setdefault(number, ChangeReader(number, self._store))
            tails[name] = self._new_tail(partition, name, wanted[name], log)
        if not tails:
            self.forget(partition)

    def forget(self, partition: Partition) -> None:
        """The partition leaves this node."""
        self._tails.pop(partition.descriptor.id, None)
        self._logs.pop(partition.descriptor.id, None)

    def stop(self) -> None:
        """Answers that are still to come change nothing any more."""
        self._tails.clear()
        self._logs.clear()

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
            self._advance(tail)

    # ---- what to tell ----

    def reports(self) -> list[SenderReport]:
        return [tail.reader.report(tail.sender) for tails in self._tails.values() for tail in tails.values()]

    # ---- inside ----

    def _new_tail(self, partition: Partition, name: str, make: MakeReader, log: ChangeReader) -> _Tail:
        tail = _Tail(partition, name)
        tail.reader = reader = make(partial(self._call_soon, partial(self._advance, tail)))
        tail.sender = ChangeSender(
            reader.cursor,
            log.read,
            reader.translate,
            self._random.random,
            reader.settings,
        )
        return tail

    def _is_wanted(self, tail: _Tail) -> bool:
        return self._tails.get(tail.partition.descriptor.id, {}).get(tail.name) is tail

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
        """Only a proven leader's: one that stood still for long could bring back what others have deleted since, and
        have forgotten that they did."""
        answered = partial(self._answered, tail, batch.number)

        def proven(is_leader: bool) -> None:
            if is_leader and self._is_wanted(tail):
                tail.reader.ship(batch.entries, answered)
            else:
                answered(LinkFailure(sent=False, reason="leads no longer"))

        tail.partition.replica.confirm(proven)

    def _answered(self, tail: _Tail, number: int, answer: Any) -> None:
        if not self._is_wanted(tail):
            return  # led no longer, or no longer wanted
        if isinstance(answer, ShipAnswer):
            tail.failing_since_ms = None
            if tail.is_told:
                tail.is_told = False
                _log.info("changes are delivered again", extra=_fields(tail))
            tail.sender.acknowledged(number, answer.lost)
            self._ship(tail, BATCHES_AN_ANSWER)
            self._advance(tail)
        else:
            self._failed(tail, number, repr(answer))

    def _failed(self, tail: _Tail, number: int, reason: str) -> None:
        now_ms = self._now_ms()
        tail.sender.failed(number, now_ms)
        if tail.failing_since_ms is None:
            tail.failing_since_ms = now_ms
        elif not tail.is_told and now_ms - tail.failing_since_ms >= TOLD_AFTER_MS:
            tail.is_told = True
            extra = {**_fields(tail), "reason": reason}
            _log.warning("changes cannot be delivered; they wait in the change log", extra=extra)

    def _advance(self, tail: _Tail) -> None:
        if self._is_wanted(tail):
            tail.reader.advance(tail.sender)


def _fields(tail: _Tail) -> dict[str, object]:
    return {"reader": str(tail.reader), "partition": tail.partition.descriptor.id}
