"""The link inside one process: a call is a function call. Nothing is queued, copied or encoded.

The peer lives and dies with the caller, so there is no timeout: every call that was handed over is answered,
possibly before `call` returns.
"""

from __future__ import annotations

from typing import Any

from kvorum.replication.link import Handler, LinkFailure, Reply


class LocalLink:
    """One end of a pair; made by `local_links`."""

    __slots__ = ("_back", "_handler", "connected", "peer")

    def __init__(self, peer: str, handler: Handler) -> None:
        self.peer = peer
        self.connected = True
        self._handler = handler
        self._back: LocalLink = self

    def cast(self, message: Any) -> None:
        if self.connected:
            self._handler(message, None, self._back)

    def call(self, message: Any, done: Reply, timeout_seconds: float) -> None:
        if self.connected:
            self._handler(message, done, self._back)
        else:
            done(LinkFailure(False, f"{self.peer}: not connected"))

    def close(self) -> None:
        """Both ends: no message crosses any more. What was handed over is still answered."""
        self.connected = self._back.connected = False

    def bind(self, back: LocalLink) -> None:
        """`back` is the link that this one's handler answers and pushes over."""
        self._back = back


def local_links(
    first: str, first_handler: Handler, second: str, second_handler: Handler
) -> tuple[LocalLink, LocalLink]:
    """(the first process's link to the second, the second's to the first)."""
    to_second = LocalLink(second, second_handler)
    to_first = LocalLink(first, first_handler)
    to_second.bind(to_first)
    to_first.bind(to_second)
    return to_second, to_first
