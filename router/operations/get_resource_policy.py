"""GetResourcePolicy: there is none, of any table.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetResourcePolicy.html
"""

from __future__ import annotations

from kvorum.model import errors
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import tags
from kvorum.router.operations.tables import existing_table

REQUEST = service_model.request("GetResourcePolicy")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    existing_table(tags.resource_name(body, cluster), cluster, REQUEST.operation)
    raise errors.policy_not_found(body["ResourceArn"])
