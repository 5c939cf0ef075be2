"""What to do after a failed attempt: pure decisions, no clock, no waiting.

Only what definitely did not happen is tried again, and reads, which may happen twice. A write whose outcome is
unknown is the caller's to look into: to repeat it could undo what another writer did in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kvorum.client.errors import KvorumError, Throttled, Unavailable


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with full jitter: the wait after the nth failure is anything up to first × 2ⁿ, at most
    `most`. Source: AWS architecture blog, "Exponential Backoff And Jitter"."""

    first_seconds: float = 0.025
    most_seconds: float = 1.0

    def seconds(self, failures: int, jitter: float) -> float:
        """`failures`: how many before this one, from 0. `jitter`: uniform in [0, 1)."""
        doublings = min(failures, 32)  # beyond any sensible `most_seconds`
        return jitter * min(self.most_seconds, self.first_seconds * (1 << doublings))


@dataclass(frozen=True, slots=True)
class Failure:
    """`elsewhere`: the endpoint is to blame, another one may do better at once."""

    error: KvorumError
    elsewhere: bool


class Retries:
    """The failures of one call over `endpoints` endpoints."""

    def __init__(self, backoff: Backoff, endpoints: int, jitter: Callable[[], float]) -> None:
        self._backoff = backoff
        self._jitter = jitter
        self._endpoints = endpoints
        self._waits = 0
        self._tried = 1

    def wait_seconds(self, failure: Failure, remaining_seconds: float) -> float | None:
        """How long to wait before the next attempt; None: raise the error, for there is none."""
        if not isinstance(failure.error, Throttled | Unavailable):
            return None
        if failure.elsewhere and self._tried < self._endpoints:
            self._tried += 1
            return 0.0 if remaining_seconds > 0 else None
        wait = self._backoff.seconds(self._waits, self._jitter())
        self._waits += 1
        self._tried = 1
        return wait if wait < remaining_seconds else None
