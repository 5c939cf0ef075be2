"""What ExecuteStatement and BatchExecuteStatement have in common: a statement with its parameters, and writing."""

from __future__ import annotations

from kvorum.control.messages import WriteAnswer
from kvorum.model import errors, partiql, values
from kvorum.model.faults import in_older_words
from kvorum.model.partiql import Bound
from kvorum.model.requests import Write
from kvorum.model.table import Index, Table
from kvorum.router.calls import Body, Cluster
from kvorum.router.capacity import Report
from kvorum.router.operations import writing


def read(asked: Body) -> Bound:
    """`asked`: a request, or one of a batch, whose shape is right. Raises ValidationException; for a parameter
    before anyone looks at the statement."""
    try:
        parameters = [values.read_value(parameter) for parameter in asked.get("Parameters", ())]
    except errors.ApiError as error:
        raise in_older_words(error) from None
    return partiql.bind(asked["Statement"], parameters)


def write_of(bound: Bound, table: Table, asked: Body, report: Report) -> Write:
    """What a statement that is not a SELECT writes. Raises ValidationException."""
    return partiql.write_of(
        bound,
        table,
        return_old_on_failure=writing.wants_old_on_failure(asked),
        measure=report is not Report.NONE and bool(table.indexes),
    )


def refuse_several_key_attributes(index: Index) -> None:
    """Raises ValidationException: PartiQL reads no index with a key of several partition- or sort-key attributes."""
    if len(index.keys.hash) > 1 or len(index.keys.range) > 1:
        raise errors.validation(
            "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or "
            "multi-attribute RANGE keys."
        )


async def carry_out(cluster: Cluster, table: Table, bound: Bound, write: Write) -> WriteAnswer:
    """Raises ApiError in PartiQL's words: an INSERT's only condition is that there is no such item."""
    try:
        return await cluster.write(table, write)
    except errors.ApiError as error:
        if isinstance(bound.body, partiql.Insert) and error.code == "ConditionalCheckFailedException":
            raise errors.duplicate_item() from None
        raise
