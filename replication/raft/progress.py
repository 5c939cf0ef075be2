"""One follower as its leader sees it: how far its log agrees, what to send next, how much may be under way.

Probing, the leader does not know where the logs part: one append at a time. Replicating, it does: appends
follow each other without waiting, up to the caps. A refusal or a broken link leads back to probing.
"""

from __future__ import annotations

from collections import deque

NEVER_US = -(1 << 62)


class Progress:
    __slots__ = (
        "active",
        "check_due",
        "commit_sent",
        "confirmed_round",
        "echoed_us",
        "inflight",
        "inflight_bytes",
        "lacking",
        "lost_index",
        "match",
        "matched_us",
        "next",
        "paused",
        "probing",
    )

    def __init__(self, match_index: int, next_index: int) -> None:
        self.match = match_index  # durable there
        self.next = next_index
        self.probing = True
        self.paused = False  # probing, and the one append is under way
        self.inflight: deque[tuple[int, int]] = deque()  # (last index, bytes) of each append under way
        self.inflight_bytes = 0
        self.active = True  # heard from since the last check of the quorum
        self.check_due = False  # send an append, empty if need be: something may have been lost
        self.commit_sent = 0
        self.echoed_us = NEVER_US  # the newest of our clock readings that it has answered
        self.matched_us = NEVER_US  # the reading of the append that told `match`
        self.confirmed_round = 0
        self.lacking = False  # needs entries that the log no longer has
        self.lost_index = 0  # it had acknowledged up to here and has not got so far again: its disk lost data

    def room(self, entries_max: int, bytes_max: int) -> int:
        """How many more entries may be sent now."""
        if self.probing:
            return 0 if self.paused else entries_max
        if self.inflight_bytes >= bytes_max:
            return 0
        return max(0, entries_max - (self.next - 1 - self.match))

    def sent(self, last_index: int, weight: int) -> None:
        """An append that ends at `last_index` is under way."""
        self.check_due = False
        if self.probing:
            self.paused = True
        elif last_index >= self.next:
            self.next = last_index + 1
            self.inflight.append((last_index, weight))
            self.inflight_bytes += weight

    def accepted(self, match_index: int, sent_us: int) -> bool:
        """Whether `match` moved on."""
        if self.probing:
            if match_index < self.match:
                return False
            self.probing = self.paused = False
            self.next = match_index + 1
        if match_index <= self.match:
            return False
        self.match = match_index
        self.matched_us = sent_us
        self.lacking = False
        if match_index >= self.lost_index:
            self.lost_index = 0
        if self.next <= match_index:
            self.next = match_index + 1
        inflight = self.inflight
        while inflight and inflight[0][0] <= match_index:
            self.inflight_bytes -= inflight.popleft()[1]
        return True

    def refused(self, previous_index: int, agreed_index: int, sent_us: int) -> bool:
        """Whether the refusal of an append after `previous_index` is news; then the next goes out after
        `agreed_index`, where the logs could agree, but not before what is known to agree."""
        if previous_index <= 0:
            # Nobody can refuse what follows nothing: it answers an append of an older term of ours.
            return False
        if previous_index <= self.match:
            # It had acknowledged this. An old refusal that comes late was sent before that acknowledgement's
            # append; one that was sent after it means that acknowledged entries are gone. What was committed
            # with its help stays committed; it is fed again as far back as the log reaches, and whoever hosts
            # it keeps it from voting until then.
            if sent_us <= self.matched_us:
                return False
            self.lost_index = max(self.lost_index, self.match)
            self.match = min(agreed_index, previous_index - 1)
            self.probe(self.match + 1)
            return True
        if self.probing and previous_index != self.next - 1:
            return False
        self.probe(min(agreed_index, previous_index - 1) + 1)
        return True

    @property
    def regressed(self) -> bool:
        return self.lost_index > 0

    def link_broke(self) -> None:
        """What was under way may be lost. A guess that was being probed is still as good as any."""
        self.probe(self.next if self.probing else self.match + 1)

    def stop_lacking(self) -> None:
        """What it needs next is gone from the log. Each answer to a heartbeat lets it be tried again."""
        self.probe(self.next)
        self.paused = self.lacking = True

    def probe(self, next_index: int) -> None:
        self.next = max(next_index, self.match + 1)
        self.probing = True
        self.paused = False
        self.inflight.clear()
        self.inflight_bytes = 0
