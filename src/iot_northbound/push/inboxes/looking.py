"""Looks at the file of a `SqliteInbox` beside the process that owns it: nothing is written, and no lock is taken."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from iot_northbound.push.inbox import DeadLetter, InboxError, InboxStats, letter_of


class FileView:
    """The content of an inbox file, as it is at each call.

    Args:
        path: the file.

    Raises:
        InboxError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InboxError(f"there is no file {path}")

    def stats(self) -> InboxStats:
        """Return how full it is.

        Raises:
            InboxError: it cannot be read, or is not an inbox (`dead_letters` raises it too).
        """
        statement = (
            "SELECT sum(NOT dead), sum(dead), sum(length(body)), min(CASE WHEN dead THEN NULL ELSE received_at END)"
            " FROM messages"
        )
        with self._reading() as connection:
            waiting, dead, size, oldest = connection.execute(statement).fetchone()
        if oldest is not None and not (isinstance(oldest, float) and math.isfinite(oldest)):
            raise InboxError(f"the inbox {self.path} is damaged: the time of a message is not a time")
        return InboxStats(waiting or 0, dead or 0, size or 0, oldest)

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        statement = (
            "SELECT id, kind, device, received_at, attempts, error, body FROM messages WHERE dead ORDER BY id LIMIT ?"
        )
        with self._reading() as connection:
            rows = connection.execute(statement, (limit,)).fetchall()
        return [letter_of(row) for row in rows]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            uri = f"{self.path.resolve().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10.0)) as connection:
                yield connection
        except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
            raise InboxError(f"the inbox {self.path} cannot be read: {type(error).__name__}: {error}") from error


def owner_of(path: Path) -> int | None:
    """Return the process that owns an inbox file, if the system says it: Linux does."""
    with contextlib.suppress(OSError, ValueError):
        file = path.resolve()
        found = file.with_name(f"{file.name}-owner").stat()
        place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, process, where, *_ = line.replace("-> ", "").split()
            if kind == "FLOCK" and where == place and int(process) > 0:
                return int(process)
    return None
