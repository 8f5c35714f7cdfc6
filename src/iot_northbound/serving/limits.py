"""What one peer may take from the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may take. Times are in seconds, sizes in bytes.

    They are described for HTTP. With another protocol, `header_deadline` is the time for the peer's first message.
    """

    header_deadline: float = 10.0
    """From the TCP connection (TLS handshake included), or a later request's first byte, to the end of its headers."""
    body_deadline: float = 30.0
    """From the end of the headers to the end of the body."""
    write_deadline: float = 30.0
    """How long an answer may wait for a peer that does not read."""
    idle: float = 75.0
    """How long a kept-alive connection may rest between two requests."""
    header_limit: int = 65_536
    body_limit: int = 8 * 1024 * 1024
    connections: int = 1_000
    """Open connections, including handshakes. For one more, the server closes one of the address that has the most.

    It closes the slowest one of that address: the one that has waited longest for its peer. Such a connection is idle,
    its request is incomplete, or its peer does not read the answer. A complete request is always answered first.
    """
    connections_per_address: int = 500
    """Open connections of one IPv4 address or one IPv6 /64 network. For one more, the server closes its slowest one.

    Behind a proxy all connections have the proxy's address: set this to the value of `connections`.
    """
    linger: float = 2.0
    """How long a refused peer's bytes are still read and dropped, so that the peer can read why it was refused."""
    stop_grace: float = 10.0
    """How long a stop waits for answers that are under way."""
