"""What the control plane offers over HTTP: a method and a path for each method of `Control`.

The arguments of an operation are those of its method. The ones that the path does not name are fields of the body, and
of the query of a GET.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.schema import Schema, record

_OBJECT: Schema = {"type": "object"}
_ROWS: Schema = {"type": "array", "items": _OBJECT}
_TEXT: Schema = {"type": "string"}


@dataclass(frozen=True)
class Operation:
    """One operation. `name` is the method of `Control`, whose docstring describes it."""

    method: str
    path: str
    name: str
    status: int = 200
    answer: Schema = field(default_factory=lambda: _OBJECT)
    may_miss: bool = False
    """Whether something that is not part of the path may be missing (404)."""

    @property
    def call(self) -> Any:
        """The method of `Control`."""
        return getattr(Control, self.name)

    @property
    def ids(self) -> list[str]:
        """The arguments that are part of the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @cached_property
    def query(self) -> Mapping[str, Schema]:
        """The schemas of the query's fields; only a GET has some."""
        return self._fields["properties"] if self.method == "GET" else {}

    @cached_property
    def body(self) -> Schema | None:
        """The schema of the body; None if the operation takes none."""
        return self._fields if self.method != "GET" and self._fields["properties"] else None

    @cached_property
    def _fields(self) -> Schema:
        every: Schema = self.call.arguments.schema
        fields = {name: schema for name, schema in every["properties"].items() if name not in self.ids}
        return record(fields, every.get("required", ()))


OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/health", "health"),
    Operation("POST", "/links", "console_link", 201),
    Operation("POST", "/reset", "reset", 204),
    Operation("POST", "/start-over", "start_over", 204),
    Operation("GET", "/settings", "settings"),
    Operation("PATCH", "/settings", "change_settings"),
    Operation("PUT", "/ids", "seed_ids", 204),
    Operation("POST", "/devices", "add_devices", 201, {"type": "integer"}, may_miss=True),
    Operation("POST", "/nodes", "add_device", 201, may_miss=True),
    Operation("GET", "/snapshots", "snapshots", answer={"type": "array", "items": _TEXT}),
    Operation("PUT", "/snapshots/{name}", "snapshot", 204),
    Operation("POST", "/snapshots/{name}/restore", "restore", 204),
    Operation("GET", "/clock", "clock"),
    Operation("POST", "/clock/freeze", "freeze", 204),
    Operation("POST", "/clock/advance", "advance", 204),
    Operation("POST", "/clock/thaw", "thaw", 204),
    Operation("GET", "/steps", "held_steps", answer=_ROWS),
    Operation("POST", "/steps/release", "release", answer=_ROWS),
    Operation("GET", "/faults", "faults", answer=_ROWS),
    Operation("POST", "/faults", "add_fault", 201),
    Operation("DELETE", "/faults", "clear_faults", 204),
    Operation("PUT", "/dice", "seed_faults", 204),
    Operation("DELETE", "/faults/{fault_id}", "remove_fault", 204),
    Operation("GET", "/journal", "journal", answer=_ROWS),
    Operation("GET", "/calls", "calls"),
    Operation("DELETE", "/journal", "clear_journal", 204),
    Operation("GET", "/pushes", "pushes"),
    Operation("POST", "/applications", "add_application", 201),
    Operation("DELETE", "/applications/{app_id}", "remove_application", 204),
    Operation("PUT", "/applications/{owner}/guests/{guest}", "authorise", 204),
    Operation("PUT", "/applications/{app_id}/frozen", "freeze_application", 204),
    Operation("POST", "/models", "add_model", 201, may_miss=True),
    Operation("DELETE", "/models/{product_id}", "delete_model", 204),
    Operation("POST", "/packages", "add_package", 201, may_miss=True),
    Operation("POST", "/devices/{device_id}/reports", "report", 204),
    Operation("POST", "/devices/{device_id}/reports/batch", "report_services", 204),
    Operation("PUT", "/devices/{device_id}/alarm", "report_alarm", 204),
    Operation("PATCH", "/devices/{device_id}/info", "report_info", 204),
    Operation("POST", "/devices/{device_id}/activate", "activate", 204),
    Operation("PUT", "/devices/{device_id}/online", "set_online", 204),
    Operation("PUT", "/devices/{device_id}/script", "script"),
    Operation("DELETE", "/devices/{device_id}/script", "unscript", 204),
    Operation("PUT", "/devices/{device_id}/services/{service_id}/muted", "mute", 204),
    Operation("PUT", "/devices/{device_id}/services/{service_id}/refused", "refuse_desired", 204),
    Operation("POST", "/devices/{device_id}/events", "device_event", 204),
    Operation("POST", "/rules/{rule_id}/fire", "fire_rule", 204),
    Operation("POST", "/commands/{command_id}/answer", "answer_command", answer=_TEXT),
    Operation("PUT", "/hubs/{hub_id}/watched", "watch_hub", 204),
    Operation("GET", "/devices/{device_id}/credentials", "device_credentials"),
    Operation("GET", "/mqtt/sessions", "mqtt_sessions", answer=_ROWS),
    Operation("DELETE", "/mqtt/sessions/{device_id}", "mqtt_kick", 204),
    Operation("POST", "/mqtt/sessions/{device_id}/messages", "mqtt_publish", 204),
    Operation("GET", "/devices/{device_id}/calls", "service_calls", answer=_ROWS),
    Operation("POST", "/devices/{device_id}/calls/answer", "answer_service_call", answer=_TEXT),
    Operation("POST", "/upgrades/parts/{sub_operation_id}", "move_upgrade", 204),
    Operation("POST", "/upgrades/{operation_id}/stop", "stop_upgrade", 204),
    Operation("POST", "/devices/{gateway_id}/devices", "add_sub_device", 201),
    Operation("DELETE", "/devices/{gateway_id}/devices/{device_id}", "remove_sub_device", 204),
    Operation("POST", "/devices/{device_id}/unbind", "unbind_gateway", 204),
)
