"""Connections to PostgreSQL: statements that end in time, and errors without passwords. For the state and the inbox."""

import re
import selectors
import time
from collections.abc import Generator
from typing import Any

from iot_northbound._extras import needs_extra

with needs_extra("postgres"):
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

_LASTING_TEXTS = ("authentication", "password", "does not exist", "pg_hba.conf", "certificate", "SSL", "invalid")
"""What is in the text of a refused connection if time does not cure it. The library gives no code for these."""
_ENDED = (
    "closed unexpectedly",
    "closed the connection unexpectedly",
    "SYSCALL error",
    "unexpected eof",
    "EOF detected",
)
"""What is in it if a server that uses TLS was ended in that moment."""
_NAMES = re.compile(r""""[^"]*"|'[^' ]*'""")
"""Names of hosts, roles and databases. They may have any of these words."""
_OF_A_POOLER = {
    "no such database": "PgBouncer must know the database",
    "statement pooling": "set pool_mode=transaction in PgBouncer, or session",
    "unsupported startup parameter": "leave it out, or name it in ignore_startup_parameters of PgBouncer",
}
"""The same of PgBouncer, and what to do."""
_CURES = _OF_A_POOLER | {"session is read-only": "it is a standby, or can only be read; name the primary"}


def is_lasting(why: str) -> bool:
    """Whether time does not cure what a refused connection says."""
    why = _NAMES.sub("", why)
    lasting = any(text in why for text in _LASTING_TEXTS) and not any(text in why for text in _ENDED)
    return lasting or any(text in why for text in _OF_A_POOLER)


class Link(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing takes longer than its patience, even if the server is frozen."""

    patience = 2.0
    """Seconds."""

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **named: Any) -> Any:
        """Wait for an answer, but no longer than this."""
        return super().wait(_timed(gen, self.patience), *args, **named)

    def has_news(self) -> bool:
        """Return whether it was closed, by us or by the server: an idle one has nothing to say otherwise."""
        if self.closed:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno(), selectors.EVENT_READ)
            return bool(selector.select(0))


def _timed(gen: Generator[Any, Any, Any], patience: float) -> Generator[Any, Any, Any]:
    """Hand on what is waited for, and raise an error if it takes too long. The library looks each 0.1 s."""
    end = time.monotonic() + patience
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                raise psycopg.OperationalError(f"no answer in {patience:g} s")
            wanted = gen.send(ready)
    except StopIteration as stop:
        return stop.value


class Target:
    """Where a server is, and who we are there.

    Args:
        url: the URL, or another text that the library reads.

    Raises:
        psycopg.Error: the library cannot read it. The error's text may contain the password.
    """

    def __init__(self, url: str) -> None:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
        own = {"target_session_attrs": "read-write", "application_name": "iot-northbound"}
        self._conninfo = make_conninfo(**own | parts)
        self._secrets = [parts[name] for name in ("password", "sslpassword") if parts.get(name)]
        self._secrets.append(f'"{parts.get("user")}"')
        self.where = f"{parts.get('host', 'the local server')}/{parts.get('dbname', '')}"
        """Server and database, for logs."""

    def connect(self, patience: float = Link.patience) -> Link:
        """Return a new connection; each statement is a transaction of its own.

        Raises:
            psycopg.Error: the server is away, or refuses us.
        """
        link = Link.connect(
            self._conninfo,
            autocommit=True,
            prepare_threshold=None,  # PgBouncer gives each transaction another connection
            connect_timeout=max(int(Link.patience), 2),
        )
        link.patience = patience
        return link

    def why(self, error: Exception) -> str:
        """Return the first line of an error, without passwords."""
        text = next(iter(str(error).splitlines()), type(error).__name__)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return next((f"{text}: {cure}" for each, cure in _CURES.items() if each in text), text)
