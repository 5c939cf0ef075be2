"""DescribeEndpoints: AWS's name for the region's endpoint. SDKs that were given an endpoint do not ask, and stay
with what they were given.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeEndpoints.html
"""

from __future__ import annotations

import orjson

from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster

REQUEST = service_model.request("DescribeEndpoints")

CACHE_MINUTES = 1_440


async def run(body: Body, cluster: Cluster) -> bytes:
    REQUEST.read(body)
    endpoint = {
        "Address": f"dynamodb.{cluster.region}.amazonaws.com",
        "CachePeriodInMinutes": CACHE_MINUTES,
    }
    return orjson.dumps({"Endpoints": [endpoint]})
