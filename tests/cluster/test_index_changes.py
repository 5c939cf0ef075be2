"""Global indexes that come and go while nodes are away, and in two regions at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit import dynamo
from tests.kit.endpoints import ONE_REGION
from tests.kit.processes import REGIONS, kvorum_up, until

pytestmark = pytest.mark.cluster

TABLE = "Indexed"
ITEMS = 50
SECONDS = 20.0


def index(name: str, attribute: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }


def update(url: str, change: dict[str, Any]) -> None:
    body = {
        "TableName": TABLE,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("a", "b")],
        "GlobalSecondaryIndexUpdates": [change],
    }
    answer = dynamo.call(url, "UpdateTable", body)
    assert answer.ok, answer


def indexes(url: str) -> dict[str, tuple[str, int]]:
    """name -> status and number of items."""
    answer = dynamo.call(url, "DescribeTable", {"TableName": TABLE})
    if not answer.ok:  # a partition has no leader yet
        return {"": (answer.error, 0)}
    described = answer.body["Table"].get("GlobalSecondaryIndexes", [])
    return {each["IndexName"]: (each["IndexStatus"], each["ItemCount"]) for each in described}


def fill(url: str) -> None:
    for number in range(ITEMS):
        item = {"id": {"S": str(number)}, "a": {"S": "x"}, "b": {"S": str(number % 7)}}
        answer = dynamo.call(url, "PutItem", {"TableName": TABLE, "Item": item})
        assert answer.ok, answer


def test_indexes_come_and_go_without_one_node(tmp_path: Path) -> None:
    """Neither the creation of an index nor its end waits for a node that does not come back."""
    with kvorum_up(tmp_path, "--no-restart", topology=ONE_REGION) as up:
        (url,) = up.urls.values()
        dynamo.create_table(url, TABLE)
        fill(url)
        up.kill(REGIONS[0], "node-b")
        until(lambda: indexes(url) == {}, SECONDS, "new leaders")
        for _ in range(2):
            update(url, {"Create": index("by-b", "b")})
            until(lambda: indexes(url) == {"by-b": ("ACTIVE", ITEMS)}, SECONDS, "the index is complete")
            update(url, {"Delete": {"IndexName": "by-b"}})
            until(lambda: indexes(url) == {}, SECONDS, "the index is gone")
        answer = dynamo.call(url, "DeleteTable", {"TableName": TABLE})
        assert answer.ok, answer
        assert dynamo.call(url, "DescribeTable", {"TableName": TABLE}).error == "ResourceNotFoundException"


def test_indexes_created_in_two_regions_at_once_come_about_in_both(tmp_path: Path) -> None:
    with kvorum_up(tmp_path) as up:
        one, other = (up.urls[region] for region in REGIONS)
        dynamo.create_table(one, TABLE)
        fill(one)
        update(one, {"Create": index("by-a", "a")})
        until(lambda: "by-a" in indexes(other), SECONDS, "the other region has heard of it")
        until(lambda: indexes(other)["by-a"][0] == "ACTIVE", SECONDS, "one at a time")
        update(other, {"Delete": {"IndexName": "by-a"}})
        until(lambda: indexes(one) == {} == indexes(other), SECONDS, "it is gone in both")
        update(one, {"Create": index("by-a", "a")})
        answer = dynamo.call(
            other,
            "UpdateTable",
            {
                "TableName": TABLE,
                "AttributeDefinitions": [{"AttributeName": "b", "AttributeType": "S"}],
                "GlobalSecondaryIndexUpdates": [{"Create": index("by-b", "b")}],
            },
        )
        wanted = {"by-a": ("ACTIVE", ITEMS)}
        if answer.ok:  # it had not heard of the first yet
            wanted["by-b"] = ("ACTIVE", ITEMS)
        else:
            assert answer.error == "LimitExceededException"
        for url in (one, other):
            until(lambda: indexes(url) == wanted, SECONDS, "both have what was created")  # noqa: B023
