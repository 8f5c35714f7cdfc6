"""How the documented codes of login, devices and their data are reached (1.3 to 1.5)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.calls import MALFORMED, Answer
from iot_northbound.emulator.rules import applications, devices, models
from tests.emulator.rules.reaching import reach
from tests.emulator.rules.world import World
from tests.facts import BY_SECTION

BY_ID = ["1.4.3", "1.4.4", "1.4.5", "1.4.7", "1.4.8", "1.5.1"]


def at(world: World, device: str) -> Answer:
    """Make the call for another device, wherever the endpoint takes its id."""
    return world.call(device) if "{" in BY_SECTION[world.section]["path"] else world.call(deviceId=device)


@reach("100025", "1.4.1", "1.4.3")
def removed_application(world: World) -> Answer:
    applications.remove_application(world.platform, "app-one")
    return world.call()


@reach("100208", "1.3.1", "1.3.2")
def wrong_secret(world: World) -> Answer:
    return world.changed(secret="wrong")


@reach("100449", "1.3.1", "1.3.2")
def frozen_application(world: World) -> Answer:
    applications.freeze_application(world.platform, "app-one")
    return world.changed()


@reach("102202", "1.3.1", "1.3.2")
def empty_secret(world: World) -> Answer:
    return world.changed(secret="")


@reach("50400", "1.3.2")
def secret_no_text(world: World) -> Answer:
    return world.changed(secret=5)


@reach("100403", *BY_ID)
def unknown_device(world: World) -> Answer:
    return at(world, "none")


@reach("100418", *[section for section in BY_ID if section != "1.4.7"], "1.4.9", "1.5.3")
def foreign_device(world: World) -> Answer:
    return at(world, world.other.register("foreign"))


@reach("100003", "1.4.1", "1.4.3")
def blank_in_verify_code(world: World) -> Answer:
    return world.changed(verifyCode="a b")


@reach("100007", "1.4.1", "1.4.2", "1.4.3")
@reach("50400", "1.4.4")
def no_json(world: World) -> Answer:
    return world.call(body=MALFORMED)


@reach("50400", "1.4.1", "1.4.2", "1.4.3")
def field_out_of_form(world: World) -> Answer:
    return world.changed(timeout=-1, endUserId=5)


@reach("50400", "1.4.8")
def desired_value_out_of_range(world: World) -> Answer:
    return desire(world, "Lamp", brightness=101)


@reach("100022", "1.4.4")
def name_empty(world: World) -> Answer:
    return world.changed(name="")


@reach("100416", "1.4.1")
def already_bound(world: World) -> Answer:
    devices.activate(world.platform, world.lamp)
    return world.changed(nodeId="lamp")


@reach("100426", "1.4.1", "1.4.2")
def registered_twice(world: World) -> Answer:
    world.call()
    return world.call()


@reach("100426", "1.4.3")
def node_id_of_another(world: World) -> Answer:
    world.app.register("taken")
    return world.changed(nodeId="taken")


@reach("600002", "1.4.1", "1.4.2")
def unknown_product(world: World) -> Answer:
    return world.changed(productId="none")


@reach("100412", "1.4.1", "1.4.2")
def too_many_devices(world: World) -> Answer:
    world.platform.settings.device_limit = 1
    return world.call()


@reach("103026", "1.4.1", "1.4.2")
def no_license(world: World) -> Answer:
    world.platform.settings.license_limit = 0
    return world.call()


@reach("103028", "1.4.1")
def license_used_up(world: World) -> Answer:
    world.platform.settings.license_limit = 1
    return world.call()


@reach("100441", "1.4.1", "1.4.4")
def too_many_nonsecure_devices(world: World) -> Answer:
    world.platform.settings.nonsecure_device_limit = 1
    if world.section == "1.4.1":
        return world.call()
    secure = world.app.register("secure", isSecure=True)
    return world.call(secure, body={"isSecure": False})


@reach("500004", "1.4.4")
def too_many_frozen_devices(world: World) -> Answer:
    world.platform.settings.frozen_device_limit = 1
    assert world.changed(mute="TRUE").status == 204
    assert world.changed(mute="TRUE").status == 204
    return world.call(world.app.register("another"), body={"mute": "TRUE"})


@reach("100440", "1.4.4")
def secure_no_boolean(world: World) -> Answer:
    return world.changed(isSecure="no")


@reach("100610", "1.4.3")
def not_active(world: World) -> Answer:
    return at(world, world.lamp)


@reach("100611", "1.4.3")
def online(world: World) -> Answer:
    devices.set_online(world.platform, world.active)
    return world.call()


def desire(world: World, service_id: str, /, device: str | None = None, **desired: Any) -> Answer:
    body = {"serviceDesireds": [{"serviceId": service_id, "desired": desired}]}
    return world.call(device or world.lamp, body=body)


@reach("100425", "1.4.8")
def no_model(world: World) -> Answer:
    return desire(world, "Lamp", device=world.app.register("bare"), brightness=1)


@reach("100431", "1.4.8")
def no_such_service(world: World) -> Answer:
    return desire(world, "Engine", speed=1)


@reach("107002", "1.4.8")
def service_without_properties(world: World) -> Answer:
    names = dict.fromkeys(models.IDENTITY, "x")
    model = {"productId": "bell", **names, "services": [{"serviceId": "Ring"}]}
    models.add_model(world.platform, "app-one", model)
    return desire(world, "Ring", device=world.app.register("bell", productId="bell"), loud=True)


@reach("107003", "1.4.8")
def no_such_property(world: World) -> Answer:
    return desire(world, "Lamp", colour="red")


@reach("100443", "1.4.8")
def property_read_only(world: World) -> Answer:
    return desire(world, "Lamp", power=1)


@reach("100405", "1.5.1", "1.5.2")
def select_unknown(world: World) -> Answer:
    return world.call(select="psk")


@reach("100216", "1.5.2", "1.5.3", "1.5.4")
def page_too_large(world: World) -> Answer:
    return world.call(pageSize="2001")


@reach("100218", "1.5.2")
def neither_gateway_nor_page(world: World) -> Answer:
    return world.call(pageNo="")


@reach("100419", "1.5.3", "1.5.4")
def neither_device_nor_gateway(world: World) -> Answer:
    return world.call(deviceId="")


@reach("100022", "1.5.5")
def id_too_long(world: World) -> Answer:
    return at(world, "x" * 257)
