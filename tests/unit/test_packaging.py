"""What a wheel of Kvorum contains: one import name, every folder of the package, its data, and nothing else.

The wheel is built the way `pip install .` of a release builds it: from a source distribution.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from importlib import util
from pathlib import Path

import pytest

import kvorum

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = ("proto", "model", "replication", "control", "node", "router", "client", "cli", "deploy")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(target), str(CHECKOUT)]
    if util.find_spec("hatchling") is not None:  # what the checkout's environment has need not be fetched
        command.insert(3, "--no-isolation")
    built = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    with zipfile.ZipFile(next(target.glob("*.whl"))) as archive:
        yield archive


def package_files(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if not name.split("/")[0].endswith(".dist-info")}


def metadata(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(wheel.read(f"kvorum-{kvorum.__version__}.dist-info/METADATA").decode())


def test_one_import_name_is_left_behind(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in package_files(wheel)} == {"kvorum"}


def test_every_module_of_the_checkout_is_in_it(wheel: zipfile.ZipFile) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--", *(f"{folder}/*.py" for folder in FOLDERS)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip(f"the checkout is no clone: {tracked.stderr.strip()}")
    modules = {f"kvorum/{name}" for name in tracked.stdout.split("\0") if name}
    assert modules
    assert modules <= package_files(wheel)


def test_the_package_has_its_data(wheel: zipfile.ZipFile) -> None:
    wanted = {
        "kvorum/py.typed",
        "kvorum/deploy/topology.toml",
        "kvorum/deploy/one-region.toml",
        "kvorum/proto/kvorum/v1/kvorum.proto",
        "kvorum/proto/kvorum/v1/kvorum_pb2.pyi",
    }
    assert wanted <= package_files(wheel)


def test_nothing_is_in_it_that_only_a_checkout_needs(wheel: zipfile.ZipFile) -> None:
    kinds = {Path(name).suffix for name in package_files(wheel)}
    assert kinds <= {".py", ".pyi", ".typed", ".proto", ".toml", ".yml", ".json"}
    assert not any("tests" in name or "bench" in name or "/pip/" in name for name in package_files(wheel))


def test_the_command_is_installed(wheel: zipfile.ZipFile) -> None:
    entry_points = wheel.read(f"kvorum-{kvorum.__version__}.dist-info/entry_points.txt").decode()
    assert "kvorum = kvorum.cli.main:main" in entry_points


def test_it_says_what_it_is_and_needs(wheel: zipfile.ZipFile) -> None:
    told = metadata(wheel)
    assert told["Name"] == "kvorum"
    assert told["Version"] == kvorum.__version__
    assert told["License-Expression"] == "Apache-2.0"
    needed = [text for text in told.get_all("Requires-Dist", []) if "extra ==" not in text]
    assert any(text.startswith("rocksdict") for text in needed)
    assert not any(text.startswith(("boto3", "pytest", "hypothesis")) for text in needed)
