"""What users have already: programs that use boto3, PynamoDB, AWS's command line and AWS's SDK for JavaScript.
Nothing in them knows Kvorum; the environment says where the store is, and that is all that is changed for them.

Each makes a table of its own with global and local indexes, and tells what every step of its story gave.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.kit.boto import Tables
from tests.kit.endpoints import Endpoint

_PROGRAMS = Path(__file__).parent / "programs"
_SECONDS_MAX = 120
_NODE_MAJOR_MIN = 20

_FAILED = ["ConditionalCheckFailedException", "The conditional request failed"]


def _environment(endpoint: Endpoint, home: Path) -> dict[str, str]:
    """As a user's shell would have it, without anything that the machine knows of AWS. Commands that were installed
    with this Python come first."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **inherited,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "HOME": str(home),
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_ACCESS_KEY_ID": "anything",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_REGION": endpoint.region,
        "AWS_DEFAULT_REGION": endpoint.region,
        "AWS_PAGER": "",
    }


Program = Callable[..., str]


@pytest.fixture
def program(kvorum: Endpoint, tmp_path: Path) -> Program:
    """Runs a command in that environment to its end; what it printed."""

    def run(*command: str) -> str:
        done = subprocess.run(
            command,
            env=_environment(kvorum, tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def test_boto3(program: Program, tables: Tables) -> None:
    told: dict[str, Any] = json.loads(
        program(sys.executable, str(_PROGRAMS / "shop.py"), tables.unused_name())
    )
    assert told["indexes"] == ["ByTotal", "GSI1", "GSI2"]
    assert told["created twice"] == _FAILED
    assert told["renamed nobody"] == _FAILED
    assert told["closed twice"] == _FAILED

    orders = [f"ORDER#2026-02-0{number}" for number in range(1, 6)]
    assert told["user with orders"]["profile"]["email"] == "taro@example.com"
    assert [order["SK"] for order in told["user with orders"]["orders"]] == orders
    assert [order["total"] for order in told["user with orders"]["orders"]] == [1.0, 0.5, 1.25, 0.75, 0.25]
    assert told["nobody"] == {"profile": None, "orders": []}

    assert [[order["SK"] for order in page["orders"]] for page in told["pages"]] == [
        [orders[4], orders[3]],
        [orders[2], orders[1]],
        [orders[0]],
    ]
    assert told["pages"][0]["last_key"] == {"PK": "USER#001", "SK": orders[3]}
    assert told["pages"][-1]["last_key"] is None

    assert told["renamed"] == "Jiro"
    assert told["views"] == [1, 2, 3]
    assert told["orders left"] == [orders[0], orders[1], orders[3], orders[4]]
    assert told["last product"] == 5_900
    assert told["products"] == 60
    assert told["users"] == ["Hanako", "Jiro"]
    assert told["typed keys"] == [
        "ValidationException",
        "The provided key element does not match the schema",
    ]

    assert told["by email"] == ["Taro"]
    assert told["at the new address"] == ["Jiro"]
    assert told["at the old address"] == []
    assert told["dearest"] == [
        {"PK": "USER#001", "SK": orders[2], "total": 1.25, "status": "open"},
        {"PK": "USER#001", "SK": orders[0], "total": 1.0, "status": "open"},
    ]
    assert told["closed"]["GSI1PK"] == "STATUS#open"
    assert told["dearest left"] == [1.0, 0.75, 0.5, 0.25]
    assert told["open"] == [orders[3], orders[4]]
    assert told["in range"] == [f"Book {number}" for number in range(10, 31)]
    assert told["counted"] == 61


def test_pynamodb(program: Program, tables: Tables) -> None:
    told: dict[str, Any] = json.loads(
        program(sys.executable, "-W", "error", str(_PROGRAMS / "forum.py"), tables.unused_name())
    )
    assert told == {
        "exist": [True, True],
        "opened twice": _FAILED[0],
        "read": {
            "author": "ann",
            "tags": ["new", "t0"],
            "origin": {"trusted": False, "address": "10.0.0.0"},
            "history": [{"opened": 0}],
            "extra": {"stars": 0, "text": "ok"},
            "last_post": "2026-11-23T08:00:00+00:00",
            "version": 1,
        },
        "answered": [1, ["t0"], True, 2],
        "stale": _FAILED[0],
        "not ann's": _FAILED[0],
        "last posts": [["thread 0", 1, None], ["thread 4", 0, None], ["thread 2", 0, None]],
        "of ann": ["thread 0", "thread 3", "thread 2", "thread 1"],
        "count of bob": 2,
        "in the index": 6,
        "replies": list(range(10, 35)),
        "went on from": {"thread": {"S": "thread 0"}, "number": {"N": "34"}},
        "the rest": list(range(35, 41)),
        "filtered": [5, *range(50, 60)],
        "in one go": True,
        "scanned": 60,
        "counted": 60,
        "deleted stale": _FAILED[0],
        "gone": True,
        "of ann at last": ["thread 3", "thread 2"],
        "left": [False, False],
    }


def test_the_aws_command_line(program: Program, tables: Tables) -> None:
    name = tables.unused_name()
    told: dict[str, Any] = {}
    for line in program("bash", str(_PROGRAMS / "library.sh"), name).splitlines():
        step, _, answer = line.partition("\t")
        refused = answer.startswith("refused: ")
        told[step] = answer if refused else json.loads(answer) if answer.strip() else None

    def refusal(code: str, operation: str, message: str) -> str:
        return f"refused: An error occurred ({code}) when calling the {operation} operation: {message}"

    def lent(copies: int) -> Any:
        reader, day = {"S": "READER#ann"}, {"S": "2026-11-23"}
        return {"Attributes": {"copies": {"N": str(copies)}, "GSI1PK": reader, "GSI1SK": day}}

    assert told == {
        "created": {"Name": name, "Global": ["GSI1"], "Local": ["ByYear"]},
        "described": {"Status": "ACTIVE", "ItemCount": 0, "Size": 0},
        "listed": 1,
        "filled": {"UnprocessedItems": {}},
        "entered": None,
        "entered twice": refusal(_FAILED[0], "PutItem", _FAILED[1]),
        "lent": lent(1),
        "lent again": lent(0),
        "lent too often": refusal(_FAILED[0], "UpdateItem", _FAILED[1]),
        "on loan": ["Waves 3"],
        "by number": [f"BOOK#{number}" for number in range(10)],
        "oldest": ["BOOK#9", "BOOK#8", "BOOK#7", "BOOK#6"],
        "two copies": {"Count": 9, "ScannedCount": 11, "ConsumedCapacity": None},
        "statement": [{"title": {"S": "Waves 3"}, "copies": {"N": "0"}}],
        "batch": ["2026-11-23"],
        "removed": {"S": "Waves 3"},
        "none on loan": 0,
        "gone": None,
        "deleted": name,
        "no table": refusal(
            "ResourceNotFoundException",
            "DescribeTable",
            f"Requested resource not found: Table: {name} not found",
        ),
    }


@cache
def _without_node() -> str:
    """Why the program in JavaScript cannot run here; "" when it can. Installs what it needs, once."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "Node.js with npm is not on PATH"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < _NODE_MAJOR_MIN:
        return f"Node.js {_NODE_MAJOR_MIN} or newer is needed, this is {version}"
    installed, wanted = (
        _PROGRAMS / "node_modules" / ".package-lock.json",
        _PROGRAMS / "package-lock.json",
    )
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        done = subprocess.run([npm, "ci"], cwd=_PROGRAMS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return ""


def test_javascript(program: Program, tables: Tables) -> None:
    if reason := _without_node():
        pytest.skip(reason)
    told: dict[str, Any] = json.loads(
        program("node", "--no-warnings", str(_PROGRAMS / "sessions.mjs"), tables.unused_name())
    )
    assert told == {
        "table": ["ACTIVE", "PAY_PER_REQUEST", "ACTIVE", True],
        "listed": True,
        "signed in twice": [*_FAILED, None],
        "cart": [[{"name": "tea", "price": 3.5, "sizes": [1, 2]}], 1, 600, None],
        "seen already": [*_FAILED, None],
        "by seen": ["s1", "s3", "s2"],
        "on the phone": [["s3", 0], ["s1", 0], ["s1", 1]],
        "strong read of a global index": [
            "ValidationException",
            "Consistent reads are not supported on global secondary indexes",
            None,
        ],
        "scanned": [70, [69, 255, 0]],
        "batch": [f"s{number:03}" for number in range(3, 70, 7)],
        "statement": [{"seen": 600}],
        "signed out": 300,
        "gone": None,
        "left on the phone": [["s1", 0], ["s1", 1]],
        "no table": ["ResourceNotFoundException", "Requested resource not found", None],
    }
