"""The question before something is deleted."""

from __future__ import annotations

import sys

import click

from iot_northbound.cli.command import Option, refuse

_HELP = "do it without asking"


def confirm(what: str, *, yes: bool) -> None:
    """Ask whether to do it, unless the answer was given; end the command if the answer is no, or nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        refuse(f"nobody can be asked whether to {what}: add --yes")
    click.confirm(f"{what[0].upper()}{what[1:]}?", abort=True, err=True)


def yes_option() -> Option:
    """Return the option that answers the question of `confirm`."""
    return Option(["yes", "--yes", "-y"], is_flag=True, help=_HELP)


yes_flag = click.option("--yes", "-y", is_flag=True, help=_HELP)
"""The same as a decorator."""


def count_of(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
