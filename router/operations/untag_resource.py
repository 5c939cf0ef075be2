"""UntagResource: tags taken off a table by their keys. A key that no tag has is no error.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UntagResource.html
"""

from __future__ import annotations

from kvorum.control.state import UpdateTable
from kvorum.model import errors
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import tags

REQUEST = service_model.request("UntagResource")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    name = tags.resource_name(body, cluster, "TagKeys")
    if not body["TagKeys"]:
        raise errors.validation("Atleast one Tag Key needs to be provided as Input.")
    tags.check_keys(body["TagKeys"])
    table = tags.resource(name, body, cluster)
    await cluster.propose(
        UpdateTable(
            name=table.name,
            settings={},
            tags=dict.fromkeys(body["TagKeys"]),
            updated_ms=cluster.now_ms(),
            table_uuid=table.uuid,
            update_uuid=cluster.new_uuid(),
        )
    )
    return b""
