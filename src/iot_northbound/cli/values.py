"""Values on the command line, each read by a function that says what is wrong with it (status 2)."""

import argparse
import contextlib

_DAY = 86_400


def port(text: str) -> int:
    """Return a port to connect to."""
    return _port(text, 1)


def port_or_free(text: str) -> int:
    """Return a port to listen on; 0 stands for any free one."""
    return _port(text, 0)


def _port(text: str, lowest: int) -> int:
    if not (text.isascii() and text.isdecimal()) or not lowest <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from {lowest} to 65535")
    return int(text)


def whole(text: str) -> int:
    """Return a whole number from 1."""
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def seconds(text: str) -> float:
    """Return a span above nothing, a day at most: sockets take no number beyond some size."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) <= _DAY:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, up to {_DAY}")
