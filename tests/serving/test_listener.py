"""The guarded listener under a protocol that is not HTTP: lines that come back, over TLS."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from iot_northbound.emulator.home import Home, prepare
from iot_northbound.serving import Admission, Connection, GuardedListener, Limits
from tests.clock import eventually

from .probe import AT_ONCE, PATIENT, hurry, read_all

GREEDY, OTHER = "127.0.0.1", "127.0.0.2"
HELD = threading.Event()

Listen = Callable[[Limits], GuardedListener]
Connect = Callable[..., ssl.SSLSocket]


class LineEcho(Connection, asyncio.Protocol):
    """Sends each line back; the answer to `hold` waits for an event."""

    def __init__(self, admission: Admission) -> None:
        super().__init__(admission)
        self._rest, self._held = b"", False

    @property
    def answering(self) -> bool:
        return self._held

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line == b"hold":
                self._held = True
                HELD.set()
                self.loop.create_task(self._answer_later())
            else:
                self.transport.write(line * (100_000 if line == b"flood" else 1) + b"\n")
        self.expect("line", self.limits.header_deadline if self._rest else self.limits.idle)

    async def _answer_later(self) -> None:
        while HELD.is_set():
            await asyncio.sleep(0.005)
        self.transport.write(b"hold\n")
        self._held = False


class BufferedEcho(Connection, asyncio.BufferedProtocol):
    """Sends back what it receives into a buffer of its own."""

    def get_buffer(self, sizehint: int) -> bytearray:
        self._buffer = bytearray(1024)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(bytes(self._buffer[:nbytes]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return prepare(tmp_path_factory.mktemp("home"))


@pytest.fixture
def listen(home: Home) -> Iterator[Listen]:
    running: list[GuardedListener] = []

    def with_limits(limits: Limits) -> GuardedListener:
        running.append(GuardedListener(LineEcho, ssl_context=home.server_context(), limits=limits).start())
        return running[-1]

    yield with_limits
    HELD.clear()
    for each in running:
        each.stop()


@pytest.fixture
def connect(home: Home) -> Iterator[Connect]:
    context = ssl.create_default_context(cafile=str(home.ca))
    context.load_cert_chain(home.folder / "client.pem", home.folder / "client.key")
    peers: list[ssl.SSLSocket] = []

    def from_address(listener: GuardedListener, source: str = GREEDY) -> ssl.SSLSocket:
        plain = socket.create_connection(listener.address, timeout=60, source_address=(source, 0))
        peers.append(context.wrap_socket(plain, server_hostname="localhost"))
        return peers[-1]

    yield from_address
    for peer in peers:
        peer.close()


def echoes(peer: ssl.SSLSocket, line: bytes = b"hello") -> bool:
    peer.sendall(line + b"\n")
    return peer.recv(100) == line + b"\n"


def is_closed(peer: ssl.SSLSocket) -> bool:
    try:
        return peer.recv(1) == b""
    except OSError:  # a reset, or a TLS connection that ends without a goodbye
        return True


def test_lines_come_back(listen: Listen, connect: Connect) -> None:
    peer = connect(listen(PATIENT))
    assert all(echoes(peer, line) for line in (b"one", b"two", b""))


@pytest.mark.parametrize("protocol", [LineEcho, BufferedEcho])
def test_a_connection_that_has_ended_leaves_no_work_to_the_garbage_collector(
    home: Home, connect: Connect, protocol: type[Connection]
) -> None:
    with GuardedListener(protocol, ssl_context=home.server_context(), limits=PATIENT) as listener:
        peer = connect(listener)
        assert echoes(peer)
        gc.disable()
        try:
            [known] = map(weakref.ref, listener.connections)
            peer.close()
            eventually(lambda: known() is None)
        finally:
            gc.enable()


def test_a_peer_that_says_nothing_loses_its_connection() -> None:
    with (
        GuardedListener(LineEcho, limits=replace(PATIENT, header_deadline=AT_ONCE)) as listener,
        socket.create_connection(listener.address, timeout=60) as silent,
    ):
        assert read_all(silent) == b""


def test_a_peer_that_does_not_finish_its_handshake_loses_its_connection(listen: Listen) -> None:
    listener = listen(replace(PATIENT, header_deadline=AT_ONCE))
    with socket.create_connection(listener.address, timeout=60) as silent:
        assert read_all(silent) == b""


def test_half_a_line_is_cut_off_while_others_are_served(listen: Listen, connect: Connect) -> None:
    listener = listen(PATIENT)
    slow, quick = connect(listener), connect(listener)
    assert echoes(slow)
    slow.sendall(b"half a li")
    assert echoes(quick)
    hurry(listener, header_deadline=AT_ONCE)
    slow.sendall(b"n")
    assert is_closed(slow)
    assert echoes(quick)


def test_a_peer_that_does_not_read_loses_its_connection(listen: Listen, connect: Connect) -> None:
    listener = listen(PATIENT)
    peer = connect(listener)
    assert echoes(peer)
    hurry(listener, write_deadline=AT_ONCE)
    peer.sendall(b"flood\n" * 40)
    eventually(lambda: not listener.connections)


def test_the_slowest_connection_makes_room_for_another(listen: Listen, connect: Connect) -> None:
    listener = listen(replace(PATIENT, connections=2))
    first, second = connect(listener), connect(listener)
    assert echoes(first)
    assert echoes(second)
    assert echoes(connect(listener, OTHER))
    assert is_closed(first)
    assert echoes(second)


def test_one_address_has_its_own_cap(listen: Listen, connect: Connect) -> None:
    listener = listen(replace(PATIENT, connections_per_address=1))
    first, other = connect(listener), connect(listener, OTHER)
    assert echoes(connect(listener))
    assert is_closed(first)
    assert echoes(other)


def test_a_connection_that_is_being_answered_is_not_closed(listen: Listen, connect: Connect) -> None:
    listener = listen(replace(PATIENT, connections=2))
    held, idle = connect(listener), connect(listener)
    held.sendall(b"hold\n")
    assert HELD.wait(60)
    assert echoes(connect(listener, OTHER))
    assert is_closed(idle)
    HELD.clear()
    assert held.recv(100) == b"hold\n"


def test_a_stop_waits_for_the_answer_under_way(listen: Listen, connect: Connect) -> None:
    listener = listen(PATIENT)
    held = connect(listener)
    held.sendall(b"hold\n")
    assert HELD.wait(60)
    stopper = threading.Thread(target=listener.stop)
    stopper.start()
    HELD.clear()
    assert held.recv(100) == b"hold\n"
    stopper.join(60)
    assert not stopper.is_alive()
    assert listener.connections == []
