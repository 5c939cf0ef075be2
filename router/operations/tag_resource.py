"""TagResource: tags set on a table, each new or in place of the one with its key. Tags are of one region.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html
"""

from __future__ import annotations

from kvorum.control.state import UpdateTable
from kvorum.model import errors
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import tags

REQUEST = service_model.request("TagResource")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.examine(body)  # what is kept must hold no unknown members
    name = tags.resource_name(body, cluster, "Tags")
    if not body["Tags"]:
        raise errors.validation("Atleast one Tag needs to be provided as Input.")
    tags.check_tags(body["Tags"])
    table = tags.resource(name, body, cluster)
    await cluster.propose(
        UpdateTable(
            name=table.name,
            settings={},
            tags={tag["Key"]: tag["Value"] for tag in body["Tags"]},
            updated_ms=cluster.now_ms(),
            table_uuid=table.uuid,
            update_uuid=cluster.new_uuid(),
        )
    )
    return b""
