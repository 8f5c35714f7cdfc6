"""``iot-northbound errors``: what error codes mean, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from iot_northbound.cli.command import Command, refuse
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit, exit_of
from iot_northbound.cli.output import Column
from iot_northbound.core.suggest import did_you_mean

if TYPE_CHECKING:
    from iot_northbound.error_codes import ErrorCode

_PARTS = ("access", "commands", "devices", "groups", "sdk", "upgrades")
_COLUMNS = (Column("code", "code"), Column("HTTP", "statuses"), Column("exit", "exit"), Column("meaning", "meaning"))


@click.command("errors", cls=Command)
@click.argument("what", nargs=-1, metavar="[CODE|WORD]...")
@click.option("--service", type=click.Choice(_PARTS), help="only codes of this part of the API; sdk: the SDK's own")
@pass_session(platform=None)
def errors(session: Session, what: tuple[str, ...], service: str | None) -> Exit:
    """Explain an error code, or list codes.

    With a CODE, show its meaning, its likely cause and what to do. With WORDs, list the codes whose explanations
    contain all of them. Without either, list all codes. `exit` is the exit status of a command that
    fails with this code.
    """
    known = _codes(service)
    if len(what) == 1 and what[0].isascii() and what[0].isdecimal():
        code = what[0]
        if code not in known:
            where = f" of {service}" if service else ""
            hint = did_you_mean(code, list(known)) or "; `iot-northbound errors` lists all"
            refuse(f"there is no error code {code}{where}{hint}")
        session.output.item(_as_values(known[code]), _as_lines(known[code]))
        return Exit.DONE
    words = [word.casefold() for word in " ".join(what).split()]
    found = [each for each in known.values() if all(word in _text(each) for word in words)]
    found.sort(key=lambda each: int(each.code))
    return Exit.DONE if session.output.rows(map(_as_values, found), _COLUMNS) else Exit.FAILED


def _codes(part: str | None) -> dict[str, ErrorCode]:
    from importlib import import_module

    codes: dict[str, ErrorCode] = {}
    for name in [part] if part else _PARTS:
        codes |= import_module(f"iot_northbound.error_codes.{name}").CODES
    return codes


def _text(known: ErrorCode) -> str:
    return " ".join((known.code, known.kind, known.meaning, known.cause, known.remedy)).casefold()


def _exit(known: ErrorCode) -> Exit:
    from iot_northbound.errors import class_for

    return exit_of(class_for(known.code, known.statuses[0] if known.statuses else None)(known.code, known.meaning))


def _as_values(known: ErrorCode) -> dict[str, Any]:
    return {
        "code": known.code,
        "kind": known.kind.value,
        "statuses": list(known.statuses),
        "exit": _exit(known).value,
        "meaning": known.meaning,
        "cause": known.cause,
        "remedy": known.remedy,
    }


def _as_lines(known: ErrorCode) -> dict[str, str]:
    from iot_northbound.errors import class_for

    return {
        "code": known.code,
        "meaning": known.meaning,
        "likely cause": known.cause,
        "what to do": known.remedy,
        "exception": class_for(known.code, known.statuses[0] if known.statuses else None).__name__,
        "HTTP status": ", ".join(map(str, known.statuses)),
        "exit status": f"{_exit(known).value}: {_exit(known).meaning}",
    }
