import contextlib
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.certs import ODD, UNTIDY, Authority, TlsServer, altered, get, server_context

from iot_northbound.core.tls import HostNameRefused, PinnedAdapter, build_policy
from iot_northbound.ssl_config import PeerCertificate, SSLConfig


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


def file(folder: Path, data: bytes, name: str = "ca.pem") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


class TestPinning:
    @pytest.fixture
    def server(self, tmp_path: Path, ca: Authority) -> Iterator[TlsServer]:
        with TlsServer(server_context(ca.issue("server", ["localhost", "127.0.0.1"]), None, tmp_path)) as server:
            yield server

    def test_pinned_store_stays_as_it_is_over_requests(self, tmp_path: Path, ca: Authority, server: TlsServer) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=file(tmp_path, ca.pem)))
        for _ in range(3):  # a new connection each
            assert get(policy, server.url).status_code == 200
        assert server.connections == 3
        assert policy.context.cert_store_stats()["x509"] == 1

    def test_arguments_of_a_call_cannot_loosen_it(self, tmp_path: Path, server: TlsServer) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=file(tmp_path, Authority("other").pem)))
        with requests.Session() as session:
            session.mount("https://", PinnedAdapter(policy))
            with pytest.raises(requests.exceptions.SSLError):
                session.get(server.url, verify=False, timeout=60)


class TestProxy:
    def test_tunnel_ends_in_the_same_policy(self, tmp_path: Path, ca: Authority) -> None:
        hosts: list[str] = []
        config = SSLConfig(
            trust_ca_path=file(tmp_path, ca.pem),
            hostname_verifier=lambda host, certificate: hosts.append(host) is None,
        )
        policy = build_policy(config)
        context = server_context(ca.issue("server", ["platform.example"]), None, tmp_path)
        with TlsServer(context) as server, connect_proxy() as (proxy, asked), requests.Session() as session:
            session.trust_env = False
            session.mount("https://", PinnedAdapter(policy))
            url = f"https://localhost:{server.port}"
            assert session.get(url, proxies={"https": proxy}, timeout=60).status_code == 200
        assert asked == [f"CONNECT localhost:{server.port}"]
        assert hosts == ["localhost"]
        assert policy.context.cert_store_stats()["x509"] == 1


@contextlib.contextmanager
def connect_proxy() -> Iterator[tuple[str, list[str]]]:
    """Run an HTTP proxy for one tunnel; yield its URL and what it was asked for."""
    asked: list[str] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        near, _ = listener.accept()
        with near:
            method, target, _ = near.recv(65536).decode().split("\r\n")[0].split(" ")
            asked.append(f"{method} {target}")
            with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2])), timeout=60) as far:
                near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pump, args=(far, near), daemon=True)
                back.start()
                pump(near, far)
                back.join(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, ca: Authority) -> Iterator[tuple[Path, TlsServer]]:
    folder = tmp_path_factory.mktemp("environment")
    (folder / "ca.pem").write_bytes(ca.pem)
    (folder / "other.pem").write_bytes(Authority("other").pem)
    with TlsServer(server_context(ca.issue("server", ["127.0.0.1"]), None, folder)) as server:
        yield folder, server


