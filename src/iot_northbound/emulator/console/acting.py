"""What the page does: operations of the control plane, with the arguments of a form."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from iot_northbound.emulator.console.forms import OFFERED, Field, changes, fields_of, read
from iot_northbound.emulator.control.base import NotFound
from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.operations import Operation
from iot_northbound.emulator.control.schema import InvalidArgument
from iot_northbound.emulator.control.tables import settings_texts
from iot_northbound.emulator.journal import redacted

_GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("devices", "nodes", "commands", "mqtt", "hubs", "upgrades"), "Devices"),
    **dict.fromkeys(("applications", "models", "packages", "rules"), "Applications"),
    **dict.fromkeys(("clock", "steps"), "Time"),
    **dict.fromkeys(("faults", "dice"), "Faults"),
    **dict.fromkeys(("journal", "snapshots", "reset", "start-over", "ids", "settings"), "State"),
}
"""The group of an operation, by the first part of its path."""
_OTHERS = "More"
_LOSES = frozenset(
    {
        "reset",
        "start_over",
        "restore",
        "remove_application",
        "unbind_gateway",
        "remove_sub_device",
        "delete_model",
        "clear_journal",
    }
)
"""Operations after which something is gone: their buttons lead to the form first."""


@dataclass(frozen=True)
class Outcome:
    """What became of an action."""

    operation: str
    text: str = ""
    result: Any = None
    error: str | None = None


@cache
def _fields(name: str) -> tuple[Field, ...]:
    return tuple(fields_of(OFFERED[name]))


@cache
def _setting_fields() -> tuple[Field, ...]:
    texts = settings_texts()
    return tuple(Field(**{**vars(each), "text": texts.get(each.name, "")}) for each in _fields("change_settings"))


def title(name: str) -> str:
    """Return the name of an operation as people read it."""
    return name.replace("_", " ").capitalize().replace("Mqtt", "MQTT")


def summary(operation: Operation) -> tuple[str, str]:
    """Return the first sentence of an operation's documentation, and what follows before its arguments."""
    first, _, more = (inspect.getdoc(operation.call) or "").partition("\n")
    for section in ("Args:", "Raises:", "Returns:"):
        more = more.partition(section)[0]
    return first, " ".join(more.split())


@cache
def groups() -> dict[str, list[tuple[str, str, str]]]:
    """Return all operations by group: name, title, summary."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for one in OFFERED.values():
        group = _GROUPS.get(one.path.split("/")[1], _OTHERS)
        found.setdefault(group, []).append((one.name, title(one.name), summary(one)[0]))
    return {name: found[name] for name in sorted(found, key=lambda each: (each == _OTHERS, each))}


class Acting:
    """Runs operations for the page."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def offers(self, name: str) -> bool:
        """Return whether the page offers an operation."""
        return name in OFFERED

    def values(self, page: str) -> dict[str, Any]:
        """Return what a page needs beside its snapshot."""
        if page == "control":
            return {"groups": groups()}
        return {"fields": _setting_fields()} if page == "settings" else {}

    def form(self, name: str, given: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the values of the page with an operation's form; None if there is no such operation."""
        if name not in OFFERED:
            return None
        first, more = summary(OFFERED[name])
        return {
            "operation": name,
            "title": title(name),
            "first": first,
            "more": more,
            "fields": _fields(name),
            "given": {each.name: given[each.name] for each in _fields(name) if each.name in given and
                      each.kind != "secret"},
            "loses": name in _LOSES,
        }  # fmt: skip

    async def do(self, name: str, form: Mapping[str, str]) -> Outcome:
        """Run an operation with what a form gives."""
        try:
            result = await OFFERED[name].call.on_loop(self._control, read(_fields(name), form))
        except (InvalidArgument, NotFound) as error:
            return Outcome(name, error=str(error))
        return Outcome(name, f"Done: {title(name)}.", _shown(result))

    async def change_settings(self, form: Mapping[str, str]) -> Outcome:
        """Change the settings that differ from the present ones."""
        name = "change_settings"
        try:
            read: Any = Control.settings  # an operation has more attributes than a function
            present = await read.on_loop(self._control, {})
            found = changes(_setting_fields(), form, present)
            await OFFERED[name].call.on_loop(self._control, found)
        except (InvalidArgument, NotFound) as error:
            return Outcome(name, error=str(error))
        told = ", ".join(f"{each} = {json.dumps(value)}" for each, value in found.items())
        return Outcome(name, f"Changed: {told}." if found else "Nothing was changed.")


def _shown(result: Any) -> Any:
    """Return the result of an operation without secrets; a long list as its length."""
    if isinstance(result, list) and len(result) > 20:
        return f"{len(result)} items"
    return redacted(result)
