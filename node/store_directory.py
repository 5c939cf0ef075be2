"""A store's directory: who it belongs to, what its format is, and how far its writes were once durable.

FORMAT    one line, "kvorum-store 2": written first, so that nothing else is ever taken for ours
SYNCED    the sequence number that the last completed sync had reached
options/  the engine's options, as text
db/       the engine's own files
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kvorum.node.store import StoreBrokenError, StoreDirectoryError, StoreError, StoreFullError

_FORMAT_NAME: Final = "kvorum-store"
_FORMAT_VERSION: Final = 2
# What a fresh file system or a creation that was cut short leaves behind.
_IGNORED_WHEN_NEW: Final = frozenset({"lost+found", "FORMAT.new"})

_MARK: Final = struct.Struct(">QI")


def prepare_directory(path: Path) -> None:
    """Make `path` a durable store directory of this format, or find that it is one. Whether it may be written to
    is found out by what opens files in it.

    Raises StoreDirectoryError (not usable, not ours, of another format) or StoreFullError.
    """
    with explained(path):
        _make_durable_directory(path)
        if not (path / "FORMAT").exists():
            strangers = sorted(set(os.listdir(path)) - _IGNORED_WHEN_NEW)
            if strangers:
                raise StoreDirectoryError(
                    f"{path} holds {strangers[0]!r} and no store: choose an empty directory or a new one"
                )
            replace_durably(path / "FORMAT", f"{_FORMAT_NAME} {_FORMAT_VERSION}\n".encode())
        _check_format(path)
        _make_durable_directory(path / "db")
        _make_durable_directory(path / "options")


def _check_format(path: Path) -> None:
    words = (path / "FORMAT").read_bytes()[:100].decode(errors="replace").split()
    if len(words) != 2 or words[0] != _FORMAT_NAME or not words[1].isdecimal():
        raise StoreDirectoryError(f"{path / 'FORMAT'} does not say {_FORMAT_NAME}: not a store's directory")
    if int(words[1]) != _FORMAT_VERSION:
        raise StoreDirectoryError(
            f"{path} has store format {words[1]}, this program knows format {_FORMAT_VERSION} only: "
            "run the release that wrote it, or start with an empty directory"
        )


class DurableMark:
    """Remembers the last sequence number that was durable, so that a store can tell that it went back.

    The engine's log ends, for the engine, at the first record that does not verify: a flipped bit in the middle
    of confirmed writes looks like the end of unconfirmed ones. The mark tells them apart. It is written after
    each sync and not synced itself: an old mark proves less, and no mark claims too much.
    """

    def __init__(self, path: Path) -> None:
        """Raises StoreDirectoryError, StoreFullError, or StoreBrokenError when the mark does not verify."""
        with explained(path):
            if not path.exists():
                replace_durably(path, _packed_mark(0))
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        packed = os.pread(self._descriptor, _MARK.size + 1, 0)
        self.sequence = int.from_bytes(packed[:8], "big")
        """What was durable for certain."""
        if packed != _packed_mark(self.sequence):
            self.close()
            raise StoreBrokenError(f"{path} is damaged: suspect the disk, and start with an empty directory")

    def record(self, sequence: int) -> None:
        # A mark that could not be written is an old mark, and the sync that it follows did succeed.
        with suppress(OSError):
            os.pwrite(self._descriptor, _packed_mark(sequence), 0)
        self.sequence = sequence

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def replace_durably(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and its directory entry with it."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    _sync_directory(path.parent)


def _make_durable_directory(path: Path) -> None:
    if path.is_dir():
        return
    if path.parent != path:
        _make_durable_directory(path.parent)
    with suppress(FileExistsError):
        path.mkdir()
    if not path.is_dir():
        raise StoreDirectoryError(f"{path} is not a directory")
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Turns what the operating system refused into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        raise _explanation(path, error) from error


def _explanation(path: Path, error: OSError) -> StoreError:
    where = error.filename or path
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return StoreFullError(f"{where}: no space left on its disk")
        case errno.EACCES | errno.EPERM:
            return StoreDirectoryError(f"{where} is not accessible: give it to the user that runs the node")
        case errno.EROFS:
            return StoreDirectoryError(f"{where} is on a read-only file system")
        case errno.ENOTDIR:
            return StoreDirectoryError(f"{where} is not a directory")
        case _:
            return StoreDirectoryError(f"{where}: {error.strerror}")


def _packed_mark(sequence: int) -> bytes:
    return _MARK.pack(sequence, zlib.crc32(sequence.to_bytes(8, "big")))
