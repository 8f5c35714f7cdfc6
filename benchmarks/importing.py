"""What the import costs in addition to requests, attrs and cattrs: fresh interpreters, wall-clock medians."""

from benchmarks.measure import starts

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
    starts("importing", {name: ["-c", code] for name, code in SIDES.items()})


if __name__ == "__main__":
    main()
