"""The servers that are measured, each started as a user would start it, on ports that are free now."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


class Missing(Exception):
    """A peer is not installed; says how to get it."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(command: list[str], core: int | None, log: Path, cwd: Path | None = None) -> Iterator[None]:
    """The command as a process, pinned to one core unless `core` is None; ended with SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd)
        try:
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_answers(url: str, seconds: float = 60) -> None:
    """Until the URL answers anything but a server error."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
            last: Exception = error
        except OSError as error:
            last = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} does not answer: {last}")
        time.sleep(0.05)


def kvorum() -> str:
    return str(Path(sys.executable).with_name("kvorum"))


@contextmanager
def kvorum_dev(directory: Path, core: int, *options: str) -> Iterator[int]:
    """`kvorum dev` with one region; gives its HTTP port."""
    port = free_port()
    command = [kvorum(), "dev", "--port", str(port), "--regions", "ap-northeast-1", *options]
    with running(command, core, directory / "dev.log", directory):
        wait_until_answers(f"http://127.0.0.1:{port}/readyz")
        yield port


@contextmanager
def kvorum_up(directory: Path) -> Iterator[int]:
    """`kvorum up` with one region of three nodes, on all cores; gives the router's HTTP port."""
    port = free_port()
    topology = Path(__file__).parent.parent / "deploy" / "one-region.toml"
    data = directory / "up"
    command = [kvorum(), "up", str(topology), "--port", str(port), "--data-dir", str(data)]
    with running(command, None, directory / "up.log", directory):
        wait_until_answers(f"http://127.0.0.1:{port}/readyz")
        yield port


@contextmanager
def dynalite(directory: Path, core: int) -> Iterator[int]:
    """dynalite from npm, in memory (its default), tables ACTIVE at once."""
    script = _dynalite_script()
    port = free_port()
    command = ["node", str(script), "--port", str(port), "--createTableMs", "0"]
    with running(command, core, directory / "dynalite.log"):
        wait_until_answers(f"http://127.0.0.1:{port}/")
        yield port


@contextmanager
def etcd_cluster(directory: Path) -> Iterator[int]:
    """Three etcd members that fsync, on all cores; gives the leader's client port, the best case."""
    program = shutil.which("etcd")
    if program is None:
        raise Missing("etcd: install Debian's etcd-server, or put etcd on PATH")
    names = ["m1", "m2", "m3"]
    clients = {name: free_port() for name in names}
    peers = {name: free_port() for name in names}
    cluster = ",".join(f"{name}=http://127.0.0.1:{peers[name]}" for name in names)
    with ExitStack() as stack:
        for name in names:
            client, peer = f"http://127.0.0.1:{clients[name]}", f"http://127.0.0.1:{peers[name]}"
            command = [
                program,
                *("--name", name, "--data-dir", str(directory / name)),
                *("--listen-client-urls", client, "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", cluster, "--initial-cluster-state", "new"),
            ]
            stack.enter_context(running(command, None, directory / f"{name}.log"))
        for name in names:
            wait_until_answers(f"http://127.0.0.1:{clients[name]}/health")
        yield clients[_etcd_leader(clients)]


def _etcd_leader(clients: dict[str, int]) -> str:
    for name, port in clients.items():
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v3/maintenance/status", b"{}")
        with urllib.request.urlopen(request, timeout=5) as answer:
            status = json.load(answer)
        if status["header"]["member_id"] == status.get("leader"):
            return name
    raise RuntimeError("the etcd members name no leader")


def _dynalite_script() -> Path:
    """dynalite's command, installed once into bench/node_modules."""
    folder = Path(__file__).parent
    script = folder / "node_modules" / "dynalite" / "cli.js"
    if not script.exists():
        if shutil.which("npm") is None:
            raise Missing("dynalite: install Node.js with npm")
        install = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--silent", "dynalite@4.0.0"]
        subprocess.run(install, cwd=folder, check=True)
    return script
