"""docker-compose.yml, really brought up: two regions, each sees what the other wrote, and one node may die.

Uses a Docker engine that is running, with either form of compose, and is skipped where there is none. The image
is built from a copy of the checkout, with this machine's pip settings, so that a package mirror serves it too.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).resolve().parents[2]
REGIONS = ("ap-northeast-1", "us-east-1")
BUILD_SECONDS_MAX = 600
READY_SECONDS_MAX = 90
TABLE = "compose"


@dataclass(frozen=True)
class Composed:
    """The running services: `compose("kill", "…")` is `docker compose kill …`; a boto3 client by region."""

    compose: Callable[..., str]
    clients: dict[str, Any]


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    command = _compose_command()
    context = tmp_path_factory.mktemp("context")
    _copy_checkout(context)
    _copy_pip_settings(context / "deploy" / "pip")
    project = f"kvorum-test-{os.getpid()}"
    ports = _free_ports(4)
    environment = os.environ | {
        "KVORUM_IMAGE": f"kvorum:{project}",
        "KVORUM_HTTP_PORT_1": str(ports[0]),
        "KVORUM_HTTP_PORT_2": str(ports[1]),
        "KVORUM_GRPC_PORT_1": str(ports[2]),
        "KVORUM_GRPC_PORT_2": str(ports[3]),
    }

    def compose(*arguments: str) -> str:
        done = subprocess.run(
            [*command, "-p", project, *arguments],
            cwd=context,
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    urls = {region: f"http://127.0.0.1:{port}" for region, port in zip(REGIONS, ports, strict=False)}
    try:
        compose("build")
        compose("up", "-d")
        for url in urls.values():
            eventually(lambda url=url: _answers(f"{url}/readyz"), READY_SECONDS_MAX)
        yield Composed(compose, {region: _client(url, region) for region, url in urls.items()})
    finally:
        compose("down", "-v", "-t", "5")
        subprocess.run(["docker", "image", "rm", "-f", f"kvorum:{project}"], capture_output=True, check=False)


def test_two_regions_survive_a_node(composed: Composed) -> None:
    here, there = (composed.clients[region] for region in REGIONS)
    here.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    eventually(lambda: _is_active(there), READY_SECONDS_MAX)

    for writer, reader, name in ((here, there, "first"), (there, here, "second")):
        item = {"id": {"S": name}, "n": {"N": "38"}}
        writer.put_item(TableName=TABLE, Item=item)
        assert _get(writer, name) == item
        eventually(lambda reader=reader, name=name, item=item: _get(reader, name) == item)

    composed.compose("kill", "-s", "SIGKILL", f"{REGIONS[0]}-node-b")
    for number in range(50):  # over every partition, those included that the dead node led
        here.put_item(TableName=TABLE, Item={"id": {"S": f"after-{number}"}})
    for number in range(50):
        assert _get(here, f"after-{number}") is not None
    assert _get(here, "first") is not None
    eventually(lambda: _get(there, "after-49") is not None)

    composed.compose("start", f"{REGIONS[0]}-node-b")
    eventually(lambda: "does not answer" not in _status(composed), READY_SECONDS_MAX)


def test_nobody_is_root(composed: Composed) -> None:
    for service in (f"{REGIONS[0]}-router-a", f"{REGIONS[1]}-node-a"):
        assert composed.compose("exec", "-T", service, "id", "-u").strip() == "10001"


def test_containers_say_that_they_are_healthy(composed: Composed) -> None:
    containers = composed.compose("ps", "-q").split()
    assert len(containers) == 8
    for container in containers:
        eventually(lambda container=container: _health(container) == "healthy", READY_SECONDS_MAX)


# ---- tools ---------------------------------------------------------------------------------------------------


def _compose_command() -> list[str]:
    if shutil.which("docker") is None:
        pytest.skip("no Docker here: docker is not installed")
    engine = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    if engine.returncode:
        pytest.skip(f"no Docker engine is running: {engine.stderr.strip() or 'docker version failed'}")
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose") is None:
        pytest.skip("a Docker engine is running, but there is neither docker compose nor docker-compose")
    return ["docker-compose"]


def _copy_checkout(target: Path) -> None:
    """What a clone would have, as it is now: not the caches and environments of this checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=CHECKOUT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        source = CHECKOUT / name
        if name and (source.is_symlink() or source.is_file()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)


def _copy_pip_settings(target: Path) -> None:
    """A pip.conf with what this machine needs to reach its package index, and its certificates."""
    listed = subprocess.run(["pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    settings: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = value.strip("'\"")
    lines = ["[global]"]
    for name in ("index-url", "extra-index-url", "trusted-host"):
        reachable = [word for word in settings.get(name, "").split() if not word.startswith("file:")]
        if reachable:
            lines.append(f"{name} = {' '.join(reachable)}")
    if Path(settings.get("cert", "/nonexistent")).is_file():
        shutil.copy(settings["cert"], target / "certificates.crt")
        lines.append("cert = /build/deploy/pip/certificates.crt")
    (target / "pip.conf").write_text("\n".join(lines) + "\n")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _client(url: str, region: str) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "max_attempts": 10}),
    )


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _is_active(client: Any) -> bool:
    try:
        return bool(client.describe_table(TableName=TABLE)["Table"]["TableStatus"] == "ACTIVE")
    except client.exceptions.ResourceNotFoundException:
        return False


def _get(client: Any, name: str) -> dict[str, Any] | None:
    found = client.get_item(TableName=TABLE, Key={"id": {"S": name}}, ConsistentRead=True)
    item: dict[str, Any] | None = found.get("Item")
    return item


def _status(composed: Composed) -> str:
    command = "kvorum status --config /etc/kvorum/topology.toml || true"
    return composed.compose("exec", "-T", f"{REGIONS[0]}-router-a", "sh", "-c", command)


def _health(container: str) -> str:
    command = ["docker", "inspect", "-f", "{{.State.Health.Status}}", container]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
