import contextlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from tests.certs import Authority, Issued, TlsServer, altered, get, server_context

from iot_northbound.core.causes import chain_of
from iot_northbound.core.handshake import explain_handshake
from iot_northbound.core.tls import TlsPolicy, build_policy
from iot_northbound.ssl_config import SSLConfig


def sign(issuer: Issued, name: str, *extensions: x509.ExtensionType) -> Issued:
    """Return a certificate with these extensions and no others."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer.certificate.subject,
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]),
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(hours=1),
        now + timedelta(days=1),
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Issued(key, builder.sign(issuer.key, hashes.SHA256()), issuer)


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


KEY_IDS = (x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier)


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority(not_before=datetime.now(UTC) - timedelta(days=10))


def policy_for(folder: Path, ca: Authority, client: Issued | None = None, **settings: Any) -> TlsPolicy:
    trust = folder / "ca.pem"
    trust.write_bytes(ca.pem)
    now = settings.pop("now", None)
    if client is not None:
        path = folder / "client.pem"
        path.write_bytes(client.pem + client.key_pem())
        settings["self_cert_path"] = path
    return build_policy(SSLConfig(trust_ca_path=trust, **settings), now=now)


def explain(error: BaseException, shows_certificate: bool | None = None) -> str:
    """Return the explanation in words; empty if there is none."""
    found = explain_handshake(chain_of(error), shows_certificate=shows_certificate)
    return str(found or "")


def explained(policy: TlsPolicy, server: TlsServer) -> str:
    with pytest.raises(requests.exceptions.ConnectionError) as caught:
        get(policy, server.url)
    assert server.requests == []
    return explain(caught.value, policy.shows_certificate)


class TestWeRefuse:
    def serve(self, folder: Path, issuer: Authority, *sans: str, **validity: Any) -> TlsServer:
        return TlsServer(server_context(issuer.issue("server", sans, **validity), None, folder))

    def test_unknown_ca(self, tmp_path: Path, ca: Authority) -> None:
        with self.serve(tmp_path, Authority("other"), "127.0.0.1") as server:
            text = explained(policy_for(tmp_path, ca), server)
        assert text.startswith("We refused the server's certificate")
        assert "trust_ca_path" in text

    @pytest.mark.parametrize("without", [(), KEY_IDS], ids=["with key ids", "without"])
    def test_ca_made_anew_under_its_old_name(self, tmp_path: Path, ca: Authority, without: Any) -> None:
        server_certificate = altered(Authority().issue("server", ["127.0.0.1"]), without=without)
        with TlsServer(server_context(server_certificate, None, tmp_path)) as server:
            text = explained(policy_for(tmp_path, ca), server)
            assert re.search("the CA was (probably )?made anew", text)

    def test_untidy_chain_under_strict_checking(self, tmp_path: Path, ca: Authority) -> None:
        untidy = altered(ca.issue("server", ["127.0.0.1"]), without=KEY_IDS)
        with TlsServer(server_context(untidy, None, tmp_path)) as server:
            text = explained(policy_for(tmp_path, ca, strict_x509=True), server)
        assert "breaks a rule of RFC 5280 (Missing Authority Key Identifier)" in text
        assert "strict_x509=False" in text

    def test_self_signed(self, tmp_path: Path, ca: Authority) -> None:
        with TlsServer(server_context(Authority("127.0.0.1"), None, tmp_path)) as server:
            assert "does not come from a CA that we trust" in explained(policy_for(tmp_path, ca), server)

    def test_expired(self, tmp_path: Path, ca: Authority) -> None:
        past = datetime.now(UTC) - timedelta(days=2)
        with self.serve(tmp_path, ca, "127.0.0.1", not_before=past - timedelta(days=1), not_after=past) as server:
            assert "it has expired" in explained(policy_for(tmp_path, ca), server)

    def test_not_valid_yet(self, tmp_path: Path, ca: Authority) -> None:
        future = datetime.now(UTC) + timedelta(days=2)
        with self.serve(tmp_path, ca, "127.0.0.1", not_before=future) as server:
            assert "not valid yet" in explained(policy_for(tmp_path, ca), server)

    @pytest.mark.parametrize("settings", [{}, {"expected_hostname": "platform.example"}])
    def test_another_name(self, tmp_path: Path, ca: Authority, settings: dict[str, str]) -> None:
        with self.serve(tmp_path, ca, "elsewhere.example") as server:
            text = explained(policy_for(tmp_path, ca, **settings), server)
        assert "made out to another name" in text
        assert settings.get("expected_hostname", "127.0.0.1") in text

    def test_an_address_that_is_there_as_a_dns_name_or_common_name_only(self, tmp_path: Path, ca: Authority) -> None:
        named = x509.SubjectAlternativeName([x509.DNSName("127.0.0.1")])
        for issued in (sign(ca, "server", named), sign(ca, "127.0.0.1"), sign(ca, "platform.example")):
            with TlsServer(server_context(issued, None, tmp_path)) as server:
                text = explained(policy_for(tmp_path, ca), server)
                assert "made out to another name, not to this IP address" in text
                assert "hostname_verifier" in text
        with TlsServer(server_context(sign(ca, "server", named), None, tmp_path)) as server:
            # The rule that the message gives lets the call through.
            verifier = lambda host, certificate: host in (certificate.common_name, *certificate.dns_names)  # noqa: E731
            assert get(policy_for(tmp_path, ca, hostname_verifier=verifier), server.url).status_code == 200

    def test_a_certificate_without_any_name_for_a_host_name(self, tmp_path: Path, ca: Authority) -> None:
        with TlsServer(server_context(sign(ca, "platform.example"), None, tmp_path)) as server:
            text = explained(policy_for(tmp_path, ca, expected_hostname="platform.example"), server)
        assert "no subject alternative name, set a hostname_verifier" in text

    def test_a_clients_certificate_on_a_server(self, tmp_path: Path, ca: Authority) -> None:
        issued = ca.issue("server", ["127.0.0.1"], client=True)
        with TlsServer(server_context(issued, None, tmp_path)) as server:
            assert "not made for a server" in explained(policy_for(tmp_path, ca), server)

    def test_a_certificate_from_one_that_may_issue_none(self, tmp_path: Path, ca: Authority) -> None:
        between = ca.issue("no ca")
        issued = sign(between, "server", x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]))
        with TlsServer(server_context(issued, None, tmp_path, [between])) as server:
            assert "may not issue certificates" in explained(policy_for(tmp_path, ca), server)

    def test_a_server_without_secure_renegotiation(self, tmp_path: Path, ca: Authority) -> None:
        # A ServerHello of TLS 1.2 without any extension, as servers before RFC 5746 send it.
        hello = b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2f" + b"\x00"
        message = b"\x02" + len(hello).to_bytes(3, "big") + hello
        record = b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message

        def answer(connection: socket.socket) -> None:
            connection.sendall(record)
            connection.recv(100)  # its alert, or closing would reset

        with _after_hello(answer) as port, pytest.raises(requests.exceptions.ConnectionError) as caught:
            get(policy_for(tmp_path, ca), f"https://127.0.0.1:{port}")
        text = explain(caught.value)
        assert "secure renegotiation" in text
        assert "UnsafeLegacyServerConnect" in text

    @pytest.mark.parametrize("rule", [lambda host, certificate: False, lambda host, certificate: [][0]])
    def test_own_verifier(self, tmp_path: Path, ca: Authority, rule: Callable[..., bool]) -> None:
        with self.serve(tmp_path, ca, "127.0.0.1") as server:
            text = explained(policy_for(tmp_path, ca, hostname_verifier=rule), server)
        assert text.startswith("We refused the server's certificate: the hostname_verifier")

    def test_protocol_older_than_our_minimum(self, tmp_path: Path, ca: Authority) -> None:
        context = server_context(ca.issue("server", ["127.0.0.1"]), None, tmp_path)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with TlsServer(context) as server:
            text = explained(policy_for(tmp_path, ca, minimum_version=ssl.TLSVersion.TLSv1_3), server)
        assert "TLS version" in text


@pytest.mark.parametrize("version", VERSIONS, ids=["tls1.2", "tls1.3"])
class TestServerRefuses:
    """With TLS 1.3 the refusal comes with the first read, after our side's handshake is done."""

    def serve(self, folder: Path, ca: Authority, version: ssl.TLSVersion) -> TlsServer:
        context = server_context(ca.issue("server", ["127.0.0.1"]), ca, folder)
        context.minimum_version = context.maximum_version = version
        return TlsServer(context)

    def test_no_client_certificate(self, tmp_path: Path, ca: Authority, version: ssl.TLSVersion) -> None:
        with self.serve(tmp_path, ca, version) as server:
            text = explained(policy_for(tmp_path, ca), server)
        assert "we sent no" in text or "we sent none" in text
        assert "self_cert_path" in text

    def test_client_certificate_of_another_ca(self, tmp_path: Path, ca: Authority, version: ssl.TLSVersion) -> None:
        stranger = Authority("stranger").issue("client", client=True)
        with self.serve(tmp_path, ca, version) as server:
            text = explained(policy_for(tmp_path, ca, stranger), server)
        assert text.startswith("The server refused us: our client certificate comes from a CA that it does not know")

    @pytest.mark.parametrize("without", [(), KEY_IDS], ids=["with key ids", "without"])
    def test_client_ca_made_anew_under_its_old_name(
        self, tmp_path: Path, ca: Authority, version: ssl.TLSVersion, without: Any
    ) -> None:
        client = altered(Authority().issue("client", client=True), without=without)
        with self.serve(tmp_path, ca, version) as server:
            text = explained(policy_for(tmp_path, ca, client), server)
        assert text.startswith("The server refused us")
        assert "the CA was made anew" in text

    def test_expired_client_certificate(self, tmp_path: Path, ca: Authority, version: ssl.TLSVersion) -> None:
        past = datetime.now(UTC) - timedelta(days=2)
        client = ca.issue("client", client=True, not_before=past - timedelta(days=1), not_after=past)
        # Valid for our own check, as on a machine whose clock is behind.
        policy = policy_for(tmp_path, ca, client, now=past - timedelta(hours=1))
        with self.serve(tmp_path, ca, version) as server:
            assert "our client certificate has expired" in explained(policy, server)

    def test_certificate_for_another_use(self, tmp_path: Path, ca: Authority, version: ssl.TLSVersion) -> None:
        client = ca.issue("client")  # for servers
        with self.serve(tmp_path, ca, version) as server:
            text = explained(policy_for(tmp_path, ca, client), server)
        assert text.startswith("The server refused us: ")
        assert "client certificate" in text


