"""Commands on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Terminal:
    """A command on a terminal, and what it has shown."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process, self._descriptor = process, descriptor
        self.shown = ""

    def read_until(self, text: str) -> None:
        """Read until the text is there."""
        while text not in self.shown:
            assert self._read(), self.shown

    def read_all(self) -> int:
        """Read to the end, and return the exit status."""
        while self._read():
            pass
        return self.process.wait(60)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._descriptor, text.encode())

    def _read(self) -> bool:
        try:
            content = os.read(self._descriptor, 4096)
        except OSError:  # the other end is closed
            content = b""
        self.shown += content.decode(errors="replace")
        return bool(content)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "iot_northbound", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()
            os.close(ours)
