"""A PgBouncer of one's own, in front of a PostgreSQL server."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.servers.postgres import DATABASE, PASSWORD, USER, PostgresServer, as_whom
from tests.servers.process import Server

INSTALL = "apt-get install pgbouncer"
DEBIAN = "/usr/sbin/pgbouncer"
"""Where Debian has it: no user's PATH leads there."""


def found() -> str | None:
    return DEBIAN if os.access(DEBIAN, os.X_OK) else shutil.which("pgbouncer")


class PgBouncer(Server):
    """It knows the superuser and the database of the server. `size` is how many connections it makes."""

    def __init__(self, folder: Path, server: PostgresServer, mode: str, size: int = 20) -> None:
        super().__init__(folder)
        self.url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"
        (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        (folder / "pgbouncer.ini").write_text(
            "\n".join(
                [
                    "[databases]",
                    f"{DATABASE} = host=127.0.0.1 port={server.port}",
                    "[pgbouncer]",
                    "listen_addr = 127.0.0.1",
                    f"listen_port = {self.port}",
                    "unix_socket_dir =",
                    "auth_type = scram-sha-256",
                    f"auth_file = {folder / 'users'}",
                    f"pool_mode = {mode}",
                    f"default_pool_size = {size}",
                    "",
                ]
            )
        )
        if owner := as_whom():
            for path in (folder, folder / "users", folder / "pgbouncer.ini"):
                os.chown(path, owner["user"], owner["group"])

    def launch(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "server.log").open("ab") as output:
            return subprocess.Popen(
                [str(found()), str(self.folder / "pgbouncer.ini")],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                **as_whom(),
            )

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.Error), psycopg.connect(self.url, autocommit=True, connect_timeout=5) as db:
            return db.execute("SELECT 1").fetchone() == (1,)
        return False


@contextlib.contextmanager
def run_pgbouncer(server: PostgresServer, mode: str, size: int = 20) -> Iterator[PgBouncer]:
    """Run one that gives each session or each transaction a connection, as `mode` says. Skip where there is none."""
    if found() is None:
        pytest.skip(f"PgBouncer is not installed: {INSTALL}")
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:  # as for PostgreSQL
        bouncer = PgBouncer(Path(folder), server, mode, size)
        try:
            yield bouncer.start()
        finally:
            bouncer.kill()
