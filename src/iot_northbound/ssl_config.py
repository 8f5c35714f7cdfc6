"""SSLConfig: the client's certificate, the CAs to trust, and the host-name rule."""

import ssl
from collections.abc import Callable
from datetime import datetime
from os import PathLike
from pathlib import Path

import attrs

from iot_northbound._hide import hide
from iot_northbound.emulator_home import emulator_home
from iot_northbound.errors import SdkCode, TlsError, TlsReason


@attrs.frozen(kw_only=True)
class PeerCertificate:
    """The server's certificate, as a host-name verifier gets it."""

    common_name: str | None
    """The common name of the subject; None if it has no common name."""
    dns_names: tuple[str, ...]
    """The DNS names in the subject alternative names, as written there (also with `*.`)."""
    ip_addresses: tuple[str, ...]
    """The IP addresses in the subject alternative names, as text."""
    not_before: datetime
    not_after: datetime
    sha256: str
    """The fingerprint: SHA-256 of the whole certificate, in lower-case hex without colons."""
    der: bytes = attrs.field(repr=False)


HostnameVerifier = Callable[[str, PeerCertificate], bool]
"""A function that gets the URL's host and the server's certificate, and returns True to accept the connection."""


def tls_error(desc: str, reason: TlsReason = TlsReason.SETTINGS) -> TlsError:
    """Return the error for a TLS setting or file that cannot be used (1006)."""
    return TlsError(SdkCode.TLS, desc, reason=reason)


def _path(value: str | PathLike[str] | None) -> Path | None:
    return None if value is None else _expanded(value)


def _expanded(value: str | PathLike[str]) -> Path:
    if not isinstance(value, (str, PathLike)):
        raise tls_error(f"a certificate path must be text or a Path, not {type(value).__name__}")
    if not str(value).strip():
        raise tls_error("a certificate path is empty: leave the argument out, or give the file's path")
    try:
        return Path(value).expanduser()
    except (TypeError, RuntimeError) as error:
        raise tls_error(f"{value!r} is not the path of a file: {error}") from None


@attrs.frozen(kw_only=True)
class SSLConfig:
    """The certificates and the host-name rule of one client, like the Java SDK's class (reference 2.2.4).

    Every file can be PEM, DER, PKCS#12 or JKS. The content decides, not the ending of the name. The files are read when
    a client is made. If one cannot be used, that raises a `TlsError` (1006), not the first call.

    Attributes:
        self_cert_path: the client's certificate with its key, or only the certificate if `self_key_path` is given.
            None: the client sends no certificate.
        self_cert_pwd: the password of this PKCS#12 file or of the encrypted key.
        self_key_path: the private key, if it is in a file of its own.
        self_cert_alias: the alias of the private key to use; needed if a PKCS#12 or JKS file contains several. Upper
            and lower case make no difference, as in Java.
        trust_ca_path: the CAs (or single certificates) to trust, and no others. None: the system's trust store. As in
            Java, the certificate of a private key in the file is trusted too.
        trust_ca_pwd: the password of this PKCS#12 or JKS file. Without it, a JKS file is read but not checked.
        expected_hostname: the name or IP address that the server's certificate must have in place of the URL's host. A
            name is also sent as the server name (SNI).
        hostname_verifier: your own rule in place of the built-in one, for certificates without subject alternative
            names. The chain is still checked. An exception counts as a refusal.
        insecure_skip_verification: accept any certificate of any server. Each such client logs a warning.
        minimum_version: the oldest protocol to use: TLS 1.2 or 1.3.
        strict_x509: accept a server's certificate only if it and its CAs follow every rule of RFC 5280. It is off on
            every Python version, because the CAs of many platforms do not follow all rules.
    """

    self_cert_path: Path | None = attrs.field(default=None, converter=_path)
    self_cert_pwd: str | None = attrs.field(default=None, repr=hide)
    self_key_path: Path | None = attrs.field(default=None, converter=_path)
    self_cert_alias: str | None = None
    trust_ca_path: Path | None = attrs.field(default=None, converter=_path)
    trust_ca_pwd: str | None = attrs.field(default=None, repr=hide)
    expected_hostname: str | None = None
    hostname_verifier: HostnameVerifier | None = None
    insecure_skip_verification: bool = False
    minimum_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    strict_x509: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("self_cert_pwd", "trust_ca_pwd"):
            if not isinstance(getattr(self, name), str | None):
                raise tls_error(f"SSLConfig.{name} must be text, not {type(getattr(self, name)).__name__}")
        if self.self_key_path and not self.self_cert_path:
            raise tls_error("SSLConfig.self_key_path is given without self_cert_path: give the certificate too")
        if not isinstance(self.self_cert_alias, str | None):
            raise tls_error(f"SSLConfig.self_cert_alias must be text, not {type(self.self_cert_alias).__name__}")
        if self.self_cert_alias is not None and not self.self_cert_alias.strip():
            raise tls_error("SSLConfig.self_cert_alias is empty: leave it out if the file has only one private key")
        if self.self_cert_alias is not None and not self.self_cert_path:
            raise tls_error("SSLConfig.self_cert_alias is given without self_cert_path: give the file too")
        if not isinstance(self.expected_hostname, str | None):
            raise tls_error(f"SSLConfig.expected_hostname must be text, not {type(self.expected_hostname).__name__}")
        if self.expected_hostname is not None and not self.expected_hostname.strip():
            raise tls_error("SSLConfig.expected_hostname is empty: leave it out to check the URL's host")
        if self.expected_hostname is not None and self.hostname_verifier is not None:
            raise tls_error("SSLConfig has both expected_hostname and hostname_verifier: give only one of the two")
        if self.hostname_verifier is not None and not callable(self.hostname_verifier):
            raise tls_error("SSLConfig.hostname_verifier must be callable as verifier(host, certificate) -> bool")
        for name in ("insecure_skip_verification", "strict_x509"):
            if not isinstance(getattr(self, name), bool):
                raise tls_error(f"SSLConfig.{name} must be True or False")
        if self.minimum_version not in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            raise tls_error(
                "SSLConfig.minimum_version must be ssl.TLSVersion.TLSv1_2 or TLSv1_3: older ones are unsafe"
            )

    @classmethod
    def emulator(cls, folder: str | PathLike[str] | None = None) -> "SSLConfig":
        """Return the certificates of the embedded platform, in place of the Java SDK's built-in test certificates.

        `folder` is the folder that the platform was started with. By default it is that of
        `IOT_NORTHBOUND_EMULATOR_HOME`, or `~/.iot-northbound/emulator`, as for the platform itself. A `~` at its
        beginning means the user's home.

        Raises:
            TlsError: the platform was never started there (1006).
        """
        try:
            home = emulator_home(folder)
            password = (home / "client.p12.password").read_text("ascii").strip()
        except ValueError as error:
            raise tls_error(f"the embedded platform's folder cannot be found: {error}") from None
        except OSError:
            raise tls_error(
                f"the embedded platform has left no certificates in {home}: start it once with "
                "`iot-northbound emulator`, or name the folder that it was started with",
                TlsReason.FILE_MISSING,
            ) from None
        return cls(self_cert_path=home / "client.p12", self_cert_pwd=password, trust_ca_path=home / "ca.pem")
