"""ListTables: the names of the region's tables in order, a page at a time.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import orjson

from kvorum.model.limits import LIST_TABLES_PAGE_MAX
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations import members
from kvorum.router.shapes import Request, Structure, Whole

REQUEST = Request(
    Structure(
        "ListTablesInput",
        {
            "ExclusiveStartTableName": members.NAME,
            "Limit": Whole(least=1, most=LIST_TABLES_PAGE_MAX, terse=True),
        },
    )
)


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
