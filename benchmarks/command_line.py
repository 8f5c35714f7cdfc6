"""What `iot-northbound --help` costs above a bare start of Python: alternating processes, medians."""

import compileall
import subprocess
import sys
import time
from pathlib import Path

import iot_northbound
from benchmarks.measure import alternate

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "--help": ["-m", "iot_northbound", "--help"],
    "devices list --help": ["-m", "iot_northbound", "devices", "list", "--help"],
    "errors 100403": ["-m", "iot_northbound", "errors", "100403"],
}


def main() -> None:
    """Print milliseconds, and the difference to the bare start."""
    compileall.compile_dir(Path(iot_northbound.__file__).parent, quiet=1)
    medians = alternate(
        {
            name: lambda words=words: subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            for name, words in COMMANDS.items()
        },
        rounds=21,
        timer=time.perf_counter,
    )
    bare = medians["python -c pass"]
    print("starting a command, wall-clock medians of fresh processes")
    for name, seconds in medians.items():
        print(f"  {name:24} {seconds * 1000:6.0f} ms   {(seconds - bare) * 1000:+5.0f} ms")


if __name__ == "__main__":
    main()
