"""Write the tables that come from the code (error codes, spellings, product models): ``python docs/_generate.py``."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from iot_northbound import dto
from iot_northbound.core.fields import specs
from iot_northbound.core.open_enum import SYNONYMS, OpenEnum
from iot_northbound.core.received import Received
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


def spelling_table() -> str:
    """Return the table of the wire names that are read beside a field's own."""
    rows = ["| class | attribute | documented name | also read |", "|---|---|---|---|"]
    for name in sorted(dto.__all__):
        cls = getattr(dto, name)
        if not (isinstance(cls, type) and attrs.has(cls) and issubclass(cls, Received)):
            continue
        inherited = {
            spec.name
            for base in cls.__bases__
            if attrs.has(base) and base.__name__ in dto.__all__
            for spec in specs(base).values()
        }
        for spec in specs(cls).values():
            if spec.also and spec.name not in inherited:
                also = ", ".join(f"`{other}`" for other in spec.also)
                rows.append(_row(f"`{name}`", f"`{spec.name}`", f"`{spec.wire}`", also))
    return "\n".join(rows)


def synonym_table() -> str:
    """Return the table of the enumerations' values that other words stand for."""
    rows = ["| enumeration | value | also means it |", "|---|---|---|"]
    for name in sorted(dto.__all__):
        cls = getattr(dto, name)
        if not (isinstance(cls, type) and issubclass(cls, OpenEnum)):
            continue
        for words in SYNONYMS:
            members = [member for member in cls if member.value.casefold() in words]
            if len(members) == 1:
                others = [f"`{word.upper()}`" for word in words if word != members[0].value.casefold()]
                rows.append(_row(f"`{name}`", f"`{members[0].value}`", ", ".join(others)))
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
    "answers.md": {"second spellings": spelling_table, "other words": synonym_table},
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
