"""`kvorum up`: every router and node of a topology as a process of its own, watched and restarted.

Writes `cluster.json` into the data directory, kept current: one object for each process with region, role,
name, zone, pid and addresses. A child that loses its supervisor stops by itself (cli/process watches its
parent), so that even `kill -9` of the supervisor leaves nothing behind for long.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from kvorum.cli.data_directory import write_atomically
from kvorum.cli.errors import OperatorError
from kvorum.cli.topology import NodeEntry, RouterEntry, Topology, dump

CONFIGURATION_EXIT = 2
"""A child whose first start ends with this code would fail the same way again: the operator has to act. One that
has run before is tried again; whatever is in its way, the others must go on."""
STOP_SECONDS = 10.0
_RESTART_DELAYS_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
_HEALTHY_SECONDS = 2.0
_REWRITE_SECONDS = 1.0


@dataclass(slots=True)
class _Child:
    region: str
    role: str
    entry: NodeEntry | RouterEntry
    pid: int | None = None

    @property
    def title(self) -> str:
        return f"{self.region}/{self.entry.name}"

    def described(self) -> dict[str, Any]:
        router = self.entry if isinstance(self.entry, RouterEntry) else None
        return {
            "region": self.region,
            "role": self.role,
            "name": self.entry.name,
            "zone": self.entry.zone,
            "pid": self.pid,
            "http": router.http if router else None,
            "grpc": router.grpc if router else None,
            "metrics": self.entry.metrics,
            "wire": self.entry.wire,
        }


class Supervisor:
    """`say` prints a line to the operator. The topology must be complete (topology.resolve)."""

    def __init__(
        self, topology: Topology, directory: Path, *, restart: bool, say: Callable[[str], None]
    ) -> None:
        self._topology = topology
        self._directory = directory
        self._restart = restart
        self._say = say
        self._stopping = asyncio.Event()
        self._routers_gone = asyncio.Event()
        self._children = [
            _Child(region.name, role, entry)
            for region in topology.regions
            for role, entries in (("node", region.nodes), ("router", region.routers))
            for entry in entries
        ]
        self._configuration = directory / "topology.json"
        self._rewrite: asyncio.TimerHandle | None = None

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop` is set; returns the exit code."""
        write_atomically(self._configuration, dump(self._topology))
        (self._directory / "logs").mkdir(exist_ok=True)
        failure: OperatorError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                watchers = [group.create_task(self._watch(child)) for child in self._children]
                announcing = group.create_task(self._announce())
                await stop.wait()
                self._say("stopping")
                self._stopping.set()
                announcing.cancel()
                await asyncio.wait(watchers)
        except* OperatorError as errors:
            failure = errors.exceptions[0] if isinstance(errors.exceptions[0], OperatorError) else None
        self._write_cluster()
        if failure is not None:
            raise failure
        return 0

    async def _watch(self, child: _Child) -> None:
        """One child's life: start, wait, and start again."""
        failures = starts = 0
        process: asyncio.subprocess.Process | None = None
        try:
            while not self._stopping.is_set():
                started = time.monotonic()
                process = await self._spawn(child)
                starts += 1
                code = await self._wait(process, child)
                child.pid = None
                self._write_cluster()
                if self._stopping.is_set():
                    return
                if code == CONFIGURATION_EXIT and starts == 1:
                    raise OperatorError(f"{child.title} cannot start: {self._last_words(child)}")
                self._say(f"{child.title} ended ({_how(code)})" + ("; restarting" if self._restart else ""))
                if not self._restart:
                    return
                failures = 0 if time.monotonic() - started > _HEALTHY_SECONDS else failures + 1
                delay_seconds = _RESTART_DELAYS_SECONDS[min(failures, len(_RESTART_DELAYS_SECONDS) - 1)]
                await _wait_for_event(self._stopping, delay_seconds)
        finally:
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()

    async def _spawn(self, child: _Child) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "kvorum.cli.main", child.role, "--config", str(self._configuration)]
        command += ["--region", child.region, "--name", child.entry.name, "--supervisor", str(os.getpid())]
        if child.role == "node":
            command += ["--data-dir", str(self._directory)]
        with self._log_path(child).open("ab") as log:
            # A group of its own: Ctrl-C reaches the supervisor, which stops the children in order.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        child.pid = process.pid
        self._write_cluster()
        return process

    async def _wait(self, process: asyncio.subprocess.Process, child: _Child) -> int:
        """The child's exit code; ends the child when the supervisor stops, routers before nodes."""
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                if child.role == "node":
                    await _wait_for_event(self._routers_gone, STOP_SECONDS)
                if process.returncode is None:
                    process.terminate()
                await asyncio.wait({ended}, timeout=STOP_SECONDS)
            if not ended.done():
                self._say(f"{child.title} does not stop; killing it")
                process.kill()
            return await ended
        finally:
            stopping.cancel()

    async def _announce(self) -> None:
        """Say when every router is ready."""
        routers = [(region.name, router) for region in self._topology.regions for router in region.routers]
        for region, router in routers:
            while not await asyncio.to_thread(_is_ready, f"http://{router.http}/readyz"):
                await asyncio.sleep(0.05)
            self._say(f"{region}: http://{router.http}  (gRPC {router.grpc})")
        self._say("ready")

    def _write_cluster(self) -> None:
        if not any(child.pid for child in self._children if child.role == "router"):
            self._routers_gone.set()
        else:
            self._routers_gone.clear()
        if self._rewrite is not None:
            self._rewrite.cancel()
            self._rewrite = None
        described = [child.described() for child in self._children]
        data = msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"
        try:
            write_atomically(self._directory / "cluster.json", data)
        except OSError as error:  # a full disk: the processes matter more
            self._say(f"cannot write cluster.json: {error.strerror}; trying again")
            self._rewrite = asyncio.get_running_loop().call_later(_REWRITE_SECONDS, self._write_cluster)

    def _log_path(self, child: _Child) -> Path:
        return self._directory / "logs" / f"{child.region}.{child.entry.name}.log"

    def _last_words(self, child: _Child) -> str:
        lines = self._log_path(child).read_text(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("kvorum: ") if lines else "it said nothing"


async def _wait_for_event(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except OSError:
        return False


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
