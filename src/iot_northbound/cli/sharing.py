"""What the subcommands about the shared state have in common: their arguments, the open state, and how it is shown."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iot_northbound.cli.connection import add_arguments, read_secret, settings_from
from iot_northbound.cli.parser import Parser
from iot_northbound.cli.wording import printable
from iot_northbound.errors import InvalidArgumentError, SdkCode, SharedStateError

if TYPE_CHECKING:
    from iot_northbound.config import Settings
    from iot_northbound.shared import State


def add_shared_arguments(parser: Parser) -> None:
    """Add the arguments that name an application and its shared state."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    shared = parser.add_mutually_exclusive_group()
    shared.add_argument(
        "--shared",
        metavar="URL",
        help="the shared state: file:/path, redis://host or postgresql://host/database (default: that of the profile "
        "or the variables)",
    )
    shared.add_argument("--shared-file", metavar="FILE", help="file with that URL, if it contains a password")
    add_arguments(parser, "platform and application")


@contextlib.contextmanager
def opened_state(arguments: argparse.Namespace) -> Iterator[tuple[State, Settings]]:
    """Yield the shared state of these arguments and their configuration.

    Raises:
        SharedStateError: the engine is away (1001).
        NorthApiException: the arguments or the configuration cannot be used.
    """
    # Here, so that the other commands and every --help do not load an engine.
    from iot_northbound.core.clock import SYSTEM_CLOCK
    from iot_northbound.shared import StateAwayError, open_state, read_url

    settings = settings_from(arguments)
    configured = settings.shared.shared if settings.shared is not None else ""
    url: str = arguments.shared or read_secret(arguments.shared_file) or configured
    if not url:
        arguments.refuse("no shared state: give --shared, or a profile with the key shared")
    where = read_url(url)
    if where.engine == "file" and not Path(where.target).exists():
        rule = "there is no such file: no process has shared anything there yet"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{where.shown}: {rule}")
    state = open_state(where, settings.client_info.application, clock=SYSTEM_CLOCK)
    try:
        yield state, settings
    except StateAwayError as error:
        what = f"the shared state {state.shown} does not answer ({error}): start it, or check the address"
        raise SharedStateError(SdkCode.CLIENT_INTERNAL, what) from error
    finally:
        state.close()


def show(arguments: argparse.Namespace, values: Mapping[str, Any], lines: Mapping[str, str]) -> None:
    """Print values for a program, or lines for a person; empty lines are left out."""
    if arguments.json:
        print(json.dumps(values, indent=2))
        return
    told = {name: text for name, text in lines.items() if text}
    widest = max(map(len, told))
    for name, text in told.items():
        print(printable(f"{name:{widest}}  {text}"))


def seconds(number: float) -> str:
    """Return a duration for a person."""
    return f"{number:,.1f} s" if number < 10 else f"{number:,.0f} s"
