"""DescribeTable: what a table is, and how large it is now.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
"""

from __future__ import annotations

import orjson

from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import members
from kvorum.router.operations.tables import existing_table, live_description
from kvorum.router.shapes import Request, Structure, required_parameter

REQUEST = Request(Structure("DescribeTableInput", {"TableName": required_parameter(members.TABLE)}))


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    return orjson.dumps(
        {"Table": await live_description(existing_table(body["TableName"], cluster), cluster)}
    )
