"""The sizes and times of a group. Ticks are the driver's (about 50 ms); the rest carries its unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """A lease is the time for which a voter that answered a leader elects no other. The leader counts it
    from the moment it sent, by its own clock; the voter, from the moment it received and by a little more
    (`promise_us`), so that clocks may run at rates that differ by up to 5 % and no reading is compared
    between two machines. `promise_us` should stay below `(election_ticks - 1)` ticks, or elections wait.
    """

    election_ticks: int = 10
    heartbeat_ticks: int = 2
    lease_us: int = 400_000
    inflight_entries_max: int = 4096
    inflight_bytes_max: int = 4 << 20
    append_bytes_max: int = 512 << 10
    uncommitted_bytes_max: int = 16 << 20
    apply_bytes_max: int = 4 << 20
    cache_bytes_max: int = 512 << 10
    waiting_reads_max: int = 65536

    def __post_init__(self) -> None:
        if not 0 < self.heartbeat_ticks < self.election_ticks:
            raise ValueError("a heartbeat must come more often than an election")
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")

    @property
    def promise_us(self) -> int:
        return self.lease_us + self.lease_us // 20
