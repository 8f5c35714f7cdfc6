"""The end of a command that runs until a signal."""

import signal

import click

from iot_northbound.core.signal_safe import Flag

_LOOK = 1.0
"""Seconds between two looks: a signal that comes in the moment before a wait begins does not end that wait."""


def ended_by_signals() -> Flag:
    """Return a flag that SIGINT and SIGTERM set; the second signal ends the program at once.

    When the command has ended, both do again what they did before. The flag is not a `threading.Event`: a handler that
    runs while the main thread begins to wait for one would wait for itself.
    """
    ended = Flag()

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    click.get_current_context().call_on_close(restore)
    return ended


def wait_for_end(ended: Flag) -> None:
    """Return once the flag is set."""
    while not ended.wait(_LOOK):
        pass
