"""The operations as values: what to send, how to read the answer, whether it writes. Nothing is sent here.

The functions are the SDK's public methods; AsyncClient, Client and Session carry them out, each in its own
way, with these signatures and docstrings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from google.protobuf.message import Message

from kvorum.client.errors import Item
from kvorum.client.tables import (
    Index,
    KeyTypes,
    TableDescription,
    create_table_request,
    read_description,
)
from kvorum.client.values import Attributes, Value, fill_item, fill_value, read_item
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb

T = TypeVar("T")

Names = Mapping[str, str]
Values = Mapping[str, Value]

_RETURN_VALUES = "RETURN_VALUES_"


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """`name`: the RPC. `read`: from its response to the result. `timeout_seconds` None: the client's own."""

    name: str
    request: Message
    read: Callable[[Any], T]
    writes: bool
    timeout_seconds: float | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query or a scan. `last_key`: where the next one starts after, None on the last.
    `scanned_count`: items read before the filter."""

    items: list[Item]
    last_key: Item | None
    scanned_count: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A query or a scan over all its pages. `starts`: the first page of each segment."""

    starts: tuple[Operation[Page], ...]


# ---- items --------------------------------------------------------------------------------------------------


def put_item(
    table: str,
    item: Attributes,
    *,
    condition: str | None = None,
    names: Names | None = None,
    values: Values | None = None,
    return_values: Literal["NONE", "ALL_OLD"] = "NONE",
    return_item_on_failure: bool = False,
    timeout_seconds: float | None = None,
) -> Operation[Item | None]:
    """Write a whole item. Returns the item that it replaced with ALL_OLD, if there was one, else None.

    `condition`, `names`, `values`: a condition expression and its placeholders. Raises ConditionalCheckFailed,
    with the item as it stood if `return_item_on_failure`.
    """
    request = pb.PutItemRequest(table_name=table, return_values=_RETURN_VALUES + return_values)
    fill_item(request.item, item)
    _fill_condition(request, condition, names, values, return_item_on_failure)
    return Operation("PutItem", request, _read_attributes, True, timeout_seconds)


def get_item(
    table: str,
    key: Attributes,
    *,
    consistent: bool = False,
    projection: str | None = None,
    names: Names | None = None,
    timeout_seconds: float | None = None,
) -> Operation[Item | None]:
    """Read one item, or None. `consistent`: see every write that was acknowledged before. `projection`: the
    attributes wanted, as a projection expression."""
    request = pb.GetItemRequest(
        table_name=table,
        consistent_read=consistent,
        projection_expression=projection,
        expression_attribute_names=names,
    )
    fill_item(request.key, key)
    return Operation("GetItem", request, _read_found, False, timeout_seconds)


def update_item(
    table: str,
    key: Attributes,
    update: str | None = None,
    *,
    condition: str | None = None,
    names: Names | None = None,
    values: Values | None = None,
    return_values: Literal["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"] = "NONE",
    return_item_on_failure: bool = False,
    timeout_seconds: float | None = None,
) -> Operation[Item | None]:
    """Change an item, or create it, by an update expression. Returns the attributes that `return_values` asks
    for, if any. The condition is as in put_item."""
    request = pb.UpdateItemRequest(
        table_name=table, update_expression=update, return_values=_RETURN_VALUES + return_values
    )
    fill_item(request.key, key)
    _fill_condition(request, condition, names, values, return_item_on_failure)
    return Operation("UpdateItem", request, _read_attributes, True, timeout_seconds)


def delete_item(
    table: str,
    key: Attributes,
    *,
    condition: str | None = None,
    names: Names | None = None,
    values: Values | None = None,
    return_values: Literal["NONE", "ALL_OLD"] = "NONE",
    return_item_on_failure: bool = False,
    timeout_seconds: float | None = None,
) -> Operation[Item | None]:
    """Delete an item, present or not. Returns it with ALL_OLD, if there was one, else None. The condition is as
    in put_item."""
    request = pb.DeleteItemRequest(table_name=table, return_values=_RETURN_VALUES + return_values)
    fill_item(request.key, key)
    _fill_condition(request, condition, names, values, return_item_on_failure)
    return Operation("DeleteItem", request, _read_attributes, True, timeout_seconds)


