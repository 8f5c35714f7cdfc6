"""The owner of a SQLite file: this process has a table of its files, and a lock on a second file keeps others out.

That lock, `flock` on ``<file>-owner``, belongs to an open descriptor: a program that reads the second file does not
change the lock, and the kernel releases it when the process ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
import threading
import weakref
from pathlib import Path

log = logging.getLogger("iot_northbound.files")

BESIDE = ("-wal", "-shm")
"""Suffixes of the files that SQLite keeps next to a file in use."""
_TAKEN = (*BESIDE, "-journal", "-owner")
"""Suffixes of files that belong to another file."""


def ended_uncleanly(path: Path) -> bool:
    """Return whether the last owner of a file ended without closing it, so that its log is still there."""
    return _size(beside(path.resolve(), "-wal")) > 0


class FileInUseError(Exception):
    """Another part of this process, or another process, uses the file."""


class UnfitFileError(Exception):
    """The file cannot be used. The text says why, and what to do."""


class Claim:
    """The ownership of one file: a table shows it to this process, and a lock shows it to other processes."""

    def __init__(self, path: Path) -> None:
        if path.name.lower().endswith(_TAKEN):
            raise UnfitFileError(
                f"the name {path.name} is kept for a file that goes with another one: choose a name that does "
                f"not end in {', '.join(_TAKEN)}"
            )
        self.process = os.getpid()
        self._keys: tuple[object, ...] = ()
        self._second = beside(path, "-owner")
        self._lock: int | None = None
        self._lost = False
        with CLAIMING:
            if path in CLAIMED:
                raise FileInUseError("this process has it open")
            # Under its owner's lock, so that two processes cannot create it at the same time.
            self._lock = _lock(self._second)
            self._held = os.fstat(self._lock)
            try:
                found = _regular(path)
                inode = (found.st_dev, found.st_ino)
                if inode in CLAIMED:
                    raise FileInUseError("this process has it open under another name")
                if found.st_nlink > 1:
                    raise FileInUseError(
                        f"it has {found.st_nlink} names (hard links), and may be in use under another: SQLite keeps a "
                        "log beside each name. Delete the other names, or make a copy"
                    )
            except BaseException:
                os.close(self._lock)
                raise
            self._keys = (path, inode)
            CLAIMED.update(self._keys)
            CLAIMS.add(self)

    def renew(self) -> None:
        """Create and lock the second file again if it was deleted; called before anything is written.

        Raises:
            FileInUseError: another second file exists, so another process may use the file.
        """
        if not self._lost:
            try:
                if os.path.samestat(os.stat(self._second), self._held):
                    return
                self._lost = True
            except FileNotFoundError:
                self._lock_anew()
        if self._lost:
            raise FileInUseError(
                f"{self._second.name} was deleted or replaced while it was in use, and another process may work on the "
                "file now: see to it that only one does, then start this one again"
            )

    def _lock_anew(self) -> None:
        try:
            lock = _lock(self._second)
        except FileInUseError:
            self._lost = True
            return
        log.warning("%s was deleted while it was in use, and was made anew: leave it alone", self._second)
        self.drop_lock()
        self._lock, self._held = lock, os.fstat(lock)

    def delete(self, path: Path) -> None:
        """Delete the file and all beside it; the second file last, because it has the lock."""
        for each in (path, *[beside(path, suffix) for suffix in BESIDE], self._second):
            with contextlib.suppress(OSError):  # on Windows, a file that is open stays
                each.unlink()

    def release(self) -> None:
        """Release the file, if it belongs to this process."""
        if self.process == os.getpid():
            with CLAIMING:
                CLAIMED.difference_update(self._keys)
                self.drop_lock()

    def drop_lock(self) -> None:
        """Close the descriptor of the lock. Copies of the descriptor that a fork made keep the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(path: Path) -> int:
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), path.stat()):
                    return lock
        except BlockingIOError:
            os.close(lock)
            raise FileInUseError("another process has it open") from None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # deleted meanwhile: the locked file is no longer at this path


def _regular(path: Path) -> os.stat_result:
    """Return the file's `stat`. Create the file if it is missing; only its owner can read it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        new = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.chmod(path, 0o600)  # with any umask
        finally:
            os.close(new)
        found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise UnfitFileError(f"{path} is {'a folder' if stat.S_ISDIR(found.st_mode) else 'no file'}: give a file")
    if not found.st_size:
        refuse_orphan(path)
    return found


def refuse_orphan(path: Path) -> None:
    """Raise UnfitFileError if an empty file has a log that is not empty."""
    left = beside(path, "-wal")
    if _size(left):
        raise UnfitFileError(
            f"{path} is empty, and {left.name} is left of an earlier one: put that one back, or move {left.name} away"
        )


def _size(path: Path) -> int:
    """Return a file's size; 0 if there is none. Another process may delete it at any moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def beside(path: Path, suffix: str) -> Path:
    """Return the path with a suffix added to its name."""
    return path.with_name(path.name + suffix)


CLAIMING = threading.RLock()
"""Held while a file is claimed or released; a fork waits for it."""
CLAIMED: set[object] = set()
"""The files that this process owns: paths, and (device, inode)."""
CLAIMS: weakref.WeakSet[Claim] = weakref.WeakSet()
"""The claims of this process."""


def _after_fork_in_child() -> None:
    for claim in CLAIMS:
        claim.drop_lock()  # the lock ends with the parent, not with its last child
    CLAIMS.clear()
    CLAIMED.clear()
    CLAIMING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=CLAIMING.acquire, after_in_parent=CLAIMING.release, after_in_child=_after_fork_in_child)
