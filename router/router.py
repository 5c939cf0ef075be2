"""One region's router, composed: HTTP door → service → placement. What it talks to comes in as ports."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kvorum.control.directory import Directory
from kvorum.replication.link import Link, Reply
from kvorum.router.awaited import Clocks
from kvorum.router.http import HttpDoor, HttpLimits, Page, PageAnswer
from kvorum.router.operations.registry import COMPOUND, READS, WRITES
from kvorum.router.placement import Placement
from kvorum.router.request import PlacementLimits
from kvorum.router.service import ItemOperation, Observe, Service

_TEXT = b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """`zone`: the router's own, "" for none. `initial_partitions` and `table_regions`: see router/calls. `zones_min`: zones
    that must have a node before tables can be placed: one for each replica."""

    region: str
    account: str = "123456789012"
    zone: str = ""
    initial_partitions: int = 1
    table_regions: tuple[str, ...] = ()
    zones_min: int = 1
    in_flight_max: int = 10_000
    http: HttpLimits = field(default_factory=HttpLimits)
    placement: PlacementLimits = field(default_factory=PlacementLimits)


@dataclass(frozen=True, slots=True)
class RouterPorts:
    """`links`: to the region's nodes, by node name; may change while the router runs. `metrics`: the body of
    GET /metrics in Prometheus' text format; None where another port serves it."""

    links: Mapping[str, Link]
    clocks: Clocks
    entropy: Callable[[int], bytes]
    observe: Observe
    metrics: Callable[[], bytes] | None = None


class Router:
    """`handle` and `connected` are for whoever keeps the links: every message that a node pushes, and every
    connection to a node that comes up. `service` is what another door (gRPC) calls."""

    def __init__(
        self, settings: RouterSettings, ports: RouterPorts, directory: Directory | None = None
    ) -> None:
        self.directory = directory or Directory()
        self.placement = Placement(
            region=settings.region,
            account=settings.account,
            zone=settings.zone,
            directory=self.directory,
            links=ports.links,
            clocks=ports.clocks,
            limits=settings.placement,
            initial_partitions=settings.initial_partitions,
            table_regions=settings.table_regions,
            zones_min=settings.zones_min,
        )
        items: dict[str, ItemOperation] = {**READS, **WRITES}
        self.service = Service(
            self.placement,
            items=items,
            compound=COMPOUND,
            observe=ports.observe,
            monotonic=ports.clocks.monotonic,
            in_flight_max=settings.in_flight_max,
        )
        self.door = HttpDoor(
            self.service,
            settings.region,
            _pages(self.readiness, ports.metrics),
            entropy=ports.entropy,
            now=lambda: ports.clocks.wall_ms() / 1000,
            limits=settings.http,
        )

    def handle(self, message: Any, reply: Reply | None, link: Link) -> None:
        self.placement.handle(message, reply, link)

    def connected(self, link: Link) -> None:
        self.placement.connected(link)

    def readiness(self) -> str | None:
        """Why this router cannot serve yet, in words; None when it can."""
        return "stopping" if self.door.stopping else self.placement.ready()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen for HTTP; port 0 picks a free one. The port listened on."""
        return await self.door.start(host, port, tls)

    async def stop(self, grace_seconds: float = 10.0) -> None:
        """Accept no more, answer what is in progress within the grace, close."""
        await self.door.stop(grace_seconds)
        await self.service.stop()


def _pages(readiness: Callable[[], str | None], metrics: Callable[[], bytes] | None) -> dict[bytes, Page]:
    def ready() -> PageAnswer:
        reason = readiness()
        if reason is None:
            return PageAnswer(200, _TEXT, b"ready\n")
        return PageAnswer(503, _TEXT, reason.encode() + b"\n")

    pages: dict[bytes, Page] = {
        b"/healthz": lambda: PageAnswer(200, _TEXT, b"ok\n"),
        b"/readyz": ready,
    }
    if metrics is not None:
        read = metrics
        pages[b"/metrics"] = lambda: PageAnswer(200, b"text/plain; version=0.0.4; charset=utf-8", read())
    return pages
