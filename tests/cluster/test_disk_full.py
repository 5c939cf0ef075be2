"""A disk that another process fills: writes are refused with a retryable error, reads go on, nobody ends; with
room again writes are accepted without help, and everything acknowledged is there."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.kit import dynamo
from tests.kit.dynamo import Answer
from tests.kit.endpoints import ONE_REGION
from tests.kit.history import check_items
from tests.kit.processes import REGIONS, Command, Dev, Up, free_port, until
from tests.kit.small_disk import SmallDisk, small_disk
from tests.kit.workload import TABLE, WHOLE_TABLE, Record, Writer, final_observations

pytestmark = pytest.mark.cluster

REGION = REGIONS[0]
DISK_BYTES = 256 << 20
RETRYABLE = {"ServiceUnavailable", "InternalServerError", "ThrottlingException"}
SECONDS_MAX = 15.0


@dataclass(slots=True)
class Server:
    command: Command
    disk: SmallDisk
    url: str
    record: Record = field(default_factory=Record)

    def put(self, value: str) -> Answer:
        return dynamo.put(self.url, "probe", "probe", value)

    def read(self, *, strong: bool) -> str | None:
        return dynamo.value_of(dynamo.get(self.url, "probe", "probe", strong=strong))

    def is_writable(self) -> bool:
        """Every partition, ten times over: a node that comes back may still refuse."""
        return all(dynamo.put(self.url, "probe", f"key-{number}", "x").ok for number in range(20))

    def refuses(self) -> bool:
        """Every partition."""
        answers = [dynamo.put(self.url, "probe", f"key-{number}", "x" * 500) for number in range(6)]
        return all(answer.error in RETRYABLE for answer in answers)


@contextmanager
def _dev(directory: Path) -> Generator[Server]:
    with small_disk(directory / "disk", DISK_BYTES) as disk:
        port = free_port(1)
        dev = Dev(directory / "run", (REGION,), port, ("--data-dir", str(disk.path / "data")))
        yield from _serve(dev, disk, dev.url)


@contextmanager
def _up(directory: Path) -> Generator[Server]:
    with small_disk(directory / "disk", DISK_BYTES) as disk:
        port = free_port(1)
        up = Up(disk.path / "run", port, ONE_REGION)
        yield from _serve(up, disk, f"http://127.0.0.1:{port}")


def _serve(command: Command, disk: SmallDisk, url: str) -> Generator[Server]:
    try:
        command.start()
        command.wait_ready()
        for table in (TABLE, "probe"):
            dynamo.create_table(url, table)
        server = Server(command, disk, url)
        yield server
        violations = check_items(server.record.writes, server.record.observations + final_observations(url))
        assert not violations, violations[:5]
        assert command.stop() == 0
    except BaseException as error:
        error.add_note(command.logs())
        raise
    finally:
        command.kill_all()


SERVERS = {"dev": _dev, "up": _up}


@asynccontextmanager
async def _writing(server: Server) -> AsyncIterator[None]:
    """Writers that never stop trying."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            name = f"w{len(server.record.writes)}-{number}"
            writer = Writer(name, REGION, server.url, WHOLE_TABLE, server.record, random.Random(name), 0.0)
            group.create_task(writer.run(stop))
        yield
        stop.set()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_full_disk_refuses_writes_until_there_is_room(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as server:
        pids = {process.pid for process in server.command.processes()}
        assert server.put("before").ok

        async def scenario() -> None:
            async with _writing(server):
                await _until_written(server, 200)
                await asyncio.to_thread(server.disk.fill)
                await asyncio.to_thread(until, server.refuses, SECONDS_MAX, "writes are refused")
                for strong in (True, False):
                    assert await asyncio.to_thread(server.read, strong=strong) == "before"
                refused_before = server.record.outcomes().get("refused", 0)
                await _until_refused(server, refused_before + 20)
                server.disk.release()
                await asyncio.to_thread(until, server.is_writable, SECONDS_MAX, "writes are accepted")
                await _until_written(server, 200)

        asyncio.run(scenario())
        assert server.put("after").ok
        assert server.read(strong=True) == "after"
        assert {process.pid for process in server.command.processes()} == pids, "somebody ended"
        assert set(server.record.errors) <= RETRYABLE | {"ConditionalCheckFailedException"}


@pytest.mark.parametrize("kind", SERVERS)
def test_kill_9_while_the_disk_is_full(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as server:
        assert server.put("before").ok

        async def scenario() -> None:
            async with _writing(server):
                await _until_written(server, 200)
                await asyncio.to_thread(server.disk.fill)
                await asyncio.to_thread(until, server.refuses, SECONDS_MAX, "writes are refused")
                await asyncio.to_thread(server.command.kill_all)
                server.disk.release()
                await asyncio.to_thread(server.command.start)
                await asyncio.to_thread(server.command.wait_ready)
                await asyncio.to_thread(until, server.is_writable, SECONDS_MAX, "writes are accepted")
                await _until_written(server, 200)

        asyncio.run(scenario())


@pytest.mark.parametrize("kind", SERVERS)
def test_a_stop_while_the_disk_is_full(tmp_path: Path, kind: str) -> None:
    with SERVERS[kind](tmp_path) as server:
        assert server.put("before").ok
        server.disk.fill()
        until(server.refuses, SECONDS_MAX, "writes are refused")
        server.command.send(signal.SIGTERM)
        assert server.command.wait() == 0
        assert "Traceback" not in server.command.logs()
        server.disk.release()
        server.command.start()
        server.command.wait_ready()
        assert server.read(strong=True) == "before"
        until(server.is_writable, SECONDS_MAX, "writes are accepted")


def test_a_node_that_dies_while_the_disk_is_full_comes_back(tmp_path: Path) -> None:
    """Its supervisor cannot even write down who runs, and the node cannot open its store: both try again."""
    with _up(tmp_path) as server:
        up = server.command
        assert isinstance(up, Up)
        assert server.put("before").ok
        server.disk.fill()
        until(server.refuses, SECONDS_MAX, "writes are refused")
        old = up.kill(REGION, "node-b")
        said = "ap-northeast-1/node-b ended (exit code 2); restarting"
        until(lambda: said in up.stdout, SECONDS_MAX, "the restart has failed once")
        assert server.read(strong=False) == "before"
        server.disk.release()
        up.wait_restarted(REGION, "node-b", old)
        until(server.is_writable, SECONDS_MAX, "writes are accepted")


async def _until_written(server: Server, count: int) -> None:
    done = server.record.outcomes().get("done", 0)
    async with asyncio.timeout(SECONDS_MAX):
        while server.record.outcomes().get("done", 0) < done + count:
            await asyncio.sleep(0.01)


async def _until_refused(server: Server, count: int) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while server.record.outcomes().get("refused", 0) < count:
            await asyncio.sleep(0.01)
