"""NorthApiClient against a real server: life, options, isolation, fork."""

import gc
import inspect
import os
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import (
    ClientClosedError,
    ClientInfo,
    HttpConfig,
    InvalidArgumentError,
    NorthApiClient,
    NorthApiException,
    NotAuthorizedError,
    RequestTimeoutError,
    SSLConfig,
    TlsError,
)
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.renewals import Renewal
from iot_northbound.tokens import MemoryTokenStore
from tests.certs import LOOPBACK_NAMES, Authority, server_context
from tests.clock import FakeClock, eventually
from tests.faulty_server import APP_ID, SECRET, Desk, FaultyServer, Seen, Wire

READ: Endpoint[None] = Endpoint("GET", "/read", type(None), section="test")
WRITE: Endpoint[None] = Endpoint("POST", "/write", type(None), section="test")
TIMER = "iot-northbound-token-timer"


def ok(seen: Seen, wire: Wire) -> Any:
    return 200, {}


def write(client: NorthApiClient) -> None:
    client.call(WRITE, {}, body={"x": 1})


# -- life --------------------------------------------------------------------------------------------------------------


def test_close_joins_the_timer_closes_the_connections_and_forgets_the_token(serve: Any, connect: Any) -> None:
    server = serve(Desk(ok))
    client = connect(server)
    with client:
        write(client)
        assert client.token_status.timer_running
        assert TIMER in {thread.name for thread in threading.enumerate()}
    assert TIMER not in {thread.name for thread in threading.enumerate()}
    assert (client.token_status.state, client.token_status.timer_running) == ("none", False)
    eventually(lambda: not any(thread.is_alive() for thread in server._threads[1:]))
    assert client.connections_opened == 1
    client.close()
    for attempt in (
        lambda: write(client),
        lambda: client.call(READ, {}, access_token="given"),
        client.start_timer,
        lambda: write(client.with_options(timeout=1)),
    ):
        with pytest.raises(NorthApiException) as caught:
            attempt()
        assert isinstance(caught.value, ClientClosedError)
        assert "the client is closed. Make a new client" in str(caught.value)
        assert "report" not in str(caught.value).lower()
    assert server.connections == 1


def test_a_token_store_that_fails_at_the_end_does_not_keep_the_connections_open(serve: Any, connect: Any) -> None:
    class Stubborn(MemoryTokenStore):
        def clear(self) -> None:
            raise OSError("disk gone")

    server = serve(Desk(ok))
    client = connect(server, token_store=Stubborn())
    client.start_timer()
    with pytest.raises(NorthApiException, match="1001: the token store failed to clear: OSError"):
        client.close()
    eventually(lambda: not any(thread.is_alive() for thread in server._threads[1:]))
    client._pipeline.tokens._keeper.store = MemoryTokenStore()


def test_a_closed_client_probes_nothing(serve: Any, connect: Any) -> None:
    server = serve(Desk(ok))
    client = connect(server)
    client.close()
    with pytest.raises(ClientClosedError):
        client.probe()
    assert server.connections == 0


@pytest.mark.parametrize("limit", [None, 1])
def test_closing_ends_the_waits_of_calls(serve: Any, connect: Any, limit: int | None) -> None:
    """Two calls wait for a minute: for the platform to be less busy, or for their turn."""
    server = serve(Desk(lambda seen, wire: (503, {"error_code": "100501"}, {"Retry-After": "60"})))
    client = connect(server, deadline=None, calls_per_minute=limit)
    client.start_timer()
    ended: list[NorthApiException] = []

    def call() -> None:
        try:
            client.call(READ, {})
        except NorthApiException as error:
            ended.append(error)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: limit or len(server.calls()) == 2)
    client.close()
    for thread in threads:
        thread.join(60)
    assert [type(each) for each in ended] == [ClientClosedError] * 2


