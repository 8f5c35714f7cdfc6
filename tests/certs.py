"""Certificates made on the spot, and a small TLS server on loopback, for every test that needs them."""

import contextlib
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from iot_northbound.core.tls import PinnedAdapter, TlsPolicy

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Issued:
    """A certificate with its private key, in whatever form a test wants it."""

    def __init__(self, key: Any, certificate: x509.Certificate, issuer: "Issued | None") -> None:
        self.key = key
        self.certificate = certificate
        self.issuer = issuer

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def key_pem(self, password: str | None = None, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
        return self.key.private_bytes(Encoding.PEM, form, _encryption(password))

    def key_der(self, password: str | None = None) -> bytes:
        return self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _encryption(password))

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
        key = ec.generate_private_key(ec.SECP256R1())
        super().__init__(key, _sign(name, key, issuer, _CA_EXTENSIONS, **validity), issuer)

    def intermediate(self, name: str = "test intermediate ca") -> "Authority":
        return Authority(name, issuer=self)

    def issue(
        self,
        name: str,
        sans: Sequence[str] = (),
        *,
        client: bool = False,
        key: Any = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Issued:
        """Return a server's certificate for these names and addresses, or a client's."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([usage]), False),
        ]
        if sans:
            extensions.append((x509.SubjectAlternativeName([_general_name(each) for each in sans]), False))
        key = key or ec.generate_private_key(ec.SECP256R1())
        return Issued(key, _sign(name, key, self, extensions, not_before=not_before, not_after=not_after), self)


_CA_EXTENSIONS: list[tuple[x509.ExtensionType, bool]] = [
    (x509.BasicConstraints(ca=True, path_length=None), True),
    (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True),
]


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _sign(
    name: str,
    key: Any,
    issuer: Issued | None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    *,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now - timedelta(hours=1))
        .not_valid_after(not_after or now + timedelta(days=30))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer.key if issuer else key, hashes.SHA256())


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

    `context` None makes it plain HTTP. `requests` holds the head of each request, `peers` the client certificate
    (as ssl.getpeercert tells it) of each connection that came about, `refusals` the errors of the others.
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
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # SSLSocket's own pulls its state from under a reader
        for thread in self._threads:
            thread.join(5)
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
        connection.settimeout(20)
        try:
            if self._context is not None:
                # In two steps: wrap_socket closes at once where the handshake fails, and a reset eats our alert.
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
            # What the client has sent meanwhile must be read, or closing resets and our alert is lost.
            with contextlib.suppress(OSError), socket.socket(fileno=connection.detach()) as bare:
                bare.settimeout(5)
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


def get(policy: TlsPolicy, url: str, timeout: float = 10) -> requests.Response:
    """Make one request under this policy, on a connection of its own."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", PinnedAdapter(policy))
        return session.get(url, timeout=timeout)


def _head(stream: Any) -> bytes:
    lines = b""
    while line := stream.readline():
        lines += line
        if line == b"\r\n":
            return lines
    return b""


@contextlib.contextmanager
def mutual_tls(folder: Path, **server_names: Any) -> Iterator[tuple[TlsServer, Authority, Issued]]:
    """Run a server that requires a client certificate; yield it, its CA and a client certificate it accepts."""
    ca = Authority()
    sans = server_names.get("sans", LOOPBACK_NAMES)
    context = server_context(ca.issue("server", sans), ca, folder)
    with TlsServer(context) as server:
        yield server, ca, ca.issue("client", client=True)
