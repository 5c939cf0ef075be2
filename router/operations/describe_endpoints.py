"""DescribeEndpoints: the address under which the client already reaches its region, so that an SDK which discovers
endpoints stays here.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeEndpoints.html
"""

from __future__ import annotations

import orjson

from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.reached_at import REACHED_AT

REQUEST = service_model.request("DescribeEndpoints")

CACHE_MINUTES = 1_440


async def run(body: Body, cluster: Cluster) -> bytes:
    """A client that did not say where it found us is told AWS's own name for the region."""
    REQUEST.read(body)
    endpoint = {
        "Address": REACHED_AT.get() or f"dynamodb.{cluster.region}.amazonaws.com",
        "CachePeriodInMinutes": CACHE_MINUTES,
    }
    return orjson.dumps({"Endpoints": [endpoint]})
