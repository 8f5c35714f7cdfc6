"""A mosquitto broker of one's own on a free port: it knows nothing of this project, and proves the device side."""

import contextlib
import functools
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from tests.certs import LOOPBACK_NAMES, Authority
from tests.servers.process import free_port

INSTALL = "apt-get install mosquitto mosquitto-clients"
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")


@functools.cache
def found(program: str) -> str | None:
    """Return where the program is; Debian keeps brokers where a user's PATH does not lead."""
    return shutil.which(program) or next(
        (path for folder in _PLACES if (path := shutil.which(program, path=folder))), None
    )


def needs_mosquitto(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where one of the programs is missing; without arguments, the broker."""
    missing = [each for each in programs or ("mosquitto",) if found(each) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed: {INSTALL}")


@attrs.define
class Mosquitto:
    """A broker that speaks TLS on `port`. It accepts any client id, user name and password, unless told otherwise."""

    folder: Path
    ca: Authority
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def ca_path(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text()

    def start(self) -> None:
        """Start it, and return when it accepts connections; on the same port each time."""
        with (self.folder / "mosquitto.log").open("ab") as output:
            self.process = subprocess.Popen(
                [str(found("mosquitto")), "-v", "-c", str(self.folder / "mosquitto.conf")],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
                return
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, "mosquitto does not start"
            time.sleep(0.005)

    def stop(self, *, kill: bool = False) -> None:
        if self.process is not None:
            if kill:
                self.process.kill()
            else:
                self.process.terminate()
            self.process.wait(20)
            self.process = None


@contextlib.contextmanager
def mosquitto(folder: Path, lines: Sequence[str] = ()) -> Iterator[Mosquitto]:
    """Run a broker with its files in this folder; `lines` are added to its configuration."""
    ca = Authority()
    certificate, key = ca.issue("localhost", LOOPBACK_NAMES).write(folder, "broker")
    (folder / "ca.pem").write_bytes(ca.pem)
    port = free_port()
    (folder / "mosquitto.conf").write_text(
        "\n".join(
            [
                "user root",  # started by root, it would otherwise become a user who cannot read the folder
                *(lines or ["allow_anonymous true"]),
                f"listener {port} 127.0.0.1",
                f"certfile {certificate}",
                f"keyfile {key}",
                "",
            ]
        )
    )
    broker = Mosquitto(folder, ca, port)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
