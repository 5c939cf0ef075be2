"""How a process logs: one JSON object a line, or lines for a person at a terminal.

Messages are constant texts; what varies goes into `extra`, so that a log can be searched by message and counted
by field. Uses the standard library's logging, so that libraries log the same way.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

# What every LogRecord has; the rest came in by `extra`. The last two are set by formatters.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def configure(
    stream: TextIO, level: int | str, process: Mapping[str, Any], *, readable: bool = False
) -> None:
    """Send everything at `level` and above to `stream`, and nowhere else. `process`: fields that say who logs
    (region, role, name…), put into every JSON object. `readable`: for a person, without them."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ReadableFormatter() if readable else JsonFormatter(process))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


class JsonFormatter(logging.Formatter):
    """{"time": ISO 8601 in UTC, "level", "logger", "message", the process's fields, `extra`'s fields,
    "exception": the traceback as text}. A field of `extra` that bears one of these names comes as `extra.name`."""

    def __init__(self, process: Mapping[str, Any]) -> None:
        super().__init__()
        self._process = dict(process)

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time_of(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
        }
        for name, value in _fields_of(record).items():
            line[f"extra.{name}" if name in line or name == "exception" else name] = value
        exception = _exception_of(self, record)
        if exception:
            line["exception"] = exception
        try:
            return orjson.dumps(line, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
        except TypeError:  # integers beyond 64 bits, lone surrogates: rare, but a log line must not be lost
            return json.dumps(line, default=repr)


class ReadableFormatter(logging.Formatter):
    """`14:03:07.123 WARNING kvorum.node  message  field=value`, the traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        time = _time_of(record).astimezone().strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f"  {name}={value}" for name, value in _fields_of(record).items())
        line = f"{time} {record.levelname:<7} {record.name}  {record.getMessage()}{fields}"
        exception = _exception_of(self, record)
        return f"{line}\n{exception}" if exception else line


def _time_of(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _exception_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    texts: list[str] = []
    if record.exc_info:
        texts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        texts.append(formatter.formatStack(record.stack_info))
    return "\n".join(texts)
