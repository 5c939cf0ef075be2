"""What stops a command before it serves: one clear line for the operator, and exit code 2."""

from __future__ import annotations

import errno
from pathlib import Path


class OperatorError(Exception):
    """The message is the whole line that the operator reads; it says the way out."""


def unusable_directory(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"cannot use the data directory {path}: {error.strerror}; give another with --data-dir"
    )


def unusable_address(address: str, error: OSError) -> OperatorError:
    if error.errno == errno.EADDRINUSE:
        return OperatorError(f"{address} is in use by another process; give another port")
    return OperatorError(f"cannot listen on {address}: {error.strerror or error}")