class TestNoTlsAtAll:
    def test_plain_http_on_the_port(self, tmp_path: Path, ca: Authority) -> None:
        with TlsServer(None) as server, pytest.raises(requests.exceptions.SSLError) as caught:
            get(policy_for(tmp_path, ca), f"https://127.0.0.1:{server.port}")
        assert "does not speak TLS" in explain(caught.value)

    def test_server_without_a_common_protocol(self, tmp_path: Path, ca: Authority) -> None:
        context = server_context(ca.issue("server", ["127.0.0.1"]), None, tmp_path)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        policy = policy_for(tmp_path, ca)
        policy.context.maximum_version = ssl.TLSVersion.TLSv1_2
        with TlsServer(context) as server:
            assert "alert: protocol version" in explained(policy, server)

    @pytest.mark.parametrize(("sends", "expected"), [(b"SSH-2.0-test\r\n", "not speak TLS"), (b"", "hung up")])
    def test_another_service(self, tmp_path: Path, ca: Authority, sends: bytes, expected: str) -> None:
        service = _after_hello(lambda connection: connection.sendall(sends))
        with service as port, pytest.raises(requests.exceptions.ConnectionError) as caught:
            get(policy_for(tmp_path, ca), f"https://127.0.0.1:{port}")
        text = explain(caught.value, True)
        assert expected in text

    def test_silence(self, tmp_path: Path, ca: Authority) -> None:
        # Nobody accepts: the kernel takes the connection and nothing ever answers on it.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            with pytest.raises(requests.exceptions.Timeout) as caught:
                get(policy_for(tmp_path, ca), url, timeout=0.2)
        assert "never answered the TLS handshake" in explain(caught.value)

    def test_reset_instead_of_a_handshake(self, tmp_path: Path, ca: Authority) -> None:
        def reset(connection: socket.socket) -> None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

        with _after_hello(reset) as port, pytest.raises(requests.exceptions.ConnectionError) as caught:
            get(policy_for(tmp_path, ca), f"https://127.0.0.1:{port}")
        assert "closed the connection without a word" in explain(caught.value)
        assert "self_cert_path" in explain(caught.value, False)


