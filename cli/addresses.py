"""Finding out that an address is taken before anything is started on it."""

from __future__ import annotations

import socket

from kvorum.cli.errors import unusable_address
from kvorum.cli.topology import Topology
from kvorum.replication.link import split_address


def check_address(topology: Topology, address: str) -> None:
    """OperatorError when nobody could listen there now."""
    host, port = split_address(address)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((topology.listen or host, port))
        except OSError as error:
            raise unusable_address(address, error) from error
