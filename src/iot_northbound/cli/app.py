"""The command ``iot-northbound``: which commands it has, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from iot_northbound._extras import EXTRAS, MissingExtraError
from iot_northbound._version import __version__
from iot_northbound.cli.command import Entry, Group, Refusal, known_options
from iot_northbound.cli.exits import Exit, exit_of
from iot_northbound.cli.wording import LogFormatter, printable, say
from iot_northbound.core.suggest import did_you_mean

if TYPE_CHECKING:
    from iot_northbound.cli.context import Session

NAME = "iot-northbound"
COMPLETE = "_IOT_NORTHBOUND_COMPLETE"
"""The variable with which a shell asks for completions."""

# The modules of commands import the client, and the packages of an extra, only when they run. So every --help is fast,
# and works without extras.
_CALLS = "iot_northbound.cli.calls"
_NUMBER = re.compile(r"is not a valid (integer|float)( range)?")
"""How click refuses a number, in the words of programmers."""
COMMANDS = {
    "basic-test": Entry(
        "iot_northbound.cli.basic_test:basic_test", "check files, address, TLS, login and a registration, step by step"
    ),
    "batch": Entry(f"{_CALLS}.batch:group", "run one command for many devices"),
    "call": Entry(f"{_CALLS}.call:call", "make any call of the API"),
    "commands": Entry(f"{_CALLS}.commands:group", "send commands to devices, follow and revoke them"),
    "completion": Entry(
        "iot_northbound.cli.completion:completion", "print the script that completes commands in a shell"
    ),
    "config": Entry("iot_northbound.cli.config:config", "make a profile; show which configuration the commands use"),
    "devices": Entry(f"{_CALLS}.devices:group", "register, list, change and delete devices, and read their data"),
    "emulator": Entry(
        "iot_northbound.cli.emulator:emulator", "run a platform on this machine, or control a running one", "emulator"
    ),
    "errors": Entry("iot_northbound.cli.errors:errors", "explain an error code, or search for one"),
    "groups": Entry(f"{_CALLS}.groups:group", "make groups of devices, and change their members"),
    "inbox": Entry("iot_northbound.cli.inbox:group", "show an inbox, and repeat or delete its dead letters"),
    "limit": Entry("iot_northbound.cli.limit:limit", "show the limit of calls that several processes share"),
    "listen": Entry("iot_northbound.cli.listen:listen", "receive pushes and show them live", "receiver"),
    "packages": Entry(f"{_CALLS}.packages:group", "list, show and delete packages for upgrades"),
    "simulate": Entry("iot_northbound.cli.simulate:simulate", "run many simulated devices", "device"),
    "subscriptions": Entry(f"{_CALLS}.subscriptions:group", "say what the platform pushes, and where to"),
    "token": Entry("iot_northbound.cli.token:token", "show or remove the token that several processes share"),
    "upgrades": Entry(f"{_CALLS}.upgrades:group", "upgrade the software and firmware of devices"),
    "worker": Entry(
        "iot_northbound.cli.worker:worker", "run the handlers of a receiver whose inbox several processes share"
    ),
}

root = Group(
    NAME,
    lazy=COMMANDS,
    help="Tools for the northbound API of an OceanConnect-family IoT platform.",
    epilog="Exit status: 0 done, 1 failed, 2 wrong arguments, 130 interrupted; the documentation lists all.",
)
click.version_option(__version__, message=f"{NAME} %(version)s")(root)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    from iot_northbound.cli.context import Session

    _prepare_streams()
    status = 0
    try:
        try:
            status = int(_run(list(sys.argv[1:] if argv is None else argv), Session()))
        finally:
            sys.stdout.flush()
    except OSError as error:
        # The reader of the output went away, or its disk is full. Python must not complain about it again at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return Exit.CLOSED_PIPE
        if not status:  # otherwise the command has said what failed
            with contextlib.suppress(OSError):
                say(f"{NAME}: the output cannot be written: {error.strerror or error}")
        return status or Exit.FAILED
    return status


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        if (stream := getattr(sys, name)) is None:  # it was closed before the start
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - it is open to the end
            setattr(sys, name, stream)
        # Texts of a platform or device may have characters that the terminal's encoding does not have.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LogFormatter())


def _run(arguments: list[str], session: Session) -> int:
    try:
        if how := os.environ.get(COMPLETE):
            from click.shell_completion import shell_complete

            return shell_complete(root, {}, NAME, COMPLETE, how)
        with root.make_context(NAME, arguments, obj=session) as context:
            return root.invoke(context) or Exit.DONE
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        raise
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return Exit.DONE
    except click.ClickException as error:
        say(f"{NAME}: {_usage(error)}")
        return Exit.USAGE
    except Exception as error:  # noqa: BLE001 - whatever it is, the command ends with a sentence
        if session.debug:
            print(printable(traceback.format_exc(), but="\n"), end="", file=sys.stderr)
        say(f"{NAME}: {_in_words(error, session)}")
        return exit_of(error)


def _usage(error: click.ClickException) -> str:
    """Return what is wrong with the arguments. Values of unknown options are not shown: they may be secrets."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else NAME
    if isinstance(error, click.NoSuchOption):
        known = known_options(context.command) if context else ()
        if f"{error.option_name}-file" in known:
            also = ", or set IOT_NORTHBOUND_SECRET" if error.option_name == "--secret" else ""
            why = "because the process list would show it"
            return f"there is no {error.option_name}, {why}: give {error.option_name}-file{also}"
        hint = did_you_mean(error.option_name, known) or f"; `{path} --help` lists all options"
        return f"there is no {error.option_name}{hint}"
    if isinstance(error, Refusal):
        return error.message
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter):
        names = error.param.opts if error.param is not None else [error.param_hint or ""]
        return f"{max(names, key=len)}: {_NUMBER.sub(_plain_number, error.message)}"
    text = error.format_message().rstrip(".")
    return f"{text[:1].lower()}{text[1:]}; `{path} --help` explains it"


def _plain_number(found: re.Match[str]) -> str:
    return f"is not a {'whole ' if found[1] == 'integer' else ''}number"


def _in_words(error: Exception, session: Session) -> str:
    from iot_northbound.errors import NorthApiException

    if isinstance(error, NorthApiException):
        return session.in_words(str(error))
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] in EXTRAS.get(session.extra, ()):
        return str(MissingExtraError(session.extra, error.name or ""))
    if isinstance(error, OSError) and error.strerror:
        # Without the number of the error, which says nothing to people.
        return f"{error.strerror}: {error.filename!r}" if error.filename else error.strerror
    if isinstance(error, OSError | MissingExtraError):
        return str(error)
    # The text of any other error is not shown, because it may contain a secret.
    return f"failed unexpectedly ({type(error).__name__}); please report it, with the traceback that --debug shows"
