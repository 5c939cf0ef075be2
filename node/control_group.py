"""The control group's replica on a node: its state machine in the store, and the service in front of it.

Every member follows the log, keeps the node's directory current and serves watchers. The one that leads also
acts: it carries out the reconciler's plan and tells peer regions what they must know. Nothing here waits or reads
a clock: it moves when a message comes, when a proposal is applied, and at every `kick`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from kvorum.control.directory import Directory
from kvorum.control.messages import NodeReport, PeerCommand, Propose, Proposed, Refused, Watch
from kvorum.control.reconcile import plan
from kvorum.control.state import (
    COUNTERS_KEY,
    PREFIX,
    PREFIX_END,
    Claim,
    Command,
    CompletePeerOperation,
    Ended,
    PeerOperation,
    Update,
    decode_command,
    encode_command,
    encode_counters,
    encode_record,
    load,
    record_key,
    told,
)
from kvorum.control.transition import apply
from kvorum.model.errors import validation
from kvorum.model.table import Table
from kvorum.node.answers import refused
from kvorum.node.machine import ReplicatedLog
from kvorum.node.store import Batch, Family, Store
from kvorum.node.watchers import Watchers
from kvorum.replication.link import Link, Reply
from kvorum.replication.raft.messages import Entry

_log = logging.getLogger("kvorum.control")

_APPLIED_KEY = b"control/applied"
_PAUSE_KICKS_MAX = 64


class ControlMachine:
    """Implements node/machine.Machine. `state` is ahead of `directory` until `show`. `replicas`: copies of
    every partition; `region` and `replicas` must be the same on every member."""

    def __init__(self, store: Store, region: str, replicas: int) -> None:
        self.state = load(region, replicas, store.scan(Family.META, PREFIX, PREFIX_END))
        saved = store.get(Family.META, _APPLIED_KEY)
        self.applied = int.from_bytes(saved, "big") if saved else 0
        self.directory = Directory()
        self.directory.receive(self.state.version, True, self.state.everything())
        self.watchers = Watchers(self.state.version, self._everything)
        self._unpublished: list[tuple[int, list[Update]]] = []

    def _everything(self) -> list[Update]:
        return self.state.everything()

    def apply(self, entry: Entry, command: Command | None, batch: Batch) -> Proposed | Refused:
        """Proposed carries the version at which the records changed; for a command that changed nothing, the
        version that was current."""
        if command is None:
            command = decode_command(entry.data)
        outcome = apply(self.state, command, entry.index)
        self.applied = entry.index
        if outcome.refusal is not None:
            return refused(outcome.refusal)
        if outcome.updates:
            self.state = outcome.state
            for update in outcome.updates:
                key = record_key(update.kind, update.id)
                if update.record is None:
                    batch.delete(Family.META, key)
                else:
                    batch.put(Family.META, key, encode_record(update.record))
            batch.put(Family.META, COUNTERS_KEY, encode_counters(self.state.counters))
            self._unpublished.append((self.state.version, outcome.updates))
        return Proposed(self.state.version, outcome.updates)

    def checkpoint(self, index: int, batch: Batch) -> None:
        self.applied = index
        batch.put(Family.META, _APPLIED_KEY, index.to_bytes(8, "big"))

    def show(self, index: int) -> None:
        """Nobody acts on a change that a crash could take back."""
        while self._unpublished and self._unpublished[0][0] <= index:
            version, updates = self._unpublished.pop(0)
            message = self.watchers.publish(version, updates)
            self.directory.receive(message.version, False, updates, message.after)

    def leadership_changed(self) -> None:
        """The service asks the log whenever it could act."""


@dataclass(slots=True)
class _Courier:
    """The way to one peer region: one operation at a time, in order. `pause`: kicks to let pass."""

    busy: bool = False
    failures: int = 0
    pause: int = 0


class ControlService:
    """What a member answers, and what its leader does unasked. `send_to_region(region, message, done)` reaches
    the control group of a peer region; `done` runs once, with its answer or a LinkFailure."""

    def __init__(
        self,
        machine: ControlMachine,
        log: ReplicatedLog,
        send_to_region: Callable[[str, PeerCommand, Reply], None],
    ) -> None:
        self._machine = machine
        self._log = log
        self._send_to_region = send_to_region
        self._reports: dict[str, NodeReport] = {}
        self._planned: set[Command] = set()
        self._couriers: dict[str, _Courier] = {}
        machine.directory.listen(self._notice)

    @property
    def leading(self) -> bool:
        return self._log.serving

    @property
    def reports(self) -> Mapping[str, NodeReport]:
        """The newest report of every node."""
        return self._reports

    def handle(self, message: Any, reply: Reply | None, link: Link | None) -> None:
        """Propose and PeerCommand are answered by Proposed, Refused or Elsewhere. Anything else than these two,
        Watch and NodeReport is not for us, and ignored."""
        match message:
            case Propose():
                self._propose(message.command, partial(self._answer, reply or _nobody))
            case PeerCommand():
                self._peer_command(message, reply or _nobody)
            case Watch() if link is not None:
                self._machine.watchers.watch(link, message.version)
            case NodeReport():
                self._reports[message.node] = message
                self._advance()
            case _:
                return

    def unwatch(self, link: Link) -> None:
        """The connection is gone."""
        self._machine.watchers.unwatch(link)

    def kick(self) -> None:
        """Time passes: to be called every half second or so."""
        self._machine.watchers.remind()
        for courier in self._couriers.values():
            courier.pause = max(0, courier.pause - 1)
        self._advance()

    # ---- proposals ----

    def _propose(self, command: Command, done: Reply) -> None:
        self._log.propose(encode_command(command), command, done)

    def _answer(self, reply: Reply, answer: Any) -> None:
        reply(answer)
        if isinstance(answer, Proposed) and answer.updates:
            self._ship()

    def _peer_command(self, message: PeerCommand, done: Reply) -> None:
        command = told(message.command, message.origin)
        if command is None:
            done(refused(validation("A region may only tell of global tables.")))
        else:
            self._propose(command, done)

    # ---- what the leader does unasked ----

    def _advance(self) -> None:
        """Propose what the reconciler wants, ship what peers must know. Changes nothing when nothing is due."""
        if not self._log.serving:
            return
        self._ship()
        for command in plan(self._machine.directory, self._reports):
            if command not in self._planned:
                self._planned.add(command)
                self._propose(command, partial(self._carried_out, command))

    def _carried_out(self, command: Command, answer: Any) -> None:
        self._planned.discard(command)
        if not self._planned and isinstance(answer, Proposed) and answer.updates:
            self._advance()

    def _ship(self) -> None:
        if not self._log.serving:
            return
        oldest: dict[str, PeerOperation] = {}
        for operation in self._machine.directory.peer_operations.values():
            first = oldest.get(operation.region)
            if first is None or operation.id < first.id:
                oldest[operation.region] = operation
        for region, operation in oldest.items():
            courier = self._couriers.setdefault(region, _Courier())
            if not courier.busy and not courier.pause:
                courier.busy = True
                message = PeerCommand(self._machine.state.region, operation.command)
                self._send_to_region(region, message, partial(self._delivered, courier, operation))

    def _delivered(self, courier: _Courier, operation: PeerOperation, answer: Any) -> None:
        if isinstance(answer, Proposed):
            courier.failures = 0
            command = CompletePeerOperation(id=operation.id)
            self._propose(command, partial(self._completed, courier))
            return
        if courier.failures == 0:
            _log.warning(
                "a peer region could not be told of a table",
                extra={"peer": operation.region, "operation": operation.id, "answer": repr(answer)},
            )
        courier.busy = False
        courier.pause = min(1 << courier.failures, _PAUSE_KICKS_MAX)
        courier.failures = min(courier.failures + 1, 16)

    def _completed(self, courier: _Courier, answer: Any) -> None:
        courier.busy = False
        if isinstance(answer, Proposed):
            self._ship()
        else:
            courier.pause = 1

    def _notice(self, directory: Directory, updates: list[Update]) -> None:
        """Two regions gave one name to different tables: nothing is lost, but somebody has to decide."""
        if not self._log.serving:
            return
        for update in updates:
            match update.record:
                case Claim(birth=birth) if _is_local(directory.tables.get(birth.name)):
                    _log.warning(
                        "a global table waits: a local table has its name; delete that one to let it in",
                        extra={"table": birth.name, "global_id": birth.global_id},
                    )
                case Ended(detach=True, name=name, global_id=global_id):
                    _log.warning(
                        "a global table lost its name to an older one with other keys; where it had items, it"
                        " stays as a local table",
                        extra={"table": name, "global_id": global_id},
                    )
                case _:
                    continue


def _is_local(table: Table | None) -> bool:
    return table is not None and not table.global_id


def _nobody(answer: Any) -> None:
    """Nobody waits for this answer."""
    del answer
