"""Certificates that are made when a test needs them, and a small TLS server on loopback."""

import contextlib
import os
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from iot_northbound.core.tls import PinnedAdapter, TlsPolicy
from iot_northbound.emulator import issuing
from iot_northbound.emulator.issuing import CLIENT, SERVER, Pair

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Issued:
    """A certificate with its private key, in each form that a test may need."""

    def __init__(self, key: Any, certificate: x509.Certificate, issuer: "Issued | None") -> None:
        self.key = key
        self.certificate = certificate
        self.issuer = issuer

    @property
    def pair(self) -> Pair:
        return Pair(self.certificate, self.key)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def key_pem(self, password: str | None = None, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
        return bytes(self.key.private_bytes(Encoding.PEM, form, _encryption(password)))

    def key_der(self, password: str | None = None) -> bytes:
        return bytes(self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _encryption(password)))

    def p12(self, password: str | None, encryption: Any = None, cas: Sequence[x509.Certificate] | None = None) -> bytes:
        return pkcs12.serialize_key_and_certificates(
            b"client", self.key, self.certificate, cas, encryption or _encryption(password)
        )

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write name.pem and name.key; return both paths."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.pem)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem())
        return certificate, key


def _encryption(password: str | None) -> Any:
    return NoEncryption() if password is None else BestAvailableEncryption(password.encode())


class Authority(Issued):
    """A CA; `issue` makes certificates, `intermediate` a CA below it."""

    def __init__(self, name: str = "test ca", *, issuer: "Authority | None" = None, **validity: Any) -> None:
        certificate, key = issuing.issue(name, issuer.pair if issuer else None, is_ca=True, **validity)
        super().__init__(key, certificate, issuer)

    def intermediate(self, name: str = "test intermediate ca") -> "Authority":
        return Authority(name, issuer=self)

    def issue(self, name: str, sans: Sequence[str] = (), *, client: bool = False, **more: Any) -> Issued:
        """Return a server's certificate for these names and addresses, or a client's."""
        usages = (CLIENT,) if client else (SERVER,)
        certificate, key = issuing.issue(name, self.pair, usages=usages, names=sans, **more)
        return Issued(key, certificate, self)


def altered(
    issued: Issued,
    *,
    without: Sequence[type[x509.ExtensionType]] = (),
    flipped: Sequence[type[x509.ExtensionType]] = (),
    serial: int | None = None,
    version_1: bool = False,
) -> Issued:
    """Return an untidy certificate, signed again, like those that CAs in the field issue.

    It lacks the extensions `without`; those `flipped` are critical where they were not, and the other way round.
    """
    old = issued.certificate
    builder = x509.CertificateBuilder(
        old.issuer, old.subject, old.public_key(), old.serial_number, old.not_valid_before_utc, old.not_valid_after_utc
    )
    for each in old.extensions:
        if type(each.value) not in without:
            builder = builder.add_extension(each.value, critical=each.critical != (type(each.value) in flipped))
    signer = issued.issuer.key if issued.issuer else issued.key
    new = builder.sign(signer, hashes.SHA256())
    if serial is not None or version_1:
        new = _rewritten(new, signer, new.serial_number if serial is None else serial, version_1=version_1)
    return Issued(issued.key, new, issued.issuer)


_CONSTRAINTS, _USAGE = x509.BasicConstraints, x509.KeyUsage
_OWN_KEY, _ISSUER_KEY = x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier
UNTIDY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no authority key id": ({}, {"without": [_ISSUER_KEY]}),
    "no subject key id of the CA": ({"without": [_OWN_KEY]}, {}),
    "no key usage of the CA": ({"without": [_USAGE]}, {}),
    "no basic constraints of the CA": ({"without": [_CONSTRAINTS]}, {}),
    "basic constraints not critical": ({"flipped": [_CONSTRAINTS]}, {}),
    "only what a CA cannot do without": (
        {"without": [_USAGE, _OWN_KEY, _ISSUER_KEY], "flipped": [_CONSTRAINTS]},
        {"without": [_CONSTRAINTS, _USAGE, _OWN_KEY, _ISSUER_KEY, x509.ExtendedKeyUsage]},
    ),
    "a CA of version 1": (
        {"without": [_CONSTRAINTS, _USAGE, _OWN_KEY, _ISSUER_KEY], "version_1": True},
        {"without": [_OWN_KEY, _ISSUER_KEY]},
    ),
}
"""What CAs in the field leave out of the certificates they have and issue; strict checking refuses each."""
ODD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "serial number 0": ({}, {"serial": 0}),
    "negative serial number": ({}, {"serial": -1}),
    "serial number 0 of the CA": ({"serial": 0}, {}),
    "no subject key id": ({}, {"without": [_OWN_KEY]}),
    "no key usage": ({}, {"without": [_USAGE]}),
    "key usage of the CA not critical": ({"flipped": [_USAGE]}, {}),
}
"""What is also against RFC 5280, but passes OpenSSL's strict checking."""


