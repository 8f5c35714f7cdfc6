"""A server as a process: started, paused, killed, started again on the same port."""

import abc
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

_PORTS = range(10_000, 32_000)
"""The system gives none of these to a connection or a port 0, so nobody gets one by chance before a server has it."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on, for a server that is started, perhaps again."""
    while True:
        port = secrets.choice(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Server(abc.ABC):
    """A server process. `start` returns when this very process answers, not one that was there before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process."""

    @abc.abstractmethod
    def answers(self) -> bool:
        """Return True if the process that was launched last answers."""

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> Self:
        end = time.monotonic() + 30
        self.process = self.launch()
        while not self.answers():
            if self.process.poll() is not None:  # what a killed server left behind may end its successor: once more
                self.process = self.launch()
            assert time.monotonic() < end, f"the server does not start: {self.log}"
            time.sleep(0.01)
        return self

    def send(self, number: int) -> None:
        """Send the server a signal."""
        if self.process is not None:
            self.process.send_signal(number)

    def pause(self) -> None:
        """Stop it for a while: its connections stay open, and from now on nothing answers."""
        self.send(signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)  # the signal has only been sent until here

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.send(number)
            self.resume()
            self.process.wait(30)
            self.process = None
