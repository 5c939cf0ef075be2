"""The hybrid logical clock: stamps that follow physical time, never repeat, and outrank all that was seen.

Kulkarni, Demirbas et al., "Logical Physical Clocks" (2014). A stamp is 48 bits of milliseconds and 16 bits of
counter; a counter that runs over carries into the milliseconds, so a stamp stays one growing integer.
Pure: physical time comes in with every call.
"""

from __future__ import annotations

COUNTER_BITS = 16
DRIFT_MS_MAX = 60_000
"""How far ahead of physical time a peer's stamp may lie. Hosts with NTP agree to milliseconds, so a minute is
broken, not slow: it leaves room for a leap smear, a resumed virtual machine and a host that starts before its
first synchronisation, and it bounds what a broken clock can do to everybody else: having followed a stamp
that is d ahead, a region stamps its own writes up to d ahead until physical time has caught up."""


def stamp_at(milliseconds: int) -> int:
    """The least stamp of that millisecond."""
    return milliseconds << COUNTER_BITS


def milliseconds_of(stamp: int) -> int:
    """When the stamp was given, in milliseconds since the epoch."""
    return stamp >> COUNTER_BITS


class HybridClock:
    """One per node. `last` is the newest stamp given or followed; `refused` counts stamps too far ahead."""

    __slots__ = ("_drift_ms_max", "last", "refused")

    def __init__(self, last: int = 0, drift_ms_max: int = DRIFT_MS_MAX) -> None:
        self.last = last
        self.refused = 0
        self._drift_ms_max = drift_ms_max

    def tick(self, now_ms: int) -> int:
        """A stamp newer than every other that this clock gave or followed."""
        physical = now_ms << COUNTER_BITS
        last = self.last
        self.last = stamp = physical if physical > last else last + 1
        return stamp

    def observe(self, stamp: int, now_ms: int) -> bool:
        """Follow a stamp that a peer region gave. False, and counted, when it lies too far ahead.

        Refusing loses nothing: the peer sends again, and its change is accepted once physical time has
        come within the bound.
        """
        if stamp <= self.last:
            return True
        if (stamp >> COUNTER_BITS) - now_ms > self._drift_ms_max:
            self.refused += 1
            return False
        self.last = stamp
        return True

    def witness(self, stamp: int) -> None:
        """Follow a stamp whatever its drift: it is committed here already, so what comes next must outrank
        it even when this host's clock is the one that is wrong."""
        self.last = max(self.last, stamp)
