"""When an operator hears of replicas that may have lost their disk (node/replica).

A replica that its store knows nothing of, though its group has formed, looks the same whether the disk was lost or the
table was made while this node was down. In the second case, and whenever the group's log still reaches back, it has
what it lacks within a moment. So only what lasts is told.
"""

from __future__ import annotations

import logging

from kvorum.node.replica import Replica

_log = logging.getLogger("kvorum.node")

TOLD_AFTER_US = 10_000_000


class Suspicions:
    """A node's."""

    def __init__(self) -> None:
        self._since_us: dict[int, int] = {}
        self._told: set[int] = set()

    def look(self, replicas: dict[int, Replica], now_us: int) -> None:
        """Called every now and then. `replicas`: those of this node, by group."""
        suspects = {group for group, replica in replicas.items() if replica.suspect}
        for group in self._since_us.keys() - suspects:
            del self._since_us[group]
            if group in self._told:
                self._told.remove(group)
                if group in replicas:
                    _log.info(
                        "a replica holds again what was committed: it votes", extra={"partition": group}
                    )
        for group in suspects:
            since_us = self._since_us.setdefault(group, now_us)
            if now_us - since_us >= TOLD_AFTER_US and group not in self._told:
                self._told.add(group)
                _log.error(
                    "a replica of a formed partition is missing from this node's disk; it will not vote until it"
                    " holds again what was committed",
                    extra={"partition": group},
                )
