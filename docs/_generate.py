"""Write the tables of error codes and of the emulator's product models: ``python docs/_generate.py``."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from iot_northbound.emulator.control import tables
from iot_northbound.emulator.rules import models
from iot_northbound.error_codes import ERROR_CODES, SDK_CODES, ErrorCode
from iot_northbound.errors import BY_KIND

DOCS = Path(__file__).parent


def platform_table() -> str:
    """Return the table of the platform's codes, by number."""
    rows = [
        "| code | HTTP | exception | meaning | likely cause | what to do |",
        "|---|---|---|---|---|---|",
    ]
    for known in sorted(ERROR_CODES.values(), key=lambda one: int(one.code)):
        statuses = ", ".join(map(str, known.statuses))
        rows.append(_row(known.code, statuses, f"`{BY_KIND[known.kind].__name__}`", *_texts(known)))
    return "\n".join(rows)


def sdk_table() -> str:
    """Return the table of the SDK's own codes."""
    rows = ["| code | meaning | likely cause | what to do |", "|---|---|---|---|"]
    rows += [_row(known.code, *_texts(known)) for known in SDK_CODES.values()]
    return "\n".join(rows)


def _texts(known: ErrorCode) -> tuple[str, str, str]:
    return known.meaning, known.cause, known.remedy


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def model_table() -> str:
    """Return the table of the shipped product models' services, with what their commands take and what they report."""
    rows = ["| model, service | commands and their parameters | properties |", "|---|---|---|"]
    for model in models.shipped():
        for service in model["services"]:
            commands = [
                f"**{one['commandName']}** ({', '.join(map(_value, one.get('paras', ()))) or 'none'})"
                for one in service.get("commands", ())
            ]
            properties = [_value(one) for one in service.get("properties", ())]
            name = f"{model['productId']}, {service['serviceId']}"
            rows.append(_row(name, "; ".join(commands) or "none", ", ".join(properties) or "none"))
    return "\n".join(rows)


def _value(rule: Mapping[str, Any]) -> str:
    told = [rule["dataType"]]
    if "min" in rule:
        told.append(f"{rule['min']} to {rule['max']}")
    if "enumList" in rule:
        told.append(" or ".join(rule["enumList"]))
    if "maxLength" in rule:
        told.append(f"at most {rule['maxLength']} characters")
    if "unit" in rule:
        told.append(rule["unit"])
    optional = "" if rule.get("required") or "propertyName" in rule else " (may be absent)"
    writable = " (writable)" if "W" in rule.get("method", "") else ""
    return f"`{rule.get('paraName') or rule['propertyName']}` {' '.join(told)}{optional}{writable}"


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "errors.md": {"platform codes": platform_table, "SDK codes": sdk_table},
    "emulator-models.md": {"shipped models": model_table},
    "emulator.md": tables.TABLES,
}


def render(name: str) -> str:
    """Return a page of `PAGES` with the tables between its markers made anew.

    Raises:
        ValueError: a pair of markers is missing.
    """
    page = (DOCS / name).read_text("utf-8")
    for title, table in PAGES[name].items():
        marked = re.compile(rf"(<!-- begin {title} -->\n).*?(<!-- end {title} -->)", re.DOTALL)
        found = marked.search(page)
        if found is None:
            raise ValueError(f"{name} has no pair of markers for {title!r}")
        page = f"{page[: found.start()]}{found[1]}\n{table()}\n\n{found[2]}{page[found.end() :]}"
    return page


if __name__ == "__main__":
    for each in PAGES:
        (DOCS / each).write_text(render(each), "utf-8")
