"""What the import costs in addition to requests, attrs and cattrs: fresh interpreters, wall-clock medians.

The package is compiled first, as the installation of a wheel does. Otherwise an editable checkout with
PYTHONDONTWRITEBYTECODE would be compiled at every start.
"""

import compileall
import subprocess
import sys
import time
from pathlib import Path

import iot_northbound
from benchmarks.measure import alternate

FLOOR = "import requests, attrs, cattrs"
SIDES = {
    "requests, attrs, cattrs": FLOOR,
    "+ import iot_northbound": f"{FLOOR}; import iot_northbound",
    "+ NorthApiClient and its config": f"{FLOOR}; from iot_northbound import NorthApiClient, ClientInfo, SSLConfig",
    "+ all eight services with DTOs": (
        f"{FLOOR}; from iot_northbound import NorthApiClient, Authentication, DeviceManagement, DataCollection, "
        "SignalDelivery, BatchProcess, SubscriptionManagement, DeviceGroupManagement, DeviceUpgrade"
    ),
}


def main() -> None:
    """Print milliseconds, and the difference to the floor."""
    compileall.compile_dir(Path(iot_northbound.__file__).parent, quiet=1)
    medians = alternate(
        {
            name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True)
            for name, code in SIDES.items()
        },
        rounds=21,
        timer=time.perf_counter,
    )
    base = medians["requests, attrs, cattrs"]
    print("importing, wall-clock medians of fresh interpreters")
    for name, seconds in medians.items():
        print(f"  {name:34} {seconds * 1000:6.0f} ms   {(seconds - base) * 1000:+5.0f} ms")


if __name__ == "__main__":
    main()
