"""The tables of docs/emulator.md, made from the descriptions of settings, scripts and faults."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.faults import CALL_KINDS, HUB_KINDS, MQTT_KINDS, PUSH_KINDS
from iot_northbound.emulator.kernel.settings import Settings


def settings_table() -> str:
    """Return the table of the settings."""
    return _table("setting", [(name, getattr(Settings(), name), text) for name, text in settings_texts().items()])


def settings_texts() -> dict[str, str]:
    """Return what each setting means, by name."""
    body = ast.parse(inspect.getsource(Settings)).body[0].body  # type: ignore[attr-defined]  # it is a class
    # Each field is followed by a text; the docstring of the class comes first.
    return {field.target.id: ast.literal_eval(text.value) for field, text in zip(body[1::2], body[2::2], strict=True)}


def script_table() -> str:
    """Return the table of a script's fields."""
    return _table("field", _described(Control.script))


def fault_table() -> str:
    """Return the table of the kinds of faults."""
    kinds = {**CALL_KINDS, **PUSH_KINDS, **MQTT_KINDS, **HUB_KINDS}
    rows = [f"| `{kind}` | {text} |" for kind, text in kinds.items()]
    return "\n".join(["| kind | what it does |", "|---|---|", *rows])


def fault_options_table() -> str:
    """Return the table of a fault's options."""
    return _table("option", [row for row in _described(Control.add_fault) if row[0] != "kind"])


def argument_texts(method: Callable[..., Any]) -> dict[str, str]:
    """Return what the docstring of an operation says of its arguments, by their names."""
    arguments = (inspect.getdoc(method) or "").partition("Args:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", arguments, re.M)
    return {name: " ".join(text.split()) for name, text in found}


def _described(method: Callable[..., Any]) -> list[tuple[str, Any, str]]:
    """Return name, default and text of the keyword arguments of an operation."""
    texts = argument_texts(method)
    return [
        (name, parameter.default, texts[name])
        for name, parameter in inspect.signature(method).parameters.items()
        if name in texts and parameter.kind is parameter.KEYWORD_ONLY
    ]


def _table(title: str, rows: Iterable[tuple[str, Any, str]]) -> str:
    lines = [f"| {title} | default | meaning |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {_shown(default)} | {text} |" for name, default, text in rows)])


def _shown(default: Any) -> str:
    if default is None:
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, Mapping):
        return f"`{json.dumps(default)}`"
    return f'`"{default}"`' if isinstance(default, str) else f"{default:g}" if default < 1e6 else f"{default:,}"


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "script": script_table,
    "faults": fault_table,
    "fault options": fault_options_table,
}
