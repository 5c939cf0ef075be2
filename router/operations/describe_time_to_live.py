"""DescribeTimeToLive: off, for every table.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html
"""

from __future__ import annotations

import orjson

from kvorum.model import errors
from kvorum.model.table import TableStatus
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import members
from kvorum.router.operations.tables import existing_table
from kvorum.router.shapes import Request, Structure, required_parameter

REQUEST = Request(Structure("DescribeTimeToLiveInput", {"TableName": required_parameter(members.TABLE)}))

_OFF = orjson.dumps({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    if existing_table(body["TableName"], cluster).status is TableStatus.CREATING:
        raise errors.validation(
            "Cannot describe time to live while table is in CREATING state: Current table state is CREATING"
        )
    return _OFF
