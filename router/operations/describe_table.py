"""DescribeTable: what a table is, and how large it is now.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
"""

from __future__ import annotations

import orjson

from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations.tables import existing_table, live_description

REQUEST = service_model.request("DescribeTable")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    return orjson.dumps(
        {
            "Table": await live_description(
                existing_table(body["TableName"], cluster, REQUEST.operation), cluster
            )
        }
    )
