"""What tests with a real server on loopback share: one CA per session, with servers and clients that trust it."""

import signal
import ssl
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings

from iot_northbound import ClientInfo, HttpConfig, NorthApiClient, SSLConfig
from tests.certs import LOOPBACK_NAMES, Authority, server_context
from tests.clock import FakeClock
from tests.faulty_server import APP_ID, SECRET, FaultyServer, Handler
from tests.servers import PostgresServer, RedisServer, run_postgres, run_redis

# A machine may be slow: how long an example takes says nothing.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Take SIGINT, which tests send, also in the background of a shell, which starts such programs with it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def printable(value: Any) -> Any:
    """Return what a report consists of without lone surrogates, which tests log, and UTF-8 cannot express."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {printable(key): printable(each) for key, each in value.items()}
        case list() | tuple():
            return type(value)(printable(each) for each in value)
        case _:
            return value


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """A worker of pytest-xdist sends its reports as UTF-8. Without this, it ends at the first that it cannot send."""
    return printable((yield))


@attrs.frozen
class Pki:
    """A CA with a server's context that requires a client certificate, and what a client needs for it."""

    context: ssl.SSLContext
    tls: SSLConfig
    ca: Path


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    ca = Authority()
    context = server_context(ca.issue("server", LOOPBACK_NAMES), ca, folder)
    certificate, key = ca.issue("client", client=True).write(folder, "client")
    trusted = folder / "ca.pem"
    trusted.write_bytes(ca.pem)
    return Pki(context, SSLConfig(self_cert_path=certificate, self_key_path=key, trust_ca_path=trusted), trusted)


@pytest.fixture
def serve(pki: Pki) -> Iterator[Callable[..., FaultyServer]]:
    """Start a server with a handler; it stops with the test."""
    servers: list[FaultyServer] = []

    def start(handler: Handler, **rest: Any) -> FaultyServer:
        servers.append(FaultyServer(pki.context, handler, **rest).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__(None, None, None)


def look_at(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Make the sockets of calls use this clock, and return it."""
    for module in ("sockets", "tls"):
        monkeypatch.setattr(f"iot_northbound.core.{module}.time", clock)
    return clock


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock on which no time passes by itself, for a client and its sockets: a slow machine misses no deadline.

    A socket that waits for nothing still gives up after so many real seconds as the call has left.
    """
    return look_at(FakeClock(), monkeypatch)


@pytest.fixture
def connect(pki: Pki) -> Iterator[Callable[..., NorthApiClient]]:
    """Make a client of a server; keywords are those of HttpConfig and of the client. It is closed with the test."""
    clients: list[NorthApiClient] = []
    own = {"hooks", "token_store", "clock", "shared", "shared_away"}

    def make(server: Any, **rest: Any) -> NorthApiClient:
        info = ClientInfo(platform_ip=server.host, platform_port=server.port, app_id=APP_ID, secret=SECRET)
        http = HttpConfig(**{"backoff_base": 0.0, **{k: v for k, v in rest.items() if k not in own}})
        clients.append(NorthApiClient(info, pki.tls, http, **{k: v for k, v in rest.items() if k in own}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis server for all tests that do not harm it. Each uses keys of its own."""
    with run_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests. A test that kills it starts it again; each has rows or a schema of its own."""
    with run_postgres() as server:
        yield server
