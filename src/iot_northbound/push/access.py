"""Who may post, and to which path: checked before the body is read."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import attrs

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import arguments, reply
from iot_northbound.push.failures import log
from iot_northbound.push.reply import Reply
from iot_northbound.push.unpacking import unpacked, unreadable
from iot_northbound.serving.pages import page_header

ROUTE = "/v1.0.0/messageReceiver"
"""The path to which the platform posts for the vendor's SDKs; command status changes go to ``/cmd`` below it."""

_WARNED_PATHS, _SHOWN = 100, 200
"""Strangers may ask for any number of paths of any length: how many are logged, and how much of each."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@attrs.frozen
class Peer:
    """Who posts, as far as the server knows.

    Attributes:
        address: the other end's IP address.
        certificate_names: the names in the client certificate that the TLS layer has verified.
    """

    address: str | None = None
    certificate_names: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        arguments.check("Peer.address", self.address, str, type(None))
        arguments.texts("Peer.certificate_names", self.certificate_names)

    @classmethod
    def of_certificate(cls, address: str | None, certificate: Mapping[str, Any] | None) -> Peer:
        """Return the peer of a certificate as `ssl.SSLSocket.getpeercert()` gives it: common names and DNS names."""
        if not certificate:
            return cls(address)
        names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        names += [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
        return cls(address, tuple(names))

    @classmethod
    def of_name(cls, address: str | None, name: str | None) -> Peer:
        """Return the peer of a certificate's subject in the form of RFC 4514: its common names.

        An escaped comma or plus does not end a name. Otherwise a certificate for ``x,CN=push`` would count as one for
        ``push``.
        """
        if name is None or '"' in name:  # quotes are older than RFC 4514 and could hide commas
            return cls(address)
        parts = _ATTRIBUTE.findall(name)
        return cls(address, tuple(value for key, value in parts if key.strip().upper() == "CN"))


DECLARED_BY = ("content-type", "content-encoding", "origin", "sec-fetch-site")
"""The headers that `Declared` is made from."""


class Declared(NamedTuple):
    """What a request's headers say, as far as the receiver uses it.

    Attributes:
        content_type: type of the body; empty if no header says it.
        content_encoding: how the body is compressed; empty if no header says it.
        from_page: whether a web page sent the request.
    """

    content_type: str = ""
    content_encoding: str = ""
    from_page: bool = False

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]]) -> Declared:
        """Return what these headers say. The names must be in lower case."""
        kind, packed, shown = "", [], []
        for name, value in headers:
            if name == "content-type":
                kind = value
            elif name == "content-encoding":
                packed.append(value)
            elif name in ("origin", "sec-fetch-site"):
                shown.append((name, value))
        return cls(kind, ",".join(packed), page_header(shown) is not None)


NOTHING = Declared()
_ATTRIBUTE = re.compile(r"(?:^|[,+])([^=,+\\]+)=((?:\\.|[^,+\\])*)")


def _networks(given: Iterable[str]) -> tuple[Network, ...]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"Access.networks must be a list of networks, not {type(given).__name__}")
    found = []
    for text in given:
        arguments.check("Access.networks: each of them", text, str, ipaddress.IPv4Network, ipaddress.IPv6Network)
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise InvalidArgumentError.of(
                "Access.networks", repr(text), f"it must be like 192.0.2.0/24 ({error})"
            ) from None
    return tuple(found)


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.lower() for name in arguments.texts("Access.client_names", given))


@attrs.frozen
class Access:
    """Who may post. A check is off unless it is given, and a sender must pass all that are given.

    Attributes:
        client_names: the sender's client certificate must have one of these names; ``*.iot.example`` means all names
            below. Needs a TLS layer that verifies client certificates and passes them on.
        path_secret: a path segment in front of the route that only the platform knows:
            ``https://host/<path_secret>/v1.0.0/messageReceiver``. At least 16 letters, digits, ``-`` or ``_``.
        networks: the sender's address must be in one of these networks. Behind a proxy this is the proxy's address,
            unless the server is configured to pass on the sender's.

    Raises:
        InvalidArgumentError: one of the values is unusable (1007).
        TypeError: one of the values has a wrong type; the text names it.
    """

    client_names: tuple[str, ...] = attrs.field(default=(), converter=_names)
    path_secret: str | None = attrs.field(default=None, repr=lambda _: "***")
    networks: tuple[Network, ...] = attrs.field(default=(), converter=_networks)

    def __attrs_post_init__(self) -> None:
        arguments.check("Access.path_secret", self.path_secret, str, type(None))
        if self.path_secret is not None and not re.fullmatch(r"[\w-]{16,}", self.path_secret, re.ASCII):
            rule = "it must be 16 or more letters, digits, - or _ (secrets.token_urlsafe(24) makes one)"
            raise InvalidArgumentError.of("Access.path_secret", "***", rule)

    def admits(self, peer: Peer) -> bool:
        """Return whether the certificate and the address are allowed."""
        return self._named(peer) and self._near(peer)

    def _named(self, peer: Peer) -> bool:
        if not self.client_names:
            return True
        return any(fnmatchcase(name.lower(), wanted) for name in peer.certificate_names for wanted in self.client_names)

    def _near(self, peer: Peer) -> bool:
        if not self.networks:
            return True
        try:
            address = ipaddress.ip_address(peer.address or "")
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


class Gate:
    """Checks the method, path and sender of a request."""

    def __init__(self, access: Access, route: str, body_limit: int) -> None:
        if not re.fullmatch(r"(/[^/?#\s]+)+", route):
            raise InvalidArgumentError.of("route", repr(route), f"it must be a path such as {ROUTE}")
        self.route, self.body_limit = route, body_limit
        self._access = access
        self._routes = (route, f"{route}/cmd")
        self._warned: set[str] = set()

    def owns(self, path: str, mounted_at: str = "") -> bool:
        """Return whether a path is the receiver's, either as a whole or below the path where it is mounted."""
        return any(self._is_ours(each.rstrip("/")) for each in {path, mounted_at + path, path.removeprefix(mounted_at)})

    def _is_ours(self, path: str) -> bool:
        secret = self._access.path_secret
        if secret is None:
            return path in self._routes
        _, segment, rest = path.split("/", 2) if path.count("/") >= 2 else ("", "", "")
        # Compared in constant time: the duration of a refusal must not show how much was right.
        return hmac.compare_digest(segment.encode("utf-8", "replace"), secret.encode()) and f"/{rest}" in self._routes

    def refuses(
        self,
        method: str,
        path: str | None,
        mounted_at: str,
        length: int | None,
        peer: Peer,
        declared: Declared = NOTHING,
    ) -> Reply | None:
        """Return why a request is refused before its body is read; None if it may pass.

        A path of None means that the application has routed the request itself. If a path secret is set, such a request
        is refused.
        """
        if not (self.owns(path, mounted_at) if path is not None else self._access.path_secret is None):
            self._warn(method, path, mounted_at)
            return reply.NOT_HERE
        if not self._access.admits(peer):
            return reply.NOT_ALLOWED
        if declared.from_page:
            return reply.NO_PAGES
        if method != "POST":
            return reply.ONLY_POST
        if length is not None and length > self.body_limit:
            return reply.too_large(self.body_limit)
        return unreadable(declared.content_encoding) if declared.content_encoding else None

    def unpacked(self, body: bytes, declared: Declared) -> bytes | Reply:
        """Return the body without its Content-Encoding, or the refusal."""
        return unpacked(body, declared.content_encoding, self.body_limit)

    def _warn(self, method: str, path: str | None, mounted_at: str) -> None:
        """Log once per path that it is not served: a callback URL is easily mistyped, and nothing else reports it."""
        if self._access.path_secret is not None:
            # A mistyped secret is almost the secret, so neither is shown.
            asked, served = "a path", f"/<path secret>{self.route}"
        else:
            asked, served = repr(path if path is None else path[:_SHOWN]), f"{mounted_at}{self.route}"
        if asked in self._warned or len(self._warned) >= _WARNED_PATHS:
            return
        self._warned.add(asked)
        log.warning("%s to %s answered 404: this receiver serves %s", method[:10], asked, served)
