"""The directory that one command owns: made, probed for writing, and locked against a second owner."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from kvorum.cli.errors import OperatorError, unusable_directory


class DataDirectory:
    """A context: inside it this process alone uses the directory. The lock is the operating system's, so it
    ends with the process however that ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_file = -1

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
            self._lock_file = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise unusable_directory(self.path, error) from error
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._lock_file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._lock_file)
            raise OperatorError(
                f"the data directory {self.path} is in use by another kvorum (pid {owner});"
                " stop that one, or give another with --data-dir"
            ) from error
        os.ftruncate(self._lock_file, 0)
        os.write(self._lock_file, f"{os.getpid()}\n".encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock_file)


def write_atomically(path: Path, data: bytes) -> None:
    """Readers see the old file or the new one, never a part."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    temporary.replace(path)
