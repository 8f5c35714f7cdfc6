"""Commands and groups of commands: lazy groups, options in sections, hints for what was mistyped."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import click

from iot_northbound.core.suggest import did_you_mean

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Refusal(click.UsageError):
    """Arguments that do not fit together. The text says what to give."""


def refuse(message: str) -> NoReturn:
    """End the command with status 2, because of its arguments."""
    raise Refusal(message, click.get_current_context(silent=True))


class Entry(NamedTuple):
    """A command that is imported when it is used."""

    target: str
    """Where it is: `module:attribute`."""
    help: str
    """What it does, as the list of commands says it."""
    extra: str = ""
    """The extra of the package that it needs."""


class Option(click.Option):
    """An option that belongs to a section of the help."""

    def __init__(self, *args: Any, section: str = "", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.section = section


def in_section(section: str, *names: str, **settings: Any) -> Callable[[Any], Any]:
    """Give a command an option that its help shows under this title."""
    return click.option(*names, cls=Option, section=section, **settings)


def _switch_debug_on(context: click.Context, _: click.Parameter, given: bool) -> None:
    if given and context.obj is not None:
        context.obj.debug = True


class _Helpful(click.Command):
    """A command with --debug, whose help has sections. `more_help` makes the last text, when the help is shown."""

    def __init__(self, *args: Any, more_help: Callable[[], str] | None = None, **settings: Any) -> None:
        settings["context_settings"] = {**_SETTINGS, **settings.get("context_settings", {})}
        super().__init__(*args, **settings)
        self.more_help = more_help
        self.params.append(_debug())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each section with its title."""
        sections: dict[str, list[tuple[str, str]]] = {"": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and record[1]:
                sections.setdefault(getattr(parameter, "section", ""), []).append(record)
        for title, records in sections.items():
            with formatter.section(title or "Options"):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the text below the options."""
        if self.more_help is not None:
            self.epilog = self.more_help()
        super().format_epilog(ctx, formatter)


class Command(_Helpful):
    """A command."""


class Group(_Helpful, click.Group):
    """A group of commands. Those in `lazy` are imported when they are used, and not for the list of commands."""

    command_class = Command

    def __init__(self, *args: Any, lazy: Mapping[str, Entry] | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted({*self.lazy, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; import it first if need be."""
        if (entry := self.lazy.get(cmd_name)) is None:
            return super().get_command(ctx, cmd_name)
        if ctx.obj is not None:
            ctx.obj.extra = entry.extra
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named, and its arguments. A mistyped name gets a hint."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            known = self.list_commands(ctx)
            hint = did_you_mean(args[0], known) or f"; there are {', '.join(known)}"
            refuse(f"{ctx.command_path} has no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without importing them."""
        rows = []
        for name in self.list_commands(ctx):
            if (entry := self.lazy.get(name)) is not None:
                rows.append((name, entry.help))
            elif (command := self.get_command(ctx, name)) is not None and not command.hidden:
                rows.append((name, command.get_short_help_str(100)))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


Group.group_class = Group


def _debug() -> Option:
    return Option(
        ["--debug"],
        is_flag=True,
        envvar="IOT_NORTHBOUND_DEBUG",
        expose_value=False,
        callback=_switch_debug_on,
        is_eager=True,
        help="show a failure with its traceback (or set IOT_NORTHBOUND_DEBUG=1)",
    )


def known_options(command: click.Command) -> Sequence[str]:
    """Return the names of a command's options."""
    return [name for each in command.params if isinstance(each, click.Option) for name in each.opts]
