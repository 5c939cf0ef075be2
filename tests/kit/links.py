"""Simulated links on a virtual clock: whole clusters in one process, the same trace for the same seed.

`VirtualLoop` has the few methods of an event loop that callbacks need, and a clock that jumps. `Network` makes
`Link`s between named processes. By default they are what a TCP connection is: messages arrive in order and once,
or never; a partition is silence until it is noticed, a crash is a reset. `disorder` adds what no connection does
(duplicates, overtaking), for protocols that promise to stand it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from kvorum.replication.link import Handler, LinkFailure, Reply


@dataclass(slots=True)
class Timer:
    callback: Callable[..., object] | None
    arguments: tuple[Any, ...]

    def cancel(self) -> None:
        self.callback = None


class VirtualFuture:
    """As much of a future as a connection needs."""

    def __init__(self) -> None:
        self._done = False

    def done(self) -> bool:
        return self._done

    def set_result(self, _: object) -> None:
        self._done = True


class VirtualLoop:
    """Events run in order of time, then of registration."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sequence = count()
        self._events: list[tuple[float, int, Timer]] = []

    def time(self) -> float:
        return self._now

    def now_ms(self) -> int:
        """The same clock as milliseconds of a plausible year."""
        return 1_750_000_000_000 + int(self._now * 1_000)

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> Timer:
        return self.call_at(self._now, callback, *arguments)

    def call_later(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        return self.call_at(self._now + seconds, callback, *arguments)

    def call_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        timer = Timer(callback, arguments)
        heapq.heappush(self._events, (max(when, self._now), next(self._sequence), timer))
        return timer

    def create_future(self) -> VirtualFuture:
        return VirtualFuture()

    def run_for(self, seconds: float) -> None:
        """Run every event of the next `seconds`, those that it brings forth included."""
        end = self._now + seconds
        while self._events and self._events[0][0] <= end:
            self._step()
        self._now = end

    def stand_still(self, seconds: float) -> None:
        """Time passes and nothing runs, as when the process is stopped."""
        self._now += seconds

    def run_until(self, condition: Callable[[], bool], seconds_max: float) -> bool:
        """Run event by event until `condition` holds. False when it did not within `seconds_max`."""
        end = self._now + seconds_max
        while not condition():
            if not self._events or self._events[0][0] > end:
                return False
            self._step()
        return True

    def _step(self) -> None:
        when, _, timer = heapq.heappop(self._events)
        if timer.callback is not None:
            self._now = max(self._now, when)
            timer.callback(*timer.arguments)


@dataclass(slots=True)
class Weather:
    """What the network does to each message. `loss` and `duplicates`: probabilities."""

    delay_seconds: tuple[float, float] = (0.000_5, 0.003)
    loss: float = 0.0
    duplicates: float = 0.0
    disorder: bool = False


@dataclass(slots=True)
class _Process:
    handler: Handler
    on_up: Callable[[SimulatedLink], None]
    on_down: Callable[[SimulatedLink], None]
    links: dict[str, SimulatedLink] = field(default_factory=dict[str, "SimulatedLink"])
    alive: bool = True


def _nobody(_: object) -> None:
    return


class Network:
    """Every process of a simulation. `silence_seconds`: how long a partition stays unnoticed."""

    def __init__(
        self, loop: VirtualLoop, random: Random, weather: Weather | None = None, silence_seconds: float = 4.0
    ) -> None:
        self.loop = loop
        self.random = random
        self.weather = weather or Weather()
        self.silence_seconds = silence_seconds
        self._processes: dict[str, _Process] = {}
        self._cut: set[frozenset[str]] = set()

    def add(
        self,
        name: str,
        handler: Handler,
        on_up: Callable[[SimulatedLink], None] = _nobody,
        on_down: Callable[[SimulatedLink], None] = _nobody,
    ) -> None:
        """A process starts. A crashed one starts again by the same name: whoever had a link to it keeps it."""
        previous = self._processes.get(name)
        self._processes[name] = _Process(handler, on_up, on_down)
        if previous is not None:
            for peer in previous.links:
                self.connect(name, peer)

    def connect(self, source: str, target: str) -> SimulatedLink:
        """The link of `source` to `target`; its mirror comes with it, as the accepting side has one too."""
        link = self._link(source, target)
        self._link(target, source)
        self._update(source, target)
        return link

    def crash(self, name: str) -> None:
        """The process is gone with everything that it was about to say; its peers see a reset."""
        process = self._processes[name]
        process.alive = False
        for peer in process.links:
            self._processes[peer].links[name].break_off("connection reset")
        for link in process.links.values():
            link.forget()

    def cut(self, first: str, second: str) -> None:
        """Nothing passes between the two; both notice after `silence_seconds`."""
        self._cut.add(frozenset((first, second)))
        for link in self._both(first, second):
            self.loop.call_later(self.silence_seconds, self._notice, link)

    def heal(self, first: str, second: str) -> None:
        self._cut.discard(frozenset((first, second)))
        self.loop.call_later(self.random.uniform(0.02, 1.0), self._update, first, second)

    def passes(self, source: str, target: str) -> bool:
        return frozenset((source, target)) not in self._cut and self._processes[target].alive

    def deliver(self, link: SimulatedLink, act: Callable[[], None]) -> None:
        """Carry one message over `link`, as the weather is."""
        weather = self.weather
        if self.random.random() < weather.loss:
            return
        copies = 2 if self.random.random() < weather.duplicates else 1
        for _ in range(copies):
            arrival = self.loop.time() + self.random.uniform(*weather.delay_seconds)
            if not weather.disorder:
                arrival = link.arrival = max(arrival, link.arrival)
            self.loop.call_at(arrival, self._arrive, link, self._processes[link.peer], act)

    def handler(self, name: str) -> Handler:
        return self._processes[name].handler

    def mirror(self, link: SimulatedLink) -> SimulatedLink:
        return self._processes[link.peer].links[link.source]

    def told_up(self, link: SimulatedLink) -> None:
        self._processes[link.source].on_up(link)

    def told_down(self, link: SimulatedLink) -> None:
        self._processes[link.source].on_down(link)

    def _arrive(self, link: SimulatedLink, target: _Process, act: Callable[[], None]) -> None:
        if self.passes(link.source, link.peer) and self._processes[link.peer] is target:
            act()

    def _link(self, source: str, target: str) -> SimulatedLink:
        links = self._processes[source].links
        if target not in links:
            links[target] = SimulatedLink(self, source, target)
        return links[target]

    def _both(self, first: str, second: str) -> list[SimulatedLink]:
        pairs = ((first, second), (second, first))
        return [self._processes[a].links[b] for a, b in pairs if b in self._processes[a].links]

    def _notice(self, link: SimulatedLink) -> None:
        if not self.passes(link.source, link.peer):
            link.break_off("silent")

    def _update(self, first: str, second: str) -> None:
        if self.passes(first, second) and self.passes(second, first):
            both = self._both(first, second)
            for link in both:  # a new connection, whatever either end still thinks of the last one
                link.break_off("connected anew")
            for link in both:
                link.connected = True
            for link in both:
                self.told_up(link)


class SimulatedLink:
    """One end of a connection; implements `Link`."""

    def __init__(self, network: Network, source: str, peer: str) -> None:
        self.source = source
        self.peer = peer
        self.connected = False
        self.arrival = 0.0
        self._network = network
        self._numbers = count(1)
        self._calls: dict[int, Reply] = {}

    def cast(self, message: Any) -> None:
        network = self._network
        if self.connected:
            network.deliver(self, lambda: network.handler(self.peer)(message, None, network.mirror(self)))

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        network = self._network
        if not self.connected:
            done(LinkFailure(False, f"{self.peer}: not connected"))
            return
        number = next(self._numbers)
        self._calls[number] = done

        def reply(answer: Any) -> None:
            mirror = network.mirror(self)
            if mirror.connected:
                network.deliver(mirror, lambda: self._answered(number, answer))

        network.deliver(self, lambda: network.handler(self.peer)(message, reply, network.mirror(self)))
        late = LinkFailure(True, f"{self.peer}: no answer in time")
        network.loop.call_later(timeout_seconds, self._answered, number, late)

    def break_off(self, reason: str) -> None:
        if not self.connected:
            return
        self.connected = False
        self._network.told_down(self)
        waiting, self._calls = self._calls, {}
        for done in waiting.values():
            done(LinkFailure(True, f"{self.peer}: {reason}"))

    def forget(self) -> None:
        """Its process has crashed: nobody waits any more."""
        self.connected = False
        self._calls.clear()

    def _answered(self, number: int, answer: Any) -> None:
        done = self._calls.pop(number, None)
        if done is not None:
            done(answer)
