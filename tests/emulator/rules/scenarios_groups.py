"""How the documented codes of groups, packages and upgrades are reached (1.9 and 1.10)."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.calls import Answer
from iot_northbound.emulator.kernel.clock import time_text
from tests.emulator.rules.reaching import reach
from tests.emulator.rules.world import World
from tests.emulator.scene import METER_IDENTITY, group

# --- groups ---


@reach("100602", "1.9.1")
def group_name_taken(world: World) -> Answer:
    return world.changed(name="first")


@reach("100602", "1.9.3")
def group_name_of_another(world: World) -> Answer:
    group(world.app, "second")
    return world.changed(name="second")


@reach("100607", "1.9.1")
def groups_used_up(world: World) -> Answer:
    world.platform.settings.group_limit = 1
    return world.call()


@reach("100609", "1.9.1")
def more_devices_than_room(world: World) -> Answer:
    return world.changed(maxDevNum=1, deviceIds=[world.meter, world.gateway])


@reach("50400", "1.9.1", "1.9.3")
def name_with_blank(world: World) -> Answer:
    return world.changed(name="a b")


@reach("50400", "1.9.7", "1.9.8")
def device_ids_missing(world: World) -> Answer:
    return world.changed(deviceIds=None)


@reach("100601", "1.9.3")
def room_below_members(world: World) -> Answer:
    group_id = group(world.app, "two", deviceIds=[world.meter, world.gateway])
    return world.call(group_id, body={"name": "two", "maxDevNum": 1})


@reach("100601", "1.9.7")
def group_full(world: World) -> Answer:
    group_id = group(world.app, "full", maxDevNum=1, deviceIds=[world.meter])
    return world.changed(devGroupId=group_id)


@reach("100603", "1.9.2", "1.9.3", "1.9.5")
def no_group(world: World) -> Answer:
    return world.call("none")


@reach("100603", "1.9.7", "1.9.8")
def no_group_in_body(world: World) -> Answer:
    return world.changed(devGroupId="none")


@reach("100604", "1.9.7", "1.9.8")
def member_unknown(world: World) -> Answer:
    return world.changed(deviceIds=["none"])


# --- packages and upgrades ---


@reach("120015", "1.10.1", "1.10.8")
def page_no_number(world: World) -> Answer:
    return world.call(pageNo="one")


@reach("120015", "1.10.2", "1.10.3", "1.10.6", "1.10.7")
def id_with_blank(world: World) -> Answer:
    return world.call("a%20b")


@reach("123029", "1.10.1", "1.10.7", "1.10.8")
def page_too_large(world: World) -> Answer:
    return world.call(pageSize="101")


@reach("123002", "1.10.2", "1.10.3")
def no_package(world: World) -> Answer:
    return world.call("none")


@reach("123009", "1.10.6", "1.10.7")
def no_operation(world: World) -> Answer:
    return world.call("none")


def targeting(code: str, targets: dict[str, Any]) -> None:
    reach(code, "1.10.4", "1.10.5")(lambda world: world.changed(targets=targets))


def under_policy(code: str, policy: dict[str, Any]) -> None:
    reach(code, "1.10.4", "1.10.5")(lambda world: world.changed(policy=policy))


def in_window(code: str, start: float, end: float) -> None:
    def scenario(world: World) -> Answer:
        times = {"startTime": time_text(world.platform.now() + start), "endTime": time_text(world.platform.now() + end)}
        return world.changed(policy={"executeType": "custom", **times})

    reach(code, "1.10.4", "1.10.5")(scenario)


targeting("120015", {"devices": "all"})
targeting("123022", {})
targeting("123023", {"devices": ["a"], "deviceGroups": ["b"]})
targeting("123024", {"devices": ["a"] * 257})
targeting("123019", {"deviceGroups": ["first"]})
targeting("123020", {"deviceGroups": ["first"], "manufacturerName": "M"})
targeting("123021", {"deviceGroups": ["first"], "manufacturerName": "M", "deviceType": "T"})
targeting("123016", {"deviceGroups": ["first"], **METER_IDENTITY, "model": "HM21"})
targeting("123002", {"devices": ["none"]})
under_policy("123025", {"executeType": "sometime"})
under_policy("123026", {"executeType": "custom"})
under_policy("123028", {"executeType": "now", "retryType": True})
in_window("123032", 900, 600)
in_window("123033", -900, 600)
in_window("123034", 10, 300)
