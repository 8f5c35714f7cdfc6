"""The life of a device: how it is made, its states, and its end."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.device import Backoff, DeviceClient, DeviceRefusedError, DeviceState, client
from iot_northbound.errors import ClientClosedError, InvalidArgumentError, NorthApiException, WaitTimeoutError
from tests.clock import FakeClock, eventually
from tests.device.conftest import CREDENTIALS, MakeDevice, values
from tests.device.peer import Peer


@pytest.mark.parametrize(("name", "value"), [("queue", "x"), ("backoff", 3), ("host", "a b"), ("port", True)])
def test_a_device_that_cannot_be_made_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        DeviceClient(**{"credentials": CREDENTIALS, "host": "h", name: value})


def test_states_are_told_in_order(peer: Peer, make_device: MakeDevice) -> None:
    seen: list[DeviceState] = []
    device = make_device()
    device.on_state(seen.append)
    assert device.state is DeviceState.IDLE
    with device:
        peer.cut()
        eventually(lambda: len(peer.logins) == 2 and device.state is DeviceState.CONNECTED)
    eventually(lambda: DeviceState.CLOSED in seen)
    assert seen == ["connecting", "connected", "waiting", "connecting", "connected", "closed"]


def test_closing_sends_what_waits_and_then_disconnects(peer: Peer, make_device: MakeDevice) -> None:
    with make_device() as device:
        results = [device.report("A", {"n": number}) for number in range(100)]
    assert all(each.done() for each in results)
    eventually(lambda: peer.left == 1)
    assert len(values(peer)) == 100


def test_closing_is_bounded_and_what_is_left_fails(peer: Peer, device: DeviceClient) -> None:
    peer.rules.acknowledges = False
    pending = device.report("A", {})
    eventually(lambda: peer.published)
    device.close(0.01)
    device.close()
    with pytest.raises(ClientClosedError, match="before the platform confirmed"):
        pending.result(0)
    eventually(lambda: peer.left == 1)
    for call in (lambda: device.report("A", {}), device.start, lambda: device.subscribe("a", print)):
        with pytest.raises(ClientClosedError, match="closed"):
            call()


def test_a_with_block_does_not_wait_for_ever(
    make_device: MakeDevice, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_FIRST_CONNECT", 0.0)
    peer.rules.answers_login = False
    device = make_device()
    with pytest.raises(WaitTimeoutError), device:
        raise AssertionError
    assert device.state is DeviceState.CLOSED


def test_a_with_block_takes_a_device_that_was_started_without_a_wait(make_device: MakeDevice, peer: Peer) -> None:
    peer.rules.answers_login = False
    with make_device().start(wait=False) as device:
        assert device.state is not DeviceState.CONNECTED
        device.close(0)
    with pytest.raises(ClientClosedError), device:
        raise AssertionError


@pytest.mark.parametrize("refused", [True, False])
def test_a_subscription_that_is_not_confirmed_fails_at_the_end(
    make_device: MakeDevice, peer: Peer, refused: bool
) -> None:
    device = make_device()
    subscribed = device.subscribe("a/b", print)
    if refused:
        peer.rules.codes = [5]
        device.start(wait=False)
    else:
        device.close()
    with pytest.raises(DeviceRefusedError if refused else ClientClosedError):
        subscribed.result(30)


def test_a_device_that_never_connected_can_be_closed(make_device: MakeDevice, peer: Peer) -> None:
    peer.rules.codes = [3] * 10_000
    device = make_device(clock=FakeClock(), backoff=Backoff(first=9, longest=9, random=lambda: 1)).start(wait=False)
    eventually(lambda: device.state is DeviceState.WAITING)
    device.close()
    assert device.state is DeviceState.CLOSED
    make_device().close()


def test_closing_ends_a_handshake_that_hangs(tmp_path: Path, peer: Peer) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        device = DeviceClient(CREDENTIALS, "127.0.0.1", silent.getsockname()[1], ca_path=peer.ca_path)
        device.start(wait=False)
        connection, _ = silent.accept()
        device.close(0)
        assert not any(each.name == "device-pump-02" for each in threading.enumerate())
        connection.close()


def test_a_done_callback_may_close_the_device(peer: Peer, device: DeviceClient) -> None:
    device.report("A", {}).add_done_callback(lambda pending: device.close())
    eventually(lambda: peer.left == 1)
    assert device.state is DeviceState.CLOSED


def test_a_forked_child_is_told_that_the_connection_is_not_its_own(peer: Peer, device: DeviceClient) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            device.report("A", {})
        except NorthApiException as error:
            said = str(error)
        device.close()
        os.write(writer, said.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert b"was forked" in pipe.read()
    device.report("A", {}).result(30)
    assert peer.left == 0


def test_the_end_of_the_program_disconnects(peer: Peer) -> None:
    import subprocess
    import sys

    program = f"""
from iot_northbound.device import DeviceClient, DeviceCredentials
device = DeviceClient(DeviceCredentials("pump-02", "s"), "localhost", {peer.port}, ca_path={str(peer.ca_path)!r})
device.on_command()(lambda command: None)
device.start(timeout=30)
device.report("A", {{}})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    eventually(lambda: peer.left == 1)
    assert len(peer.published) == 1
