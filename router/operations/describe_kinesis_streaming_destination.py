"""DescribeKinesisStreamingDestination: none, for every table.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeKinesisStreamingDestination.html
"""

from __future__ import annotations

import orjson

from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations.tables import existing_table

REQUEST = service_model.request("DescribeKinesisStreamingDestination")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    table = existing_table(body["TableName"], cluster, REQUEST.operation)
    return orjson.dumps({"TableName": table.name, "KinesisDataStreamDestinations": []})
