"""What the control plane offers over HTTP: an operation is a method of `Control`, a path, and schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iot_northbound.emulator.control.schema import (
    ANY_OBJECT,
    BOOLEAN,
    Schema,
    nullable,
    number,
    one_of,
    record,
    some,
    text,
)
from iot_northbound.emulator.faults import CALL_KINDS, PUSH_KINDS
from iot_northbound.emulator.kernel.transitions import MODES
from iot_northbound.emulator.rules.devices import OFFLINE_DETAILS, ONLINE_DETAILS, REPORTABLE
from iot_northbound.emulator.rules.notification_bodies import ALL_KINDS
from iot_northbound.emulator.rules.scripts import ANSWERS
from iot_northbound.emulator.rules.upgrades import STATES

_ROWS: Schema = {"type": "array", "items": ANY_OBJECT}
_SECONDS = number(0, 10 * 365 * 86_400)
_WHOLE = number(1, 1_000_000_000, whole=True)
_LIMIT = number(0, 1_000_000_000, whole=True)
_EPOCH = number(0, 4_000_000_000)


@dataclass(frozen=True)
class Operation:
    """One operation; `name` is the method of `Control`, whose docstring tells what it does."""

    method: str
    path: str
    name: str
    body: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    status: int = 200
    answer: Schema = field(default_factory=lambda: ANY_OBJECT)
    may_miss: bool = False


_FAULT = record(
    {"kind": one_of(*CALL_KINDS, *PUSH_KINDS)},
    endpoint=text(0),
    notify_type=one_of("*", "", *ALL_KINDS),
    url=text(0),
    count=nullable(number(1, 1_000_000_000, whole=True)),
    probability=number(0, 1),
    when=one_of("before", "after"),
    seconds=nullable(number(0, 86_400)),
    status=number(200, 599, whole=True),
    body={"description": "Any JSON; text goes out as it is."},
    headers={
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9-]*$"},
        "additionalProperties": {"type": "string", "pattern": "^[ -~]*$"},
    },
    delta={**number(-1_000_000, 1_000_000, whole=True), "not": {"const": 0}},
)
SETTINGS_SCHEMA = record(
    token_lifetime=_WHOLE,
    refresh_token_lifetime=_WHOLE,
    flow_control=BOOLEAN,
    calls_a_minute=_WHOLE,
    verify_timeout=_LIMIT,
    abnormal_after=nullable(_SECONDS),
    offline_after=nullable(_SECONDS),
    device_limit=nullable(_LIMIT),
    nonsecure_device_limit=nullable(_LIMIT),
    frozen_device_limit=nullable(_LIMIT),
    license_limit=nullable(_LIMIT),
    history_days=number(0, 10_000, whole=True),
    history_rows_a_device=_WHOLE,
    transitions=one_of(*MODES),
    transition_delay=_SECONDS,
    pending_commands_a_device=_WHOLE,
    command_ack_timeout=_SECONDS,
    command_answer_timeout=_SECONDS,
    zombie_after=_SECONDS,
    group_limit=_WHOLE,
    unfinished_batch_tasks=_WHOLE,
    upgrade_timeout=_SECONDS,
    upgrade_retry_delay=_SECONDS,
    push_retention=_SECONDS,
)
_TIME = nullable(text(16, 19))
_REQUEST_ID = nullable(text(1, 128))
_DETAILS = tuple(dict.fromkeys((*ONLINE_DETAILS, *OFFLINE_DETAILS)))
_SCRIPTED_REPORT = record(
    {"service_id": text(), "data": ANY_OBJECT},
    increments={"type": "object", "additionalProperties": number(-1e15, 1e15)},
)
_SCRIPT = record(
    answer=one_of(*ANSWERS),
    after=_SECONDS,
    acknowledge=BOOLEAN,
    acknowledge_after=_SECONDS,
    asleep=BOOLEAN,
    result=nullable(ANY_OBJECT),
    report_every=nullable(number(0.001, 10 * 365 * 86_400)),
    report={**_SCRIPTED_REPORT, **some(_SCRIPTED_REPORT), "type": ["object", "array", "null"]},
    takes_wishes=BOOLEAN,
)

OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/health", "health"),
    Operation("POST", "/reset", "reset", status=204),
    Operation("GET", "/settings", "settings"),
    Operation("PATCH", "/settings", "change_settings", SETTINGS_SCHEMA),
    Operation("PUT", "/ids", "seed_ids", record({"seed": nullable(text())}), status=204),
    Operation(
        "POST", "/seed", "seed",
        record({"count": number(1, 1_000_000, whole=True)}, app_id=text(), prefix=text(1, 40), product_id=text()),
        may_miss=True,
    ),
    Operation("GET", "/snapshots", "snapshots", answer={"type": "array", "items": text()}),
    Operation("PUT", "/snapshots/{name}", "snapshot", status=204),
    Operation("POST", "/snapshots/{name}/restore", "restore", status=204),
    Operation("GET", "/clock", "clock"),
    Operation("POST", "/clock/freeze", "freeze", record(at=nullable(_EPOCH)), status=204),
    Operation("POST", "/clock/advance", "advance", record({"seconds": _SECONDS}), status=204),
    Operation("POST", "/clock/thaw", "thaw", status=204),
    Operation("GET", "/steps", "held_steps", answer=_ROWS),
    Operation(
        "POST", "/steps/release", "release",
        record(count=nullable(_WHOLE), kind=nullable(text())), answer=_ROWS,
    ),
    Operation("GET", "/faults", "faults", answer=_ROWS),
    Operation("POST", "/faults", "add_fault", _FAULT, status=201),
    Operation("DELETE", "/faults", "clear_faults", status=204),
    Operation(
        "PUT", "/dice", "seed_faults",
        record({"seed": number(0, 2**53, whole=True)}), status=204,
    ),
    Operation("DELETE", "/faults/{fault_id}", "remove_fault", status=204),
    Operation(
        "GET", "/journal", "journal", answer=_ROWS,
        query={
            "kind": one_of("call", "push"),
            "endpoint": text(),
            "since": number(0, 10**15, whole=True),
            "limit": number(1, 10_000, whole=True),
        },
    ),
    Operation("DELETE", "/journal", "clear_journal", record(bodies=BOOLEAN), status=204),
    Operation("GET", "/pushes", "pushes"),
    Operation("POST", "/applications", "add_application", record(app_id=text(), secret=text()), status=201),
    Operation("DELETE", "/applications/{app_id}", "remove_application", status=204),
    Operation(
        "PUT", "/applications/{owner}/guests/{guest}", "authorise",
        record(allowed=BOOLEAN), status=204,
    ),
    Operation(
        "PUT", "/applications/{app_id}/frozen", "freeze_application",
        record(frozen=BOOLEAN), status=204,
    ),
    Operation(
        "POST", "/models", "add_model", record({"model": ANY_OBJECT}, app_id=text()),
        status=201, may_miss=True,
    ),
    Operation("DELETE", "/models/{product_id}", "delete_model", status=204),
    Operation(
        "POST", "/packages", "add_package", record({"package": ANY_OBJECT}, app_id=text()),
        status=201, may_miss=True,
    ),
    Operation(
        "POST", "/devices/{device_id}/reports", "report",
        record({"service_id": text(), "data": ANY_OBJECT}, event_time=_TIME, request_id=_REQUEST_ID), status=204,
    ),
    Operation(
        "POST", "/devices/{device_id}/reports/batch", "report_services",
        record(
            {"services": some(record({"service_id": text(), "data": ANY_OBJECT}, event_time=_TIME))},
            request_id=_REQUEST_ID,
        ), status=204,
    ),
    Operation(
        "PUT", "/devices/{device_id}/alarm", "report_alarm",
        record({"severity": text()}, status=BOOLEAN, alarm_time=_TIME), status=204,
    ),
    Operation(
        "PATCH", "/devices/{device_id}/info", "report_info",
        record(**{name: text() for name in sorted(REPORTABLE)}), status=204,
    ),
    Operation("POST", "/devices/{device_id}/activate", "activate", status=204),
    Operation(
        "PUT", "/devices/{device_id}/online", "set_online",
        record(online=BOOLEAN, detail=nullable(one_of(*_DETAILS))), status=204,
    ),
    Operation("PUT", "/devices/{device_id}/script", "script", _SCRIPT),
    Operation("DELETE", "/devices/{device_id}/script", "unscript", status=204),
    Operation(
        "PUT", "/devices/{device_id}/services/{service_id}/muted", "mute",
        record({"methods": {"type": "array", "items": text()}}), status=204, may_miss=True,
    ),
    Operation(
        "PUT", "/devices/{device_id}/services/{service_id}/refused", "refuse_desired",
        record(refused=BOOLEAN), status=204, may_miss=True,
    ),
    Operation(
        "POST", "/devices/{device_id}/events", "device_event",
        record({"service_id": text(), "event_type": text(1, 32), "body": ANY_OBJECT}), status=204, may_miss=True,
    ),
    Operation(
        "POST", "/rules/{rule_id}/fire", "fire_rule",
        record(
            {"rule_name": text(), "reasons": _ROWS, "actions": _ROWS},
            app_id=text(), logic=nullable(one_of("and", "or")),
        ), status=204, may_miss=True,
    ),
    Operation(
        "POST", "/commands/{command_id}/answer", "answer_command",
        record(ok=nullable(BOOLEAN), detail=nullable(ANY_OBJECT)), answer=text(),
    ),
    Operation("GET", "/devices/{device_id}/calls", "service_calls", answer=_ROWS),
    Operation(
        "POST", "/devices/{device_id}/calls/answer", "answer_service_call",
        record(
            {"request_id": text()}, ok=nullable(BOOLEAN), body=nullable(ANY_OBJECT), response=nullable(text())
        ),
        answer=text(),
    ),
    Operation(
        "POST", "/upgrades/parts/{sub_operation_id}", "move_upgrade",
        record(state=nullable(one_of(*STATES)), ok=nullable(BOOLEAN)), status=204,
    ),
    Operation("POST", "/upgrades/{operation_id}/stop", "stop_upgrade", status=204),
    Operation(
        "POST", "/devices/{gateway_id}/devices", "add_sub_device", record({"node_id": text()}, name=text()), status=201
    ),
    Operation("DELETE", "/devices/{gateway_id}/devices/{device_id}", "remove_sub_device", status=204),
)  # fmt: skip


_TYPES: Mapping[str, Mapping[str, Schema]] = {
    one.name: {
        **{part[1:-1]: text() for part in one.path.split("/") if part.startswith("{")},
        **(one.body or {}).get("properties", {}),
        **one.query,
    }
    for one in OPERATIONS
}


def types_of(name: str) -> Mapping[str, Schema]:
    """Return the schemas of an operation's arguments by name; none for what is not offered over HTTP."""
    return _TYPES.get(name, {})
