"""The SDK's example, as its reader runs it: against `kvorum dev`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.processes import kvorum_dev

EXAMPLE = Path(__file__).parents[2] / "examples" / "client_quickstart.py"


@pytest.mark.cluster
def test_the_quickstart_runs_and_leaves_nothing(tmp_path: Path) -> None:
    with kvorum_dev(tmp_path, regions=("local-1",), in_memory=True) as command:
        for _ in range(2):  # the second run would fail on a table that the first had left
            done = subprocess.run(
                [sys.executable, str(EXAMPLE), command.grpc["local-1"]],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert "counted: {'opened': 1}" in done.stdout
            assert "dearest order: 19.9" in done.stdout
            assert "all orders: 59" in done.stdout
            assert "written in one session: 500" in done.stdout
