"""Conversations of a group, readable as such. Each file of raft_transcripts/ holds blocks: commands, a line
`----`, then everything that happened. `RAFT_REWRITE=1` writes the files anew; the diff is the review.

Commands: `cluster NAMES [setting=value …]` · `campaign NAME` · `propose NAME TEXT` · `read NAME CONTEXT` ·
`transfer NAME TO` · `work NAME` · `sync NAME` · `deliver` · `settle` · `tick [NAMES] COUNT` · `wait MILLISECONDS` ·
`isolate NAMES` · `heal` · `restart NAME` · `wipe NAME` ·
`compact NAME INDEX` · `quiet` (until the block ends) · `state`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kvorum.replication.raft.core import Ready, Settings
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
from tests.kit.raft_cluster import Cluster, Envelope
from tests.kit.raft_simulation import MILLISECOND, Disk

TRANSCRIPTS = sorted((Path(__file__).parent / "raft_transcripts").glob("*.txt"))


def show_entry(entry: Entry) -> str:
    what = "no-op" if entry.kind is EntryKind.NO_OP else entry.data.decode()
    return f"{entry.index}/{entry.term}:{what}"


def show_message(message: RaftMessage) -> str:
    match message:
        case AppendRequest():
            entries = " ".join(show_entry(entry) for entry in message.entries) or "nothing"
            return f"append after {message.previous_index}/{message.previous_term}: {entries}; commit {message.commit}"
        case AppendReply(rejected=True):
            return (
                f"refuse after {message.previous_index}, back to {message.match_index}/{message.match_term}"
            )
        case AppendReply():
            return f"hold {message.match_index}"
        case Heartbeat():
            return f"heartbeat, commit {message.commit}, round {message.round}"
        case HeartbeatReply():
            return f"alive, round {message.round}"
        case VoteRequest():
            kind = "pre-vote" if message.pre else "vote"
            why = " (transfer)" if message.transfer else ""
            return f"{kind} for {message.last_index}/{message.last_term}?{why}"
        case VoteReply():
            return f"{'pre-vote' if message.pre else 'vote'} {'granted' if message.granted else 'refused'}"
        case TimeoutNow():
            return "take over"


class Transcript:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cluster = Cluster()
        self.is_quiet = False

    def say(self, line: str) -> None:
        if not self.is_quiet:
            self.lines.append(line)

    def watch(self, name: str, ready: Ready) -> None:
        core = self.cluster[name]
        if ready.leader_changed:
            self.say(f"{name}: {core.role.name.lower()} in term {core.term}, leader {core.leader}")
        if ready.hard_state is not None:
            self.say(f"{name}: writes term {ready.hard_state.term}, vote {ready.hard_state.vote}")
        if ready.entries:
            self.say(f"{name}: writes {' '.join(map(show_entry, ready.entries))}")
        if ready.committed:
            self.say(f"{name}: applies {' '.join(map(show_entry, ready.committed))}")
        for context, index in ready.reads:
            self.say(f"{name}: read {context} may be answered at {index}")
        for context in ready.reads_refused:
            self.say(f"{name}: read {context} is refused")

    def overhear(self, envelope: Envelope) -> None:
        message = envelope.message
        self.say(f"{envelope.sender} -> {envelope.to} in {message.term}: {show_message(message)}")

    def run(self, commands: list[str]) -> list[str]:
        self.lines = []
        self.is_quiet = False
        for command in commands:
            verb, *arguments = command.split()
            handler: Callable[..., None] = getattr(self, f"do_{verb}")
            handler(*arguments)
        return self.lines

    def do_cluster(self, names: str, *settings: str) -> None:
        changed = {key: int(value) for key, value in (setting.split("=") for setting in settings)}
        self.cluster = Cluster(names, settings=Settings(**changed))
        self.cluster.watch = self.watch
        self.cluster.overhear = self.overhear

    def do_campaign(self, name: str) -> None:
        self.cluster.campaign(name)

    def do_propose(self, name: str, text: str) -> None:
        index = self.cluster[name].propose(text.encode())
        if index is None:
            refusal = self.cluster[name].refusal()
            self.say(f"{name}: refuses {text}: {refusal.name.lower() if refusal is not None else None}")

    def do_read(self, name: str, context: str) -> None:
        if not self.cluster[name].read_index(int(context)):
            self.say(f"{name}: refuses read {context}")

    def do_transfer(self, name: str, to: str) -> None:
        if not self.cluster[name].transfer_leadership(to, self.cluster.now_us):
            self.say(f"{name}: refuses to hand over to {to}")

    def do_work(self, name: str) -> None:
        self.cluster.work(name)

    def do_sync(self, name: str) -> None:
        self.cluster.sync(name)

    def do_deliver(self) -> None:
        self.cluster.deliver()

    def do_settle(self) -> None:
        self.cluster.settle()

    def do_tick(self, *arguments: str) -> None:
        *names, times = arguments
        self.cluster.tick(*"".join(names), times=int(times))

    def do_wait(self, milliseconds: str) -> None:
        self.cluster.pass_time(int(milliseconds) * MILLISECOND)

    def do_isolate(self, names: str) -> None:
        self.cluster.isolate(*names)

    def do_heal(self) -> None:
        self.cluster.heal()

    def do_restart(self, name: str) -> None:
        self.cluster.restart(name)

    def do_wipe(self, name: str) -> None:
        """Its disk is gone; it starts again with an empty one, and its links are made anew."""
        self.cluster.disks[name] = Disk()
        self.cluster.restart(name)
        for core in self.cluster.cores.values():
            core.unreachable(name)

    def do_compact(self, name: str, index: str) -> None:
        self.cluster.compact(name, int(index))

    def do_quiet(self) -> None:
        self.is_quiet = True

    def do_state(self) -> None:
        self.is_quiet = False
        for name, core in self.cluster.cores.items():
            self.say(
                f"{name}: {core.role.name.lower()} in term {core.term}, leader {core.leader}, "
                f"log {core.last_index}, committed {core.commit_index}, shared {core.shared_index}"
            )


def replay(text: str) -> str:
    transcript = Transcript()
    blocks: list[str] = []
    for block in text.strip().split("\n\n"):
        lines = block.partition("\n----")[0].splitlines()
        comments = [line for line in lines if line.startswith("#")]
        commands = [line for line in lines if not line.startswith("#")]
        if not commands:
            blocks.append(block)
            continue
        happened = transcript.run(commands)
        blocks.append("\n".join([*comments, *commands, "----", *happened]))
    return "\n\n".join(blocks) + "\n"


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    expected = path.read_text()
    happened = replay(expected)
    if os.environ.get("RAFT_REWRITE"):
        path.write_text(happened)
    else:
        assert happened == expected


def test_there_are_transcripts() -> None:
    assert TRANSCRIPTS
