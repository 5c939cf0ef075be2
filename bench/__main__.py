"""`make bench`: prints requests per second and the ratios that matter, all of one run.

`dev` against dynalite, each alone on one core with the load on another; `up` (one region, three nodes)
against a three-member etcd, put for put, everything sharing the machine.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench import peers
from bench.load import Plan, Result

TABLE, INDEXED_TABLE = "bench", "bench-indexed"
KEYS = 10_000
CONNECTIONS = 32
SERVER_CORE, LOAD_CORE = 0, 1
COUNT = int(os.environ.get("BENCH_COUNT", "30000"))


def item(number: int) -> dict[str, object]:
    """About 300 bytes, four attributes."""
    return {
        "pk": {"S": f"user#{number:08d}"},
        "name": {"S": f"name of user {number}"},
        "views": {"N": str(number)},
        "body": {"S": f"{number:08d}" * 27},
    }


def put_bodies(table: str = TABLE) -> list[bytes]:
    bodies = [_json({"TableName": table, "Item": item(number)}) for number in range(KEYS)]
    random.Random(1).shuffle(bodies)
    return bodies


def get_bodies() -> list[bytes]:
    bodies = [
        _json({"TableName": TABLE, "Key": {"pk": {"S": f"user#{number:08d}"}}}) for number in range(KEYS)
    ]
    random.Random(2).shuffle(bodies)
    return bodies


def update_bodies() -> list[bytes]:
    """One number more, where the item exists."""
    bodies = [
        _json(
            {
                "TableName": TABLE,
                "Key": {"pk": {"S": f"user#{number:08d}"}},
                "UpdateExpression": "SET #views = #views + :one",
                "ConditionExpression": "attribute_exists(pk)",
                "ExpressionAttributeNames": {"#views": "views"},
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
        )
        for number in range(KEYS)
    ]
    random.Random(3).shuffle(bodies)
    return bodies


def etcd_put_messages() -> list[bytes]:
    """etcdserverpb.PutRequest{key, value} of the same keys and sizes."""
    messages: list[bytes] = []
    for number in range(KEYS):
        key, value = f"user#{number:08d}".encode(), _json(item(number))
        assert len(key) < 128
        length = bytes(((len(value) & 0x7F) | 0x80, len(value) >> 7))
        messages.append(b"\x0a" + bytes((len(key),)) + key + b"\x12" + length + value)
    random.Random(1).shuffle(messages)
    return messages


def load(plan: Plan, core: int | None) -> Result:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    output, _ = process.communicate(msgspec.json.encode(plan), timeout=600)
    if process.returncode:
        raise RuntimeError("the load generator failed")
    result = msgspec.json.decode(output, type=Result)
    if result.errors:
        print(f"  {result.errors} of {plan.count} answers were errors", file=sys.stderr)
    return result


def create_table(port: int, name: str, **indexes: object) -> None:
    """`indexes`: further members of the request."""
    names = ["pk", *(["name"] if indexes else [])]
    body: dict[str, object] = {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in names],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        **indexes,
    }
    _call(port, "CreateTable", body)
    for _ in range(600):
        if _call(port, "DescribeTable", {"TableName": name})["Table"]["TableStatus"] == "ACTIVE":
            return
        time.sleep(0.05)
    raise TimeoutError("the table did not become ACTIVE")


def _call(port: int, target: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/",
        _json(body),
        {
            "X-Amz-Target": f"DynamoDB_20120810.{target}",
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/dynamodb/aws4_request,"
            " SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        decoded: dict[str, dict[str, str]] = json.load(answer)
        return decoded


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def measure_dynamodb(port: int, core: int | None) -> dict[str, Result]:
    """By what is done: puts fill the table, eventually consistent gets read it, updates change every item; then puts
    into a table with one global index of all attributes."""
    create_table(port, TABLE)

    def measured(target: str, bodies: list[bytes]) -> Result:
        return load(Plan(port=port, target=target, requests=bodies, count=COUNT, warmup=KEYS), core)

    results = {
        "PutItem": measured("PutItem", put_bodies()),
        "GetItem": measured("GetItem", get_bodies()),
        "UpdateItem with a condition": measured("UpdateItem", update_bodies()),
    }
    create_table(port, INDEXED_TABLE, GlobalSecondaryIndexes=[INDEX])
    results["PutItem with a global index"] = measured("PutItem", put_bodies(INDEXED_TABLE))
    return results


INDEX = {
    "IndexName": "by-name",
    "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kvorum-bench-") as directory:
        yield Path(directory)


def row(name: str, result: Result, base: float | None = None) -> None:
    ratio = f"{result.requests_per_second / base:6.2f} x" if base else ""
    print(
        f"  {name:<52}{result.requests_per_second:>9,.0f} /s"
        f"{result.p50_ms:>8.2f} ms{result.p99_ms:>8.2f} ms  {ratio}",
        flush=True,
    )


def rows(name: str, results: dict[str, Result], base: dict[str, Result] | None = None) -> None:
    for what, result in results.items():
        row(f"{name} {what}", result, base[what].requests_per_second if base else None)


def single_process() -> None:
    print(
        f"one core each, {CONNECTIONS} connections, {KEYS:,} keys, ~300-byte items              p50       p99"
    )
    with scratch() as directory, peers.dynalite(directory, SERVER_CORE) as port:
        base = measure_dynamodb(port, LOAD_CORE)
    rows("dynalite (in memory)", base)
    with scratch() as directory, peers.kvorum_dev(directory, SERVER_CORE) as port:
        rows("kvorum dev (fsynced)", measure_dynamodb(port, LOAD_CORE), base)
    with scratch() as directory, peers.kvorum_dev(directory, SERVER_CORE, "--in-memory") as port:
        rows("kvorum dev --in-memory", measure_dynamodb(port, LOAD_CORE), base)


def cluster() -> None:
    print(
        f"three members, fsync, whole machine shared, {CONNECTIONS} connections               p50       p99"
    )
    with scratch() as directory, peers.etcd_cluster(directory) as port:
        plan = Plan(
            port=port,
            target="/etcdserverpb.KV/Put",
            requests=etcd_put_messages(),
            protocol="grpc",
            count=COUNT // 2,
        )
        base = load(plan, None)
    row("etcd put, raw gRPC to the leader", base)
    with scratch() as directory, peers.kvorum_up(directory) as port:
        results = measure_dynamodb(port, None)
    row("kvorum up, by the router: PutItem", results.pop("PutItem"), base.requests_per_second)
    rows("kvorum up, by the router:", results)


def main() -> None:
    parts = {"dev": single_process, "cluster": cluster}
    for name in sys.argv[1:] or parts:
        try:
            parts[name]()
        except peers.Missing as error:
            print(f"  not measured: {error}")
        except KeyError:
            sys.exit(f"no such part: {name}; there are {', '.join(parts)}")


if __name__ == "__main__":
    main()
