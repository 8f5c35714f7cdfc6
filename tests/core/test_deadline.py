"""One deadline over all a call does: addresses, proxy, handshake, the application's own functions, the answer."""

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from tests.clock import FakeClock
from tests.conftest import look_at
from tests.core.faults import (
    PATIENCE,
    READ,
    WRITE,
    answering,
    ask,
    call,
    echo,
    fails,
    stall,
)
from tests.core.test_proxy import Proxy
from tests.faulty_server import APP_ID, SECRET, Desk, Seen, Wire

from iot_northbound import (
    ClientInfo,
    ConnectionFailedError,
    Hooks,
    HttpConfig,
    NorthApiClient,
    NorthApiException,
    RequestTimeoutError,
    TlsError,
)
from iot_northbound.core.deadline import earlier, enclosing, within
from iot_northbound.core.sockets import PlainSocket

NAME = "platform.example"


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address that takes no connection and refuses none: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            waiting.append(one)
        yield address
        for one in waiting:
            one.close()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make NAME stand for these addresses."""
    real = socket.getaddrinfo

    def stand_for(*addresses: tuple[str, int]) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *rest, **more: found if host == NAME else real(host, *rest, **more)
        )

    return stand_for


@pytest.fixture
def by_name(pki: Any) -> Iterator[Callable[..., NorthApiClient]]:
    made: list[NorthApiClient] = []

    def make(*, clock: Any = None, **http: Any) -> NorthApiClient:
        tls = attrs.evolve(pki.tls, expected_hostname="localhost")
        info = ClientInfo(platform_ip=NAME, platform_port=8743, app_id=APP_ID, secret=SECRET)
        own = {"clock": clock} if clock else {}
        made.append(NorthApiClient(info, tls, HttpConfig(backoff_base=0.0, **http), **own))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.mark.parametrize("limit", [{"deadline": 0.6}, {"connect_timeout": 0.6, "deadline": None}], ids=str)
def test_six_silent_addresses_share_one_limit(named: Any, by_name: Any, silent: Any, limit: Any) -> None:
    named(*[silent] * 6)
    error = fails(by_name(max_attempts=1, **limit), WRITE, RequestTimeoutError, "1003")
    assert "in time" in error.error_desc
    assert not error.outcome_unknown


@pytest.mark.parametrize("silents", [1, 3])
def test_silent_addresses_leave_time_for_the_one_that_answers(
    serve: Any, named: Any, by_name: Any, stopped: Any, silents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They get equal shares of the time that is left; each of them uses up its share."""
    server = serve(answering(echo))
    silent = ("127.0.0.1", 1)
    connect, shares = PlainSocket.connect, list[float]()

    def wait_in_vain(self: PlainSocket, address: tuple[str, int]) -> None:
        if address != silent:
            connect(self, address)
            return
        shares.append(self.gettimeout() or 0)
        stopped.advance(shares[-1])
        raise TimeoutError

    monkeypatch.setattr(PlainSocket, "connect", wait_in_vain)
    named(*[silent] * silents, (server.host, server.port))
    assert ask(by_name(deadline=60, connect_timeout=60, max_attempts=1, clock=stopped), "x") == "/x"
    assert shares == pytest.approx([60 / (silents + 1)] * silents)


def test_a_refusing_address_is_passed_over_at_once(serve: Any, named: Any, by_name: Any) -> None:
    server, gone = serve(answering(echo)), serve(stall)
    gone.stop()
    named((gone.host, gone.port), (server.host, server.port))
    assert ask(by_name(max_attempts=1), "x") == "/x"


def test_names_without_an_address_are_told(named: Any, by_name: Any) -> None:
    named()
    assert fails(by_name(max_attempts=1), WRITE, ConnectionFailedError, "1003").attempts == 1