class TestEnvironment:
    """Each case runs in a process of its own: OpenSSL and requests read the environment when they please."""

    CODE = """
import sys
from iot_northbound.core.tls import PinnedAdapter, build_policy
from iot_northbound.ssl_config import SSLConfig
import requests
trust, url = sys.argv[1:]
policy = build_policy(SSLConfig(trust_ca_path=trust) if trust else None)
session = requests.Session()
session.trust_env = False
session.mount("https://", PinnedAdapter(policy))
try:
    print(session.get(url, timeout=60).status_code)
except requests.exceptions.SSLError as error:
    print("refused", "CERTIFICATE_VERIFY_FAILED" in str(error))
print(policy.context.cert_store_stats()["x509"], policy.context.keylog_filename)
"""

    def run(self, trust: str, url: str, **environ: str) -> list[str]:
        names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE")
        clean = {key: value for key, value in os.environ.items() if key not in names}
        command = [sys.executable, "-c", self.CODE, trust, url]
        done = subprocess.run(command, env={**clean, **environ}, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")

    @pytest.mark.parametrize("configured", [True, False])
    def test_changes_nothing(self, place: tuple[Path, TlsServer], configured: bool) -> None:
        folder, server = place
        good, bad = str(folder / "ca.pem"), str(folder / "other.pem")
        plain = self.run(good if configured else "", server.url)
        # What would open the door where it is closed, and close it where it is open.
        lure = bad if configured else good
        keylog = folder / "keylog"
        proxy = "http://127.0.0.1:9"
        loaded = self.run(
            good if configured else "",
            server.url,
            SSL_CERT_FILE=lure,
            SSL_CERT_DIR=str(folder),
            REQUESTS_CA_BUNDLE=lure,
            CURL_CA_BUNDLE=lure,
            SSLKEYLOGFILE=str(keylog),
            HTTPS_PROXY=proxy,
            ALL_PROXY=proxy,
        )
        assert loaded == plain
        assert loaded[0] == ("200" if configured else "refused True")
        assert loaded[1].endswith("None")
        assert not keylog.exists()


class TestHostNames:
    @pytest.fixture
    def trust(self, tmp_path: Path, ca: Authority) -> Path:
        return file(tmp_path, ca.pem)

    def serve(
        self, folder: Path, ca: Authority, *sans: str, name: str = "server", host: str = "127.0.0.1"
    ) -> TlsServer:
        return TlsServer(server_context(ca.issue(name, sans), None, folder), host)

    def test_address_and_name_as_in_the_certificate(self, tmp_path: Path, ca: Authority, trust: Path) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=trust))
        with self.serve(tmp_path, ca, "127.0.0.1", "localhost") as server:
            assert get(policy, server.url).status_code == 200
            assert get(policy, f"https://localhost:{server.port}").status_code == 200

    @pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
    def test_ipv6_address(self, tmp_path: Path, ca: Authority, trust: Path) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=trust))
        try:
            server = self.serve(tmp_path, ca, "::1", host="::1")
        except OSError:
            pytest.skip("no IPv6 loopback here")
        with server:
            assert server.url.startswith("https://[::1]:")
            assert get(policy, server.url).status_code == 200

    def test_another_address_or_name_is_refused(self, tmp_path: Path, ca: Authority, trust: Path) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=trust))
        with self.serve(tmp_path, ca, "platform.example", "127.0.0.2") as server:
            for host in ("127.0.0.1", "localhost"):
                with pytest.raises(requests.exceptions.SSLError, match="mismatch"):
                    get(policy, f"https://{host}:{server.port}")
            assert server.requests == []

    def test_common_name_alone_is_refused(self, tmp_path: Path, ca: Authority, trust: Path) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=trust))
        with self.serve(tmp_path, ca, name="localhost") as server, pytest.raises(requests.exceptions.SSLError):
            get(policy, f"https://localhost:{server.port}")

    def test_address_as_a_dns_name_is_refused(self, tmp_path: Path, ca: Authority, trust: Path) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=trust))
        server = self.serve(tmp_path, ca, "localhost", name="127.0.0.1")
        with server, pytest.raises(requests.exceptions.SSLError):
            get(policy, server.url)

    @pytest.mark.parametrize("expected", ["platform.example", "192.0.2.7"])
    def test_expected_name_in_place_of_the_url_s(
        self, tmp_path: Path, ca: Authority, trust: Path, expected: str
    ) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=trust, expected_hostname=expected))
        with self.serve(tmp_path, ca, expected) as server:
            assert get(policy, server.url).status_code == 200
        with self.serve(tmp_path, ca, "127.0.0.1") as server, pytest.raises(requests.exceptions.SSLError):
            get(policy, server.url)  # the URL's own host no longer counts

    def test_verifier_sees_host_and_certificate_and_decides(self, tmp_path: Path, ca: Authority, trust: Path) -> None:
        seen: list[tuple[str, PeerCertificate]] = []

        def verifier(host: str, certificate: PeerCertificate) -> bool:
            seen.append((host, certificate))
            return certificate.common_name == "iot.platform.example"

        policy = build_policy(SSLConfig(trust_ca_path=trust, hostname_verifier=verifier))
        with self.serve(tmp_path, ca, name="iot.platform.example") as server:
            assert get(policy, server.url).status_code == 200
        ((host, certificate),) = seen
        assert host == "127.0.0.1"
        assert (certificate.dns_names, certificate.ip_addresses) == ((), ())
        assert len(certificate.sha256) == 64
        assert certificate.not_before < datetime.now(UTC) < certificate.not_after

    def test_verifier_sees_alternative_names(self, tmp_path: Path, ca: Authority, trust: Path) -> None:
        seen: list[PeerCertificate] = []
        rule = lambda host, certificate: seen.append(certificate) is None  # noqa: E731
        policy = build_policy(SSLConfig(trust_ca_path=trust, hostname_verifier=rule))
        with self.serve(tmp_path, ca, "*.platform.example", "192.0.2.1", "2001:db8::1") as server:
            get(policy, server.url)
        assert seen[0].dns_names == ("*.platform.example",)
        assert seen[0].ip_addresses == ("192.0.2.1", "2001:db8::1")

    @pytest.mark.parametrize(
        "rule", [lambda host, certificate: False, lambda host, certificate: 1 / 0, lambda host, certificate: "yes"]
    )
    def test_verifier_that_refuses_fails_or_mumbles_sends_nothing(
        self, tmp_path: Path, ca: Authority, trust: Path, rule: Any
    ) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=trust, hostname_verifier=rule))
        with self.serve(tmp_path, ca, "127.0.0.1") as server:
            with pytest.raises(requests.exceptions.SSLError, match="hostname_verifier") as caught:
                get(policy, server.url)
            assert server.requests == []
        assert isinstance(caught.value.args[0].reason.args[0], HostNameRefused)

    def test_verifier_does_not_replace_the_chain(self, tmp_path: Path, trust: Path) -> None:
        policy = build_policy(SSLConfig(trust_ca_path=trust, hostname_verifier=lambda host, certificate: True))
        server = self.serve(tmp_path, Authority("other"), "127.0.0.1")
        with server, pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            get(policy, server.url)

    def test_two_clients_keep_their_own_rules(self, tmp_path: Path, ca: Authority, trust: Path) -> None:
        lax = build_policy(SSLConfig(trust_ca_path=trust, hostname_verifier=lambda host, certificate: True))
        strict = build_policy(SSLConfig(trust_ca_path=trust))
        with self.serve(tmp_path, ca, "platform.example") as server:
            assert get(lax, server.url).status_code == 200
            with pytest.raises(requests.exceptions.SSLError):
                get(strict, server.url)
            assert get(lax, server.url).status_code == 200


