"""Endpoints that the API tests run against: Kvorum started as its users start it, or any other by its URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import kvorum.deploy
from tests.kit import processes

ONE_REGION = Path(kvorum.deploy.__file__).parent / "one-region.toml"

_AWS = re.compile(r"dynamodb\.([a-z0-9-]+)\.amazonaws\.com")
_CRASH = re.compile(r"traceback|exception|\bERROR\b|\bCRITICAL\b|restarting", re.IGNORECASE)


@dataclass(frozen=True)
class Endpoint:
    """`is_kvorum`: not AWS, and not anything else that speaks its protocol. `grpc`: host:port, "" when unknown.
    `directory`: where the server runs and its logs end up, None when it is not ours. `disturbed`: its nodes die
    while it is asked, so that callers have to try again, as SDKs do."""

    url: str
    region: str
    is_kvorum: bool = True
    grpc: str = ""
    directory: Path | None = None
    disturbed: bool = False

    @property
    def is_aws(self) -> bool:
        return _AWS.search(self.url) is not None

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def crashes(self) -> list[str]:
        """The lines of the server's logs that tell of a crash, or of a mistake of its own."""
        if self.directory is None:
            return []
        return [
            f"{file.name}: {line}"
            for file in [*self.directory.glob("*.log"), *self.directory.glob("**/logs/*.log")]
            for line in file.read_text(errors="replace").splitlines()
            if _CRASH.search(line)
        ]


@contextmanager
def dev(directory: Path, *options: str) -> Iterator[Endpoint]:
    """`kvorum dev`, two regions in memory; the endpoint is the first region's."""
    with processes.kvorum_dev(directory, *options, in_memory=True) as command:
        region = processes.REGIONS[0]
        yield Endpoint(command.url, region, grpc=command.grpc[region], directory=directory)


@contextmanager
def up(directory: Path, *options: str) -> Iterator[Endpoint]:
    """`kvorum up`: one region of a router and three nodes."""
    with processes.kvorum_up(directory, *options, topology=ONE_REGION) as command:
        ((region, url),) = command.urls.items()
        yield Endpoint(url, region, grpc=command.grpc[region], directory=directory)


def elsewhere(url: str) -> Endpoint:
    """What answers at `url`; Kvorum is known by its /readyz page. Anything but AWS is asked as if it were in the
    first of our regions."""
    aws = _AWS.search(url)
    if aws is not None:
        return Endpoint(url, aws[1], is_kvorum=False)
    ready = processes.get(f"{url.rstrip('/')}/readyz")
    return Endpoint(url, processes.REGIONS[0], is_kvorum=ready is not None and ready.status == 200)
