"""What PutItem, UpdateItem and DeleteItem have in common: their shared parameters, and their answer."""

from __future__ import annotations

from msgspec import Struct

from kvorum.control.messages import WriteAnswer
from kvorum.model import errors, keys, values
from kvorum.model.requests import ReturnValues
from kvorum.model.table import Table
from kvorum.router import capacity
from kvorum.router.calls import Body, WriteCall
from kvorum.router.capacity import Report

OLDER_CONDITION = ("Expected", "ConditionalOperator")
GIGABYTE = 2**30


def all_old_or_none(body: Body) -> ReturnValues:
    """ReturnValues of an operation that knows no new item. Raises ValidationException."""
    asked: str | None = body.get("ReturnValues")
    if asked is None or asked == "NONE":
        return ReturnValues.NONE
    if asked != "ALL_OLD":
        raise errors.validation("ReturnValues can only be ALL_OLD or NONE")
    return ReturnValues.ALL_OLD


def wants_old_on_failure(body: Body) -> bool:
    return body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"


class Options(Struct, frozen=True):
    """What a write's answer has to tell besides attributes. `collection`: how large the item's collection is.
    `measure`: whether the partition has to measure something for that (model/requests)."""

    report: Report
    collection: bool
    measure: bool


_NOTHING = Options(Report.NONE, collection=False, measure=False)


def options(body: Body, table: Table) -> Options:
    """Of the request as a whole: a BatchWriteItem may write to several tables."""
    report = capacity.report(body.get("ReturnConsumedCapacity"))
    collection = body.get("ReturnItemCollectionMetrics") == "SIZE" and has_collections(table)
    if report is Report.NONE and not collection:
        return _NOTHING
    return Options(report, collection, measure=collection or bool(table.indexes))


def has_collections(table: Table) -> bool:
    """Only a table with local indexes has item collections of a size that matters."""
    return any(index.local for index in table.indexes)


def collection_metrics(table: Table, key: bytes, answer: WriteAnswer) -> bytes:
    """One ItemCollectionMetrics as JSON. `key`: the written item's; `answer`: measured."""
    hash_name = table.keys.hash.name
    attribute = values.dumps({hash_name: keys.decode_key(table.keys, key)[hash_name]})
    least = float((answer.collection_bytes or 0) // GIGABYTE)
    return b'{"ItemCollectionKey":%b,"SizeEstimateRangeGB":[%r,%r]}' % (attribute, least, least + 1.0)


def render(call: WriteCall, answer: WriteAnswer) -> bytes:
    asked: Options = call.options
    attributes = answer.attributes
    if asked is _NOTHING:
        return b"{}" if attributes is None else b'{"Attributes":' + attributes + b"}"
    parts = [] if attributes is None else [b'"Attributes":' + attributes]
    if asked.report is not Report.NONE:
        consumption = capacity.of_write(call.table, answer)
        parts.append(b'"ConsumedCapacity":' + capacity.consumed(call.table.name, consumption, asked.report))
    if asked.collection:
        metrics = collection_metrics(call.table, call.write.key, answer)
        parts.append(b'"ItemCollectionMetrics":' + metrics)
    return b"{" + b",".join(parts) + b"}"
