"""A user's program: the calls of a single-table application through the boto3 resource, with nothing in it that
knows where the store is. The environment says it (AWS_ENDPOINT_URL and credentials).

`python crud.py` plays a story and prints what each step gave, as JSON.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

dynamodb: Any = boto3.resource("dynamodb", region_name="ap-northeast-1")
table: Any = dynamodb.Table("MyApp")


def now() -> str:
    return datetime.now(UTC).isoformat()


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


def update_user_name(user_id: str, new_name: str) -> None:
    """Refused when there is no such user."""
    table.update_item(
        Key={"PK": f"USER#{user_id}", "SK": "PROFILE"},
        UpdateExpression="SET #n = :name, updated_at = :now",
        ExpressionAttributeNames={"#n": "name"},
        ExpressionAttributeValues={":name": new_name, ":now": now()},
        ConditionExpression="attribute_exists(PK)",
    )


def increment_view_count(product_id: str) -> Any:
    """The count after this view; the first one creates what counts."""
    response = table.update_item(
        Key={"PK": f"PROD#{product_id}", "SK": "METADATA"},
        UpdateExpression="SET view_count = if_not_exists(view_count, :zero) + :inc",
        ExpressionAttributeValues={":zero": 0, ":inc": 1},
        ReturnValues="UPDATED_NEW",
    )
    return response["Attributes"]["view_count"]


def delete_order(user_id: str, order_id: str) -> None:
    table.delete_item(Key={"PK": f"USER#{user_id}", "SK": f"ORDER#{order_id}"})


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


def batch_get_users(user_ids: list[str]) -> list[dict[str, Any]]:
    response = dynamodb.batch_get_item(
        RequestItems={"MyApp": {"Keys": [{"PK": f"USER#{uid}", "SK": "PROFILE"} for uid in user_ids]}}
    )
    found: list[dict[str, Any]] = response["Responses"]["MyApp"]
    return found


def batch_get_users_with_typed_keys(user_ids: list[str]) -> list[dict[str, Any]]:
    """A mistake often made: a resource types keys itself, so these become maps."""
    keys = [{"PK": {"S": f"USER#{uid}"}, "SK": {"S": "PROFILE"}} for uid in user_ids]
    response = dynamodb.batch_get_item(RequestItems={"MyApp": {"Keys": keys}})
    found: list[dict[str, Any]] = response["Responses"]["MyApp"]
    return found


def error_of(call: Any, *arguments: Any) -> list[str] | None:
    try:
        call(*arguments)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"]["Message"]]
    return None


def main() -> None:
    told: dict[str, Any] = {}
    create_user("001", "Taro", "taro@example.com")
    create_user("002", "Hanako", "hanako@example.com")
    told["created twice"] = error_of(create_user, "001", "Another", "another@example.com")
    for number in range(1, 6):
        table.put_item(
            Item={"PK": "USER#001", "SK": f"ORDER#2026-02-0{number}", "total": Decimal(number) / 4}
        )
    told["user with orders"] = get_user_with_orders("001")
    told["nobody"] = get_user_with_orders("999")

    pages = [get_user_orders_paginated("001", page_size=2)]
    while pages[-1]["has_more"]:
        pages.append(get_user_orders_paginated("001", page_size=2, last_key=pages[-1]["last_key"]))
    told["pages"] = pages

    update_user_name("001", "Jiro")
    told["renamed"] = get_user_with_orders("001")["profile"]["name"]
    told["renamed nobody"] = error_of(update_user_name, "999", "Nobody")
    told["views"] = [increment_view_count("p1") for _ in range(3)]
    delete_order("001", "2026-02-03")
    delete_order("001", "2026-02-03")
    told["orders left"] = [order["SK"] for order in get_user_with_orders("001")["orders"]]

    batch_create_products(
        [
            {"id": f"b{number}", "category": "BOOK", "name": f"Book {number}", "price": 100 * number}
            for number in range(60)
        ]
    )
    told["last product"] = table.get_item(Key={"PK": "PROD#b59", "SK": "METADATA"})["Item"]["price"]
    told["products"] = table.scan(FilterExpression=Key("GSI1PK").eq("CAT#BOOK"), ConsistentRead=True)["Count"]
    told["users"] = sorted(user["name"] for user in batch_get_users(["001", "002", "999"]))
    told["typed keys"] = error_of(batch_get_users_with_typed_keys, ["001"])
    json.dump(told, sys.stdout, default=float)


if __name__ == "__main__":
    main()
