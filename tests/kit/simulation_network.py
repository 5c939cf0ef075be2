"""Simulated TCP between simulated processes: what replication/wire does, on virtual time.

A connection carries frames in order, or breaks; no single message is lost. While a path is cut, what is under way
waits (TCP sends it again) and arrives late if the path heals in time; whoever hears nothing for `SILENCE_SECONDS`
hangs up. A killed process's kernel says goodbye for it; a host that dies says nothing. Messages cross as the bytes
that the real codec makes of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from msgspec.msgpack import Decoder, Encoder

from kvorum.control.messages import Message
from kvorum.replication.link import Handler, LinkFailure, Reply
from tests.kit.links import VirtualLoop
from tests.kit.simulation_process import SimulatedProcess

SILENCE_SECONDS = 4.0
SWEEP_SECONDS = 0.1
RECONNECT_SECONDS_MIN = 0.02
RECONNECT_SECONDS_MAX = 1.0

_encoder = Encoder()
_decoder: Decoder[list[tuple[int, Any]]] = Decoder(list[tuple[int, Message]])


@dataclass(slots=True)
class Host:
    """Where a process runs: what paths between hosts are made of."""

    region: str
    zone: str
    name: str

    @property
    def id(self) -> str:
        return f"{self.region}/{self.name}"


@dataclass(slots=True)
class Server:
    """What a living process does with connections that others make to it."""

    process: SimulatedProcess
    handler: Handler
    on_up: Callable[[Any], None]
    on_down: Callable[[Any], None]


class Network:
    """Paths and connections. `cast_loss`: share of casts that a full outbox drops."""

    def __init__(self, loop: VirtualLoop, random: Random) -> None:
        self.loop = loop
        self.random = random
        self.cast_loss = 0.0
        self.messages = 0
        self.servers: dict[str, Server] = {}
        self.hosts: dict[str, Host] = {}
        self.connections: list[Connection] = []
        self.slow: dict[tuple[str, str], float] = {}
        self._cut: dict[tuple[str, str], float] = {}  # (from, to) -> since when

    # ---- paths ----

    def delay_seconds(self, source: Host, target: Host) -> float:
        random = self.random
        if source.region != target.region:
            delay = random.uniform(0.02, 0.04)
        elif source.zone != target.zone:
            delay = random.uniform(0.000_3, 0.002)
        else:
            delay = random.uniform(0.000_05, 0.000_5)
        return delay * self.slow.get((source.id, target.id), 1.0)

    def cut(self, source: str, target: str) -> None:
        """Nothing passes from one host to the other."""
        if (source, target) in self._cut:
            return
        self._cut[(source, target)] = since = self.loop.time()
        for connection in self.connections:
            for end in connection.ends:
                if (end.other.host.id, end.host.id) == (source, target):
                    end.watch_silence(lambda: self._cut.get((source, target)) == since)

    def heal(self, source: str, target: str) -> None:
        if self._cut.pop((source, target), None) is None:
            return
        for connection in self.connections:
            for end in connection.ends:
                if (end.host.id, end.other.host.id) == (source, target):
                    end.resume_sending()

    def heal_all(self) -> None:
        for source, target in list(self._cut):
            self.heal(source, target)
        self.slow.clear()

    def is_cut(self, source: str, target: str) -> bool:
        return (source, target) in self._cut

    def is_reachable(self, source: str, target: str) -> bool:
        """Whether a connection can be made: both ways are open and somebody listens."""
        server = self.servers.get(target)
        return (
            server is not None
            and server.process.alive
            and not server.process.standing_still
            and not self.is_cut(source, target)
            and not self.is_cut(target, source)
        )

    # ---- what happens to processes ----

    def process_died(self, host: Host, *, silently: bool) -> None:
        """`silently`: its host died with it. Otherwise the kernel delivers what was sent, then hangs up."""
        self.servers.pop(host.id, None)
        for connection in list(self.connections):
            for end in connection.ends:
                if end.host.id == host.id:
                    end.owner_died(silently=silently)

    def process_back(self, host: Host) -> None:
        """A host that died is there again: it knows nothing of old connections, and says so when asked."""
        for connection in list(self.connections):
            for end in connection.ends:
                if end.other.host.id == host.id and not end.other.process.alive:
                    self.loop.call_later(self.random.uniform(0.0, 1.0), end.break_off, "reset", False)

    def process_paused(self, process: SimulatedProcess) -> None:
        pauses = process.pauses
        for connection in self.connections:
            for end in connection.ends:
                if end.other.process is process:
                    end.watch_silence(lambda: process.pauses == pauses and process.standing_still)

    def forget(self, connection: Connection) -> None:
        if all(end.ended for end in connection.ends) and connection in self.connections:
            self.connections.remove(connection)


class Connection:
    __slots__ = ("ends",)

    def __init__(self, network: Network, dialler: Dialler, server: Server, host: Host) -> None:
        client = _End(network, dialler.process, dialler.host, dialler.handler, host.name)
        client.face = dialler
        accepted = _End(network, server.process, host, server.handler, dialler.host.name)
        client.other, accepted.other = accepted, client
        self.ends = (client, accepted)
        for end in self.ends:
            end.connection = self


class _End:
    """One end of a connection; the accepted one is the `Link` that its process sees."""

    def __init__(
        self, network: Network, process: SimulatedProcess, host: Host, handler: Handler, peer: str
    ) -> None:
        self.peer = peer
        self.process = process
        self.host = host
        self.connected = False
        self.face: Any = self
        self.other: _End = self
        self.connection: Connection | None = None
        self.on_down: Callable[[Any], None] = _nobody
        self._network = network
        self._handler = handler
        self.ended = False
        self._outbox: list[bytes] = []
        self._flush_due = False
        self._calls: dict[int, tuple[Reply, float]] = {}
        self._number = 0
        self._sent_number = 0
        self._sweep_due = False
        # What is under way to the other end: (arrival, what happens there).
        self._wire: deque[tuple[float, Callable[[], None]]] = deque()
        self._pumping = False
        self._stalled = False

    # ---- Link ----

    def cast(self, message: Any) -> None:
        network = self._network
        if self.connected and not (network.cast_loss and network.random.random() < network.cast_loss):
            self._put(0, message)

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        if not self.connected:
            done(LinkFailure(False, f"{self.peer}: not connected"))
            return
        self._number = number = self._number + 1
        self._put(number, message)
        self._calls[number] = (done, self.process.time() + timeout_seconds)
        if not self._sweep_due:
            self._sweep_due = True
            self.process.call_later(SWEEP_SECONDS, self._sweep)

    # ---- sending ----

    def _put(self, number: int, message: Any) -> None:
        self._outbox.append(_encoder.encode((number, message)))
        self._network.messages += 1
        if not self._flush_due:
            self._flush_due = True
            self.process.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self.connected and self._outbox:
            frame, self._outbox = self._outbox, []
            self._sent_number = self._number
            self.carry(lambda: self.other.receive(frame))

    def carry(self, act: Callable[[], None]) -> None:
        """`act` happens at the other end, behind everything that was sent before."""
        loop = self._network.loop
        arrival = loop.time() + self._network.delay_seconds(self.host, self.other.host)
        if self._wire:
            arrival = max(arrival, self._wire[-1][0])
        self._wire.append((arrival, act))
        if not self._pumping:
            self._pumping = True
            loop.call_at(arrival, self._pump)

    def _pump(self) -> None:
        network = self._network
        if not self._wire:
            return  # its host died without a word
        if network.is_cut(self.host.id, self.other.host.id):
            self._stalled = True
            return
        _, act = self._wire.popleft()
        self.other.process.call_soon(act)
        if self._wire:
            network.loop.call_at(self._wire[0][0], self._pump)
        else:
            self._pumping = False

    def resume_sending(self) -> None:
        if self._stalled:
            self._stalled = False
            self._network.loop.call_later(self._network.random.uniform(0.01, 0.5), self._pump)

    # ---- receiving ----

    def receive(self, frame: list[bytes]) -> None:
        if not self.connected:
            return
        packed = b"\xdd" + len(frame).to_bytes(4, "big") + b"".join(frame)
        for number, message in _decoder.decode(packed):
            if number > 0:
                self._handler(message, _Answer(self, number), self.face)
            elif number == 0:
                self._handler(message, None, self.face)
            else:
                waiting = self._calls.pop(-number, None)
                if waiting is not None:
                    waiting[0](message)

    def answer(self, number: int, message: Any) -> None:
        if self.connected:
            self._put(-number, message)

    # ---- time and the end ----

    def watch_silence(self, still: Callable[[], bool]) -> None:
        """The other end has fallen silent: hang up after a while, if it still is then."""

        def check(pauses: int) -> None:
            if not still():
                return
            if self.process.pauses != pauses:  # this very process stood still: that counts against nobody
                self.process.call_later(SILENCE_SECONDS, check, self.process.pauses)
            else:
                self.break_off("silent", True)

        if not self.ended and self.process.alive:
            self.process.call_later(SILENCE_SECONDS, check, self.process.pauses)

    def _sweep(self) -> None:
        self._sweep_due = False
        if not self._calls:
            return
        self._sweep_due = True
        self.process.call_later(SWEEP_SECONDS, self._sweep)
        now = self.process.time()
        if now - self.process.resumed_at < SWEEP_SECONDS:
            return  # answers may lie unread
        for number in [number for number, (_, deadline) in self._calls.items() if deadline <= now]:
            self._calls.pop(number)[0](LinkFailure(True, f"{self.peer}: no answer in time"))

    def up(self) -> None:
        self.connected = True

    def break_off(self, reason: str, tell: bool) -> None:
        """Hang up. `tell`: the other end hears of it, as far as the path allows."""
        if self.ended or not self.process.alive:
            return
        self.ended = True
        was_connected, self.connected = self.connected, False
        self._outbox.clear()
        if tell:
            self.carry(lambda: self.other.break_off("closed by the peer", False))
        calls, self._calls = self._calls, {}
        sent = [done for number, (done, _) in calls.items() if number <= self._sent_number]
        unsent = [done for number, (done, _) in calls.items() if number > self._sent_number]
        if was_connected or isinstance(self.face, Dialler):
            self.on_down(self)
        for done in unsent:
            done(LinkFailure(False, f"{self.peer}: {reason}"))
        for done in sent:
            done(LinkFailure(True, f"{self.peer}: {reason}"))
        assert self.connection is not None
        self._network.forget(self.connection)

    def owner_died(self, *, silently: bool) -> None:
        if self.ended:
            return
        self.ended = True
        self.connected = False
        self._calls.clear()
        other = self.other
        if silently:
            self._wire.clear()
            self._pumping = True  # nothing leaves any more
            other.watch_silence(lambda: True)
        else:
            self.carry(lambda: other.break_off("connection reset", False))
        assert self.connection is not None
        self._network.forget(self.connection)


class _Answer:
    __slots__ = ("_end", "_number")

    def __init__(self, end: _End, number: int) -> None:
        self._end = end
        self._number = number

    def __call__(self, message: Any) -> None:
        assert self._number, "a call was answered twice"
        number, self._number = self._number, 0
        self._end.answer(number, message)


class Dialler:
    """A `Link` that is made again whenever it is lost (wire.WireClient)."""

    def __init__(
        self,
        network: Network,
        process: SimulatedProcess,
        host: Host,
        target: Host,
        handler: Handler,
        on_up: Callable[[Any], None],
        on_down: Callable[[Any], None],
    ) -> None:
        self.process = process
        self.host = host
        self.peer = target.name
        self.handler = handler
        self._network = network
        self._target = target
        self._on_up = on_up
        self._on_down = on_down
        self._end: _End | None = None
        self._pause = RECONNECT_SECONDS_MIN

    @property
    def connected(self) -> bool:
        return self._end is not None

    def cast(self, message: Any) -> None:
        if self._end is not None:
            self._end.cast(message)

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        if self._end is not None:
            self._end.call(message, done, timeout_seconds)
        else:
            done(LinkFailure(False, f"{self.peer}: not connected"))

    def start(self) -> None:
        self._dial()

    def _dial(self) -> None:
        network = self._network
        if not network.is_reachable(self.host.id, self._target.id):
            self._again()
            return
        connection = Connection(network, self, network.servers[self._target.id], self._target)
        network.connections.append(connection)
        client, accepted = connection.ends
        client.on_down = self._down
        client.carry(lambda: self._accepted(accepted))

    def _accepted(self, accepted: _End) -> None:
        """At the server: it has read our Hello, and says its own."""
        server = self._network.servers.get(self._target.id)
        if server is None or server.process is not accepted.process:
            return  # it died meanwhile
        accepted.up()
        accepted.on_down = server.on_down
        accepted.carry(lambda: self._ready(accepted.other))
        server.on_up(accepted)

    def _ready(self, end: _End) -> None:
        if end.ended:
            return
        end.up()
        self._end = end
        self._pause = RECONNECT_SECONDS_MIN
        self._on_up(self)

    def _down(self, end: _End) -> None:
        was_up = self._end is end
        if was_up:
            self._end = None
        self._again()
        if was_up:
            self._on_down(self)

    def _again(self) -> None:
        self.process.call_later(self._pause * self._network.random.uniform(0.5, 1.0), self._dial)
        self._pause = min(2 * self._pause, RECONNECT_SECONDS_MAX)


def _nobody(_: object) -> None:
    return
