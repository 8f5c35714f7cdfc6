from __future__ import annotations

import inspect
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from iot_northbound.emulator.control.base import NotFound
from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.devices import ScriptedReport
from iot_northbound.emulator.control.schema import InvalidArgument, schema_of
from iot_northbound.emulator.kernel.settings import Settings, SomeSettings
from iot_northbound.emulator.server import Emulator
from tests.clock import eventually
from tests.emulator.conftest import Wire


def test_reset_forgets_everything_but_the_applications(emulator: Emulator, wire: Wire) -> None:
    wire.register("a")
    emulator.control.add_fault("latency")
    emulator.control.freeze(1_000_000_000)
    emulator.control.reset()
    assert emulator.control.faults() == []
    assert emulator.control.journal() == []
    assert abs(emulator.control.clock()["now"] - time.time()) < 60
    assert wire.login().devices() == []


def test_a_snapshot_brings_back_devices_tokens_and_the_clock(emulator: Emulator, wire: Wire) -> None:
    kept = wire.register("a")
    emulator.control.freeze(2_000_000_000)
    wire.login()
    emulator.control.snapshot("before")
    emulator.control.advance(10_000)
    assert wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{kept}")[0] == 403  # the token has expired
    wire.login().register("b")
    token = wire.headers["Authorization"]
    emulator.control.restore("before")
    assert emulator.control.clock()["now"] == 2_000_000_000
    assert wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{kept}")[0] == 403  # unknown then
    assert wire.login().devices() == [kept]
    assert token != wire.headers["Authorization"]
    assert emulator.control.snapshots() == ["before"]
    with pytest.raises(NotFound, match="no snapshot 'after'"):
        emulator.control.restore("after")


def test_advancing_the_clock_takes_no_time(emulator: Emulator, wire: Wire) -> None:
    status, answer = wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": "a", "timeout": 172_800})
    assert status == 200
    emulator.control.change_settings(token_lifetime=1_000_000)
    wire.login()
    emulator.control.advance(172_790)
    assert wire.devices() == [answer["deviceId"]]
    emulator.control.advance(11)
    assert wire.devices() == []
    with pytest.raises(ValueError, match="seconds must be from 0"):
        emulator.control.advance(-1)


def test_a_timer_runs_by_itself_when_its_time_has_come(emulator: Emulator, wire: Wire) -> None:
    assert wire.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": "a", "timeout": 1})[0] == 200
    # This reads the rows, and makes no call that would run timers.
    eventually(lambda: not emulator.control.health()["rows"].get("devices"))


def test_ids_from_a_seed_repeat(emulator: Emulator, wire: Wire) -> None:
    def run() -> str:
        emulator.control.seed_ids("seven")
        emulator.control.reset()
        emulator.control.seed_ids("seven")
        return wire.login().register("a")

    assert run() == run()
    emulator.control.seed_ids(None)
    assert run() != wire.register("b")


def test_a_snapshot_from_before_the_seed_ends_it(emulator: Emulator, wire: Wire) -> None:
    emulator.control.snapshot()
    emulator.control.seed_ids("seven")
    made = []
    for _ in range(2):
        emulator.control.restore()
        made.append(emulator.control.add_application()["appId"])
    assert made[0] != made[1]


def test_added_devices_are_there_with_their_shadow(emulator: Emulator, wire: Wire) -> None:
    assert emulator.control.add_devices(2_500) == 2_500
    status, answer = wire.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=1")
    assert (status, answer["totalCount"]) == (200, 2_500)
    (device,) = answer["devices"]
    assert device["services"][0]["data"]
    with pytest.raises(ValueError, match="another prefix"):
        emulator.control.add_devices(1)
    with pytest.raises(LookupError, match="no product model 'x'"):
        emulator.control.add_devices(1, prefix="other", product_id="x")


def test_an_operation_that_fails_leaves_no_trace(emulator: Emulator, wire: Wire) -> None:
    wire.register("p-000005")
    with pytest.raises(ValueError, match="there already"):
        emulator.control.add_devices(50, prefix="p")
    assert emulator.control.health()["rows"]["devices"] == 1


def test_settings_take_effect_at_once(emulator: Emulator, wire: Wire) -> None:
    emulator.control.change_settings(flow_control=True, calls_per_minute=1)
    answers = [wire.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0") for _ in range(2)]
    assert [status for status, _ in answers] == [200, 403]
    assert answers[1][1]["error_code"] == "1010009"
    with pytest.raises(ValueError, match=r"^flow is not known; known are: token_lifetime"):
        emulator.control.change_settings(flow=True)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="transitions must be one of"):
        emulator.control.change_settings(transitions="sometimes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^token_lifetime must be from 1 to"):
        emulator.control.change_settings(flow_control=False, token_lifetime=0)
    with pytest.raises(ValueError, match=r"^calls_per_minute must be a whole number"):
        Emulator(calls_per_minute="ten")  # type: ignore[arg-type]
    assert emulator.control.settings()["flow_control"] is True


