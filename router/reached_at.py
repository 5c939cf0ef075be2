"""Under which address a client reached its router: what the HTTP door knows, and DescribeEndpoints answers."""

from __future__ import annotations

from contextvars import ContextVar

REACHED_AT: ContextVar[str] = ContextVar("REACHED_AT", default="")
"""Host and port as the client wrote them; set for the operations in ASKING, "" in all others' requests."""

ASKING = frozenset({"DescribeEndpoints"})
