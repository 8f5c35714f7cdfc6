"""Millions of odd packets for the emulator's MQTT port: cut, doubled, changed and glued together.

    python -m benchmarks.mqtt_fuzz [COUNT] [SEED]

It prints what escaped as an exception, and the peak of the process's memory after each tenth. A bystander's session is
checked after each thousand packets.
"""

import sys

from tests.emulator.mqtt.fuzzing import fuzz


def main() -> int:
    """Run, and return 1 if anything escaped."""
    numbers = [int(each) for each in sys.argv[1:]]
    count, seed = numbers[0] if numbers else 1_000_000, numbers[1] if len(numbers) > 1 else 1
    run, memory = fuzz(count, seed)
    print(f"{count:,} packets in {run.seconds:.0f} s, {count / run.seconds:,.0f} per second")
    print(f"outcomes: {dict(run.outcomes.most_common(12))}")
    print(f"escaped: {len(run.escaped)}", *run.escaped[:10], sep="\n")
    print(f"peak of memory after each tenth, MiB: {', '.join(f'{each / 1024:.1f}' for each in memory)}")
    return 1 if run.escaped else 0


if __name__ == "__main__":
    sys.exit(main())
