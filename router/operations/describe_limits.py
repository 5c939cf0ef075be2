"""DescribeLimits: AWS's default quotas of an account in a region. Kvorum itself limits no capacity.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html
"""

from __future__ import annotations

import orjson

from kvorum.model.limits import ACCOUNT_CAPACITY_UNITS_MAX, TABLE_CAPACITY_UNITS_MAX
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster

REQUEST = service_model.request("DescribeLimits")

_ANSWER = orjson.dumps(
    {
        "AccountMaxReadCapacityUnits": ACCOUNT_CAPACITY_UNITS_MAX,
        "AccountMaxWriteCapacityUnits": ACCOUNT_CAPACITY_UNITS_MAX,
        "TableMaxReadCapacityUnits": TABLE_CAPACITY_UNITS_MAX,
        "TableMaxWriteCapacityUnits": TABLE_CAPACITY_UNITS_MAX,
    }
)


async def run(body: Body, cluster: Cluster) -> bytes:
    REQUEST.read(body)
    return _ANSWER
