"""Every notification of chapter 1 arrives at a subscriber's listener with the body its table and its sample show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iot_northbound.emulator.control.devices import ServiceReport
from tests.clock import eventually
from tests.emulator.test_push_sender import Receiver
from tests.facts import NOTIFICATIONS

from .tables import faults
from .test_samples import SAMPLES, departures
from .world import COMMAND, IDENTITY, REPORT, Request, World

SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions"
MANAGEMENT = "/iodm/app/sub/v1.1.0/subscribe"
OPERATIONS = "/iodm/northbound/v1.5.0/operations"
CHAPTER_1 = [each for each in NOTIFICATIONS if each["section"].startswith("1.6.7.")]
LAMP = {**IDENTITY, "model": "HL7", "services": [{"serviceId": "Lamp"}]}

ABSENT_FROM_PUSHES = {
    "1.6.7.2": {"deviceInfo.manufacturer", "deviceInfo.nodeType"},
    "1.6.7.3": {"deviceInfo.manufacturer", "deviceInfo.type"},
    "1.6.7.5": {"service"},
}
"""Keys of samples that their tables do not have: manufacturerName, nodeType outside, deviceType; services."""
DEVIATIONS = {
    ("1.6.7.12", "result.resultDetail"): "null until the device has answered, as in the sample",
}
"""Mandatory fields that may be null, and why."""


class Subscriber:
    """An application that receives one kind of notification."""

    def __init__(self, world: World, receiver: Receiver, url: str) -> None:
        self.world, self.receiver, self.url = world, receiver, url

    def to(self, kind: str) -> World:
        path = MANAGEMENT if "Upgrade" in kind else SUBSCRIPTIONS
        reply = self.world.call("POST", path, Request(body={"notifyType": kind, "callbackUrl": self.url}))
        assert reply.status in (200, 201), reply
        return self.world


@pytest.fixture
def subscriber(world: World) -> Iterator[Subscriber]:
    receiver = Receiver()
    with receiver.serving() as url:
        yield Subscriber(world, receiver, url)


def upgrade(world: World, kind: str) -> None:
    world.control.report_info(world.scripted_meter, swVersion="1.0", fwVersion="1.0")
    body = {"fileId": world.new_package(f"{kind}Package"), "targets": {"devices": [world.scripted_meter]}}
    world.post(f"{OPERATIONS}/{kind}Upgrade", body)


def modify(world: World) -> None:
    path = "/iocm/app/dm/v1.4.0/devices/{deviceId}"
    assert world.call("PUT", path, Request({"deviceId": world.heard_meter}, {}, {"name": "attic"})).status == 204


def delete(world: World) -> None:
    path = "/iocm/app/dm/v1.4.0/devices/{deviceId}"
    assert world.call("DELETE", path, Request({"deviceId": world.heard_meter})).status == 204


def invoke(world: World) -> None:
    path = f"/iocm/app/signaltrans/v1.1.0/devices/{world.scripted_meter}/services/WaterMeter/sendCommand"
    world.post(path, {"header": {"mode": "ACK", "method": "SET_VALVE"}, "body": {"state": "OPEN"}})


def change_model(world: World) -> None:
    row = world.control.add_model(LAMP, world.app_id)
    world.control.add_model(
        {**LAMP, "productId": row["productId"], "nodeType": "ENDPOINT", "model": "HL8"}, world.app_id
    )


def delete_model(world: World) -> None:
    world.control.delete_model(world.control.add_model(LAMP, world.app_id)["productId"])


def fire_rule(world: World) -> None:
    reasons = [{"type": "DEVICE_DATA", "id": "c1", "info": {"leak": True}}]
    actions = [{"type": "DEVICE_CMD", "id": "a1", "exception": "the device sleeps"}]
    world.control.fire_rule("r1", "leak", reasons, actions, world.app_id, "and")


REPORTS: list[ServiceReport] = [
    {"service_id": "WaterMeter", "data": REPORT},
    {"service_id": "Battery", "data": {"batteryLevel": 80}},
]

CAUSES: dict[str, Callable[[World], Any]] = {
    "1.6.7.1": lambda w: w.new_meter(),
    "1.6.7.2": lambda w: w.new_heard_meter(),
    "1.6.7.3": modify,
    "1.6.7.4": lambda w: w.control.report(w.heard_meter, "WaterMeter", REPORT),
    "1.6.7.5": lambda w: w.control.report_services(w.heard_meter, REPORTS, "r7"),
    "1.6.7.6": change_model,
    "1.6.7.7": change_model,
    "1.6.7.8": delete_model,
    "1.6.7.9": delete,
    "1.6.7.10": invoke,
    "1.6.7.11": invoke,
    "1.6.7.13": fire_rule,
    "1.6.7.14": lambda w: w.meter,
    "1.6.7.15": lambda w: upgrade(w, "software"),
    "1.6.7.16": lambda w: upgrade(w, "software"),
    "1.6.7.17": lambda w: upgrade(w, "firmware"),
    "1.6.7.18": lambda w: upgrade(w, "firmware"),
}
"""The cause of each kind of push; 1.6.7.12 goes to a command's own URL and has its own test."""


