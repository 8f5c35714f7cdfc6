from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator import Emulator, NotFound
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.rules.history import REPORTED
from iot_northbound.serving import Limits
from tests.clock import eventually
from tests.emulator.conftest import Wire

from . import wire as w
from .asking import Connect, history, journal, send_command, status
from .wire import ACCEPTED, Device, Peer, acknowledged, register
from .without_sockets import Port, VirtualTime

# --- the platform ends a session ---


def test_a_kick_a_reset_and_a_deletion_end_the_session(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    one = peer(device)
    emulator.control.mqtt_kick(device.device_id)
    assert one.recv() == b""
    assert status(wire, device) == "OFFLINE"
    with pytest.raises(NotFound, match="no MQTT session"):
        emulator.control.mqtt_kick(device.device_id)
    one = peer(device)
    code, _ = wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device.device_id}")
    assert code == 204
    assert one.recv() == b""
    other = register(wire, "gw-2")
    one = peer(other)
    emulator.control.reset()
    assert one.recv() == b""
    assert emulator.control.mqtt_sessions() == []


def test_a_deleted_gateway_hears_of_it_first(wire: Wire, device: Device, peer: Connect) -> None:
    one = peer(device)
    one.ask(w.subscribe(1, (f"/gws/{device.device_id}/signaltrans/v2/categories/command", 1)))
    wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device.device_id}")
    _, packet_id, message = one.command()
    assert message["header"]["method"] == "REMOVE_GATEWAY"
    assert one.ask(w.puback(packet_id)) == b""
    assert peer().ask(device.connect()) == w.refused(4)


def test_a_message_of_the_control_plane_reaches_the_device(emulator: Emulator, device: Device, peer: Connect) -> None:
    one = peer(device)
    emulator.control.mqtt_publish(device.device_id, "any/topic", {"a": 1}, qos=0)
    assert one.command() == ("any/topic", 0, {"a": 1})
    emulator.control.mqtt_publish(device.device_id, "any/topic", "[]")
    assert one.command()[1:] == (1, [])
    assert emulator.control.mqtt_sessions()[0]["inFlight"] == 1


# --- time ---


