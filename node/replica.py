"""One replica of one group: the raft core, its log in the store, its state machine, and who waits for what.

Decides nothing by itself: the engine gives it passes and ticks, the machine evaluates. A proposer's `done`
runs exactly once. An entry that a newer leader overwrote certainly did not happen, and its proposer is told
so (Elsewhere); one whose fate is open stays open until this replica applies something at its index.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from kvorum.control.messages import Elsewhere, Refused
from kvorum.model.errors import throttled
from kvorum.node.answers import disk_is_full, fate_unknown, refused
from kvorum.node.machine import Machine
from kvorum.node.raft_log import RaftLog
from kvorum.node.store import Batch
from kvorum.replication.raft.core import Core, Ready, Refusal
from kvorum.replication.raft.messages import (
    AppendRequest,
    Entry,
    EntryKind,
    RaftMessage,
    TimeoutNow,
    VoteRequest,
)

TRUNCATE_ENTRIES = 1_024
"""The log's shared prefix is dropped in steps of this many entries: one range tombstone for each."""

Done = Callable[[Any], None]

Result = tuple[int, Any]
"""An applied entry's index, and what its proposer is told."""


class Waker(Protocol):
    """The engine, as a replica sees it."""

    def wake(self, replica: Replica) -> None: ...

    def now_us(self) -> int: ...

    def writable(self) -> bool: ...

    @property
    def running(self) -> bool: ...


