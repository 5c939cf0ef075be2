"""Batches of any size: cut to what one request may hold, and asked again for what was left undone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from kvorum.client.errors import DefiniteError, Item, Throttled, Unprocessed
from kvorum.client.operations import Names, Operation, batch_get, batch_write
from kvorum.client.retries import Failure, Retries
from kvorum.client.values import Attributes, fill_item, read_item
from kvorum.model.limits import BATCH_GET_KEYS_MAX, BATCH_WRITE_REQUESTS_MAX
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb

T = TypeVar("T")


class Caller(Protocol):
    """The client, as far as a batch needs it; one for one batch, whose deadline it knows."""

    def remaining_seconds(self) -> float: ...

    async def run(self, operation: Operation[T]) -> T: ...

    async def sleep(self, seconds: float) -> None: ...

    def new_retries(self) -> Retries: ...


async def get_all(
    caller: Caller,
    table: str,
    keys: Iterable[Attributes],
    *,
    consistent: bool,
    projection: str | None,
    names: Names | None,
) -> list[Item]:
    """The items found, in no order. Raises Throttled when the deadline leaves keys unread."""
    waiting = deque(_item(key) for key in keys)
    found: list[Item] = []
    retries = caller.new_retries()
    while waiting:
        request = pb.BatchGetItemRequest()
        entry = request.request_items[table]
        entry.keys.extend(_take(waiting, BATCH_GET_KEYS_MAX))
        entry.consistent_read = consistent
        if projection is not None:
            entry.projection_expression = projection
        if names is not None:
            entry.expression_attribute_names.update(names)
        response = await caller.run(batch_get(request, caller.remaining_seconds()))
        found.extend(read_item(item) for item in response.responses[table].items)
        undone = response.unprocessed_keys[table].keys
        if undone:
            waiting.extend(undone)
            await _pause(caller, retries)
    return found


async def write_all(
    caller: Caller, table: str, puts: Iterable[Attributes], deletes: Iterable[Attributes]
) -> None:
    """Raises Unprocessed when a definite error stops it after something was written. After an IndefiniteError
    any part may be written."""
    waiting = deque(pb.WriteRequest(table_name=table, put_item=_item(item)) for item in puts)
    waiting.extend(pb.WriteRequest(table_name=table, delete_key=_item(key)) for key in deletes)
    total = len(waiting)
    retries = caller.new_retries()
    while waiting:
        asked = _take(waiting, BATCH_WRITE_REQUESTS_MAX)
        request = pb.BatchWriteItemRequest(request_items=asked)
        undone: Sequence[pb.WriteRequest] = asked
        try:
            response = await caller.run(batch_write(request, caller.remaining_seconds()))
            undone = response.unprocessed_items
            if undone:
                await _pause(caller, retries)
        except DefiniteError as error:
            waiting.extend(undone)
            if len(waiting) == total:
                raise
            raise _unprocessed(error, waiting) from error
        waiting.extend(undone)


async def _pause(caller: Caller, retries: Retries) -> None:
    throttled = Throttled("ThrottlingException", "the table took only part of the batch within the time")
    seconds = retries.wait_seconds(Failure(throttled, elsewhere=False), caller.remaining_seconds())
    if seconds is None:
        raise throttled
    await caller.sleep(seconds)


def _take(waiting: deque[T], most: int) -> list[T]:
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]


def _item(attributes: Attributes) -> pb.Item:
    item = pb.Item()
    fill_item(item, attributes)
    return item


def _unprocessed(error: DefiniteError, writes: Iterable[pb.WriteRequest]) -> Unprocessed:
    puts: list[Item] = []
    deletes: list[Item] = []
    for write in writes:
        if write.HasField("put_item"):
            puts.append(read_item(write.put_item))
        else:
            deletes.append(read_item(write.delete_key))
    return Unprocessed(error.code, error.message, puts, deletes)
