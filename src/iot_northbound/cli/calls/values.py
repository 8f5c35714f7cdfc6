"""What a person types on the command line, as values for JSON."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from iot_northbound.cli.command import refuse
from iot_northbound.core.textfiles import read_text
from iot_northbound.core.times import format_time, is_platform_time
from iot_northbound.input_files import MOST

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:  # older versions of click have no type argument
    ParamType = click.ParamType


class Time(ParamType):
    """A time: the platform's form, or any form of ISO 8601; without a zone it is the local time."""

    name = "TIME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it in the platform's form."""
        if is_platform_time(value):
            return value
        try:
            moment = datetime.fromisoformat(value)
            return format_time(moment if moment.tzinfo else moment.astimezone())
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is not a time: write 2026-03-01T08:00 or 20260301T080000Z", param, ctx)


class Json(ParamType):
    """A JSON value, or `@FILE` for a file that contains one."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value."""
        if not isinstance(value, str):
            return value
        text = read(value[1:], param, ctx) if value.startswith("@") else value
        try:
            return parsed(text)
        except ValueError as error:
            self.fail(f"this is not JSON ({error})", param, ctx)


class JsonFile(ParamType):
    """A file that contains a JSON object; `-` is the standard input."""

    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object."""
        if isinstance(value, dict):
            return value
        try:
            found = parsed(read(value, param, ctx))
        except ValueError as error:
            self.fail(f"{_named(value)} is not JSON ({error})", param, ctx)
        if not isinstance(found, dict):
            self.fail(f"{_named(value)} must contain a JSON object", param, ctx)
        return found


class SecretFile(ParamType):
    """A file that contains a secret on its only line; `-` is the standard input."""

    name = "FILE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the secret."""
        secret = read(value, param, ctx).rstrip("\r\n")
        if not secret:
            self.fail(f"{_named(value)} is empty: it must contain the secret", param, ctx)
        return secret


def read(path: str, param: click.Parameter | None = None, ctx: click.Context | None = None) -> str:
    """Return the text of a file, or of the standard input for `-`; end the command if it cannot be read."""
    try:
        if path != "-":
            return read_text(Path(path).expanduser())
        text = sys.stdin.read(MOST + 1)
        if len(text) > MOST:
            raise OSError(errno.EFBIG, f"it has more than {MOST >> 20} MiB")
        return text
    except (OSError, UnicodeDecodeError, RuntimeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise click.BadParameter(f"{_named(path)} cannot be read: {why}", ctx=ctx, param=param) from None


def _named(path: str) -> str:
    return "the standard input" if path == "-" else path


def parsed(text: str) -> Any:
    """Return a JSON value.

    Raises:
        ValueError: it is not JSON; NaN and Infinity are not, and no number has thousands of digits.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"JSON has no {word}")


def value_of(text: str) -> Any:
    """Return the value of `key=value`: JSON if the text is JSON, otherwise the text itself."""
    try:
        return parsed(text)
    except ValueError:
        return text


def pairs(texts: Iterable[str]) -> dict[str, Any]:
    """Return `key=value` arguments as a JSON object; end the command if one has another form."""
    return {key: value_of(value) for key, value in text_pairs(texts).items()}


def text_pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return `key=value` arguments with their values as text; end the command if one has another form."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            refuse(f"{text!r} is not key=value")
        if key in found:
            refuse(f"{key} is given twice")
        found[key] = value
    return found


def dotted(text: str, what: str) -> tuple[str, str]:
    """Return the two parts of `Service.method`; end the command if it has another form."""
    service, dot, name = text.partition(".")
    if not (service and dot and name):
        refuse(f"{text!r} is not {what}")
    return service, name
