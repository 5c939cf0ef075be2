"""DescribeContinuousBackups: no point-in-time recovery, for every table. AWS calls continuous backups themselves
ENABLED for each table from its birth, whatever becomes of point-in-time recovery.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html
"""

from __future__ import annotations

import orjson

from kvorum.model import errors
from kvorum.router import service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.operations.table_arns import table_name

REQUEST = service_model.request("DescribeContinuousBackups")

_OFF = orjson.dumps(
    {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
        }
    }
)


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    name = table_name(body["TableName"], cluster.directory, REQUEST.operation)
    if name not in cluster.directory.tables:
        raise errors.table_not_found(name)
    return _OFF
