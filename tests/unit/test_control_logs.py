"""One JSON object a line, whatever is logged."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvorum.control.logs import JsonFormatter, configure

PROCESS = {"region": "eu", "role": "node", "name": "node-1"}


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(readable: bool = False, level: int | str = logging.INFO) -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    configure(stream, level, PROCESS, readable=readable)
    return logging.getLogger("kvorum.test"), stream


def test_a_line_says_when_who_and_what() -> None:
    logger, stream = logged()
    logger.warning("the disk is %s full", "nearly", extra={"free_bytes": 17, "path": ("a", "b")})
    line = json.loads(stream.getvalue())
    moment = datetime.fromisoformat(line.pop("time"))
    assert moment.tzinfo == UTC
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert line == {
        "level": "WARNING",
        "logger": "kvorum.test",
        "message": "the disk is nearly full",
        **PROCESS,
        "free_bytes": 17,
        "path": ["a", "b"],
    }


def test_an_exception_stays_in_its_line() -> None:
    logger, stream = logged()
    try:
        raise OSError("no such disk")
    except OSError:
        logger.exception("a sync failed")
    (line,) = stream.getvalue().splitlines()
    assert "OSError: no such disk" in json.loads(line)["exception"]


def test_extra_fields_cannot_overwrite_ours() -> None:
    logger, stream = logged()
    logger.info("x", extra={"level": 3, "region": "us"})
    line = json.loads(stream.getvalue())
    assert (line["level"], line["extra.level"]) == ("INFO", 3)
    assert (line["region"], line["extra.region"]) == ("eu", "us")


def test_the_level_holds_and_configuring_again_replaces() -> None:
    logger, first = logged(level="WARNING")
    logger.info("quiet")
    logger, second = logged()
    logger.info("loud")
    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["message"] == "loud"


def test_readable_lines() -> None:
    logger, stream = logged(readable=True)
    try:
        raise OSError("no such disk")
    except OSError:
        logger.exception("a sync failed", extra={"partition": 7})
    first, *trace = stream.getvalue().splitlines()
    assert first.endswith(" ERROR   kvorum.test  a sync failed  partition=7")
    assert trace[-1] == "OSError: no such disk"


_JSON_AND_WORSE = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.just(object())
    | st.builds(OSError, st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=5,
)


@given(st.text(st.characters()), _JSON_AND_WORSE)
def test_anything_can_be_logged(message: str, value: Any) -> None:
    record = logging.makeLogRecord({"msg": message, "name": "kvorum", "thing": value})
    text = JsonFormatter(PROCESS).format(record)
    assert "\n" not in text
    assert json.loads(text)["message"] == message
