"""ListTagsOfResource: a table's tags, all of them in one page.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTagsOfResource.html
"""

from __future__ import annotations

import orjson

from kvorum.model import errors
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import tags

REQUEST = service_model.request("ListTagsOfResource")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    name = tags.resource_name(body, cluster)
    if "NextToken" in body:
        raise errors.validation("Invalid NextToken")  # none was ever given out
    table = tags.resource(name, body, cluster)
    return orjson.dumps({"Tags": table.definition.get("Tags", [])})
