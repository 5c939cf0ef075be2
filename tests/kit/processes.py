"""`kvorum dev` and `kvorum up` as a user starts them: the installed command, in a directory of its own, on free
ports; and what happens to processes: kill -9, a pause, a stop, a look at who is left.

Every process that a test starts, and whatever that starts in turn, carries the test's mark in its environment,
so that one which lost its parent is found too. Nothing here sleeps: `until` waits for conditions.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")

REGIONS = ("ap-northeast-1", "us-east-1")
READY_SECONDS = 30.0
STOP_SECONDS = 30.0
GRPC_PORT_OFFSET = 1_000
_POLL_SECONDS = 0.01
_MARK = "KVORUM_TEST_MARK"


def until(condition: Callable[[], T | None], seconds: float, what: str) -> T:
    """The condition's first true value; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(_POLL_SECONDS)


def free_port(regions: int = 2) -> int:
    """The first of `regions` neighbouring ports that are free, and free 1,000 above too, for gRPC. Below the
    range that outgoing connections draw from, so that they stay free until they are used."""
    for _ in range(1_000):
        first = 10_000 + int.from_bytes(os.urandom(2), "big") % 20_000
        ports = [first + offset + number for offset in (0, GRPC_PORT_OFFSET) for number in range(regions)]
        if all(_is_free(port) for port in ports):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    body: str


def get(url: str, timeout_seconds: float = 5.0) -> Page | None:
    """GET; None when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as answer:
            return Page(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Page(error.code, error.read().decode())
    except (OSError, TimeoutError):
        return None


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that came to its end by itself."""

    code: int
    stdout: str
    stderr: str