def _rewritten(certificate: x509.Certificate, signer: Any, serial: int, *, version_1: bool) -> x509.Certificate:
    """Return it signed again, with a serial number or a version that the library refuses to write."""
    version, old = b"\xa0\x03\x02\x01\x02", _integer(certificate.serial_number)
    body = certificate.tbs_certificate_bytes
    body = body[body.index(version + old) + len(version + old) :]
    body = _sequence((b"" if version_1 else version) + _integer(serial) + body)
    algorithm = _sequence(b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")  # ecdsa-with-SHA256
    signature = b"\0" + signer.sign(body, ec.ECDSA(hashes.SHA256()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library will refuse such numbers one day
        return x509.load_der_x509_certificate(_sequence(body + algorithm + bytes((3, len(signature))) + signature))


def _integer(value: int) -> bytes:
    width = value.bit_length() // 8 + 1
    return bytes((2, width)) + value.to_bytes(width, signed=True)


def _sequence(content: bytes) -> bytes:
    size = len(content)
    length = bytes((size,)) if size < 128 else b"\x81" + size.to_bytes(1) if size < 256 else b"\x82" + size.to_bytes(2)
    return b"\x30" + length + content


def server_context(
    server: Issued, client_ca: Issued | None, folder: Path, chain: Sequence[Issued] = ()
) -> ssl.SSLContext:
    """Return a server's context; with `client_ca` it requires a client certificate of that CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = folder / f"server-{os.urandom(4).hex()}.pem"
    path.touch(mode=0o600)
    path.write_bytes(server.key_pem() + server.pem + b"".join(each.pem for each in chain))
    context.load_cert_chain(path)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.pem.decode())
    return context


class TlsServer:
    """An HTTPS server on loopback that answers every request with 200 and `{"ok":true}` over kept connections.

    If `context` is None, it is plain HTTP. `requests` contains the head of each request, `peers` the client certificate
    (from ssl.getpeercert) of each connection that succeeded, `refusals` the errors of the others.
    """

    def __init__(self, context: ssl.SSLContext | None, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=64)
        self._context = context
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._closing = False
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.bodies: list[bytes] = []
        self.peers: list[Any] = []
        self.refusals: list[OSError] = []
        self.connections = 0
        self.refused = threading.Event()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._context else 'http'}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # SSLSocket.shutdown takes the state away from a reader
        for thread in self._threads:
            thread.join(60)
        for each in self._sockets:
            each.close()

    def _start(self, work: Any, *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        try:
            if self._context is not None:
                # In two steps: wrap_socket closes at once if the handshake fails, and the reset destroys our alert.
                connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                self._sockets.append(connection)
                connection.do_handshake()
                self.peers.append(connection.getpeercert())
            elif not connection.recv(1, socket.MSG_PEEK).isalpha():  # as HTTP servers do with a ClientHello
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            with connection.makefile("rb") as stream:
                for head in iter(lambda: _head(stream), b""):
                    self._answer(connection, stream, head)
        except OSError as error:  # ssl.SSLError is one
            self.refusals.append(error)
            self.refused.set()
            # Read what the client has sent meanwhile: otherwise closing sends a reset, and our alert is lost.
            with contextlib.suppress(OSError), socket.socket(fileno=connection.detach()) as bare:
                bare.settimeout(60)
                bare.shutdown(socket.SHUT_WR)
                while bare.recv(4096):
                    pass
        finally:
            connection.close()

    def _answer(self, connection: socket.socket, stream: Any, head: bytes) -> None:
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        self.bodies.append(stream.read(length))
        self.requests.append(head)
        body = b'{"ok":true}'
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )


def get(policy: TlsPolicy, url: str, timeout: float = 60) -> requests.Response:
    """Make one request under this policy, on a new connection."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", PinnedAdapter(policy))
        return session.get(url, timeout=timeout)


def _head(stream: Any) -> bytes:
    lines: bytes = b""
    while line := stream.readline():
        lines += line
        if line == b"\r\n":
            return lines
    return b""


@contextlib.contextmanager
def mutual_tls(folder: Path, **server_names: Any) -> Iterator[tuple[TlsServer, Authority, Issued]]:
    """Run a server that requires a client certificate; yield it, its CA and a client certificate that it accepts."""
    ca = Authority()
    sans = server_names.get("sans", LOOPBACK_NAMES)
    context = server_context(ca.issue("server", sans), ca, folder)
    with TlsServer(context) as server:
        yield server, ca, ca.issue("client", client=True)
