"""How the documented codes of subscriptions, commands and batch tasks are reached (1.6 to 1.8)."""

from __future__ import annotations

from iot_northbound.emulator.kernel.calls import Answer
from iot_northbound.emulator.rules import applications, devices, invocations
from iot_northbound.emulator.rules.notification_bodies import SERVICE_KINDS
from tests.emulator.calling import Caller
from tests.emulator.rules.reaching import reach
from tests.emulator.rules.world import TAG, URL, World
from tests.emulator.scene import OPEN_VALVE, meter

# --- subscriptions ---


@reach("100222", "1.6.1", "1.6.2")
def url_without_host(world: World) -> Answer:
    return world.changed(callbackUrl="https://")


@reach("100227", "1.6.1")
def subscribed_already(world: World) -> Answer:
    world.call()
    return world.call()


@reach("100228", "1.6.2")
def kind_unknown(world: World) -> Answer:
    return world.changed(notifyType="deviceAdded")


@reach("100224", "1.6.4")
def more_than_a_thousand(world: World) -> Answer:
    for number in range(60):
        app_id = f"guest-{number}"
        applications.add_application(world.platform, app_id, "secret")
        applications.authorise_application(world.platform, "app-one", app_id)
        guest = Caller(world.platform, app_id, "secret").login()
        for kind in SERVICE_KINDS:
            body = {"notifyType": kind, "callbackUrl": URL, "appId": "app-one"}
            guest.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", body, ownerFlag="true")
    return world.call()


@reach("100225", "1.6.5")
def no_subscription(world: World) -> Answer:
    return world.call("none")


@reach("100225", "1.6.6")
def no_match(world: World) -> Answer:
    return world.call(notifyType="ruleEvent")


# --- commands ---


@reach("100022", "1.7.1")
def paras_wrong(world: World) -> Answer:
    return world.changed(command={**OPEN_VALVE, "paras": {"state": "AJAR"}})


@reach("100022", "1.7.2", "1.7.6", "1.8.3")
def page_out_of_range(world: World) -> Answer:
    return world.call(pageSize="1001")


@reach("100022", "1.7.3")
def another_status(world: World) -> Answer:
    return world.changed(status="PENDING")


@reach("100022", "1.7.5")
def no_device_named(world: World) -> Answer:
    return world.changed(deviceId=None)


@reach("100022", "1.7.7")
def no_header(world: World) -> Answer:
    return world.changed(header=None)


@reach("100022", "1.8.2")
def select_unknown(world: World) -> Answer:
    return world.call(select="everything")


@reach("100223", "1.7.1")
def twenty_pending(world: World) -> Answer:
    return [world.call() for _ in range(21)][-1]


@reach("100418", "1.7.1", "1.7.5")
def foreign_device(world: World) -> Answer:
    return world.changed(deviceId=meter(world.other, "foreign"))


@reach("100418", "1.7.2", "1.7.6")
def foreign_device_searched(world: World) -> Answer:
    return world.call(deviceId=meter(world.other, "foreign"))


@reach("100418", "1.7.7")
def foreign_device_called(world: World) -> Answer:
    return world.call(meter(world.other, "foreign"), "Gateway")


@reach("100428", "1.7.1")
def immediate_to_an_offline_device(world: World) -> Answer:
    return world.changed(expireTime=0)


@reach("100428", "1.7.7")
def device_offline(world: World) -> Answer:
    devices.set_offline(world.platform, world.gateway)
    return world.call()


@reach("100431", "1.7.1")
def service_unknown(world: World) -> Answer:
    return world.changed(command={**OPEN_VALVE, "serviceId": "Oven"})


@reach("100612", "1.7.1")
def zombie(world: World) -> Answer:
    devices.set_online(world.platform, world.meter)
    world.platform.advance(8 * 86400)
    world.app.login()
    return world.call()


@reach("100434", "1.7.3")
def no_command(world: World) -> Answer:
    return world.call("none")


@reach("100435", "1.7.3")
def cancelled_already(world: World) -> Answer:
    world.call()
    return world.call()


@reach("100432", "1.7.7")
def muted(world: World) -> Answer:
    invocations.mute(world.platform, world.gateway, "Gateway", ["RESTART"])
    return world.call()


@reach("100444", "1.7.7")
def recipient_unknown(world: World) -> Answer:
    return world.changed(header={"mode": "ACK", "method": "RESTART", "toType": "MOON"})


@reach("102203", "1.7.7")
def method_unknown(world: World) -> Answer:
    return world.changed(header={"mode": "ACK", "method": "EXPLODE"})


@reach("100450", "1.7.7")
def gateway_offline(world: World) -> Answer:
    sensor = devices.add_sub_device(world.platform, world.gateway, "s", productId="climate-sensor-zigbee")
    devices.set_offline(world.platform, world.gateway)
    body = {"header": {"mode": "ACK", "method": "SET_REPORT_INTERVAL"}, "body": {"seconds": 60}}
    return world.call(sensor["deviceId"], "Climate", body=body)


# --- batch tasks ---


@reach("101001", "1.8.1")
def listed_device_unknown(world: World) -> Answer:
    return world.call(body=world.batch_body(deviceList=["none"]))


@reach("105001", "1.8.1")
def ten_tasks_open(world: World) -> Answer:
    for number in range(9):
        world.call(body=world.batch_body(f"more{number}"))
    return world.call()


@reach("105002", "1.8.1")
def name_taken(world: World) -> Answer:
    return world.changed(taskName="first")


@reach("105201", "1.8.1")
def tag_taken(world: World) -> Answer:
    return world.changed(tags=[TAG])


@reach("105202", "1.8.1")
def tag_unknown(world: World) -> Answer:
    return world.call(body=world.batch_body(groupTag="none"))


@reach("50400", "1.8.1")
def timeout_too_short(world: World) -> Answer:
    return world.changed(timeout=1)


@reach("105005", "1.8.2")
def no_task(world: World) -> Answer:
    return world.call("none")


@reach("105005", "1.8.3")
def details_of_no_task(world: World) -> Answer:
    return world.call(taskId="none")
