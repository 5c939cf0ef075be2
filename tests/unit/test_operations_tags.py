"""TagResource, UntagResource and ListTagsOfResource."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits
from tests.unit.test_operations_tables import PAY

ARN = "arn:aws:dynamodb:eu-test-1:123456789012:table/MyApp"
TAG = {"Key": "a", "Value": "1"}
OPERATIONS: dict[str, dict[str, Any]] = {
    "TagResource": {"Tags": [TAG]},
    "UntagResource": {"TagKeys": ["a"]},
    "ListTagsOfResource": {},
}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.call("CreateTable", **PAY, Tags=[{"Key": "Born", "Value": "yes"}])
    return made


def tags(cluster: FakeCluster) -> list[dict[str, str]]:
    answer = cluster.call("ListTagsOfResource", ResourceArn=ARN)
    assert_answer_fits("ListTagsOfResource", answer)
    listed: list[dict[str, str]] = answer["Tags"]
    return listed


def test_tags_are_set_replaced_and_taken_off(cluster: FakeCluster) -> None:
    new = [{"Key": "Имя 名", "Value": "a+b-c=d.e_f:g/h @i"}, {"Key": "a", "Value": ""}]
    assert cluster.call("TagResource", ResourceArn=ARN, Tags=new) == {}
    assert tags(cluster) == [{"Key": "Born", "Value": "yes"}, *new]
    cluster.call("TagResource", ResourceArn=ARN, Tags=[{"Key": "Born", "Value": "no"}])
    assert cluster.call("UntagResource", ResourceArn=ARN, TagKeys=["a", "absent"]) == {}
    assert tags(cluster) == [{"Key": "Born", "Value": "no"}, new[0]]
    cluster.call("UntagResource", ResourceArn=ARN, TagKeys=["Born", "Имя 名"])
    assert tags(cluster) == []


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@pytest.mark.parametrize(
    ("arn", "error"),
    [
        (None, "ValidationException: Invalid TableArn"),
        *[
            (
                arn,
                f"ValidationException: One or more parameter values were invalid: ARNs must start with 'arn:': {arn}",
            )
            for arn in ("", "MyApp", "a:b:c:d:e:f/g")
        ],
        ("arn:aws:s3:eu-test-1:123456789012:bucket", "AccessDeniedException: Access is denied"),
        ("arn:not/a/good/format", "AccessDeniedException: Access is denied"),
        *[
            (
                arn,
                (
                    "ValidationException: One or more parameter values were invalid: "
                    f"Provided Arn is not a DynamoDB resource arn: {arn}"
                ),
            )
            for arn in (f"{ARN}/backup/01700000000000-abcdef01", ARN.replace("table", "cache"))
        ],
        (
            f"{ARN}/index/I",
            (
                "ValidationException: One or more parameter values were invalid: Invalid resource arn provided, "
                f"only table or stream is accepted. Provided resource arn: {ARN}/index/I"
            ),
        ),
        (
            f"{ARN}/stream/2026-10-09T00:29:04.041",
            (
                "ResourceNotFoundException: Requested resource not found: "
                f"ResourceArn: {ARN}/stream/2026-10-09T00:29:04.041 not found"
            ),
        ),
        (
            # The account is looked at before the region.
            "arn:aws:dynamodb:us-test-1:000000000001:table/MyApp",
            "AccessDeniedException: Access is denied",
        ),
        (
            ARN[:-3],
            f"ValidationException: Invalid TableArn: Invalid ResourceArn provided as input {ARN[:-3]}",
        ),
        (
            ARN + "2",
            f"ResourceNotFoundException: Requested resource not found: ResourceArn: {ARN}2 not found",
        ),
        (
            ARN.replace("eu-test-1", "us-test-1"),
            (
                "ValidationException: Invalid TableArn: Invalid ResourceArn provided as input "
                f"{ARN.replace('eu-test-1', 'us-test-1')}"
            ),
        ),
    ],
)
def test_a_resource_is_a_table_by_its_arn(
    cluster: FakeCluster, operation: str, arn: str | None, error: str
) -> None:
    answer = cluster.error(operation, ResourceArn=arn, **OPERATIONS[operation])
    assert answer == error


_TOO_MANY = "ValidationException: Number of Tags exceed the current limit for the provided ResourceArn"


def tag(key: str | None = "k", value: str | None = "v") -> dict[str, str]:
    return {name: text for name, text in (("Key", key), ("Value", value)) if text is not None}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            None,
            (
                "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not "
                "be null"
            ),
        ),
        ([], "Atleast one Tag needs to be provided as Input."),
        ([tag(), tag()], "Duplicate Tag Keys provided as input: Duplicate Tag Key found k"),
        ([tag("x" * 129)], "The Tag Key provided is invalid, Key: " + "x" * 129),
        ([tag("")], "The Tag Key provided is invalid, Key: "),
        ([tag(None)], "The Tag Key provided is invalid, Key: null"),
        ([tag("bad#char")], "The Tag Key provided is invalid, Key: bad#char"),
        ([tag(value=None)], "The Tag Value provided is invalid, Value: null"),
        ([tag(value="x" * 257)], "The Tag Value provided is invalid, Value: " + "x" * 257),
        ([tag(value="100%")], "The Tag Value provided is invalid, Value: 100%"),
        ([tag(), tag("AWS:x")], "Tag Key cannot be prefixed with aws:, Key: AWS:x"),
        ([tag(str(number)) for number in range(51)], _TOO_MANY.partition(": ")[2]),
    ],
)
def test_tags_are_refused_all_or_none(cluster: FakeCluster, given: Any, error: str) -> None:
    before = tags(cluster)
    assert cluster.error("TagResource", ResourceArn=ARN, Tags=given) == "ValidationException: " + error
    assert tags(cluster) == before


def test_keys_at_the_limits_are_taken(cluster: FakeCluster) -> None:
    cluster.call("TagResource", ResourceArn=ARN, Tags=[tag("x" * 128, "y" * 256)])
    assert tag("x" * 128, "y" * 256) in tags(cluster)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        (
            None,
            (
                "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not "
                "be null"
            ),
        ),
        ([], "Atleast one Tag Key needs to be provided as Input."),
        (["aws:x"], "Tag Key cannot be prefixed with aws:, Key: aws:x"),
        (["x" * 129], "The Tag Key provided is invalid, Key: " + "x" * 129),
        ([str(number) for number in range(51)], _TOO_MANY.partition(": ")[2]),
    ],
)
def test_keys_are_refused(cluster: FakeCluster, keys: Any, error: str) -> None:
    assert cluster.error("UntagResource", ResourceArn=ARN, TagKeys=keys) == "ValidationException: " + error


def test_a_page_that_was_never_promised(cluster: FakeCluster) -> None:
    assert cluster.error("ListTagsOfResource", ResourceArn=ARN, NextToken="x").startswith(
        "ValidationException"
    )
