"""Every operation that is served, by its name in X-Amz-Target."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from kvorum.control.directory import Directory
from kvorum.control.messages import RecordAnswer, WriteAnswer
from kvorum.router.calls import Body, Cluster, ReadCall, WriteCall
from kvorum.router.operations import (
    batch_execute_statement,
    batch_get_item,
    batch_write_item,
    create_table,
    delete_item,
    delete_table,
    describe_continuous_backups,
    describe_contributor_insights,
    describe_endpoints,
    describe_kinesis_streaming_destination,
    describe_limits,
    describe_table,
    describe_time_to_live,
    execute_statement,
    get_item,
    get_resource_policy,
    list_tables,
    list_tags_of_resource,
    put_item,
    query,
    scan,
    tag_resource,
    untag_resource,
    update_item,
    update_table,
)


class ReadOperation(Protocol):
    """A module for one key's read. Both functions are pure; `prepare` raises ApiError."""

    def prepare(self, body: Body, directory: Directory) -> ReadCall: ...

    def render(self, call: ReadCall, answer: RecordAnswer) -> bytes: ...


class WriteOperation(Protocol):
    """A module for one key's write. Both functions are pure; `prepare` raises ApiError."""

    def prepare(self, body: Body, directory: Directory) -> WriteCall: ...

    def render(self, call: WriteCall, answer: WriteAnswer) -> bytes: ...


CompoundOperation = Callable[[Body, Cluster], Coroutine[Any, Any, bytes]]

READS: dict[str, ReadOperation] = {"GetItem": get_item}
WRITES: dict[str, WriteOperation] = {
    "PutItem": put_item,
    "UpdateItem": update_item,
    "DeleteItem": delete_item,
}
COMPOUND: dict[str, CompoundOperation] = {
    "BatchExecuteStatement": batch_execute_statement.run,
    "BatchGetItem": batch_get_item.run,
    "BatchWriteItem": batch_write_item.run,
    "CreateTable": create_table.run,
    "DeleteTable": delete_table.run,
    "DescribeContinuousBackups": describe_continuous_backups.run,
    "DescribeContributorInsights": describe_contributor_insights.run,
    "DescribeEndpoints": describe_endpoints.run,
    "DescribeKinesisStreamingDestination": describe_kinesis_streaming_destination.run,
    "DescribeLimits": describe_limits.run,
    "DescribeTable": describe_table.run,
    "DescribeTimeToLive": describe_time_to_live.run,
    "ExecuteStatement": execute_statement.run,
    "GetResourcePolicy": get_resource_policy.run,
    "ListTables": list_tables.run,
    "ListTagsOfResource": list_tags_of_resource.run,
    "Query": query.run,
    "Scan": scan.run,
    "TagResource": tag_resource.run,
    "UntagResource": untag_resource.run,
    "UpdateTable": update_table.run,
}
