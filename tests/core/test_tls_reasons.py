"""A TlsError says to programs why: the reason does not have to be read from its text."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.certs import Authority

from iot_northbound import SSLConfig, TlsError, TlsReason
from iot_northbound.core.handshake import explain_handshake
from iot_northbound.core.tls import HostNameRefused, build_policy


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


def file(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


FILES: dict[TlsReason, Callable[[Path, Authority], SSLConfig]] = {
    TlsReason.FILE_MISSING: lambda folder, _: SSLConfig(trust_ca_path=folder / "nowhere"),
    TlsReason.FILE_IS_A_FOLDER: lambda folder, _: SSLConfig(trust_ca_path=folder),
    TlsReason.FILE_UNUSABLE: lambda folder, _: SSLConfig(trust_ca_path=file(folder, b"something else")),
    TlsReason.KEY_MISSING: lambda folder, ca: SSLConfig(self_cert_path=file(folder, ca.issue("x").pem)),
    TlsReason.KEY_MISMATCH: lambda folder, ca: SSLConfig(
        self_cert_path=file(folder, ca.issue("x").pem + ca.issue("y").key_pem())
    ),
    TlsReason.PASSWORD_MISSING: lambda folder, ca: SSLConfig(self_cert_path=file(folder, ca.issue("x").p12("open"))),
    TlsReason.PASSWORD_WRONG: lambda folder, ca: SSLConfig(
        self_cert_path=file(folder, ca.issue("x").p12("open")), self_cert_pwd="closed"
    ),
    TlsReason.KEY_AMBIGUOUS: lambda folder, ca: SSLConfig(
        self_cert_path=file(folder, ca.issue("x").p12("open")), self_cert_pwd="open", self_cert_alias="other"
    ),
}


@pytest.mark.parametrize("reason", FILES)
def test_a_file_that_cannot_be_used(reason: TlsReason, tmp_path: Path, ca: Authority) -> None:
    with pytest.raises(TlsError) as caught:
        build_policy(FILES[reason](tmp_path, ca))
    assert (caught.value.reason, caught.value.error_code) == (reason, "1006")


@pytest.mark.parametrize(
    ("days", "reason"), [(3650, TlsReason.CERTIFICATE_EXPIRED), (-3650, TlsReason.CERTIFICATE_NOT_YET_VALID)]
)
def test_a_certificate_at_the_wrong_time(days: int, reason: TlsReason, tmp_path: Path, ca: Authority) -> None:
    with pytest.raises(TlsError) as caught:
        build_policy(SSLConfig(trust_ca_path=file(tmp_path, ca.pem)), now=datetime.now(UTC) + timedelta(days=days))
    assert caught.value.reason is reason


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(TlsError) as caught:
        SSLConfig(self_key_path="key.pem")
    assert caught.value.reason is TlsReason.SETTINGS


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (10, TlsReason.SERVER_EXPIRED),
        (9, TlsReason.SERVER_NOT_YET_VALID),
        (7, TlsReason.SERVER_UNTRUSTED),
        (20, TlsReason.SERVER_UNTRUSTED),
        (62, TlsReason.SERVER_WRONG_NAME),
        (64, TlsReason.SERVER_WRONG_NAME),
        (23, TlsReason.SERVER_CERTIFICATE_REFUSED),
        (66, TlsReason.SERVER_CERTIFICATE_REFUSED),
        (99999, TlsReason.SERVER_CERTIFICATE_REFUSED),
    ],
)
def test_a_server_certificate_that_we_refuse(code: int, reason: TlsReason) -> None:
    error = ssl.SSLCertVerificationError(1, "refused")
    error.verify_code, error.verify_message = code, "OpenSSL's words"
    found = explain_handshake([error])
    assert found is not None
    assert found.reason is reason


@pytest.mark.parametrize(
    ("name", "shows", "reason"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", None, TlsReason.CLIENT_CERTIFICATE_MISSING),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True, TlsReason.CLIENT_CERTIFICATE_REFUSED),
        ("SSLV3_ALERT_BAD_CERTIFICATE", False, TlsReason.CLIENT_CERTIFICATE_MISSING),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", True, TlsReason.CLIENT_CERTIFICATE_REFUSED),
        ("TLSV1_ALERT_UNKNOWN_CA", True, TlsReason.CLIENT_CERTIFICATE_REFUSED),
        ("TLSV1_ALERT_PROTOCOL_VERSION", None, TlsReason.NO_COMMON_PROTOCOL),
        ("TLSV1_ALERT_UNRECOGNIZED_NAME", None, TlsReason.SERVER_WRONG_NAME),
        ("TLSV1_ALERT_SOMETHING_NEW", None, TlsReason.OTHER),
        ("UNSUPPORTED_PROTOCOL", None, TlsReason.NO_COMMON_PROTOCOL),
        ("NO_SHARED_CIPHER", None, TlsReason.NO_COMMON_PROTOCOL),
        ("WRONG_VERSION_NUMBER", None, TlsReason.NOT_TLS),
        ("UNEXPECTED_EOF_WHILE_READING", True, TlsReason.CLOSED),
        ("SOMETHING_NEW", None, TlsReason.OTHER),
    ],
)
def test_a_handshake_that_fails(name: str, shows: bool | None, reason: TlsReason) -> None:
    error = ssl.SSLError(1, name)
    error.reason = name
    found = explain_handshake([error], shows_certificate=shows)
    assert found is not None
    assert found.reason is reason


@pytest.mark.parametrize(
    ("error", "shows", "reason"),
    [
        (HostNameRefused("the hostname_verifier refused it"), None, TlsReason.SERVER_WRONG_NAME),
        (TimeoutError("the handshake operation timed out"), None, TlsReason.NO_HANDSHAKE),
        (ConnectionResetError(), True, TlsReason.CLOSED),
        (ConnectionResetError(), False, TlsReason.CLIENT_CERTIFICATE_MISSING),
    ],
)
def test_other_failures(error: Exception, shows: bool | None, reason: TlsReason) -> None:
    found = explain_handshake([error], shows_certificate=shows)
    assert found is not None
    assert found.reason is reason
