"""What an operator can mend: one clear line on stderr, exit code 2, and no traceback."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from kvorum.cli.topology import RouterEntry, default_topology, dump, resolve
from tests.kit.endpoints import ONE_REGION
from tests.kit.processes import Dev, Ended, Up, free_port, kvorum_dev, kvorum_up, run
from tests.kit.small_disk import small_disk

pytestmark = pytest.mark.cluster

REGION = "ap-northeast-1"


def refusal(ended: Ended) -> str:
    """The one line."""
    assert ended.code == 2, ended
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("kvorum: "), ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    return lines[0]


@pytest.fixture(scope="module")
def one_up(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    with kvorum_up(tmp_path_factory.mktemp("up"), topology=ONE_REGION) as up:
        yield up


@pytest.fixture(scope="module")
def one_dev(tmp_path_factory: pytest.TempPathFactory) -> Generator[Dev]:
    with kvorum_dev(tmp_path_factory.mktemp("dev")) as dev:
        yield dev


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete topology file whose processes do not run."""
    path = tmp_path_factory.mktemp("topology") / "topology.json"
    path.write_bytes(dump(resolve(default_topology(), free_port())))
    return path


# ---- the data directory --------------------------------------------------------------------------------------


def test_a_second_dev_on_the_same_directory(one_dev: Dev) -> None:
    line = refusal(run("dev", "--port", str(free_port()), cwd=one_dev.directory))
    assert "in use by another kvorum" in line
    assert str(one_dev.pid) in line


def test_a_second_up_on_the_same_directory(one_up: Up) -> None:
    line = refusal(run("up", "--data-dir", "data", "--port", str(free_port()), cwd=one_up.directory))
    assert f"(pid {one_up.pid})" in line


def test_a_second_node_on_the_same_directory(one_up: Up) -> None:
    line = refusal(
        run(
            *("node", "--config", "data/topology.json", "--region", REGION, "--name", "node-a"),
            *("--data-dir", "data"),
            cwd=one_up.directory,
        )
    )
    assert f"(pid {one_up.member(REGION, 'node-a').pid})" in line


def _commands(complete: Path, port: int) -> list[list[str]]:
    return [
        ["dev", "--port", str(port)],
        ["up", str(ONE_REGION), "--port", str(port)],
        ["node", "--config", str(complete), "--region", REGION, "--name", "node-a"],
    ]


