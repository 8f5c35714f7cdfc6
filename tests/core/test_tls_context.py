import os
import ssl
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.certs import Authority, Issued, TlsServer, get, mutual_tls, server_context

from iot_northbound.core import tls_context
from iot_northbound.core.keystores import Source, public_bytes, read_store
from iot_northbound.core.tls import build_policy
from iot_northbound.errors import TlsError
from iot_northbound.ssl_config import SSLConfig

FIXTURES = Path(__file__).parent.parent / "data" / "keystores"
PASSWORD = "fixture-pass"


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def client(ca: Authority) -> Issued:
    return ca.issue("client", client=True)


def file(folder: Path, data: bytes, name: str = "client.store") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def fault(config: SSLConfig, now: datetime | None = None) -> str:
    with pytest.raises(TlsError) as caught:
        build_policy(config, now=now)
    assert caught.value.error_code == "1006"
    return caught.value.error_desc


class TestClientCertificate:
    def test_forms_that_reach_a_server_demanding_one(self, tmp_path: Path) -> None:
        with mutual_tls(tmp_path) as (server, ca, client):
            trust = file(tmp_path, ca.pem, "ca.pem")
            certificate, key = client.write(tmp_path, "client")
            configs = [
                SSLConfig(self_cert_path=certificate, self_key_path=key, trust_ca_path=trust),
                SSLConfig(self_cert_path=str(file(tmp_path, client.pem + client.key_pem())), trust_ca_path=str(trust)),
                SSLConfig(
                    self_cert_path=file(tmp_path, client.pem + client.key_pem(PASSWORD), "encrypted.pem"),
                    self_cert_pwd=PASSWORD,
                    trust_ca_path=file(tmp_path, ca.der, "ca.der"),
                ),
                SSLConfig(
                    self_cert_path=file(tmp_path, client.p12(PASSWORD), "client.p12"),
                    self_cert_pwd=PASSWORD,
                    trust_ca_path=trust,
                ),
                SSLConfig(
                    self_cert_path=file(tmp_path, client.der, "client.der"),
                    self_key_path=file(tmp_path, client.key_der(), "client.key.der"),
                    trust_ca_path=trust,
                ),
            ]
            for config in configs:
                assert get(build_policy(config), server.url).json() == {"ok": True}
            assert len(server.peers) == len(configs)
            assert all(peer["subject"] == ((("commonName", "client"),),) for peer in server.peers)

    def test_chain_is_sent_whatever_its_order_in_the_file(self, tmp_path: Path, ca: Authority) -> None:
        between = ca.intermediate()
        client = between.issue("client", client=True)
        config = SSLConfig(
            self_cert_path=file(tmp_path, between.pem + client.key_pem() + client.pem),
            trust_ca_path=file(tmp_path, ca.pem, "ca.pem"),
        )
        with TlsServer(server_context(ca.issue("server", ["127.0.0.1"]), ca, tmp_path)) as server:
            assert get(build_policy(config), server.url).status_code == 200

    def test_key_of_another_certificate(self, tmp_path: Path, ca: Authority, client: Issued) -> None:
        other = ca.issue("other", client=True)
        path = file(tmp_path, client.pem + other.key_pem())
        assert "does not belong to the certificate" in fault(SSLConfig(self_cert_path=path))

    def test_expired(self, tmp_path: Path, client: Issued) -> None:
        path = file(tmp_path, client.pem + client.key_pem())
        later = datetime.now(UTC) + timedelta(days=60)
        assert "client certificate expired on" in fault(SSLConfig(self_cert_path=path), later)

    def test_not_valid_yet(self, tmp_path: Path, client: Issued) -> None:
        path = file(tmp_path, client.pem + client.key_pem())
        earlier = datetime.now(UTC) - timedelta(days=1)
        assert "check this machine's clock" in fault(SSLConfig(self_cert_path=path), earlier)

    def test_no_certificate_inside(self, tmp_path: Path, client: Issued) -> None:
        assert "no certificate in this PEM file" in fault(SSLConfig(self_cert_path=file(tmp_path, client.key_pem())))

    def test_no_private_key_inside(self, tmp_path: Path, client: Issued) -> None:
        path = file(tmp_path, client.pem)
        assert "no private key in this file: name the key's file" in fault(SSLConfig(self_cert_path=path))
        config = SSLConfig(self_cert_path=path, self_key_path=file(tmp_path, client.pem, "client.key"))
        assert fault(config).startswith("self_key_path")

    @pytest.mark.parametrize("setting", ["self_cert_path", "self_key_path", "trust_ca_path"])
    def test_missing_file_names_the_setting(self, tmp_path: Path, client: Issued, setting: str) -> None:
        paths: dict[str, Any] = {"self_cert_path": file(tmp_path, client.pem), setting: tmp_path / "nowhere"}
        message = fault(SSLConfig(**paths))
        assert message.startswith(setting)
        assert "does not exist" in message

    def test_wrong_password_is_named_and_not_shown(self, tmp_path: Path, client: Issued) -> None:
        config = SSLConfig(self_cert_path=file(tmp_path, client.p12(PASSWORD)), self_cert_pwd="another-one")
        message = fault(config)
        assert "password in self_cert_pwd is wrong" in message
        assert "another-one" not in message + repr(config)

    def test_key_too_short_for_openssl(self, tmp_path: Path, ca: Authority) -> None:
        weak = ca.issue("weak", client=True, key=rsa.generate_private_key(65537, 1024))
        probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if probe.security_level < 2:
            pytest.skip("this OpenSSL takes short keys")
        message = fault(SSLConfig(self_cert_path=file(tmp_path, weak.pem + weak.key_pem())))
        assert "key is too short" in message

    def test_elliptic_key_on_another_curve(self, tmp_path: Path, ca: Authority) -> None:
        issued = ca.issue("client", client=True, key=ec.generate_private_key(ec.SECP384R1()))
        assert build_policy(SSLConfig(self_cert_path=file(tmp_path, issued.p12(None)))).shows_certificate

    def test_old_store_of_the_field_makes_a_context(self) -> None:
        config = SSLConfig(self_cert_path=FIXTURES / "client-rc2.p12", self_cert_pwd=PASSWORD)
        assert build_policy(config, now=datetime(2040, 1, 1, tzinfo=UTC)).shows_certificate


