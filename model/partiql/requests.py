"""What INSERT, UPDATE and DELETE ask a partition to do: the requests of PutItem, UpdateItem and DeleteItem, with
conditions that make the difference. INSERT needs the item's absence, UPDATE its presence; DELETE of an item that is
not there asks for nothing else."""

from __future__ import annotations

from kvorum.model import expressions, keys, values
from kvorum.model.errors import validation
from kvorum.model.expressions.nodes import And, Call, Or, Path
from kvorum.model.limits import ITEM_BYTES_MAX
from kvorum.model.partiql.binding import Bound
from kvorum.model.partiql.faults import not_well_formed
from kvorum.model.partiql.keys import written_key
from kvorum.model.partiql.nodes import Delete, Insert, Select, Update
from kvorum.model.partiql.texts import texts_of
from kvorum.model.requests import Delete as DeleteRequest
from kvorum.model.requests import Item, Put, Write
from kvorum.model.requests import Update as UpdateRequest
from kvorum.model.table import KeySchema


def write_of(bound: Bound, schema: KeySchema, *, return_old_on_failure: bool) -> Write:
    """`bound` is not a SELECT. Raises ValidationException in AWS's words."""
    if bound.source.index is not None:
        raise validation("An index can only be read")
    match bound.body:
        case Insert():
            return _put(bound, bound.body, schema)
        case Update():
            return _update(bound, bound.body, schema, return_old_on_failure)
        case Delete():
            return _delete(bound, bound.body, schema, return_old_on_failure)
        case Select():
            raise AssertionError("a SELECT writes nothing")


def _put(bound: Bound, insert: Insert, schema: KeySchema) -> Put:
    item, size = values.read_item(_item(bound, insert))
    if size > ITEM_BYTES_MAX:
        raise validation("Item size has exceeded the maximum allowed size")
    key = keys.encode_item_key(schema, item)
    texts = texts_of({}, condition=_is_absent(schema))
    return Put(key, values.dumps(item), size, texts.expressions())


def _item(bound: Bound, insert: Insert) -> Item:
    if not isinstance(insert.item, str):
        return {name: bound.values[placeholder] for name, placeholder in insert.item.items()}
    whole = bound.values[insert.item].get("M")
    if whole is None:
        raise not_well_formed("Expected a tuple")
    return dict(whole)


def _update(bound: Bound, update: Update, schema: KeySchema, return_old_on_failure: bool) -> UpdateRequest:
    key, others = written_key(update.condition, schema, bound.values)
    present = Call("attribute_exists", (Path((schema.hash.name,), symbolic=False),))
    condition = present if others is None else And((present, others))
    texts = texts_of(bound.values, condition=condition, update=update.changes)
    assert texts.update is not None
    encoded = keys.encode_key(schema, key)
    expressions.check_key_untouched(texts.update, texts.names, schema)
    return UpdateRequest(encoded, key, texts.expressions(), update.returns, return_old_on_failure)


def _delete(bound: Bound, delete: Delete, schema: KeySchema, return_old_on_failure: bool) -> DeleteRequest:
    key, others = written_key(delete.condition, schema, bound.values)
    given = None
    if others is not None:
        given = texts_of(bound.values, condition=Or((_is_absent(schema), others))).expressions()
    return DeleteRequest(keys.encode_key(schema, key), given, delete.returns, return_old_on_failure)


def _is_absent(schema: KeySchema) -> Call:
    return Call("attribute_not_exists", (Path((schema.hash.name,), symbolic=False),))
