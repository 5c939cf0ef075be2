"""BatchWriteItem: up to 25 puts and deletes on any tables, each on its own.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from kvorum.control.messages import WriteAnswer
from kvorum.model import errors, keys, values
from kvorum.model.faults import in_older_words
from kvorum.model.limits import BATCH_WRITE_REQUESTS_MAX, ITEM_BYTES_MAX
from kvorum.model.requests import Delete, Item, Put, Write
from kvorum.model.table import KeySchema, Table
from kvorum.router import capacity, service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Report
from kvorum.router.operations.arguments import table_in_use
from kvorum.router.operations.batching import attempt_all

REQUEST = service_model.request("BatchWriteItem")


@dataclass(slots=True)
class _Request:
    """One put or delete. `table_text`: the table as the caller wrote it; `asked`: its WriteRequest."""

    table_text: str
    asked: dict[str, Any]
    attributes: Item
    size: int | None
    """Of the item to put, bytes; None for a delete."""


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    requested: dict[str, list[dict[str, Any]]] = body["RequestItems"]
    if sum(map(len, requested.values())) > BATCH_WRITE_REQUESTS_MAX:
        raise errors.validation("Too many items requested for the BatchWriteItem call")
    requests = [_read_request(text, asked) for text, batch in requested.items() for asked in batch]
    tables = {text: table_in_use(text, cluster.directory) for text in requested}
    writes = [_write(tables[request.table_text], request) for request in requests]
    targets = {
        (tables[request.table_text].id, write.key) for request, write in zip(requests, writes, strict=True)
    }
    if len(targets) != len(writes):
        raise errors.validation("Provided list of item keys contains duplicates")
    results = await attempt_all(
        cluster.write(tables[request.table_text], write)
        for request, write in zip(requests, writes, strict=True)
    )
    report = capacity.report(body.get("ReturnConsumedCapacity"))
    return _render(requests, tables, results, report)


def _read_request(text: str, asked: dict[str, Any]) -> _Request:
    put, delete = asked.get("PutRequest"), asked.get("DeleteRequest")
    if (put is None) == (delete is None):
        raise errors.validation(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    try:
        if put is None:
            return _Request(text, asked, values.read_item(asked["DeleteRequest"]["Key"])[0], None)
        item, size = values.read_item(put["Item"])
    except errors.ApiError as error:
        raise in_older_words(error) from None
    if size > ITEM_BYTES_MAX:
        raise errors.validation("Item size has exceeded the maximum allowed size")
    return _Request(text, asked, item, size)


def _write(table: Table, request: _Request) -> Write:
    if request.size is None:
        return Delete(keys.encode_key(table.keys, request.attributes))
    key = keys.encode_key(table.keys, _key_in(request.attributes, table.keys))
    return Put(key, values.dumps(request.attributes), request.size)


def _key_in(item: Item, schema: KeySchema) -> Item:
    """What the item has of a key. AWS says of an item without a proper one what it says of a Key, unlike PutItem."""
    parts = (schema.hash, schema.range)
    return {part.name: item[part.name] for part in parts if part is not None and part.name in item}


def _render(
    requests: list[_Request],
    tables: dict[str, Table],
    results: list[WriteAnswer | errors.ApiError],
    report: Report,
) -> bytes:
    unprocessed: dict[str, list[dict[str, Any]]] = {}
    units: dict[str, float] = {}
    for request, result in zip(requests, results, strict=True):
        if isinstance(result, errors.ApiError):
            unprocessed.setdefault(request.table_text, []).append(request.asked)
        else:
            name = tables[request.table_text].name
            units[name] = units.get(name, 0.0) + capacity.write_units(result.size_old, result.size_new)
    parts = [b'"UnprocessedItems":' + orjson.dumps(unprocessed)]
    if report is not Report.NONE:
        consumed = [capacity.consumed(name, amount, report) for name, amount in units.items()]
        parts.append(b'"ConsumedCapacity":[' + b",".join(consumed) + b"]")
    return b"{" + b",".join(parts) + b"}"
