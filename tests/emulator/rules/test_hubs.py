"""Hubs: who may post, numbers, devices behind them, measures, commands and their results."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import devices, hubs, invocations, links, models, outbox
from iot_northbound.emulator.rules.hub_values import Value
from iot_northbound.emulator.rules.hubs import Measure, Posted
from tests.emulator.calling import Caller
from tests.emulator.scene import COMMANDS, pushed, subscribe

TOKEN = "0123456789abcdef0123"
SENSOR = "climate-sensor-zigbee"


class Hub:
    """A registered hub, and what it posts."""

    def __init__(self, platform: Platform, app: Caller) -> None:
        self.platform, self.app = platform, app
        info = {"nodeId": "hub-1", "manufacturerId": "NETZWERK", "model": "NG-2"}
        given = {"deviceInfo": info, "secret": TOKEN}
        self.id: str = app.call("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", given).body["deviceId"]
        self.seq = 100

    def post(self, *, seq: int | str | None = "next", token: str | None = TOKEN, digest: str = "", **rest: Any) -> Row:
        if seq == "next":
            self.seq += 1
            seq = self.seq
        posted = Posted("hub-1", None if seq is None else str(seq), digest, **rest)
        answer: Row = self.platform.work(hubs.take, self.platform, posted, token)
        return answer

    def measure(self, node_id: str, time: str | None = None, **values: str) -> Row:
        return self.post(measures=[Measure(node_id, time, [Value(*each) for each in values.items()])])

    def add(self, node_id: str, kind: str | None = "11") -> Row:
        self.post(adds=[(node_id, kind)])
        return self.child(node_id)

    def child(self, node_id: str) -> Row:
        row = self.platform.table(devices.DEVICES).where(parent=self.id, nodeId=node_id).first()
        assert row is not None
        return row

    def data(self, node_id: str) -> dict[str, Any]:
        row = devices.need(self.platform, self.id) if node_id == "hub-1" else self.child(node_id)
        return {name: each["data"] for name, each in row.get("services", {}).items()}


@pytest.fixture
def hub(platform: Platform, app: Caller) -> Hub:
    platform.settings.hub_models = {"11": SENSOR}
    return Hub(platform, app)


# --- who may post ---


def test_a_hub_is_a_registered_gateway_and_its_secret_is_the_token(platform: Platform, hub: Hub) -> None:
    assert hub.post(seq=7) == {"status": "ACK", "seq": "7", "commands": [], "unknown": []}
    row = devices.need(platform, hub.id)
    assert (row["activated"], row["status"]) == (True, "ONLINE")


@pytest.mark.parametrize("token", [None, "", "0123456789abcdef0124", "\xe9"])
def test_another_token_is_refused_and_nothing_is_done(platform: Platform, hub: Hub, token: str | None) -> None:
    assert hub.post(seq=7, token=token, adds=[("d-1", "11")]) == {"status": "UNAUTHORIZED", "seq": "7"}
    assert not platform.table(devices.DEVICES).where(parent=hub.id)
    assert devices.need(platform, hub.id)["status"] == "INACTIVE"


def test_a_hub_that_is_not_registered_is_unknown(platform: Platform) -> None:
    assert hubs.take(platform, Posted("hub-9", "3", ""), TOKEN) == {"status": "UNKNOWN", "seq": "3"}


def test_a_device_without_a_secret_or_behind_a_hub_is_no_hub(platform: Platform, app: Caller, hub: Hub) -> None:
    app.register("by-code", timeout=0)
    assert hubs.take(platform, Posted("by-code", None, ""), "")["status"] == "UNAUTHORIZED"
    hub.add("d-1")
    assert hubs.take(platform, Posted("d-1", None, ""), TOKEN)["status"] == "UNKNOWN"


# --- numbers ---


def test_the_same_number_again_gives_the_same_answer_and_does_nothing(
    platform: Platform, hub: Hub, app: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    child = hub.add("d-1")
    subscribe(app, "deviceDataChanged")
    measures = [Measure("d-1", None, [Value("humidity", "40")]), Measure("d-9", None, [])]
    first = hub.post(seq=5, digest="a", measures=measures)
    assert first["unknown"] == ["d-9"]
    assert hub.post(seq=5, digest="a", measures=measures) == first
    assert len(pushed(platform, "deviceDataChanged")) == 1
    assert "needs a new number" not in caplog.text
    # Another message with this number is a mistake of the hub's, and the log says so.
    assert hub.post(seq=5, digest="b", adds=[("d-2", "11")]) == first
    assert "number 5 of its last one: it was not taken" in caplog.text
    assert [row["deviceId"] for row in devices.sub_devices(platform, hub.id)] == [child["deviceId"]]


def test_a_smaller_number_is_a_hub_that_was_started_again(hub: Hub) -> None:
    hub.add("d-1")
    hub.post(seq=500)
    hub.post(seq=1, measures=[Measure("d-1", None, [Value("humidity", "41")])])
    assert hub.data("d-1")["Climate"] == {"humidity": 41}


def test_messages_without_a_number_are_all_new(hub: Hub) -> None:
    hub.add("d-1")
    for number in (1, 2):
        answer = hub.post(seq=None, measures=[Measure("d-1", None, [Value("humidity", str(number))])])
        assert answer["seq"] is None
        assert hub.data("d-1")["Climate"] == {"humidity": number}


def test_the_number_survives_a_restart(platform: Platform, hub: Hub) -> None:
    first = hub.post(seq=5, adds=[("d-1", "11")], measures=[Measure("d-9", None, [])])
    again = Platform(platform.settings, platform.clock, platform.ids)
    rows = [(name, key, row) for name, table in platform.dump().items() for key, row in table.items()]
    again.load(rows)
    hub.platform = again
    assert hub.post(seq=5, adds=[("d-1", "11")]) == first
    assert devices.need(again, hub.id)["status"] == "ONLINE"


def test_a_deleted_hub_leaves_nothing(platform: Platform, hub: Hub) -> None:
    hub.post(seq=5)
    devices.delete(platform, devices.need(platform, hub.id))
    assert not platform.table(hubs.HUBS).rows
    assert not platform.table(links.LINKS).rows


# --- watching ---


def test_while_a_user_watches_the_answer_is_cont(platform: Platform, hub: Hub) -> None:
    platform.work(hubs.watch, platform, "hub-1", 60)
    assert [hub.post()["status"], hub.post()["status"]] == ["CONT", "CONT"]
    platform.advance(60)
    assert hub.post()["status"] == "ACK"
    hubs.watch(platform, "hub-1", 60)
    hubs.watch(platform, "hub-1", 0)
    assert hub.post()["status"] == "ACK"
    with pytest.raises(LookupError, match="no hub 'hub-9'"):
        hubs.watch(platform, "hub-9", 60)


# --- devices and measures ---


def test_a_device_is_added_once_with_the_model_of_its_type(platform: Platform, hub: Hub, app: Caller) -> None:
    subscribe(app, "deviceAdded")
    child = hub.add("d-1")
    assert (child["productId"], child["gatewayId"], child["status"]) == (SENSOR, hub.id, "ONLINE")
    assert hub.add("d-1")["deviceId"] == child["deviceId"]
    assert len(pushed(platform, "deviceAdded")) == 1


def test_a_type_without_a_model_makes_a_device_without_services(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    child = hub.add("d-1", "99")
    assert (child.get("productId"), child["deviceType"]) == (None, "99")
    assert hub.measure("d-1", humidity="40")["unknown"] == []
    assert "the setting hub_models says which one is meant by deviceType '99'" in caplog.text
    assert hub.data("d-1") == {}


def test_a_setting_that_names_no_model_is_shown(platform: Platform, hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    platform.settings.hub_models = {"11": "climate-sensor-zigbe"}
    hub.add("d-1")
    assert "the setting hub_models is wrong" in caplog.text
    assert SENSOR in caplog.text


def test_a_measure_becomes_a_report_of_the_services_that_have_its_names(
    platform: Platform, hub: Hub, app: Caller
) -> None:
    hub.add("d-1")
    subscribe(app, "deviceDatasChanged")
    hub.measure("d-1", "2023-11-14T23:13:20+01:00", temperature="21.50", humidity=" 40 ", batteryLevel="99")
    assert hub.data("d-1") == {"Climate": {"temperature": 21.5, "humidity": 40}, "Battery": {"batteryLevel": 99}}
    [push] = pushed(platform, "deviceDatasChanged")
    assert {each["eventTime"] for each in push["services"]} == {"20231114T221320Z"}


def test_the_hub_itself_measures_under_its_own_id(hub: Hub) -> None:
    hub.measure("hub-1", uptime="123456789012", permitJoin="TRUE", cpuLoad="7")
    assert hub.data("hub-1") == {"Gateway": {"uptime": 123456789012, "permitJoin": True, "cpuLoad": 7}}


def test_devices_that_were_not_added_are_named_once(hub: Hub) -> None:
    measures = [Measure(each, None, []) for each in ("d-9", "d-8", "d-9")]
    assert hub.post(measures=measures)["unknown"] == ["d-9", "d-8"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("humidity", "wet"), ("humidity", "4.5"), ("temperature", "nan"), ("temperature", "1e999"), ("humidity", "")],
)
def test_a_value_that_does_not_fit_is_dropped_with_a_hint(
    hub: Hub, caplog: pytest.LogCaptureFixture, name: str, text: str
) -> None:
    hub.add("d-1")
    caplog.set_level(logging.WARNING)
    hub.measure("d-1", **{name: text, "batteryLevel": "50"})
    assert hub.data("d-1") == {"Battery": {"batteryLevel": 50}}
    assert f"a value '{name}' of device {hub.child('d-1')['deviceId']} is dropped: it is not of type" in caplog.text


def test_a_name_that_no_service_has_is_dropped_with_a_hint(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.add("d-1")
    hub.measure("d-1", mood="good")
    assert hub.data("d-1") == {}
    assert "no service of product model 'climate-sensor-zigbee' has a property 'mood'" in caplog.text


@pytest.mark.parametrize("text", ["noon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", ""])
def test_a_bad_timestamp_becomes_the_time_of_receipt(
    platform: Platform, hub: Hub, app: Caller, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    hub.add("d-1")
    subscribe(app, "deviceDataChanged")
    hub.measure("d-1", text, humidity="40")
    [push] = pushed(platform, "deviceDataChanged")
    assert push["service"]["eventTime"] == platform.now_text()
    assert "is no xsd:dateTime" in caplog.text


TYPED = {
    "manufacturerId": "M", "manufacturerName": "M", "deviceType": "T", "model": "X", "protocolType": "P",
    "productId": "all-types",
    "services": [
        {"serviceId": "A", "properties": [
            {"propertyName": "flag", "dataType": "boolean"}, {"propertyName": "deep", "dataType": "jsonObject"},
            {"propertyName": "list", "dataType": "array"}, {"propertyName": "word", "dataType": "string"},
            {"propertyName": "odd", "dataType": "newest"}, {"propertyName": "power", "dataType": "decimal"},
            {"propertyName": "power.2", "dataType": "decimal"}, {"propertyName": "both", "dataType": "int"},
        ]},
        {"serviceId": "B", "properties": [{"propertyName": "both", "dataType": "int"}]},
    ],
}  # fmt: skip


@pytest.fixture
def typed(platform: Platform, hub: Hub) -> Hub:
    models.add_model(platform, "app-one", TYPED)
    platform.settings.hub_models = {"11": "all-types"}
    hub.add("d-1")
    return hub


def test_text_becomes_the_type_of_the_property(typed: Hub) -> None:
    typed.measure("d-1", flag="0", deep='{"a": [1]}', list="[1, 2]", word=" as it is ", odd="3")
    data = {"flag": False, "deep": {"a": [1]}, "list": [1, 2], "word": " as it is ", "odd": "3"}
    assert typed.data("d-1") == {"A": data}


@pytest.mark.parametrize(
    ("name", "text"),
    [("flag", "yes"), ("deep", "[1]"), ("deep", "{"), ("list", "{}"), ("list", "[NaN]"), ("list", "[1e999]"),
     ("list", "[" * 30_000), ("list", '["\\ud800"]')],
)  # fmt: skip
def test_a_text_of_another_type_is_dropped(typed: Hub, caplog: pytest.LogCaptureFixture, name: str, text: str) -> None:
    typed.measure("d-1", **{name: text})
    assert typed.data("d-1") == {}
    assert f"a value '{name}' of device" in caplog.text


def test_an_index_finds_its_own_property_first(typed: Hub) -> None:
    values = [Value("power", "1"), Value("power", "2", "2"), Value("power", "3", "3")]
    typed.post(measures=[Measure("d-1", None, values)])
    assert typed.data("d-1") == {"A": {"power": 3.0, "power.2": 2.0}}


def test_a_setting_decides_between_two_services(
    platform: Platform, typed: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    typed.measure("d-1", both="1")
    assert typed.data("d-1") == {}
    assert "the services A, B have a property 'both'; say which one with the setting hub_params" in caplog.text
    platform.settings.hub_params = {"both": "B"}
    typed.measure("d-1", both="2")
    assert typed.data("d-1") == {"B": {"both": 2}}


def test_a_setting_gives_a_device_without_a_model_its_service(platform: Platform, hub: Hub) -> None:
    platform.settings.hub_params = {"power": "Meter"}
    hub.add("d-1", None)
    hub.measure("d-1", power="12")
    assert hub.data("d-1") == {"Meter": {"power": "12"}}


def test_a_setting_that_names_no_service_is_shown(
    platform: Platform, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    platform.settings.hub_params = {"humidity": "Climat"}
    hub.add("d-1")
    hub.measure("d-1", humidity="40")
    assert hub.data("d-1") == {}
    assert "has no service 'Climat'; similar is 'Climate'" in caplog.text


# --- commands ---


def order(hub: Hub, device_id: str, seconds: int = 60, **rest: Any) -> str:
    service, method = ("Gateway", "PERMIT_JOIN") if device_id == hub.id else ("Climate", "SET_REPORT_INTERVAL")
    asked = {"serviceId": service, "method": method, "paras": {"seconds": seconds}}
    answer = hub.app.call("POST", COMMANDS, {"deviceId": device_id, "command": asked, **rest})
    assert answer.status == 201, answer
    hub.platform.run_due()
    return str(answer.body["commandId"])


def state(hub: Hub, command_id: str) -> tuple[str, Any]:
    rows = hub.app.call("GET", COMMANDS).body["data"]
    row = next(row for row in rows if row["commandId"] == command_id)
    return row["status"], row["result"]


def call(hub: Hub, device_id: str) -> Row:
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/Climate/sendCommand"
    body = {"header": {"mode": "ACK", "method": "SET_REPORT_INTERVAL"}, "body": {"seconds": 60}}
    answer = hub.app.call("POST", path, body)
    assert answer.status == 202, answer
    return invocations.of_device(hub.platform, device_id)[-1]


def test_a_command_waits_for_the_next_message_of_the_hub(hub: Hub) -> None:
    child = hub.add("d-1")
    order_id = order(hub, child["deviceId"])
    assert state(hub, order_id)[0] == "PENDING"
    [command] = hub.post()["commands"]
    assert command == {
        "cmdId": "1", "type": "SET_REPORT_INTERVAL", "service": "Climate", "deviceId": "d-1",
        "params": {"seconds": "60"},
    }  # fmt: skip
    assert state(hub, order_id)[0] == "SENT"
    assert hub.post()["commands"] == []


def test_the_hub_itself_gets_commands_under_its_own_id(hub: Hub) -> None:
    hub.post()
    order(hub, hub.id)
    [command] = hub.post()["commands"]
    assert (command["deviceId"], command["type"]) == ("hub-1", "PERMIT_JOIN")


def test_a_lost_answer_brings_its_commands_again(hub: Hub) -> None:
    child = hub.add("d-1")
    order(hub, child["deviceId"])
    first = hub.post(seq=5)
    assert len(first["commands"]) == 1
    assert hub.post(seq=5) == first
    assert hub.post(seq=6)["commands"] == []


MEANINGS = [
    (1, "SUCCESSFUL"), (4, "FAILED"), (5, "FAILED"), (6, "FAILED"), (7, "FAILED"), (8, "FAILED"), (2, "FAILED"),
    (99, "FAILED"),
]  # fmt: skip


@pytest.mark.parametrize(("result", "status"), MEANINGS)
def test_a_result_ends_a_command(hub: Hub, result: int, status: str) -> None:
    order_id = order(hub, hub.add("d-1")["deviceId"])
    [command] = hub.post()["commands"]
    hub.post(responses=[(command["cmdId"], result)])
    told, detail = state(hub, order_id)
    assert told == status
    assert detail["resultDetail"]["result"] == result
    assert detail["resultDetail"]["meaning"] == hubs.RESULTS.get(result, "not a documented result")


def test_result_0_is_delivered_and_not_sent_again(hub: Hub) -> None:
    order_id = order(hub, hub.add("d-1")["deviceId"], maxRetransmit=3)
    [command] = hub.post()["commands"]
    hub.post(responses=[(command["cmdId"], 0)])
    assert state(hub, order_id)[0] == "DELIVERED"
    hub.platform.advance(200)
    assert hub.post()["commands"] == []
    hub.post(responses=[(command["cmdId"], 1)])
    assert state(hub, order_id)[0] == "SUCCESSFUL"


def test_without_a_result_a_command_is_sent_again_and_then_ends(hub: Hub) -> None:
    order_id = order(hub, hub.add("d-1")["deviceId"], maxRetransmit=1)
    assert len(hub.post()["commands"]) == 1
    hub.platform.advance(61)
    assert len(hub.post()["commands"]) == 1
    hub.platform.advance(61)
    assert state(hub, order_id)[0] == "TIMEOUT"


def test_the_result_of_one_command_brings_the_next(hub: Hub) -> None:
    child = hub.add("d-1")
    orders = [order(hub, child["deviceId"], seconds) for seconds in (10, 20, 30)]
    [command] = hub.post()["commands"]
    values = [command["params"]["seconds"]]
    while commands := hub.post(responses=[(command["cmdId"], 1)])["commands"]:
        [command] = commands
        values.append(command["params"]["seconds"])
    assert values == ["10", "20", "30"]
    assert {state(hub, each)[0] for each in orders} == {"SUCCESSFUL"}


def test_a_call_is_sent_delivered_and_executed_with_its_result(hub: Hub) -> None:
    child = hub.add("d-1")
    subscribe(hub.app, "messageConfirm")
    subscribe(hub.app, "commandRsp")
    asked = call(hub, child["deviceId"])
    [command] = hub.post()["commands"]
    hub.post(responses=[(command["cmdId"], 0)])
    hub.post(responses=[(command["cmdId"], 6)])
    confirmed = [each["header"]["status"] for each in pushed(hub.platform, "messageConfirm")]
    assert confirmed == ["sent", "delivered", "executed"]
    [told] = pushed(hub.platform, "commandRsp")
    assert told["body"] == {"result": 6, "meaning": hubs.RESULTS[6]}
    assert told["header"]["requestId"] == asked["requestId"]


def test_an_immediate_command_goes_out_with_the_next_message(hub: Hub) -> None:
    child = hub.add("d-1")
    order_id = order(hub, child["deviceId"], expireTime=0)
    assert state(hub, order_id)[0] == "SENT"
    assert len(hub.post()["commands"]) == 1


@pytest.mark.parametrize("command_id", ["77", "0", "-1", "70000", "123456", "one", "²", ""])
def test_a_result_of_nothing_is_hinted(hub: Hub, caplog: pytest.LogCaptureFixture, command_id: str) -> None:
    for result in (1, 0):
        assert hub.post(responses=[(command_id, result)])["status"] == "ACK"
    assert f"result 1 of a command with cmdId '{command_id}', which is not open" in caplog.text


def test_one_hub_does_not_answer_for_another(platform: Platform, hub: Hub, app: Caller) -> None:
    order_id = order(hub, hub.add("d-1")["deviceId"])
    [command] = hub.post()["commands"]
    given = {"deviceInfo": {"nodeId": "hub-2"}, "secret": TOKEN, "productId": "home-gateway-mqtt"}
    app.call("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", given)
    hubs.take(platform, Posted("hub-2", "1", "", responses=[(command["cmdId"], 1)]), TOKEN)
    assert state(hub, order_id)[0] == "SENT"


def test_a_long_command_ends_as_a_wrong_format_and_short_ones_go_out_in_parts(platform: Platform, hub: Hub) -> None:
    model = {**TYPED, "services": [{"serviceId": "A", "commands": [
        {"commandName": "SHOW", "paras": [{"paraName": "text", "dataType": "string"}]}
    ]}]}  # fmt: skip
    models.add_model(platform, "app-one", model)
    platform.settings.hub_models = {"11": "all-types"}
    ids = [hub.add(f"d-{number}")["deviceId"] for number in range(4)]
    orders = []
    for device_id, length in zip(ids, (20_000, 40_000, 10_000, 20_000), strict=True):
        asked = {"serviceId": "A", "method": "SHOW", "paras": {"text": "x" * length}}
        answer = hub.app.call("POST", COMMANDS, {"deviceId": device_id, "command": asked})
        orders.append(answer.body["commandId"])
    platform.run_due()
    assert [each["deviceId"] for each in hub.post()["commands"]] == ["d-0", "d-2"]
    assert [each["deviceId"] for each in hub.post()["commands"]] == ["d-3"]
    assert state(hub, orders[1])[0] == "FAILED"
    assert state(hub, orders[1])[1]["resultDetail"]["result"] == 8


def test_after_a_restart_the_link_is_made_again_and_results_still_count(platform: Platform, hub: Hub) -> None:
    order_id = order(hub, hub.add("d-1")["deviceId"])
    [command] = hub.post()["commands"]
    platform.work(links.end, platform, hub.id)
    hub.post(responses=[(command["cmdId"], 1)])
    assert state(hub, order_id)[0] == "SUCCESSFUL"
    assert not platform.table(outbox.OUTBOX).rows
