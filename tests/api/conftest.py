"""The same tests against `kvorum dev`, `kvorum up` and, with --url, any endpoint; some of them, and all with --kills,
against `kvorum up` whose nodes are killed meanwhile (tests/kit/kills.py).

Tables are made once a session for each kind of key; a test keeps to partition keys (or tables) of its own, so
that the tests say the same against a slow, shared endpoint. `client` checks what AWS promises of every answer:
a request id, and a checksum that is right.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.kit import endpoints
from tests.kit.boto import Client, Tables, new_client
from tests.kit.endpoints import Endpoint
from tests.kit.kills import DisturbedEndpoint, DoubtfulError, Witness, up_with_kills
from tests.kit.wire_client import WireClient

_WITH_KILLS_TOO = ("test_items", "test_concurrency", "test_pages", "test_model")
"""Modules that meet dying nodes in every run."""

_BY_HAND = ("test_bad_input",)
"""Modules that speak HTTP by hand."""

_KILLS = pytest.param(
    "kills", marks=[pytest.mark.cluster, pytest.mark.flaky(reruns=5, only_rerun=DoubtfulError.__name__)]
)

_witness = pytest.StashKey[Witness]()
_doubts_before = pytest.StashKey[int]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "endpoint" not in metafunc.fixturenames:
        return
    module = metafunc.module.__name__.rpartition(".")[2]
    if metafunc.config.getoption("--url"):
        kinds: list[Any] = ["url"]
    elif metafunc.config.getoption("--kills"):
        not_tried_again = pytest.mark.skip(reason="what is sent by hand is not tried again")
        kinds = [_KILLS if module not in _BY_HAND else pytest.param("kills", marks=not_tried_again)]
    else:
        kinds = ["dev", pytest.param("up", marks=pytest.mark.cluster)]
        if module in _WITH_KILLS_TOO:
            kinds.append(_KILLS)
    metafunc.parametrize("endpoint", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    match request.param:
        case "url":
            yield endpoints.elsewhere(request.config.getoption("--url"))
            return
        case "kills":
            seed = int(os.environ.get("KVORUM_KILLS_SEED", random.randrange(1 << 32)))
            print(f"\nKVORUM_KILLS_SEED={seed}")
            starting: Any = up_with_kills(tmp_path_factory.mktemp("kills"), seed)
        case "dev":
            starting = endpoints.dev(tmp_path_factory.mktemp("dev"))
        case _:
            starting = endpoints.up(tmp_path_factory.mktemp("up"))
    with starting as started:
        if isinstance(started, DisturbedEndpoint):
            request.config.stash[_witness] = started.witness
        yield started
        crashes = started.crashes
    assert not crashes


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    item.stash[_doubts_before] = _doubts(item)
    return (yield from _excused(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    return (yield from _excused(item))


def _doubts(item: pytest.Item) -> int:
    witness = item.config.stash.get(_witness, None)
    return 0 if witness is None else witness.doubts


def _excused(item: pytest.Item) -> Generator[None]:
    """What fails after a doubtful answer says so, and is run again."""
    try:
        return (yield)
    except (Exception, pytest.fail.Exception) as error:
        doubts = _doubts(item) - item.stash[_doubts_before]
        if doubts > 0:
            raise DoubtfulError(f"after {doubts} answers that leave open what happened: {error}") from error
        raise


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
