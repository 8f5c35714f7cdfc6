"""SSLConfig: which certificate we show, whom we trust, and how strict we are about names."""

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
    """The server's certificate as a host-name verifier sees it."""

    common_name: str | None
    """The subject's common name; None where it has none."""
    dns_names: tuple[str, ...]
    """The DNS names among the subject alternative names, as written there (`*.` included)."""
    ip_addresses: tuple[str, ...]
    """The IP addresses among the subject alternative names, in their usual text form."""
    not_before: datetime
    not_after: datetime
    sha256: str
    """SHA-256 of the whole certificate, lower-case hex without colons: its fingerprint."""
    der: bytes = attrs.field(repr=False)


HostnameVerifier = Callable[[str, PeerCertificate], bool]
"""Called with the URL's host and the server's certificate; True accepts the connection."""


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
        raise tls_error(f"{value!r} is no path of a file: {error}") from None


@attrs.frozen(kw_only=True)
class SSLConfig:
    """Certificates and host-name rule of one client; the Java SDK's class of that name (reference 2.2.4).

    Every file may be PEM, DER, PKCS#12 or JKS: the content decides, not the name's ending. The files
    are read when a client is made; what is wrong with them is a `TlsError` (1006) there, not at the first call.

    Attributes:
        self_cert_path: the client's certificate with its key, or the certificate alone beside `self_key_path`.
            None: the client shows no certificate.
        self_cert_pwd: password of that PKCS#12 file or encrypted key.
        self_key_path: the private key if it is in a file of its own.
        self_cert_alias: which private key of the file to use, by its alias there; needed if a PKCS#12 or JKS file
            holds several. Letter case does not count, as in Java.
        trust_ca_path: the CAs (or single certificates) to trust, and no others. None: the system's trust store. As in
            Java, the certificate of a private key in the file is trusted too.
        trust_ca_pwd: password of that PKCS#12 or JKS file. A JKS file is read without one too, unchecked then.
        expected_hostname: the name or IP address the server's certificate must carry in place of the URL's host;
            also sent as the server name (SNI) where it is a name.
        hostname_verifier: a rule of your own in place of the built-in one, for certificates without subject
            alternative names; the chain is still checked. What it raises counts as a refusal.
        insecure_skip_verification: accept any server certificate of anybody. Each client made so logs a warning.
        minimum_version: the oldest protocol spoken: TLS 1.2, or 1.3.
        strict_x509: accept a server's certificate only if it and its CAs keep every rule of RFC 5280. Off on every
            Python version, since many platforms' own CAs do not keep them all.
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
            raise tls_error("SSLConfig.self_cert_alias is empty: leave it out if the file holds one private key")
        if self.self_cert_alias is not None and not self.self_cert_path:
            raise tls_error("SSLConfig.self_cert_alias is given without self_cert_path: give the file too")
        if not isinstance(self.expected_hostname, str | None):
            raise tls_error(f"SSLConfig.expected_hostname must be text, not {type(self.expected_hostname).__name__}")
        if self.expected_hostname is not None and not self.expected_hostname.strip():
            raise tls_error("SSLConfig.expected_hostname is empty: leave it out to check the URL's host")
        if self.expected_hostname is not None and self.hostname_verifier is not None:
            raise tls_error("SSLConfig has both expected_hostname and hostname_verifier: one rule must decide")
        if self.hostname_verifier is not None and not callable(self.hostname_verifier):
            raise tls_error("SSLConfig.hostname_verifier must be callable as verifier(host, certificate) -> bool")
        for name in ("insecure_skip_verification", "strict_x509"):
            if not isinstance(getattr(self, name), bool):
                raise tls_error(f"SSLConfig.{name} must be True or False, nothing that only looks so")
        if self.minimum_version not in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            raise tls_error(
                "SSLConfig.minimum_version must be ssl.TLSVersion.TLSv1_2 or TLSv1_3: older ones are unsafe"
            )

    @classmethod
    def emulator(cls, folder: str | PathLike[str] | None = None) -> "SSLConfig":
        """Return the embedded platform's own pair; the twin of the Java SDK's built-in test certificates.

        `folder` is the one the platform was started with. By default it is that of `IOT_NORTHBOUND_EMULATOR_HOME`, or
        `~/.iot-northbound/emulator`, as for the platform itself. A `~` at its beginning is the user's home.

        Raises:
            TlsError: no platform was ever started there (1006).
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
