"""``iot-northbound basic-test``: the connectivity check."""

import argparse
import json
from typing import Any

import attrs

from iot_northbound.basic_test import BasicTest, Step
from iot_northbound.cli.connection import add_arguments, settings_from


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "basic-test",
        help="check files, address, TLS, login and a registration, step by step",
        description="Check everything between this machine and a working registration, and say what is wrong and "
        "what to do. Exit status 0 when every step passed, 1 otherwise.",
    )
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="for the connection and for each answer")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the check; return 0 where every step passed, 1 otherwise."""
    info, tls, http = settings_from(arguments)
    http = attrs.evolve(http, max_attempts=1)
    if arguments.timeout is not None:
        http = attrs.evolve(http, connect_timeout=arguments.timeout, read_timeout=arguments.timeout)

    def quiet(_: Step) -> None:
        """Print nothing: the report follows as JSON."""

    report = BasicTest.begin_basic_test(
        info.platform_ip,
        info.platform_port,
        info.app_id,
        info.secret,
        tls,
        http=http,
        on_step=quiet if arguments.json else None,
    )
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        passed = sum(step.passed is True for step in report.steps)
        print(f"{report.platform}: {passed} of {len(report.steps)} steps passed")
    return 0 if report.passed else 1
