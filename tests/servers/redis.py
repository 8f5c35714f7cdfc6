"""A Redis server of one's own."""

import contextlib
import functools
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.servers.process import Server

INSTALL = "apt-get install redis-server"
PASSWORD = "a-password-of-redis"


@functools.cache
def found() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer(Server):
    """It asks for a password and keeps nothing on disk, unless `lines` of its configuration say otherwise."""

    def __init__(self, folder: Path, lines: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        (folder / "redis.conf").write_text(
            "\n".join(
                [
                    f"port {self.port}",
                    "bind 127.0.0.1",
                    f"dir {folder}",
                    'save ""',
                    f"requirepass {PASSWORD}",
                    f"masterauth {PASSWORD}",
                    "enable-debug-command local",
                    *lines,
                    "",
                ]
            )
        )

    def launch(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "server.log").open("ab") as output:
            return subprocess.Popen(
                [str(found()), str(self.folder / "redis.conf")], stdout=output, stderr=subprocess.STDOUT
            )

    def answers(self) -> bool:
        try:
            return f"process_id:{self.pid}\r\n" in self.command("INFO", "server")
        except OSError:
            return False

    def command(self, *words: str) -> str:
        """Return the raw answer to a command, as the protocol writes it."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            for each in (("AUTH", PASSWORD), words, ("QUIT",)):
                parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in each]
                connection.sendall(f"*{len(each)}\r\n{''.join(parts)}".encode())
            with connection.makefile("rb") as answer:
                return answer.read().decode().removeprefix("+OK\r\n").removesuffix("+OK\r\n")


@contextlib.contextmanager
def run_redis(folder: Path, lines: Sequence[str] = ()) -> Iterator[RedisServer]:
    """Run a server with its files in this folder; `lines` are added to its configuration. Skip where there is none."""
    if found() is None:
        pytest.skip(f"redis-server is not installed: {INSTALL}")
    server = RedisServer(folder, lines)
    try:
        yield server.start()
    finally:
        server.kill()
