"""What users have already: a boto3 program, and the AWS command line. Nothing is changed in them; the environment
says where the store is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.boto import Client, Tables
from tests.kit.endpoints import Endpoint

_PROGRAMS = Path(__file__).parent / "programs"
_SECONDS_MAX = 60


def _environment(endpoint: Endpoint, home: Path) -> dict[str, str]:
    """As a user's shell would have it, without anything that the machine knows of AWS."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **inherited,
        "HOME": str(home),
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_ACCESS_KEY_ID": "anything",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_REGION": endpoint.region,
        "AWS_DEFAULT_REGION": endpoint.region,
        "AWS_PAGER": "",
    }


@pytest.fixture
def my_app(client: Client, kvorum: Endpoint) -> Iterator[str]:
    """The table that the program expects."""
    client.create_table(
        TableName="MyApp",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "Environment", "Value": "test"}],
    )
    client.get_waiter("table_exists").wait(TableName="MyApp")
    yield "MyApp"
    client.delete_table(TableName="MyApp")
    client.get_waiter("table_not_exists").wait(TableName="MyApp")


def test_a_program_runs_unmodified(my_app: str, kvorum: Endpoint, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(_PROGRAMS / "crud.py")],
        env=_environment(kvorum, tmp_path),
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    failed = ["ConditionalCheckFailedException", "The conditional request failed"]
    assert told["created twice"] == failed
    assert told["renamed nobody"] == failed

    orders = [f"ORDER#2026-02-0{number}" for number in range(1, 6)]
    assert told["user with orders"]["profile"]["email"] == "taro@example.com"
    assert [order["SK"] for order in told["user with orders"]["orders"]] == orders
    assert [order["total"] for order in told["user with orders"]["orders"]] == [0.25, 0.5, 0.75, 1.0, 1.25]
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


class CommandLine:
    """`aws --endpoint-url … dynamodb …`, one process each: half a second, so that there are few."""

    def __init__(self, endpoint: Endpoint, home: Path) -> None:
        self._endpoint = endpoint
        self._environment = _environment(endpoint, home)
        del self._environment["AWS_ENDPOINT_URL"]

    def __call__(self, line: str, *more: str) -> Any:
        command = ["aws", "--endpoint-url", self._endpoint.url, "dynamodb", *line.split(), *more]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS CLI is not on PATH")
def test_the_aws_command_line(kvorum: Endpoint, tables: Tables, tmp_path: Path) -> None:
    aws = CommandLine(kvorum, tmp_path)
    name = tables.unused_name()
    aws(
        f"create-table --table-name {name} "
        "--attribute-definitions AttributeName=PK,AttributeType=S AttributeName=SK,AttributeType=S "
        "--key-schema AttributeName=PK,KeyType=HASH AttributeName=SK,KeyType=RANGE "
        "--billing-mode PAY_PER_REQUEST"
    )
    item = {"PK": {"S": "USER#001"}, "SK": {"S": "PROFILE"}, "name": {"S": "Taro"}, "n": {"N": "1.50"}}
    key = {"PK": item["PK"], "SK": item["SK"]}
    stored = {**item, "n": {"N": "1.5"}}
    aws(f"put-item --table-name {name}", "--item", json.dumps(item))
    assert aws(f"get-item --table-name {name} --consistent-read", "--key", json.dumps(key)) == {
        "Item": stored
    }
    found = aws(
        f"query --table-name {name} --consistent-read",
        "--key-condition-expression",
        "PK = :pk",
        "--expression-attribute-values",
        json.dumps({":pk": item["PK"]}),
    )
    assert (found["Items"], found["Count"]) == ([stored], 1)
    scanned = aws(f"scan --table-name {name} --consistent-read --page-size 1")
    assert scanned["Items"] == [stored]
