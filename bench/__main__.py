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
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench import peers
from bench.load import Plan, Result

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


def put_bodies() -> list[bytes]:
    bodies = [_json({"TableName": "bench", "Item": item(number)}) for number in range(KEYS)]
    random.Random(1).shuffle(bodies)
    return bodies


def get_bodies() -> list[bytes]:
    bodies = [
        _json({"TableName": "bench", "Key": {"pk": {"S": f"user#{number:08d}"}}}) for number in range(KEYS)
    ]
    random.Random(2).shuffle(bodies)
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


def create_table(port: int) -> None:
    body = {
        "TableName": "bench",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    _call(port, "CreateTable", body)
    for _ in range(600):
        if _call(port, "DescribeTable", {"TableName": "bench"})["Table"]["TableStatus"] == "ACTIVE":
            return
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


def measure_dynamodb(port: int, core: int | None) -> tuple[Result, Result]:
    """(PutItem, GetItem): puts fill the table, eventually consistent gets read it."""
    create_table(port)
    put = load(Plan(port=port, target="PutItem", requests=put_bodies(), count=COUNT, warmup=KEYS), core)
    get = load(Plan(port=port, target="GetItem", requests=get_bodies(), count=COUNT, warmup=KEYS), core)
    return put, get


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kvorum-bench-") as directory:
        yield Path(directory)


def row(name: str, result: Result, base: float | None = None) -> None:
    ratio = f"{result.requests_per_second / base:6.2f} x" if base else ""
    print(
        f"  {name:<44}{result.requests_per_second:>9,.0f} /s"
        f"{result.p50_ms:>8.2f} ms{result.p99_ms:>8.2f} ms  {ratio}",
        flush=True,
    )


def single_process() -> None:
    print(f"one core each, {CONNECTIONS} connections, {KEYS:,} keys, ~300-byte items      p50       p99")
    with scratch() as directory, peers.dynalite(directory, SERVER_CORE) as port:
        base_put, base_get = measure_dynamodb(port, LOAD_CORE)
    row("dynalite PutItem (in memory)", base_put)
    row("dynalite GetItem", base_get)
    with scratch() as directory, peers.kvorum_dev(directory, SERVER_CORE) as port:
        put, get = measure_dynamodb(port, LOAD_CORE)
    row("kvorum dev PutItem (fsynced)", put, base_put.requests_per_second)
    row("kvorum dev GetItem", get, base_get.requests_per_second)
    with scratch() as directory, peers.kvorum_dev(directory, SERVER_CORE, "--in-memory") as port:
        put, get = measure_dynamodb(port, LOAD_CORE)
    row("kvorum dev --in-memory PutItem", put, base_put.requests_per_second)
    row("kvorum dev --in-memory GetItem", get, base_get.requests_per_second)


def cluster() -> None:
    print(f"three members, fsync, whole machine shared, {CONNECTIONS} connections       p50       p99")
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
        put, get = measure_dynamodb(port, None)
    row("kvorum up PutItem, through the router", put, base.requests_per_second)
    row("kvorum up GetItem, through the router", get)


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