def test_closing_ends_the_renewal_the_timer_waits_with(
    serve: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The timer's own login waits for a minute; the call that follows would join it."""
    desk = Desk(ok, expires_in=1)
    client = connect(serve(desk), deadline=None)
    client.start_timer()
    desk.before_login = lambda seen, wire: (503, {"error_code": "100501"}, {"Retry-After": "60"})
    eventually(lambda: desk.logins == 2)
    closing = threading.Thread(target=client.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()
    assert "the renewal of the token failed" not in caplog.text


def test_closing_while_a_call_waits_to_be_repeated_opens_nothing_anew(serve: Any, connect: Any) -> None:
    def close_then_fail(seen: Seen, wire: Wire) -> None:
        client.close()
        wire.reset()

    server = serve(close_then_fail)
    client = connect(server)
    with pytest.raises(NorthApiException) as caught:
        client.call(READ, {}, access_token="given")
    assert caught.value.error_code == "1001"
    assert server.connections == 1


def test_a_failed_first_login_leaves_nothing_behind(serve: Any, connect: Any) -> None:
    server = serve(lambda seen, wire: (401, {"error_code": "100208", "error_desc": "wrong"}))
    with pytest.raises(NotAuthorizedError), connect(server):
        pass
    assert TIMER not in {thread.name for thread in threading.enumerate()}


def test_a_client_nobody_holds_any_more_is_freed(serve: Any, pki: Any) -> None:
    server = serve(ok)
    info = ClientInfo(platform_ip=server.host, platform_port=server.port, app_id=APP_ID, secret=SECRET)
    client = NorthApiClient(info, pki.tls)
    client.call(READ, {}, access_token="given")
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None


# -- options -----------------------------------------------------------------------------------------------------------


def test_a_calls_own_patience_is_its_own(serve: Any, connect: Any) -> None:
    server = serve(lambda seen, wire: wire.hold() if seen.path == "/read" else ok(seen, wire))
    client = connect(server, max_attempts=1)
    hasty = client.with_options(timeout=(50, 0.2))
    started = time.monotonic()
    with pytest.raises(RequestTimeoutError):
        hasty.call(READ, {}, access_token="given")
    assert time.monotonic() - started < 30
    assert client._options.timeouts.read == 30
    assert hasty._options.timeouts.connect == 50
    assert hasty.with_options(deadline=1)._options.timeouts.read == 0.2
    assert hasty.with_options(read_timeout=7)._options.timeouts == (50, 7)
    assert hasty.with_options(connect_timeout=3)._options.timeouts == (3, 0.2)
    assert hasty.device_management._client is hasty


def test_a_deadline_of_none_lifts_it_and_one_left_out_stays(connect: Any, serve: Any) -> None:
    client = connect(serve(ok), deadline=5)
    assert client.with_options(deadline=None)._options.deadline is None
    assert client.with_options(max_attempts=1)._options.deadline == 5
    assert client.with_options(deadline=None).with_options(timeout=1)._options.deadline is None
    assert "Keep | None = as it is" in str(inspect.signature(client.with_options))


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": (1,)},
        {"timeout": (1, 2, 3)},
        {"connect_timeout": -1},
        {"read_timeout": 0},
        {"timeout": 1, "read_timeout": 2},
        {"deadline": -1},
        {"max_attempts": 0},
    ],
)
def test_impossible_patience_is_refused(serve: Any, connect: Any, options: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        connect(serve(ok)).with_options(**options)


@pytest.mark.parametrize(("args", "name"), [(("x",), "client_info"), ((None,), "client_info")])
def test_what_is_no_client_info_is_refused(args: Any, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        NorthApiClient(*args)


def test_many_calls_open_one_connection(serve: Any, connect: Any) -> None:
    with connect(serve(Desk(ok))) as client:
        for _ in range(300):
            client.call(READ, {})
        assert client.connections_opened == 1


# -- nothing shared, nothing from the environment ----------------------------------------------------------------------


def test_two_clients_in_a_process_share_nothing(serve: Any, connect: Any, pki: Any, tmp_path: Path) -> None:
    desk_a, desk_b = Desk(ok), Desk(ok)
    other_ca = Authority("another ca")
    with FaultyServer(
        server_context(other_ca.issue("server", LOOPBACK_NAMES), pki_ca(pki), tmp_path), desk_b
    ) as server_b:
        server_a = serve(desk_a)
        trusted = tmp_path / "other.pem"
        trusted.write_bytes(other_ca.pem)
        info = ClientInfo(platform_ip="127.0.0.1", platform_port=server_b.port, app_id="app-b", secret="other-secret")
        tls_b = SSLConfig(
            self_cert_path=pki.tls.self_cert_path, self_key_path=pki.tls.self_key_path, trust_ca_path=trusted
        )
        first = connect(server_a, read_timeout=7)
        with first as a, NorthApiClient(info, tls_b, HttpConfig(read_timeout=9)) as b:
            desk_b.grant()  # so that the two tokens differ
            desk_b.revoke()
            for _ in range(3):
                write(a)
                write(b)
            assert (desk_a.logins, desk_b.logins) == (1, 2)
            assert {seen.headers["app_key"] for seen in server_a.calls()} == {APP_ID}
            assert {seen.headers["app_key"] for seen in server_b.calls()} == {"app-b"}
            tokens_a = {seen.token for seen in server_a.calls()}
            assert not tokens_a & {seen.token for seen in server_b.calls()[1:]}
            assert (a._options.timeouts.read, b._options.timeouts.read) == (7, 9)
            crossed = ClientInfo(platform_ip="127.0.0.1", platform_port=server_b.port, app_id="a", secret="ssss")
            with pytest.raises(TlsError):
                NorthApiClient(crossed, pki.tls).start_timer()


def pki_ca(pki: Any) -> Any:
    class Pem:
        pem = pki.ca.read_bytes()

    return Pem


VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")


@pytest.mark.parametrize("hostile", [True, False], ids=["set", "unset"])
def test_the_environment_changes_nothing(
    serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hostile: bool
) -> None:
    for name in (*VARIABLES, *PROXIES, "NO_PROXY", "no_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    if hostile:
        foreign = tmp_path / "foreign.pem"
        foreign.write_bytes(Authority("foreign ca").pem)
        for name in VARIABLES:
            monkeypatch.setenv(name, str(tmp_path if name.endswith("DIR") else foreign))
        for name in PROXIES:
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login someone password else\ndefault login someone password else\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(Desk(ok))
    with connect(server) as client:
        write(client)
    assert server.calls()[0].headers["authorization"].startswith("Bearer token-")


@pytest.mark.parametrize("name", VARIABLES[:3])
def test_the_environment_cannot_widen_what_a_client_trusts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pki: Any, name: str
) -> None:
    other = Authority("another ca")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(other.pem + pki.ca.read_bytes())
    monkeypatch.setenv(name, str(bundle))
    with FaultyServer(server_context(other.issue("server", LOOPBACK_NAMES), None, tmp_path), ok) as server:
        info = ClientInfo(platform_ip="127.0.0.1", platform_port=server.port, app_id=APP_ID, secret=SECRET)
        with pytest.raises(TlsError), NorthApiClient(info, pki.tls):
            pass
        assert not server.seen


# -- fork --------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_after_a_fork_parent_and_child_both_go_on_each_with_connections_of_its_own(serve: Any, connect: Any) -> None:
    desk = Desk(lambda seen, wire: (200, {}, {"X-Connection": str(wire.number)}))
    server = serve(desk)
    clock = FakeClock()  # so that no thread of the parent renews anything meanwhile
    with connect(server, clock=clock) as client:
        write(client)
        before = server.connections
        shared = client._pipeline.tokens._shared
        renewing = Renewal()
        shared._line.append(renewing)  # as if another thread were renewing at that moment
        child = os.fork()
        if child == 0:
            status = 1
            try:
                write(client)
                timer = {thread.name for thread in threading.enumerate()} >= {TIMER}
                write(client)
                alone = client._pipeline.tokens._shared is not shared
                status = 0 if timer and alone and client.connections_opened == before + 1 else 2
            finally:
                os._exit(status)
        shared._end(renewing)
        _, result = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(result) == 0
        for _ in range(3):
            write(client)
        numbers = [seen.connection for seen in server.calls()]
        assert numbers == [1, 2, 2, 1, 1, 1]
        assert client.connections_opened == 1
        desk.revoke()
        write(client)
        assert desk.logins == 2