@pytest.mark.parametrize("place", ["file/data", "file"])
def test_a_directory_that_cannot_be_made(tmp_path: Path, complete: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    _check_refused(tmp_path, complete, tmp_path / place)


def test_a_directory_that_cannot_be_written(tmp_path: Path, complete: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        disk.make_read_only()
        _check_refused(tmp_path, complete, disk.path / "data")


def _check_refused(cwd: Path, complete: Path, directory: Path) -> None:
    for command in _commands(complete, free_port()):
        assert str(directory) in refusal(run(*command, "--data-dir", str(directory), cwd=cwd))


def test_a_directory_of_something_else(tmp_path: Path) -> None:
    store = tmp_path / "kvorum-data" / REGION / "node" / "store"
    store.mkdir(parents=True)
    (store / "thesis.tex").write_text("")
    assert "thesis.tex" in refusal(run("dev", "--port", str(free_port()), cwd=tmp_path))


# ---- addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["dev", "up"])
@pytest.mark.parametrize("door", ["http", "grpc"])
def test_a_port_that_is_taken(tmp_path: Path, command: str, door: str) -> None:
    port = free_port()
    taken = port if door == "http" else port + 1_000
    topology = [str(ONE_REGION)] if command == "up" else []
    with socket.create_server(("127.0.0.1", taken)):
        ended = run(command, *topology, "--port", str(port), cwd=tmp_path)
    assert f"127.0.0.1:{taken} is in use" in refusal(ended)
    assert "ready" not in ended.stdout.splitlines()


@pytest.mark.parametrize("address", ["http", "grpc", "wire", "metrics"])
def test_a_routers_port_that_is_taken(tmp_path: Path, complete: Path, address: str) -> None:
    topology = resolve(default_topology(), free_port())
    router: RouterEntry = topology.regions[0].routers[0]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        setattr(router, address, f"127.0.0.1:{port}")
        config = tmp_path / "topology.json"
        config.write_bytes(dump(topology))
        ended = run("router", "--config", str(config), "--region", REGION, "--name", "router-a", cwd=tmp_path)
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert ended.code == 2
    assert lines == [f"kvorum: 127.0.0.1:{port} is in use by another process; give another port"]


# ---- the topology --------------------------------------------------------------------------------------------

ROUTER = '[[regions.routers]]\nname = "router"\nzone = "a"\n'
NODE = '[[regions.nodes]]\nname = "node"\nzone = "a"\n'
REGIONS = '[[regions]]\nname = "x"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("regions = [", "topology.toml"),
        ("regions = []", "there is no region"),
        ("regions = 7", "array"),
        ("region = []", "region"),
        (REGIONS, "routers"),
        (REGIONS + NODE, "routers"),
        (REGIONS + "nodes = []\n" + ROUTER, "there is no node"),
        (REGIONS + ROUTER + NODE + 'colour = "red"\n', "colour"),
        (REGIONS + ROUTER + '[[regions.nodes]]\nname = "node"\n', "zone"),
        (REGIONS + ROUTER + '[[regions.nodes]]\nname = "node"\nzone = 1\n', "zone"),
        (REGIONS + ROUTER + NODE + NODE, "two nodes"),
        (REGIONS + ROUTER + NODE * 3, "twice"),
        (
            REGIONS + ROUTER + "".join(NODE.replace('"node"', f'"n{number}"') for number in range(3)),
            "three zones",
        ),
        ((REGIONS + ROUTER + NODE) * 2, "twice"),
        (REGIONS.replace("x", "X Y") + ROUTER + NODE, "lower-case"),
        (REGIONS + ROUTER + NODE.replace('"node"', '"../node"'), "lower-case"),
        (REGIONS + ROUTER + NODE + 'wire = "somewhere"\n', "host:port"),
        (REGIONS + ROUTER + NODE + 'wire = "127.0.0.1:70000"\n', "host:port"),
        (REGIONS + ROUTER + NODE + 'wire = "h:1"\nmetrics = "h:1"\n', "used twice"),
        ("initial_partitions = 0\n" + REGIONS + ROUTER + NODE, "initial_partitions"),
        ("item_collection_bytes = 0\n" + REGIONS + ROUTER + NODE, "item_collection_bytes"),
        ("index_lag_entries = 0\n" + REGIONS + ROUTER + NODE, "index_lag_entries"),
        ("\x00", "topology.toml"),
    ],
)
def test_a_mistake_in_the_topology(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "topology.toml").write_text(text)
    line = refusal(run("up", "topology.toml", "--port", str(free_port()), cwd=tmp_path))
    assert "topology.toml" in line
    assert says in line


def test_a_topology_that_is_not_there(tmp_path: Path) -> None:
    assert "nowhere.toml" in refusal(run("up", "nowhere.toml", cwd=tmp_path))


def test_names_that_the_topology_does_not_have(tmp_path: Path, complete: Path) -> None:
    for role in ("node", "router"):
        line = refusal(run(role, "--config", str(complete), "--region", "mars", "--name", "x", cwd=tmp_path))
        assert "no region 'mars'" in line
        line = refusal(run(role, "--config", str(complete), "--region", REGION, "--name", "x", cwd=tmp_path))
        assert f"no {role} 'x'" in line


# ---- the rest ------------------------------------------------------------------------------------------------


def test_regions_with_a_mistake(tmp_path: Path) -> None:
    for regions in ("", "a,a", "A"):
        refusal(run("dev", "--regions", regions, "--port", str(free_port()), cwd=tmp_path))


def test_status_of_nothing(tmp_path: Path) -> None:
    assert "--data-dir" in refusal(run("status", cwd=tmp_path))


def test_an_option_that_does_not_exist(tmp_path: Path) -> None:
    assert "--colour" in refusal(run("dev", "--colour", cwd=tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may bind every port")
def test_a_port_that_needs_root(tmp_path: Path) -> None:
    refusal(run("dev", "--port", "80", cwd=tmp_path))
