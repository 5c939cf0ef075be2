"""What PutItem, UpdateItem and DeleteItem have in common: their shared parameters, and their answer."""

from __future__ import annotations

from kvorum.control.messages import WriteAnswer
from kvorum.model import errors
from kvorum.model.requests import ReturnValues
from kvorum.router import capacity
from kvorum.router.calls import Body, WriteCall
from kvorum.router.capacity import Report

OLDER_CONDITION = ("Expected", "ConditionalOperator")


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


def report(body: Body) -> Report | None:
    """A write's `options`: how to report capacity, None for not at all."""
    asked = capacity.report(body.get("ReturnConsumedCapacity"))
    return None if asked is Report.NONE else asked


def render(call: WriteCall, answer: WriteAnswer) -> bytes:
    """ItemCollectionMetrics is never there: only tables with local secondary indexes have it."""
    attributes = answer.attributes
    if call.options is None:
        return b"{}" if attributes is None else b'{"Attributes":' + attributes + b"}"
    units = capacity.write_units(answer.size_old, answer.size_new)
    consumed = b'"ConsumedCapacity":' + capacity.consumed(call.table.name, units, call.options) + b"}"
    return b"{" + consumed if attributes is None else b'{"Attributes":' + attributes + b"," + consumed
