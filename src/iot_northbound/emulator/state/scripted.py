"""Scripted devices: they stand for real ones, and meet the same rules.

A script says how a device behaves: whether it answers, how late, whether it sleeps between its reports and how often it
reports. Scripts are rows, so they survive a restart. Each step of a scripted device goes through `transitions.later`,
so the platform's setting decides whether it happens at once, in its time, or by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from iot_northbound.emulator.state import command_flow, devices, models, transitions
from iot_northbound.emulator.state.routing import on, table, timer

if TYPE_CHECKING:
    from iot_northbound.emulator.state.kernel import Platform
    from iot_northbound.emulator.state.store import Row, Table

SCRIPTS = table("scripts", "deviceId")
ANSWERS: Final = ("success", "fail", "never")
AWAKE_SECONDS: Final = 10.0
"""How long a sleeping device listens after it has said something."""


def scripts(platform: Platform) -> Table:
    """Return the table of scripts, by device id."""
    return platform.table(SCRIPTS)


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
    takes_wishes: bool = True,
) -> Row:
    """Give a device a script and bring it online; a former script is replaced.

    Args:
        platform: the platform.
        device_id: a registered device.
        answer: "success", "fail" or "never": what becomes of commands, upgrades and desired changes.
        after: seconds between acknowledgement and answer, and between the steps of an upgrade.
        acknowledge: False for a device that takes commands and desired changes without a sign.
        acknowledge_after: seconds until the acknowledgement.
        asleep: whether it listens only for ten seconds after it has said something.
        result: what its answers carry.
        report_every: seconds between its reports; None for none.
        report: what it reports: service_id, data, and optionally increments (added to data's numbers each time); a
            list of them is one report of several services.
        takes_wishes: whether it does what its shadow desires, and reports so.

    Raises:
        LookupError: There is no such device.
        ValueError: A value is out of range.
    """
    device = devices.need(platform, device_id)
    if isinstance(report, tuple):
        report = list(report)
    if answer not in ANSWERS:
        raise ValueError(f"answer {answer!r}: must be one of {', '.join(ANSWERS)}")
    if not (_is_number(after) and _is_number(acknowledge_after)) or after < 0 or acknowledge_after < 0:
        raise ValueError("after and acknowledge_after must be numbers of seconds, not negative")
    if report_every is not None:
        if not _is_number(report_every) or report_every <= 0:
            raise ValueError("report_every must be a number of seconds above 0")
        _check_report(platform, device, report)
    elif report is not None:
        raise ValueError("report without report_every would never be sent; give the seconds between two")
    detach(platform, device_id)
    row: Row = {
        "deviceId": device_id,
        "answer": answer,
        "after": float(after),
        "acknowledge": acknowledge,
        "acknowledgeAfter": float(acknowledge_after),
        "asleep": asleep,
        "result": None if result is None else dict(result),
        "reportEvery": report_every,
        "report": report if report is None else dict(report) if isinstance(report, Mapping) else list(report),
        "takesWishes": takes_wishes,
        "timer": None,
    }
    scripts(platform).put(device_id, row)
    devices.set_online(platform, device_id)
    if report_every is not None:
        _plan_report(platform, device_id, report_every)
    return scripts(platform)[device_id]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parts(report: Any) -> list[Any]:
    """Return what a report says of each service; a single service stands without a list."""
    return report if isinstance(report, list) else [report]


def _check_report(platform: Platform, device: Row, report: Any) -> None:
    # Said now: at the time of a report there is nobody to say it to.
    if report == []:
        raise ValueError("report needs at least one service")
    for part in _parts(report):
        _check_part(platform, device, part)


def _check_part(platform: Platform, device: Row, report: Any) -> None:
    is_object = isinstance(report, Mapping)
    if not is_object or not isinstance(report.get("service_id"), str) or not isinstance(report.get("data"), dict):
        raise ValueError("report needs service_id (text) and data (an object)")
    if unknown := sorted(report.keys() - {"service_id", "data", "increments"}):
        raise ValueError(f"report.{unknown[0]} is not known; known are service_id, data, increments")
    model = models.of_device(platform, device)
    if model is not None and models.find_service(model, report["service_id"]) is None:
        raise ValueError(f"report.service_id must be a service of the device's model, not {report['service_id']!r}")
    increments = report.get("increments", {})
    if not isinstance(increments, dict) or not all(
        _is_number(step) and _is_number(report["data"].get(name, 0)) for name, step in increments.items()
    ):
        raise ValueError("report.increments must name numbers of data, each with a number to add")


def detach(platform: Platform, device_id: str) -> None:
    """Take a device's script away; without one this does nothing."""
    row = scripts(platform).delete(device_id)
    if row is not None and row["timer"] is not None:
        platform.cancel(row["timer"])


def listens(platform: Platform, device_id: str) -> bool:
    """Tell whether a scripted device hears what is sent to it now."""
    row = scripts(platform).get(device_id)
    device = devices.find(platform, device_id)
    return row is not None and device is not None and devices.is_online(device) and not sleeps(platform, device)


def sleeps(platform: Platform, device: Row) -> bool:
    """Tell whether a device hears nothing now, though it counts as online; one without a script never sleeps."""
    row = scripts(platform).get(device["deviceId"])
    return row is not None and row["asleep"] and platform.now() - device["heard"] > AWAKE_SECONDS


@on("command_issued")
def take_command(platform: Platform, command: Row) -> None:
    """Let a command's device react, when it is scripted and listens."""
    device_id = command["deviceId"]
    row = scripts(platform).get(device_id)
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
    row = scripts(platform).get(device_id)
    if row is None or devices.find(platform, device_id) is None:
        return
    devices.set_online(platform, device_id)
    command_flow.delivered(platform, command_id)
    if row["answer"] != "never":
        transitions.later(platform, row["after"], "script.answer", command_id=command_id, device_id=device_id)


@timer("script.answer")
def _answer(platform: Platform, command_id: str, device_id: str) -> None:
    row = scripts(platform).get(device_id)
    if row is not None:
        command_flow.answered(platform, command_id, ok=row["answer"] == "success", detail=row["result"])


def has_script(platform: Platform, device_id: str) -> bool:
    """Tell whether a device acts by a script."""
    return device_id in scripts(platform)


def take_desired(platform: Platform, change_id: str, change: Row) -> None:
    """Let a scripted device take a change that its shadow desires.

    What becomes of it, the event `desired_ended` says.
    """
    row = scripts(platform)[change["deviceId"]]
    if row["acknowledge"]:
        args = {"device_id": change["deviceId"], "service_id": change["serviceId"], "properties": change["properties"]}
        transitions.later(platform, row["acknowledgeAfter"], "script.desired", change_id=change_id, **args)
    else:
        platform.after(platform.settings.command_ack_timeout, "script.desired_lost", change_id=change_id)


@timer("script.desired")
def _acknowledge_desired(platform: Platform, change_id: str, device_id: str, service_id: str, properties: Row) -> None:
    row = scripts(platform).get(device_id)
    devices.heard(platform, device_id)
    ok = row is None or row["answer"] != "fail"
    platform.emit("desired_ended", change_id, ok=ok)
    if row is not None and row["answer"] == "success" and row.get("takesWishes", True):
        transitions.later(
            platform, row["after"], "script.wish", device_id=device_id, service_id=service_id, wished=properties
        )


@timer("script.desired_lost")
def _lose_desired(platform: Platform, change_id: str) -> None:
    platform.emit("desired_ended", change_id, ok=False)


@timer("script.wish")
def _fulfil(platform: Platform, device_id: str, service_id: str, wished: Row) -> None:
    row = scripts(platform).get(device_id)
    device = devices.find(platform, device_id)
    if row is None or device is None:
        return
    model = models.of_device(platform, device)
    if model is not None and models.find_service(model, service_id) is None:
        return  # the device has become another since
    devices.report(platform, device_id, service_id, wished)
    if row["report"] is not None:
        # What it now is, it goes on to report.
        parts = [_having(part, wished) if part["service_id"] == service_id else part for part in _parts(row["report"])]
        _keep_parts(platform, device_id, parts)


def _having(part: Row, values: Row) -> Row:
    return {**part, "data": {name: values.get(name, value) for name, value in part["data"].items()}}


@timer("script.report")
def _report(platform: Platform, device_id: str) -> None:
    row = scripts(platform).get(device_id)
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
    was = scripts(platform)[device_id]["report"]
    scripts(platform).change(device_id, report=parts if isinstance(was, list) else parts[0])


def _plan_report(platform: Platform, device_id: str, every: float) -> None:
    scripts(platform).change(device_id, timer=platform.after(every, "script.report", device_id=device_id))


@on("device_deleted")
def forget_device(platform: Platform, device: Row) -> None:
    """Take a deleted device's script away."""
    detach(platform, device["deviceId"])


command_flow.REACHABLE.append(listens)
