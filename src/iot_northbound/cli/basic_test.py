"""``iot-northbound basic-test``: the connectivity check."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from iot_northbound.cli import values
from iot_northbound.cli.connection import add_arguments, settings_from
from iot_northbound.cli.parser import Parser
from iot_northbound.cli.wording import in_words_of

if TYPE_CHECKING:
    from iot_northbound.basic_test import Step


def add_parser(subparsers: Any) -> Parser:
    """Add the subcommand."""
    parser: Parser = subparsers.add_parser(
        "basic-test",
        help="check files, address, TLS, login and a registration, step by step",
        description="Check every step from this machine to a registered device. Say which one fails, why, and what to "
        "do. The exit status is 0 if every step passed, and 1 otherwise.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument(
        "--timeout",
        type=values.seconds,
        metavar="SECONDS",
        help="limit per connection and answer (default: 30)",
    )
    add_arguments(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the check; return 0 if every step passed, and 1 otherwise."""
    # Here, so that the other commands and every --help do not load the client.
    import attrs

    from iot_northbound.basic_test import STEPS, BasicTest, Report

    info, tls, http, _ = settings_from(arguments)
    # The check shows each failure as it is, and does not repeat the call.
    http = attrs.evolve(http, max_attempts=1)
    if arguments.timeout is not None:
        arguments.names = {**arguments.names, **dict.fromkeys(("connect_timeout", "read_timeout"), "--timeout")}
        http = attrs.evolve(http, connect_timeout=arguments.timeout, read_timeout=arguments.timeout)
    seen: list[Step] = []

    def report_step(step: Step) -> None:
        say = partial(in_words_of, arguments)
        step = attrs.evolve(step, detail=say(step.detail), cause=say(step.cause), remedy=say(step.remedy))
        seen.append(step)
        if not arguments.json:
            print(step.line(), flush=True)

    def so_far() -> Report:
        return Report(platform=info.base_url, steps=tuple(seen))

    try:
        with _ended_in_order():
            BasicTest.begin_basic_test(
                info.platform_ip, info.platform_port, info.app_id, info.secret, tls, http=http, on_step=report_step
            )
    except KeyboardInterrupt:
        if arguments.json:
            print(json.dumps({**so_far().as_json(), "passed": False, "interrupted": True}, indent=2))
        else:
            print("iot-northbound: interrupted", file=sys.stderr)
        raise
    report = so_far()
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        passed = sum(step.passed is True for step in report.steps if step.name in STEPS)
        print(f"{report.platform}: {passed} of {len(STEPS)} steps passed")
    return 0 if report.passed else 1


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Make SIGTERM end the run as Ctrl-C does, so that the test device is deleted."""

    def interrupt(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
