"""Says which scenario reaches which documented code, and has the scenarios of the guard."""

from __future__ import annotations

from collections.abc import Callable

from iot_northbound.emulator.kernel.calls import Answer
from iot_northbound.emulator.rules import applications
from tests.emulator.rules.world import GUARDED, World
from tests.facts import BY_SECTION

# The reference forgets these two for 1.4.8; the guard is the same before every endpoint.
DOCUMENTED: dict[tuple[str, str], set[int]] = {("1.4.8", "1010005"): {403}, ("1.4.8", "1010009"): {403}}
for _section, _each in BY_SECTION.items():
    for _error in _each["errors"]:
        DOCUMENTED.setdefault((_section, _error["code"]), set()).add(_error["http"])

Scenario = Callable[[World], Answer]
REACHED: dict[tuple[str, str], Scenario] = {}


def reach(code: str, *sections: str) -> Callable[[Scenario], Scenario]:
    def keep(scenario: Scenario) -> Scenario:
        for section in sections:
            assert (section, code) not in REACHED
            REACHED[section, code] = scenario
        return scenario

    return keep


def documenting(code: str, *but: str) -> list[str]:
    return [section for section, known in DOCUMENTED if known == code and section not in but]


def naming(world: World, app_id: str) -> Answer:
    """Call for another application, in the way that the endpoint allows."""
    if world.section in ("1.6.1", "1.8.1", "1.9.1"):
        return world.changed(appId=app_id)
    return world.call(**{"accessAppId" if world.section.startswith("1.9.") else "appId": app_id})


@reach("1010005", *GUARDED)
def bad_token(world: World) -> Answer:
    world.app.token = "ended"
    return world.call()


@reach("1010009", *GUARDED)
def throttled(world: World) -> Answer:
    world.platform.settings.flow_control, world.platform.settings.calls_per_minute = True, 0
    return world.call()


@reach("100217", *documenting("100217"))
def unauthorised(world: World) -> Answer:
    return naming(world, "app-two")


@reach("100203", *documenting("100203", "1.6.2"))
def unknown_application(world: World) -> Answer:
    return naming(world, "nobody")


@reach("100203", "1.6.2")
def removed_application(world: World) -> Answer:
    applications.remove_application(world.platform, "app-one")
    return world.call()
