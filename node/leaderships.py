"""Who should lead the groups of this node: another when it stops, the preferred one when that is back."""

from __future__ import annotations

from collections.abc import Mapping

from kvorum.node.engine import Engine
from kvorum.node.partition import Partition
from kvorum.replication.link import Link

TRUSTED_AFTER_US = 10_000_000
"""A node that has been back for so long gets its partitions again."""


class Leaderships:
    """A node's. `links`: to the other nodes of the region, by name."""

    def __init__(
        self, node: str, engine: Engine, partitions: Mapping[int, Partition], links: Mapping[str, Link]
    ) -> None:
        self._node = node
        self._engine = engine
        self._partitions = partitions
        self._links = links
        self._connected_since_us: dict[str, int] = {}

    def connected(self, name: str) -> None:
        self._connected_since_us[name] = self._engine.now_us()

    def disconnected(self, name: str) -> None:
        self._connected_since_us.pop(name, None)

    def hand_over(self) -> bool:
        """Pass leadership of every group to another replica, before a graceful stop. True when nothing is
        led any more that somebody else could lead."""
        now_us = self._engine.now_us()
        led = 0
        for replica in self._engine.replicas.values():
            if not replica.core.is_leader:
                continue
            voters = replica.core.voters.names
            heirs = [name for name in voters if name != self._node and self._is_connected(name)]
            if heirs:
                led += 1
                replica.core.transfer_leadership(min(heirs, key=self._load_of), now_us)
                self._engine.wake(replica)
        return led == 0

    def restore(self) -> None:
        """Spread the load again after failures: hand a partition to its preferred leader once that node has
        been back long enough to be trusted with it."""
        now_us = self._engine.now_us()
        for partition in self._partitions.values():
            preferred = partition.descriptor.preferred_leader
            since_us = self._connected_since_us.get(preferred)
            if (
                preferred != self._node
                and partition.replica.serving
                and since_us is not None
                and now_us - since_us > TRUSTED_AFTER_US
                and self._is_connected(preferred)
                and partition.replica.core.transfer_leadership(preferred, now_us)
            ):
                self._engine.wake(partition.replica)

    def _is_connected(self, name: str) -> bool:
        link = self._links.get(name)
        return link is not None and link.connected

    def _load_of(self, name: str) -> int:
        """How many groups this node believes `name` leads."""
        return sum(replica.leader == name for replica in self._engine.replicas.values())
