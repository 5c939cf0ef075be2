"""DescribeContributorInsights: off, for every table and every global index.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContributorInsights.html
"""

from __future__ import annotations

import orjson

from kvorum.model import errors
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations.tables import existing_table

REQUEST = service_model.request("DescribeContributorInsights")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    table = existing_table(body["TableName"], cluster, REQUEST.operation)
    answer = {"TableName": table.name, "ContributorInsightsStatus": "DISABLED"}
    if "IndexName" in body:
        if not any(index.name == body["IndexName"] and not index.local for index in table.indexes):
            raise errors.resource_not_found()
        answer["IndexName"] = body["IndexName"]
    return orjson.dumps(answer)
