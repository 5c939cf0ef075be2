"""What INSERT, UPDATE and DELETE ask a partition to do: the requests of PutItem, UpdateItem and DeleteItem, with
conditions that make the difference. INSERT needs the item's absence, UPDATE its presence; DELETE of an item that is
not there asks for nothing else."""

from __future__ import annotations

from kvorum.model import expressions, keys, values
from kvorum.model.errors import item_too_large, validation
from kvorum.model.expressions.nodes import And, Call, Or, Path
from kvorum.model.index_checks import check_item, check_written_types
from kvorum.model.key_paths import check_scalars
from kvorum.model.limits import ITEM_BYTES_MAX
from kvorum.model.partiql.binding import Bound
from kvorum.model.partiql.faults import not_well_formed
from kvorum.model.partiql.keys import written_key
from kvorum.model.partiql.nodes import Delete, Insert, Select, Update
from kvorum.model.partiql.texts import texts_of
from kvorum.model.requests import Delete as DeleteRequest
from kvorum.model.requests import Item, Put, Write
from kvorum.model.requests import Update as UpdateRequest
from kvorum.model.table import KeySchema, Table


def write_of(bound: Bound, table: Table, *, return_old_on_failure: bool, measure: bool) -> Write:
    """`bound` is not a SELECT. `measure`: as of every write. Raises ValidationException in AWS's words."""
    if bound.source.index is not None:
        raise validation("This operation is not supported on an index")
    match bound.body:
        case Insert():
            return _put(bound, bound.body, table, measure)
        case Update():
            return _update(bound, bound.body, table, return_old_on_failure, measure)
        case Delete():
            return _delete(bound, bound.body, table.keys, return_old_on_failure, measure)
        case Select():
            raise AssertionError("a SELECT writes nothing")


def _put(bound: Bound, insert: Insert, table: Table, measure: bool) -> Put:
    schema = table.keys
    item, size = values.read_item(_item(bound, insert))
    if size > ITEM_BYTES_MAX:
        raise item_too_large()
    key = keys.encode_item_key(schema, item)
    check_item(table, item, size)
    texts = texts_of({}, condition=_is_absent(schema))
    return Put(key, values.dumps(item), size, texts.expressions(), measure=measure)


def _item(bound: Bound, insert: Insert) -> Item:
    if not isinstance(insert.item, str):
        return {name: bound.values[placeholder] for name, placeholder in insert.item.items()}
    whole = bound.values[insert.item].get("M")
    if whole is None:
        raise not_well_formed("Expected a tuple")
    return dict(whole)


def _update(
    bound: Bound, update: Update, table: Table, return_old_on_failure: bool, measure: bool
) -> UpdateRequest:
    schema = table.keys
    key, others = written_key(update.condition, schema, bound.values)
    present = Call("attribute_exists", (Path((schema.hash.name,), symbolic=False),))
    condition = present if others is None else And((present, others))
    texts = texts_of(bound.values, condition=condition, update=update.changes)
    assert texts.update is not None
    encoded = keys.encode_key(schema, key)
    expressions.check_key_untouched(texts.update, texts.names, schema)
    given = texts.expressions()
    check_written_types(table, given)
    check_scalars(table, expressions.entered_by_update(texts.update, texts.names))
    return UpdateRequest(encoded, key, given, update.returns, return_old_on_failure, measure)


def _delete(
    bound: Bound, delete: Delete, schema: KeySchema, return_old_on_failure: bool, measure: bool
) -> DeleteRequest:
    key, others = written_key(delete.condition, schema, bound.values)
    given = None
    if others is not None:
        given = texts_of(bound.values, condition=Or((_is_absent(schema), others))).expressions()
    return DeleteRequest(keys.encode_key(schema, key), given, delete.returns, return_old_on_failure, measure)


def _is_absent(schema: KeySchema) -> Call:
    return Call("attribute_not_exists", (Path((schema.hash.name,), symbolic=False),))