def test_every_setting_has_its_rule_and_every_default_keeps_it(emulator: Emulator) -> None:
    settings = emulator.control.settings()
    assert settings.keys() == schema_of(SomeSettings)["properties"].keys()
    assert emulator.control.change_settings(**settings) == settings


def test_settings_outlive_resets_and_restores(home_folder: Path, tmp_path: Path) -> None:
    with Emulator(folder=home_folder, data_dir=tmp_path) as first:
        first.control.snapshot()
        first.control.change_settings(token_lifetime=99)
        first.control.restore()
        first.control.reset()
        assert first.control.settings()["token_lifetime"] == 99
    with Emulator(folder=home_folder, data_dir=tmp_path) as second:
        assert second.control.settings()["token_lifetime"] == 99


def test_applications_side_by_side_see_each_other_only_when_allowed(emulator: Emulator, wire: Wire) -> None:
    device_id = wire.register("a")
    made = emulator.control.add_application()
    path = f"/iocm/app/dm/v1.4.0/devices/{device_id}?appId={emulator.app_id}"
    guest = Wire(emulator)
    guest.headers = {"app_key": made["appId"]}
    status, answer = guest.call("POST", "/iocm/app/sec/v1.1.0/login", made)
    assert status == 200, answer
    guest.headers["Authorization"] = f"Bearer {answer['accessToken']}"
    assert guest.call("GET", path)[1]["error_code"] == "100217"
    emulator.control.authorise(emulator.app_id, made["appId"])
    assert guest.call("GET", path)[0] == 200
    emulator.control.authorise(emulator.app_id, made["appId"], allowed=False)
    assert guest.call("GET", path)[0] == 403
    with pytest.raises(NotFound, match="no application 'nobody'"):
        emulator.control.authorise("nobody", made["appId"])


def test_a_device_reports_and_is_online(emulator: Emulator, wire: Wire) -> None:
    emulator.control.add_devices(1)
    _, answer = wire.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0")
    device_id = answer["devices"][0]["deviceId"]
    emulator.control.report(device_id, "WaterMeter", {"totalVolume": 12.5}, "20300101T000000Z")
    emulator.control.set_online(device_id)
    _, device = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{device_id}")
    assert device["deviceInfo"]["status"] == "ONLINE"
    assert device["services"][0]["data"]["totalVolume"] == 12.5
    assert device["services"][0]["eventTime"] == "20300101T000000Z"
    emulator.control.set_online(device_id, online=False)
    _, device = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{device_id}")
    assert device["deviceInfo"]["status"] == "OFFLINE"
    with pytest.raises(NotFound, match="no device 'x'"):
        emulator.control.report("x", "WaterMeter", {})
    with pytest.raises(ValueError, match="no service 'Nothing'"):
        emulator.control.report(device_id, "Nothing", {})


def test_the_loops_own_thread_is_not_let_into_a_deadlock(emulator: Emulator) -> None:
    caught: list[BaseException] = []

    def inside() -> None:
        try:
            emulator.control.health()
        except RuntimeError as error:
            caught.append(error)

    assert emulator._runtime is not None
    emulator._runtime.from_any_thread(inside)
    assert "wait for itself" in str(caught[0])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("remove_fault", ["x"]), ("unscript", ["x"]), ("activate", ["x"]), ("remove_application", ["x"])],
)
def test_a_thing_that_does_not_exist_is_named(emulator: Emulator, name: str, arguments: list[Any]) -> None:
    with pytest.raises(NotFound, match="'x'"):
        getattr(emulator.control, name)(*arguments)


def test_a_wrong_keyword_is_reported_with_the_method_that_was_called(emulator: Emulator, wire: Wire) -> None:
    device_id = wire.register("a")
    with pytest.raises(TypeError, match=r"Control\.script\(\) got an unexpected keyword argument 'answers'"):
        emulator.control.script(device_id, answers="never")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Control\.add_fault\(\) got an unexpected keyword argument 'wen'"):
        emulator.control.add_fault("reset", wen="after")  # type: ignore[call-arg]


def test_the_typed_settings_are_the_settings() -> None:
    assert get_type_hints(SomeSettings, include_extras=True) == get_type_hints(Settings, include_extras=True)


