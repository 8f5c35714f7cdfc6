"""Helpers for tests of upgrades."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.clock import time_text
from tests.emulator.calling import Answer, Caller
from tests.emulator.scene import MANAGEMENT, OPERATIONS, pushed, settle

KINDS = [("firmware", "firmwarePackage", "fwVersion", "fw"), ("software", "softwarePackage", "swVersion", "sw")]


def ask(app: Caller, targets: dict[str, Any], kind: str = "firmware", **fields: Any) -> Answer:
    body = {"fileId": "meter-2.0", "targets": targets, **fields}
    return app.call("POST", f"{OPERATIONS}/{kind}Upgrade", body)


def create(app: Caller, targets: dict[str, Any], kind: str = "firmware", **fields: Any) -> str:
    answer = ask(app, targets, kind, **fields)
    assert answer.status == 200, answer
    settle(app.platform)
    operation_id: str = answer.body["operationId"]
    return operation_id


def operation(app: Caller, operation_id: str) -> dict[str, Any]:
    found: dict[str, Any] = app.call("GET", f"{OPERATIONS}/{operation_id}").body
    counts = dict(found["staResult"])
    assert counts.pop("total") == sum(counts.values())
    return found


def subs(app: Caller, operation_id: str, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = app.call("GET", f"{OPERATIONS}/{operation_id}/subOperations", **query).body["data"]
    return rows


def custom(app: Caller, start: float, end: float, **fields: Any) -> dict[str, Any]:
    now = app.platform.now()
    return {"executeType": "custom", "startTime": time_text(now + start), "endTime": time_text(now + end), **fields}


def results(app: Caller) -> list[tuple[str, str]]:
    """Return the operation and the result of each upgrade that was pushed."""
    rows = pushed(app.platform, "fwUpgradeResultNotify")
    return [(body["operationId"], body["status"]) for body in rows]


def listen(app: Caller, kind: str = "fwUpgradeResultNotify") -> None:
    app.call("POST", MANAGEMENT, {"notifyType": kind, "callbackUrl": "https://na.example/up"})


def retrying(times: int) -> dict[str, Any]:
    return {"executeType": "now", "retryType": True, "retryTimes": times}
