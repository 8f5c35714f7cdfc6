"""The console page of an emulator with 10,000 devices: milliseconds until each of its pages is there, medians.

python -m benchmarks.console
"""

import statistics
import time

import requests

from iot_northbound.emulator import Emulator
from iot_northbound.emulator.console.pages import PAGES

DEVICES, ROUNDS = 10_000, 20


def main() -> None:
    """Print milliseconds per page."""
    with Emulator() as emulator, requests.Session() as browser:
        emulator.control.add_devices(DEVICES)
        browser.get(emulator.console_link(), timeout=30).raise_for_status()
        for name in ["", *(name for name in PAGES if name not in ("overview", "device"))]:
            spent = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                browser.get(f"{emulator.control_url}/console/{name}", timeout=30).raise_for_status()
                spent.append((time.perf_counter() - begun) * 1000)
            print(f"/console/{name:15} {statistics.median(spent):6.1f} ms, slowest {max(spent):6.1f} ms", flush=True)


if __name__ == "__main__":
    main()
