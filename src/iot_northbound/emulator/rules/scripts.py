"""Scripted devices: they replace real ones and follow the same rules.

A script says how a device behaves: whether it answers, how late, whether it sleeps between its reports and how often it
reports. Scripts are rows, so they survive a restart. Each step of a scripted device goes through `transitions.later`,
so the setting `transitions` decides when it happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.routing import on, table, timer
from iot_northbound.emulator.rules import commands, devices, links, models

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

SCRIPTS = table("scripts", "deviceId")
AWAKE_SECONDS: Final = 10.0
"""How long a sleeping device listens after it has said something."""


def attach(
    platform: Platform,
    device_id: str,
    *,
    answer: str = "success",
    after: float = 0.0,
    acknowledge: bool = True,
    acknowledge_after: float = 0.0,
    asleep: bool = False,
    result: Mapping[str, Any] | None = None,
    report_every: float | None = None,
    report: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    follows_desired: bool = True,
) -> Row:
    """Give a device a script and bring it online; it replaces a former script.

    `Control.script` describes the arguments and checks them.

    Raises:
        LookupError: There is no such device.
        ValueError: The report does not fit the device's product model, or would never be sent.
    """
    device = devices.need(platform, device_id)
    if report is not None and report_every is None:
        raise ValueError("report without report_every would never be sent; give the seconds between two reports")
    if report is None and report_every is not None:
        raise ValueError("report_every needs a report")
    for part in _parts(report or []):
        _check_part(platform, device, part)
    detach(platform, device_id)
    row: Row = {
        "deviceId": device_id,
        "answer": answer,
        "after": after,
        "acknowledge": acknowledge,
        "acknowledgeAfter": acknowledge_after,
        "asleep": asleep,
        "result": None if result is None else dict(result),
        "reportEvery": report_every,
        "report": report if report is None else dict(report) if isinstance(report, Mapping) else list(report),
        "followsDesired": follows_desired,
        "timer": None,
    }
    platform.table(SCRIPTS).put(device_id, row)
    devices.set_online(platform, device_id)
    if report_every is not None:
        _plan_report(platform, device_id, report_every)
    return platform.table(SCRIPTS)[device_id]


def _parts(report: Any) -> list[Any]:
    """Return the parts of a report, one per service. A report about a single service may come without a list."""
    return [report] if isinstance(report, Mapping) else list(report)


def _check_part(platform: Platform, device: Row, part: Mapping[str, Any]) -> None:
    # Refused now: when the report is sent, no caller waits for an answer.
    model = models.of_device(platform, device)
    if model is not None and models.find_service(model, part["service_id"]) is None:
        raise ValueError(f"report.service_id must be a service of the device's model, not {part['service_id']!r}")
    for name in part.get("increments", {}):
        value = part["data"].get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"report.increments.{name} must be a number in report.data, not {value!r}")


def detach(platform: Platform, device_id: str) -> None:
    """Remove a device's script, if it has one."""
    row = platform.table(SCRIPTS).delete(device_id)
    if row is not None and row["timer"] is not None:
        platform.cancel(row["timer"])


def listens(platform: Platform, device_id: str) -> bool:
    """Return whether a scripted device listens now."""
    row = platform.table(SCRIPTS).get(device_id)
    device = devices.find(platform, device_id)
    return row is not None and device is not None and devices.is_online(device) and not sleeps(platform, device)


def sleeps(platform: Platform, device: Row) -> bool:
    """Return whether a device is online but does not listen now; one without a script never sleeps."""
    row = platform.table(SCRIPTS).get(device["deviceId"])
    return row is not None and row["asleep"] and platform.now() - device["heard"] > AWAKE_SECONDS


@on("command_issued")
def take_command(platform: Platform, command: Row) -> None:
    """Let a command's device react, if it has a script and listens."""
    device_id = command["deviceId"]
    row = platform.table(SCRIPTS).get(device_id)
    if row is not None and row["acknowledge"] and listens(platform, device_id):
        transitions.later(
            platform,
            row["acknowledgeAfter"],
            "script.acknowledge",
            command_id=command["commandId"],
            device_id=device_id,
        )


