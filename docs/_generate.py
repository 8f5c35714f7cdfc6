"""Write the parts of the documentation that come from the code: ``make generate``."""

import csv
import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import attrs
import click

from iot_northbound import dto, services
from iot_northbound.cli.app import COMMANDS, root
from iot_northbound.cli.exits import Exit
from iot_northbound.core.fields import specs
from iot_northbound.core.open_enum import SYNONYMS, OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.emulator import coverage
from iot_northbound.emulator.control import tables
from iot_northbound.emulator.kernel.calls import meaning
from iot_northbound.emulator.rules import models
from iot_northbound.error_codes import ERROR_CODES, SDK_CODES, ErrorCode
from iot_northbound.errors import BY_KIND
from iot_northbound.services.calls import calls

DOCS = Path(__file__).parent


def call_table() -> str:
    """Return the table of all calls, by section."""
    rows = [f"{len(calls())} calls:", "", "| section | request | method | repeated |", "|---|---|---|---|"]
    for call in calls():
        page = call.name.partition(".")[0].replace("_", "-")
        repeated = "yes" if call.endpoint.repeatable else "no"
        rows.append(_row(call.section, f"`{call.endpoint.name}`", f"[`{call.name}`]({page}.md)", repeated))
    return "\n".join(rows)


def coverage_tables() -> str:
    """Return a table per call: its documented error codes, and how the emulator reaches each of them."""
    codes = coverage.codes()
    kinds = [coverage.kind_of(how) for how in codes.values()]
    lines = [
        f"{len(calls())} calls, {len(kinds)} codes: {kinds.count('state')} by state or input, "
        f"{kinds.count('fault')} by a fault, {kinds.count('unreachable')} not at all."
    ]
    for call in calls():
        lines += ["", f"## {call.section} {call.endpoint.name}", ""]
        lines += ["| code | meaning | reached | how |", "|---|---|---|---|"]
        rows = {code: how for (section, code), how in codes.items() if section == call.section}
        for code, how in sorted(rows.items(), key=lambda row: int(row[0])):
            kind = coverage.kind_of(how)
            text = how if kind == "state" else how.partition(":")[2].strip()
            lines.append(_row(code, meaning(code).rstrip("."), _REACHED[kind], text.rstrip(".")))
    return "\n".join(lines)


_REACHED = {"state": "state", "fault": "fault", "unreachable": "no"}


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
    """Return the table of the wire names that are read in addition to a field's own."""
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
    """Return the table of the words that mean a documented value of an enumeration."""
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


def methods_of(sdk: str) -> str:
    """Return the table of another SDK's methods, and what each of them is called here."""
    rows = ["| section | method | here |", "|---|---|---|"]
    with (DOCS.parent / "tests" / "data" / "other_sdks.csv").open(encoding="utf-8", newline="") as file:
        for fact in csv.DictReader(file):
            if fact["sdk"] == sdk:
                theirs = f"`{fact['class']}.{fact['method']}({fact['arguments']})`"
                rows.append(_row(fact["section"], theirs, _here(fact["service"], fact["ours"])))
    return "\n".join(rows)


def _here(service: str, method: str) -> str:
    """Return a method with its arguments and a link to its page."""
    if not service:
        return f"[`{method}(body)`](receiver/index.md#handlers) of the receiver"
    owner = getattr(services, service.title().replace("_", ""))
    given = signature(getattr(owner, method)).parameters.values()
    shown = [each for each in given if each.name not in ("self", "access_token")]
    words = [f"{each.name}=None" if each.default is None else each.name for each in shown]
    by_name = [each.kind is each.KEYWORD_ONLY for each in shown]
    if True in by_name:
        words.insert(by_name.index(True), "*")
    page = f"api/{service.replace('_', '-')}.md"
    return f"[`client.{service}.{method}({', '.join(words)})`]({page})"


def dto_table() -> str:
    """Return the table of the pages about requests and answers, with the classes of each."""
    rows = ["| page | classes |", "|---|---|"]
    for page in sorted((DOCS / "api" / "dto").glob("*.md")):
        if page.stem != "index":
            title = page.read_text("utf-8").partition("\n")[0].removeprefix("# ")
            module = import_module(f"iot_northbound.dto.{page.stem.replace('-', '_')}")
            classes = ", ".join(f"[`{name}`][{module.__name__}.{name}]" for name in sorted(module.__all__))
            rows.append(_row(f"[{title}]({page.name})", classes))
    return "\n".join(rows)


def _texts(known: ErrorCode) -> tuple[str, str, str]:
    return known.meaning, known.cause, known.remedy


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def model_table() -> str:
    """Return the table of the services of the shipped product models, with their commands and properties."""
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
    words = [rule["dataType"]]
    if "min" in rule:
        words.append(f"{rule['min']} to {rule['max']}")
    if "enumList" in rule:
        words.append(" or ".join(rule["enumList"]))
    if "maxLength" in rule:
        words.append(f"at most {rule['maxLength']} characters")
    if "unit" in rule:
        words.append(rule["unit"])
    optional = "" if rule.get("required") or "propertyName" in rule else " (may be absent)"
    writable = " (writable)" if "W" in rule.get("method", "") else ""
    return f"`{rule.get('paraName') or rule['propertyName']}` {' '.join(words)}{optional}{writable}"


def exit_table() -> str:
    """Return the table of the exit statuses of the command."""
    rows = ["| exit status | what it means |", "|---|---|"]
    return "\n".join([*rows, *(_row(str(each.value), each.meaning) for each in Exit)])


def command_table() -> str:
    """Return the table of the commands, each with the commands of its group."""
    rows = ["| command | what it does |", "|---|---|"]
    context = click.Context(root)
    for name, entry in sorted(COMMANDS.items()):
        command = root.get_command(context, name)
        inner = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else []
        rows.append(_row(f"`{name}`", entry.help + (f": {', '.join(f'`{each}`' for each in inner)}" if inner else "")))
    return "\n".join(rows)


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "api/index.md": {"calls": call_table},
    "api/dto/index.md": {"modules": dto_table},
    "from-php.md": {"methods": partial(methods_of, "PHP")},
    "from-python.md": {"methods": partial(methods_of, "Python")},
    "answers.md": {"second spellings": spelling_table, "other words": synonym_table},
    "errors.md": {"platform codes": platform_table, "SDK codes": sdk_table},
    "emulator-models.md": {"shipped models": model_table},
    "emulator.md": tables.TABLES,
    "emulator-coverage.md": {"codes": coverage_tables},
    "command-line.md": {"exits": exit_table, "commands": command_table},
}


def render(name: str) -> str:
    """Return a page of `PAGES` with new content between its markers.

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