class TestVerificationOff:
    def test_is_logged_loudly_for_each_client(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, "iot_northbound"):
            for _ in range(2):
                build_policy(SSLConfig(insecure_skip_verification=True))
        warnings = [record for record in caplog.records if "VERIFICATION IS OFF" in record.message]
        assert [record.levelno for record in warnings] == [logging.WARNING] * 2

    @pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
    def test_takes_any_server(self, tmp_path: Path) -> None:
        context = server_context(Authority("unknown").issue("x", ["elsewhere.example"]), None, tmp_path)
        with TlsServer(context) as server:
            assert get(build_policy(SSLConfig(insecure_skip_verification=True)), server.url).status_code == 200


class TestUntidyCertificates:
    def serve(self, folder: Path, ca: Authority, case: str) -> tuple[TlsServer, Path]:
        of_ca, of_server = {**UNTIDY, **ODD}[case]
        server = altered(ca.issue("server", ["127.0.0.1"]), **of_server)
        return TlsServer(server_context(server, None, folder)), file(folder, altered(ca, **of_ca).pem)

    @pytest.mark.filterwarnings("ignore:Parsed a serial number")
    @pytest.mark.parametrize("case", [*UNTIDY, *ODD])
    def test_are_taken_on_every_python(self, tmp_path: Path, ca: Authority, case: str) -> None:
        server, trust = self.serve(tmp_path, ca, case)
        with server:
            assert get(build_policy(SSLConfig(trust_ca_path=trust)), server.url).status_code == 200

    @pytest.mark.parametrize("case", list(UNTIDY))
    def test_are_refused_on_every_python_if_checking_is_strict(self, tmp_path: Path, ca: Authority, case: str) -> None:
        server, trust = self.serve(tmp_path, ca, case)
        with server, pytest.raises(requests.exceptions.SSLError):
            get(build_policy(SSLConfig(trust_ca_path=trust, strict_x509=True)), server.url)

    def test_tidy_ones_pass_strict_checking(self, tmp_path: Path, ca: Authority) -> None:
        trust = file(tmp_path, ca.pem)
        with TlsServer(server_context(ca.issue("server", ["127.0.0.1"]), None, tmp_path)) as server:
            assert get(build_policy(SSLConfig(trust_ca_path=trust, strict_x509=True)), server.url).status_code == 200


class TestProtocol:
    def test_nothing_older_than_tls_1_2(self) -> None:
        assert build_policy(None).context.minimum_version == ssl.TLSVersion.TLSv1_2

    def test_minimum_can_be_raised(self) -> None:
        context = build_policy(SSLConfig(minimum_version=ssl.TLSVersion.TLSv1_3)).context
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3

    def test_system_store_is_used_without_a_configuration(self) -> None:
        paths = ssl.get_default_verify_paths()
        if not os.path.isfile(paths.openssl_cafile):
            pytest.skip("this system keeps its CAs elsewhere")
        policy = build_policy(None)
        assert policy.context.cert_store_stats()["x509_ca"] > 10
        assert policy.context.verify_mode == ssl.CERT_REQUIRED
        assert policy.context.check_hostname
        assert not policy.shows_certificate
