"""On which nodes the replicas of a new partition live, and which of them should lead it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kvorum.control.state import NodeRecord, Partition
from kvorum.model.errors import service_unavailable

Placement = tuple[tuple[str, ...], str]
"""(replicas, preferred leader): names of nodes."""


def placements(
    nodes: Iterable[NodeRecord], partitions: Iterable[Partition], replicas: int
) -> Iterator[Placement]:
    """Places for one new partition after the other, without end: each replica in another zone, on nodes that hold
    fewest; leaders where fewest are preferred. Names break ties, so that every member of the control group finds
    the same. Raises ServiceUnavailable while nodes of fewer zones than `replicas` have registered."""
    zones: dict[str, list[str]] = {}
    for node in nodes:
        zones.setdefault(node.zone, []).append(node.name)
    if len(zones) < replicas:
        raise service_unavailable(
            f"A table needs storage nodes in {replicas} zones; {len(zones)} have registered so far."
        )
    held = {name: 0 for names in zones.values() for name in names}
    led = dict(held)
    for partition in partitions:
        if not partition.dropping:
            for name in partition.replicas:
                held[name] += 1
            led[partition.preferred_leader] += 1
    return _spread(list(zones.values()), replicas, held, led)


def _spread(
    zones: list[list[str]], replicas: int, held: dict[str, int], led: dict[str, int]
) -> Iterator[Placement]:
    while True:
        least = [min(names, key=lambda name: (held[name], name)) for names in zones]
        chosen = sorted(least, key=lambda name: (held[name], name))[:replicas]
        leader = min(chosen, key=lambda name: (led[name], name))
        for name in chosen:
            held[name] += 1
        led[leader] += 1
        yield tuple(chosen), leader
