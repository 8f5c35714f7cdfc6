"""Room for connections: how many each address has, and which one is closed when there is no room for another."""

from __future__ import annotations

import ipaddress
import logging

from .connection import Connection
from .limits import Limits

log = logging.getLogger("iot_northbound.serving")


def sender_of(host: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 network that one IPv6 customer has."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


class Room:
    """The open connections of one server, including handshakes."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._of: dict[str, set[Connection]] = {}
        self._count = 0

    @property
    def connections(self) -> list[Connection]:
        """All of them."""
        return [connection for own in self._of.values() for connection in own]

    def add(self, connection: Connection) -> None:
        """Count a connection."""
        self._of.setdefault(connection.sender, set()).add(connection)
        self._count += 1

    def remove(self, connection: Connection) -> None:
        """Stop counting a connection. Does nothing if it was removed before."""
        own = self._of.get(connection.sender, set())
        if connection in own:
            own.remove(connection)
            self._count -= 1
            if not own:
                del self._of[connection.sender]

    def for_address(self, sender: str) -> bool:
        """Make room under the cap of one address; return whether there is room."""
        own = self._of.get(sender, set())
        return len(own) < self.limits.connections_per_address or self._close_slowest(own)

    def for_another(self) -> bool:
        """Make room under the cap of all addresses; return whether there is room."""
        return self._count < self.limits.connections or self.close_one()

    def close_one(self) -> bool:
        """Close the slowest connection of the address that has most; return False if all are being answered."""
        return any(self._close_slowest(own) for own in sorted(self._of.values(), key=len, reverse=True))

    def _close_slowest(self, own: set[Connection]) -> bool:
        slowest = min((one for one in own if one.waits_for_peer), key=lambda one: one.waits_since, default=None)
        if slowest is None:
            return False
        log.info("closed a connection of %s to make room: it had %d of %d", slowest.sender, len(own), self._count)
        self.remove(slowest)
        slowest.drop()
        return True
