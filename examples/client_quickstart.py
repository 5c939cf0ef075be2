"""The SDK in one run: a table, items, a condition, a counter, a query, and a pipelined session.

kvorum dev --in-memory          in one terminal: gRPC listens on port 9000
python examples/client_quickstart.py [HOST:PORT ...]
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

from kvorum.client import AsyncClient, Client, ConditionalCheckFailed, IndefiniteError, Index, TableInUse

TABLE = "quickstart-orders"


def orders(client: Client) -> None:
    order = {
        "customer": "hanako",
        "number": 1,
        "total": Decimal("19.90"),
        "tags": {"gift", "express"},
        "lines": [{"sku": "B-7", "count": 2}],
    }
    client.put_item(TABLE, order, condition="attribute_not_exists(customer)")
    print("read back:", client.get_item(TABLE, {"customer": "hanako", "number": 1}, consistent=True))

    try:
        client.put_item(
            TABLE,
            {**order, "total": 0},
            condition="attribute_not_exists(customer)",
            return_item_on_failure=True,
        )
    except ConditionalCheckFailed as error:
        print("not overwritten:", error.item)

    try:
        changed = client.update_item(
            TABLE,
            {"customer": "hanako", "number": 1},
            "ADD opened :one",
            values={":one": 1},
            return_values="UPDATED_NEW",
        )
        print("counted:", changed)
    except IndefiniteError:
        # The router went away before it answered: it may have been counted or not. The client does not
        # try such a write again by itself; here one more or less is nothing.
        print("perhaps counted")

    client.batch_write(TABLE, puts=[{"customer": "hanako", "number": number} for number in range(2, 60)])
    newest = client.query(
        TABLE,
        "customer = :c",
        values={":c": "hanako"},
        forward=False,
        projection="#n",
        names={"#n": "number"},
    )
    print("newest order:", next(newest))
    dearest = client.query(
        TABLE, "customer = :c", values={":c": "hanako"}, index="by-total", forward=False, consistent=True
    )
    print("dearest order:", next(dearest)["total"])
    print("all orders:", sum(1 for _ in client.scan(TABLE, segments=4)))


async def many_at_once(endpoints: list[str]) -> None:
    async with AsyncClient(endpoints) as client, client.session() as session:
        puts = [session.put_item(TABLE, {"customer": "taro", "number": number}) for number in range(500)]
        await asyncio.gather(*puts)
        print("written in one session:", len(puts))


def main() -> None:
    endpoints = sys.argv[1:] or ["127.0.0.1:9000"]
    with Client(endpoints) as client:
        try:
            client.create_table(
                TABLE,
                {"customer": "S", "number": "N"},
                indexes={"by-total": Index({"customer": "S", "total": "N"}, local=True)},
            )
        except TableInUse:
            sys.exit(f"the table {TABLE} exists already; this example would delete it")
        try:
            orders(client)
            asyncio.run(many_at_once(endpoints))
        finally:
            client.delete_table(TABLE)


if __name__ == "__main__":
    main()
