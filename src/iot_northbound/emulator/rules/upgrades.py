"""Upgrades: they start now, when the device is heard, or within a window, go on step by step, are retried, and end.

An operation has one sub-operation per device. A device goes through downloading, downloaded, updating and idle; each
step and the result is pushed. A device without a script moves through `report_state` and `finish`.

A device takes one upgrade at a time: the attempt of a second one fails, and is repeated if the policy says so. Only
NB-IoT devices can be upgraded; the part of another device fails and is not repeated. While a device writes its
firmware, it is OFFLINE with the status detail FIRMWARE_UPDATING.
"""

from __future__ import annotations

from typing import Any, Final

from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on, table, timer
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import devices, protocols, scripts
from iot_northbound.emulator.rules import notification_bodies as bodies

OPERATIONS = table("upgrade_operations", "created", "seq")
SUB_OPERATIONS = table("upgrade_sub_operations")

STATES: Final = ("downloading", "downloaded", "updating", "idle")
UPDATING: Final = "FIRMWARE_UPDATING"
OUTCOMES: Final = ("wait", "processing", "success", "fail", "stop", "timeout")
"""The states of a sub-operation. A timeout is shown as the status fail and counted separately."""


def version_field(operate_type: str) -> str:
    """Return the field of the device that an upgrade changes."""
    return "swVersion" if operate_type == "software_upgrade" else "fwVersion"


def create(platform: Platform, app_id: str, operation: Row, device_ids: list[str]) -> Row:
    """Add an operation that has passed its checks, with its sub-operations, and plan its start.

    Args:
        platform: the platform.
        app_id: the devices' application.
        operation: operateType, targets, policy (or None), fileVersion; window as epoch seconds or None.
        device_ids: the devices to upgrade.
    """
    operation_id, now = platform.ids.hex(24), platform.now()
    policy = operation["policy"] or {"executeType": "now"}
    row = {
        **operation,
        "operationId": operation_id,
        "appId": app_id,
        "executeType": policy["executeType"],
        "retries": policy["retryTimes"] if policy.get("retryType") else 0,
        "status": "wait",
        "created": now,
        "started": None,
        "stopped": None,
        "seq": platform.next_seq(),
    }
    platform.table(OPERATIONS).put(operation_id, row)
    for device_id in device_ids:
        sub_id = platform.ids.hex(24)
        sub: Row = {
            "subOperationId": sub_id,
            "operationId": operation_id,
            "appId": app_id,
            "deviceId": device_id,
            "operateType": row["operateType"],
            "target": row["fileVersion"],
            "source": None,
            "outcome": "wait",
            "step": None,
            "active": False,
            "planned": False,
            "attempts": 0,
            "detail": None,
            "created": now,
            "started": None,
            "downloaded": None,
            "stopped": None,
            "timer": None,
            "seq": platform.next_seq(),
        }
        platform.table(SUB_OPERATIONS).put(sub_id, sub)
    if row["executeType"] == "custom":
        platform.at(row["window"][0], "upgrade.begin", operation_id=operation_id)
        platform.at(row["window"][1], "upgrade.window_end", operation_id=operation_id)
    else:
        transitions.later(platform, platform.settings.transition_delay, "upgrade.begin", operation_id=operation_id)
    return row


def report_state(platform: Platform, sub_operation_id: str, state: str) -> None:
    """Take a device's message that it has reached a step of its upgrade.

    Args:
        platform: the platform.
        sub_operation_id: the device's part of an upgrade; if that has ended, this is only a sign of life.
        state: "downloading", "downloaded", "updating" or "idle".

    Raises:
        ValueError: There is no such state.
    """
    if state not in STATES:
        raise ValueError(f"state {state!r}: must be one of {', '.join(STATES)}")
    sub = platform.table(SUB_OPERATIONS).get(sub_operation_id)
    if sub is None:
        return
    if sub["active"]:
        # Before `heard`: its hooks must not see a part that has not begun.
        changes: dict[str, Any] = {"step": state, "timer": _watch(platform, sub)}
        if state == "downloaded":
            changes["downloaded"] = platform.now()
        platform.table(SUB_OPERATIONS).change(sub_operation_id, **changes)
    devices.heard(platform, sub["deviceId"])
    if not sub["active"]:
        return
    if state == "updating" and sub["operateType"] == "firmware_upgrade":
        devices.set_offline(platform, sub["deviceId"], UPDATING)
    platform.notify(sub["appId"], *_state_message(sub, state))


