"""``iot-northbound basic-test``: the connectivity check."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import click

from iot_northbound.cli import values
from iot_northbound.cli.command import Command
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit

if TYPE_CHECKING:
    from iot_northbound.basic_test import Step


@click.command("basic-test", cls=Command)
@click.option("--timeout", type=values.seconds, metavar="SECONDS", help="limit per connection and answer (default: 30)")
@pass_session(formats=("lines", "json", "jsonl"))
def basic_test(session: Session, timeout: float | None) -> Exit:
    """Check every step from this machine to a registered device.

    Say which step fails, why, and what to do. The exit status is 0 if every step passed, and 1 otherwise.
    """
    # Here, so that the other commands and every --help do not load the client.
    import attrs

    from iot_northbound.basic_test import STEPS, BasicTest, Report

    info, tls, http, _ = session.settings
    # The check shows each failure as it is, and does not repeat the call.
    http = attrs.evolve(http, max_attempts=1)
    if timeout is not None:
        session.names |= dict.fromkeys(("connect_timeout", "read_timeout"), "--timeout")
        http = attrs.evolve(http, connect_timeout=timeout, read_timeout=timeout)
    seen: list[Step] = []
    output, say = session.output, session.in_words

    def report_step(step: Step) -> None:
        step = attrs.evolve(step, detail=say(step.detail), cause=say(step.cause), remedy=say(step.remedy))
        seen.append(step)
        if output.for_people:
            print(step.line(), flush=True)

    def so_far() -> Report:
        return Report(platform=info.base_url, steps=tuple(seen))

    try:
        with _ended_in_order():
            BasicTest.begin_basic_test(
                info.platform_ip, info.platform_port, info.app_id, info.secret, tls, http=http, on_step=report_step
            )
    except KeyboardInterrupt:
        if output.for_people:
            print("iot-northbound: interrupted", file=sys.stderr)
        else:
            output.item({**so_far().as_json(), "passed": False, "interrupted": True})
        raise
    report = so_far()
    if output.for_people:
        passed = sum(step.passed is True for step in report.steps if step.name in STEPS)
        print(f"{report.platform}: {passed} of {len(STEPS)} steps passed")
    else:
        output.item(report.as_json())
    return Exit.DONE if report.passed else Exit.FAILED


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
