"""The API tests' eye for crashes: it must be able to see one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.endpoints import Endpoint


@pytest.mark.parametrize(
    ("name", "line", "told"),
    [
        ("stderr.log", "14:03:07.123 ERROR   kvorum.router.service  operation failed unexpectedly", True),
        ("stderr.log", "Traceback (most recent call last):", True),
        ("data/logs/a.router.log", '{"level":"ERROR","message":"operation failed unexpectedly"}', True),
        ("stdout.log", "ap-northeast-1/node-a ended (signal 11); restarting", True),
        ("stdout.log", "ready", False),
        ("data/logs/a.node-a.log", '{"level":"WARNING","message":"a peer went away"}', False),
    ],
)
def test_crashes_are_seen(tmp_path: Path, name: str, line: str, told: bool) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"before\n{line}\nafter\n")
    crashes = Endpoint("http://127.0.0.1:1", "eu-test-1", directory=tmp_path).crashes
    assert crashes == ([f"{file.name}: {line}"] if told else [])


def test_a_server_of_others_has_no_logs() -> None:
    assert Endpoint("http://127.0.0.1:1", "eu-test-1").crashes == []
