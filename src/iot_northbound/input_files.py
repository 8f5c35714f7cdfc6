"""Files that a person names for reading: opened and read, but never without end."""

import errno
import io
import os
import select
import stat
from collections.abc import Iterator
from typing import TextIO

MOST = 16 << 20
"""Bytes of a file that is read whole, unless its reader says another number."""
_LONGEST = 1 << 20
"""Characters of one line."""
_PATIENCE = 30.0
"""Seconds until the first byte of a pipe. A shell gives a pipe for `<(command)`."""
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""To open a pipe without a writer. Windows has no such pipes among its files."""


class InputFileError(OSError):
    """It is no file to read, or it is too large; `strerror` says which."""


def open_file(path: str | os.PathLike[str], *, again: bool = False) -> io.BufferedReader:
    """Return a file that is open for reading. A pipe is one too, if something comes out of it.

    Args:
        path: the file.
        again: whether another program opens it once more; a pipe cannot be read twice.

    Raises:
        OSError: it cannot be opened; InputFileError: it is no file.
        ValueError: a file cannot have such a name.
    """
    file = open(path, "rb", opener=_open)  # noqa: SIM115 - the caller closes it
    try:
        _check(file.fileno(), again=again)
    except BaseException:
        file.close()
        raise
    return file


def _open(name: str, flags: int) -> int:
    return os.open(name, flags | _AT_ONCE)


def _check(descriptor: int, *, again: bool) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) and not again:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        if not waiting.poll(_PATIENCE * 1000):
            raise InputFileError(errno.EINVAL, f"it is a pipe, and nothing came out of it in {_PATIENCE:g} s")
    elif not stat.S_ISREG(mode) and not os.isatty(descriptor):
        what = "pipe" if stat.S_ISFIFO(mode) else "device"
        raise InputFileError(errno.EINVAL, f"it is a {what}, not a file")
    if _AT_ONCE:
        os.set_blocking(descriptor, True)


def read_bytes(path: str | os.PathLike[str], most: int = MOST, *, again: bool = False) -> bytes:
    """Return the content of a file that has at most so many bytes.

    Raises:
        OSError: it cannot be read; InputFileError: it is no file, or has more bytes.
        ValueError: a file cannot have such a name.
    """
    with open_file(path, again=again) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputFileError(errno.EFBIG, f"it has more than {most >> 20} MiB")
    return data


class LineTooLongError(ValueError):
    """A line has no end in sight."""


def lines_of(text: TextIO) -> Iterator[str]:
    """Yield the lines of a text of any length, if no line is longer than 1,048,576 characters.

    Raises:
        LineTooLongError: one is.
    """
    while line := text.readline(_LONGEST):
        if len(line) == _LONGEST:
            raise LineTooLongError(f"it is longer than {_LONGEST:,} characters")
        yield line
