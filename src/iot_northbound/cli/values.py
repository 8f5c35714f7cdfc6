"""Readers of values on the command line. Each says what is wrong with a value (status 2)."""

import contextlib

import click

_DAY = 86_400


def port(text: str) -> int:
    """Return a port to connect to."""
    return _port(text, 1)


def port_or_free(text: str) -> int:
    """Return a port to listen on; 0 means any free one."""
    return _port(text, 0)


def _port(text: str, lowest: int) -> int:
    if not (text.isascii() and text.isdecimal()) or not lowest <= int(text) <= 65_535:
        raise click.BadParameter(f"{text!r} is not a port: give a number from {lowest} to 65535")
    return int(text)


def whole(text: str) -> int:
    """Return a whole number of 1 or more."""
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        raise click.BadParameter(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def seconds(text: str) -> float:
    """Return a number of seconds above 0, at most a day: sockets refuse very large numbers."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) <= _DAY:
            return number
    raise click.BadParameter(f"{text!r} is not a number of seconds above 0 and up to {_DAY}")
