import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from iot_northbound import NorthApiClient, SSLConfig
from iot_northbound.emulator import Emulator
from tests.certs import LOOPBACK_NAMES, Authority, TlsServer, server_context
from tests.checking import ADDRESS, BROKEN, FILES, HANDSHAKE, RENEWAL, SIGN_IN, Check
from tests.faulty_server import LOGIN, REFRESH, FaultyServer

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(folder=tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture
def emulator(platform: Emulator) -> Emulator:
    platform.control.reset()
    return platform


@pytest.fixture
def check(emulator: Emulator) -> Check:
    return Check(emulator)


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_missing_file(check: Check, tmp_path: Path) -> None:
    check.tls = SSLConfig(trust_ca_path=tmp_path / "nowhere.pem")
    step = check.failed_at(FILES)
    assert "nowhere.pem" in step.detail
    assert "mistyped" in step.cause


def test_a_wrong_password(emulator: Emulator, check: Check) -> None:
    check.tls = SSLConfig(self_cert_path=emulator.home.client_p12, self_cert_pwd="sesame-closed")
    step = check.failed_at(FILES)
    assert "self_cert_pwd is wrong" in step.detail
    assert "another file" in step.cause


def test_no_password(emulator: Emulator, check: Check) -> None:
    check.tls = SSLConfig(self_cert_path=emulator.home.client_p12)
    assert "encrypted" in check.failed_at(FILES).cause


def test_a_key_of_another_certificate(check: Check, tmp_path: Path) -> None:
    ca = Authority()
    certificate, _ = ca.issue("one", client=True).write(tmp_path, "one")
    _, key = ca.issue("two", client=True).write(tmp_path, "two")
    check.tls = SSLConfig(self_cert_path=certificate, self_key_path=key)
    step = check.failed_at(FILES)
    assert "two different requests" in step.cause
    assert "requested with" in step.remedy


def test_a_certificate_without_its_key(check: Check, tmp_path: Path) -> None:
    certificate, _ = Authority().issue("one", client=True).write(tmp_path, "one")
    check.tls = SSLConfig(self_cert_path=certificate)
    assert "self_key_path" in check.failed_at(FILES).remedy


def test_a_folder_instead_of_a_file(check: Check, tmp_path: Path) -> None:
    check.tls = SSLConfig(trust_ca_path=tmp_path)
    assert "names a folder" in check.failed_at(FILES).cause


def test_content_that_is_no_certificate(check: Check, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    check.tls = SSLConfig(trust_ca_path=tmp_path / "ca.pem")
    assert "the content is something else" in check.failed_at(FILES).detail


# -- address -----------------------------------------------------------------------------------------------------------


def test_a_name_nobody_knows(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    check.info = attrs.evolve(check.info, platform_ip="platform.invalid")
    step = check.failed_at(ADDRESS)
    assert "'platform.invalid'" in step.detail
    assert "mistyped" in step.cause


def test_no_name_server(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    check.info = attrs.evolve(check.info, platform_ip="platform.example")
    assert check.failed_at(ADDRESS).cause == "No name server answers."


def test_a_name_that_cannot_be_one(check: Check) -> None:
    check.info = attrs.evolve(check.info, platform_ip=f"{'a' * 64}.example")
    assert "mistyped" in check.failed_at(ADDRESS).cause


def test_a_port_where_nothing_listens(check: Check) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it
        check.info = attrs.evolve(check.info, platform_port=taken.getsockname()[1])
        step = check.failed_at(ADDRESS)
    assert f"{check.info.platform_port} refuses connections" in step.detail
    assert "platform_port" in step.remedy


@pytest.mark.parametrize(
    ("error", "cause"),
    [(TimeoutError("timed out"), "firewall drops"), (OSError(113, "No route to host"), "no way to that address")],
)
def test_packets_that_lead_nowhere(check: Check, monkeypatch: pytest.MonkeyPatch, error: OSError, cause: str) -> None:
    def nowhere(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "create_connection", nowhere)
    assert cause in check.failed_at(ADDRESS).cause


def test_with_a_proxy_it_is_the_proxy_that_must_be_reached(check: Check) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        step = check.failed_at(ADDRESS, proxy=f"http://user:sesame@127.0.0.1:{port}")
    assert f"the proxy 127.0.0.1:{port} refuses connections" in step.detail
    assert "sesame" not in step.line()


# -- TLS ---------------------------------------------------------------------------------------------------------------


def test_plain_http_on_the_port(check: Check) -> None:
    with TlsServer(None) as server:
        step = check.at(server, SSLConfig()).failed_at(HANDSHAKE)
    assert "does not speak TLS on this port" in step.cause
    assert "platform_port" in step.remedy


def test_a_server_we_do_not_trust(check: Check) -> None:
    check.tls = attrs.evolve(check.tls, trust_ca_path=None)
    step = check.failed_at(HANDSHAKE)
    assert step.cause.startswith("We refused the server's certificate: it does not come from a CA that we trust")
    assert "trust_ca_path" in step.remedy


def test_a_certificate_of_another_name(check: Check) -> None:
    check.tls = attrs.evolve(check.tls, expected_hostname="platform.example")
    step = check.failed_at(HANDSHAKE)
    assert step.cause.startswith("We refused the server's certificate: it is made out to another name")
    assert "expected_hostname" in step.remedy


@pytest.mark.parametrize("version", VERSIONS)
def test_our_certificate_is_refused(check: Check, pki: Any, tmp_path: Path, version: ssl.TLSVersion) -> None:
    ca = Authority("platform ca")
    context = server_context(ca.issue("server", LOOPBACK_NAMES), ca, tmp_path)
    context.maximum_version = version
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(ca.pem)
    with TlsServer(context) as server:
        step = check.at(server, attrs.evolve(pki.tls, trust_ca_path=trusted)).failed_at(HANDSHAKE)
    assert step.cause.startswith("The server refused us: our client certificate comes from a CA that it does not know")
    assert "self_cert_path" in step.remedy


@pytest.mark.parametrize("version", VERSIONS)
def test_we_have_no_certificate_to_show(check: Check, pki: Any, tmp_path: Path, version: ssl.TLSVersion) -> None:
    ca = Authority()
    context = server_context(ca.issue("server", LOOPBACK_NAMES), ca, tmp_path)
    context.maximum_version = version
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(ca.pem)
    with TlsServer(context) as server:
        step = check.at(server, SSLConfig(trust_ca_path=trusted)).failed_at(HANDSHAKE)
    assert "server refused" in step.cause
    assert "no client certificate" in step.cause or "sent none" in step.cause
    assert "self_cert_path" in step.remedy


def test_a_server_that_refuses_us_without_a_word(check: Check) -> None:
    check.tls = attrs.evolve(check.tls, self_cert_path=None, self_cert_pwd=None)
    step = check.failed_at(HANDSHAKE)
    assert step.cause.startswith("The server closed the connection without a word, and we sent no client certificate")
    assert "self_cert_path" in step.remedy


def test_a_server_that_refuses_our_certificate_without_a_word(check: Check, pki: Any) -> None:
    check.tls = attrs.evolve(pki.tls, trust_ca_path=check.tls.trust_ca_path if check.tls else None)
    step = check.failed_at(HANDSHAKE)
    assert "when they refuse the client certificate" in step.cause
    assert "which client certificates it accepts" in step.remedy


class _Guarded(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        if self.request.recv(4096):
            self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


def test_a_proxy_that_lets_nobody_through(check: Check) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Guarded) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        step = check.failed_at(HANDSHAKE, proxy=f"http://127.0.0.1:{proxy.server_address[1]}")
        proxy.shutdown()
        thread.join()
    assert "proxy" in step.remedy


def test_a_port_that_takes_connections_and_stays_silent(check: Check) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        check.info = attrs.evolve(check.info, platform_port=listener.getsockname()[1])
        step = check.failed_at(HANDSHAKE, connect_timeout=0.3, read_timeout=0.3)
    assert "nobody answers there" in step.cause or "another service" in step.cause


def test_a_root_that_stays_silent_does_not_speak_against_tls(
    emulator: Emulator, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.control.add_fault("stall", endpoint="GET *", count=1, seconds=60)
    probe = NorthApiClient.probe
    monkeypatch.setattr(NorthApiClient, "probe", lambda client: probe(client.with_options(read_timeout=0.1)))
    assert check.run().passed
    assert "no answer" in check.steps[2].detail


# -- login -------------------------------------------------------------------------------------------------------------


def test_a_wrong_secret(check: Check) -> None:
    check.info = attrs.evolve(check.info, secret="not-the-secret")
    step = check.failed_at(SIGN_IN)
    assert step.detail.startswith("100208 (HTTP 401)")
    assert "mistyped" in step.cause


def test_an_unknown_application(check: Check) -> None:
    check.info = attrs.evolve(check.info, app_id="nobody")
    step = check.failed_at(SIGN_IN)
    assert "ClientInfo" in step.remedy or "console" in step.remedy


def test_a_web_page_instead_of_the_api(emulator: Emulator, check: Check) -> None:
    page = "<html>\x1b[31mplease   log in to the guest network" + "!" * 1000
    emulator.control.add_fault("answer", endpoint=f"POST {LOGIN}", status=502, body=page)
    step = check.failed_at(SIGN_IN)
    assert "1011 (HTTP 502)" in step.detail
    assert "please log in to the guest network" in step.cause
    assert len(step.cause) < 400


def test_a_login_that_is_broken_off(emulator: Emulator, check: Check) -> None:
    emulator.control.add_fault("reset", endpoint=f"POST {LOGIN}")
    assert "ended the connection without an answer" in check.failed_at(SIGN_IN).cause


def test_a_login_that_stays_silent(emulator: Emulator, check: Check) -> None:
    emulator.control.add_fault("stall", endpoint=f"POST {LOGIN}", seconds=60)
    step = check.failed_at(SIGN_IN, read_timeout=0.3)
    assert "stays silent" in step.cause
    assert "--timeout" in step.remedy


def test_a_code_nobody_documented(emulator: Emulator, check: Check) -> None:
    told = {"error_code": "777001", "error_desc": "no"}
    emulator.control.add_fault("answer", endpoint=f"POST {LOGIN}", status=403, body=told)
    assert "not in its documentation" in check.failed_at(SIGN_IN).cause


def test_a_refresh_that_fails(emulator: Emulator, check: Check) -> None:
    emulator.control.add_fault("answer", endpoint=f"POST {REFRESH}", status=500, body=BROKEN)
    assert check.failed_at(RENEWAL).detail == "50252 (HTTP 500): out of order"


def test_a_platform_without_refresh_tokens(check: Check, serve: Any, pki: Any) -> None:
    answers = {
        "GET": (404, None),
        "POST": (201, {"deviceId": "d-1", "accessToken": "t" * 32, "expiresIn": 60, "refreshToken": None}),
        "PUT": (204, None),
        "DELETE": (204, None),
    }
    server: FaultyServer = serve(lambda seen, wire: answers[seen.method])
    report = check.at(server, pki.tls).run()
    assert report.passed
    assert "no refresh token" in report.steps[4].detail
    assert REFRESH not in [seen.path for seen in server.seen]
