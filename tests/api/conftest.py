"""The same tests against `kvorum dev`, `kvorum up` and, with --url, any endpoint.

Tables are made once a session for each kind of key; a test keeps to partition keys (or tables) of its own, so
that the tests say the same against a slow, shared endpoint. `client` checks what AWS promises of every answer:
a request id, and a checksum that is right.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.kit import endpoints
from tests.kit.boto import Client, Tables, new_client
from tests.kit.endpoints import Endpoint
from tests.kit.wire_client import WireClient


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "endpoint" not in metafunc.fixturenames:
        return
    kinds: list[Any] = ["dev", pytest.param("up", marks=pytest.mark.cluster)]
    if metafunc.config.getoption("--url"):
        kinds = ["url"]
    metafunc.parametrize("endpoint", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    if request.param == "url":
        yield endpoints.elsewhere(request.config.getoption("--url"))
        return
    start = endpoints.dev if request.param == "dev" else endpoints.up
    with start(tmp_path_factory.mktemp(request.param)) as started:
        yield started
        crashes = started.crashes
    assert not crashes


@pytest.fixture(scope="session")
def kvorum(endpoint: Endpoint) -> Endpoint:
    """For what only Kvorum can be asked."""
    if not endpoint.is_kvorum:
        pytest.skip("asks for what only Kvorum promises")
    return endpoint


@pytest.fixture(scope="session")
def client(endpoint: Endpoint) -> Iterator[Client]:
    with closing(new_client(endpoint)) as made:
        yield made


@pytest.fixture
def wire(kvorum: Endpoint) -> Iterator[WireClient]:
    with WireClient(kvorum.address) as connection:
        yield connection


@pytest.fixture(scope="session")
def tables(client: Client) -> Iterator[Tables]:
    made = Tables(client)
    yield made
    made.delete_all()


@pytest.fixture
def unique() -> str:
    """A partition key's value that no other test uses."""
    return uuid.uuid4().hex
