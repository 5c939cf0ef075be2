"""BatchExecuteStatement: up to 25 PartiQL statements, all of them reads of one item each, or all of them writes.

Every statement has a response of its own, and what is wrong with one does not touch the others.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import orjson

from kvorum.model import errors, partiql, record, values
from kvorum.model.access_path import through_table
from kvorum.model.partiql import Bound
from kvorum.model.requests import Write
from kvorum.model.table import Table
from kvorum.router import capacity, service_model
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Consumption, Report
from kvorum.router.operations import statements
from kvorum.router.operations.arguments import table_in_use

REQUEST = service_model.request("BatchExecuteStatement")

_CODES = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ItemCollectionSizeLimitExceededException": "ItemCollectionSizeLimitExceeded",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
    "ResourceNotFoundException": "ResourceNotFound",
    "ServiceUnavailable": "ThrottlingError",  # nothing happened, try again: of the codes that there are
    "ThrottlingException": "ThrottlingError",
    "TransactionConflictException": "TransactionConflict",
    "ValidationException": "ValidationError",
}
"""A statement's error by the exception's short name; InternalServerError for any other."""


@dataclass(frozen=True, slots=True)
class _Read:
    table: Table
    bound: Bound
    select: partiql.Select
    key: bytes
    strong: bool


@dataclass(frozen=True, slots=True)
class _Write:
    table: Table
    bound: Bound
    write: Write

    @property
    def key(self) -> bytes:
        return self.write.key


@dataclass(frozen=True, slots=True)
class _Response:
    """`json`: as the answer has it. `consumption`: of `table`; nothing when the statement failed."""

    json: bytes
    table: str = ""
    consumption: Consumption = field(default_factory=Consumption)


async def run(body: Body, cluster: Cluster) -> bytes:
    body = REQUEST.read(body)
    asked: list[Body] = body["Statements"]
    bound = [_attempt_read(each) for each in asked]
    _check_one_kind(bound)
    report = capacity.report(body.get("ReturnConsumedCapacity"))
    calls = [_prepare(each, statement, cluster, report) for each, statement in zip(asked, bound, strict=True)]
    _check_distinct(calls)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_respond(call, cluster)) for call in calls]
    responses = [task.result() for task in tasks]
    parts = [b'"Responses":[' + b",".join(response.json for response in responses) + b"]"]
    if report is not Report.NONE:
        parts.append(b'"ConsumedCapacity":[' + _consumed(responses, report) + b"]")
    return b"{" + b",".join(parts) + b"}"


def _attempt_read(asked: Body) -> Bound | errors.ApiError:
    try:
        return statements.read(asked)
    except errors.ApiError as error:
        if error.code != "ValidationException":
            raise
        return error


def _check_one_kind(bound: list[Bound | errors.ApiError]) -> None:
    kinds = {isinstance(each.body, partiql.Select) for each in bound if isinstance(each, Bound)}
    if len(kinds) > 1:
        raise errors.validation(
            "BatchExecuteStatement API does not support both read and write operations in the same request."
        )


def _prepare(
    asked: Body, bound: Bound | errors.ApiError, cluster: Cluster, report: Report
) -> _Read | _Write | errors.ApiError:
    if isinstance(bound, errors.ApiError):
        return bound
    try:
        table = table_in_use(bound.source.table, cluster.directory, REQUEST.operation)
        if isinstance(bound.body, partiql.Select):
            key = _selected_key(bound, bound.body, table)
            return _Read(table, bound, bound.body, key, asked.get("ConsistentRead", False))
        return _Write(table, bound, statements.write_of(bound, table, asked, report))
    except errors.ApiError as error:
        return error


def _selected_key(bound: Bound, select: partiql.Select, table: Table) -> bytes:
    for index in table.indexes:
        if index.name == bound.source.index:
            statements.refuse_several_key_attributes(index)
    partiql.refuse_calls(select)
    if bound.source.index is None:
        reading = partiql.reading(select.condition, select.order, through_table(table), bound.values)
        if reading.item is not None and reading.names_keys:
            return reading.item
    raise errors.validation(
        "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
    )


def _check_distinct(calls: list[_Read | _Write | errors.ApiError]) -> None:
    targets = [(call.table.id, call.key) for call in calls if not isinstance(call, errors.ApiError)]
    if len(set(targets)) != len(targets):
        raise errors.duplicate_keys()


async def _respond(call: _Read | _Write | errors.ApiError, cluster: Cluster) -> _Response:
    """An error names the table when the statement got as far as that."""
    if isinstance(call, errors.ApiError):
        return _Response(b"{" + _error(call) + b"}")
    name = call.table.name
    named = f'"TableName":"{name}"'.encode()
    try:
        item, consumption = await (_read(call, cluster) if isinstance(call, _Read) else _write(call, cluster))
    except errors.ApiError as error:
        return _Response(b"{" + _error(error) + b"," + named + b"}")
    json = b"{" + named + b"}" if item is None else b"{" + named + b',"Item":' + item + b"}"
    return _Response(json, name, consumption)


async def _read(call: _Read, cluster: Cluster) -> tuple[bytes | None, Consumption]:
    found = (await cluster.read(call.table, call.key, strong=call.strong)).record
    if found is None:
        return None, capacity.of_read(0, strong=call.strong)
    json = record.json_of(found)
    projection = partiql.projection_of(call.select)
    if projection is not None:
        json = values.dumps(projection(values.loads(json)))
    return json, capacity.of_read(record.size_of(found), strong=call.strong)


async def _write(call: _Write, cluster: Cluster) -> tuple[bytes | None, Consumption]:
    answer = await statements.carry_out(cluster, call.table, call.bound, call.write)
    return answer.attributes, capacity.of_write(call.table, answer)


def _error(error: errors.ApiError) -> bytes:
    members = {"Code": _CODES.get(error.code, "InternalServerError"), "Message": error.message}
    if error.extra is not None:
        members |= error.extra
    return b'"Error":' + orjson.dumps(members)


def _consumed(responses: list[_Response], report: Report) -> bytes:
    found: dict[str, Consumption] = {}
    for response in responses:
        if response.table:
            found.setdefault(response.table, Consumption()).add(response.consumption)
    return b",".join(capacity.consumed(name, consumption, report) for name, consumption in found.items())