def table_of(notification: dict[str, Any]) -> dict[str, Any]:
    """Return a notification's table, the header's fields, which the reference lists flat, where they belong."""
    fields = notification["fields"]
    names = [field["name"] for field in fields]
    if "header" not in names:
        return notification
    after = names.index("body") + 1
    return {"fields": fields[:after], "structures": {"Header": fields[after:]}}


def assert_documented(notification: dict[str, Any], body: dict[str, Any]) -> None:
    section, table = notification["section"], table_of(notification)
    wrong = [
        each
        for each in faults(section, body, table)
        # Of an action's exception and result only the one that is there appears.
        if not (section == "1.6.7.13" and each == "actionsResults.result: missing")
    ]
    assert wrong == []
    for field in table["fields"]:
        if field.get("required") == "mandatory" and (section, field["name"]) not in DEVIATIONS:
            assert body[field["name"]] is not None, field["name"]
    assert set(departures(SAMPLES[section]["push"], body)) <= ABSENT_FROM_PUSHES.get(section, set())


def test_each_notification_has_a_cause() -> None:
    assert {each["section"] for each in CHAPTER_1} - {"1.6.7.12"} == set(CAUSES)


@pytest.mark.parametrize(
    "notification", [pytest.param(each, id=each["section"]) for each in CHAPTER_1 if each["section"] in CAUSES]
)
def test_a_notification_arrives_as_documented(notification: dict[str, Any], subscriber: Subscriber) -> None:
    world = subscriber.to(notification["notify_type"])
    CAUSES[notification["section"]](world)
    for body in subscriber.receiver.wait_for(1):
        assert body["notifyType"] == notification["notify_type"]
        assert_documented(notification, body)


def test_each_status_of_a_command_arrives_at_its_own_url_as_documented(subscriber: Subscriber) -> None:
    world = subscriber.world
    notification = next(each for each in CHAPTER_1 if each["section"] == "1.6.7.12")
    body = {"deviceId": world.scripted_meter, "command": COMMAND, "callbackUrl": subscriber.url}
    command_id = world.post("/iocm/app/cmd/v1.4.0/deviceCommands", body)["commandId"]
    bodies = subscriber.receiver.wait_for(3)
    for each in bodies:
        assert_documented(notification, each)
        assert each["commandId"] == command_id
    # On parallel connections their order may change.
    assert {each["result"]["resultCode"] for each in bodies} == {"SENT", "DELIVERED", "SUCCESSFUL"}
    last = next(each for each in bodies if each["result"]["resultCode"] == "SUCCESSFUL")
    assert last["result"]["resultDetail"] == {"result": 0}


def test_kinds_without_a_subscription_do_not_arrive(subscriber: Subscriber) -> None:
    world = subscriber.to("deviceDeleted")
    delete(world)
    url = subscriber.url
    eventually(
        lambda: not world.inside(lambda p: [row for row in p.table("pushes").rows.values() if row["url"] == url])
    )
    assert [body["notifyType"] for body in subscriber.receiver.bodies] == ["deviceDeleted"]
