"""`kvorum up` whose nodes are killed with -9, one after another, while somebody uses it.

Kvorum retries nothing by itself that may have happened: it says InternalServerError, and the caller's SDK tries again.
So a caller may see its own success as a failure: a condition that no longer holds, a counter that went two further,
an item that was there "before". What a test saw of that is no fault of Kvorum's, and no proof of its health either.
`Witness` stands between callers and router and counts the answers after which a caller cannot know what happened; a
test that failed after such an answer is excused (`DoubtfulError`) and has to be run again, from its beginning. Any
other failure stands.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.kit.endpoints import ONE_REGION, Endpoint
from tests.kit.processes import Up, kvorum_up
from tests.kit.relay import Relay

_DOUBTFUL = re.compile(
    rb"HTTP/1\.1 500 "
    rb'|"Unprocessed(?:Items|Keys)":\{"'  # what a batch could not be sure of, it gives back
    rb'|"Code":"InternalServerError"'  # a statement's place in a batch of them
)
_LONGEST_BYTES = 64
"""More than any doubtful text has, so that none is missed where two reads meet."""

_OUR_DOING = re.compile(r"ended \(signal 9\); restarting")
_PAUSE_SECONDS = (0.1, 0.6)
"""Between a node's return and the next one's death."""


class DoubtfulError(Exception):
    """The test failed after an answer that leaves open what happened."""


class Witness:
    """A relay before a router, in a thread of its own. `doubts`: how many of its answers left their caller in doubt."""

    def __init__(self, port: int) -> None:
        self.doubts = 0
        self.address = ""
        self._port = port
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._relay())

    async def _relay(self) -> None:
        self._stop = asyncio.Event()
        async with Relay(self._port, lambda: Listener(self._count)) as relay:
            self.address = relay.address
            self._ready.set()
            await self._stop.wait()

    def _count(self, doubts: int) -> None:
        self.doubts += doubts


class Listener:
    """Hears what a router says on one connection, in whatever pieces, and tells `count` how many doubtful answers a
    piece completes."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._tail = b""

    def __call__(self, data: bytes) -> None:
        heard = self._tail + data
        end = doubts = 0
        for found in _DOUBTFUL.finditer(heard):
            doubts += 1
            end = found.end()
        self._count(doubts)
        self._tail = heard[max(end, len(heard) - _LONGEST_BYTES) :]


class Killer:
    """Kills a random node of the region, waits until it is back, and begins anew; never two at once. What it meets
    that should not be, it raises at the end."""

    def __init__(self, up: Up, region: str, dice: random.Random) -> None:
        self.kills = 0
        self._up = up
        self._region = region
        self._dice = dice
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(60)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        names = sorted(member.name for member in self._up.nodes(self._region))
        try:
            while not self._stopping.is_set():
                name = self._dice.choice(names)
                pid = self._up.kill(self._region, name)
                if pid is not None:
                    self.kills += 1
                    self._up.wait_restarted(self._region, name, pid)
                self._stopping.wait(self._dice.uniform(*_PAUSE_SECONDS))
        except Exception as failure:  # noqa: BLE001  raised where the killer is stopped
            self._failure = failure


@dataclass(frozen=True)
class DisturbedEndpoint(Endpoint):
    """`witness`: of everything that is asked at `url`."""

    witness: Witness | None = None

    @property
    def crashes(self) -> list[str]:
        """Without what our kills explain."""
        return [line for line in super().crashes if not _OUR_DOING.search(line)]


@contextmanager
def up_with_kills(directory: Path, seed: int) -> Iterator[DisturbedEndpoint]:
    """`kvorum up`, one region of a router and three nodes, one of which is always about to die."""
    with kvorum_up(directory, topology=ONE_REGION) as command:
        ((region, url),) = command.urls.items()
        port = urlsplit(url).port
        assert port is not None
        with Witness(port) as witness, Killer(command, region, random.Random(seed)) as killer:
            yield DisturbedEndpoint(
                f"http://{witness.address}", region, directory=directory, disturbed=True, witness=witness
            )
        command.wait_all_ready()
        print(f"\n{killer.kills} kills, {witness.doubts} answers that left their callers in doubt")
        assert killer.kills, "no node was killed: this proves nothing"
