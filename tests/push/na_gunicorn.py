"""Run the application of examples/na_gunicorn under load while its workers are reloaded, recycled and killed."""

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from iot_northbound import NorthApiClient, load_profile
from iot_northbound.dto import QueryBatchDevicesInfoInDTO
from iot_northbound.emulator import Emulator
from iot_northbound.testing.messages import push_body
from tests.clock import eventually

EXAMPLE = Path(__file__).parents[2] / "examples/na_gunicorn"
ROUTE = "/v1.0.0/messageReceiver"
WORKERS, USERS, PUSHERS = 4, 6, 3


class Connection(http.client.HTTPConnection):
    """A connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Application:
    """The running application, its users, and the platform that pushes."""

    def __init__(self, folder: Path, platform: Emulator, *, max_requests: int = 100_000) -> None:
        self.folder, self.platform = folder, platform
        self.users: Counter[str] = Counter()
        """How the users' requests ended: a status, or the kind of connection error."""
        self.pushes: Counter[str] = Counter()
        self.workers: set[int] = set()
        """Every worker that has answered a user."""
        self.answered: list[int] = []
        """The pushes that were answered with 200."""
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._device = device_of(platform)
        environ = os.environ | {
            "NA_PROFILE": str(platform.profile_path),
            "NA_FOLDER": str(folder),
            "NA_BIND": f"unix:{folder / 'socket'}",
            "NA_MAX_REQUESTS": str(max_requests),
        }
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--no-control-socket",
            "--config",
            str(EXAMPLE / "gunicorn.conf.py"),
        ]
        self._log = (folder / "log").open("wb")
        self.master = subprocess.Popen(command, env=environ, stderr=self._log)
        self._threads = [
            *(threading.Thread(target=self._use, daemon=True) for _ in range(USERS)),
            *(threading.Thread(target=self._push, args=(sender,), daemon=True) for sender in range(PUSHERS)),
        ]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self) -> None:
        """Wait until a user is answered, then let all users and the platform begin."""
        eventually(lambda: self._get().startswith("200"))
        for thread in self._threads:
            thread.start()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = Connection(self.folder / "socket")
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _get(self) -> str:
        """Ask as a user; return the status, or the kind of the connection error."""
        try:
            status, body = self._ask("GET", f"/devices/{self._device}")
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        if status == 200:
            self.workers.add(json.loads(body)["worker"])
        return f"{status}" if status == 200 else f"{status} {body[:80]!r}"

    def _use(self) -> None:
        while not self._ended.is_set():
            result = self._get()
            with self._lock:
                self.users[result] += 1

    def _push(self, sender: int) -> None:
        """Push as the platform does: what is not answered with 200 is pushed again."""
        while not self._ended.is_set():
            number = next(self._numbers)
            body = push_body("deviceDataChanged", {"n": number}, deviceId=f"d{sender}", requestId=f"r{number}")
            result = ""
            while result != "200":
                try:
                    result = str(self._ask("POST", ROUTE, body)[0])
                except (OSError, http.client.HTTPException) as error:
                    result = type(error).__name__
                with self._lock:
                    self.pushes[result] += 1
            self.answered.append(number)
            self._ended.wait(0.02)  # the handlers keep up

    def served(self, more: int) -> None:
        """Wait until so many more users were answered."""
        until = self.users["200"] + more
        eventually(lambda: self.users["200"] >= until)

    def reload(self) -> None:
        """Reload with requests under way; return once all workers are new ones."""
        old = set(self.children())
        self.master.send_signal(signal.SIGHUP)
        eventually(lambda: not old & set(self.children()))
        self.served(20)

    def kill(self) -> None:
        """Kill a worker, and wait for the next one to answer."""
        victim = self.children()[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: victim not in self.children() and len(self.children()) == WORKERS)
        self.served(20)

    def children(self) -> list[int]:
        """Return the workers, the oldest first."""
        found = []
        for line in Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children").read_text().split():
            found.append(int(line))
        return found

    def handled(self) -> list[int]:
        """Return the numbers of the pushes that were handled."""
        connection = sqlite3.connect(f"file:{self.folder / 'readings.sqlite3'}?mode=ro", uri=True, timeout=30)
        with contextlib.closing(connection):
            return [json.loads(text)["n"] for (text,) in connection.execute("SELECT push FROM readings")]

    def lost(self) -> set[int]:
        """End users and platform; return the pushes that were answered with 200 and are not handled."""
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
        with contextlib.suppress(AssertionError):
            eventually(lambda: set(self.answered) <= set(self.handled()))
        return set(self.answered) - set(self.handled())

    def stop(self) -> None:
        self._ended.set()
        self.master.terminate()
        self.master.wait(60)
        self._log.close()


def device_of(platform: Emulator) -> str:
    platform.control.add_devices(1)
    with NorthApiClient(*load_profile(platform.profile_path)) as client:
        return str(next(client.data_collection.iter_devices(QueryBatchDevicesInfoInDTO())).device_id)


@contextlib.contextmanager
def running(folder: Path, platform: Emulator, **options: int) -> Iterator[Application]:
    application = Application(folder, platform, **options)
    try:
        application.start()
        yield application
    finally:
        application.stop()
