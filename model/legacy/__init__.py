"""The older way to say what expressions say: Expected, AttributeUpdates, KeyConditions, QueryFilter, ScanFilter.

Two steps. The router reads a parameter once (`read_…`): what is wrong with it in AWS's words, else a typed value
(model/requests, Legacy…) that may cross the wire. Wherever it is evaluated it becomes the nodes that expressions are
parsed into, and the same engine runs them; so that a condition means one thing, however it was written.

It is these values that cross the wire, and not expression texts made from them: what bounds a text (4 KB, 300
operators) does not bound these parameters, names need no placeholders, and the few things that are unlike expressions
(AWS's words for a type mismatch, ADD to a list) stay visible.

AWS developer guide, "Legacy conditional parameters". Everything raises ValidationException, nothing else.
"""

from __future__ import annotations

from kvorum.model.legacy.conditions import (
    predicate,
    read_conditions,
    read_expected,
)
from kvorum.model.legacy.key_conditions import key_range, read_key_conditions
from kvorum.model.legacy.updates import apply_updates, check_key_untouched, creates_item, read_updates

__all__ = [
    "apply_updates",
    "check_key_untouched",
    "creates_item",
    "key_range",
    "predicate",
    "read_conditions",
    "read_expected",
    "read_key_conditions",
    "read_updates",
]