# ---- queries and scans --------------------------------------------------------------------------------------


def query_page(
    table: str,
    key_condition: str,
    *,
    values: Values | None = None,
    names: Names | None = None,
    index: str | None = None,
    filter: str | None = None,  # noqa: A002  DynamoDB's word
    projection: str | None = None,
    forward: bool = True,
    consistent: bool = False,
    limit: int | None = None,
    start_key: Item | None = None,
    timeout_seconds: float | None = None,
) -> Operation[Page]:
    """One page of items with one partition key, by sort key. `limit`: items read for it, before `filter`.
    `start_key`: the `last_key` of the page before. Without `limit` a page ends at 1 MB."""
    request = pb.QueryRequest(
        table_name=table,
        key_condition_expression=key_condition,
        expression_attribute_names=names,
        index_name=index,
        filter_expression=filter,
        projection_expression=projection,
        scan_index_forward=forward,
        consistent_read=consistent,
        limit=limit,
    )
    _fill_page(request, values, start_key)
    return Operation("Query", request, _read_page, False, timeout_seconds)


def query(
    table: str,
    key_condition: str,
    *,
    values: Values | None = None,
    names: Names | None = None,
    index: str | None = None,
    filter: str | None = None,  # noqa: A002  DynamoDB's word
    projection: str | None = None,
    forward: bool = True,
    consistent: bool = False,
    page_size: int | None = None,
    start_key: Item | None = None,
    timeout_seconds: float | None = None,
) -> Listing:
    """All items with one partition key, by sort key, fetched page by page as they are taken. The timeout is
    each page's. `page_size`: query_page's `limit`."""
    first = query_page(
        table,
        key_condition,
        values=values,
        names=names,
        index=index,
        filter=filter,
        projection=projection,
        forward=forward,
        consistent=consistent,
        limit=page_size,
        start_key=start_key,
        timeout_seconds=timeout_seconds,
    )
    return Listing((first,))


def scan_page(
    table: str,
    *,
    values: Values | None = None,
    names: Names | None = None,
    index: str | None = None,
    filter: str | None = None,  # noqa: A002  DynamoDB's word
    projection: str | None = None,
    consistent: bool = False,
    segment: tuple[int, int] | None = None,
    limit: int | None = None,
    start_key: Item | None = None,
    timeout_seconds: float | None = None,
) -> Operation[Page]:
    """One page of a table or an index. `segment`: (which, of how many), from 0. Otherwise as query_page."""
    which, segments = segment if segment is not None else (None, None)
    request = pb.ScanRequest(
        table_name=table,
        expression_attribute_names=names,
        index_name=index,
        filter_expression=filter,
        projection_expression=projection,
        consistent_read=consistent,
        limit=limit,
        segment=which,
        total_segments=segments,
    )
    _fill_page(request, values, start_key)
    return Operation("Scan", request, _read_page, False, timeout_seconds)


def scan(
    table: str,
    *,
    values: Values | None = None,
    names: Names | None = None,
    index: str | None = None,
    filter: str | None = None,  # noqa: A002  DynamoDB's word
    projection: str | None = None,
    consistent: bool = False,
    segments: int = 1,
    page_size: int | None = None,
    timeout_seconds: float | None = None,
) -> Listing:
    """All items of a table or an index, in no order. `segments`: read that many parts of it at the same time,
    at most one page of each waiting to be taken. The timeout is each page's."""
    return Listing(
        tuple(
            scan_page(
                table,
                values=values,
                names=names,
                index=index,
                filter=filter,
                projection=projection,
                consistent=consistent,
                segment=None if segments == 1 else (segment, segments),
                limit=page_size,
                timeout_seconds=timeout_seconds,
            )
            for segment in range(segments)
        )
    )


def next_page(previous: Operation[Page], last_key: Item) -> Operation[Page]:
    """The page after the one that ended at `last_key`."""
    request = type(previous.request)()
    request.CopyFrom(previous.request)
    assert isinstance(request, pb.QueryRequest | pb.ScanRequest)
    request.ClearField("exclusive_start_key")
    fill_item(request.exclusive_start_key, last_key)
    return Operation(previous.name, request, previous.read, previous.writes, previous.timeout_seconds)


