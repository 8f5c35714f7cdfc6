"""``make bench``: the figures of docs/performance.md, one benchmark after the other.

``python -m benchmarks calls threads`` runs only these two. Start the long ones (soak, receiver_fuzz, inbox, bulk,
waiting, testkit, mqtt, the crash run of receiver) separately: ``python -m benchmarks.soak``.
"""

import importlib
import sys

ALL = (
    "calls",
    "structuring",
    "importing",
    "command_line",
    "threads",
    "emulator",
    "emulator_pushes",
    "console",
    "receiver",
)


def main(names: list[str]) -> None:
    """Run the benchmarks with these names; without names, run all."""
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        sys.exit(f"no such benchmark: {unknown[0]}; there are {', '.join(ALL)}")
    for name in names or ALL:
        importlib.import_module(f"benchmarks.{name}").main()
        print(flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
