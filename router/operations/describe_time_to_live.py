"""DescribeTimeToLive: off, for every table.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html
"""

from __future__ import annotations

import orjson

from kvorum.model import errors
from kvorum.model.table import TableStatus
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations.tables import existing_table

REQUEST = service_model.request("DescribeTimeToLive")

_OFF = orjson.dumps({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    if existing_table(body["TableName"], cluster, REQUEST.operation).status is TableStatus.CREATING:
        raise errors.validation(
            "Cannot describe time to live while table is in CREATING state: Current table state is CREATING"
        )
    return _OFF
