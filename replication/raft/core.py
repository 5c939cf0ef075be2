"""The consensus of one group, as a state machine without I/O (Raft; section numbers of the thesis).

Inputs: a peer's message into `step`, a clock tick into `tick`, a command into `propose`. Output: `ready()`,
everything that is to be written, sent and applied since the last one. Writing is asynchronous: several Readies
may be under way to the disk, `persisted` tells when they are there. The core reads no clock and knows no
network; the time that it is handed is one process's monotonic clock in microseconds.

Nothing that a peer sends is trusted to be possible: what is stale or cannot be is dropped and counted.

Leases. A voter that hears from a leader promises to elect no other for `Settings.promise_us`, measured from
when it hears; the leader serves reads for the shorter `lease_us` from when it sent what a majority answered.
The promise binds a voter's pre-votes, its votes and its own campaigns; it survives a restart, because a
restarted voter behaves as if it had heard from a leader that instant. Only an election that the leader itself
asked for (transfer) may break it, so a leader that asked for one has no lease for the rest of its term.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from kvorum.replication.raft.log import ENTRY_OVERHEAD_BYTES, Log, LogLostError
from kvorum.replication.raft.messages import (
    AppendReply,
    AppendRequest,
    Entry,
    EntryKind,
    Heartbeat,
    HeartbeatReply,
    RaftMessage,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from kvorum.replication.raft.progress import NEVER_US, Progress
from kvorum.replication.raft.quorum import Outcome, Voters
from kvorum.replication.raft.reads import ReadQueue
from kvorum.replication.raft.ready import Ready
from kvorum.replication.raft.settings import Settings
from kvorum.replication.raft.storage import HardState, LogStorage

__all__ = [
    "FOREVER",
    "Core",
    "HardState",
    "LogLostError",
    "LogStorage",
    "RandomSource",
    "Ready",
    "Refusal",
    "Role",
    "Settings",
]

FOREVER = 1 << 62


class RandomSource(Protocol):
    """What `random.Random` offers and the core needs."""

    def randrange(self, start: int, stop: int, /) -> int: ...


class Role(IntEnum):
    FOLLOWER = 0
    PRE_CANDIDATE = 1
    CANDIDATE = 2
    LEADER = 3


class Refusal(IntEnum):
    """Why a proposal definitely did not happen."""

    NOT_LEADER = 1
    TRANSFERRING = 2
    TOO_MUCH_UNCOMMITTED = 3


class Core:
    """One replica of one group. `applied`: the last entry that the state machine holds. Raises `LogLostError`
    when the log ends before that."""

    __slots__ = (
        "_dirty",
        "_elapsed_ticks",
        "_given_leader",
        "_given_term",
        "_hard_state_due",
        "_heard_us",
        "_heartbeat_due",
        "_heartbeat_elapsed_ticks",
        "_lease_forfeited",
        "_lease_start_us",
        "_log",
        "_messages",
        "_messages_after_sync",
        "_now_us",
        "_number",
        "_peers",
        "_progress",
        "_random",
        "_reads",
        "_reply_match",
        "_reply_sent_us",
        "_settings",
        "_term_first_index",
        "_timeout_ticks",
        "_transfer_elapsed_ticks",
        "_transferee",
        "_uncommitted_bytes",
        "_vote",
        "_votes",
        "group",
        "impossible_count",
        "leader",
        "name",
        "role",
        "shared_index",
        "stale_count",
        "term",
        "voters",
    )

    def __init__(
        self,
        *,
        group: int,
        name: str,
        voters: tuple[str, ...],
        storage: LogStorage,
        hard_state: HardState,
        applied: int,
        settings: Settings,
        random: RandomSource,
        now_us: int,
    ) -> None:
        self.group = group
        self.name = name
        self.voters = Voters(voters)
        self.term = hard_state.term
        self.role = Role.FOLLOWER
        self.leader: str | None = None
        self.shared_index = 0
        self.stale_count = 0  # messages of an older term, or overtaken by a newer one
        self.impossible_count = 0  # messages that no correct peer sends
        self._vote = hard_state.vote
        self._log = Log(storage, applied, settings.cache_bytes_max)
        self._settings = settings
        self._random = random
        self._now_us = now_us
        self._peers = tuple(voter for voter in voters if voter != name)
        # A process that forgot what it promised keeps the longest promise that it could have made.
        self._heard_us = now_us if hard_state.term > 0 else NEVER_US
        self._elapsed_ticks = 0
        self._timeout_ticks = 0
        self._votes: dict[str, bool] = {}
        # A leader's; its own Progress is its own disk's.
        self._progress: dict[str, Progress] = {}
        self._term_first_index = 0
        self._uncommitted_bytes = 0
        self._heartbeat_elapsed_ticks = 0
        self._heartbeat_due = False
        self._transferee: str | None = None
        self._transfer_elapsed_ticks = 0
        self._lease_forfeited = False
        self._lease_start_us: int | None = None
        self._reads = ReadQueue()
        # A follower's answer to the appends of its leader since the last Ready: one for all of them.
        self._reply_match = -1
        self._reply_sent_us = NEVER_US
        self._messages: list[tuple[str, RaftMessage]] = []
        self._messages_after_sync: list[tuple[str, RaftMessage]] = []
        self._hard_state_due = False
        self._given_term = self.term
        self._given_leader: str | None = None
        self._number = 0
        self._dirty = False
        self._restart_election_timer()

    # What the driver asks

    @property
    def is_leader(self) -> bool:
        return self.role is Role.LEADER

    @property
    def commit_index(self) -> int:
        return self._log.commit_index

    @property
    def last_index(self) -> int:
        return self._log.last_index

    @property
    def applied_index(self) -> int:
        return self._log.applied_index

    @property
    def serves(self) -> bool:
        """Leads, and has applied its own term's first entry: its state holds every acknowledged write."""
        return self.role is Role.LEADER and self._log.applied_index >= self._term_first_index

    @property
    def lacking(self) -> tuple[str, ...]:
        """Followers that need entries which the log no longer has; they stand still until seeded again."""
        return tuple(name for name, progress in self._progress.items() if progress.lacking)

    @property
    def regressed(self) -> tuple[str, ...]:
        """Followers that refused what they had acknowledged, and do not hold it again: their disks lost data."""
        return tuple(name for name, progress in self._progress.items() if progress.regressed)

    def lease_until_us(self) -> int:
        """Reads of the applied state are safe while the clock shows less, provided `serves`, and read first
        and the clock after. 0: no lease. `FOREVER` for a single voter."""
        if (
            self.role is not Role.LEADER
            or self._lease_forfeited
            or self._transferee is not None
            or self._log.commit_index < self._term_first_index
        ):
            return 0
        if not self._peers:
            return FOREVER
        return max(0, self._majority_heard_us() + self._settings.lease_us)

    def refusal(self) -> Refusal | None:
        """Why a proposal would be refused now."""
        if self.role is not Role.LEADER:
            return Refusal.NOT_LEADER
        if self._transferee is not None:
            return Refusal.TRANSFERRING
        if self._uncommitted_bytes >= self._settings.uncommitted_bytes_max:
            return Refusal.TOO_MUCH_UNCOMMITTED
        return None

    # What the driver tells

    def propose(self, data: bytes) -> int | None:
        """The new entry's index. None is a definite refusal; `refusal()` says which."""
        if self.refusal() is not None:
            return None
        return self._append(EntryKind.COMMAND, data)

    def read_index(self, context: int) -> bool:
        """Ask for proof of leadership, for a read that begins now; `context` comes back in `Ready.reads` or
        in `Ready.reads_refused`, once. False: refused at once (not serving yet, or too many wait)."""
        if (
            self.role is not Role.LEADER
            or self._log.commit_index < self._term_first_index
            or self._reads.waiting >= self._settings.waiting_reads_max
        ):
            return False
        self._reads.ask(context)
        self._dirty = True
        return True

    def campaign(self, now_us: int) -> None:
        """Do not wait for the election timeout. Without effect on a leader, and while a promise to another
        leader lasts."""
        self._now_us = now_us
        if self.role is not Role.LEADER and not self._is_bound():
            self._ask_for_pre_votes()

    def transfer_leadership(self, to: str, now_us: int) -> bool:
        """Stop taking proposals, bring `to` up to date, have it elected. False: not leader, `to` is no other
        voter, or a transfer is going on. It is given up after an election timeout."""
        self._now_us = now_us
        if self.role is not Role.LEADER or self._transferee is not None or to not in self._peers:
            return False
        self._transferee = to
        self._transfer_elapsed_ticks = 0
        self._hand_over_if_ready(self._progress[to])
        return True

    def unreachable(self, peer: str) -> None:
        """The link to `peer` broke: what was under way to it may be lost."""
        progress = self._progress.get(peer)
        if progress is None or peer == self.name:
            return
        progress.link_broke()
        if self._transferee == peer and not self._lease_forfeited:
            self._transferee = None

    def applied_to(self, index: int) -> None:
        """The state machine holds everything up to `index`."""
        assert index <= self._log.applying_index
        self._log.applied_index = max(self._log.applied_index, index)

    def compacted_to(self, index: int) -> None:
        """Storage dropped the entries up to and including `index`, all of them applied."""
        self._log.compacted_to(index)

    def persisted(self, number: int) -> None:
        """What the Readies up to `number` had to write is durable."""
        log = self._log
        log.sync_ended(number)
        if self.role is Role.LEADER:
            own = self._progress[self.name]
            before = own.match
            if log.stable_index > before:
                own.match = log.stable_index
                self._match_moved(before, own.match)

    def tick(self, now_us: int) -> None:
        """One tick of the driver's clock has passed. After a pause the driver makes one, not a burst."""
        self._now_us = now_us
        self._elapsed_ticks += 1
        if self.role is Role.LEADER:
            self._tick_leader()
        elif self._elapsed_ticks >= self._timeout_ticks and not self._is_bound():
            self._ask_for_pre_votes()

    def step(self, message: RaftMessage, now_us: int) -> None:
        """Take what a peer sent. Never raises."""
        self._now_us = now_us
        if message.group != self.group or message.sender not in self._peers:
            self.impossible_count += 1
            return
        match message:
            case VoteRequest():
                self._on_vote_request(message)
                return
            case VoteReply(pre=True, granted=True):
                # Its term is the one that is asked about, which nobody is in yet.
                self._on_pre_vote(message)
                return
            case _:
                pass
        if message.term > self.term:
            self._become_follower(message.term, None)
        elif message.term < self.term:
            self._on_stale(message)
            return
        match message:
            case AppendRequest():
                self._on_append(message)
            case AppendReply():
                self._on_append_reply(message)
            case Heartbeat():
                self._on_heartbeat(message)
            case HeartbeatReply():
                self._on_heartbeat_reply(message)
            case VoteReply():
                self._on_vote_reply(message)
            case TimeoutNow():
                self._on_timeout_now(message)

    # What the driver takes

    def has_ready(self) -> bool:
        return self._dirty

    def ready(self) -> Ready:
        """Everything that is to be done since the last call. Earlier Readies may still be on their way to the
        disk."""
        log = self._log
        self._number = number = self._number + 1
        messages, after_sync = self._messages, self._messages_after_sync
        self._messages = []
        self._messages_after_sync = []
        if self.role is Role.LEADER:
            self._send_what_is_due(messages)
        elif self._reply_match >= 0:
            self._reply_to_appends(after_sync)
        entries = log.take_unwritten() if log.has_unwritten else []
        hard_state = None
        if self._hard_state_due:
            self._hard_state_due = False
            hard_state = HardState(self.term, self._vote)
        needs_sync = bool(entries) or hard_state is not None
        if after_sync and not needs_sync:
            if log.is_syncing:
                needs_sync = True  # they speak of what an earlier Ready is still writing
            else:
                messages += after_sync
                after_sync = []
        if needs_sync:
            log.sync_began(number)
        committed: list[Entry] = []
        if log.commit_index > log.applying_index:
            committed = self._take_committed()
        leader_changed = self.term != self._given_term or self.leader != self._given_leader
        self._given_term = self.term
        self._given_leader = self.leader
        self._dirty = log.commit_index > log.applying_index
        return Ready(
            number,
            messages,
            entries,
            hard_state,
            after_sync,
            committed,
            self._reads.take_confirmed(),
            self._reads.take_refused(),
            leader_changed,
            needs_sync,
        )

    def _take_committed(self) -> list[Entry]:
        committed, weight = self._log.take_committed(self._settings.apply_bytes_max)
        if self.role is Role.LEADER and committed[-1].index >= self._term_first_index:
            # Older terms' entries in the same batch were not counted: at most once a term, a little too much.
            self._uncommitted_bytes = max(0, self._uncommitted_bytes - weight)
        return committed

    # Leading: what is sent, decided once per Ready so that news of one pass share a message

    def _send_what_is_due(self, messages: list[tuple[str, RaftMessage]]) -> None:
        if self._reads.begin_round(self._log.commit_index):
            self._heartbeat_due = True
            if not self._peers:
                self._reads.confirm(self._reads.newest_round)
        if self._heartbeat_due:
            self._heartbeat_due = False
            self._heartbeat_elapsed_ticks = 0
            self._send_heartbeats(messages)
        self._send_appends(messages)

    def _send_appends(self, messages: list[tuple[str, RaftMessage]]) -> None:
        """Both followers of a healthy group get one and the same object: they need the same entries."""
        last_index = self._log.last_index
        commit_index = self._log.commit_index
        first = end = -1
        request: AppendRequest | None = None
        weight = 0
        for peer in self._peers:
            progress = self._progress[peer]
            while (upper := self._append_until(progress)) is not None:
                if first != progress.next or end != upper:
                    first, end = progress.next, upper
                    request, weight = self._append_request(first, end)
                if request is None:
                    progress.stop_lacking()
                    break
                messages.append((peer, request))
                sent_index = first - 1 + len(request.entries)
                progress.commit_sent = min(commit_index, sent_index)
                progress.sent(sent_index, weight)
                if sent_index == last_index:
                    break

    def _send_heartbeats(self, messages: list[tuple[str, RaftMessage]]) -> None:
        heartbeat: Heartbeat | None = None
        for peer in self._peers:
            # Only what the follower is known to share: it may hold another leader's entries beyond that.
            commit = min(self._progress[peer].match, self._log.commit_index)
            if heartbeat is None or heartbeat.commit != commit:
                heartbeat = Heartbeat(
                    self.group,
                    self.name,
                    self.term,
                    commit,
                    self.shared_index,
                    self._now_us,
                    self._reads.newest_round,
                )
            messages.append((peer, heartbeat))

    def _append_until(self, progress: Progress) -> int | None:
        """Where (exclusive) the next append to this follower may end; at its start when an empty one is due,
        for news of the commit index or to find out what was lost. None: nothing to send now."""
        settings = self._settings
        first = progress.next
        last_index = self._log.last_index
        if first <= last_index:
            room = progress.room(settings.inflight_entries_max, settings.inflight_bytes_max)
            if room:
                return min(last_index + 1, first + room)
        if progress.probing and progress.paused:
            return None
        commit_index = self._log.commit_index
        has_news = progress.commit_sent < commit_index and progress.commit_sent < first - 1
        return first if has_news or progress.check_due else None

    def _append_request(self, first: int, upper: int) -> tuple[AppendRequest | None, int]:
        """With entries first <= index < upper, or fewer, and their weight. None: the log no longer reaches
        back that far."""
        log = self._log
        previous_term = log.term(first - 1)
        if previous_term is None:
            return None, 0
        entries: list[Entry] = []
        weight = 0
        if upper > first:
            entries, weight = log.cut(first, upper, self._settings.append_bytes_max)
            if not entries:
                return None, 0
        request = AppendRequest(
            self.group,
            self.name,
            self.term,
            first - 1,
            previous_term,
            entries,
            log.commit_index,
            self.shared_index,
            self._now_us,
        )
        return request, weight

    def _append(self, kind: EntryKind, data: bytes) -> int:
        index = self._log.last_index + 1
        self._log.append(Entry(index, self.term, kind, data))
        self._uncommitted_bytes += len(data) + ENTRY_OVERHEAD_BYTES
        self._dirty = True
        return index

    # Leading: what comes back

    def _on_append_reply(self, message: AppendReply) -> None:
        progress = self._heard_from_follower(message.sender, message.sent_us)
        if progress is None:
            return
        log = self._log
        if message.match_index > log.last_index or message.match_index < 0:
            self.impossible_count += 1
            return
        if message.rejected:
            agreed = log.last_index_within(message.match_index, message.match_term, progress.match)
            if progress.refused(message.previous_index, agreed, message.sent_us):
                self._dirty = True
            else:
                self.stale_count += 1
            return
        before = progress.match
        was_probing = progress.probing
        if progress.accepted(message.match_index, message.sent_us):
            self._match_moved(before, message.match_index)
            self._hand_over_if_ready(progress)
        if progress.next <= log.last_index or was_probing:
            self._dirty = True

    def _on_heartbeat_reply(self, message: HeartbeatReply) -> None:
        progress = self._heard_from_follower(message.sender, message.sent_us)
        if progress is None:
            return
        if message.round > self._reads.newest_round:
            self.impossible_count += 1
            return
        if message.round > progress.confirmed_round:
            progress.confirmed_round = message.round
            confirmed = self.voters.agreed({name: p.confirmed_round for name, p in self._progress.items()})
            if self._reads.confirm(confirmed):
                self._dirty = True
        if progress.probing or progress.match < self._log.last_index:
            # Perhaps an append or its answer got lost. A follower of which nothing was lost accepts the check.
            progress.paused = False
            progress.check_due = self._dirty = True

    def _heard_from_follower(self, name: str, sent_us: int) -> Progress | None:
        """None when this replica does not lead, or when the reading is none of its own."""
        if self.role is not Role.LEADER:
            self.stale_count += 1
            return None
        if sent_us > self._now_us:
            self.impossible_count += 1
            return None
        progress = self._progress[name]
        progress.active = True
        if sent_us > progress.echoed_us:
            progress.echoed_us = sent_us
            self._lease_start_us = None
        return progress

    def _match_moved(self, before: int, now: int) -> None:
        """A voter's durable log, this one's own or a follower's, agrees further than it did."""
        log = self._log
        if now > log.commit_index:
            agreed = self.voters.agreed({name: progress.match for name, progress in self._progress.items()})
            # An entry of an older term is not committed by counting, only by one of this term after it: a
            # later leader could still replace it (Raft §5.4.2, figure 8).
            if agreed > log.commit_index and agreed >= self._term_first_index:
                log.commit_index = agreed
                self._dirty = True
        if before <= self.shared_index:
            everyone = min(progress.match for progress in self._progress.values())
            self.shared_index = max(self.shared_index, everyone)

    def _majority_heard_us(self) -> int:
        """A majority, this leader included, has answered what was sent at this moment or later."""
        if self._lease_start_us is None:
            self._lease_start_us = self.voters.agreed(
                {name: progress.echoed_us for name, progress in self._progress.items()}
            )
        return self._lease_start_us

    def _tick_leader(self) -> None:
        if not self._peers:
            return
        self._heartbeat_elapsed_ticks += 1
        if self._heartbeat_elapsed_ticks >= self._settings.heartbeat_ticks:
            self._heartbeat_due = self._dirty = True
        if self._transferee is not None:
            self._transfer_elapsed_ticks += 1
            if self._transfer_elapsed_ticks >= self._settings.election_ticks:
                self._transferee = None
        if self._elapsed_ticks >= self._settings.election_ticks:
            self._elapsed_ticks = 0
            self._check_quorum()

    def _check_quorum(self) -> None:
        """A leader that a majority does not answer steps down, so that its clients look elsewhere (§6.2)."""
        active = [name for name, progress in self._progress.items() if progress.active]
        if not self.voters.majority(active):
            self._become_follower(self.term, None)
            return
        for peer in self._peers:
            self._progress[peer].active = False

    def _hand_over_if_ready(self, progress: Progress) -> None:
        transferee = self._transferee
        if (
            transferee is None
            or self._progress[transferee] is not progress
            or progress.match < self._log.last_index
        ):
            return
        # From here on another may be elected at any moment, however late the message is: no more lease.
        self._lease_forfeited = True
        self._messages.append((transferee, TimeoutNow(self.group, self.name, self.term)))
        self._dirty = True

    # Following

    def _on_append(self, message: AppendRequest) -> None:
        if not self._follow(message.sender):
            return
        log = self._log
        previous_index = message.previous_index
        entries = message.entries
        if previous_index < 0 or not _is_sequence(message):
            self.impossible_count += 1
            return
        if previous_index < log.commit_index:
            # A late copy, or a leader that probes. What is committed here agrees with every leader's log.
            entries = entries[log.commit_index - previous_index :]
        elif log.term(previous_index) != message.previous_term:
            self._refuse_append(message)
            return
        log.extend(entries)
        self._accepted(max(log.commit_index, previous_index + len(message.entries)), message)

    def _accepted(self, match_index: int, message: AppendRequest) -> None:
        self._reply_match = max(self._reply_match, match_index)
        self._reply_sent_us = max(self._reply_sent_us, message.sent_us)
        self._dirty = True
        self._learn(min(message.commit, match_index), message.shared_index)

    def _refuse_append(self, message: AppendRequest) -> None:
        log = self._log
        agreed = log.last_index_within(message.previous_index - 1, message.previous_term, log.commit_index)
        reply = AppendReply(
            self.group,
            self.name,
            self.term,
            True,
            agreed,
            message.sent_us,
            log.term(agreed) or 0,
            message.previous_index,
        )
        self._send(message.sender, reply)

    def _reply_to_appends(self, after_sync: list[tuple[str, RaftMessage]]) -> None:
        assert self.leader is not None
        reply = AppendReply(self.group, self.name, self.term, False, self._reply_match, self._reply_sent_us)
        after_sync.append((self.leader, reply))
        self._reply_match = -1
        self._reply_sent_us = NEVER_US

    def _on_heartbeat(self, message: Heartbeat) -> None:
        if not self._follow(message.sender):
            return
        self._learn(min(message.commit, self._log.last_index), message.shared_index)
        reply = HeartbeatReply(self.group, self.name, self.term, message.sent_us, message.round)
        self._send(message.sender, reply)

    def _learn(self, commit_index: int, shared_index: int) -> None:
        log = self._log
        if commit_index > log.commit_index:
            log.commit_index = commit_index
            self._dirty = True
        if self.shared_index < shared_index <= log.last_index:
            self.shared_index = shared_index

    def _follow(self, leader: str) -> bool:
        """A leader of this term speaks. False when that cannot be."""
        if self.leader != leader:
            if self.leader is not None:
                self.impossible_count += 1
                return False
            self._become_follower(self.term, leader)
        self._elapsed_ticks = 0
        self._heard_us = self._now_us
        return True

    def _on_stale(self, message: RaftMessage) -> None:
        """A leader of an older term that still speaks is told so, or it would go on, and a replica whose term
        ran ahead could never come back."""
        self.stale_count += 1
        reply: RaftMessage
        match message:
            case AppendRequest():
                reply = AppendReply(self.group, self.name, self.term, True, 0, message.sent_us)
            case Heartbeat():
                reply = HeartbeatReply(self.group, self.name, self.term, message.sent_us)
            case _:
                return
        self._send(message.sender, reply)

    def _on_timeout_now(self, message: TimeoutNow) -> None:
        if not self._follow(message.sender):
            return
        self._ask_for_votes(transfer=True)

    # Elections

    def _is_bound(self) -> bool:
        """Whether a leader may still rely on this replica electing no other. A leader is bound to itself
        while a majority answers it."""
        heard_us = self._heard_us
        if self.role is Role.LEADER:
            heard_us = max(heard_us, self._majority_heard_us())
        return self._now_us - heard_us < self._settings.promise_us

    def _on_vote_request(self, message: VoteRequest) -> None:
        if message.term < self.term:
            self.stale_count += 1
            self._send(message.sender, VoteReply(self.group, self.name, self.term, message.pre, False))
            return
        if not message.transfer and self._is_bound():
            if message.pre:
                self._send(message.sender, VoteReply(self.group, self.name, self.term, True, False))
            return
        if not message.pre and message.term > self.term:
            self._become_follower(message.term, None)
        is_free = message.term > self.term or (
            self._vote == message.sender or (self._vote is None and self.leader is None)
        )
        granted = is_free and self._log.is_up_to_date(message.last_index, message.last_term)
        term = message.term if granted else self.term
        reply = VoteReply(self.group, self.name, term, message.pre, granted)
        if message.pre or not granted:
            self._send(message.sender, reply)
            return
        self._vote = message.sender
        self._hard_state_due = self._dirty = True
        self._elapsed_ticks = 0
        self._messages_after_sync.append((message.sender, reply))

    def _ask_for_pre_votes(self) -> None:
        if self.name not in self.voters.names:
            return
        self._become_follower(self.term, None)
        self.role = Role.PRE_CANDIDATE
        self._votes = {self.name: True}
        if self.voters.outcome(self._votes) is Outcome.WON:
            self._ask_for_votes(transfer=False)
            return
        self._request_votes(self._messages, self.term + 1, pre=True, transfer=False)

    def _ask_for_votes(self, *, transfer: bool) -> None:
        if self.name not in self.voters.names:
            return
        self._become_follower(self.term + 1, None)
        self.role = Role.CANDIDATE
        self._vote = self.name
        # Its own vote may count at once: the requests leave only when it is durable, so that any answer comes
        # later; and a single voter commits nothing before.
        self._votes = {self.name: True}
        if self.voters.outcome(self._votes) is Outcome.WON:
            self._become_leader()
            return
        self._request_votes(self._messages_after_sync, self.term, pre=False, transfer=transfer)

    def _request_votes(
        self, outbox: list[tuple[str, RaftMessage]], term: int, *, pre: bool, transfer: bool
    ) -> None:
        log = self._log
        request = VoteRequest(self.group, self.name, term, log.last_index, log.last_term, pre, transfer)
        outbox += [(peer, request) for peer in self._peers]

    def _on_pre_vote(self, message: VoteReply) -> None:
        if self.role is not Role.PRE_CANDIDATE or message.term != self.term + 1:
            self.stale_count += 1
            return
        self._votes[message.sender] = True
        if self.voters.outcome(self._votes) is Outcome.WON:
            self._ask_for_votes(transfer=False)

    def _on_vote_reply(self, message: VoteReply) -> None:
        """A vote of this term, or the refusal of a pre-vote."""
        expected = Role.PRE_CANDIDATE if message.pre else Role.CANDIDATE
        if self.role is not expected:
            self.stale_count += 1
            return
        self._votes.setdefault(message.sender, message.granted)
        match self.voters.outcome(self._votes):
            case Outcome.WON:
                self._become_leader()
            case Outcome.LOST:
                self._become_follower(self.term, None)
            case Outcome.PENDING:
                pass

    def _become_follower(self, term: int, leader: str | None) -> None:
        if self.role is Role.LEADER:
            self._reads.refuse_all()
            self._progress = {}
            self._transferee = None
            self._heartbeat_due = False
        if term != self.term:
            self.term = term
            self._vote = None
            self._hard_state_due = True
        self.role = Role.FOLLOWER
        self.leader = leader
        self._votes = {}
        self._reply_match = -1
        self._reply_sent_us = NEVER_US
        self._restart_election_timer()
        self._dirty = True

    def _become_leader(self) -> None:
        log = self._log
        self.role = Role.LEADER
        self.leader = self.name
        self._heard_us = self._now_us
        self._elapsed_ticks = 0
        self._heartbeat_elapsed_ticks = 0
        self._uncommitted_bytes = 0
        self._lease_forfeited = False
        self._lease_start_us = None
        self._progress = {name: Progress(self.shared_index, log.last_index + 1) for name in self.voters.names}
        own = self._progress[self.name]
        own.match = log.stable_index
        own.echoed_us = own.confirmed_round = FOREVER
        self._term_first_index = self._append(EntryKind.NO_OP, b"")

    def _restart_election_timer(self) -> None:
        """Between one and two election timeouts, so that candidates seldom meet (Raft §5.2). A single voter
        waits for nobody."""
        self._elapsed_ticks = 0
        ticks = self._settings.election_ticks
        self._timeout_ticks = self._random.randrange(ticks, 2 * ticks) if self._peers else 1

    def _send(self, to: str, message: RaftMessage) -> None:
        self._messages.append((to, message))
        self._dirty = True


def _is_sequence(message: AppendRequest) -> bool:
    """Whether the entries follow the previous one without a gap, in terms that only grow up to the leader's."""
    index = message.previous_index
    term = message.previous_term
    for entry in message.entries:
        index += 1
        if entry.index != index or entry.term < term:
            return False
        term = entry.term
    return term <= message.term