class Replica:
    """`group` 0 is the control group, any other a partition. `suspect`: this store holds nothing of the group,
    though the group may have formed before: the disk was perhaps lost."""

    def __init__(
        self, group: int, core: Core, log: RaftLog, machine: Machine, engine: Waker, *, suspect: bool = False
    ) -> None:
        self.group = group
        self.core = core
        self.log = log
        self.machine = machine
        self.suspect = suspect
        self.alone = len(core.voters.names) == 1
        self.awake = False  # in the engine's list for the next pass
        self._engine = engine
        self._waiting: dict[int, tuple[int, Done, Any]] = {}
        self._reads: dict[int, Callable[[bool], None]] = {}
        self._read_number = 0
        self._truncated = log.first_index() - 1
        self._beginners: set[str] = set()
        self._committed_elsewhere = 0
        self._suspect_on_disk = None if suspect else False
        self._serving = False

    # ---- what services ask ----

    @property
    def serving(self) -> bool:
        return self.core.serves

    @property
    def leader(self) -> str | None:
        return self.core.leader

    def propose(self, data: bytes, command: Any, done: Done) -> int | None:
        core = self.core
        if not core.is_leader:
            done(Elsewhere(self.group, core.leader))
            return None
        if not self._engine.writable():
            done(disk_is_full())
            return None
        index = core.propose(data)
        if index is None:
            full = core.refusal() is Refusal.TOO_MUCH_UNCOMMITTED
            done(refused(throttled()) if full else Elsewhere(self.group, core.leader))
            return None
        overwritten = self._waiting.get(index)
        self._waiting[index] = (core.term, done, command)
        if overwritten is not None:  # proposed in an earlier term of ours, and not in the log any more
            overwritten[1](Elsewhere(self.group, core.leader))
        if not self.awake:
            self._engine.wake(self)
        return index

    def confirm(self, done: Callable[[bool], None]) -> None:
        """`done(True)` once this replica is proven to have been the leader at some moment after this call;
        `done(False)` when that cannot be proven. Synchronous while the lease holds: callers read first and
        confirm then, so a leader that was paused between the two finds its lease gone."""
        if self._engine.now_us() < self.core.lease_until_us():
            done(True)
            return
        self._read_number += 1
        if not self._engine.running or not self.core.read_index(self._read_number):
            done(False)
            return
        self._reads[self._read_number] = done
        self._engine.wake(self)

    def when_resolved(self, index: int, done: Callable[[bool], None]) -> None:
        """`done(True)` once the entry proposed here at `index` is applied; `done(False)` when nobody here will
        see that: another entry took its place, or this replica was closed."""
        waiter = self._waiting.get(index)
        if waiter is None:
            if index <= self.machine.applied:
                self.confirm(done)
            else:
                done(False)
            return
        term, first, command = waiter

        def both(result: Any) -> None:
            first(result)
            done(not isinstance(result, (Elsewhere, Refused)))

        self._waiting[index] = (term, both, command)

    # ---- what the engine drives ----

    def step(self, message: RaftMessage, now_us: int) -> None:
        if self.suspect and self._must_ignore(message, now_us):
            return
        self.core.step(message, now_us)
        if not self.awake:
            self._engine.wake(self)

    def write_ready(self, ready: Ready, batch: Batch) -> list[Result]:
        """Put everything of `ready` into the batch; returns what is to be settled."""
        if ready.entries and not self.alone:
            self.log.append(ready.entries, batch)
        if ready.hard_state is not None:
            self.log.save_hard_state(ready.hard_state, batch)
        committed = ready.committed
        if self.suspect and committed:
            self._settle_suspicion(committed[-1])
        if self.suspect is not self._suspect_on_disk:
            self._suspect_on_disk = self.suspect
            self.log.save_suspicion(self.suspect, batch)
        if not committed:
            return []
        results = [(entry.index, self._apply(entry, batch)) for entry in committed]
        last = committed[-1]
        self.machine.checkpoint(last.index, batch)
        if self.alone:  # entries and effects share the batch, so there is nothing to read a log back for
            self.log.skip_to(last.index, last.term, batch)
        return results

    def settle(self, results: list[Result]) -> None:
        """The effects may be shown, and their proposers told: they are in the store, and, where this replica
        is the only one, on its disk."""
        if not results:
            return
        self.machine.show(results[-1][0])
        waiting = self._waiting
        for index, result in results:
            waiter = waiting.pop(index, None)
            if waiter is not None:
                waiter[1](result)

    def after_write(self, ready: Ready) -> None:
        """The batch is in the store."""
        if ready.committed:
            index = ready.committed[-1].index
            self.core.applied_to(index)
            if self.alone:
                self.core.compacted_to(index)
        for context, _ in ready.reads:
            self._reads.pop(context)(True)
        for context in ready.reads_refused:
            self._reads.pop(context)(False)
        if ready.leader_changed or self._serving != self.core.serves:
            self._serving = self.core.serves
            self.machine.leadership_changed()

    def truncate(self, batch: Batch) -> None:
        """Drop the log's prefix that every voter holds and this replica has applied."""
        index = min(self.core.shared_index, self.core.applied_index)
        if index - self._truncated >= TRUNCATE_ENTRIES:
            self.log.truncate(index, batch)
            self.core.compacted_to(index)
            self._truncated = index

    def close(self) -> None:
        """The replica leaves this node: nobody who waits here will get an answer from it."""
        reads, self._reads = self._reads, {}
        for read in reads.values():
            read(False)
        self.abandon()

    def abandon(self, answer: Refused | None = None) -> None:
        """Tell everybody who waits for an entry that its fate is unknown here, or `answer`."""
        waiting, self._waiting = self._waiting, {}
        for _, done, _ in waiting.values():
            done(answer or fate_unknown())

    def _must_ignore(self, message: RaftMessage, now_us: int) -> bool:
        """Whether a replica that may have lost its disk must be deaf to `message`: an empty log would vote for
        anybody, and with it an acknowledged write could be outvoted. That ends when it holds what is committed
        (`_settle_suspicion`), or when all others have shown by asking for its vote that their logs are empty
        too: then the group has never been there."""
        match message:
            case VoteRequest(last_index=0):
                self._beginners.add(message.sender)
                if len(self._beginners) == len(self.core.voters.names) - 1:
                    self.suspect = False
                    if self.core.name == min(self.core.voters.names):
                        self.core.campaign(now_us)  # one of them, so that they do not split their votes
            case AppendRequest():
                self._committed_elsewhere = max(self._committed_elsewhere, message.commit)
            case _:
                pass
        return self.suspect and isinstance(message, VoteRequest | TimeoutNow)

    def _settle_suspicion(self, last: Entry) -> None:
        """With an entry of the leader's own term it has everything that was committed before that term; with
        all that the leader called committed, everything that it may have acknowledged itself."""
        if last.term == self.core.term and last.index >= self._committed_elsewhere:
            self.suspect = False

    def _apply(self, entry: Entry, batch: Batch) -> Any:
        """What its proposer is told, if one waits here."""
        waiter = self._waiting.get(entry.index)
        if waiter is not None and waiter[0] == entry.term:
            return self.machine.apply(entry, waiter[2], batch)
        if entry.kind is EntryKind.COMMAND:
            self.machine.apply(entry, None, batch)
        return Elsewhere(self.group, self.core.leader)  # whoever proposed here, it was another entry
