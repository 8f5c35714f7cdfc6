"""Commands to hubs and the devices behind them, and their results."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import hubs, invocations, links, models, outbox
from iot_northbound.emulator.rules.hubs import Posted
from tests.emulator.calling import Caller
from tests.emulator.rules.posting import TOKEN, TYPED, Hub
from tests.emulator.scene import COMMANDS, pushed, subscribe


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
