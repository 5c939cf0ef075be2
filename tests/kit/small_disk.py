"""A real disk of a few megabytes, to be filled: a tmpfs mount, for tests that run as root on Linux."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PAGE = bytes(4096)


class SmallDisk:
    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def free_bytes(self) -> int:
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """What another process does that takes all the space there is."""
        with (self.path / "filler").open("ab", buffering=0) as filler:
            while self.free_bytes > leave_bytes:
                try:
                    filler.write(_PAGE)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def release(self) -> None:
        (self.path / "filler").unlink()

    def make_read_only(self) -> None:
        _run("mount", "-o", "remount,ro", str(self.path))


@contextmanager
def small_disk(path: Path, size_bytes: int) -> Generator[SmallDisk]:
    """Mounted at `path`, a new directory; gone at the end. Skips the test where mounting is not allowed."""
    path.mkdir()
    refused = _run("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path))
    if refused:
        pytest.skip(f"needs a file system of its own, and mounting is refused: {refused}")
    try:
        yield SmallDisk(path)
    finally:
        # Lazy: a test that failed may hold files open, and must not leave the mount behind.
        _run("umount", "-l", str(path))


def _run(*command: str) -> str:
    """Why the command failed; "" if it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return done.stderr.strip() or "failed" if done.returncode else ""
