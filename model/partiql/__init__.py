"""PartiQL for DynamoDB: statement → tokens → frozen nodes → keys and expression texts.

What a statement writes becomes a request of model/requests, its conditions and changes texts of model/expressions;
there is no second engine. Everything raises ValidationException (an ApiError) in AWS's words, nothing else.

AWS developer guide, "PartiQL - a SQL-compatible query language for Amazon DynamoDB".
"""

from __future__ import annotations

from kvorum.model.partiql.binding import Bound, bind
from kvorum.model.partiql.cursor import Cursor
from kvorum.model.partiql.keys import Interval, Reading, reading
from kvorum.model.partiql.nodes import Insert, Select
from kvorum.model.partiql.requests import write_of
from kvorum.model.partiql.selections import (
    filter_of,
    filtered_attributes,
    projection_of,
    refuse_calls,
    selected_attributes,
)

__all__ = [
    "Bound",
    "Cursor",
    "Insert",
    "Interval",
    "Reading",
    "Select",
    "bind",
    "filter_of",
    "filtered_attributes",
    "projection_of",
    "reading",
    "refuse_calls",
    "selected_attributes",
    "write_of",
]