def run(*arguments: str, cwd: Path, seconds: float = 30.0) -> Ended:
    """`kvorum ARGUMENTS` to its end."""
    done = subprocess.run(
        [str(script()), *arguments], cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def script() -> Path:
    """The installed command."""
    return Path(sys.executable).with_name("kvorum")


class Command:
    """A running `kvorum` command. `directory` is its working directory and holds what it printed, in
    stdout.log and stderr.log, over all its starts."""

    def __init__(self, directory: Path, arguments: tuple[str, ...]) -> None:
        self.directory = directory
        self.arguments = arguments
        self.mark = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None
        self._printed_before = 0
        directory.mkdir(parents=True, exist_ok=True)

    # ---- life ----

    def start(self) -> None:
        """Does not wait for readiness."""
        assert self._process is None or self._process.poll() is not None, "it is running already"
        self._printed_before = len(self.stdout)
        with (
            (self.directory / "stdout.log").open("ab") as out,
            (self.directory / "stderr.log").open("ab") as err,
        ):
            self._process = subprocess.Popen(
                [str(script()), *self.arguments],
                cwd=self.directory,
                env={**os.environ, _MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Until it has printed its ready line; AssertionError with its logs when it does not."""

        def ready() -> bool:
            if not self.running:
                raise AssertionError(f"ended with {self.exit_code} before it was ready\n{self.logs()}")
            return "ready" in self.stdout[self._printed_before :].splitlines()

        try:
            until(ready, seconds, "the ready line")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def send(self, number: int) -> None:
        self._popen.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Its exit code, once it has ended."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end within {seconds:g} s\n{self.logs()}") from None

    def stop(self, number: int = signal.SIGTERM, seconds: float = STOP_SECONDS) -> int:
        """Ask it to end; its exit code. Nobody may be left then."""
        self.send(number)
        code = self.wait(seconds)
        left = self.processes()
        assert not left, f"left behind: {left}\n{self.logs()}"
        return code

    def kill_all(self) -> None:
        """kill -9 of every process at once, as when the power goes."""
        victims = self.processes()
        for victim in victims:
            victim.suspend()  # so that none of them sees another die
        for victim in victims:
            victim.kill()
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
        until(lambda: not self.processes(), STOP_SECONDS, "every process dead")

    # ---- facts ----

    @property
    def _popen(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()

    @property
    def stdout(self) -> str:
        return _text(self.directory / "stdout.log")

    @property
    def stderr(self) -> str:
        return _text(self.directory / "stderr.log")

    def processes(self) -> list[psutil.Process]:
        """Everyone alive who was started by this command, at whatever remove."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def logs(self) -> str:
        """What everybody said at the end, for a failure's message."""
        paths = [self.directory / "stdout.log", self.directory / "stderr.log"]
        paths += sorted(self.directory.glob("**/logs/*.log"))
        return "\n".join(f"---- {path.name}\n{_text(path)[-3_000:]}" for path in paths if path.exists())


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


class Dev(Command):
    """`kvorum dev`."""

    def __init__(
        self, directory: Path, regions: tuple[str, ...], port: int, options: tuple[str, ...] = ()
    ) -> None:
        super().__init__(directory, ("dev", "--regions", ",".join(regions), "--port", str(port), *options))
        self.urls = {region: f"http://127.0.0.1:{port + number}" for number, region in enumerate(regions)}
        self.grpc = {
            region: f"127.0.0.1:{port + GRPC_PORT_OFFSET + number}" for number, region in enumerate(regions)
        }

    @property
    def url(self) -> str:
        """The first region's."""
        return next(iter(self.urls.values()))


@dataclass(frozen=True, slots=True)
class Member:
    """One line of cluster.json. `pid` None: it does not run now. Addresses are host:port."""

    region: str
    role: str
    name: str
    zone: str
    pid: int | None
    http: str | None
    grpc: str | None
    metrics: str
    wire: str

    @property
    def key(self) -> tuple[str, str]:
        return self.region, self.name


class Up(Command):
    """`kvorum up`, its data under `directory`/data."""

    def __init__(
        self, directory: Path, port: int, topology: Path | None = None, options: tuple[str, ...] = ()
    ) -> None:
        given = (str(topology),) if topology is not None else ()
        super().__init__(directory, ("up", *given, "--data-dir", "data", "--port", str(port), *options))
        self.data = directory / "data"

    # ---- who ----

    def members(self) -> dict[tuple[str, str], Member]:
        """cluster.json, by (region, name)."""
        described: list[dict[str, Any]] = json.loads((self.data / "cluster.json").read_bytes())
        return {(line["region"], line["name"]): Member(**line) for line in described}

    def member(self, region: str, name: str) -> Member:
        return self.members()[region, name]

    def nodes(self, region: str) -> list[Member]:
        return [one for one in self.members().values() if one.region == region and one.role == "node"]

    def routers(self, region: str) -> list[Member]:
        return [one for one in self.members().values() if one.region == region and one.role == "router"]

    @property
    def urls(self) -> dict[str, str]:
        """Each region's first router."""
        urls: dict[str, str] = {}
        for member in self.members().values():
            if member.role == "router":
                urls.setdefault(member.region, f"http://{member.http}")
        return urls

    @property
    def grpc(self) -> dict[str, str]:
        addresses: dict[str, str] = {}
        for member in self.members().values():
            if member.grpc is not None:
                addresses.setdefault(member.region, member.grpc)
        return addresses

    # ---- what happens to them ----

    def kill(self, region: str, name: str) -> int | None:
        """kill -9; the pid that it had, None when it was not running."""
        return self._signal(region, name, signal.SIGKILL)

    def pause(self, region: str, name: str) -> None:
        assert self._signal(region, name, signal.SIGSTOP) is not None

    def resume(self, region: str, name: str) -> None:
        assert self._signal(region, name, signal.SIGCONT) is not None

    def wait_restarted(self, region: str, name: str, old_pid: int | None, seconds: float = 15.0) -> Member:
        """Until the supervisor has started it anew and it says that it is ready."""

        def again() -> Member | None:
            member = self.member(region, name)
            return member if member.pid is not None and member.pid != old_pid and is_ready(member) else None

        return until(again, seconds, f"{region}/{name} ready again")

    def wait_all_ready(self, seconds: float = READY_SECONDS) -> None:
        """Until every process says that it is ready."""
        until(
            lambda: all(is_ready(member) for member in self.members().values()),
            seconds,
            "every process ready",
        )

    def status(self) -> list[dict[str, Any]]:
        """`kvorum status --json`, by region."""
        ended = run("status", "--data-dir", str(self.data), "--json", cwd=self.directory)
        assert ended.stdout, ended.stderr
        regions: list[dict[str, Any]] = json.loads(ended.stdout)
        return regions

    def leader_of(self, region: str, table: str) -> str | None:
        """Who leads the table's first partition."""
        for described in self.status():
            if described["name"] == region:
                for partition in described["partitions"]:
                    if partition["table"] == table:
                        leader: str | None = partition["leader"]
                        return leader
        return None

    def _signal(self, region: str, name: str, number: int) -> int | None:
        pid = self.member(region, name).pid
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return None
        return pid


def is_ready(member: Member) -> bool:
    page = get(f"http://{member.metrics}/readyz", 1.0)
    return page is not None and page.status == 200


@contextmanager
def kvorum_dev(
    directory: Path, *options: str, regions: tuple[str, ...] = REGIONS, in_memory: bool = False
) -> Generator[Dev]:
    """A ready `kvorum dev`; stopped at the end, and nobody left. Its data is in `directory`/kvorum-data."""
    more = ("--in-memory", *options) if in_memory else options
    yield from _running(Dev(directory, regions, free_port(len(regions)), more))


@contextmanager
def kvorum_up(directory: Path, *options: str, topology: Path | None = None) -> Generator[Up]:
    """A ready `kvorum up`; stopped at the end, and nobody left."""
    yield from _running(Up(directory, free_port(8), topology, options))


C = TypeVar("C", bound=Command)


def _running(command: C) -> Iterator[C]:
    command.start()
    try:
        command.wait_ready()
        yield command
        if command.running:
            assert command.stop() == 0, command.logs()
    except BaseException as error:
        error.add_note(command.logs())
        raise
    finally:
        command.kill_all()
