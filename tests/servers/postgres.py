"""A PostgreSQL server of one's own."""

import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.servers.process import Server

INSTALL = "apt-get install postgresql"
USER, PASSWORD, DATABASE = "na", "a-password-of-postgres", "na"
_ACCOUNT = "postgres"
"""Root cannot run PostgreSQL; this account of Debian's package can."""


@functools.cache
def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL; Debian keeps it where no PATH leads."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    other = shutil.which("postgres")
    place = debian[-1] if debian else Path(other).resolve() if other else None
    return place.parent if place and (place.parent / "initdb").exists() else None


@functools.cache
def as_whom() -> dict[str, Any]:
    """Return how `Popen` starts the programs: as the account, if we are root."""
    if os.getuid() != 0:
        return {}
    account = pwd.getpwnam(_ACCOUNT)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class PostgresServer(Server):
    """It has a database and a superuser, and asks for a password. `settings` are lines of postgresql.conf.

    It does not sync by default. That is enough where the server is killed and not the machine.
    """

    def __init__(self, folder: Path, settings: Sequence[str] = ("fsync=off",)) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        self.settings = settings
        self.url = self.url_of(USER, PASSWORD)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if owner := as_whom():
            for path in (folder, secret):
                os.chown(path, owner["user"], owner["group"])
        self.fill(secret)

    def fill(self, secret: Path) -> None:
        """Make its files."""
        self._run(
            *("initdb", "--no-sync", "--no-locale", "--encoding=UTF8", "--auth=scram-sha-256"),
            *(f"--username={USER}", f"--pwfile={secret}", f"--pgdata={self.data}"),
        )

    def url_of(self, user: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def send(self, number: int) -> None:
        """Send a signal. Each connection has a process of its own, which is to be frozen too."""
        if number in (signal.SIGSTOP, signal.SIGCONT):
            found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, check=False)
            for child in found.stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), number)
        super().send(number)

    def _run(self, program: str, *arguments: str) -> None:
        with (self.folder / "server.log").open("ab") as output:
            subprocess.run(
                [f"{programs()}/{program}", *arguments], check=True, stdout=output, stderr=output, **as_whom()
            )

    def launch(self) -> "subprocess.Popen[bytes]":
        own = ["listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={self.port}", "logging_collector=off"]
        options = [part for each in (*own, *self.settings) for part in ("-c", each)]
        with (self.folder / "server.log").open("ab") as output:
            return subprocess.Popen(
                [f"{programs()}/postgres", "-D", str(self.data), *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                **as_whom(),
            )

    def answers(self) -> bool:
        with contextlib.suppress(OSError, ValueError, psycopg.Error):
            pid, *_, state = (self.data / "postmaster.pid").read_text().split()
            if int(pid) == self.pid and state == "ready":
                self._make_database()
                return True
            return int(pid) == self.pid and state == "standby"
        return False

    def _make_database(self) -> None:
        where = make_conninfo(self.url_of(USER, PASSWORD, "postgres"), connect_timeout=5)
        with psycopg.connect(where, autocommit=True) as db:
            if not db.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                db.execute(f"CREATE DATABASE {DATABASE}")

    def execute(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, and return its rows."""
        with psycopg.connect(self.url, autocommit=True) as db:
            answer = db.execute(query, values)
            return answer.fetchall() if answer.description else []


class Standby(PostgresServer):
    """A copy of a server that follows it, until it is promoted."""

    def __init__(self, folder: Path, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__(folder, primary.settings)

    def fill(self, secret: Path) -> None:
        del secret
        source = self._primary.url_of(USER, PASSWORD)
        self._run(
            "pg_basebackup", f"--dbname={source}", f"--pgdata={self.data}", "-R", "--checkpoint=fast", "--no-sync"
        )

    def promote(self) -> None:
        assert self.execute("SELECT pg_promote()") == [(True,)]


@contextlib.contextmanager
def run_standby(primary: PostgresServer) -> Iterator[Standby]:
    """Run a server that follows another one."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = Standby(Path(folder), primary)
        try:
            yield server.start()
        finally:
            server.stop()


@contextlib.contextmanager
def run_postgres(settings: Sequence[str] = ("fsync=off",)) -> Iterator[PostgresServer]:
    """Run a server with files in a folder of its own. Skip where there is none."""
    if programs() is None:
        pytest.skip(f"PostgreSQL is not installed: {INSTALL}")
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:  # pytest's own folders are closed to the account
        server = PostgresServer(Path(folder), settings)
        try:
            yield server.start()
        finally:
            server.stop()
