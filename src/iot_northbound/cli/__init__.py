"""The command ``iot-northbound``: one module per subcommand."""

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence

from iot_northbound._version import __version__
from iot_northbound.cli.parser import Parser
from iot_northbound.cli.wording import in_words_of
from iot_northbound.errors import NorthApiException
from iot_northbound.profiles import PREFIX

# Each command with the extra that it needs. The modules import the packages of an extra only when they run, so that the
# other commands and every --help work without them.
_COMMANDS = {
    "basic_test": "",
    "emulator": "emulator",
    "inbox": "",
    "limit": "",
    "listen": "receiver",
    "simulate": "device",
    "token": "",
    "worker": "",
}
_EXTRAS = {"uvicorn", "httptools", "sortedcontainers", "paho"}
DEBUG = f"{PREFIX}DEBUG"
"""The variable that makes failures show their tracebacks."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        # Texts of a platform or device may have characters that the terminal's encoding does not have.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output went away. Python must not complain about it again at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(argv: Sequence[str] | None) -> int:
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:
        arguments.refuse_unknown(unknown)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        print(f"iot-northbound: {_in_words(error, arguments)}", file=sys.stderr)
        return 1


def _parser() -> Parser:
    parser = Parser(
        prog="iot-northbound",
        description="Tools for the northbound API of an OceanConnect-family IoT platform.",
        epilog=f"Exit status: 0 done, 1 failed, 2 wrong arguments, 130 interrupted. {DEBUG}=1 shows failures with "
        "their tracebacks.",
    )
    parser.add_argument("--version", action="version", version=f"iot-northbound {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in _COMMANDS:
        module = importlib.import_module(f"iot_northbound.cli.{name}")
        own = module.add_parser(subparsers)
        own.set_defaults(run=module.run, refuse=own.error, refuse_unknown=own.refuse_unknown, names={})
    return parser


def _in_words(error: Exception, arguments: argparse.Namespace) -> str:
    if isinstance(error, NorthApiException):
        return in_words_of(arguments, str(error))
    if isinstance(error, ImportError) and error.name and error.name.partition(".")[0] in _EXTRAS:
        extra = _COMMANDS[arguments.command.replace("-", "_")]
        return f"this command needs {error.name}: pip install 'iot-northbound[{extra}]'"
    if isinstance(error, OSError):
        return str(error)
    # The text of any other error is not shown, because it may contain a secret.
    return f"failed unexpectedly ({type(error).__name__}); please report it, with the traceback that {DEBUG}=1 shows"
