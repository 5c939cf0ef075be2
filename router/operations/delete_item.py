"""DeleteItem: remove an item by its primary key; nothing happens when there is none.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
"""

from __future__ import annotations

from kvorum.control.directory import Directory
from kvorum.control.messages import WriteAnswer
from kvorum.model import errors, keys, values
from kvorum.model.requests import Delete
from kvorum.router import service_model
from kvorum.router.calls import Body, WriteCall
from kvorum.router.operations import writing
from kvorum.router.operations.arguments import ExpressionParameters, table_in_use

REQUEST = service_model.request("DeleteItem")
EXPRESSIONS = ExpressionParameters(("ConditionExpression",), writing.OLDER_CONDITION, REQUEST.layer)


def prepare(body: Body, directory: Directory) -> WriteCall:
    body = REQUEST.read(body)
    try:
        present = EXPRESSIONS.present(body)
        key, _ = values.read_item(body["Key"])
        returns = writing.all_old_or_none(body)
        expressions = EXPRESSIONS.read(body) if present else None
    except errors.ApiError as error:
        raise REQUEST.worded(error, body) from None
    table = table_in_use(body["TableName"], directory, REQUEST.operation)
    encoded = keys.encode_key(table.keys, key)
    options = writing.options(body, table)
    delete = Delete(encoded, expressions, returns, writing.wants_old_on_failure(body), options.measure)
    return WriteCall(table, delete, options)


def render(call: WriteCall, answer: WriteAnswer) -> bytes:
    return writing.render(call, answer)
