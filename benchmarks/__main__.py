"""``make bench``: the figures of docs/performance.md, one benchmark after the other.

``python -m benchmarks calls threads`` runs the named ones alone. The long ones (soak, receiver_fuzz, receiver's crash
run) are started by themselves: ``python -m benchmarks.soak``.
"""

import importlib
import sys

ALL = ("calls", "structuring", "importing", "threads", "emulator", "emulator_pushes", "receiver")


def main(names: list[str]) -> None:
    """Run the named benchmarks, all of them where none is named."""
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        sys.exit(f"no such benchmark: {unknown[0]}; there are {', '.join(ALL)}")
    for name in names or ALL:
        importlib.import_module(f"benchmarks.{name}").main()
        print(flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
