"""A user's program: a forum of threads and replies through PynamoDB, with nothing in it that knows where the store
is. The environment says it (AWS_ENDPOINT_URL and credentials).

`python forum.py PREFIX` makes its two tables, plays a story, prints what each step gave, as JSON, and deletes them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.exceptions import DeleteError, DoesNotExist, PutError, PynamoDBException, UpdateError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, IncludeProjection, LocalSecondaryIndex
from pynamodb.models import Model

prefix = sys.argv[1]
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class ByAuthor(GlobalSecondaryIndex[Any]):
    """An author's threads, of all forums, in the order of their last posts."""

    class Meta:
        index_name = "author-last_post-index"
        projection = AllProjection()

    author = UnicodeAttribute(hash_key=True)
    last_post = UTCDateTimeAttribute(range_key=True)


class LastPost(LocalSecondaryIndex[Any]):
    """A forum's threads in the order of their last posts."""

    class Meta:
        index_name = "last_post-index"
        projection = IncludeProjection(["replies", "tags"])

    forum = UnicodeAttribute(hash_key=True)
    last_post = UTCDateTimeAttribute(range_key=True)


class Origin(MapAttribute[str, Any]):
    address = UnicodeAttribute()
    trusted = BooleanAttribute(default=False)


class Thread(Model):
    """Every save checks that nobody else saved since (`version`)."""

    class Meta:
        table_name = f"{prefix}-Thread"
        region = "ap-northeast-1"
        billing_mode = "PAY_PER_REQUEST"

    forum = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    author = UnicodeAttribute()
    last_post = UTCDateTimeAttribute()
    replies = NumberAttribute(default=0)
    tags: UnicodeSetAttribute = UnicodeSetAttribute(null=True)
    origin = Origin(null=True)
    history: ListAttribute[Any] = ListAttribute(default=list)
    extra = JSONAttribute(null=True)
    version = VersionAttribute()

    by_author = ByAuthor()
    last_posts = LastPost()


class Reply(Model):
    class Meta:
        table_name = f"{prefix}-Reply"
        region = "ap-northeast-1"
        read_capacity_units = 5
        write_capacity_units = 5

    thread = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)
    text = UnicodeAttribute()


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def open_threads() -> None:
    for number in range(6):
        Thread(
            "cats" if number % 2 else "dogs",
            f"thread {number}",
            author="ann" if number < 4 else "bob",
            last_post=at(number),
            tags={"new", f"t{number}"},
            origin=Origin(address=f"10.0.0.{number}"),
            history=[{"opened": number}],
            extra={"stars": number, "text": "ok"},
        ).save(Thread.subject.does_not_exist())


def answer(thread: Thread, minutes: int) -> None:
    thread.update(
        actions=[
            Thread.replies.add(1),
            Thread.last_post.set(at(minutes)),
            Thread.tags.delete({"new"}),
            Thread.origin.trusted.set(True),
            Thread.history.set(Thread.history.append([{"answered": minutes}])),
        ],
        condition=Thread.author == "ann",
    )


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> str | None:
    """AWS's code of the error that PynamoDB raises."""
    try:
        call(*arguments, **named)
    except (PutError, UpdateError, DeleteError, PynamoDBException) as error:
        return error.cause_response_code or type(error).__name__
    return None


def settled(call: Callable[[], Any], wanted: Any) -> Any:
    """The call's answer, asked until it is `wanted`, 15 s at most: a global index is a moment behind its table."""
    deadline = time.monotonic() + 15
    while True:
        found = call()
        if found == wanted or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def threads_of(author: str, since: datetime) -> list[str]:
    found = Thread.by_author.query(author, ByAuthor.last_post >= since, scan_index_forward=False, page_size=1)
    return [thread.subject for thread in found]


def main() -> None:
    told: dict[str, Any] = {}
    for model in (Thread, Reply):
        model.create_table(wait=True)
    told["exist"] = [Thread.exists(), Reply.exists()]
    open_threads()
    told["opened twice"] = refusal(open_threads)

    first = Thread.get("dogs", "thread 0", consistent_read=True)
    told["read"] = {
        "author": first.author,
        "tags": sorted(first.tags),
        "origin": first.origin.as_dict(),
        "history": [entry.as_dict() if isinstance(entry, MapAttribute) else entry for entry in first.history],
        "extra": first.extra,
        "last_post": first.last_post.isoformat(),
        "version": first.version,
    }
    stale = Thread.get("dogs", "thread 0", consistent_read=True)
    answer(first, 30)
    told["answered"] = [first.replies, sorted(first.tags), first.origin.trusted, first.version]
    told["stale"] = refusal(stale.save)
    told["not ann's"] = refusal(answer, Thread.get("dogs", "thread 4", consistent_read=True), 31)

    told["last posts"] = [
        [thread.subject, thread.replies, thread.author]
        for thread in Thread.last_posts.query("dogs", scan_index_forward=False, consistent_read=True)
    ]
    told["of ann"] = settled(
        lambda: threads_of("ann", at(1)), ["thread 0", "thread 3", "thread 2", "thread 1"]
    )
    told["count of bob"] = settled(lambda: Thread.by_author.count("bob"), 2)
    told["in the index"] = settled(lambda: sum(1 for _ in Thread.by_author.scan(page_size=2)), 6)

    with Reply.batch_write() as batch:
        for number in range(60):
            batch.save(Reply("thread 0", number, text=f"reply {number} " + "x" * 100))
        for number in range(3):
            batch.delete(Reply("thread 1", number, text=""))
    found = Reply.query("thread 0", Reply.number.between(10, 40), page_size=7, limit=25, consistent_read=True)
    told["replies"] = [int(reply.number) for reply in found]
    told["went on from"] = found.last_evaluated_key
    rest = Reply.query(
        "thread 0",
        Reply.number.between(10, 40),
        last_evaluated_key=found.last_evaluated_key,
        consistent_read=True,
    )
    told["the rest"] = [int(reply.number) for reply in rest]
    told["filtered"] = [
        int(reply.number)
        for reply in Reply.query(
            "thread 0", filter_condition=Reply.text.startswith("reply 5"), consistent_read=True
        )
    ]
    told["in one go"] = sorted(
        int(reply.number)
        for reply in Reply.batch_get([("thread 0", number) for number in range(120)], consistent_read=True)
    ) == list(range(60))
    told["scanned"] = sum(
        sum(1 for _ in Reply.scan(segment=segment, total_segments=3, consistent_read=True))
        for segment in range(3)
    )
    told["counted"] = Reply.count("thread 0", consistent_read=True)

    told["deleted stale"] = refusal(stale.delete)
    first.delete()
    try:
        Thread.get("dogs", "thread 0", consistent_read=True)
    except DoesNotExist:
        told["gone"] = True
    told["of ann at last"] = settled(lambda: threads_of("ann", at(2)), ["thread 3", "thread 2"])
    for model in (Thread, Reply):
        model.delete_table()
    told["left"] = settled(lambda: [Thread.exists(), Reply.exists()], [False, False])
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
