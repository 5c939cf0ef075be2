"""Who is told of control changes, and what each must be told to be up to date.

Casts may be lost, so every message says which version it joins on to; a receiver that cannot join watches again
and gets what it lacks: the recent changes, or everything when they are not remembered any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from kvorum.control.messages import ControlUpdates
from kvorum.control.state import Update
from kvorum.replication.link import Link

HISTORY_UPDATES_MAX = 512


class Watchers:
    """`version` is the newest one published. `everything` gives the whole state at that version."""

    def __init__(self, version: int, everything: Callable[[], list[Update]]) -> None:
        self.version = version
        self._everything = everything
        self._links: dict[int, Link] = {}
        self._history: deque[ControlUpdates] = deque()
        self._history_updates = 0

    def watch(self, link: Link, version: int) -> None:
        """Tell `link` what it lacks behind `version` (-1: it knows nothing), and from now on every change."""
        self._links[id(link)] = link
        message = self.since(version)
        if message is not None:
            link.cast(message)

    def unwatch(self, link: Link) -> None:
        self._links.pop(id(link), None)

    def since(self, version: int) -> ControlUpdates | None:
        """What brings a watcher from `version` to ours; None when it has all that we know."""
        if version >= self.version:
            return None
        oldest = self._history[0].after if self._history else self.version
        if version < oldest:
            return ControlUpdates(self.version, True, self._everything())
        missing = [message for message in self._history if message.version > version]
        updates = [update for message in missing for update in message.updates]
        return ControlUpdates(self.version, False, updates, missing[0].after)

    def publish(self, version: int, updates: list[Update]) -> ControlUpdates:
        """`updates` lead from our version to `version`: remember them, tell everybody, and return the message."""
        message = ControlUpdates(version, False, updates, self.version)
        self.version = version
        self._history.append(message)
        self._history_updates += len(updates)
        while self._history_updates > HISTORY_UPDATES_MAX:
            self._history_updates -= len(self._history.popleft().updates)
        self._cast(message)
        return message

    def remind(self) -> None:
        """Say which version is current, so that whoever missed the last change finds out."""
        self._cast(ControlUpdates(self.version, False, [], self.version))

    def _cast(self, message: ControlUpdates) -> None:
        for number, link in list(self._links.items()):
            if link.connected:
                link.cast(message)
            else:
                self._links.pop(number, None)
