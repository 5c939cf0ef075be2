"""What is wrong with a statement, in the words of DynamoDB's PartiQL."""

from __future__ import annotations

from kvorum.model.errors import ApiError, validation

NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"
LEFT_OVER = "Unexpected token after expression"


def not_well_formed(detail: str = "") -> ApiError:
    """`detail`: as AWS's parser names it; nothing for what cannot even be cut into tokens."""
    return validation(f"Statement wasn't well formed, can't be processed: {detail}")
