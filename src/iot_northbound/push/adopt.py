"""Takes over what a process that is gone left in its inbox file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import attrs

from iot_northbound.push.duplicates import Trace
from iot_northbound.push.failures import log
from iot_northbound.push.inbox import Inbox, InboxError
from iot_northbound.push.parse import NotAMessageError, parse
from iot_northbound.push.sqlite_file import Content, InboxFile, Left

_AT_ONCE = 200
"""Messages of one transaction. So many can come twice if the process ends between two files' transactions."""
_PUT_WITHIN = 30.0


@attrs.frozen
class Adopted:
    """What was done with a file.

    Attributes:
        moved: messages that are in the other inbox now, including dead letters.
        kept: dead letters that stay in the file, because the other inbox takes no dead letters. If it is 0, the file
            was deleted.
    """

    moved: int
    kept: int


@runtime_checkable
class Heir(Protocol):
    """An inbox that takes over everything about a message; others get only what waits, by `put`."""

    def bring(self, rows: list[Left], traces: list[Trace]) -> None:
        """Store them behind what waits already, and return once they are safe.

        Raises:
            InboxError: nothing of them was stored.
        """
        ...


def adopt_file(path: str | os.PathLike[str], into: Inbox) -> Adopted:
    """Move the messages of a `SqliteInbox` file whose process is gone into another inbox, and delete the file.

    They wait behind the messages that are there already. For each device they keep their order, and get new ids. Their
    limits do not count: a message that was answered is not refused. If this process ends meanwhile, call it again: no
    message is lost, and at most 200 are handled twice.

    Args:
        path: the file.
        into: the inbox, started.

    Raises:
        InboxInUseError: its process lives.
        InboxError: it is not an inbox file, it is damaged, or the other inbox cannot store its messages. What was not
            moved is still in the file.
    """
    path = Path(path)
    if not path.is_file():
        raise InboxError(f"there is no file {path}")
    moved = kept = after = 0
    with _LeftFile(path) as left:
        while rows := left.file.left(after, _AT_ONCE):
            after = rows[-1].id
            if isinstance(into, Heir):
                into.bring(rows, [])
            else:
                kept += sum(row.dead for row in rows)
                rows = [row for row in rows if not row.dead]
                _put(rows, into)
            with left.file.transaction() as write:
                write.delete([(row.id,) for row in rows])
            moved += len(rows)
        if isinstance(into, Heir) and left.traces:
            into.bring([], left.traces)
        left.done = not kept
    if moved:
        log.warning("%d messages that another process left in %s were taken over", moved, path)
    return Adopted(moved, kept)


def _put(rows: list[Left], into: Inbox) -> None:
    """Put messages one behind the other, so that their order stays, and wait until all are safe."""
    answers = []
    for row in rows:
        try:
            answers.append(into.put(parse(row.body, row.received_at)))
        except NotAMessageError as error:
            raise InboxError(f"message {row.id} cannot be read ({error}): handle it where the file belongs") from error
    for answer in answers:
        try:
            answer.result(_PUT_WITHIN)
        except TimeoutError:
            raise InboxError(f"the other inbox did not store a message within {_PUT_WITHIN:.0f} s") from None


class _LeftFile:
    """A file whose owner is gone, opened by this process."""

    def __init__(self, path: Path) -> None:
        self.traces: list[Trace] = []
        self.done = False
        self.file = InboxFile(path, self._read)

    def _read(self, content: Content) -> None:
        for _ in content.messages():  # raises if one is damaged
            pass
        content.begun()
        self.traces = [trace for trace in content.seen() if trace.certain]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.file.close(delete=self.done)
        if isinstance(error, sqlite3.Error):
            raise InboxError(f"the file cannot be read or written: {error}") from error
