"""What a command has in its hands while it runs: the platform, the output, and words for errors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from iot_northbound.cli.output import FORMATS, Output

if TYPE_CHECKING:
    from iot_northbound.cli.connection import Connection
    from iot_northbound.client import NorthApiClient
    from iot_northbound.config import Settings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Session:
    """One run of the command.

    Attributes:
        connection: the options that name a platform; None if the command has none.
        output: writes the results.
        debug: whether failures show their tracebacks.
        names: what error messages say for names of the API, such as options.
        extra: the extra of the package that the command needs.
    """

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.output = Output()
        self.debug = False
        self.names: dict[str, str] = {}
        self.extra = ""

    @functools.cached_property
    def settings(self) -> Settings:
        """The configuration that options, variables or a profile give."""
        if self.connection is None:
            raise RuntimeError("the command has no options that name a platform")
        return self.connection.settings(self.names)

    @functools.cached_property
    def client(self) -> NorthApiClient:
        """A client of the platform, open until the command ends."""
        from iot_northbound.client import NorthApiClient

        return click.get_current_context().with_resource(NorthApiClient(*self.settings))

    def in_words(self, text: str) -> str:
        """Return a text in which names of the API are replaced by those of the options or variables."""
        from iot_northbound.cli.wording import in_words_of

        return in_words_of(self.names, text)


def pass_session(*, platform: str | None = "platform", formats: Sequence[str] = FORMATS) -> Decorator:
    """Give a command the running `Session` as its first argument, with the options that belong to it.

    `platform` is the title of the options that name a platform; without a title the command has none. `formats` are
    those of --output, the first for people; without formats the command has no such option.
    """
    from iot_northbound.cli import connection

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **given: Any) -> Any:
            session: Session = click.get_current_context().ensure_object(Session)
            if formats:
                session.output = Output(given.pop("output"))
            if platform:
                names = [each.name for each in fields(connection.Connection)]
                session.connection = connection.Connection(**{name: given.pop(name) for name in names})
            return function(session, *args, **given)

        more: list[click.Option] = []
        if formats:
            more += _output_options(formats)
        if platform:
            more += connection.options(platform)
        # click's decorators collect parameters here, the last one first.
        own = getattr(function, "__click_params__", [])
        run.__click_params__ = [*reversed(more), *own]  # type: ignore[attr-defined]  # click's name
        return run

    return decorate


def _output_options(formats: Sequence[str]) -> list[click.Option]:
    machine = "json" if "json" in formats else "jsonl"
    return [
        click.Option(
            ["-o", "--output"],
            type=click.Choice(formats),
            default=formats[0],
            show_default=True,
            help="what is printed",
        ),
        click.Option(["--json", "output"], flag_value=machine, help=f"the same as -o {machine}"),
    ]