def test_a_scripted_report_is_spelt_as_everything_on_the_control_plane(emulator: Emulator, wire: Wire) -> None:
    device_id = wire.register("a")
    emulator.control.freeze()
    report: ScriptedReport = {"service_id": "Meter", "data": {"total": 5}, "increments": {"total": 2}}
    emulator.control.script(device_id, report_every=60, report=report)
    emulator.control.advance(120)
    answer = wire.call("GET", f"/iocm/app/dm/v1.4.0/devices/{device_id}")[1]
    assert [service["data"] for service in answer["services"]] == [{"total": 7}]
    with pytest.raises(ValueError, match=r"report\.service_id is missing"):
        emulator.control.script(device_id, report_every=60, report={"serviceId": "Meter", "data": {}})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give the seconds"):
        emulator.control.script(device_id, report=report)


def test_its_page_names_every_operation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text("utf-8")
    operations = [name for name, member in inspect.getmembers(Control, callable) if not name.startswith("_")]
    assert len(operations) > 30
    assert [name for name in operations if f"`{name}(" not in page] == []


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda control, lamp: control.report(lamp, "Lamp", "x"), "data must be an object"),
        (lambda control, lamp: control.report(lamp, 7, {}), "service_id must be a string"),
        (lambda control, lamp: control.script(lamp, result=0), "result must be an object or null"),
        (lambda control, lamp: control.advance("48h"), "seconds must be a number"),
        (lambda control, lamp: control.freeze("now"), "at must be a number or null"),
        (lambda control, lamp: control.mute(lamp, "Lamp", "SWITCH"), "methods must be an array"),
        (lambda control, lamp: control.activate([lamp]), "device_id must be a string"),
        (lambda control, lamp: control.journal(limit="9"), "limit must be a whole number"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(emulator: Emulator, wire: Wire, act: Any, told: str) -> None:
    lamp = wire.register("lamp")
    with pytest.raises(InvalidArgument, match=told):
        act(emulator.control, lamp)


def test_a_refused_secret_is_not_shown(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="secret must be a string or null") as refused:
        emulator.control.add_application("app-2", b"hush")  # type: ignore[arg-type]
    assert "hush" not in str(refused.value)


def test_to_start_over_undoes_whatever_was_done_to_the_platform(emulator: Emulator, wire: Wire) -> None:
    control = emulator.control

    def everything() -> dict[str, Any]:
        return {
            "rows": {**control.health()["rows"], "meta": None},
            "settings": control.settings(),
            "faults": control.faults(),
            "journal": control.journal(),
            "calls": control.calls(),
            "snapshots": control.snapshots(),
            "pushes": control.pushes(),
            "frozen": control.clock()["frozen"],
            "fault": control.add_fault("latency", probability=0.5)["id"],
        }

    control.start_over()
    before = everything()
    control.start_over()
    seeded = [emulator._runtime.faults._dice.random()]  # type: ignore[union-attr]
    wire.login().register("a")
    control.seed_ids("seven")
    control.freeze(1_000_000_000)
    other = control.add_application()["appId"]
    control.authorise(emulator.app_id, other)
    control.freeze_application(emulator.app_id)
    control.add_application(emulator.app_id, "another secret")
    control.change_settings(token_lifetime=1, hub_models={"a": "b"}, transitions="manual")
    control.clear_journal(bodies=True)
    control.delete_model("water-meter-nb")
    control.snapshot()
    control.seed_faults(7)
    control.start_over()
    assert everything() == before
    assert wire.login().devices() == []
    assert "request" not in control.journal()[-1]
    assert abs(control.clock()["now"] - time.time()) < 60
    control.start_over()
    assert [emulator._runtime.faults._dice.random()] == seeded  # type: ignore[union-attr]
    assert control.add_application()["appId"] != other


def test_a_call_that_began_before_the_start_over_is_not_noted(emulator: Emulator, wire: Wire) -> None:
    emulator.control.add_fault("stall", seconds=30)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(wire.call, "GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0")
        eventually(lambda: not call.done() and emulator.control.faults()[0]["struck"] == 1)
        emulator.control.start_over()
        emulator.control.clear_journal()
        wire.connection.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises((OSError, HTTPException)):
            call.result()
    wire.connection.close()
    assert emulator.control.journal() == []


def test_one_device_is_registered_with_a_secret_for_the_application_of_the_control(
    emulator: Emulator, wire: Wire
) -> None:
    made = emulator.control.add_application()
    mine = emulator.control.add_device("mine")
    theirs = emulator.control_for(made["appId"]).add_device("theirs", product_id="street-lamp-nb")
    assert wire.login().devices() == [mine["deviceId"]]
    assert emulator.control.device_credentials(theirs["deviceId"])["secret"]
    with pytest.raises(InvalidArgument, match="'mine' is there already"):
        emulator.control.add_device("mine")
    with pytest.raises(NotFound, match="no product model 'x'"):
        emulator.control.add_device("other", product_id="x")