@contextlib.contextmanager
def _after_hello(act: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that reads the ClientHello, does one thing and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(60)
            with connection:
                connection.recv(65536)
                act(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)
        assert not thread.is_alive()


class TestWords:
    @pytest.mark.parametrize(
        "error", [ValueError("x"), requests.exceptions.ReadTimeout("slow"), http.client.BadStatusLine("?")]
    )
    def test_nothing_to_say_about_other_errors(self, error: Exception) -> None:
        assert explain(error) == ""

    def test_error_that_contains_itself(self) -> None:
        error = ValueError("x")
        error.args = (error,)
        assert explain(error) == ""

    def test_tls_error_raised_by_python_code(self) -> None:
        assert "made up" in explain(ssl.SSLError("made up"))

    @pytest.mark.parametrize(
        ("code", "told"),
        [
            (10, "expired"),
            (9, "not valid yet"),
            (23, "revoked"),
            (24, "may not issue"),
            (25, "may not issue"),
            (26, "not made for a server"),
            (62, "another name"),
            (64, "IP address"),
            (66, "too weak"),
            (67, "too weak"),
            (68, "too weak"),
        ],
    )
    def test_every_refusal_of_a_certificate_says_what_to_do(self, code: int, told: str) -> None:
        error = ssl.SSLCertVerificationError(1, "refused")
        error.verify_code, error.verify_message = code, "OpenSSL's words"
        text = explain(error)
        assert told in text
        assert re.search("SSLConfig|operator|clock|newer one|another one", text)

    @pytest.mark.parametrize(
        "reason",
        [
            "UNSUPPORTED_PROTOCOL",
            "DH_KEY_TOO_SMALL",
            "EE_KEY_TOO_SMALL",
            "CA_MD_TOO_WEAK",
            "NO_CIPHERS_AVAILABLE",
            "WRONG_VERSION_NUMBER",
            "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
        ],
    )
    def test_every_fault_of_the_protocol_says_what_to_do(self, reason: str) -> None:
        error = ssl.SSLError(1, reason)
        error.reason = reason
        assert re.search("SSLConfig|operator|Check platform_ip", explain(error))

    @pytest.mark.parametrize("name", ["SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_HANDSHAKE_FAILURE"])
    def test_vague_alerts_are_read_by_what_we_showed(self, name: str) -> None:
        error = ssl.SSLError(1, name)
        error.reason = name
        assert "we sent no client certificate" in explain(error, False)
        assert "we sent no" not in explain(error, True)
        assert explain(error).startswith("The server refused")
