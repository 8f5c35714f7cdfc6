from __future__ import annotations

import contextlib
import json
import os
import select
import ssl
from collections.abc import Iterator
from dataclasses import replace

import pytest

from iot_northbound.emulator.home import Home, prepare
from iot_northbound.serving.http import GuardedServer

from .probe import AT_ONCE, PATIENT, Probe, connect, is_open, read_all, read_answer, request


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return prepare(tmp_path_factory.mktemp("home"))


@pytest.fixture
def tls_server(probe: Probe, home: Home) -> Iterator[GuardedServer]:
    with GuardedServer(probe, ssl_context=home.server_context(), limits=PATIENT) as running:
        yield running


def client_context(home: Home, *, certificate: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(home.ca))
    if certificate:
        context.load_cert_chain(home.folder / "client.pem", home.folder / "client.key")
    return context


def test_the_application_sees_the_clients_certificate(tls_server: GuardedServer, home: Home) -> None:
    with client_context(home).wrap_socket(connect(tls_server), server_hostname="localhost") as peer:
        peer.sendall(request())
        answer = json.loads(read_answer(peer)[1])
    assert answer["name"] == "CN=iot-northbound emulator client"
    assert {"client_cert", "client_cert_chain"} <= set(answer["tls"])


def test_a_peer_without_a_certificate_is_turned_away(tls_server: GuardedServer, home: Home) -> None:
    context = client_context(home, certificate=False)
    answer = b""
    # With TLS 1.3, the client learns it only at its first read.
    with contextlib.suppress(OSError), context.wrap_socket(connect(tls_server), server_hostname="127.0.0.1") as peer:
        peer.sendall(request())
        answer = peer.recv(10)
    assert answer == b""


def test_peers_without_a_client_hello_block_nobody(tls_server: GuardedServer, home: Home) -> None:
    silent = [connect(tls_server) for _ in range(50)]
    with client_context(home).wrap_socket(connect(tls_server), server_hostname="localhost") as peer:
        peer.sendall(request())
        assert read_answer(peer)[0] == 200
    assert all(is_open(one) for one in silent)
    for one in silent:
        one.close()


def test_peers_without_a_client_hello_lose_their_connections(probe: Probe, home: Home) -> None:
    limits = replace(PATIENT, header_deadline=AT_ONCE)
    with GuardedServer(probe, ssl_context=home.server_context(), limits=limits) as server:
        for one in [connect(server) for _ in range(50)]:
            assert one.recv(10) == b""
            one.close()


def test_plain_http_on_the_tls_port_is_dropped(tls_server: GuardedServer, home: Home) -> None:
    with connect(tls_server) as peer:
        peer.sendall(request())
        read_all(peer)
    with client_context(home).wrap_socket(connect(tls_server), server_hostname="localhost") as peer:
        peer.sendall(request())
        assert read_answer(peer)[0] == 200


def test_a_reset_reaches_the_peer_through_tls(tls_server: GuardedServer, home: Home) -> None:
    with client_context(home).wrap_socket(connect(tls_server), server_hostname="localhost") as peer:
        peer.sendall(request())
        read_answer(peer)
        peer.sendall(request("/reset"))
        select.select([peer], [], [], 60)
        with pytest.raises(ConnectionResetError):  # asks the kernel, because the ssl module reports it as an EOF
            os.read(peer.fileno(), 10)
