"""What `iot-northbound --help` costs above a bare start of Python: alternating processes, medians."""

from benchmarks.measure import starts

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "--help": ["-m", "iot_northbound", "--help"],
    "devices list --help": ["-m", "iot_northbound", "devices", "list", "--help"],
    "errors 100403": ["-m", "iot_northbound", "errors", "100403"],
}


def main() -> None:
    """Print milliseconds, and the difference to the bare start."""
    starts("starting a command", COMMANDS)


if __name__ == "__main__":
    main()
