"""What a node tells the others of itself, unasked: where it is, which partitions it leads, how its replicas stand.

All of it is casts that may be lost. Leadership is told as it changes, and whole to whoever connects; reports are
repeated; registration is proposed again until the directory shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kvorum.control.directory import Directory
from kvorum.control.messages import Leading, NodeReport, Propose, ReplicaReport
from kvorum.control.state import RegisterNode
from kvorum.node.control_group import ControlService
from kvorum.node.replica import Replica
from kvorum.replication.link import Link


class Announcer:
    """`identity`: what the control group should know of this node. `links`: to the other nodes by name.
    `control`: the control group's service where this node hosts it. `indexed`: the global indexes that have everything
    of a partition which this node leads."""

    def __init__(
        self,
        identity: RegisterNode,
        control_members: tuple[str, ...],
        replicas: Mapping[int, Replica],
        directory: Directory,
        links: Mapping[str, Link],
        control: Callable[[], ControlService | None],
        indexed: Callable[[int], tuple[int, ...]],
    ) -> None:
        self._identity = identity
        self._control_members = control_members
        self._replicas = replicas
        self._directory = directory
        self._links = links
        self._control = control
        self._indexed = indexed
        self._listeners: dict[int, Link] = {}
        self._leading: dict[int, int] = {}  # as last told

    def connected(self, link: Link) -> None:
        self._listeners[id(link)] = link
        link.cast(Leading(self._identity.name, list(self._leading.items())))

    def disconnected(self, link: Link) -> None:
        self._listeners.pop(id(link), None)

    def leadership_changed(self) -> None:
        """Some replica of this node may lead now, or lead no longer."""
        leading = {
            group: replica.core.term for group, replica in self._replicas.items() if group and replica.serving
        }
        told, self._leading = self._leading, leading
        changed = [pair for pair in leading.items() if told.get(pair[0]) != pair[1]]
        changed += [(group, 0) for group in told if group not in leading]
        if changed:
            message = Leading(self._identity.name, changed)
            for link in list(self._listeners.values()):
                link.cast(message)
            self.report()

    def report(self) -> None:
        """To every member of the control group."""
        report = NodeReport(self._identity.name, self._directory.version, self.reports())
        for member in self._control_members:
            if member == self._identity.name:
                control = self._control()
                if control is not None:
                    control.handle(report, None, None)
            elif (link := self._links.get(member)) is not None:
                link.cast(report)

    def reports(self) -> list[ReplicaReport]:
        return [
            ReplicaReport(
                group,
                replica.leader,
                replica.core.term,
                replica.core.applied_index,
                replica.core.commit_index,
                self._indexed(group),
            )
            for group, replica in self._replicas.items()
        ]

    @property
    def registered(self) -> bool:
        """Whether the directory knows this node as it is."""
        identity = self._identity
        known = self._directory.nodes.get(identity.name)
        return known is not None and (known.zone, known.address) == (identity.zone, identity.address)

    def register(self) -> None:
        """Propose it: here when this node leads the control group, else to whoever may."""
        message = Propose(self._identity)
        control = self._control()
        if control is not None and control.leading:
            control.handle(message, lambda _: None, None)
            return
        for member in self._control_members:
            link = self._links.get(member)
            if link is not None and link.connected:
                link.call(message, lambda _: None, 2.0)