class TestSeveralKeys:
    @pytest.mark.parametrize("name", ["two-keys.p12", "two-keys.jks"])
    def test_without_a_choice_the_error_names_the_choices(self, name: str) -> None:
        text = fault(SSLConfig(self_cert_path=FIXTURES / name, self_cert_pwd=PASSWORD))
        assert "self_cert_alias" in text
        assert "'first'" in text
        assert "'second'" in text

    @pytest.mark.parametrize("name", ["two-keys.p12", "two-keys.jks"])
    @pytest.mark.parametrize("alias", ["first", "Second", "SECOND"])
    def test_the_chosen_one_is_shown(self, tmp_path: Path, name: str, alias: str) -> None:
        store = read_store(Source(FIXTURES / name, "x", PASSWORD))
        ca = next(each for each in store.certificates if each.subject.rfc4514_string() == f"CN=fixture {alias.lower()}")
        authority = Authority()
        context = server_context(authority.issue("server", ["127.0.0.1"]), Issued(None, ca, None), tmp_path)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        trust = file(tmp_path, authority.pem, "ca.pem")
        settings = {"self_cert_path": FIXTURES / name, "self_cert_pwd": PASSWORD, "trust_ca_path": trust}
        with TlsServer(context) as server:
            assert get(build_policy(SSLConfig(**settings, self_cert_alias=alias)), server.url).status_code == 200
        assert server.peers[0]["subject"] == ((("commonName", f"fixture {alias.lower()}"),),)

    @pytest.mark.parametrize("name", ["two-keys.p12", "two-keys.jks"])
    def test_an_alias_that_is_not_there_names_those_that_are(self, name: str) -> None:
        text = fault(SSLConfig(self_cert_path=FIXTURES / name, self_cert_pwd=PASSWORD, self_cert_alias="third"))
        assert "no private key has the alias 'third'; there is 'first' or 'second'" in text.replace(
            "'second' or 'first'", "'first' or 'second'"
        )

    def test_an_alias_for_the_only_key_may_be_given(self, tmp_path: Path, client: Issued) -> None:
        path = file(tmp_path, client.p12(PASSWORD))
        build_policy(SSLConfig(self_cert_path=path, self_cert_pwd=PASSWORD, self_cert_alias="CLIENT"))
        text = fault(SSLConfig(self_cert_path=path, self_cert_pwd=PASSWORD, self_cert_alias="x"))
        assert "there is 'client'" in text

    def test_a_file_without_aliases_says_so(self, tmp_path: Path, client: Issued) -> None:
        path = file(tmp_path, client.pem + client.key_pem())
        assert "leave self_cert_alias out" in fault(SSLConfig(self_cert_path=path, self_cert_alias="x"))

    def test_of_several_pem_keys_the_one_with_the_certificate_counts(self, tmp_path: Path, ca: Authority) -> None:
        one, other = ca.issue("one", client=True), ca.issue("other", client=True)
        build_policy(SSLConfig(self_cert_path=file(tmp_path, other.key_pem() + one.key_pem() + one.pem)))
        both = file(tmp_path, one.key_pem() + one.pem + other.key_pem() + other.pem, "both.pem")
        text = fault(SSLConfig(self_cert_path=both))
        assert "several private keys, for 'CN=one' or 'CN=other': leave only one" in text

    def test_a_key_of_a_jks_store_is_shown_with_its_chain(self) -> None:
        build_policy(SSLConfig(self_cert_path=FIXTURES / "key-only.jks", self_cert_pwd=PASSWORD))
        wrong = SSLConfig(self_cert_path=FIXTURES / "key-only.jks", self_cert_pwd="another-one")
        assert "password in self_cert_pwd is wrong" in fault(wrong)
        assert "set self_cert_pwd" in fault(SSLConfig(self_cert_path=FIXTURES / "key-only.jks"))


