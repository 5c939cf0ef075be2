"""DynamoDB through boto3, as the API tests use it: clients that check every answer, tables, refusals."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.kit.endpoints import Endpoint
from tests.kit.wire_client import check_reply

Client = Any
"""boto3 makes its clients at run time."""

Item = dict[str, Any]


def new_client(endpoint: Endpoint) -> Client:
    """A client that tries once (where nodes die: as often as boto3 does by itself), leaves all judgement of requests
    to the server, and verifies every answer. AWS is asked with the caller's own credentials."""
    session = boto3.Session(region_name=endpoint.region)
    credentials: dict[str, str] = {}
    if not endpoint.is_aws:
        credentials = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
    client = session.client(
        "dynamodb",
        endpoint_url=endpoint.url,
        config=Config(
            retries=None if endpoint.disturbed else {"total_max_attempts": 1},
            parameter_validation=False,
            max_pool_connections=32,
            read_timeout=30,
        ),
        **credentials,
    )
    client.meta.events.register("before-parse.dynamodb", _check_answer)
    return client


def _check_answer(response_dict: dict[str, Any], **_: Any) -> None:
    headers = {name.lower(): value for name, value in response_dict["headers"].items()}
    check_reply(headers, response_dict["body"])


class Tables:
    """Names of tables, made when they are first asked for: `tables("S", "N")` has a partition key `pk` of type
    S and a sort key `sk` of type N, `tables("S")` no sort key."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._prefix = f"kvorum-test-{uuid.uuid4().hex[:12]}"
        self._made: dict[tuple[str, ...], str] = {}
        self._count = 0

    def __call__(self, *kinds: str) -> str:
        name = self._made.get(kinds)
        if name is None:
            name = self._made[kinds] = self.new(*kinds)
        return name

    def new(self, *kinds: str) -> str:
        """A table that no other test sees."""
        name = self.unused_name()
        with suppress(self._client.exceptions.ResourceInUseException):  # made by a try that was not answered
            self._client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **keys_of(*kinds))
        self._client.get_waiter("table_exists").wait(TableName=name)
        return name

    def unused_name(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count}"

    def delete_all(self) -> None:
        for number in range(1, self._count + 1):
            with suppress(self._client.exceptions.ResourceNotFoundException):
                self._client.delete_table(TableName=f"{self._prefix}-{number}")


def keys_of(*kinds: str) -> dict[str, Any]:
    """CreateTable's parameters for keys of these types: the partition key `pk` and, with two, `sk`."""
    names = ("pk", "sk")[: len(kinds)]
    return {
        "KeySchema": [
            {"AttributeName": name, "KeyType": role}
            for name, role in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in zip(names, kinds, strict=True)
        ],
    }


def refused(call: Callable[..., Any], code: str, **parameters: Any) -> str:
    """The message with which AWS refuses the call, with this error code and 400."""
    with pytest.raises(ClientError) as raised:
        call(**parameters)
    response = raised.value.response
    assert response["Error"]["Code"] == code, response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(response["Error"]["Message"])


def all_pages(call: Callable[..., dict[str, Any]], **parameters: Any) -> list[dict[str, Any]]:
    """The answers of a Query or a Scan until the first without LastEvaluatedKey."""
    pages = [call(**parameters)]
    while "LastEvaluatedKey" in pages[-1]:
        pages.append(call(**parameters, ExclusiveStartKey=pages[-1]["LastEvaluatedKey"]))
    return pages


def items_of(pages: list[dict[str, Any]]) -> list[Item]:
    return [item for page in pages for item in page["Items"]]


def put_all(client: Client, table: str, items: list[Item]) -> None:
    """In batches, again until all are taken."""
    waiting = [{"PutRequest": {"Item": item}} for item in items]
    while waiting:
        batch, waiting = waiting[:25], waiting[25:]
        answer = client.batch_write_item(RequestItems={table: batch})
        waiting += answer["UnprocessedItems"].get(table, [])
