"""The witness of the tests with kills: it must miss no doubtful answer, or a test would be blamed for one; and see
none where there is none, or nothing could fail."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.kit.kills import Listener

_ANSWERS = (
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0),
    (b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"UnprocessedItems":{}}', 0),
    (b'HTTP/1.1 200 OK\r\n\r\n{"UnprocessedItems":{"t":[]}}', 1),
    (b'HTTP/1.1 200 OK\r\n\r\n{"Responses":{},"UnprocessedKeys":{"t":[]}}', 1),
    (b'HTTP/1.1 200 OK\r\n\r\n{"Responses":[{"Error":{"Code":"InternalServerError"}}]}', 1),
    (b"HTTP/1.1 500 Internal Server Error\r\n\r\n{}", 1),
    (b"HTTP/1.1 503 Service Unavailable\r\n\r\n{}", 0),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n{}", 0),
)


@given(answers=st.lists(st.sampled_from(_ANSWERS)), cuts=st.lists(st.integers(0, 400)))
def test_every_doubtful_answer_counts_once(answers: list[tuple[bytes, int]], cuts: list[int]) -> None:
    whole = b"".join(answer for answer, _ in answers)
    counted: list[int] = []
    listener = Listener(counted.append)
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    for start, end in pairwise(edges):
        listener(whole[start:end])
    assert sum(counted) == sum(doubts for _, doubts in answers)
