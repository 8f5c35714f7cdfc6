"""Through an HTTP proxy: TLS ends at the platform, and the proxy's faults are told without its password."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iot_northbound import ConnectionFailedError, NorthApiException, RequestTimeoutError
from iot_northbound.core.endpoint import Endpoint

WRITE: Endpoint[None] = Endpoint("POST", "/write", type(None), section="test")
PASSWORD = "proxy-pass-77"


class Proxy:
    """A CONNECT proxy on loopback; `answer` may refuse instead, `hint` is sent before the real answer."""

    def __init__(self, answer: bytes | None = None, hint: bytes = b"") -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self._hint = hint
        self._sockets: list[socket.socket] = [self._listener]
        self.heads: list[bytes] = []
        self.url = f"http://someone:{PASSWORD}@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.heads.append(head)
            if self._answer is not None:
                client.sendall(self._answer)
                return
            host, port = head.split(b" ")[1].decode().rsplit(":", 1)
            platform = socket.create_connection((host, int(port)), timeout=60)
            self._sockets.append(platform)
            client.sendall(self._hint + b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=_pipe, args=(platform, client), daemon=True).start()
            _pipe(client, platform)


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[Callable[..., Proxy]]:
    made: list[Proxy] = []

    def make(*args: Any) -> Proxy:
        made.append(Proxy(*args))
        return made[-1]

    yield make
    for each in made:
        each.close()


def ok(seen: Any, wire: Any) -> Any:
    return 200, {}


def call(client: Any) -> None:
    client.call(WRITE, {}, body={"x": 1}, access_token="given-token")


def failure(client: Any) -> NorthApiException:
    with pytest.raises(NorthApiException) as caught:
        call(client)
    told = ""
    error: BaseException | None = caught.value
    while error is not None:
        told += f"{error} {error!r} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert PASSWORD not in told
    assert "given-token" not in told
    assert not caught.value.outcome_unknown
    return caught.value


def test_calls_go_through_a_tunnel_that_sees_neither_path_nor_token(serve: Any, connect: Any, proxy: Any) -> None:
    server, between = serve(ok), proxy()
    client = connect(server, proxy=between.url)
    for _ in range(3):
        call(client)
    assert client.connections_opened == len(between.heads) == 1
    assert between.heads[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1." % server.port)
    assert b"Proxy-Authorization: Basic " in between.heads[0]
    assert b"given-token" not in between.heads[0]
    assert [seen.target for seen in server.seen] == ["/write"] * 3
    assert "proxy-authorization" not in server.seen[0].headers
    assert PASSWORD not in repr(client) + repr(client._pipeline.transport)


def test_a_proxy_that_refuses_is_a_connection_that_failed_and_nothing_was_sent(
    serve: Any, connect: Any, proxy: Any
) -> None:
    server = serve(ok)
    between = proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    error = failure(connect(server, proxy=between.url, max_attempts=2))
    assert (type(error), error.error_code, error.attempts) == (ConnectionFailedError, "1003", 2)
    assert "the proxy refused with HTTP 407" in str(error)
    assert not server.seen


def test_a_proxy_that_is_not_there_is_a_connection_that_failed(serve: Any, connect: Any, proxy: Any) -> None:
    between = proxy()
    between.close()
    assert type(failure(connect(serve(ok), proxy=between.url, max_attempts=1))) is ConnectionFailedError


def test_a_proxy_that_says_nothing_costs_the_deadline(serve: Any, connect: Any, proxy: Any) -> None:
    between = proxy(b"")
    error = failure(connect(serve(ok), proxy=between.url, deadline=0.3))
    assert isinstance(error, RequestTimeoutError | ConnectionFailedError)
    assert error.elapsed < 30
