"""The port between processes: calls and casts over one long-lived connection, or inside one process.

A call is answered exactly once, by the peer's answer or by a `LinkFailure`; answers come as callbacks, not
futures, because one request crosses several of them and a future each would cost more than the work. A
callback may run before `call` returns: inside one process (`kvorum dev`) the whole path is synchronous.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[v6 host]:port`. ValueError when it is neither."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


class LinkFailure(Struct, frozen=True, array_like=True, tag=1):
    """No answer will come. `sent` False is definite: the peer never saw the call. True is indefinite."""

    sent: bool
    reason: str


Reply = Callable[[Any], None]


class Link(Protocol):
    """One connection, seen from one end."""

    @property
    def peer(self) -> str:
        """Name of the process at the other end."""
        ...

    @property
    def connected(self) -> bool: ...

    def cast(self, message: Any) -> None:
        """Send without an answer; dropped when not connected or when the outbox is full."""
        ...

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        """Send; `done` gets the answer or a `LinkFailure`, once. A full outbox fails the call at once with
        `sent=False`."""
        ...


class Handler(Protocol):
    """What a process does with what arrives. `reply` is None for a cast. Never raises for what a peer sent."""

    def __call__(self, message: Any, reply: Reply | None, link: Link) -> None: ...
