"""What the subcommands about the shared state have in common: their options, and the open state."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from iot_northbound.cli.command import refuse
from iot_northbound.cli.connection import read_secret
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.errors import InvalidArgumentError, SdkCode, SharedStateError

if TYPE_CHECKING:
    from iot_northbound.config import Settings
    from iot_northbound.shared import State


class Where(NamedTuple):
    """Which shared state is meant, if it is not that of the configuration."""

    url: str | None
    file: str | None


def shared_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the session, and where the shared state is, with the options that say so."""

    @click.option(
        "--shared",
        metavar="URL",
        help="the shared state: file:/path, redis://host or postgresql://host/database (default: that of the profile "
        "or the variables)",
    )
    @click.option("--shared-file", metavar="FILE", help="file with that URL, if it contains a password")
    @pass_session(platform="platform and application")
    @functools.wraps(function)
    def run(session: Session, shared: str | None, shared_file: str | None, **given: Any) -> Any:
        if shared is not None and shared_file is not None:
            refuse("--shared and --shared-file are given: give only one of the two")
        return function(session, Where(shared, shared_file), **given)

    return run


@contextlib.contextmanager
def opened_state(session: Session, where: Where) -> Iterator[tuple[State, Settings]]:
    """Yield the shared state and the configuration.

    Raises:
        SharedStateError: the engine is away (1001).
        NorthApiException: the options or the configuration cannot be used.
    """
    # Here, so that the other commands and every --help do not load an engine.
    from iot_northbound.core.clock import SYSTEM_CLOCK
    from iot_northbound.shared import StateAwayError, open_state, read_url

    settings = session.settings
    configured = settings.shared.shared if settings.shared is not None else ""
    url = where.url or read_secret(where.file) or configured
    if not url:
        refuse("no shared state: give --shared, or a profile with the key shared")
    engine = read_url(url)
    if engine.engine == "file" and not Path(engine.target).exists():
        rule = "there is no such file: no process has shared anything there yet"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{engine.shown}: {rule}")
    state = open_state(engine, settings.client_info.application, clock=SYSTEM_CLOCK)
    try:
        yield state, settings
    except StateAwayError as error:
        what = f"the shared state {state.shown} does not answer ({error}): start it, or check the address"
        raise SharedStateError(SdkCode.CLIENT_INTERNAL, what) from error
    finally:
        state.close()


def seconds(number: float) -> str:
    """Return a duration for a person."""
    return f"{number:,.1f} s" if number < 10 else f"{number:,.0f} s"
