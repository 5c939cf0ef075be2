"""What the replicas of a group say to each other. Names follow the Raft paper and its extended thesis.

Times are the sender's own monotonic clock in microseconds; a reply echoes the reading it answers, so that
only the process that took a reading ever compares it (leases need no synchronised clocks).
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class EntryKind(IntEnum):
    COMMAND = 0
    NO_OP = 1  # a new leader's first entry: what commits everything before it (Raft §8)
    CONFIGURATION = 2  # membership change; its place is kept, the change itself comes with a later issue


class Entry(Struct, frozen=True, array_like=True):
    index: int
    term: int
    kind: EntryKind
    data: bytes


class AppendRequest(Struct, frozen=True, array_like=True, tag=50):
    """Entries after (previous_index, previous_term). `shared_index`: every voter holds the log up to here,
    so a receiver that has applied it may drop the prefix."""

    group: int
    sender: str
    term: int
    previous_index: int
    previous_term: int
    entries: list[Entry]
    commit: int
    shared_index: int
    sent_us: int


class AppendReply(Struct, frozen=True, array_like=True, tag=51):
    """`match_index`: the sender holds, durably, the leader's log up to here. When `rejected`, it is instead
    the last index at which the logs could agree, for the leader to go back to; `match_term` is the term of
    the sender's entry there, and `previous_index` names the request that is refused."""

    group: int
    sender: str
    term: int
    rejected: bool
    match_index: int
    sent_us: int
    match_term: int = 0
    previous_index: int = 0


class Heartbeat(Struct, frozen=True, array_like=True, tag=52):
    """`round` counts the leader's confirmation rounds; its echo by a majority proves that the leader still
    led after the round began, which is what a read at the commit index waits for (thesis §6.4)."""

    group: int
    sender: str
    term: int
    commit: int
    shared_index: int
    sent_us: int
    round: int = 0


class HeartbeatReply(Struct, frozen=True, array_like=True, tag=53):
    group: int
    sender: str
    term: int
    sent_us: int
    round: int = 0


class VoteRequest(Struct, frozen=True, array_like=True, tag=54):
    """`pre`: would you vote for me? (thesis §9.6). `transfer`: the leader asked for this election, so a
    voter that hears from that leader grants it all the same (thesis §3.10)."""

    group: int
    sender: str
    term: int
    last_index: int
    last_term: int
    pre: bool
    transfer: bool


class VoteReply(Struct, frozen=True, array_like=True, tag=55):
    group: int
    sender: str
    term: int
    pre: bool
    granted: bool


class TimeoutNow(Struct, frozen=True, array_like=True, tag=56):
    """Leader transfer: campaign at once."""

    group: int
    sender: str
    term: int


RaftMessage = AppendRequest | AppendReply | Heartbeat | HeartbeatReply | VoteRequest | VoteReply | TimeoutNow
