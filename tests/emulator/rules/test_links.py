"""Links of devices with a session of their own: who has one, when it ends, and what is then known of the device."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications, binding, devices, links, outbox, scripts
from tests.emulator.calling import Caller, code_of
from tests.emulator.rules.linked import Linked
from tests.emulator.scene import COMMANDS, DEVICES, OPEN_VALVE, command, meter, pushed, settle, status_of, subscribe

KEYS = "/iocm/app/reg/v1.1.0/deviceCredentials"
GATEWAY, SENSOR = "home-gateway-mqtt", "climate-sensor-zigbee"


@pytest.fixture
def device(app: Caller) -> str:
    return meter(app, "m")


def status(platform: Platform, device_id: str) -> str:
    return str(devices.need(platform, device_id)["status"])


def test_a_linked_device_is_activated_and_online_and_listens_to_nothing_yet(platform: Platform, device: str) -> None:
    Linked(platform, device)
    assert devices.need(platform, device)["activated"]
    assert status(platform, device) == "ONLINE"
    assert links.find(platform, device) == {
        "deviceId": device, "kind": "mqtt", "session": "s1", "since": platform.now(), "channels": {},
    }  # fmt: skip
    assert not links.listens(platform, device)


def test_a_device_that_does_not_exist_cannot_be_linked(platform: Platform) -> None:
    with pytest.raises(LookupError, match="no device"):
        Linked(platform, "nobody")
    assert not platform.table(links.LINKS).rows


def test_an_ended_session_makes_its_device_offline(platform: Platform, device: str) -> None:
    one = Linked(platform, device)
    platform.advance(5)
    one.leave()
    assert (status(platform, device), links.find(platform, device)) == ("OFFLINE", None)
    assert devices.need(platform, device)["heard"] == platform.now()


def test_the_newest_session_counts_and_the_end_of_an_older_one_changes_nothing(platform: Platform, device: str) -> None:
    old = Linked(platform, device).listen()
    new = Linked(platform, device, "s2")
    assert not links.listens(platform, device)
    old.leave()
    old.listen()
    links.unsubscribe(platform, device, "s1", "json")
    assert (links.find(platform, device) or {})["session"] == "s2"
    assert not links.listens(platform, device)
    assert status(platform, device) == "ONLINE"
    new.listen()
    assert links.listens(platform, device)
    links.unsubscribe(platform, device, "s2", "json")
    assert not links.listens(platform, device)


def test_the_same_session_again_keeps_its_channels(platform: Platform, device: str) -> None:
    Linked(platform, device).listen()
    Linked(platform, device)
    assert links.listens(platform, device)


def test_nothing_is_sent_to_a_linked_device_before_it_listens(platform: Platform, app: Caller, device: str) -> None:
    waiting = command(app, device)
    one = Linked(platform, device)
    settle(platform)
    devices.report(platform, device, "WaterMeter", {"reading": 1})
    assert (status_of(app, waiting), one.take()) == ("PENDING", [])
    refused = app.call("POST", COMMANDS, {"deviceId": device, "command": OPEN_VALVE, "expireTime": 0})
    assert code_of(refused) == (200, "100428")
    one.listen()
    assert status_of(app, waiting) == "SENT"
    assert [row["ref"] for row in one.take()] == [waiting]


def test_a_command_for_a_listening_device_goes_out_at_once(platform: Platform, app: Caller, device: str) -> None:
    one = Linked(platform, device).listen()
    sent = command(app, device)
    settle(platform)
    assert (status_of(app, sent), [row["ref"] for row in one.take()]) == ("SENT", [sent])


def test_desired_values_stay_pending_while_a_device_is_linked(platform: Platform, app: Caller, told: list[Any]) -> None:
    lamp = app.register("lamp", productId="street-lamp-nb", timeout=0)
    Linked(platform, lamp).listen()
    body = {"serviceDesireds": [{"serviceId": "Lamp", "desired": {"brightness": 40}}]}
    assert app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{lamp}", body).status == 200
    devices.report(platform, lamp, "Lamp", {"brightness": 1})
    assert devices.need(platform, lamp)["services"]["Lamp"]["pending"] == {"brightness": 40}
    assert "deviceDesiredPropertiesModifyStatusChanged" not in [kind for _, kind, _ in told]


def test_a_linked_device_that_says_nothing_is_not_silent(platform: Platform, app: Caller, device: str) -> None:
    one = Linked(platform, device).listen()
    platform.advance(8 * 86_400)
    assert status(platform, device) == "ONLINE"
    app.login()
    assert app.call("POST", COMMANDS, {"deviceId": device, "command": OPEN_VALVE}).status == 201  # no zombie either
    one.leave()
    platform.advance(platform.settings.offline_after or 0)
    assert devices.need(platform, device)["statusDetail"] == "TIME_OUT"


def test_silence_is_counted_from_the_end_of_the_session(platform: Platform, device: str) -> None:
    one = Linked(platform, device)
    platform.advance(7.5 * 86_400)
    one.leave()
    devices.set_online(platform, device)
    platform.advance((platform.settings.abnormal_after or 0) - 1)
    assert status(platform, device) == "ONLINE"
    platform.advance(2)
    assert status(platform, device) == "ABNORMAL"


def test_a_hub_that_says_nothing_is_silent(platform: Platform, device: str) -> None:
    Linked(platform, device, kind="hub")
    platform.advance(platform.settings.abnormal_after or 0)
    assert status(platform, device) == "ABNORMAL"


def test_a_deleted_device_loses_its_session(platform: Platform, app: Caller, device: str) -> None:
    Linked(platform, device).listen()
    sent = command(app, device)
    settle(platform)
    assert app.call("DELETE", f"{DEVICES}/{device}").status == 204
    assert not platform.table(links.LINKS).rows
    assert not platform.table(outbox.OUTBOX).rows
    assert status_of(app, sent) == "FAILED"


def test_a_device_with_a_new_key_secret_or_node_id_loses_its_session(platform: Platform, app: Caller) -> None:
    for number, changes in enumerate(({"secret": "new"}, {"nodeId": "other"})):
        device = meter(app, f"m{number}")
        Linked(platform, device).listen()
        devices.changed(platform, device, name="renamed")
        assert links.find(platform, device)
        devices.changed(platform, device, **changes)
        assert (links.find(platform, device), status(platform, device)) == (None, "OFFLINE")


def test_a_refreshed_key_ends_the_session_of_a_device_that_is_not_online(
    platform: Platform, app: Caller, device: str
) -> None:
    Linked(platform, device)
    assert code_of(app.call("PUT", f"{KEYS}/{device}", {"timeout": 0})) == (400, "100611")
    devices.set_offline(platform, device)
    assert app.call("PUT", f"{KEYS}/{device}", {"timeout": 0}).status == 200
    assert (links.find(platform, device), status(platform, device)) == (None, "INACTIVE")


def test_the_devices_of_a_removed_application_lose_their_sessions(
    platform: Platform, app: Caller, other: Caller, device: str
) -> None:
    Linked(platform, device)
    kept = meter(other, "theirs")
    Linked(platform, kept)
    applications.remove_application(platform, app.app_id)
    assert list(platform.table(links.LINKS).rows) == [kept]


@pytest.mark.parametrize("how", ["load", "restore"])
def test_who_was_linked_is_offline_after_a_restart_without_a_push_each(
    platform: Platform, app: Caller, how: str
) -> None:
    subscribe(app, "deviceInfoChanged")
    ids = [meter(app, f"m{number}") for number in range(20)]
    for device_id in ids:
        Linked(platform, device_id).listen()
    waiting = command(app, ids[0])
    settle(platform)
    platform.take_changes()
    before = len(pushed(platform))
    if how == "restore":
        dump = json.loads(json.dumps(platform.dump()))
        later = Linked(platform, meter(app, "later"))
        platform.restore(dump)
        again = platform
        assert links.find(again, later.id) is None
    else:
        again = Platform()
        again.load((name, key, row) for name, rows in platform.dump().items() for key, row in rows.items())
    assert {status(again, device_id) for device_id in ids} == {"OFFLINE"}
    assert not again.table(links.LINKS).rows
    assert len(pushed(again)) == before
    assert again.table("commands")[waiting]["status"] == "PENDING"
    changed = {(name, key) for name, key, _ in again.take_changes()}
    assert {(links.LINKS, device_id) for device_id in ids} <= changed  # who holds a session hears of its end
    assert {("devices", device_id) for device_id in ids} <= changed


def test_a_reset_ends_all_sessions(platform: Platform, device: str) -> None:
    Linked(platform, device).listen()
    platform.take_changes()
    platform.reset()
    assert (links.LINKS, device, None) in platform.take_changes()


def test_a_script_answers_although_a_real_device_is_linked(platform: Platform, app: Caller, device: str) -> None:
    scripts.attach(platform, device)
    one = Linked(platform, device).listen()
    sent = command(app, device)
    settle(platform)
    assert (status_of(app, sent), one.take()) == ("SUCCESSFUL", [])


def test_a_device_behind_a_gateway_listens_through_its_gateways_channel(platform: Platform, app: Caller) -> None:
    gateway = Linked(platform, app.register("gw", productId=GATEWAY, timeout=0)).listen()
    child = devices.add_sub_device(platform, gateway.id, "s", productId=SENSOR)["deviceId"]
    assert links.listens(platform, gateway.id)
    assert not links.listens(platform, child)
    gateway.listen("gateway")
    assert links.listens(platform, child)
    devices.set_offline(platform, child)
    assert not links.listens(platform, child)
    assert devices.same_node(platform, "s") is None  # it never logs in itself


def test_what_waits_for_a_real_device_waits_for_its_link(
    platform: Platform, app: Caller, told: list[Any], device: str
) -> None:
    lamp = app.register("lamp", productId="street-lamp-nb", timeout=0)
    for device_id in (lamp, device):
        Linked(platform, device_id).leave()
    waiting = command(app, device)
    body = {"serviceDesireds": [{"serviceId": "Lamp", "desired": {"brightness": 40}}]}
    assert app.call("PUT", f"/iocm/app/shadow/v1.5.0/devices/{lamp}", body).status == 200
    told.clear()
    for device_id in (lamp, device):
        devices.set_online(platform, device_id)  # for example by a call of its own over HTTP
    settle(platform)
    assert status_of(app, waiting) == "PENDING"
    assert devices.need(platform, lamp)["services"]["Lamp"]["pending"] == {"brightness": 40}
    refused = app.call("POST", COMMANDS, {"deviceId": device, "command": OPEN_VALVE, "expireTime": 0})
    assert code_of(refused) == (200, "100428")
    scripts.attach(platform, device)  # a script takes its place
    settle(platform)
    assert status_of(app, waiting) == "SUCCESSFUL"


def test_a_device_behind_a_real_gateway_is_real(platform: Platform, app: Caller) -> None:
    gateway = Linked(platform, app.register("gw", productId=GATEWAY, timeout=0))
    child = devices.add_sub_device(platform, gateway.id, "s", productId=SENSOR)["deviceId"]
    gateway.leave()
    asked = {"serviceId": "Climate", "method": "SET_REPORT_INTERVAL", "paras": {"seconds": 60}}
    waiting = app.call("POST", COMMANDS, {"deviceId": child, "command": asked}).body["commandId"]
    devices.report(platform, child, "Climate", {"temperature": 20})
    assert status_of(app, waiting) == "PENDING"


def test_a_device_that_has_bound_gets_its_secret_and_hears_nothing_before_it_has_a_link(
    platform: Platform, app: Caller
) -> None:
    gateway = app.register("gw", productId=GATEWAY, timeout=0, verifyCode="gw")
    assert "secret" not in devices.need(platform, gateway)
    asked = {"serviceId": "Gateway", "method": "RESTART"}
    waiting = app.call("POST", COMMANDS, {"deviceId": gateway, "command": asked}).body["commandId"]
    assert platform.work(binding.bind, platform, "gw", "gw", {})["secret"]
    settle(platform)
    assert (devices.need(platform, gateway)["activated"], status_of(app, waiting)) == (True, "PENDING")
    Linked(platform, gateway).listen()
    assert status_of(app, waiting) == "SENT"
