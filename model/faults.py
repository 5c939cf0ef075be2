"""What is wrong with an attribute value. AWS is replacing its validation, and says some things of a value in other
words where the older one still runs: BatchWriteItem, Scan, transactions, PartiQL's parameters. Captured in four
regions by paritysuite/dynamodb-conformance (tests/tier3/error-messages/valueLayers, October 2026)."""

from __future__ import annotations

from kvorum.model.errors import ApiError, validation

_KIND = validation("").kind


class ValueFault(ApiError):
    """A ValidationException in the newer words. `older`: what the older validation says. Both find these faults while
    they read a value, before they know what it is of (dynalite's tests of ExclusiveStartKey, valueLayers)."""

    def __init__(self, message: str, older: str | None = None) -> None:
        super().__init__(_KIND, message)
        self.older = message if older is None else older


def in_older_words(error: ApiError) -> ApiError:
    return validation(error.older) if isinstance(error, ValueFault) else error
