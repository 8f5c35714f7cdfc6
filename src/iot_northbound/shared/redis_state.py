"""The shared state on Redis or Valkey: each step is a script."""

import os
import ssl
from collections.abc import Mapping
from typing import Any

from iot_northbound._extras import needs_extra
from iot_northbound.shared import redis_scripts as scripts
from iot_northbound.shared.remote import ENDS, PATIENCE, Look, RefusedError, RemoteState
from iot_northbound.shared.state import (
    COOL_DOWN,
    FORGET,
    Acquired,
    Busy,
    Failed,
    Forbidden,
    Mine,
    Newer,
    StateAwayError,
    StateStatus,
    TokenRecord,
    plain,
)
from iot_northbound.shared.url import StateUrl

with needs_extra("redis"):
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

_LASTING = (
    redis.exceptions.AuthenticationError,
    redis.exceptions.AuthenticationWrongNumberOfArgsError,
    redis.exceptions.NoPermissionError,
    redis.exceptions.MovedError,
)
"""Errors that time does not cure."""


class RedisState(RemoteState):
    """What is shared, in five keys of one application."""

    def __init__(self, where: StateUrl, application: str) -> None:
        super().__init__(where.shown, where.lease)
        self._where = where
        # One hash tag: a cluster keeps all keys of an application together.
        self._token, self._notes, self._flow, self._slots = (
            f"iot-northbound:{{{application}}}:{name}" for name in ("token", "notes", "flow", "slots")
        )
        self._clients: dict[int, redis.Redis] = {}
        """The client of each process: a forked child leaves that of its parent alone."""

    # -- the token ---------------------------------------------------------------------------------------------------

    def read(self) -> TokenRecord:
        """Return the stored token, and how long it lasts."""
        gen, *rest = self._run(scripts.READ, [self._token])
        if not rest:
            return TokenRecord(gen, None, 0.0, 0.0)
        record, left, lifetime = rest
        return TokenRecord(gen, record, float(left), float(lifetime))

    def acquire(self, owner: str, ttl: float, seen_gen: int) -> Acquired:
        """Take the lease to renew the generation that was seen."""
        kind, *rest = self._run(scripts.ACQUIRE, [self._token], owner, ttl, seen_gen, COOL_DOWN)
        if kind == b"newer":
            return Newer()
        if kind == b"failed":
            return Failed(rest[0].decode())
        return Busy(float(rest[0])) if kind == b"busy" else Mine(rest[0])

    def extend(self, fence: int, ttl: float) -> bool:
        """Let the lease last `ttl` from now; False if it is another's."""
        return bool(self._run(scripts.EXTEND, [self._token], fence, ttl))

    def time(self) -> float:
        """Return the server's time."""
        return float(self._run(scripts.TIME, [self._token]))

    def save(self, fence: int, record: bytes, lifetime: float, sent: float) -> int | None:
        """Store a token; return its generation, or None if it is older than the stored one."""
        gen: int | None = self._run(scripts.SAVE, [self._token], fence, record, lifetime, sent)
        return gen

    def fail(self, fence: int, failure: str) -> None:
        """End the lease and store why nothing was renewed; nothing happens if the lease is another's."""
        self._run(scripts.FAIL, [self._token], fence, plain(failure))

    def forbid(self, endpoint: str, pause: float, gen: int) -> None:
        """Note that this endpoint refused a new token; a pause of 0 removes its note."""
        self._run(scripts.FORBID, [self._notes], endpoint, pause, gen)

    def forbidden(self) -> Mapping[str, Forbidden]:
        """Return the notes that are younger than FORGET."""
        answer = self._run(scripts.FORBIDDEN, [self._notes], FORGET)
        notes = {}
        for endpoint, note in zip(answer[::2], answer[1::2], strict=True):
            age, pause, gen = note.split()
            notes[endpoint.decode()] = Forbidden(float(age), float(pause), int(gen))
        return notes

    def clear(self) -> None:
        """Remove token, failure and notes. The generation stays."""
        self._run(scripts.CLEAR, [self._token, self._notes])

    # -- both --------------------------------------------------------------------------------------------------------

    def status(self) -> StateStatus:
        """Return what is stored."""
        gen, present, left, lifetime, age, owner, lease_left, failure, failed_ago = self._run(
            scripts.TOKEN_STATUS, [self._token]
        )
        return StateStatus(
            gen=gen,
            present=bool(present),
            left=float(left) if present else 0.0,
            lifetime=float(lifetime),
            age=float(age) if present else 0.0,
            owner=owner.decode(),
            lease_left=float(lease_left),
            failure=failure.decode(),
            failed_ago=float(failed_ago) if failure else 0.0,
            forbidden=self.forbidden(),
            **self.limit_status()._asdict(),
        )

    def close(self) -> None:
        """Close this process's connections. What is stored stays."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _look(self, id: str) -> Look:
        now, flow, taken, held, ends = self._execute(scripts.LOOK, [self._flow, self._slots], id, ENDS)
        text = None if flow is None else flow.decode()
        return Look(float(now), text, taken, bool(held), [float(each) for each in ends])

    def _change(self, look: Look, flow: str, now: float, changes: Mapping[str, float | None]) -> bool:
        pairs = [part for id, end in changes.items() for part in (id, "" if end is None else repr(end))]
        keys = [self._flow, self._slots]
        return bool(self._execute(scripts.CHANGE, keys, look.flow or "", flow, repr(now), *pairs))

    # -- the server --------------------------------------------------------------------------------------------------

    def _run(self, script: str, keys: list[str], *arguments: Any) -> Any:
        return self._try(self._execute, script, keys, *arguments)

    def _execute(self, script: str, keys: list[str], *arguments: Any) -> Any:
        """Return what the script returns.

        Raises:
            StateAwayError: the server did not answer, or refused to work.
            RefusedError: it refuses us.
        """
        client = self._clients.get(os.getpid()) or self._clients.setdefault(os.getpid(), self._connect())
        try:
            return client.register_script(script)(keys=keys, args=arguments)
        except _LASTING as error:
            raise RefusedError(_why(error)) from None
        except redis.RedisError as error:
            if _has(error, ssl.SSLError, FileNotFoundError, PermissionError):  # of TLS and its files
                raise RefusedError(_why(error)) from None
            # After a failover, the name may lead to another server, while the old one keeps our connections.
            client.connection_pool.disconnect(inuse_connections=False)
            if "unknown command" in str(error):
                raise RefusedError("it runs no scripts: give the server itself, and not a Sentinel") from None
            raise StateAwayError(_why(error)) from None

    def _connect(self) -> redis.Redis:
        tls: dict[str, Any] = {}
        if self._where.target.startswith("rediss:"):
            names = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
            tls = {names[name]: path for name, path in self._where.options.items()}
            tls |= {"ssl_check_hostname": True, "ssl_cert_reqs": "required"}
        client: redis.Redis = redis.Redis.from_url(
            self._where.target,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),  # whoever repeats a step must know that it may have happened
            protocol=2,
            **tls,
        )
        return client


def _why(error: Exception) -> str:
    if isinstance(error, redis.exceptions.MovedError):
        return (
            f"it is a node of a cluster, and another one has the keys (MOVED {error}): use a server that is no cluster"
        )
    return str(error) or type(error).__name__


def _has(error: BaseException | None, *kinds: type[BaseException]) -> bool:
    """Return whether such an error is behind this one."""
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__ or error.__context__
    return error is not None
