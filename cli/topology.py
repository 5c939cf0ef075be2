"""The topology file: which regions, routers and nodes there are and where they listen.

One format for everything: `kvorum up` fills in what is left out and hands the complete file to every process
that it starts; compose and Kubernetes write it complete. TOML by name `.toml`, else JSON. A mistake is one
line that names the place (`TopologyError`).
"""

from __future__ import annotations

import re
import socket
from importlib import resources
from itertools import chain, islice
from pathlib import Path

import msgspec
from msgspec import Struct

from kvorum.model.limits import ITEM_COLLECTION_BYTES_MAX
from kvorum.node.index_pressure import LAG_ENTRIES_MAX
from kvorum.replication.link import split_address

CONTROL_MEMBERS_MAX = 3
ITEM_COLLECTION_VARIABLE = "KVORUM_ITEM_COLLECTION_BYTES"
_PORT_STEP = 1_000
_FREE_PORT_MIN = 10_000
_OUTGOING_PORT_MIN = 32_768  # Linux; other systems begin higher
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class TopologyError(Exception):
    """What is wrong with a topology, in one line for its author."""


class NodeEntry(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Addresses are host:port as other processes reach them. `data_dir`: where this node's store lies,
    relative to the process's --data-dir; by default <region>/<name>."""

    name: str
    zone: str
    wire: str = ""
    metrics: str = ""
    data_dir: str = ""


class RouterEntry(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    zone: str
    http: str = ""
    grpc: str = ""
    wire: str = ""
    metrics: str = ""


class RegionEntry(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    routers: list[RouterEntry]
    nodes: list[NodeEntry]

    @property
    def control_members(self) -> tuple[str, ...]:
        """The nodes that hold the control group: the first three, or the first when there are fewer."""
        names = tuple(node.name for node in self.nodes)
        return names[:CONTROL_MEMBERS_MAX] if len(names) >= CONTROL_MEMBERS_MAX else names[:1]

    @property
    def replicas(self) -> int:
        """Copies of every partition."""
        return 3 if len(self.nodes) >= 3 else 1

    @property
    def addresses(self) -> list[str]:
        """Every address that the file gives."""
        given = [address for node in self.nodes for address in (node.wire, node.metrics)]
        for router in self.routers:
            given += (router.http, router.grpc, router.wire, router.metrics)
        return [address for address in given if address]


class Topology(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`listen`: the address that every process binds, when it differs from the host that others dial (in a
    container: 0.0.0.0). `item_collection_bytes`: how large the items and index entries of one partition key's value
    may become, in a table with local indexes. `index_lag_entries`: so many log entries a global index may be behind a
    partition of its table, before the partition takes no more writes (node/index_pressure)."""

    regions: list[RegionEntry]
    initial_partitions: int = 6
    global_tables: bool = True
    listen: str = ""
    item_collection_bytes: int = ITEM_COLLECTION_BYTES_MAX
    index_lag_entries: int = LAG_ENTRIES_MAX

    def region(self, name: str) -> RegionEntry:
        for region in self.regions:
            if region.name == name:
                return region
        raise TopologyError(f"the topology has no region {name!r}; it has {', '.join(self.region_names)}")

    def set_item_collection_bytes(self, given: int | None) -> None:
        """What the operator gave on the command line goes before what is in the file."""
        if given is not None:
            self.item_collection_bytes = given

    @property
    def region_names(self) -> tuple[str, ...]:
        return tuple(region.name for region in self.regions)


def default_topology() -> Topology:
    """Two regions of one router and three nodes: deploy/topology.toml."""
    text = resources.files("kvorum.deploy").joinpath("topology.toml").read_bytes()
    return parse(text, "deploy/topology.toml")


def load(path: Path) -> Topology:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TopologyError(f"cannot read the topology file {path}: {error.strerror}") from error
    return parse(data, str(path))


def parse(data: bytes, name: str) -> Topology:
    try:
        if name.endswith(".toml"):
            topology = msgspec.toml.decode(data, type=Topology)
        else:
            topology = msgspec.json.decode(data, type=Topology)
    except msgspec.DecodeError as error:
        raise TopologyError(f"{name}: {_one_line(error)}") from error
    return validated(topology, name)


def validated(topology: Topology, name: str) -> Topology:
    """The topology itself, or TopologyError. `name`: what the operator gave it with."""
    problem = _problem(topology)
    if problem:
        raise TopologyError(f"{name}: {problem}")
    return topology


def dump(topology: Topology) -> bytes:
    return msgspec.json.format(msgspec.json.encode(topology), indent=2) + b"\n"


def resolve(topology: Topology, port: int) -> Topology:
    """Fill in the addresses that are left out: HTTP on `port`, then the next port for every further router,
    gRPC 1,000 above it, everything else on ports above those that are free now. Loopback only."""
    routers = [router for region in topology.regions for router in region.routers]
    for number, router in enumerate(routers):
        router.http = router.http or f"127.0.0.1:{port + number}"
        router.grpc = router.grpc or f"127.0.0.1:{port + _PORT_STEP + number}"
    nodes = [node for region in topology.regions for node in region.nodes]
    entries: list[RouterEntry | NodeEntry] = [*routers, *nodes]
    free = iter(_free_ports(port + 2 * _PORT_STEP, 2 * len(entries)))
    for entry in entries:
        entry.wire = entry.wire or f"127.0.0.1:{next(free)}"
        entry.metrics = entry.metrics or f"127.0.0.1:{next(free)}"
    return topology


def _free_ports(first: int, count: int) -> list[int]:
    """Ports that nobody listens on now.

    None that the system hands to outgoing connections: a process that is down while it restarts would find its
    port taken by one, perhaps by a peer's that dialled this very port and so met itself.
    """
    candidates = chain(range(first, _OUTGOING_PORT_MIN), range(_FREE_PORT_MIN, _OUTGOING_PORT_MIN))
    found = list(islice(dict.fromkeys(filter(_is_free, candidates)), count))
    if len(found) < count:
        raise TopologyError("there are not enough free ports on 127.0.0.1 below 32768")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _problem(topology: Topology) -> str | None:
    if not topology.regions:
        return "there is no region"
    if not 1 <= topology.initial_partitions <= 1_024:
        return "initial_partitions must lie between 1 and 1024"
    if topology.item_collection_bytes < 1:
        return "item_collection_bytes must be at least 1"
    if topology.index_lag_entries < 1:
        return "index_lag_entries must be at least 1"
    duplicate = _duplicate(list(topology.region_names))
    if duplicate:
        return f"region {duplicate!r} appears twice"
    for region in topology.regions:
        problem = _region_problem(region)
        if problem:
            return f"region {region.name!r}: {problem}"
    addresses = [address for region in topology.regions for address in region.addresses]
    for address in addresses:
        try:
            split_address(address)
        except ValueError as error:
            return str(error)
    duplicate = _duplicate(addresses)
    return f"address {duplicate!r} is used twice" if duplicate else None


def _region_problem(region: RegionEntry) -> str | None:
    if not _NAME.fullmatch(region.name):
        return "a name is made of lower-case letters, digits and hyphens"
    if not region.routers:
        return "there is no router"
    if not region.nodes:
        return "there is no node"
    if len(region.nodes) == 2:
        return "two nodes cannot form a majority when one is lost: give one, or three and more"
    names = [router.name for router in region.routers] + [node.name for node in region.nodes]
    for name in names:
        if not _NAME.fullmatch(name):
            return f"{name!r}: a name is made of lower-case letters, digits and hyphens"
    duplicate = _duplicate(names)
    if duplicate:
        return f"the name {duplicate!r} appears twice"
    zones = {node.zone for node in region.nodes}
    if len(region.nodes) >= 3 and len(zones) < 3:
        return f"three replicas need three zones, and the nodes name only {len(zones)}"
    return None


def _duplicate(values: list[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
