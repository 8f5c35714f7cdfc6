"""Faults strike the calls of the AgentLite port as they strike those of the northbound API."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire

from .conftest import BIND, DEVICES, LOGIN, Device

CHILD = {"nodeId": "sensor-1", "manufacturerId": "Acme", "deviceType": "Sensor", "model": "S1", "protocolType": "MQTT"}


def add(gateway: Device) -> tuple[int, Any]:
    return gateway.call("POST", DEVICES, {"deviceInfo": CHILD})


def noted(emulator: Emulator) -> list[tuple[Any, ...]]:
    names = ("endpoint", "status", "fault")
    return [tuple(each[name] for name in names) for each in emulator.control.journal(kind="agentlite")]


@pytest.mark.parametrize("endpoint", ["*", "POST *", DEVICES, f"POST {DEVICES}"])
def test_a_fault_that_names_the_call_strikes_it(emulator: Emulator, gateway: Device, endpoint: str) -> None:
    emulator.control.clear_journal()
    emulator.control.add_fault("answer", endpoint=endpoint, status=503, body={"error_code": "x"}, count=1)
    assert add(gateway) == (503, {"error_code": "x"})
    assert gateway.last.headers["X-Iot-Northbound-Emulator"] == "1"
    assert add(gateway)[1]["result"] == 0  # it was not added before
    assert noted(emulator) == [(f"POST {DEVICES}", None, "answer"), (f"POST {DEVICES}", 200, None)]
    assert emulator.control.faults() == []
    assert len(emulator.control.journal(endpoint=f"POST {DEVICES}")) == 2


def test_a_fault_of_another_call_does_not_strike(emulator: Emulator, gateway: Device) -> None:
    for endpoint in (BIND, LOGIN, f"PUT {DEVICES}/{{deviceId}}", "/iocm/app/dm/v1.4.0/devices", "/deviceio/ml"):
        emulator.control.add_fault("reset", endpoint=endpoint)
    emulator.control.add_fault("hub_lost")
    assert add(gateway)[0] == 200


@pytest.mark.parametrize("kind", ["reset", "garbage", "truncate", "wrong_length", "stall"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_is_lost_or_spoilt_says_whether_the_work_was_done(
    emulator: Emulator, gateway: Device, kind: Any, when: Any
) -> None:
    seconds = {"seconds": 0} if kind == "stall" else {}
    emulator.control.add_fault(kind, endpoint=DEVICES, when=when, count=1, **seconds)
    with pytest.raises((OSError, http.client.HTTPException)):
        add(gateway)
    gateway.connection.close()
    was_done = when == "after" or kind in ("truncate", "wrong_length")
    assert add(gateway)[1]["result"] == int(was_done)


@pytest.mark.parametrize(("kind", "seconds"), [("latency", 0), ("drip", 0)])
def test_a_slow_answer_arrives_whole(emulator: Emulator, gateway: Device, kind: Any, seconds: int) -> None:
    emulator.control.add_fault(kind, endpoint=DEVICES, seconds=seconds, count=1)
    status, answer = add(gateway)
    assert (status, answer["result"]) == (200, 0)
    assert gateway.last.headers["X-Iot-Northbound-Emulator"] == "1"


def test_a_fault_strikes_paths_that_do_not_exist_too(emulator: Emulator, device: Device) -> None:
    emulator.control.add_fault("answer", status=502)
    assert device.call("GET", "/nowhere")[0] == 502
    assert noted(emulator) == [(None, None, "answer")]


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        (f"GET {BIND}", "this path takes POST"),
        ("/bind", f"similar are POST {BIND}"),
        (f"PUT {DEVICES}/d-1", "ids cannot be chosen"),
    ],
)
def test_a_name_of_no_call_is_refused_with_similar_ones(emulator: Emulator, told: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        emulator.control.add_fault("reset", endpoint=told)


def test_the_northbound_api_keeps_its_own_faults(emulator: Emulator, gateway: Device, wire: Wire) -> None:
    emulator.control.add_fault("answer", endpoint=DEVICES, status=503)
    assert wire.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0")[0] == 200