class TestKeyOnDisk:
    @pytest.fixture
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "temporary"
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        return folder

    def test_key_is_encrypted_private_and_gone_afterwards(
        self, tmp_path: Path, temporary: Path, client: Issued, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[bytes, int]] = []
        load = ssl.SSLContext.load_cert_chain

        def spy(self: ssl.SSLContext, certfile: str, *args: Any, **rest: Any) -> None:
            seen.append((Path(certfile).read_bytes(), os.stat(certfile).st_mode & 0o777))
            load(self, certfile, *args, **rest)

        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
        build_policy(SSLConfig(self_cert_path=file(tmp_path, client.pem + client.key_pem())))
        ((content, mode),) = seen
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
        assert b"BEGIN PRIVATE KEY" not in content
        assert mode == 0o600
        assert list(temporary.iterdir()) == []

    def test_gone_too_when_loading_fails(
        self, tmp_path: Path, temporary: Path, client: Issued, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*args: Any, **rest: Any) -> None:
            assert len(list(temporary.iterdir())) == 1
            raise ssl.SSLError(1, "[SSL] made to fail")

        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", broken)
        fault(SSLConfig(self_cert_path=file(tmp_path, client.pem + client.key_pem())))
        assert list(temporary.iterdir()) == []

    def test_no_place_for_temporary_files(
        self, tmp_path: Path, client: Issued, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        assert "TMPDIR" in fault(SSLConfig(self_cert_path=file(tmp_path, client.pem + client.key_pem())))


class TestTrust:
    @pytest.fixture
    def server(self, tmp_path: Path, ca: Authority) -> Iterator[TlsServer]:
        with TlsServer(server_context(ca.issue("server", ["localhost", "127.0.0.1"]), None, tmp_path)) as server:
            yield server

    def test_only_the_given_ca_counts(self, tmp_path: Path, ca: Authority, server: TlsServer) -> None:
        other = SSLConfig(trust_ca_path=file(tmp_path, Authority("other").pem))
        with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            get(build_policy(other), server.url)
        assert server.requests == []
        own = SSLConfig(trust_ca_path=file(tmp_path, ca.pem))
        assert build_policy(own).context.cert_store_stats()["x509"] == 1
        assert get(build_policy(own), server.url).status_code == 200

    def test_bundle_with_the_right_ca_among_others(self, tmp_path: Path, ca: Authority, server: TlsServer) -> None:
        old = Authority("old", not_before=datetime(2001, 1, 1, tzinfo=UTC), not_after=datetime(2002, 1, 1, tzinfo=UTC))
        config = SSLConfig(trust_ca_path=file(tmp_path, old.pem + Authority("other").pem + ca.pem))
        assert get(build_policy(config), server.url).status_code == 200

    def test_pkcs12_with_cas(self, tmp_path: Path, ca: Authority, client: Issued, server: TlsServer) -> None:
        path = file(tmp_path, client.p12(PASSWORD, cas=[ca.certificate]))
        policy = build_policy(SSLConfig(trust_ca_path=path, trust_ca_pwd=PASSWORD))
        assert policy.context.cert_store_stats()["x509"] == 1  # the client's own certificate is not an anchor
        assert get(policy, server.url).status_code == 200

    @pytest.mark.parametrize("name", ["trust.jks", "trust-pkcs12.jks", "trust-pkcs12-java8.jks"])
    def test_java_trust_stores(self, name: str) -> None:
        config = SSLConfig(trust_ca_path=FIXTURES / name, trust_ca_pwd=PASSWORD)
        context = build_policy(config, now=datetime(2040, 1, 1, tzinfo=UTC)).context
        assert context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 1}
        wrong = SSLConfig(trust_ca_path=FIXTURES / name, trust_ca_pwd="another-one")
        assert "password in trust_ca_pwd is wrong" in fault(wrong)

    def test_a_certificate_trusted_for_itself(self, tmp_path: Path, ca: Authority) -> None:
        issued = ca.issue("server", ["127.0.0.1"])
        with TlsServer(server_context(issued, None, tmp_path)) as server:
            config = SSLConfig(trust_ca_path=file(tmp_path, issued.pem))
            assert get(build_policy(config), server.url).status_code == 200

    @pytest.mark.parametrize("name", ["two-keys.p12", "two-keys.jks"])
    def test_as_in_java_the_certificate_of_a_private_key_is_trusted(self, tmp_path: Path, name: str) -> None:
        config = SSLConfig(trust_ca_path=FIXTURES / name, trust_ca_pwd=PASSWORD)
        assert build_policy(config).context.cert_store_stats()["x509"] == 2
        store = read_store(Source(FIXTURES / name, "x", PASSWORD))
        entry = next(each for each in store.keys if each.alias == "first")
        leaf = next(each for each in store.certificates if public_bytes(each) == public_bytes(entry.open()))
        with TlsServer(server_context(Issued(entry.open(), leaf, None), None, tmp_path)) as server:
            assert get(build_policy(config), server.url).status_code == 200

    def test_jks_of_a_private_key_alone_is_trust_with_and_without_its_password(self) -> None:
        for password in (PASSWORD, None):
            config = SSLConfig(trust_ca_path=FIXTURES / "key-only.jks", trust_ca_pwd=password)
            assert build_policy(config).context.cert_store_stats()["x509"] == 1

    def test_jks_with_a_private_key_and_its_issuer_trusts_the_issuer(self) -> None:
        config = SSLConfig(trust_ca_path=FIXTURES / "key-and-trust.jks", trust_ca_pwd=PASSWORD)
        assert build_policy(config).context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 1}

    def test_expired_ca(self, tmp_path: Path, ca: Authority) -> None:
        later = datetime.now(UTC) + timedelta(days=60)
        assert "the CA certificate expired on" in fault(SSLConfig(trust_ca_path=file(tmp_path, ca.pem)), later)

    def test_key_alone_is_no_trust(self, tmp_path: Path, ca: Authority) -> None:
        assert "no trusted certificate" in fault(SSLConfig(trust_ca_path=file(tmp_path, ca.key_pem())))

    def test_no_system_store(self, monkeypatch: pytest.MonkeyPatch) -> None:
        nothing = ssl.DefaultVerifyPaths("", "", "", "/nowhere/cert.pem", "", "/nowhere/certs")
        monkeypatch.setattr(tls_context.ssl, "get_default_verify_paths", lambda: nothing)
        assert "ca-certificates" in fault(SSLConfig())
