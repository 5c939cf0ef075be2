"""`kvorum up`: a topology on this machine."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from kvorum.cli.addresses import check_address
from kvorum.cli.data_directory import DataDirectory
from kvorum.cli.runtime import stop_event
from kvorum.cli.supervisor import Supervisor
from kvorum.cli.topology import ITEM_COLLECTION_VARIABLE, Topology, default_topology, load, resolve


@dataclass(frozen=True, slots=True)
class UpOptions:
    topology: Path | None
    port: int
    data_dir: Path
    restart: bool
    global_tables: bool | None
    item_collection_bytes: int | None


def run(options: UpOptions) -> int:
    """The exit code; OperatorError or TopologyError when it cannot start."""
    topology = load(options.topology) if options.topology else default_topology()
    if options.global_tables is not None:
        topology.global_tables = options.global_tables
    topology.set_item_collection_bytes(options.item_collection_bytes)
    os.environ.pop(ITEM_COLLECTION_VARIABLE, None)  # every process has it from the topology
    with DataDirectory(options.data_dir.absolute()) as directory:
        resolve(topology, options.port)
        _check_ports(topology)
        return asyncio.run(_supervise(topology, directory.path, restart=options.restart))


async def _supervise(topology: Topology, directory: Path, *, restart: bool) -> int:
    stop = stop_event(asyncio.get_running_loop())
    supervisor = Supervisor(topology, directory, restart=restart, say=lambda line: print(line, flush=True))
    return await supervisor.run(stop)


def _check_ports(topology: Topology) -> None:
    """Say that a port is taken before anything is started."""
    for region in topology.regions:
        for router in region.routers:
            check_address(topology, router.http)
            check_address(topology, router.grpc)
