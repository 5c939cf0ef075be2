"""Many replicas of one Raft group in virtual time, on a network and on disks that misbehave by seed.

`Simulation(seed).run()` drives a safety phase under faults, heals everything, and then demands liveness. The
invariants are checked after every event, against one dumb truth: the list of what was ever committed. A
violation raises `Violation`, whose text names the seed; the same seed replays the same run.

Faults: messages lost, delayed, reordered, duplicated; links cut, also in one direction; processes killed, the
unsynced tail of their writes lost (a prefix stays); processes paused, while their clocks run on; slow disks;
clocks with offsets of their own and rates up to 2 % apart from true time either way; leadership transfers.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from kvorum.replication.raft.core import Core, HardState, Ready, Settings
from kvorum.replication.raft.messages import Entry, RaftMessage, VoteReply, VoteRequest

MILLISECOND = 1_000
SECOND = 1_000_000
TICK_US = 50 * MILLISECOND


FAULTS = (
    "kill_one",
    "bounce_one",
    "pause_one",
    "cut_links",
    "cut_a_pair",
    "lose_messages",
    "slow_a_disk",
    "transfer",
    "transfer_under_fire",
    "break_connection",
)


class Violation(AssertionError):
    """An invariant is broken."""


@dataclass(slots=True)
class Write:
    """One atomic batch, as a driver writes it: log, hard state and applied position together."""

    number: int  # of the Ready; 0 when none
    entries: list[Entry]
    hard_state: HardState | None
    applied: int | None
    compacted: int | None = None


@dataclass(slots=True)
class Contents:
    """What a disk holds. `entries[0]` has index `floor + 1`."""

    floor: int = 0
    floor_term: int = 0
    entries: list[Entry] = field(default_factory=list)
    hard_state: HardState = field(default_factory=lambda: HardState(0, None))
    applied: int = 0

    def take(self, write: Write) -> None:
        if write.entries:
            del self.entries[write.entries[0].index - self.floor - 1 :]
            self.entries += write.entries
        if write.hard_state is not None:
            self.hard_state = write.hard_state
        if write.applied is not None:
            self.applied = write.applied
        if write.compacted is not None:
            dropped = write.compacted - self.floor
            self.floor_term = self.entries[dropped - 1].term
            self.floor = write.compacted
            del self.entries[:dropped]

    def copy(self) -> Contents:
        return Contents(self.floor, self.floor_term, list(self.entries), self.hard_state, self.applied)

    def holds(self, entry: Entry) -> bool:
        position = entry.index - self.floor - 1
        return position < 0 or (position < len(self.entries) and self.entries[position] == entry)


class Disk:
    """A `LogStorage` that shows what was written, and forgets in a crash what was not synced."""

    def __init__(self) -> None:
        self.written = Contents()
        self.durable = Contents()
        self.unsynced: deque[Write] = deque()

    def first_index(self) -> int:
        return self.written.floor + 1

    def last_index(self) -> int:
        return self.written.floor + len(self.written.entries)

    def term(self, index: int) -> int | None:
        position = index - self.written.floor - 1
        if position == -1:
            return self.written.floor_term
        return self.written.entries[position].term if 0 <= position < len(self.written.entries) else None

    def entries(self, lower: int, upper: int, bytes_max: int) -> list[Entry]:
        found: list[Entry] = []
        weight = 0
        for entry in self.written.entries[lower - self.written.floor - 1 : upper - self.written.floor - 1]:
            weight += len(entry.data)
            if found and weight > bytes_max:
                break
            found.append(entry)
        return found

    def write(self, write: Write) -> None:
        self.written.take(write)
        self.unsynced.append(write)

    def sync(self, count: int) -> int:
        """The first `count` unsynced writes become durable; the number of the last Ready among them, or 0."""
        number = 0
        for _ in range(count):
            write = self.unsynced.popleft()
            self.durable.take(write)
            number = write.number or number
        return number

    def crash(self, survivors: int) -> None:
        """Of the unsynced writes the first `survivors` reach the disk."""
        self.sync(survivors)
        self.unsynced.clear()
        self.written = self.durable.copy()


@dataclass(frozen=True, slots=True)
class ClientWrite:
    term: int
    floor: int  # what had been seen by clients when it began


class Process:
    """A driver around one core: the same loop as a node's, reduced to what matters for the protocol."""

    def __init__(self, simulation: Simulation, name: str, dice: random.Random) -> None:
        self.simulation = simulation
        self.name = name
        self.disk = Disk()
        self.clock_offset_us = dice.randrange(0, 1 << 40)
        self.clock_rate = dice.uniform(0.98, 1.02)
        self.core: Core | None = None
        self.incarnation = 0
        self.paused = False
        self.slow_disk = False
        self.backlog: list[Callable[[], None]] = []
        self.syncing = False
        self.pass_due = False
        self.held: deque[tuple[int, list[tuple[str, RaftMessage]]]] = deque()
        self.writes: dict[int, ClientWrite] = {}
        self.reads: dict[int, int] = {}  # context: what clients had seen when it began
        self.confirmed: list[tuple[int, int]] = []
        self.commit_before = 0

    def clock_us(self) -> int:
        return self.clock_offset_us + int(self.simulation.now_us * self.clock_rate)

    def start(self) -> None:
        simulation = self.simulation
        self.incarnation += 1
        self.core = simulation.build_core(self)
        self.commit_before = self.core.commit_index
        self.syncing = self.pass_due = False
        self.held.clear()
        self.writes.clear()
        self.reads.clear()
        self.confirmed.clear()
        self.backlog.clear()
        simulation.after(simulation.dice.randrange(TICK_US), self.alive(self.tick))

    def alive(self, act: Callable[[], None]) -> Callable[[], None]:
        """Act in this incarnation only, and when paused, on waking up."""
        incarnation = self.incarnation

        def guarded() -> None:
            if self.core is None or self.incarnation != incarnation:
                return
            if self.paused:
                self.backlog.append(guarded)
                return
            act()
            self.look()

        return guarded

    def look(self) -> None:
        """After anything that happened: check, and have a pass made when there is something to do."""
        core = self.core
        assert core is not None
        self.simulation.check(self)
        if core.has_ready() and not self.pass_due:
            self.pass_due = True
            self.simulation.after(self.simulation.dice.randrange(400), self.alive(self.make_pass))

    def tick(self) -> None:
        assert self.core is not None
        self.core.tick(self.clock_us())
        jitter = self.simulation.dice.randrange(-TICK_US // 3, TICK_US // 3)
        self.simulation.after(TICK_US + jitter, self.alive(self.tick))

    def make_pass(self) -> None:
        assert self.core is not None
        self.pass_due = False
        ready = self.core.ready()
        for to, message in ready.messages:
            self.simulation.send(self.name, to, message)
        if ready.needs_sync or ready.committed:
            self.disk.write(
                Write(
                    ready.number,
                    ready.entries,
                    ready.hard_state,
                    ready.committed[-1].index if ready.committed else None,
                )
            )
        if ready.needs_sync:
            self.held.append((ready.number, ready.after_sync))
        elif ready.after_sync:
            raise Violation("messages wait for a sync that nobody asks for")
        self.simulation.check_entries(self, ready)
        for entry in ready.committed:
            self.apply(entry)
        self.confirmed += ready.reads
        for context in ready.reads_refused:
            del self.reads[context]
        self.answer_confirmed_reads()
        self.sync_if_idle()

    def apply(self, entry: Entry) -> None:
        assert self.core is not None
        self.simulation.check_applied(self, entry)
        self.core.applied_to(entry.index)
        write = self.writes.pop(entry.index, None)
        if write is not None and write.term == entry.term:
            self.simulation.acknowledge(entry.index, write.floor)

    def answer_confirmed_reads(self) -> None:
        assert self.core is not None
        version = self.core.applied_index
        for context, index in self.confirmed:
            if version >= index:
                self.simulation.check_read(self.name, "read_index", version, self.reads.pop(context))
        self.confirmed = [(context, index) for context, index in self.confirmed if version < index]

    def sync_if_idle(self) -> None:
        if self.syncing or not self.disk.unsynced:
            return
        self.syncing = True
        covered = len(self.disk.unsynced)
        delay_us = self.simulation.dice.randrange(
            100, 400 * MILLISECOND if self.slow_disk else 3 * MILLISECOND
        )
        self.simulation.after(delay_us, self.alive(lambda: self.synced(covered)))

    def synced(self, covered: int) -> None:
        assert self.core is not None
        self.syncing = False
        number = self.disk.sync(covered)
        if number:
            self.core.persisted(number)
        while self.held and self.held[0][0] <= number:
            for to, message in self.held.popleft()[1]:
                self.simulation.check_vote(self.name, to, message)
                self.simulation.send(self.name, to, message)
        self.sync_if_idle()

    def crash(self) -> None:
        dice = self.simulation.dice
        self.disk.crash(dice.randrange(len(self.disk.unsynced) + 1))
        self.core = None
        self.paused = False

    def resume(self) -> None:
        self.paused = False
        backlog, self.backlog = self.backlog, []
        for act in backlog:
            act()

    # What clients do

    def client_write(self, data: bytes) -> None:
        core = self.core
        assert core is not None
        index = core.propose(data)
        if index is not None:
            self.writes[index] = ClientWrite(core.term, self.simulation.seen)

    def client_lease_read(self) -> None:
        """Read first, check the lease afterwards: in between the process may be paused."""
        core = self.core
        assert core is not None
        if not core.serves:
            return
        term, version, floor = core.term, core.applied_index, self.simulation.seen

        def check() -> None:
            if core.term == term and self.clock_us() < core.lease_until_us():
                self.simulation.check_read(self.name, "lease", version, floor)

        self.simulation.after(self.simulation.dice.randrange(2 * MILLISECOND), self.alive(check))

    def client_index_read(self, context: int) -> None:
        assert self.core is not None
        if self.core.read_index(context):
            self.reads[context] = self.simulation.seen

    def compact(self) -> None:
        core = self.core
        assert core is not None
        index = min(core.shared_index, core.applied_index, self.disk.written.applied)
        if index > self.disk.written.floor:
            self.disk.write(Write(0, [], None, None, index))
            core.compacted_to(index)
            self.sync_if_idle()


class Simulation:
    def __init__(
        self,
        seed: int,
        *,
        core_class: type[Core] = Core,
        size: int | None = None,
        faults: tuple[str, ...] = (),
        fault_us: int = 6 * SECOND,
    ) -> None:
        self.seed = seed
        self.dice = dice = random.Random(seed)
        self.core_class = core_class
        self.fault_us = fault_us
        self.now_us = 0
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.sequence = 0
        names = tuple("abcdefg"[: size or dice.choice((1, 2, 3, 3, 3, 3, 4, 5))])
        self.settings = Settings(
            inflight_entries_max=dice.choice((1, 3, 4096)),
            inflight_bytes_max=dice.choice((200, 1 << 20)),
            append_bytes_max=dice.choice((1, 300, 1 << 20)),
            uncommitted_bytes_max=dice.choice((500, 1 << 20)),
            apply_bytes_max=dice.choice((1, 1 << 20)),
            cache_bytes_max=dice.choice((1, 600, 1 << 20)),
        )
        self.processes = {name: Process(self, name, dice) for name in names}
        self.names = names
        self.cut: set[tuple[str, str]] = set()
        self.loss = 0.0
        self.duplication = dice.choice((0.0, 0.05))
        self.delay_us_max = dice.choice((1, 5, 60)) * MILLISECOND
        # With few writes a replica that is cut off stays fit to be elected: that is when leases are at stake.
        self.write_share = dice.choice((1.0, 1.0, 0.03))
        # Each seed has some kinds of fault only: all of them at once hide each other's consequences.
        kinds = faults or tuple(dice.sample(FAULTS, dice.randrange(2, 7)))
        self.faults: list[Callable[[], None]] = [getattr(self, kind) for kind in (*kinds, "mend_links")]
        self.fault_interval_us_max = dice.choice((150, 600, 600, 1500)) * MILLISECOND
        self.is_faulty = True
        # The truth.
        self.committed: list[tuple[Entry, int]] = []  # entry of index i + 1, and the term that committed it
        self.leaders: dict[int, str] = {}
        self.votes: dict[tuple[str, int], str] = {}
        self.entries: dict[tuple[int, int], tuple[bytes, int]] = {}
        self.seen = 0  # the newest version that any client knows of
        self.acknowledged_count = 0
        self.lease_reads = 0
        self.index_reads = 0
        self.transfers = 0
        self.compactions = 0

    # The run

    def run(self) -> None:
        try:
            self._run()
        except Violation as violation:
            raise Violation(f"SIM_SEED={self.seed}, at {self.now_us} us: {violation}") from None
        except Exception as error:
            error.add_note(f"SIM_SEED={self.seed}, at {self.now_us} us")
            raise

    def _run(self) -> None:
        for process in self.processes.values():
            process.start()
        first = self.processes["a"]
        if first.core is not None:
            first.core.campaign(first.clock_us())
            first.look()
        self.after(10 * MILLISECOND, self.client)
        self.after(200 * MILLISECOND, self.fault)
        self.run_until(lambda: self.now_us >= self.fault_us)
        self.heal()
        acknowledged = self.acknowledged_count
        deadline_us = self.now_us + 15 * SECOND
        self.run_until(
            lambda: self.acknowledged_count > acknowledged + 3 or self.now_us > deadline_us,
        )
        self.stop_clients()
        self.run_until(lambda: self.is_settled() or self.now_us > deadline_us)
        if not self.is_settled() or self.acknowledged_count <= acknowledged:
            raise Violation(f"no liveness after healing: {self.describe()}")

    def run_until(self, done: Callable[[], bool]) -> None:
        while not done():
            self.now_us, _, act = heapq.heappop(self.queue)
            act()

    def after(self, delay_us: int, act: Callable[[], None]) -> None:
        self.sequence += 1
        heapq.heappush(self.queue, (self.now_us + delay_us, self.sequence, act))

    def build_core(self, process: Process) -> Core:
        contents = process.disk.written
        return self.core_class(
            group=1,
            name=process.name,
            voters=self.names,
            storage=process.disk,
            hard_state=contents.hard_state,
            applied=contents.applied,
            settings=self.settings,
            random=self.dice,
            now_us=process.clock_us(),
        )

    # The network

    def send(self, sender: str, to: str, message: RaftMessage) -> None:
        dice = self.dice
        if (sender, to) in self.cut or dice.random() < self.loss:
            return
        self.after(dice.randrange(self.delay_us_max) + 50, lambda: self.deliver(to, message))
        if self.is_faulty and dice.random() < self.duplication:
            self.after(dice.randrange(20 * self.delay_us_max) + 50, lambda: self.deliver(to, message))

    def deliver(self, to: str, message: RaftMessage) -> None:
        process = self.processes[to]

        def take() -> None:
            assert process.core is not None
            process.core.step(message, process.clock_us())

        process.alive(take)()

    # Faults and clients

    def fault(self) -> None:
        if not self.is_faulty:
            return
        dice = self.dice
        dice.choice(self.faults)()
        self.after(dice.randrange(20 * MILLISECOND, self.fault_interval_us_max), self.fault)

    def some_process(self) -> Process:
        """Any, but a leader more often: that is where it hurts."""
        leaders = [p for p in self.processes.values() if p.core is not None and p.core.is_leader]
        if leaders and self.dice.random() < 0.5:
            return self.dice.choice(leaders)
        return self.processes[self.dice.choice(self.names)]

    def kill_one(self) -> None:
        self.kill(self.some_process(), self.dice.choice((1, 50, 500, 1500)) * MILLISECOND)

    def bounce_one(self) -> None:
        """Dies, and is back before anyone notices."""
        self.kill(self.processes[self.dice.choice(self.names)], self.dice.randrange(5 * MILLISECOND))

    def kill(self, process: Process, down_us: int) -> None:
        if process.core is None:
            return
        process.crash()

        def restart() -> None:
            if process.core is None:
                process.start()

        self.after(down_us, restart)

    def pause_one(self) -> None:
        self.pause(self.some_process())

    def pause(self, process: Process) -> None:
        process.paused = True
        self.after(self.dice.choice((20, 300, 700, 2000)) * MILLISECOND, process.resume)

    def cut_links(self) -> None:
        dice = self.dice
        victim = self.some_process().name
        inward, outward = dice.choice(((True, True), (True, False), (False, True)))
        for other in self.names:
            if other != victim and dice.random() < 0.8:
                self.cut |= {(other, victim)} if inward else set()
                self.cut |= {(victim, other)} if outward else set()

    def cut_a_pair(self) -> None:
        """These two do not hear each other; both hear the rest."""
        one, other = self.some_process().name, self.dice.choice(self.names)
        self.cut |= {(one, other), (other, one)}

    def mend_links(self) -> None:
        self.cut.clear()
        self.loss = 0.0

    def lose_messages(self) -> None:
        self.loss = self.dice.choice((0.02, 0.2, 0.5))

    def slow_a_disk(self) -> None:
        process = self.some_process()
        process.slow_disk = not process.slow_disk

    def transfer(self) -> None:
        for process in self.processes.values():
            if process.core is not None and process.core.is_leader and not process.paused:
                if process.core.transfer_leadership(self.dice.choice(self.names), process.clock_us()):
                    self.transfers += 1
                process.look()

    def transfer_under_fire(self) -> None:
        """One end is paused, or cut off, at some moment of it."""
        before = [p for p in self.processes.values() if p.core is not None and p.core.is_leader]
        self.transfer()
        for process in before:
            transferee = process.core._transferee if process.core is not None else None
            victim = process if transferee is None or self.dice.random() < 0.5 else self.processes[transferee]
            self.after(self.dice.randrange(2 * self.delay_us_max), partial(self.pause, victim))

    def break_connection(self) -> None:
        process = self.some_process()
        if process.core is not None:
            process.core.unreachable(self.dice.choice(self.names))

    def heal(self) -> None:
        self.is_faulty = False
        self.write_share = 1.0
        self.cut.clear()
        self.loss = 0.0
        self.delay_us_max = min(self.delay_us_max, 5 * MILLISECOND)
        for process in self.processes.values():
            process.slow_disk = False
            if process.core is None:
                process.start()
            if process.paused:
                process.resume()

    def client(self) -> None:
        dice = self.dice
        process = self.some_process()
        if process.core is not None:
            context = self.sequence
            data = bytes([context & 255]) * dice.choice((1, 20, 200))
            compacts = dice.random() < 0.05
            writes = dice.choice((1, 1, 1, 5)) if dice.random() < self.write_share else 0

            def act() -> None:
                for _ in range(writes):
                    process.client_write(data)
                process.client_lease_read()
                process.client_index_read(context)
                if compacts:
                    process.compact()

            process.alive(act)()
        self.after(dice.randrange(2 * MILLISECOND, 60 * MILLISECOND), self.client)

    def stop_clients(self) -> None:
        self.client = lambda: None  # type: ignore[method-assign]

    # The invariants

    def check(self, process: Process) -> None:
        core = process.core
        assert core is not None
        if core.is_leader:
            self.check_leader(process, core)
        if core.commit_index != process.commit_before:
            if core.commit_index < process.commit_before:
                raise Violation(f"{process.name}: commit index went back to {core.commit_index}")
            process.commit_before = core.commit_index
            self.check_commit(process, core)

    def check_leader(self, process: Process, core: Core) -> None:
        first = self.leaders.setdefault(core.term, process.name)
        if first != process.name:
            raise Violation(f"election safety: {first} and {process.name} lead term {core.term}")
        self.check_leases()

    def check_leases(self) -> None:
        holders = [
            process.name
            for process in self.processes.values()
            if process.core is not None and process.core.lease_until_us() > process.clock_us()
        ]
        if len(holders) > 1:
            raise Violation(f"{holders} hold a lease at the same time")

    def check_completeness(self, process: Process, core: Core) -> None:
        for entry, term in self.committed:
            if term < core.term and core._log.term(entry.index) not in (entry.term, None):
                raise Violation(
                    f"leader completeness: {process.name} lacks {entry.index} in term {core.term}"
                )
        if core.last_index < max((e.index for e, term in self.committed if term < core.term), default=0):
            raise Violation(f"leader completeness: {process.name}'s log is short in term {core.term}")

    def check_commit(self, process: Process, core: Core) -> None:
        if core.commit_index > core.last_index:
            raise Violation(f"{process.name}: commits {core.commit_index}, holds {core.last_index}")
        while len(self.committed) < core.commit_index:
            index = len(self.committed) + 1
            term = core._log.term(index)
            entries, _ = core._log.cut(index, index + 1, 1)
            holders = sum(other.disk.durable.holds(entries[0]) for other in self.processes.values())
            if holders * 2 <= len(self.names):
                raise Violation(f"{process.name} commits {index} (term {term}), durable on {holders} only")
            self.committed.append((entries[0], core.term))

    def check_entries(self, process: Process, ready: Ready) -> None:
        """Log matching: an index and a term name one entry, after one predecessor. (A single voter matches
        with nobody, and may lose a term that no other ever heard of.)"""
        core = process.core
        assert core is not None
        if ready.leader_changed and core.is_leader:
            self.check_completeness(process, core)
        for entry in ready.entries if len(self.names) > 1 else ():
            before = core._log.term(entry.index - 1)
            if core._log.term(entry.index) != entry.term:
                continue
            known = self.entries.setdefault((entry.index, entry.term), (entry.data, before or 0))
            if known != (entry.data, before or 0):
                raise Violation(f"log matching: {process.name} holds another {entry.index}/{entry.term}")
        for to, message in ready.messages:
            self.check_vote(process.name, to, message)

    def check_applied(self, process: Process, entry: Entry) -> None:
        core = process.core
        assert core is not None
        if entry.index != core.applied_index + 1:
            raise Violation(f"{process.name} applies {entry.index} after {core.applied_index}")
        if self.committed[entry.index - 1][0] != entry:
            raise Violation(f"state machine safety: {process.name} applies another {entry.index}")

    def check_vote(self, name: str, to: str, message: RaftMessage) -> None:
        """What leaves the process and speaks of a vote: one a term, whatever crashes lie between."""
        if isinstance(message, VoteRequest) and not message.pre:
            candidate = name
        elif isinstance(message, VoteReply) and message.granted and not message.pre:
            candidate = to
        else:
            return
        earlier = self.votes.setdefault((name, message.term), candidate)
        if earlier != candidate:
            raise Violation(f"{name} votes for {earlier} and {candidate} in term {message.term}")

    def check_read(self, name: str, kind: str, version: int, floor: int) -> None:
        if version < floor:
            raise Violation(f"stale {kind} read at {name}: {version}, but {floor} was known when it began")
        self.seen = max(self.seen, version)
        if kind == "lease":
            self.lease_reads += 1
        else:
            self.index_reads += 1

    def acknowledge(self, index: int, floor: int) -> None:
        if index <= floor:
            raise Violation(f"write {index} comes before {floor}, which was known when it began")
        self.seen = max(self.seen, index)
        self.acknowledged_count += 1

    def is_settled(self) -> bool:
        """One leader, and all logs equal and applied."""
        cores = [process.core for process in self.processes.values()]
        if any(core is None for core in cores):
            return False
        ends = {(c.term, c.leader, c.last_index, c.commit_index, c.applied_index) for c in cores if c}
        return len(ends) == 1 and all(
            c.leader is not None and c.applied_index == c.last_index == len(self.committed)
            for c in cores
            if c
        )

    def describe(self) -> str:
        return "; ".join(
            f"{name}: {c.role.name} of {c.term} under {c.leader}, {c.applied_index}/{c.commit_index}/{c.last_index}"
            for name, process in self.processes.items()
            if (c := process.core) is not None
        )
