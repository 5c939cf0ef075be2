"""A user's program: a shop in a single table, through the boto3 resource, with nothing in it that knows where the
store is. The environment says it (AWS_ENDPOINT_URL and credentials).

`python shop.py TABLE` makes the table, plays a story, prints what each step gave, as JSON, and deletes the table.

| what | PK | SK | GSI1PK | GSI1SK |
|---|---|---|---|---|
| user | USER#id | PROFILE | EMAIL#address | USER#id |
| order | USER#id | ORDER#day | STATUS#status, while it is open | day |
| product | PROD#id | METADATA | CAT#category | PRICE#price |
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

dynamodb: Any = boto3.resource("dynamodb", region_name="ap-northeast-1")
table: Any = dynamodb.Table(sys.argv[1])


def create_table() -> None:
    """GSI1 finds things by what they are, GSI2 only says that they are there, ByTotal sorts a user's orders."""
    keys = ("PK", "SK", "GSI1PK", "GSI1SK")
    dynamodb.create_table(
        TableName=table.name,
        AttributeDefinitions=[
            *[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            {"AttributeName": "total", "AttributeType": "N"},
        ],
        KeySchema=_keys("PK", "SK"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "GSI1",
                "KeySchema": _keys("GSI1PK", "GSI1SK"),
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "GSI2",
                "KeySchema": _keys("SK", "PK"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "ByTotal",
                "KeySchema": _keys("PK", "total"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "Environment", "Value": "production"}],
    )
    table.wait_until_exists()


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def now() -> str:
    return datetime.now(UTC).isoformat()


# ---- users ----


def create_user(user_id: str, name: str, email: str) -> None:
    """Refused when the user exists."""
    table.put_item(
        Item={
            "PK": f"USER#{user_id}",
            "SK": "PROFILE",
            "GSI1PK": f"EMAIL#{email}",
            "GSI1SK": f"USER#{user_id}",
            "name": name,
            "email": email,
            "created_at": now(),
        },
        ConditionExpression="attribute_not_exists(PK)",
    )


def get_user_with_orders(user_id: str) -> dict[str, Any]:
    response = table.query(KeyConditionExpression=Key("PK").eq(f"USER#{user_id}"))
    items = response["Items"]
    profile = next((item for item in items if item["SK"] == "PROFILE"), None)
    return {"profile": profile, "orders": [item for item in items if item["SK"].startswith("ORDER#")]}


def find_users_by_email(email: str) -> list[str]:
    response = table.query(IndexName="GSI1", KeyConditionExpression=Key("GSI1PK").eq(f"EMAIL#{email}"))
    return [item["name"] for item in response["Items"]]


def update_user_name(user_id: str, new_name: str) -> None:
    """Refused when there is no such user."""
    table.update_item(
        Key={"PK": f"USER#{user_id}", "SK": "PROFILE"},
        UpdateExpression="SET #n = :name, updated_at = :now",
        ExpressionAttributeNames={"#n": "name"},
        ExpressionAttributeValues={":name": new_name, ":now": now()},
        ConditionExpression="attribute_exists(PK)",
    )


def move_user(user_id: str, email: str) -> None:
    table.update_item(
        Key={"PK": f"USER#{user_id}", "SK": "PROFILE"},
        UpdateExpression="SET email = :email, GSI1PK = :key",
        ExpressionAttributeValues={":email": email, ":key": f"EMAIL#{email}"},
    )


def batch_get_users(user_ids: list[str]) -> list[dict[str, Any]]:
    response = dynamodb.batch_get_item(
        RequestItems={table.name: {"Keys": [{"PK": f"USER#{uid}", "SK": "PROFILE"} for uid in user_ids]}}
    )
    found: list[dict[str, Any]] = response["Responses"][table.name]
    return found


def batch_get_users_with_typed_keys(user_ids: list[str]) -> list[dict[str, Any]]:
    """A mistake often made: a resource types keys itself, so these become maps."""
    keys = [{"PK": {"S": f"USER#{uid}"}, "SK": {"S": "PROFILE"}} for uid in user_ids]
    response = dynamodb.batch_get_item(RequestItems={table.name: {"Keys": keys}})
    found: list[dict[str, Any]] = response["Responses"][table.name]
    return found


# ---- orders ----


def place_order(user_id: str, day: str, total: Decimal) -> None:
    table.put_item(
        Item={
            "PK": f"USER#{user_id}",
            "SK": f"ORDER#{day}",
            "GSI1PK": "STATUS#open",
            "GSI1SK": day,
            "status": "open",
            "total": total,
        }
    )


def close_order(user_id: str, day: str) -> dict[str, Any]:
    """The order as it was. It leaves the index of open orders; refused when it is not there."""
    response = table.update_item(
        Key={"PK": f"USER#{user_id}", "SK": f"ORDER#{day}"},
        UpdateExpression="SET #status = :closed REMOVE GSI1PK, GSI1SK",
        ConditionExpression=Attr("status").eq("open"),
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":closed": "closed"},
        ReturnValues="ALL_OLD",
    )
    was: dict[str, Any] = response["Attributes"]
    return was


def delete_order(user_id: str, order_id: str) -> None:
    table.delete_item(Key={"PK": f"USER#{user_id}", "SK": f"ORDER#{order_id}"})


def get_user_orders_paginated(
    user_id: str, page_size: int = 20, last_key: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The newest first."""
    params: dict[str, Any] = {
        "KeyConditionExpression": Key("PK").eq(f"USER#{user_id}") & Key("SK").begins_with("ORDER#"),
        "Limit": page_size,
        "ScanIndexForward": False,
    }
    if last_key:
        params["ExclusiveStartKey"] = last_key
    response = table.query(**params)
    return {
        "orders": response["Items"],
        "last_key": response.get("LastEvaluatedKey"),
        "has_more": "LastEvaluatedKey" in response,
    }


def open_orders(since: str) -> list[str]:
    response = table.query(
        IndexName="GSI1",
        KeyConditionExpression=Key("GSI1PK").eq("STATUS#open") & Key("GSI1SK").gte(since),
    )
    return [item["SK"] for item in response["Items"]]


def dearest_orders(user_id: str, count: int) -> list[dict[str, Any]]:
    """As of now, not as of a moment ago."""
    response = table.query(
        IndexName="ByTotal",
        KeyConditionExpression=Key("PK").eq(f"USER#{user_id}"),
        ScanIndexForward=False,
        Limit=count,
        ConsistentRead=True,
    )
    found: list[dict[str, Any]] = response["Items"]
    return found


# ---- products ----


def increment_view_count(product_id: str) -> Any:
    """The count after this view; the first one creates what counts."""
    response = table.update_item(
        Key={"PK": f"PROD#{product_id}", "SK": "METADATA"},
        UpdateExpression="SET view_count = if_not_exists(view_count, :zero) + :inc",
        ExpressionAttributeValues={":zero": 0, ":inc": 1},
        ReturnValues="UPDATED_NEW",
    )
    return response["Attributes"]["view_count"]


def batch_create_products(products: list[dict[str, Any]]) -> None:
    with table.batch_writer() as batch:
        for product in products:
            batch.put_item(
                Item={
                    "PK": f"PROD#{product['id']}",
                    "SK": "METADATA",
                    "GSI1PK": f"CAT#{product['category']}",
                    "GSI1SK": f"PRICE#{str(product['price']).zfill(10)}",
                    "name": product["name"],
                    "price": product["price"],
                    "category": product["category"],
                    "created_at": now(),
                }
            )


def find_products(category: str, least: int, most: int) -> list[str]:
    """Names of the products in that range of prices, the cheapest first; a page at a time."""
    params: dict[str, Any] = {
        "IndexName": "GSI1",
        "KeyConditionExpression": Key("GSI1PK").eq(f"CAT#{category}")
        & Key("GSI1SK").between(f"PRICE#{str(least).zfill(10)}", f"PRICE#{str(most).zfill(10)}"),
        "Limit": 7,
    }
    names: list[str] = []
    while True:
        response = table.query(**params)
        names += [item["name"] for item in response["Items"]]
        if "LastEvaluatedKey" not in response:
            return names
        params["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def count_products() -> int:
    """By the index that has nothing but keys, in four segments."""
    found = 0
    for segment in range(4):
        params = {"IndexName": "GSI2", "Segment": segment, "TotalSegments": 4}
        while True:
            response = table.scan(**params)
            found += sum(
                item.keys() == {"PK", "SK"} and item["SK"] == "METADATA" for item in response["Items"]
            )
            if "LastEvaluatedKey" not in response:
                break
            params["ExclusiveStartKey"] = response["LastEvaluatedKey"]
    return found


# ---- the story ----


def error_of(call: Callable[..., Any], *arguments: Any) -> list[str] | None:
    try:
        call(*arguments)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"]["Message"]]
    return None


def settled(call: Callable[..., Any], *arguments: Any, wanted: Any) -> Any:
    """The call's answer, asked until it is `wanted`, 15 s at most: a global index is a moment behind its table."""
    deadline = time.monotonic() + 15
    while True:
        answer = call(*arguments)
        if answer == wanted or time.monotonic() > deadline:
            return answer
        time.sleep(0.05)


def main() -> None:
    told: dict[str, Any] = {}
    create_table()
    told["indexes"] = sorted(
        index["IndexName"] for index in table.global_secondary_indexes + table.local_secondary_indexes
    )
    create_user("001", "Taro", "taro@example.com")
    create_user("002", "Hanako", "hanako@example.com")
    told["created twice"] = error_of(create_user, "001", "Another", "another@example.com")
    for number in range(1, 6):
        place_order("001", f"2026-02-0{number}", Decimal((number * 3) % 5 + 1) / 4)
    told["user with orders"] = get_user_with_orders("001")
    told["nobody"] = get_user_with_orders("999")
    told["by email"] = settled(find_users_by_email, "taro@example.com", wanted=["Taro"])

    pages = [get_user_orders_paginated("001", page_size=2)]
    while pages[-1]["has_more"]:
        pages.append(get_user_orders_paginated("001", page_size=2, last_key=pages[-1]["last_key"]))
    told["pages"] = pages

    update_user_name("001", "Jiro")
    told["renamed"] = get_user_with_orders("001")["profile"]["name"]
    told["renamed nobody"] = error_of(update_user_name, "999", "Nobody")
    move_user("001", "jiro@example.com")
    told["at the new address"] = settled(find_users_by_email, "jiro@example.com", wanted=["Jiro"])
    told["at the old address"] = settled(find_users_by_email, "taro@example.com", wanted=[])
    told["views"] = [increment_view_count("p1") for _ in range(3)]

    told["dearest"] = dearest_orders("001", 2)
    told["closed"] = close_order("001", "2026-02-02")
    told["closed twice"] = error_of(close_order, "001", "2026-02-02")
    delete_order("001", "2026-02-03")
    delete_order("001", "2026-02-03")
    told["orders left"] = [order["SK"] for order in get_user_with_orders("001")["orders"]]
    told["dearest left"] = [order["total"] for order in dearest_orders("001", 9)]
    told["open"] = settled(open_orders, "2026-02-02", wanted=["ORDER#2026-02-04", "ORDER#2026-02-05"])

    batch_create_products(
        [
            {"id": f"b{number}", "category": "BOOK", "name": f"Book {number}", "price": 100 * number}
            for number in range(60)
        ]
    )
    told["last product"] = table.get_item(Key={"PK": "PROD#b59", "SK": "METADATA"})["Item"]["price"]
    told["products"] = table.scan(FilterExpression=Key("GSI1PK").eq("CAT#BOOK"), ConsistentRead=True)["Count"]
    told["in range"] = settled(
        find_products, "BOOK", 1_000, 3_000, wanted=[f"Book {number}" for number in range(10, 31)]
    )
    told["counted"] = settled(count_products, wanted=61)
    told["users"] = sorted(user["name"] for user in batch_get_users(["001", "002", "999"]))
    told["typed keys"] = error_of(batch_get_users_with_typed_keys, ["001"])
    table.delete()
    table.wait_until_not_exists()
    json.dump(told, sys.stdout, default=float)


if __name__ == "__main__":
    main()
