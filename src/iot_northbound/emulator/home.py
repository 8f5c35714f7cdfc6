"""The emulator's home: its CA, certificates for server and client, its application, and a profile for the client.

Everything is made at the first start and kept. Certificates that are about to expire are renewed.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import secrets
import ssl
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from iot_northbound.emulator import issuing
from iot_northbound.emulator.issuing import CLIENT, SERVER
from iot_northbound.serving.tls import set_checks

LOOPBACK = ("localhost", "127.0.0.1", "::1")
LIFETIME = datetime.timedelta(days=825)
MARGIN = datetime.timedelta(days=7)
"""Certificates that expire within this time are renewed at the start."""


@dataclass(frozen=True)
class Home:
    """The folder of one emulator and its files."""

    folder: Path
    app_id: str
    secret: str = field(repr=False)
    p12_password: str = field(repr=False)
    is_new: bool
    """Whether the application's id and secret were made just now."""

    @property
    def ca(self) -> Path:
        """The CA's certificate (PEM), for clients and callbacks to trust."""
        return self.folder / "ca.pem"

    @property
    def client_p12(self) -> Path:
        """The client's certificate and key (PKCS#12)."""
        return self.folder / "client.p12"

    @property
    def profile(self) -> Path:
        """The client's profile (TOML)."""
        return self.folder / "profile.toml"

    def server_context(self, *, strict_x509: bool = False) -> ssl.SSLContext:
        """Return the northbound listener's context: TLS 1.2 and up, client certificates required."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        set_checks(context, strict_x509=strict_x509)
        return context

    def device_context(self) -> ssl.SSLContext:
        """Return the context of the ports for devices: TLS 1.2 and up, no client certificate asked for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context

    def write_profile(
        self,
        host: str,
        port: int,
        path: Path | None = None,
        device_ports: Mapping[str, int] | None = None,
        control_url: str | None = None,
    ) -> None:
        """Write the profile (or another one, at `path` in this folder) for the addresses that the emulator listens on.

        Args:
            host: Where clients reach it.
            port: The port of the northbound API.
            path: Another file than `profile`.
            device_ports: The open ports for devices by name: `mqtt_port`, `agentlite_port`, `hub_port`.
            control_url: Where the control plane is; None if there is none.
        """
        lines = [
            "# Written by the emulator at each start.",
            "[default]",
            f'platform_ip = "{host}"',
            f"platform_port = {port}",
            f'app_id = "{self.app_id}"',
            f'secret = "{self.secret}"',
            'self_cert_path = "client.p12"',
            f'self_cert_pwd = "{self.p12_password}"',
            'trust_ca_path = "ca.pem"',
        ]
        if device_ports:
            ports = [f"{name} = {number}" for name, number in device_ports.items()]
            lines += ["", "[devices]", f'mqtt_host = "{host}"', *ports, 'ca_path = "ca.pem"']
        if control_url:
            lines += ["", "[control]", f'url = "{control_url}"']
        _write(path or self.profile, ("\n".join(lines) + "\n").encode())


class RunningProfile:
    """The profile of one emulator for as long as it runs: `path` is the home's `profile.toml`.

    If another emulator runs in the same home, that one has `profile.toml`, and `path` is a file of its own that is
    deleted at the end. So `profile.toml` always leads to the emulator that was started first.
    """

    def __init__(
        self, home: Home, host: str, port: int, device_ports: Mapping[str, int], control_url: str | None
    ) -> None:
        self._lock = (home.folder / ".profile.lock").open("w")
        self.path = home.profile
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.path = home.folder / f"profile-{port}.toml"
        self._is_own = self.path != home.profile
        home.write_profile(host, port, self.path, device_ports, control_url)

    def withdraw(self) -> None:
        """Give `profile.toml` up for the next emulator."""
        if self._is_own:
            self.path.unlink(missing_ok=True)
        self._lock.close()


def prepare(folder: Path) -> Home:
    """Return the home in `folder`; missing and expiring files are made first.

    Several emulators may share one folder: they take turns here, and a later one finds what the first one made.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _turn(folder):
        if not _in_date(folder):
            _make_certificates(folder)
        told = _read_application(folder / "profile.toml")
        home = Home(
            folder,
            app_id=told.get("app_id") or secrets.token_urlsafe(20).replace("-", "a").replace("_", "b"),
            secret=told.get("secret") or secrets.token_urlsafe(24).replace("-", "c").replace("_", "d"),
            p12_password=(folder / "client.p12.password").read_text("ascii").strip(),
            is_new="app_id" not in told,
        )
        if home.is_new:
            home.write_profile("127.0.0.1", 8743)
    return home


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_application(profile: Path) -> dict[str, str]:
    if not profile.exists():
        return {}
    try:
        table = tomllib.loads(profile.read_text("utf-8"))["default"]
        return {key: table[key] for key in ("app_id", "secret")}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{profile} is not a profile that this emulator wrote ({error!r}); move it away") from None


def _in_date(folder: Path) -> bool:
    names = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key", "client.p12", "client.p12.password")
    if not all((folder / name).exists() for name in names):
        return False
    limit = datetime.datetime.now(datetime.UTC) + MARGIN
    with contextlib.suppress(ValueError):
        ends = (
            x509.load_pem_x509_certificate((folder / name).read_bytes()).not_valid_after_utc
            for name in ("ca.pem", "server.pem", "client.pem")
        )
        return all(end > limit for end in ends)
    return False


def _make_certificates(folder: Path) -> None:
    last = folder / "client.p12"
    last.unlink(missing_ok=True)  # written last: a process that is killed meanwhile leaves a home without it
    ca = issuing.issue("iot-northbound emulator CA", is_ca=True, path_length=0, lifetime=LIFETIME)
    _write(folder / "ca.pem", _pem(ca.certificate))
    # The platform shows a certificate when it pushes, so the server's certificate may be a client's, too.
    server = issuing.issue("localhost", ca, usages=(SERVER, CLIENT), names=LOOPBACK, lifetime=LIFETIME)
    client = issuing.issue("iot-northbound emulator client", ca, usages=(CLIENT,), lifetime=LIFETIME)
    for name, pair in (("server", server), ("client", client)):
        _write(folder / f"{name}.key", _key_pem(pair.key))
        _write(folder / f"{name}.pem", _pem(pair.certificate))
    password = secrets.token_urlsafe(18)
    _write(folder / "client.p12.password", password.encode())
    encryption = serialization.BestAvailableEncryption(password.encode())
    p12 = pkcs12.serialize_key_and_certificates(b"client", client.key, client.certificate, [ca.certificate], encryption)
    _write(last, p12)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: issuing.Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all; only its owner can read it, from the first byte on."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
