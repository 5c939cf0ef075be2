"""A Raft group by hand: every message, sync and tick happens when the test says so.

Messages wait on `wire` until `deliver`; writes wait until `sync`; `settle` does both until nothing moves.
`drops` decides what the network loses. Applied entries are checked against what others applied.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from kvorum.replication.raft.core import Core, Ready, Settings
from kvorum.replication.raft.messages import Entry, RaftMessage
from tests.kit.raft_simulation import TICK_US, Disk, Violation, Write


@dataclass(frozen=True, slots=True)
class Envelope:
    sender: str
    to: str
    message: RaftMessage


def drop_nothing(_: Envelope) -> bool:
    return False


class Cluster:
    def __init__(
        self, names: str = "abc", *, settings: Settings | None = None, core_class: type[Core] = Core
    ) -> None:
        self.names = tuple(names)
        self.settings = settings or Settings()
        self.core_class = core_class
        self.random = random.Random(1)
        self.now_us = 10_000_000
        self.wire: list[Envelope] = []
        self.drops: Callable[[Envelope], bool] = drop_nothing
        self.disks = {name: Disk() for name in self.names}
        self.held: dict[str, deque[tuple[int, list[tuple[str, RaftMessage]]]]] = {}
        self.applied: dict[str, list[Entry]] = {name: [] for name in self.names}
        self.truth: dict[int, Entry] = {}
        self.reads: list[tuple[str, int, int]] = []
        self.refused_reads: list[tuple[str, int]] = []
        self.cores: dict[str, Core] = {}
        self.watch: Callable[[str, Ready], None] = lambda name, ready: None
        self.overhear: Callable[[Envelope], None] = lambda envelope: None
        for name in self.names:
            self.restart(name)

    def __getitem__(self, name: str) -> Core:
        return self.cores[name]

    @property
    def leader(self) -> Core:
        (leader,) = (core for core in self.cores.values() if core.is_leader)
        return leader

    def restart(self, name: str, survivors: int = 0) -> Core:
        """Killed, with that many of its unsynced writes on the disk, and started again."""
        disk = self.disks[name]
        disk.crash(survivors)
        self.held[name] = deque()
        del self.applied[name][disk.written.applied :]
        self.cores[name] = self.core_class(
            group=1,
            name=name,
            voters=self.names,
            storage=disk,
            hard_state=disk.written.hard_state,
            applied=disk.written.applied,
            settings=self.settings,
            random=self.random,
            now_us=self.now_us,
        )
        return self.cores[name]

    def isolate(self, *names: str) -> None:
        """From now on, these hear nobody and nobody hears them."""
        self.drops = lambda envelope: envelope.sender in names or envelope.to in names

    def heal(self) -> None:
        self.drops = drop_nothing

    def pass_time(self, microseconds: int) -> None:
        self.now_us += microseconds

    def tick(self, *names: str, times: int = 1, settles: bool = True) -> None:
        """Of these, or of all; after each tick the rest settles."""
        for _ in range(times):
            self.now_us += TICK_US
            for name in names or self.names:
                self.cores[name].tick(self.now_us)
            if settles:
                self.settle()

    def campaign(self, name: str) -> None:
        self.cores[name].campaign(self.now_us)

    def elect(self, name: str) -> Core:
        self.campaign(name)
        self.settle()
        assert self.cores[name].is_leader
        return self.cores[name]

    def work(self, name: str) -> Ready | None:
        """Take a Ready, write it, put its messages on the wire, apply. Not synced yet."""
        core = self.cores[name]
        if not core.has_ready():
            return None
        ready = core.ready()
        self.watch(name, ready)
        applied = ready.committed[-1].index if ready.committed else None
        self.disks[name].write(Write(ready.number, ready.entries, ready.hard_state, applied))
        if ready.needs_sync:
            self.held[name].append((ready.number, ready.after_sync))
        else:
            assert not ready.after_sync
        self._post(name, ready.messages)
        for entry in ready.committed:
            if self.truth.setdefault(entry.index, entry) != entry:
                raise Violation(f"{name} applies another {entry.index}")
            self.applied[name].append(entry)
        if applied is not None:
            core.applied_to(applied)
        self.reads += [(name, context, index) for context, index in ready.reads]
        self.refused_reads += [(name, context) for context in ready.reads_refused]
        return ready

    def sync(self, name: str) -> None:
        disk = self.disks[name]
        number = disk.sync(len(disk.unsynced))
        if number:
            self.cores[name].persisted(number)
        while self.held[name] and self.held[name][0][0] <= number:
            self._post(name, self.held[name].popleft()[1])

    def deliver(self, wanted: Callable[[Envelope], bool] = lambda envelope: True) -> int:
        """What is on the wire now, and wanted; how many."""
        waiting, self.wire = self.wire, []
        delivered = 0
        for envelope in waiting:
            if wanted(envelope):
                delivered += 1
                self.overhear(envelope)
                self.cores[envelope.to].step(envelope.message, self.now_us)
            else:
                self.wire.append(envelope)
        return delivered

    def settle(self) -> None:
        for _ in range(10_000):
            for name in self.names:
                self.work(name)
                self.sync(name)
            if not self.deliver() and not any(core.has_ready() for core in self.cores.values()):
                return
        raise Violation("it never settles")

    def compact(self, name: str, index: int) -> None:
        self.disks[name].write(Write(0, [], None, None, index))
        self.cores[name].compacted_to(index)

    def _post(self, sender: str, messages: list[tuple[str, RaftMessage]]) -> None:
        envelopes = [Envelope(sender, to, message) for to, message in messages]
        self.wire += [envelope for envelope in envelopes if not self.drops(envelope)]
