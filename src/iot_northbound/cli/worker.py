"""``iot-northbound worker``: handle what other processes have put into a shared inbox."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import click

from iot_northbound.cli import values
from iot_northbound.cli.command import Command
from iot_northbound.cli.ending import ended_by_signals, wait_for_end
from iot_northbound.cli.exits import Exit
from iot_northbound.cli.wording import LogFormatter, say

if TYPE_CHECKING:
    from iot_northbound.push import PushMessageReceiver


class _CannotBeUsedError(Exception):
    """What the arguments name is not a receiver that a worker can run. The text says why."""


@click.command("worker", cls=Command)
@click.argument("receiver", metavar="MODULE:RECEIVER")
@click.option(
    "--threads",
    type=values.whole,
    default="8",
    metavar="N",
    show_default=True,
    help="how many handlers run at the same time",
)
@click.option(
    "--drain",
    type=values.seconds,
    default="30",
    metavar="SECONDS",
    show_default=True,
    help="how long the end waits for handlers that run",
)
def worker(receiver: str, threads: int, drain: float) -> Exit:
    """Handle the messages that web processes have put into the inbox of a receiver, until SIGTERM or Ctrl-C.

    MODULE:RECEIVER names the receiver, such as myapp.pushes:receiver. At the end, handlers that run are finished, and
    the other messages are left to other workers. The exit status is 0 if all handlers have finished, and 1 otherwise.
    """
    from iot_northbound.errors import NorthApiException
    from iot_northbound.push import InboxError

    ended = ended_by_signals()
    try:
        found = _found(receiver)
        handler = logging.StreamHandler()
        handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        found.start(threads)
    except (_CannotBeUsedError, InboxError, NorthApiException) as error:
        say(f"iot-northbound: {error}")
        return Exit.FAILED
    say(f"working on {receiver} with {threads} threads")
    wait_for_end(ended)
    finished = found.stop(drain)
    say("stopped" if finished else "stopped; some handlers have not finished")
    return Exit.DONE if finished else Exit.FAILED


def _found(target: str) -> PushMessageReceiver:
    """Return the receiver that ``module:name`` names."""
    from iot_northbound.push import PushMessageReceiver
    from iot_northbound.push.inbox import as_inbox

    module_name, _, path = target.partition(":")
    if not module_name or not path:
        raise _CannotBeUsedError(f"{target!r} must be MODULE:RECEIVER, such as myapp.pushes:receiver")
    if os.getcwd() not in sys.path:  # as servers do it
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        # Other texts are not shown, because they may contain a secret.
        text = f"{type(error).__name__}: {error}" if isinstance(error, ImportError) else type(error).__name__
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = "" if isinstance(error, ImportError) else f" in {last.filename}, line {last.lineno}"
        raise _CannotBeUsedError(f"{module_name} cannot be imported: {text}{where}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise _CannotBeUsedError(f"{module_name} has no {path}")
        found = getattr(found, name)
    if not isinstance(found, PushMessageReceiver):
        raise _CannotBeUsedError(f"{target} is a {type(found).__name__}, and not a PushMessageReceiver")
    inbox = found.inbox
    if inbox is None or not inbox.durable:
        raise _CannotBeUsedError(f"{target} keeps its messages in memory, where no other process can put them")
    if as_inbox(inbox) is None:
        raise _CannotBeUsedError(f"{target} hands its messages to a {type(inbox).__name__}: there is nothing to handle")
    return found
