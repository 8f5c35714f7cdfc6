"""The command ``iot-northbound``: one subcommand a module."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from iot_northbound._version import __version__
from iot_northbound.errors import NorthApiException

_COMMANDS = ("basic_test", "emulator", "listen")
_EXTRAS = {
    "uvicorn": "emulator",
    "httptools": "emulator",
    "sortedcontainers": "emulator",
    "rich": "cli",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 done, 1 failed, 2 wrongly called, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="iot-northbound", description="Tools around the northbound API of an OceanConnect-family IoT platform."
    )
    parser.add_argument("--version", action="version", version=f"iot-northbound {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    try:
        for name in _COMMANDS:
            module = importlib.import_module(f"iot_northbound.cli.{name}")
            module.add_parser(subparsers).set_defaults(run=module.run)
        arguments = parser.parse_args(argv)
        return int(arguments.run(arguments))
    except NorthApiException as error:
        print(f"iot-northbound: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(
            f"iot-northbound: this command needs {error.name}: pip install 'iot-northbound[{extra}]'", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away; Python must not complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
