"""What deletions leave behind in one partition, and when it goes.

Beside an item's tombstone lies a key in the order in which tombstones expire, with the raft index at which it was
applied. The leader proposes which of them end; how long they have to live is its caller's affair.
"""

from __future__ import annotations

from itertools import islice

from kvorum.model import record as records
from kvorum.node.commands import PurgeTombstones, encode
from kvorum.node.machine import Machine
from kvorum.node.replica import Replica
from kvorum.node.store import Batch, Family, Store

_PREFIX = b"tombstone/"
_STAMP = slice(len(_PREFIX) + 8, len(_PREFIX) + 16)

Overlay = dict[bytes, tuple[int, bytes | None]]
"""By key: raft index and record of its last proposed write that is not shown yet."""


def tombstone_key(partition: int, stamp: int, key: bytes) -> bytes:
    return _PREFIX + partition.to_bytes(8, "big") + stamp.to_bytes(8, "big") + key


def erase_tombstones(partition: int, batch: Batch) -> None:
    prefix = _PREFIX + partition.to_bytes(8, "big")
    batch.delete_range(Family.META, prefix, prefix + b"\xff" * 16)


class Tombstones:
    """One partition's. `prefix`: of its items' keys in the store. `overlay`: shared; what is proposed here is entered."""

    def __init__(
        self,
        partition: int,
        prefix: bytes,
        machine: Machine,
        replica: Replica,
        store: Store,
        overlay: Overlay,
    ) -> None:
        self.purges_on = False
        """Whether the last purge has left expired tombstones behind."""
        self._partition = partition
        self._prefix = prefix
        self._machine = machine
        self._replica = replica
        self._store = store
        self._overlay = overlay
        self._marked = self._settled = 0
        self._purged_stamp = 0

    def mark(self) -> None:
        """Called once a minute: what is applied now will have been here for a minute when the next mark is set."""
        self._settled, self._marked = self._marked, self._machine.applied
        self._purged_stamp = 0

    def purge(self, older_than_stamp: int, count_max: int) -> int:
        """Propose the end of tombstones that are older. Returns how many.

        Also of those only what has been here for a minute (`mark`): a change may come late with an old stamp, and its
        tombstone must outlive the messages that it overtook.
        """
        self.purges_on = False
        if not self._replica.serving:
            return 0
        expired = self._expired(older_than_stamp, count_max)
        if expired:
            command = PurgeTombstones(expired)
            index = self._replica.propose(encode(command), command, lambda _: None)
            if index is not None:
                self._purged_stamp = expired[-1][1]
                self.purges_on = len(expired) == count_max
                for key, _, erase in expired:
                    if erase:
                        self._overlay[key] = (index, None)
        return len(expired)

    def _expired(self, older_than_stamp: int, count_max: int) -> list[tuple[bytes, int, bool]]:
        """As PurgeTombstones has them."""
        # From where the last purge ended: the store would have to step over everything that was removed before.
        lower = tombstone_key(self._partition, self._purged_stamp, b"")
        upper = tombstone_key(self._partition, older_than_stamp, b"")
        expired: list[tuple[bytes, int, bool]] = []
        for entry, applied in islice(self._store.scan(Family.META, lower, upper), 4 * count_max):
            if int.from_bytes(applied, "big") > self._settled:
                continue
            key, stamp = entry[_STAMP.stop :], int.from_bytes(entry[_STAMP], "big")
            pending = self._overlay.get(key)
            current = pending[1] if pending else self._store.get(Family.DATA, self._prefix + key)
            erase = (
                current is not None and records.is_tombstone(current) and records.stamp_of(current) == stamp
            )
            expired.append((key, stamp, erase))
            if len(expired) == count_max:
                break
        return expired
