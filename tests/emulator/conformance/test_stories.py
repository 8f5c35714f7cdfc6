"""The effect of a call appears in the answers of other calls, and in pushes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from iot_northbound.emulator.server import Emulator
from tests.clock import eventually
from tests.emulator.test_push_sender import Receiver

from .world import COMMAND, METER, REPORT, Api, Request, World

DEVICES = "/iocm/app/dm/v1.4.0/devices"
DEVICE = f"{DEVICES}/{{deviceId}}"
SHADOW = "/iocm/app/shadow/v1.5.0/devices/{deviceId}"
COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands"
GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups"
MEMBERS = "/iocm/app/dm/v1.2.0/devices/ids"
SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions"
HISTORY = "/iocm/app/data/v1.2.0/deviceDataHistory"
DETAILS = "/iocm/app/batchtask/v1.1.0/taskDetails"
LOGIN = "/iocm/app/sec/v1.1.0/login"


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, str]]:
    one = Receiver()
    with one.serving() as url:
        yield one, url


@pytest.fixture
def own_clock(home_folder: Any) -> Iterator[World]:
    """A world on its own emulator, whose clock is frozen."""
    with Emulator(folder=home_folder) as running:
        running.control.freeze(1_900_000_000)
        yield World(running, Api(running))


def commands(world: World) -> dict[str, str]:
    return {row["commandId"]: row["status"] for row in world.get(COMMANDS)["data"]}


def delete(world: World, device_id: str, **query: str) -> None:
    assert world.call("DELETE", DEVICE, Request({"deviceId": device_id}, dict(query))).status == 204


def test_a_deleted_device_leaves_its_groups_ends_its_commands_and_is_pushed(
    world: World, receiver: tuple[Receiver, str]
) -> None:
    listener, url = receiver
    gone, kept = world.new_heard_meter(), world.new_heard_meter()
    group = world.new_group(deviceIds=[gone, kept])
    world.post(SUBSCRIPTIONS, {"notifyType": "deviceDeleted", "callbackUrl": url})
    body = {"deviceId": gone, "command": COMMAND, "callbackUrl": url}
    command_id = world.post(COMMANDS, body)["commandId"]
    assert commands(world) == {command_id: "PENDING"}

    delete(world, gone)

    assert world.get(MEMBERS, devGroupId=group)["deviceIds"] == [kept]
    assert world.get(f"{GROUPS}/{group}")["curDevNum"] == 1
    assert commands(world)[command_id] not in ("DEFAULT", "PENDING", "SENT", "DELIVERED")
    assert [device["deviceId"] for device in world.get(DEVICES, pageNo=0)["devices"]] == [kept]
    assert world.call("GET", DEVICE, Request({"deviceId": gone})).error == (404, "100403")
    assert world.call("GET", SHADOW, Request({"deviceId": gone})).error == (404, "100418")
    heard = listener.wait_for(2)
    assert {"notifyType": "deviceDeleted", "deviceId": gone, "gatewayId": gone} in heard
    (status,) = [each for each in heard if "commandId" in each]
    assert (status["commandId"], status["result"]["resultCode"]) == (command_id, commands(world)[command_id])
    # Its nodeId is free again.
    again = world.new_meter(nodeId=world.name())
    assert again != gone


def test_the_devices_of_a_deleted_gateway_are_deleted_or_connected_directly(world: World) -> None:
    for cascade in ("true", "false"):
        gateway = world.new_meter(productId="home-gateway-mqtt")
        child = world.control.add_sub_device(gateway, world.name())["deviceId"]
        assert world.get(DEVICES, gatewayId=gateway)["totalCount"] == 2
        delete(world, gateway, cascade=cascade)
        reply = world.call("GET", DEVICE, Request({"deviceId": child}))
        if cascade == "true":
            assert reply.error == (404, "100403")
        else:
            assert reply.value["gatewayId"] == child


def test_reported_data_appear_in_all_queries(world: World, receiver: tuple[Receiver, str]) -> None:
    listener, url = receiver
    device_id = world.new_meter()
    world.post(SUBSCRIPTIONS, {"notifyType": "deviceDataChanged", "callbackUrl": url})
    status = "/iocm/app/reg/v1.1.0/deviceCredentials"
    assert world.get(f"{status}/{device_id}")["activated"] is False
    world.control.report(device_id, "WaterMeter", REPORT, "20300101T000000Z")
    assert world.get(f"{status}/{device_id}")["activated"] is True
    device = world.get(f"{DEVICES}/{device_id}")
    assert device["deviceInfo"]["status"] == "ONLINE"
    (service,) = device["services"]
    assert (service["data"], service["eventTime"]) == (REPORT, "20300101T000000Z")
    (row,) = world.get(HISTORY, deviceId=device_id, gatewayId=device_id, pageSize=10)["deviceDataHistoryDTOs"]
    assert (row["data"], row["timestamp"]) == (REPORT, "20300101T000000Z")
    (body,) = listener.wait_for(1)
    assert body["service"] == {
        "serviceId": "WaterMeter",
        "serviceType": "WaterMeter",
        "data": REPORT,
        "eventTime": "20300101T000000Z",
    }


def test_a_new_login_ends_the_older_token(world: World) -> None:
    old = dict(world.headers)
    form = {"appId": world.app_id, "secret": world.secret}
    new = world.call("POST", LOGIN, Request(form=form)).value["accessToken"]
    assert world.call("GET", DEVICES, Request(query={"pageNo": 0})).value["resultcode"] == "1010005"
    world.headers = {**old, "Authorization": f"Bearer {new}"}
    assert world.get(DEVICES, pageNo=0)["totalCount"] == 0


def test_a_token_lives_for_an_hour_and_its_successor_from_then_on(own_clock: World) -> None:
    world = own_clock
    assert world.tokens["expiresIn"] == 3600
    world.control.advance(3599)
    assert world.get(DEVICES, pageNo=0)["totalCount"] == 0
    world.control.advance(1)
    assert world.call("GET", DEVICES, Request(query={"pageNo": 0})).value["resultcode"] == "1010005"
    body = {"appId": world.app_id, "secret": world.secret, "refreshToken": world.tokens["refreshToken"]}
    fresh = world.call("POST", "/iocm/app/sec/v1.1.0/refreshToken", Request(body=body)).value
    world.headers["Authorization"] = f"Bearer {fresh['accessToken']}"
    assert world.get(DEVICES, pageNo=0)["totalCount"] == 0


def test_a_registration_without_a_device_expires(own_clock: World) -> None:
    world = own_clock
    device_id = world.new_meter(timeout=180)
    world.control.advance(179)
    assert world.call("GET", DEVICE, Request({"deviceId": device_id})).status == 200
    world.control.advance(1)
    assert world.call("GET", DEVICE, Request({"deviceId": device_id})).error == (404, "100403")


def test_a_cached_command_expires_after_48_hours_by_default(own_clock: World) -> None:
    world = own_clock
    command_id = world.new_command()
    token = world.headers["Authorization"]
    world.control.change_settings(token_lifetime=10**6)
    form = {"appId": world.app_id, "secret": world.secret}
    world.headers["Authorization"] = f"Bearer {world.call('POST', LOGIN, Request(form=form)).value['accessToken']}"
    assert world.headers["Authorization"] != token
    world.control.advance(48 * 3600 - 1)
    assert commands(world)[command_id] == "PENDING"
    world.control.advance(1)
    assert commands(world)[command_id] == "EXPIRED"


def test_the_twenty_first_pending_command_is_refused_until_one_ends(world: World) -> None:
    ids = [world.new_command() for _ in range(20)]
    body = {"deviceId": world.heard_meter, "command": COMMAND}
    assert world.call("POST", COMMANDS, Request(body=body)).error == (400, "100223")
    cancel = Request({"deviceCommandId": ids[0]}, {}, {"status": "CANCELED"})
    assert world.call("PUT", f"{COMMANDS}/{{deviceCommandId}}", cancel).value["status"] == "CANCELED"
    assert world.new_command()


def test_cached_commands_go_out_in_their_order_when_the_device_wakes(world: World) -> None:
    ids = [world.new_command() for _ in range(5)]
    assert set(commands(world).values()) == {"PENDING"}
    world.control.script(world.heard_meter)
    eventually(lambda: set(commands(world).values()) == {"SUCCESSFUL"})
    sent = {row["commandId"]: row["platformIssuedTime"] for row in world.get(COMMANDS)["data"]}
    assert [sent[command_id] for command_id in ids] == sorted(sent.values())


def test_a_batch_tasks_numbers_add_up(world: World) -> None:
    willing, unwilling, asleep = world.new_meter(), world.new_meter(), world.new_heard_meter()
    world.control.script(willing)
    world.control.script(unwilling, answer="fail")
    param = {"type": "Broadcast", "command": COMMAND}
    body = {"appId": world.app_id, "taskName": world.name(), "taskType": "DeviceCmd", "timeout": 10, "param": param}
    task_id = world.post("/iocm/app/batchtask/v1.1.0/tasks", body)["taskID"]

    def progress() -> dict[str, Any]:
        task: dict[str, Any] = world.get(f"/iocm/app/batchtask/v1.1.0/tasks/{task_id}")
        ended = task["successCnt"] + task["failCnt"] + task["timeoutCnt"] + task["expiredCnt"]
        assert task["completeCnt"] == ended <= task["totalCnt"] == 3
        assert task["progress"] == ended * 1000 // 3
        return task

    task = eventually(lambda: (now := progress())["completeCnt"] == 2 and now)
    assert (task["status"], task["successCnt"], task["failCnt"], task["successRate"]) == ("Running", 1, 1, 333)
    delete(world, asleep)
    assert eventually(lambda: (now := progress())["status"] == "Complete" and now)["completeCnt"] == 3
    statuses = {each["param"]["deviceId"]: each["status"] for each in world.get(DETAILS, taskId=task_id)["taskDetails"]}
    assert (statuses[willing], statuses[unwilling]) == ("Success", "Fail")


def test_a_page_after_the_last_is_empty_and_all_pages_together_have_each_device_once(world: World) -> None:
    ids = {world.new_meter() for _ in range(7)}
    pages = [world.get(DEVICES, pageNo=number, pageSize=3)["devices"] for number in range(4)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert {device["deviceId"] for page in pages for device in page} == ids
    oldest_first = world.get(DEVICES, pageNo=0, pageSize=250, sort="ASC")["devices"]
    assert oldest_first == [device for page in pages for device in page][::-1]


def test_two_applications_do_not_see_each_other(world: World, platform: Emulator, api: Api) -> None:
    other = World(platform, api)
    device_id = world.new_meter(productId=METER)
    assert other.get(DEVICES, pageNo=0)["totalCount"] == 0
    assert other.call("DELETE", DEVICE, Request({"deviceId": device_id})).error == (404, "100418")
    assert world.get(f"{DEVICES}/{device_id}")["deviceId"] == device_id
