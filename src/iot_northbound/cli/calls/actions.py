"""A command for an operation of the emulator's control plane: its arguments and options come from the operation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import click

from iot_northbound.cli.calls.control import control_plane
from iot_northbound.cli.calls.fields import columns_of, made
from iot_northbound.cli.calls.values import Json, Time, pairs
from iot_northbound.cli.command import Option
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.output import FORMATS

if TYPE_CHECKING:
    from iot_northbound.emulator.control.operations import Operation

_FIELD = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_PAIRS = "KEY=VALUE..."
_FIELDS = "fields"
_SHOWN = 8
"""Choices that the help of an option shows. If there are more, an error lists them all."""
_PLAIN = {"string": str, "integer": int, "number": float}


@attrs.frozen(kw_only=True)
class Action:
    """A command that does one operation."""

    name: str
    operation: str
    help: str
    arguments: tuple[str, ...] = ()
    """Fields that are arguments, in their order, after the ids of the path; an object is given as `key=value`."""
    as_pairs: bool = False
    """Whether all fields are given as `key=value`."""
    columns: tuple[str, ...] = ()
    """Columns of the table, if it answers with a list."""
    done: str = ""
    """What to say if it answers with nothing."""

    def command(self) -> click.Command:
        """Return the command."""
        # Here, because it needs the extra of the emulator, and the list of these commands does not.
        from iot_northbound.emulator.control.operations import OPERATIONS

        operation = next(each for each in OPERATIONS if each.name == self.operation)

        def run(session: Session, control_url: str | None, home: str | None, **given: Any) -> None:
            ids = {name: given.pop(name) for name in operation.ids}
            if self.as_pairs:
                given = pairs(given[_FIELDS])
            fields = {
                name: pairs(value) if isinstance(value, tuple) else value
                for name, value in given.items()
                if value is not None
            }
            answer = control_plane(control_url, home).ask(operation.method, operation.path, ids, fields)
            self._show(session, answer, {**ids, **fields})

        formats = () if operation.status == 204 else FORMATS
        return made(
            self.name, self.help, self._parameters(operation), pass_session(platform=None, formats=formats)(run)
        )

    def _parameters(self, operation: Operation) -> Iterator[click.Parameter]:
        words = {name: " ".join(text.split()) for name, text in _FIELD.findall(inspect.getdoc(operation.call) or "")}
        fields = operation.query if operation.method == "GET" else (operation.body or {}).get("properties", {})
        for name in operation.ids:
            yield click.Argument([name], required=True)
        for name in self.arguments:
            if _is(fields[name], "object"):
                yield click.Argument([name], nargs=-1, metavar=_PAIRS, required=True)
            else:
                yield click.Argument([name], type=_kind(name, fields[name]), metavar=name.upper(), required=True)
        if self.as_pairs:
            yield click.Argument([_FIELDS], nargs=-1, metavar=_PAIRS, required=True)
            fields = {}
        for name, schema in fields.items():
            if name not in self.arguments:
                yield _option(name, schema, words.get(name, ""))
        yield Option(["control_url", "--control"], metavar="URL", help="its control plane; by default that of --home")
        yield Option(["home", "--home"], metavar="DIR", help="the emulator's folder, if it is not the usual one")

    def _show(self, session: Session, answer: Any, given: Mapping[str, Any]) -> None:
        if self.columns:
            session.output.rows(answer, columns_of(self.columns))
        elif answer is None:
            session.output.note(self.done.format_map(given))
        else:
            session.output.item(answer if isinstance(answer, dict) else {"answer": answer})


def _is(schema: Mapping[str, Any], kind: str) -> bool:
    kinds = schema.get("type", ())
    return kind in ([kinds] if isinstance(kinds, str) else kinds)


def _kind(name: str, schema: Mapping[str, Any]) -> Any:
    """Return the type of the values that a person types for a field. The control plane checks them."""
    if "enum" in schema:
        return click.Choice([each for each in schema["enum"] if each is not None])  # its error lists them all
    if name.endswith("_time"):
        return Time()
    if _is(schema, "object") or _is(schema, "array"):
        return Json()
    return next((made for kind, made in _PLAIN.items() if _is(schema, kind)), Json())


def _option(name: str, schema: Mapping[str, Any], words: str) -> Option:
    option = f"--{name.replace('_', '-')}"
    words = words.replace("`", "").replace("None: ", "by default ").rstrip(".")
    words = f"{words[:1].lower()}{words[1:]}"
    if _is(schema, "boolean"):
        return Option([name, f"{option}/--no-{option[2:]}"], default=None, help=words)
    many = len(schema.get("enum", ())) > _SHOWN
    return Option([name, option], type=_kind(name, schema), metavar="WORD" if many else None, help=words)