def test_a_slow_resolver_costs_its_own_time_and_no_more(
    by_name: Any, silent: Any, stopped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can stop it; but nothing is tried after the deadline."""
    tried: list[Any] = []

    def slow(host: str, *rest: Any, **more: Any) -> Any:
        tried.append(host)
        stopped.advance(31)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", silent)] * 6

    client = by_name(deadline=30, max_attempts=5, clock=stopped)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    error = fails(client, WRITE, RequestTimeoutError, "1003")
    assert tried == [NAME]
    assert not error.outcome_unknown


# -- proxy and handshake -----------------------------------------------------------------------------------------------


class Dripping(Proxy):
    """A proxy that sends its answer byte by byte, and never comes to its end."""

    def __init__(self, head: bytes) -> None:
        self._drops = head
        self.over = threading.Event()
        super().__init__()

    def _tunnel(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.recv(65536)
            for each in self._drops * 200:
                client.sendall(bytes([each]))
                if self.over.wait(0.02):
                    return

    def close(self) -> None:
        self.over.set()
        super().close()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 " + b"x" * 50, b"HTTP/1.1 200 OK\r\nX: y\r\n", b"HTTP/1.1 102 W\r\n\r\n"]
)
@pytest.mark.parametrize("limit", [{"deadline": 0.5}, {"connect_timeout": 0.5, "deadline": None}], ids=str)
def test_a_proxy_that_drips_its_answer_costs_the_limit(serve: Any, connect: Any, head: bytes, limit: Any) -> None:
    server, proxy = serve(answering(echo)), Dripping(head)
    try:
        error = fails(connect(server, proxy=proxy.url, max_attempts=1, **limit), WRITE, RequestTimeoutError, "1003")
    finally:
        proxy.close()
    assert not error.outcome_unknown
    assert not server.seen


@pytest.mark.parametrize("limit", [{"deadline": 0.5}, {"connect_timeout": 0.5, "deadline": None}], ids=str)
def test_a_handshake_that_drips_costs_the_limit(serve: Any, connect: Any, limit: Any) -> None:
    def drip(wire: Wire) -> None:
        wire.socket.recv(65536)
        wire.drip(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb" + b"\0" * 2000, 0.02)

    error = fails(connect(serve(stall, on_connect=drip), max_attempts=1, **limit), WRITE, RequestTimeoutError, "1003")
    assert not error.outcome_unknown


# -- functions of the application --------------------------------------------------------------------------------------


def verifying(pki: Any, server: Any, verifier: Any, *, clock: Any = None, **http: Any) -> NorthApiClient:
    tls = attrs.evolve(pki.tls, hostname_verifier=verifier)
    info = ClientInfo(platform_ip=server.host, platform_port=server.port, app_id=APP_ID, secret=SECRET)
    return NorthApiClient(info, tls, HttpConfig(backoff_base=0.0, **http), **({"clock": clock} if clock else {}))


@pytest.mark.parametrize("same", [False, True], ids=["another client", "the same client"])
def test_a_verifier_may_call_a_client_and_the_outer_call_keeps_its_own_deadline(
    serve: Any, connect: Any, pki: Any, stopped: Any, same: bool
) -> None:
    """The inner call has none of its own and sends; the outer one then meets a server that says nothing."""
    helped: list[str | None] = []

    def verifier(host: str, certificate: Any) -> bool:
        if not helped:
            helped.append(None)
            inner = client if same else connect(server, deadline=None)
            helped[0] = ask(inner.with_options(deadline=None), "inner")
            stopped.advance(29.7)
        return True

    server = serve(lambda seen, wire: wire.send(echo(seen)) if seen.path == "/inner" else wire.hold())
    client = verifying(pki, server, verifier, clock=stopped, deadline=30, max_attempts=1)
    error = fails(client, WRITE, RequestTimeoutError, "1003")
    client.close()
    assert helped == ["/inner"]
    assert error.outcome_unknown


def test_calls_of_a_verifier_keep_the_deadline_of_the_call_it_is_part_of(
    serve: Any, connect: Any, pki: Any, stopped: Any
) -> None:
    stalling = connect(serve(stall), clock=stopped, deadline=None)
    ended: list[NorthApiException] = []

    def verifier(host: str, certificate: Any) -> bool:
        stopped.advance(29.7)
        with pytest.raises(NorthApiException) as caught:
            call(stalling)
        ended.append(caught.value)
        stopped.advance(0.3)  # the inner call has waited so long
        return True

    server = serve(answering(echo))
    client = verifying(pki, server, verifier, clock=stopped, deadline=30, max_attempts=1)
    error = fails(client, WRITE, RequestTimeoutError, "1003")
    client.close()
    assert [type(each) for each in ended] == [RequestTimeoutError]
    assert not error.outcome_unknown
    assert not server.seen


def test_what_a_verifiers_own_call_sent_is_not_taken_for_the_outer_calls(serve: Any, connect: Any, pki: Any) -> None:
    working = connect(serve(answering(echo)))

    def verifier(host: str, certificate: Any) -> bool:
        assert ask(working, "inner", "POST", text="x") == "/inner"
        return False

    server = serve(answering(echo))
    client = verifying(pki, server, verifier)
    error = fails(client, WRITE, TlsError, "1003")
    client.close()
    assert "the hostname_verifier refused" in error.error_desc
    assert not error.outcome_unknown
    assert not server.seen


@pytest.mark.parametrize("which", ["before_request", "after_response", "on_retry"])
def test_calls_of_a_hook_keep_the_deadline_of_the_call_it_hears_of(
    serve: Any, connect: Any, stopped: Any, which: str
) -> None:
    stalling = connect(serve(stall), clock=stopped, deadline=None, max_attempts=1)
    ended: list[object] = []

    def hook(event: Any) -> None:
        if not ended:
            ended.append(None)
            stopped.advance(29.7)
            with pytest.raises(NorthApiException) as caught:
                call(stalling)
            ended[0] = type(caught.value)
            stopped.advance(0.3)  # the call has waited so long

    server = serve(lambda seen, wire: wire.reset() if len(server.seen) == 1 else wire.send(echo(seen)))
    client = connect(server, clock=stopped, deadline=30, hooks=Hooks(**{which: hook}))
    with pytest.raises(NorthApiException):
        ask(client, "x")
    assert ended == [RequestTimeoutError]
    assert enclosing() is None


def test_a_hook_that_comes_back_after_the_deadline_keeps_the_request_from_going_out(
    serve: Any, connect: Any, stopped: Any
) -> None:
    server = serve(answering(echo))
    late = threading.Event()

    def hook(event: Any) -> None:
        if late.is_set():
            stopped.advance(31)

    client = connect(server, clock=stopped, hooks=Hooks(before_request=hook), max_attempts=1)
    assert ask(client, "first") == "/first"
    late.set()
    error = fails(client.with_options(deadline=30), WRITE, RequestTimeoutError, "1003")
    assert not error.outcome_unknown
    assert len(server.seen) == 1


def test_the_deadline_of_an_outer_call_is_gone_when_its_function_ends() -> None:
    assert within(5.0, enclosing) == 5.0
    assert within(5.0, within, 9.0, enclosing) == 5.0
    assert within(5.0, within, 3.0, enclosing) == 3.0
    assert within(5.0, within, None, enclosing) == 5.0
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 // 0)
    assert enclosing() is None
    assert [earlier(None, None), earlier(1, None), earlier(None, 2), earlier(1, 2)] == [None, 1, 2, 1]


# -- request and answer ------------------------------------------------------------------------------------------------


def endless_trailers(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
    while True:
        wire.send(b"X: y\r\n")
        wire.pause(1)


def slow_chunk_extension(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=")
    wire.drip(b"y" * 2000, 1)


def slow_status(seen: Seen, wire: Wire) -> None:
    wire.drip(b"HTTP/1.1 200 " + b"x" * 2000, 1)


@pytest.mark.parametrize("fault", [endless_trailers, slow_chunk_extension, slow_status])
def test_drips_in_every_part_of_an_answer_end_with_the_deadline(
    serve: Any, connect: Any, stopped: Any, fault: Any
) -> None:
    code = "1003" if fault is slow_status else "1004"
    client = connect(serve(fault, clock=stopped), clock=stopped, deadline=30)
    assert fails(client, WRITE, RequestTimeoutError, code).outcome_unknown


class Ticking(FakeClock):
    """A clock on which time passes whenever somebody looks at it."""

    def monotonic(self) -> float:
        self.advance(0.02)
        return super().monotonic()


def test_unpacking_keeps_the_deadline(serve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small answer may unpack to many pieces, each of which takes its time."""
    packed = gzip.compress(b" " * 30_000_000)
    server = serve(lambda seen, wire: (200, packed, {"Content-Encoding": "gzip"}))
    clock = look_at(Ticking(), monkeypatch)
    monkeypatch.setattr("iot_northbound.core.transport._CHUNK", 64)
    fails(connect(server, clock=clock, max_attempts=1, deadline=30), READ, RequestTimeoutError, "1004")


def test_a_login_inside_a_call_shares_its_deadline_over_a_dripping_proxy(serve: Any, connect: Any) -> None:
    desk = Desk(answering(echo))
    with connect(serve(desk)) as client:
        desk.revoke()
        desk.before_login = lambda seen, wire: wire.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2000, 0.02)
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError):
            client.with_options(deadline=0.5).call(WRITE, {}, body={"x": 1})
        assert time.monotonic() - started < PATIENCE
