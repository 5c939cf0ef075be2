"""UpdateItem: change attributes of an item, or create it.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

from kvorum.control.directory import Directory
from kvorum.control.messages import WriteAnswer
from kvorum.model import errors, expressions, keys, legacy, values
from kvorum.model.index_checks import check_written_types
from kvorum.model.key_paths import check_scalars
from kvorum.model.requests import Expressions, ReturnValues, Update
from kvorum.router import service_model
from kvorum.router.calls import Body, WriteCall
from kvorum.router.operations import writing
from kvorum.router.operations.arguments import ExpressionParameters, table_in_use

REQUEST = service_model.request("UpdateItem")
EXPRESSIONS = ExpressionParameters(
    ("UpdateExpression", "ConditionExpression"), ("AttributeUpdates", *writing.OLDER_CONDITION), REQUEST.layer
)
_NOTHING = Expressions()


def prepare(body: Body, directory: Directory) -> WriteCall:
    body = REQUEST.read(body)
    try:
        present = EXPRESSIONS.present(body)
        key, _ = values.read_item(body["Key"])
        checked = EXPRESSIONS.read(body) if present else _NOTHING
    except errors.ApiError as error:
        raise REQUEST.worded(error, body) from None
    table = table_in_use(body["TableName"], directory, REQUEST.operation)
    encoded = keys.encode_key(table.keys, key)
    if checked.update is not None:
        expressions.check_key_untouched(checked.update, checked.names, table.keys)
    elif checked.legacy is not None and checked.legacy.updates is not None:
        legacy.check_key_untouched(checked.legacy.updates, table.keys)
    if table.indexes:
        check_written_types(table, checked)
    if checked.update is not None:
        check_scalars(table, expressions.entered_by_update(checked.update, checked.names))
        if expressions.writes_too_much(checked.update, checked.names, checked.values):
            raise errors.item_to_update_too_large()
    options = writing.options(body, table)
    update = Update(
        encoded,
        key,
        checked,
        ReturnValues[body.get("ReturnValues", "NONE")],
        writing.wants_old_on_failure(body),
        options.measure,
    )
    return WriteCall(table, update, options)


def render(call: WriteCall, answer: WriteAnswer) -> bytes:
    return writing.render(call, answer)