@timer("script.acknowledge")
def _acknowledge(platform: Platform, command_id: str, device_id: str) -> None:
    row = platform.table(SCRIPTS).get(device_id)
    if row is None or devices.find(platform, device_id) is None:
        return
    devices.set_online(platform, device_id)
    commands.delivered(platform, command_id)
    if row["answer"] != "never":
        transitions.later(platform, row["after"], "script.answer", command_id=command_id, device_id=device_id)


@timer("script.answer")
def _answer(platform: Platform, command_id: str, device_id: str) -> None:
    row = platform.table(SCRIPTS).get(device_id)
    if row is not None:
        commands.answered(platform, command_id, ok=row["answer"] == "success", detail=row["result"])


def has_script(platform: Platform, device_id: str) -> bool:
    """Return whether a device has a script."""
    return device_id in platform.table(SCRIPTS)


def take_desired(platform: Platform, change_id: str, change: Row) -> None:
    """Let a scripted device take a change that its shadow desires.

    The event `desired_ended` reports the result.
    """
    row = platform.table(SCRIPTS)[change["deviceId"]]
    if row["acknowledge"]:
        args = {"device_id": change["deviceId"], "service_id": change["serviceId"], "properties": change["properties"]}
        transitions.later(platform, row["acknowledgeAfter"], "script.desired", change_id=change_id, **args)
    else:
        platform.after(platform.settings.command_ack_timeout, "script.desired_lost", change_id=change_id)


@timer("script.desired")
def _acknowledge_desired(platform: Platform, change_id: str, device_id: str, service_id: str, properties: Row) -> None:
    row = platform.table(SCRIPTS).get(device_id)
    devices.heard(platform, device_id)
    ok = row is None or row["answer"] != "fail"
    platform.emit("desired_ended", change_id, ok=ok)
    if row is not None and row["answer"] == "success" and row["followsDesired"]:
        args = {"device_id": device_id, "service_id": service_id, "desired": properties}
        transitions.later(platform, row["after"], "script.follow_desired", **args)


@timer("script.desired_lost")
def _lose_desired(platform: Platform, change_id: str) -> None:
    platform.emit("desired_ended", change_id, ok=False)


@timer("script.follow_desired")
def _follow_desired(platform: Platform, device_id: str, service_id: str, desired: Row) -> None:
    row = platform.table(SCRIPTS).get(device_id)
    device = devices.find(platform, device_id)
    if row is None or device is None:
        return
    model = models.of_device(platform, device)
    if model is not None and models.find_service(model, service_id) is None:
        return  # the device has another model now
    devices.report(platform, device_id, service_id, desired)
    if row["report"] is not None:
        # Its later reports have the desired values, too.
        parts = [_having(part, desired) if part["service_id"] == service_id else part for part in _parts(row["report"])]
        _keep_parts(platform, device_id, parts)


def _having(part: Row, values: Row) -> Row:
    return {**part, "data": {name: values.get(name, value) for name, value in part["data"].items()}}


@timer("script.report")
def _report(platform: Platform, device_id: str) -> None:
    row = platform.table(SCRIPTS).get(device_id)
    if row is None or devices.find(platform, device_id) is None:
        return
    _plan_report(platform, device_id, row["reportEvery"])
    parts = _parts(row["report"])
    services = [{"serviceId": part["service_id"], "data": part["data"]} for part in parts]
    devices.report_services(platform, device_id, services)
    _keep_parts(platform, device_id, [_next(part) for part in parts])


def _next(part: Row) -> Row:
    data = dict(part["data"])
    for name, step in part.get("increments", {}).items():
        data[name] = data.get(name, 0) + step
    return {**part, "data": data}


def _keep_parts(platform: Platform, device_id: str, parts: list[Row]) -> None:
    was = platform.table(SCRIPTS)[device_id]["report"]
    platform.table(SCRIPTS).change(device_id, report=parts if isinstance(was, list) else parts[0])


def _plan_report(platform: Platform, device_id: str, every: float) -> None:
    platform.table(SCRIPTS).change(device_id, timer=platform.after(every, "script.report", device_id=device_id))


@on("device_deleted")
def forget_device(platform: Platform, device: Row) -> None:
    """Remove a deleted device's script."""
    detach(platform, device["deviceId"])


commands.REACHABLE.append(listens)
links.PLAYED.append(has_script)
