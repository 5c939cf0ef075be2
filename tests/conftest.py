"""Options of the test command."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--url",
        metavar="URL",
        help="Run tests/api against this DynamoDB endpoint instead of servers of their own. AWS itself too "
        "(https://dynamodb.REGION.amazonaws.com): what only Kvorum can be asked is then skipped.",
    )
    parser.addoption(
        "--kills",
        action="store_true",
        help="Run tests/api against `kvorum up` whose nodes are killed meanwhile (seed: KVORUM_KILLS_SEED).",
    )
