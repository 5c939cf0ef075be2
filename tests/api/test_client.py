"""Our own client, over gRPC, beside boto3 on the same tables."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kvorum.client import Client as KvorumClient
from kvorum.client import ConditionalCheckFailed
from tests.kit.boto import Client, Tables
from tests.kit.endpoints import Endpoint


def test_both_doors_lead_to_the_same_items(
    client: Client, kvorum: Endpoint, tables: Tables, unique: str
) -> None:
    if not kvorum.grpc:
        pytest.skip("only the HTTP address is known")
    table = tables("S", "N")
    with KvorumClient(kvorum.grpc) as own:
        item = {
            "pk": unique,
            "sk": Decimal(1),
            "list": ["text", b"\x00\xff", None, True, Decimal("1.5")],
            "map": {"set": {"a", "b"}, "numbers": {Decimal(1), Decimal(2)}},
        }
        own.put_item(table, item)
        assert own.get_item(table, {"pk": unique, "sk": Decimal(1)}, consistent=True) == item
        seen = client.get_item(
            TableName=table, Key={"pk": {"S": unique}, "sk": {"N": "1"}}, ConsistentRead=True
        )["Item"]
        assert seen["list"]["L"][1] == {"B": b"\x00\xff"}
        assert seen["map"]["M"]["set"] == {"SS": ["a", "b"]}

        for number in (2, 3):
            client.put_item(TableName=table, Item={"pk": {"S": unique}, "sk": {"N": str(number)}})
        found = own.query(table, "pk = :pk", values={":pk": unique}, forward=False, consistent=True)
        assert [row["sk"] for row in found] == [3, 2, 1]
        with pytest.raises(ConditionalCheckFailed):
            own.put_item(table, item, condition="attribute_not_exists(pk)")
