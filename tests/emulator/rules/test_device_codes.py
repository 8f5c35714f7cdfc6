"""Every documented code of sections 1.3 to 1.5 is reached as its module says, or named as not reachable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound.emulator import coverage
from iot_northbound.emulator.kernel.calls import MALFORMED, Answer, Request
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import (
    applications,
    devices,
    models,
)
from tests.emulator.calling import Caller, code_of
from tests.facts import ENDPOINTS

SECTIONS = {
    each["rest_section"]: each for each in ENDPOINTS if each["rest_section"].startswith(("1.3.", "1.4.", "1.5."))
}
CODES = {key: how for key, how in coverage.codes().items() if key[0] in SECTIONS}
DOCUMENTED = {(section, error["code"]): set[int]() for section, each in SECTIONS.items() for error in each["errors"]}
for _section, _each in SECTIONS.items():
    for _error in _each["errors"]:
        DOCUMENTED[_section, _error["code"]].add(_error["http"])

BODIES: dict[str, dict[str, Any]] = {
    "1.4.1": {"nodeId": "fresh"},
    "1.4.2": {"deviceInfo": {"nodeId": "fresh", "model": "m"}},
    "1.4.3": {},
    "1.4.4": {"name": "x"},
    "1.4.8": {"serviceDesireds": [{"serviceId": "Lamp", "desired": {"brightness": 1}}]},
}


class World:
    """A platform with a lamp, and the one call under test."""

    def __init__(self, platform: Platform, section: str) -> None:
        self.platform = platform
        self.section = section
        self.app = Caller(platform).login()
        self.other = Caller(platform, "app-two", "secret-two").login()
        self.lamp = self.app.register("lamp", timeout=0, productId="street-lamp-nb")

    def call(self, body: Any = None, *, device: str | None = None, **query: str) -> Answer:
        facts = SECTIONS[self.section]
        if facts["path"].endswith(("History", "Capabilities")):
            query = {"deviceId": device or self.lamp, **query}
        if self.section == "1.5.2":
            query = {"pageNo": "0", **query}
        path = facts["path"].replace("{deviceId}", device or self.lamp)
        body = BODIES.get(self.section) if body is None else body
        return self.app.call(facts["http_method"], path, body, **query)

    def credentials(self, **given: Any) -> Answer:
        body = {"appId": "app-one", "secret": "secret-one", **given}
        if self.section == "1.3.2":
            body.setdefault("refreshToken", "r")
        return self.platform.handle(Request("POST", SECTIONS[self.section]["path"], body=body))


Scenario = Callable[[World], Answer]
REACHED: dict[tuple[str, str], Scenario] = {}


def reach(code: str, *sections: str) -> Callable[[Scenario], Scenario]:
    def keep(scenario: Scenario) -> Scenario:
        for section in sections:
            assert (section, code) not in REACHED
            REACHED[section, code] = scenario
        return scenario

    return keep


GUARDED = [section for section in SECTIONS if section.startswith(("1.4.", "1.5."))]
BY_ID = ["1.4.3", "1.4.4", "1.4.5", "1.4.7", "1.4.8", "1.5.1"]


@reach("1010005", *[section for section in GUARDED if section != "1.4.8"])
def bad_token(world: World) -> Answer:
    world.app.token = "ended"
    return world.call()


@reach("1010009", *[section for section in GUARDED if section != "1.4.8"])
def throttled(world: World) -> Answer:
    world.platform.settings.flow_control, world.platform.settings.calls_per_minute = True, 0
    return world.call()


@reach("100203", *GUARDED)
def unknown_application(world: World) -> Answer:
    return world.call(appId="nobody")


@reach("100217", *GUARDED)
def unauthorised(world: World) -> Answer:
    return world.call(appId="app-two")


@reach("100025", "1.4.1", "1.4.3")
def removed_application(world: World) -> Answer:
    applications.remove_application(world.platform, "app-one")
    return world.call()


@reach("100208", "1.3.1", "1.3.2")
def wrong_secret(world: World) -> Answer:
    return world.credentials(secret="wrong")


@reach("100449", "1.3.1", "1.3.2")
def frozen_application(world: World) -> Answer:
    applications.freeze_application(world.platform, "app-one")
    return world.credentials()


@reach("102202", "1.3.1", "1.3.2")
def empty_secret(world: World) -> Answer:
    return world.credentials(secret="")


@reach("50400", "1.3.2")
def secret_no_text(world: World) -> Answer:
    return world.credentials(secret=5)


@reach("100403", *BY_ID)
def unknown_device(world: World) -> Answer:
    return world.call(device="none")


@reach("100418", *[section for section in BY_ID if section != "1.4.7"], "1.4.9", "1.5.3")
def foreign_device(world: World) -> Answer:
    return world.call(device=world.other.register("foreign"))


@reach("100003", "1.4.1", "1.4.3")
def blank_in_verify_code(world: World) -> Answer:
    return world.call({**BODIES[world.section], "verifyCode": "a b"})


@reach("100007", "1.4.1", "1.4.2", "1.4.3")
@reach("50400", "1.4.4")
def no_json(world: World) -> Answer:
    return world.call(MALFORMED)


@reach("50400", "1.4.1", "1.4.2", "1.4.3")
def field_out_of_form(world: World) -> Answer:
    return world.call({**BODIES[world.section], "timeout": -1, "endUserId": 5})


@reach("50400", "1.4.8")
def wish_out_of_range(world: World) -> Answer:
    return desire(world, "Lamp", brightness=101)


@reach("100022", "1.4.4")
def name_empty(world: World) -> Answer:
    return world.call({"name": ""})


@reach("100416", "1.4.1")
def already_bound(world: World) -> Answer:
    devices.activate(world.platform, world.lamp)
    return world.call({"nodeId": "lamp"})


@reach("100426", "1.4.1", "1.4.2")
def registered_twice(world: World) -> Answer:
    world.call()
    return world.call()


@reach("100426", "1.4.3")
def node_id_of_another(world: World) -> Answer:
    devices.activate(world.platform, world.lamp)
    world.app.register("taken")
    return world.call({"nodeId": "taken"})


@reach("600002", "1.4.1", "1.4.2")
def unknown_product(world: World) -> Answer:
    return world.call({**BODIES[world.section], "productId": "none"})


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
    return world.call({"isSecure": False}, device=secure)


@reach("500004", "1.4.4")
def too_many_frozen_devices(world: World) -> Answer:
    world.platform.settings.frozen_device_limit = 1
    assert world.call({"mute": "TRUE"}).status == 204
    assert world.call({"mute": "TRUE"}).status == 204
    return world.call({"mute": "TRUE"}, device=world.app.register("another"))


@reach("100440", "1.4.4")
def secure_no_boolean(world: World) -> Answer:
    return world.call({"isSecure": "no"})


@reach("100610", "1.4.3")
def not_active(world: World) -> Answer:
    return world.call()


@reach("100611", "1.4.3")
def online(world: World) -> Answer:
    devices.set_online(world.platform, world.lamp)
    return world.call()


def desire(world: World, service_id: str, /, device: str | None = None, **desired: Any) -> Answer:
    return world.call({"serviceDesireds": [{"serviceId": service_id, "desired": desired}]}, device=device)


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
    return world.call(device="x" * 257)


def test_every_documented_code_is_accounted_for() -> None:
    assert set(CODES) - set(DOCUMENTED) == {("1.4.8", "1010005"), ("1.4.8", "1010009")}
    assert set(DOCUMENTED) <= set(CODES)


def test_what_is_said_to_be_reached_has_a_scenario() -> None:
    said = {key for key, how in CODES.items() if not how.startswith(("fault:", "unreachable:"))}
    assert said - {("1.4.8", "1010005"), ("1.4.8", "1010009")} == set(REACHED)


@pytest.mark.parametrize(("section", "code"), sorted(REACHED))
def test_the_code_is_reached_with_a_documented_status(platform: Platform, section: str, code: str) -> None:
    answer = REACHED[section, code](World(platform, section))
    assert code_of(answer)[1] == code, answer
    assert answer.status in DOCUMENTED[section, code]


@pytest.mark.parametrize("code", ["1010005", "1010009"])
def test_a_slip_of_the_reference_is_answered_right(platform: Platform, code: str) -> None:
    scenario = bad_token if code == "1010005" else throttled
    assert code_of(scenario(World(platform, "1.4.8"))) == (403, code)


@pytest.mark.parametrize("section", [section for section in GUARDED if section not in ("1.4.1", "1.4.2", "1.4.3")])
def test_a_removed_application_is_missed(platform: Platform, section: str) -> None:
    world = World(platform, section)
    applications.remove_application(platform, "app-one")
    assert code_of(world.call()) == (500, "100203")
