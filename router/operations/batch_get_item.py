"""BatchGetItem: up to 100 items of any tables by their primary keys, up to 16 MB of them.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from kvorum.control.messages import RecordAnswer
from kvorum.model import errors, expressions, keys, record, values
from kvorum.model.key_paths import check_scalars
from kvorum.model.limits import BATCH_GET_BYTES_MAX, BATCH_GET_KEYS_MAX
from kvorum.model.requests import Item
from kvorum.model.table import Table
from kvorum.router import capacity, service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Consumption, Report
from kvorum.router.operations.arguments import ExpressionParameters, Projection, projection, table_in_use
from kvorum.router.operations.batching import attempt_all, check_some

REQUEST = service_model.request("BatchGetItem")
_PROJECTIONS = ("ProjectionExpression", "AttributesToGet")
EXPRESSIONS = ExpressionParameters(_PROJECTIONS[:1], _PROJECTIONS[1:], REQUEST.layer)


@dataclass(slots=True)
class _Batch:
    """What is asked of one table. `name`: as the caller wrote it; `asked`: its KeysAndAttributes; `entered`: the
    attributes that its projection's paths lead into."""

    name: str
    asked: dict[str, Any]
    keys: list[Item]
    strong: bool
    projection: Projection | None
    entered: list[str]


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    requested: dict[str, dict[str, Any]] = body["RequestItems"]
    check_some(requested, REQUEST.operation)
    _check_projected_alike(requested.values())
    batches = [_read_batch(name, asked) for name, asked in requested.items()]
    if sum(len(batch.keys) for batch in batches) > BATCH_GET_KEYS_MAX:
        raise errors.validation("Too many items requested for the BatchGetItem call")
    tables = [table_in_use(batch.name, cluster.directory, REQUEST.operation) for batch in batches]
    wanted = [
        (table, keys.encode_key(table.keys, key), batch.strong)
        for batch, table in zip(batches, tables, strict=True)
        for key in batch.keys
    ]
    if len(batches) > 1 and len({(table.id, key) for table, key, _ in wanted}) != len(wanted):
        raise errors.duplicate_keys()  # a table may be there by its name and by its ARN
    for batch, table in zip(batches, tables, strict=True):
        check_scalars(table, batch.entered)
    results = await attempt_all(cluster.read(table, key, strong=strong) for table, key, strong in wanted)
    report = capacity.report(body.get("ReturnConsumedCapacity"))
    return _render(batches, tables, results, report)


def _check_projected_alike(asked: Iterable[dict[str, Any]]) -> None:
    """Not only of one table, but of none two may the one have what is an expression, the other what is none."""
    EXPRESSIONS.present({name: each[name] for each in asked for name in _PROJECTIONS if name in each})


def _read_batch(name: str, asked: dict[str, Any]) -> _Batch:
    present = EXPRESSIONS.present(asked)
    names = EXPRESSIONS.read(asked).names if present else {}
    kept = projection(asked, names)
    text: str | None = asked.get("ProjectionExpression")
    entered = [] if text is None else expressions.entered_by_projection(text, names)
    found = [values.read_item(key)[0] for key in asked["Keys"]]
    if len({orjson.dumps(key, option=orjson.OPT_SORT_KEYS) for key in found}) != len(found):
        raise errors.duplicate_keys()
    return _Batch(name, asked, found, asked.get("ConsistentRead", False), kept, entered)


def _render(
    batches: list[_Batch], tables: list[Table], results: list[RecordAnswer | errors.ApiError], report: Report
) -> bytes:
    """Items in the order of their keys. Behind the item that would pass 16 MB everything is unprocessed."""
    responses: list[bytes] = []
    unprocessed: dict[str, dict[str, Any]] = {}
    consumptions: dict[str, Consumption] = {}
    answers = iter(results)
    room = BATCH_GET_BYTES_MAX
    for batch, table in zip(batches, tables, strict=True):
        items: list[bytes] = []
        left: list[Item] = []
        consumption = consumptions.setdefault(table.name, Consumption())
        for key, answer in zip(batch.keys, answers, strict=False):
            if room < 0 or isinstance(answer, errors.ApiError):
                left.append(key)
                continue
            size = 0 if answer.record is None else record.size_of(answer.record)
            room -= size
            if room < 0:
                left.append(key)
                continue
            consumption.table += capacity.read_units(size, strong=batch.strong)
            if answer.record is not None:
                items.append(_item(answer.record, batch.projection))
        responses.append(b'"%b":[%b]' % (batch.name.encode(), b",".join(items)))
        if left:
            unprocessed[batch.name] = {**batch.asked, "Keys": left}
    parts = [
        b'"Responses":{' + b",".join(responses) + b"}",
        b'"UnprocessedKeys":' + orjson.dumps(unprocessed),
    ]
    if report is not Report.NONE:
        consumed = [
            capacity.consumed(name, each, report) for name, each in consumptions.items() if each.table
        ]
        parts.append(b'"ConsumedCapacity":[' + b",".join(consumed) + b"]")
    return b"{" + b",".join(parts) + b"}"


def _item(found: bytes, kept: Projection | None) -> bytes:
    json = record.json_of(found)
    return json if kept is None else values.dumps(kept(values.loads(json)))