def finish(platform: Platform, sub_operation_id: str, *, ok: bool, detail: str = "", timed_out: bool = False) -> None:
    """End a device's attempt: with its new version, with another attempt, or as failed.

    Args:
        platform: the platform.
        sub_operation_id: the device's part of an upgrade; if that has ended, this is only a sign of life.
        ok: whether the device runs the target version now.
        detail: what happened, in words.
        timed_out: whether it failed because the device said nothing in time.
    """
    sub = platform.table(SUB_OPERATIONS).get(sub_operation_id)
    if sub is None:
        return
    if not timed_out:
        devices.heard(platform, sub["deviceId"])
        sub = platform.table(SUB_OPERATIONS)[sub_operation_id]
    if not sub["active"]:
        return
    if ok:
        devices.changed(platform, sub["deviceId"], **{version_field(sub["operateType"]): sub["target"]})
        _end(platform, sub, "success", detail)
    else:
        _fail(platform, sub, "timeout" if timed_out else "fail", detail)


def stop(platform: Platform, operation_id: str) -> Row:
    """Stop the parts of an operation that have not ended; return its row.

    Raises:
        LookupError: There is no such operation.
    """
    if operation_id not in platform.table(OPERATIONS):
        raise LookupError(f"there is no upgrade operation {operation_id!r}")
    for sub in open_subs(platform, operationId=operation_id):
        _end(platform, sub, "stop", "stopped by the operator")
    return platform.table(OPERATIONS)[operation_id]


def open_subs(platform: Platform, **equal: Any) -> list[Row]:
    """Return the sub-operations with these fields that have not ended."""
    found = platform.table(SUB_OPERATIONS)
    return [row for outcome in ("wait", "processing") for row in found.where(outcome=outcome, **equal)]


@timer("upgrade.begin")
def _begin(platform: Platform, operation_id: str) -> None:
    operation = platform.table(OPERATIONS).get(operation_id)
    if operation is None:
        return
    for sub in platform.table(SUB_OPERATIONS).where(operationId=operation_id, outcome="wait"):
        device = devices.find(platform, sub["deviceId"])
        waits = operation["executeType"] == "device_online" and (device is None or not devices.is_online(device))
        if not waits:
            _start(platform, sub)


@timer("upgrade.window_end")
def _window_end(platform: Platform, operation_id: str) -> None:
    for sub in open_subs(platform, operationId=operation_id):
        if sub["step"] is None:
            _end(platform, sub, "timeout", "the time window ended before the device took part")


@timer("upgrade.retry")
def _retry(platform: Platform, sub_operation_id: str) -> None:
    sub = platform.table(SUB_OPERATIONS).get(sub_operation_id)
    if sub is not None and sub["outcome"] == "processing":
        _start(platform, sub)


@timer("upgrade.silent")
def _silent(platform: Platform, sub_operation_id: str) -> None:
    finish(
        platform, sub_operation_id, ok=False, detail="the device said nothing about the upgrade in time", timed_out=True
    )


def _start(platform: Platform, sub: Row) -> None:
    """Begin an attempt, or end it at once if it is not possible."""
    device = devices.need(platform, sub["deviceId"])
    now = platform.now()
    operation = platform.table(OPERATIONS)[sub["operationId"]]
    if operation["started"] is None:
        platform.table(OPERATIONS).change(operation["operationId"], started=now, status="processing")
    sub = platform.table(SUB_OPERATIONS).change(
        sub["subOperationId"],
        outcome="processing",
        started=now if sub["started"] is None else sub["started"],
        attempts=sub["attempts"] + 1,
        source=device.get(version_field(sub["operateType"])),
    )
    if not protocols.is_nb_iot(device):
        protocol = device.get("protocolType")
        detail = f"only NB-IoT devices (CoAP, LWM2M) can be upgraded; this device's protocolType is {protocol}"
        _end(platform, sub, "fail", detail)
    elif platform.table(SUB_OPERATIONS).where(deviceId=sub["deviceId"], active=True):
        _fail(platform, sub, "fail", "another upgrade of the device is under way")
    else:
        timer_id = _watch(platform, sub)
        sub = platform.table(SUB_OPERATIONS).change(sub["subOperationId"], active=True, timer=timer_id)
        platform.emit("upgrade_issued", sub)
        _let_script_react(platform, sub)


def _fail(platform: Platform, sub: Row, outcome: str, detail: str) -> None:
    """End an attempt that failed; plan the next one if the policy allows it."""
    operation = platform.table(OPERATIONS)[sub["operationId"]]
    window, pause = operation["window"], platform.settings.upgrade_retry_delay
    in_window = window is None or platform.now() + pause <= window[1]
    if sub["attempts"] > operation["retries"] or not in_window:
        _end(platform, sub, outcome, detail)
        return
    _stop_attempt(platform, sub, step=None, detail=detail)
    platform.after(pause, "upgrade.retry", sub_operation_id=sub["subOperationId"])


def _stop_attempt(platform: Platform, sub: Row, **changes: Any) -> Row:
    platform.cancel(sub["timer"])
    device = devices.find(platform, sub["deviceId"])
    if sub["active"] and device is not None and device["statusDetail"] == UPDATING:
        devices.changed(platform, sub["deviceId"], statusDetail="NONE")
    return platform.table(SUB_OPERATIONS).change(
        sub["subOperationId"], active=False, planned=False, timer=None, **changes
    )


