"""GetResourcePolicy: there is none, of any table.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetResourcePolicy.html
"""

from __future__ import annotations

from kvorum.model import errors
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import tags

REQUEST = service_model.request("GetResourcePolicy")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    tags.resource(tags.resource_name(body, cluster, REQUEST.operation), body, cluster)
    raise errors.policy_not_found(body["ResourceArn"])