# ---- tables -------------------------------------------------------------------------------------------------


def create_table(
    table: str,
    key: KeyTypes,
    *,
    indexes: Mapping[str, Index] | None = None,
    capacity: tuple[int, int] | None = None,
    stream: Literal["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"] | None = None,
    timeout_seconds: float | None = None,
) -> Operation[TableDescription]:
    """Create a table, as in create_table("orders", {"customer": "S", "number": "N"}). `indexes`: by name.
    `capacity`: (read units, write units) for the table and each global index; without it, on demand. Raises
    TableInUse if it exists."""
    request = create_table_request(table, key, indexes or {}, capacity, stream)
    return Operation("CreateTable", request, _read_created, True, timeout_seconds)


def describe_table(table: str, *, timeout_seconds: float | None = None) -> Operation[TableDescription]:
    """Raises TableNotFound."""
    request = pb.DescribeTableRequest(table_name=table)
    return Operation("DescribeTable", request, _read_described, False, timeout_seconds)


def delete_table(table: str, *, timeout_seconds: float | None = None) -> Operation[TableDescription]:
    """Delete a table and all its items. Raises TableNotFound, and TableInUse while it is being changed."""
    request = pb.DeleteTableRequest(table_name=table)
    return Operation("DeleteTable", request, _read_created, True, timeout_seconds)


# ---- batches: one request of each kind; client/batches makes whole batches of them --------------------------


def batch_get(request: pb.BatchGetItemRequest, timeout_seconds: float) -> Operation[pb.BatchGetItemResponse]:
    return Operation("BatchGetItem", request, _as_it_is, False, timeout_seconds)


def batch_write(
    request: pb.BatchWriteItemRequest, timeout_seconds: float
) -> Operation[pb.BatchWriteItemResponse]:
    return Operation("BatchWriteItem", request, _as_it_is, True, timeout_seconds)


def list_tables_page(start: str | None, timeout_seconds: float) -> Operation[pb.ListTablesResponse]:
    request = pb.ListTablesRequest(exclusive_start_table_name=start)
    return Operation("ListTables", request, _as_it_is, False, timeout_seconds)


# ---- parts of requests and responses ------------------------------------------------------------------------


def _fill_condition(
    request: pb.PutItemRequest | pb.UpdateItemRequest | pb.DeleteItemRequest,
    condition: str | None,
    names: Names | None,
    values: Values | None,
    return_item_on_failure: bool,
) -> None:
    if condition is not None:
        request.condition_expression = condition
    if names is not None:
        request.expression_attribute_names.update(names)
    if values is not None:
        for name, value in values.items():
            fill_value(request.expression_attribute_values[name], value)
    if return_item_on_failure:
        request.return_values_on_condition_check_failure = pb.ON_CONDITION_CHECK_FAILURE_ALL_OLD


def _fill_page(
    request: pb.QueryRequest | pb.ScanRequest, values: Values | None, start_key: Item | None
) -> None:
    if values is not None:
        for name, value in values.items():
            fill_value(request.expression_attribute_values[name], value)
    if start_key is not None:
        fill_item(request.exclusive_start_key, start_key)


def _read_attributes(
    response: pb.PutItemResponse | pb.UpdateItemResponse | pb.DeleteItemResponse,
) -> Item | None:
    return read_item(response.attributes) if response.HasField("attributes") else None


def _read_found(response: pb.GetItemResponse) -> Item | None:
    return read_item(response.item) if response.HasField("item") else None


def _read_page(response: pb.QueryResponse | pb.ScanResponse) -> Page:
    return Page(
        items=[read_item(item) for item in response.items],
        last_key=read_item(response.last_evaluated_key) if response.HasField("last_evaluated_key") else None,
        scanned_count=response.scanned_count,
    )


def _read_created(response: pb.CreateTableResponse | pb.DeleteTableResponse) -> TableDescription:
    return read_description(response.table_description)


def _read_described(response: pb.DescribeTableResponse) -> TableDescription:
    return read_description(response.table)


def _as_it_is(response: T) -> T:
    return response