def test_a_silent_device_is_disconnected_after_its_keep_alive(
    emulator: Emulator, wire: Wire, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iot_northbound.emulator.mqtt.session.MISSED", 0.05)
    with Peer(emulator) as one:
        assert one.ask(device.connect(keep_alive=1)) == ACCEPTED
        assert one.recv() == b""
    assert "keep-alive" in journal(emulator, "close")[-1]["outcome"]
    eventually(lambda: status(wire, device) == "OFFLINE")


def test_one_that_says_nothing_is_closed_within_the_deadline(home_folder: Path) -> None:
    with Emulator(folder=home_folder, mqtt_port=0, limits=Limits(header_deadline=0.2)) as short:
        with suppress(OSError), Peer(short) as one:  # on a slow machine, it is closed within the handshake
            assert one.recv() == b""
        with socket.create_connection(short.mqtt_address, timeout=10) as raw:
            assert raw.recv(1) == b""


def test_half_open_connections_count_and_make_room_for_a_device(home_folder: Path) -> None:
    patient = Limits(header_deadline=60)
    with ExitStack() as open_, Emulator(folder=home_folder, mqtt_port=0, limits=patient) as small:
        small.control.change_settings(mqtt_connections=2)
        strangers = [open_.enter_context(Peer(small)) for _ in range(14)]
        assert strangers[0].recv() == strangers[1].recv() == b""  # 12 are left
        wire = Wire(small).login()
        open_.callback(wire.connection.close)
        device = register(wire)
        assert open_.enter_context(Peer(small)).ask(device.connect()) == ACCEPTED
        assert strangers[2].recv() == b""


def test_beyond_its_rate_a_device_is_read_later_and_nothing_is_lost() -> None:
    async def run() -> list[int]:
        """Return how many of 25 reports are acknowledged at once, within the second, and after each one."""
        async with Port(Settings(mqtt_messages_per_second=10)) as port:
            device = port.register("gw-1")
            one = port.connection(keeps=True)
            transport: Any = one.transport
            one.data_received(device.connect() + b"".join(device.report(number) for number in range(1, 26)))
            found = []
            for seconds in (0.1, 0.8, 1, 1):
                await asyncio.sleep(seconds)
                found.append(transport.sent.count(b"\x40\x02"))
            assert len(port.runtime.platform.table(REPORTED)) == 25
            return found

    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        assert runner.run(run()) == [10, 10, 20, 25]


def test_a_device_that_does_not_read_loses_its_session(
    emulator: Emulator, device: Device, peer: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer(device)
    for _ in range(20):
        emulator.control.mqtt_publish(device.device_id, "t", "x" * 1_000_000, qos=0)
        if not emulator.control.mqtt_sessions():
            break
    eventually(lambda: emulator.control.mqtt_sessions() == [])


# --- faults ---


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_a_fault_refuses_a_login(emulator: Emulator, device: Device, peer: Connect, code: int) -> None:
    emulator.control.add_fault("mqtt_refuse", code=code, count=1, device=device.device_id)
    assert peer().ask(device.connect()) == w.refused(code)
    assert journal(emulator, "CONNECT")[-1]["fault"] == "mqtt_refuse"
    peer(device)


def test_a_fault_cuts_the_connection_after_some_packets(
    emulator: Emulator, wire: Wire, device: Device, peer: Connect
) -> None:
    emulator.control.add_fault("mqtt_drop", after=3)
    one = peer(device).send(device.report(1), device.report(2), device.report(3))
    assert [one.recv(), one.recv(), one.recv()][2] == b""
    assert len(history(wire, device)) == 2


def test_a_fault_withholds_an_acknowledgement(emulator: Emulator, wire: Wire, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_no_puback", topic="/data/", count=1)
    assert peer(device).ask(device.report(1), device.report(2)) == acknowledged(2)
    assert len(history(wire, device)) == 2


def test_a_fault_delays_a_packet_and_all_that_follow(emulator: Emulator, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_slow", packet="PUBLISH", seconds=0.05, count=1)
    one = peer(device).send(device.report(1), w.PINGREQ)
    assert [one.recv(), one.recv()] == [acknowledged(1), w.PINGRESP]


def test_a_fault_sends_a_command_twice(emulator: Emulator, wire: Wire, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_double", device=device.device_id)
    one = peer(device)
    one.ask(w.subscribe(1, (device.command, 1)))
    send_command(wire, device)
    assert one.command() == one.command()


def test_a_fault_leaves_a_ping_without_its_answer(emulator: Emulator, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_silence", count=1)
    assert peer(device).ask(w.PINGREQ, device.report(1)) == acknowledged(1)


def test_a_fault_of_another_device_strikes_nobody_else(emulator: Emulator, device: Device, peer: Connect) -> None:
    emulator.control.add_fault("mqtt_drop", device="another")
    assert peer(device).ask(device.report(1)) == acknowledged(1)


# --- secrets ---


def test_no_password_and_no_secret_is_in_the_journal_or_the_log(
    emulator: Emulator, device: Device, peer: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    emulator.control.clear_journal(bodies=True)
    peer().ask(device.connect(sign=1))
    peer(device).ask(device.report(1))
    told = json.dumps(emulator.control.journal(kind="mqtt")) + caplog.text
    assert device.device_id in told
    assert device.secret not in told
    assert w.password(device.secret, "2018072417") not in told


def test_fifty_threads_of_strangers_do_not_disturb_a_device(emulator: Emulator, device: Device, peer: Connect) -> None:
    one = peer(device)
    noise = [b"\x10\x02", device.connect()[:40], b"\xff" * 100, w.PINGREQ, w.connect("a_0_0_2018072417", "a", "b")]

    def disturb(index: int) -> None:
        with Peer(emulator) as other:
            other.send(noise[index % len(noise)])
            if index % 2:
                other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    strangers = [threading.Thread(target=disturb, args=(index,)) for index in range(50)]
    for each in strangers:
        each.start()
    for packet_id in range(1, 51):
        assert one.ask(device.report(packet_id)) == acknowledged(packet_id)
    for each in strangers:
        each.join()
    assert len(emulator.control.mqtt_sessions()) == 1
