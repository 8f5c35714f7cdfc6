"""The command ``iot-northbound``."""

from collections.abc import Sequence

_INTERRUPTED = 130
"""`Exit.INTERRUPTED`, which is not loaded yet when it is needed here."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; Ctrl-C ends it without a traceback from the first moment on."""
    try:
        from iot_northbound.cli.app import main as run

        return run(argv)
    except KeyboardInterrupt:
        return _INTERRUPTED
