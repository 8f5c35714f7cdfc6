"""The programs of docs/emulator-rules.md: excerpts, which are not registered."""

from iot_northbound.emulator.kernel.calls import Answer, Call
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route, table, timer
from iot_northbound.emulator.kernel.values import Shape, integer, may, must, text
from iot_northbound.emulator.rules import admission


def state() -> None:
    # --8<-- [start:state]
    GROUPS = table("groups")
    MEMBERS = table("group_members")
    # --8<-- [end:state]
    print(GROUPS, MEMBERS)


def endpoints() -> None:
    # --8<-- [start:endpoints]
    path = "/iocm/app/devgroup/v1.3.0/devGroups/{devGroupId}"

    @route("1.9.2", "DELETE", path, app_field="accessAppId")
    def delete(platform: Platform, call: Call) -> Answer:
        """Delete a group; its devices stay."""
        ...
        return Answer(200)

    # --8<-- [end:endpoints]


def checks(call: Call) -> None:
    # --8<-- [start:checks-and-refusals]
    CREATE = Shape(
        must("deviceId", text(1, 64)),
        may("expireTime", integer(0)),
        invalid=(400, "100022"),
    )
    given = CREATE.read(call.body)
    # --8<-- [end:checks-and-refusals]
    print(given)


def time(platform: Platform, command_id: str) -> None:
    # --8<-- [start:time]
    platform.after(60, "command.expire", command_id=command_id)

    @timer("command.expire")
    def _expire(platform: Platform, command_id: str) -> None: ...

    # --8<-- [end:time]


def reached() -> None:
    # --8<-- [start:codes]
    CODES = {
        **codes(("1.10.1", "1.10.2", "1.10.3"), admission.TOKEN),
        **codes(
            "1.10.1",
            {
                "120015": "a query field breaks its rule",
                "123029": "pageNo is negative",
            },
        ),
    }
    # --8<-- [end:codes]
    print(CODES)
