"""The life of a fleet: its making, its thread, other processes, and its end."""

import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import SSLConfig
from iot_northbound.device import DeviceCredentials
from iot_northbound.device.fleet import Fleet
from iot_northbound.device.session import DeviceState
from iot_northbound.errors import ClientClosedError, InvalidArgumentError
from tests.certs import Authority
from tests.clock import eventually
from tests.device.fleet.broker import Broker
from tests.device.fleet.parts import fleet_of, report


def test_one_thread_serves_all_devices_and_a_bounded_pool_the_handshakes(broker: Broker) -> None:
    before = set(threading.enumerate())
    fleet, _ = fleet_of(broker, 40)

    def ours() -> list[str]:
        new = [each.name for each in threading.enumerate() if each not in before]
        return [name for name in new if name.startswith("iot-northbound")]

    with fleet:
        eventually(lambda: fleet.counts().connected == 40)
        assert ours().count("iot-northbound-fleet") == 1
        assert len(ours()) <= 17
    eventually(lambda: threading.active_count() <= len(before) + 41)
    assert ours() == []


@pytest.mark.parametrize("options", [{"port": 0}, {"host": "mqtts://h"}, {"ca_path": "a", "ssl_config": SSLConfig()}])
def test_a_place_that_cannot_be_used_is_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        Fleet(**{"host": "h", **options})


def test_closing_says_goodbye_for_each_device(broker: Broker) -> None:
    fleet, _ = fleet_of(broker, 5)
    with fleet:
        eventually(lambda: fleet.counts().connected == 5)
    eventually(lambda: sorted(broker.goodbyes) == [f"pump-{number}" for number in range(5)])
    fleet.close()


def test_closing_ends_attempts_that_go_on(tmp_path: Path, broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts, and never begins a handshake
        broker.port = deaf.getsockname()[1]
        fleet, _ = fleet_of(broker, 3)
        fleet.start()
        eventually(lambda: fleet.states()[DeviceState.CONNECTING] == 3)
        fleet.close()
    assert fleet.states()[DeviceState.CLOSED] == 3


def test_a_fleet_shows_no_secret(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    broker.codes = [5]
    fleet, (device,) = fleet_of(broker)
    with fleet:
        eventually(lambda: fleet.counts().refused)
        shown = repr(device) + repr(fleet) + repr(fleet.counts()) + str(device.last_error)
    assert "s3cret" not in shown + caplog.text
    assert broker.logins[0].password not in shown + caplog.text


def test_a_device_is_added_once_and_before_the_start(broker: Broker) -> None:
    fleet, _ = fleet_of(broker)
    with pytest.raises(InvalidArgumentError, match="in the fleet already"):
        fleet.add(DeviceCredentials("pump-0", "x"))
    with fleet:
        with pytest.raises(ClientClosedError, match="before the fleet starts"):
            fleet.add(DeviceCredentials("pump-1", "x"))
        with pytest.raises(ClientClosedError, match="once"):
            fleet.start()


def test_another_process_cannot_use_the_fleet(broker: Broker) -> None:
    fleet, (device,) = fleet_of(broker)
    with fleet:
        here = fleet._crew.loop._process
        fleet._crew.loop._process = here + 1
        with pytest.raises(ClientClosedError, match="after fork"):
            report(device, 1)
        fleet._crew.loop._process = here


def test_a_child_process_that_ends_leaves_the_connections_alone(broker: Broker) -> None:
    fleet, (device,) = fleet_of(broker)
    with fleet:
        eventually(lambda: fleet.counts().connected == 1)
        child = os.fork()
        if not child:
            fleet.close()
            os._exit(0)
        os.waitpid(child, 0)
        report(device, 1)
        assert fleet.drain(30)
        assert fleet.counts().disconnects == 0


def test_a_program_ends_although_a_server_is_silent_and_nobody_closed_the_fleet(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority().pem)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts, and never begins a handshake
        program = (
            "import sys\nfrom iot_northbound.device import DeviceCredentials, Fleet\n"
            f"fleet = Fleet('localhost', {deaf.getsockname()[1]}, ca_path={str(tmp_path / 'ca.pem')!r})\n"
            "for number in range(40):\n    fleet.add(DeviceCredentials(f'd{number}', 'x'))\n"
            "fleet.start()\nfleet.counts()\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_in_one_call_does_not_end_the_thread(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    fleet, (device,) = fleet_of(broker)
    with fleet:
        fleet.call_soon(lambda: 1 / 0)
        report(device, 1)
        assert fleet.drain(30)
    assert "a call on the thread of the fleet failed" in caplog.text
