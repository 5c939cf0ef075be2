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
from kvorum.model.index_checks import check_item
from kvorum.model.limits import BATCH_WRITE_REQUESTS_MAX, ITEM_BYTES_MAX
from kvorum.model.requests import Delete, Item, Put, Write
from kvorum.model.table import KeySchema, Table
from kvorum.router import capacity, service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Consumption, Report
from kvorum.router.operations import writing
from kvorum.router.operations.arguments import table_in_use
from kvorum.router.operations.batching import attempt_all, check_some
from kvorum.router.operations.writing import Options

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
    check_some(requested, REQUEST.operation)
    if sum(map(len, requested.values())) > BATCH_WRITE_REQUESTS_MAX:
        raise errors.validation("Too many items requested for the BatchWriteItem call")
    requests = [_read_request(text, asked) for text, batch in requested.items() for asked in batch]
    tables = {text: table_in_use(text, cluster.directory, REQUEST.operation) for text in requested}
    options = {text: writing.options(body, table) for text, table in tables.items()}
    writes = [
        _write(tables[request.table_text], request, measure=options[request.table_text].measure)
        for request in requests
    ]
    targets = {
        (tables[request.table_text].id, write.key) for request, write in zip(requests, writes, strict=True)
    }
    if len(targets) != len(writes):
        raise errors.duplicate_keys()
    results = await attempt_all(
        cluster.write(tables[request.table_text], write)
        for request, write in zip(requests, writes, strict=True)
    )
    return _render(requests, writes, tables, options, results)


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
        raise errors.item_too_large()
    return _Request(text, asked, item, size)


def _write(table: Table, request: _Request, *, measure: bool) -> Write:
    if request.size is None:
        return Delete(keys.encode_key(table.keys, request.attributes), measure=measure)
    key = keys.encode_key(table.keys, _key_in(request.attributes, table.keys))
    if table.indexes:
        check_item(table, request.attributes, request.size)
    return Put(key, values.dumps(request.attributes), request.size, measure=measure)


def _key_in(item: Item, schema: KeySchema) -> Item:
    """What the item has of a key. AWS says of an item without a proper one what it says of a Key, unlike PutItem."""
    parts = (schema.hash, schema.range)
    return {part.name: item[part.name] for part in parts if part is not None and part.name in item}


def _render(
    requests: list[_Request],
    writes: list[Write],
    tables: dict[str, Table],
    options: dict[str, Options],
    results: list[WriteAnswer | errors.ApiError],
) -> bytes:
    unprocessed: dict[str, list[dict[str, Any]]] = {}
    consumptions: dict[str, Consumption] = {}
    collections: dict[str, dict[bytes, bytes]] = {}
    for request, write, result in zip(requests, writes, results, strict=True):
        text = request.table_text
        table = tables[text]
        if isinstance(result, errors.ApiError):
            unprocessed.setdefault(text, []).append(request.asked)
            continue
        consumptions.setdefault(table.name, Consumption()).add(capacity.of_write(table, result))
        if options[text].collection:
            of_table = collections.setdefault(table.name, {})
            of_table[keys.collection_of(table.keys, write.key)] = writing.collection_metrics(
                table, write.key, result
            )
    parts = [b'"UnprocessedItems":' + orjson.dumps(unprocessed)]
    report = next(iter(options.values())).report
    if report is not Report.NONE:
        consumed = [capacity.consumed(name, amount, report) for name, amount in consumptions.items()]
        parts.append(b'"ConsumedCapacity":[' + b",".join(consumed) + b"]")
    if collections:
        metrics = [
            b'"%b":[%b]' % (name.encode(), b",".join(found.values())) for name, found in collections.items()
        ]
        parts.append(b'"ItemCollectionMetrics":{' + b",".join(metrics) + b"}")
    return b"{" + b",".join(parts) + b"}"
