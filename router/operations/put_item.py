"""PutItem: create an item, or replace it whole.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
"""

from __future__ import annotations

from kvorum.control.directory import Directory
from kvorum.control.messages import WriteAnswer
from kvorum.model import errors, keys, values
from kvorum.model.index_checks import check_item
from kvorum.model.limits import ITEM_BYTES_MAX
from kvorum.model.requests import Put
from kvorum.router import service_model
from kvorum.router.calls import Body, WriteCall
from kvorum.router.operations import writing
from kvorum.router.operations.arguments import ExpressionParameters, table_in_use

REQUEST = service_model.request("PutItem")
EXPRESSIONS = ExpressionParameters(("ConditionExpression",), writing.OLDER_CONDITION, REQUEST.layer)


def prepare(body: Body, directory: Directory) -> WriteCall:
    body = REQUEST.read(body)
    try:
        present = EXPRESSIONS.present(body)
        item, size = values.read_item(body["Item"])
        returns = writing.all_old_or_none(body)
        # AWS looks at the size first.
        expressions = EXPRESSIONS.read(body) if present and size <= ITEM_BYTES_MAX else None
    except errors.ApiError as error:
        raise REQUEST.worded(error, body) from None
    if size > ITEM_BYTES_MAX:
        raise errors.item_too_large()
    table = table_in_use(body["TableName"], directory, REQUEST.operation)
    key = keys.encode_item_key(table.keys, item)
    if table.indexes:
        check_item(table, item, size)
    options = writing.options(body, table)
    put = Put(
        key,
        values.dumps(item),
        size,
        expressions,
        returns,
        writing.wants_old_on_failure(body),
        options.measure,
    )
    return WriteCall(table, put, options)


def render(call: WriteCall, answer: WriteAnswer) -> bytes:
    return writing.render(call, answer)
