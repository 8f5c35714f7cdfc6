"""Connections that follow the client's certificates and host names, and nothing from the environment."""

import socket
import ssl
import time
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

from requests.adapters import HTTPAdapter
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError

from iot_northbound.core.deadline import earlier, within
from iot_northbound.core.framing import PlatformResponse
from iot_northbound.core.signal_safe import Counter, Stack
from iot_northbound.core.sockets import PlainSocket, connect, here
from iot_northbound.ssl_config import HostnameVerifier, SSLConfig


class HostNameRefused(ssl.SSLError):
    """The client's own host-name verifier did not accept the server's certificate; nothing was sent."""


class PlatformConnection(HTTPSConnection):
    """An HTTPS connection that asks the host-name verifier, if there is one, before anything is sent.

    It is used again only if no bytes of an earlier answer are left in it.
    """

    verifier: HostnameVerifier | None = None
    opened: Counter | None = None
    """Counts the connections that were opened."""
    response_class = PlatformResponse

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used for another call: it is open, and no bytes wait in it."""
        tls: Any = self.sock
        if getattr(tls, "spoilt", False) or not super().is_connected:
            return False
        return not (hasattr(tls, "pending") and tls.pending())

    def connect(self) -> None:
        """Connect within the connect timeout, which covers all addresses, a proxy's answer and the handshake.

        If the verifier refuses the certificate, the connection is closed. The verifier's time counts only for the
        call's deadline.

        Raises:
            HostNameRefused: the verifier did not return True, or failed.
            TimeoutError: the verifier returned after the call's deadline.
        """
        call = here.call
        whole = call.until
        try:
            call.until = earlier(whole, self._patience())
            super().connect()
        finally:
            call.until = whole
        if self.verifier is not None:
            try:
                within(whole, self._verify, self.verifier)
                call.check()
            except BaseException:
                self.close()
                raise
        if self.opened is not None:
            self.opened.add()

    def _patience(self) -> float | None:
        return time.monotonic() + self.timeout if isinstance(self.timeout, int | float) else None

    def _new_conn(self) -> PlainSocket:
        """Return a socket to the platform or the proxy. urllib3's own function gives each address the whole timeout."""
        try:
            return connect(self._dns_host, self.port, self.socket_options)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError as error:
            raise LocationParseError(f"{self.host!r}, label empty or too long") from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no address answered in time") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def _verify(self, verifier: HostnameVerifier) -> None:
        from iot_northbound.core.tls_context import peer_certificate

        # With a proxy, `host` is the proxy, and the end of the tunnel is the platform.
        host = (getattr(self, "_tunnel_host", None) or self.host).strip("[]")
        tls: Any = self.sock  # it is a TLS socket now
        try:
            accepted = verifier(host, peer_certificate(tls.getpeercert(binary_form=True))) is True
        except Exception as error:
            raise HostNameRefused(f"the hostname_verifier failed on {host!r} with {type(error).__name__}") from error
        if not accepted:
            raise HostNameRefused(f"the hostname_verifier refused the certificate of {host!r}")


class PlatformPool(HTTPSConnectionPool):
    """A pool of such connections."""

    ConnectionCls = PlatformConnection
    QueueCls: Any = Stack

    def __init__(
        self,
        *args: Any,
        verifier: HostnameVerifier | None = None,
        opened: Counter | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(*args, **rest)
        self._verifier = verifier
        self._opened = opened

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        if isinstance(connection, PlatformConnection):
            connection.verifier = self._verifier
            connection.opened = self._opened
        return connection


class TlsPolicy(NamedTuple):
    """One client's TLS: the context and the host-name rule, in urllib3's terms."""

    context: ssl.SSLContext
    server_hostname: str | None = None
    """The name that is checked and sent in place of the URL's host; None: the URL's host."""
    verifier: HostnameVerifier | None = None
    """The application's own rule, which replaces the built-in one."""
    shows_certificate: bool = False
    """Whether the client sends a certificate."""
    trust_setting: str = "SSLConfig.trust_ca_path"
    """How the application has named the file of trusted CAs."""

    @property
    def assert_hostname(self) -> Literal[False] | None:
        """The setting of urllib3: False switches its check off, None leaves it to OpenSSL."""
        return False if self.verifier or not self.context.check_hostname else None

    def pool_settings(self) -> dict[str, Any]:
        """Return the keyword arguments a urllib3 PoolManager needs for this policy."""
        return {
            "ssl_context": self.context,
            "cert_reqs": self.context.verify_mode,
            "assert_hostname": self.assert_hostname,
            "server_hostname": self.server_hostname,
        }

    def pool_classes(self, opened: Counter) -> dict[str, Any]:
        """Return the value for a PoolManager's `pool_classes_by_scheme`; `opened` counts the connections."""
        return {"https": partial(PlatformPool, verifier=self.verifier, opened=opened)}


class PinnedAdapter(HTTPAdapter):
    """A requests adapter whose connections follow a TlsPolicy and nothing else.

    requests loads certifi's CAs into a shared context at each new connection. A client that trusts only its own CA
    would then also trust the public ones. Here `verify`, `cert` and the environment are ignored.
    """

    def __init__(self, policy: TlsPolicy, **rest: Any) -> None:
        self._policy = policy
        self.opened = Counter()
        super().__init__(**rest)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **rest: Any) -> None:
        """Make the pool manager with the policy's settings."""
        super().init_poolmanager(connections, maxsize, block, **rest, **self._policy.pool_settings())
        self.poolmanager.pool_classes_by_scheme = self._policy.pool_classes(self.opened)

    def proxy_manager_for(self, proxy: str, **rest: Any) -> Any:
        """Return the manager of one proxy; its tunnels end in TLS under the same policy."""
        manager = super().proxy_manager_for(proxy, **rest, **self._policy.pool_settings())
        manager.pool_classes_by_scheme = self._policy.pool_classes(self.opened)
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do not change what the policy has set."""

    def build_connection_pool_key_attributes(  # type: ignore[override]  # the stubs' TypedDicts are private
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the host's part of the key. The TLS part is the same for every call."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return dict(host), {}


def build_policy(config: SSLConfig | None, *, now: datetime | None = None) -> TlsPolicy:
    """Return the TLS policy of a client with this SSLConfig. All faults of its files are found here.

    Without an SSLConfig the client uses the system's trust store, checks host names and sends no certificate. `now`
    replaces the machine's clock when the validity of the certificates is checked.

    Raises:
        TlsError: a file, password, certificate or key cannot be used (1006).
    """
    # Imported here, because a program that imports the SDK should not have to wait for this library.
    from iot_northbound.core.tls_context import make_context

    config = config or SSLConfig()
    return TlsPolicy(
        context=make_context(config, now),
        server_hostname=config.expected_hostname,
        verifier=config.hostname_verifier,
        shows_certificate=config.self_cert_path is not None,
    )
