"""What goes wrong in the simulated cluster, by seed: processes, machines, networks, disks and clocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.kit.simulation_hosts import RESERVE_BYTES, NodeHost, NodeLife, RouterHost
from tests.kit.simulation_process import SimulatedDisk, SimulatedProcess

if TYPE_CHECKING:
    from tests.kit.cluster_simulation import ClusterSimulation


FAULTS = (
    "crash_a_node",
    "crash_a_router",
    "crash_many",
    "bounce_a_node",
    "pause_a_process",
    "pause_inside",
    "cut_a_pair",
    "isolate_a_node",
    "isolate_a_zone",
    "isolate_a_region",
    "slow_links",
    "slow_disk",
    "full_disk",
    "step_a_clock",
    "lose_casts",
    "break_connections",
    "hand_over",
)


class Faults:
    """`kinds`: which may happen; `interval_seconds`: between two of them, on average."""

    def __init__(
        self, simulation: ClusterSimulation, kinds: tuple[str, ...], interval_seconds: float
    ) -> None:
        self.random = simulation.random
        self.loop = simulation.loop
        self.network = simulation.network
        self.regions = simulation.regions
        self.kinds = kinds
        self.interval_seconds = interval_seconds
        self.is_faulty = False
        self.pause_inside_share = 0.0
        self.standing_inside = False
        self._simulation = simulation

    @property
    def node_hosts(self) -> list[NodeHost]:
        return self._simulation.node_hosts

    @property
    def router_hosts(self) -> list[RouterHost]:
        return self._simulation.router_hosts

    @property
    def hosts(self) -> list[NodeHost | RouterHost]:
        return self._simulation.hosts

    def begin(self) -> None:
        self.is_faulty = True
        self.loop.call_later(self.random.uniform(0.1, 1.0), self._fault)

    def _fault(self) -> None:
        if not self.is_faulty:
            return
        kind = self.random.choice((*self.kinds, "mend"))
        getattr(self, kind)()
        self.loop.call_later(self.random.expovariate(1 / self.interval_seconds), self._fault)

    def some_node(self) -> NodeHost:
        """Any, but a leader more often: that is where it hurts."""
        if self.random.random() < 0.5:
            leaders = [
                host
                for host in self.node_hosts
                if host.life.alive and any(r.serving for r in host.node.engine.replicas.values())
            ]
            if leaders:
                return self.random.choice(leaders)
        return self.random.choice(self.node_hosts)

    def crash_a_node(self) -> None:
        self.crash(self.some_node(), self.random.choice((0.01, 0.3, 1.0, 3.0)))

    def bounce_a_node(self) -> None:
        self.crash(self.some_node(), self.random.uniform(0.0, 0.01))

    def crash_a_router(self) -> None:
        self.crash(self.random.choice(self.router_hosts), self.random.choice((0.01, 0.5, 2.0)))

    def crash_many(self) -> None:
        region = self.random.choice(list(self.regions))
        scope = self.random.choice(("nodes", "region", "everything"))
        for host in self.node_hosts if scope == "nodes" else self.hosts:
            if scope == "everything" or host.at.region == region:
                self.crash(host, self.random.uniform(0.0, 1.0))

    def crash(self, host: NodeHost | RouterHost, down_seconds: float) -> None:
        process = host.life.process
        if not process.alive or process.busy:
            return
        silently = self.random.random() < 0.2
        host.life.crash(silently=silently)
        if silently:  # the machine went down: its monotonic clock begins anew
            host.clock.monotonic_offset_seconds = self.random.uniform(0, 100)
        self.loop.call_later(down_seconds, self._restart, host)

    def _restart(self, host: NodeHost | RouterHost) -> None:
        if not host.life.alive:
            host.start()
            self.network.process_back(host.at)

    def pause_a_process(self) -> None:
        host = self.some_node() if self.random.random() < 0.8 else self.random.choice(self.router_hosts)
        process = host.life.process
        if process.alive and not process.standing_still and not process.busy:
            process.pause()
            self.network.process_paused(process)
            self.loop.call_later(self.random.choice((0.05, 0.5, 1.5, 5.5)), self._resume, process)

    def _resume(self, process: SimulatedProcess) -> None:
        if process.alive and process.paused:
            process.resume()

    def pause_inside(self) -> None:
        """For a while, processes stand still between two lines of their code."""
        self.pause_inside_share = self.random.choice((0.000_5, 0.005))
        self.loop.call_later(1.0, self._no_pauses_inside)

    def _no_pauses_inside(self) -> None:
        self.pause_inside_share = 0.0

    def perhaps_pause_inside(self, process: SimulatedProcess) -> None:
        """Asked whenever a node looks at its clock."""
        if (
            self.pause_inside_share
            and not self.standing_inside
            and process.depth == 1
            and self.random.random() < self.pause_inside_share
        ):
            self.standing_inside = True
            process.stand_still_inside(self.random.choice((0.02, 0.6, 1.2)))
            self.standing_inside = False

    def cut_a_pair(self) -> None:
        one, other = self.random.sample(self.hosts, 2)
        self._cut([(one.at.id, other.at.id)])

    def isolate_a_node(self) -> None:
        victim = self.some_node().at.id
        self._cut([(victim, h.at.id) for h in self.hosts if h.at.id != victim and self.random.random() < 0.8])

    def isolate_a_zone(self) -> None:
        region, zone = self.random.choice(list(self.regions)), self.random.choice("abc")
        self._cut_off(lambda host: host.at.region == region and host.at.zone == zone)

    def isolate_a_region(self) -> None:
        region = self.random.choice(list(self.regions))
        self._cut_off(lambda host: host.at.region == region)

    def _cut_off(self, inside: Callable[[NodeHost | RouterHost], bool]) -> None:
        hosts = self.hosts
        self._cut([(a.at.id, b.at.id) for a in hosts for b in hosts if inside(a) and not inside(b)])

    def _cut(self, pairs: list[tuple[str, str]]) -> None:
        """Both ways, or one."""
        inward, outward = self.random.choice(((True, True), (True, False), (False, True)))
        for one, other in pairs:
            if inward:
                self.network.cut(other, one)
            if outward:
                self.network.cut(one, other)
        self.loop.call_later(self.random.choice((0.1, 1.0, 5.0)), self._mend, pairs)

    def _mend(self, pairs: list[tuple[str, str]]) -> None:
        for one, other in pairs:
            self.network.heal(one, other)
            self.network.heal(other, one)

    def mend(self) -> None:
        self.network.heal_all()
        self.network.cast_loss = 0.0
        for host in self.node_hosts:
            self._well(host.disk)

    def _well(self, disk: SimulatedDisk) -> None:
        disk.sync_seconds = (0.000_3, 0.003)
        disk.disk_free_bytes = 100 * RESERVE_BYTES
        disk.is_out_of_space = False

    def slow_links(self) -> None:
        factor = self.random.choice((5.0, 50.0))
        victim = self.random.choice(self.hosts).at.id
        for host in self.hosts:
            if self.random.random() < 0.6:
                self.network.slow[(victim, host.at.id)] = factor
                self.network.slow[(host.at.id, victim)] = factor

    def slow_disk(self) -> None:
        self.some_node().disk.sync_seconds = self.random.choice(((0.02, 0.1), (0.1, 0.8)))

    def full_disk(self) -> None:
        for host in self.random.sample(self.node_hosts, self.random.choice((1, 1, 2, 3))):
            match self.random.choice(("reserve", "floor", "nothing")):
                case "reserve":
                    host.disk.disk_free_bytes = RESERVE_BYTES // 2
                case "floor":
                    host.disk.disk_free_bytes = 0
                case _:
                    host.disk.is_out_of_space = True
                    host.disk.disk_free_bytes = 0
            self.loop.call_later(self.random.choice((0.3, 2.0)), self._well, host.disk)

    def step_a_clock(self) -> None:
        """Somebody sets the time of day. Monotonic clocks do not care."""
        self.random.choice(self.hosts).clock.wall_offset_ms += self.random.uniform(-3_000, 3_000)

    def lose_casts(self) -> None:
        self.network.cast_loss = self.random.choice((0.01, 0.2))

    def break_connections(self) -> None:
        for connection in list(self.network.connections):
            if self.random.random() < 0.2:
                end = self.random.choice(connection.ends)
                end.process.call_soon(end.break_off, "broken", True)

    def hand_over(self) -> None:
        """A graceful stop, and a start."""
        host = self.some_node()
        life = host.life
        if life.alive:
            life.process.call_soon(life.node.hand_over)
            self.loop.call_later(self.random.uniform(0.0, 1.0), self._crash_life, host, life)

    def _crash_life(self, host: NodeHost, life: NodeLife) -> None:
        if life.process.busy:
            self.loop.call_later(0.1, self._crash_life, host, life)
        elif host.life is life:
            self.crash(host, 0.05)

    def heal(self) -> None:
        self.is_faulty = False
        self.pause_inside_share = 0.0
        self.mend()
        for host in self.hosts:
            self._restart(host)
            self._resume(host.life.process)
