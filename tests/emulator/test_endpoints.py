from __future__ import annotations

import pytest

from iot_northbound.emulator.agentlite import calls
from iot_northbound.emulator.endpoints import AGENTLITE, known_endpoint, known_notify_type
from iot_northbound.emulator.server import Emulator

from .conftest import Wire

DEVICE = "/iocm/app/dm/v1.4.0/devices/{deviceId}"


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("*", "*"),
        ("GET *", "GET *"),
        ("get *", "GET *"),
        (DEVICE, DEVICE),
        (f"PUT {DEVICE}", f"PUT {DEVICE}"),
        ("PUT /iocm/app/dm/v1.4.0/devices/{device_id}", f"PUT {DEVICE}"),
        (f" delete  {DEVICE} ", f"DELETE {DEVICE}"),
    ],
)
def test_an_endpoint_may_be_written_in_several_ways(emulator: Emulator, told: str, meant: str) -> None:
    assert known_endpoint(told) == meant


def test_every_call_of_the_agentlite_port_has_a_name() -> None:
    paths = {**calls.PATHS, calls.CHILD_TEMPLATE: calls.OF_CHILD}
    assert sorted(AGENTLITE) == sorted(f"{method} {path}" for path, rules in paths.items() for method in rules)
    assert [known_endpoint(name) for name in AGENTLITE] == list(AGENTLITE)


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ("GET /nope", r"nothing documented has this name; \* means all"),
        ("GET /iocm/app/dm/v1.4.0/device/{deviceId}", r"similar are .*/iocm/app/dm/v1\.4\.0/devices/\{deviceId\}"),
        ("GET /IOCM/app/dm/v1.4.0/devices", r"similar are GET /iocm/app/dm/v1\.4\.0/devices,"),
        ("GET /devices", r"similar are GET /iocm/app/dm/v1\.4\.0/devices"),
        ("/devices/{id}", r"similar are .*GET /iocm/app/dm/v1\.4\.0/devices"),
        ("PATCH *", "the method must be one of DELETE, GET, POST, PUT"),
        (f"POST {DEVICE}", "this path takes DELETE, GET, PUT"),
        (
            "GET /iocm/app/dm/v1.4.0/devices/d-1",
            r"the whole endpoint is 'GET /iocm/app/dm/v1\.4\.0/devices/\{deviceId\}'",
        ),
        ("", "nothing documented"),
    ],
)
def test_an_endpoint_of_no_call_is_refused_with_similar_ones(emulator: Emulator, told: str, hint: str) -> None:
    for refused in (known_endpoint, lambda name: emulator.control.add_fault("reset", endpoint=name)):
        with pytest.raises(ValueError, match=hint):
            refused(told)
    with pytest.raises(ValueError, match=hint):
        emulator.control.journal(endpoint=told)
    assert emulator.control.faults() == []


def test_a_kind_of_push_that_does_not_exist_is_refused(emulator: Emulator) -> None:
    assert [known_notify_type(one) for one in ("*", "", "deviceAdded")] == ["*", "", "deviceAdded"]
    with pytest.raises(ValueError, match=r"similar are .*deviceDataChanged"):
        emulator.control.add_fault("push_lost", notify_type="devicedatachanged")


@pytest.mark.parametrize("endpoint", ["GET *", "GET /iocm/app/dm/v1.4.0/devices/{device_id}"])
def test_a_fault_written_so_strikes(emulator: Emulator, wire: Wire, endpoint: str) -> None:
    device_id = wire.register("a")
    emulator.control.add_fault("answer", endpoint=endpoint, status=503)
    assert wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{device_id}")[0] == 503
    assert wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{device_id}")[0] == 204
    assert [call["status"] for call in emulator.control.journal(endpoint="DELETE *")] == [204]