def _watch(platform: Platform, sub: Row) -> str:
    platform.cancel(sub["timer"])
    deadline = platform.settings.upgrade_timeout
    return platform.after(deadline, "upgrade.silent", sub_operation_id=sub["subOperationId"])


def _end(platform: Platform, sub: Row, outcome: str, detail: str) -> None:
    now = platform.now()
    sub = _stop_attempt(platform, sub, outcome=outcome, detail=detail, stopped=now)
    if outcome != "stop":
        device = devices.find(platform, sub["deviceId"]) or {}
        body = bodies.upgrade_result(
            sub["operateType"],
            sub["deviceId"],
            sub["appId"],
            sub["operationId"],
            sub["subOperationId"],
            current=device.get(version_field(sub["operateType"])),
            target=sub["target"],
            source=sub["source"],
            ok=outcome == "success",
            upgrade_time=str(int(now - (now if sub["started"] is None else sub["started"]))),
            detail=detail,
        )
        platform.notify(sub["appId"], body["notifyType"], body)
    _close_if_complete(platform, sub["operationId"])


def _close_if_complete(platform: Platform, operation_id: str) -> None:
    counts = statistics(platform, operation_id)
    if counts["wait"] or counts["processing"]:
        return
    status = "success"
    if counts["fail"] or counts["timeout"]:
        status = "failed"
    elif counts["stop"]:
        status = "stop"
    platform.table(OPERATIONS).change(operation_id, status=status, stopped=platform.now())


def statistics(platform: Platform, operation_id: str) -> dict[str, int]:
    """Return how many devices of an operation are in each state; the numbers add up to total."""
    subs = platform.table(SUB_OPERATIONS)
    counts = {outcome: len(subs.where(operationId=operation_id, outcome=outcome)) for outcome in OUTCOMES}
    return {"total": sum(counts.values()), **counts}


def _state_message(sub: Row, state: str) -> tuple[str, Row]:
    body = bodies.upgrade_state(
        sub["operateType"], sub["deviceId"], sub["appId"], sub["operationId"], sub["subOperationId"], state
    )
    return body["notifyType"], body


# --- devices ---


@on("device_heard")
def device_heard(platform: Platform, device: Row) -> None:
    """Start what waits for the device to be heard. A scripted device also continues what it missed in its sleep."""
    subs = platform.table(SUB_OPERATIONS)
    if not subs.where(deviceId=device["deviceId"]):
        return
    for sub in subs.where(deviceId=device["deviceId"], outcome="wait"):
        if platform.table(OPERATIONS)[sub["operationId"]]["executeType"] == "device_online":
            _start(platform, sub)
    for sub in subs.where(deviceId=device["deviceId"], active=True):
        if sub["step"] is None and not sub["planned"]:
            _let_script_react(platform, sub)


@on("device_deleted")
def device_deleted(platform: Platform, device: Row) -> None:
    """Stop the upgrades of a deleted device."""
    for sub in open_subs(platform, deviceId=device["deviceId"]):
        _end(platform, sub, "stop", "the device was deleted")


def _let_script_react(platform: Platform, sub: Row) -> None:
    script = platform.table(scripts.SCRIPTS).get(sub["deviceId"])
    if script is not None and script["answer"] != "never" and scripts.listens(platform, sub["deviceId"]):
        _plan_step(platform, sub, script, STATES[0])


def _plan_step(platform: Platform, sub: Row, script: Row, state: str) -> None:
    platform.table(SUB_OPERATIONS).change(sub["subOperationId"], planned=True)
    transitions.later(
        platform,
        script["after"],
        "upgrade.step",
        sub_operation_id=sub["subOperationId"],
        state=state,
        attempt=sub["attempts"],
    )


@timer("upgrade.step")
def _step(platform: Platform, sub_operation_id: str, state: str, attempt: int) -> None:
    sub = platform.table(SUB_OPERATIONS).get(sub_operation_id)
    if sub is None or not sub["active"] or sub["attempts"] != attempt:
        return
    platform.table(SUB_OPERATIONS).change(sub_operation_id, planned=False)
    script = platform.table(scripts.SCRIPTS).get(sub["deviceId"])
    if script is None:
        return
    # A test may have moved the device on by hand meanwhile.
    reached = -1 if sub["step"] is None else STATES.index(sub["step"])
    if STATES.index(state) != reached + 1:
        return
    if state == "idle":
        ok = script["answer"] == "success"
        report_state(platform, sub_operation_id, state)
        finish(platform, sub_operation_id, ok=ok, detail="upgraded" if ok else "the device refused the package")
        return
    report_state(platform, sub_operation_id, state)
    _plan_step(platform, sub, script, STATES[STATES.index(state) + 1])
