"""GetItem: one item by its primary key.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
"""

from __future__ import annotations

from msgspec import Struct

from kvorum.control.directory import Directory
from kvorum.control.messages import RecordAnswer
from kvorum.model import expressions, keys, record, values
from kvorum.model.key_paths import check_scalars
from kvorum.model.requests import Expressions
from kvorum.router import capacity, service_model
from kvorum.router.calls import Body, ReadCall
from kvorum.router.capacity import Report
from kvorum.router.operations.arguments import ExpressionParameters, Projection, projection, table_in_use

REQUEST = service_model.request("GetItem")
EXPRESSIONS = ExpressionParameters(("ProjectionExpression",), ("AttributesToGet",), REQUEST.layer)
_NOTHING = Expressions()


class Options(Struct, frozen=True):
    projection: Projection | None
    report: Report


def prepare(body: Body, directory: Directory) -> ReadCall:
    body = REQUEST.read(body)
    present = EXPRESSIONS.present(body)
    key, _ = values.read_item(body["Key"])
    checked = EXPRESSIONS.read(body) if present else _NOTHING
    kept = projection(body, checked.names)
    table = table_in_use(body["TableName"], directory, REQUEST.operation)
    encoded = keys.encode_key(table.keys, key)
    if "ProjectionExpression" in body:
        check_scalars(table, expressions.entered_by_projection(body["ProjectionExpression"], checked.names))
    report = capacity.report(body.get("ReturnConsumedCapacity"))
    return ReadCall(
        table,
        encoded,
        body.get("ConsistentRead", False),
        None if kept is None and report is Report.NONE else Options(kept, report),
    )


def render(call: ReadCall, answer: RecordAnswer) -> bytes:
    found = answer.record
    options: Options | None = call.options
    if options is None:
        return b"{}" if found is None else b'{"Item":' + record.json_of(found) + b"}"
    parts: list[bytes] = []
    size = 0
    if found is not None:
        json = record.json_of(found)
        size = record.size_of(found)
        if options.projection is not None:
            json = values.dumps(options.projection(values.loads(json)))
        parts.append(b'"Item":' + json)
    if options.report is not Report.NONE:
        consumption = capacity.of_read(size, strong=call.strong)
        parts.append(b'"ConsumedCapacity":' + capacity.consumed(call.table.name, consumption, options.report))
    return b"{" + b",".join(parts) + b"}"
