"""ListTables: the names of the region's tables in order, a page at a time.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import orjson

from kvorum.model.limits import LIST_TABLES_PAGE_MAX
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster

REQUEST = service_model.request("ListTables")


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    names = sorted(cluster.directory.tables)
    start: str | None = body.get("ExclusiveStartTableName")
    first = 0 if start is None else bisect_right(names, start)
    page = names[first : first + body.get("Limit", LIST_TABLES_PAGE_MAX)]
    answer: dict[str, Any] = {"TableNames": page}
    if first + len(page) < len(names):
        answer["LastEvaluatedTableName"] = page[-1]
    return orjson.dumps(answer)
