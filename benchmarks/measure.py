"""Medians of alternating rounds, so that a busy machine slows both sides equally."""

import compileall
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import iot_northbound


def alternate(
    sides: dict[str, Callable[[], Any]], rounds: int, timer: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """Return the median seconds per round of each side."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for work in sides.values():
        work()
    gc.collect()
    for _ in range(rounds):
        for name, work in sides.items():
            started = timer()
            work()
            times[name].append(timer() - started)
    return {name: statistics.median(each) for name, each in times.items()}


def starts(title: str, sides: dict[str, list[str]]) -> None:
    """Print the milliseconds of fresh interpreters with these arguments, and their difference to the first side.

    The package is compiled first, as the installation of a wheel does. Otherwise an editable checkout with
    PYTHONDONTWRITEBYTECODE would be compiled at every start.
    """
    compileall.compile_dir(Path(iot_northbound.__file__).parent, quiet=1)
    medians = alternate(
        {
            name: lambda words=words: subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            for name, words in sides.items()
        },
        rounds=21,
        timer=time.perf_counter,
    )
    floor = next(iter(medians.values()))
    print(f"{title}, wall-clock medians of fresh processes")
    for name, seconds in medians.items():
        print(f"  {name:34} {seconds * 1000:6.0f} ms   {(seconds - floor) * 1000:+5.0f} ms")


def device(number: int) -> dict[str, Any]:
    """Return a device as the platform sends it: most optional fields are null."""
    info = dict.fromkeys(
        ("description", "mac", "hwVersion", "bridgeId", "mute", "supportedSecurity", "isSecurity", "sigVersion")
    )
    return {
        "deviceId": f"d0000000-0000-4000-8000-{number:012d}",
        "gatewayId": f"d0000000-0000-4000-8000-{number:012d}",
        "nodeType": "GATEWAY",
        "createTime": "20260212T121212Z",
        "lastModifiedTime": "20260212T131415Z",
        "deviceInfo": {
            "nodeId": f"node-{number:08d}",
            "name": f"Meter {number}",
            "manufacturerId": "acme",
            "manufacturerName": "Acme Meters",
            "location": "Shenzhen",
            "deviceType": "WaterMeter",
            "model": "AM-7",
            "swVersion": "1.4.2",
            "fwVersion": "2.0.1",
            "protocolType": "CoAP",
            "status": "ONLINE",
            "statusDetail": "NONE",
            "signalStrength": "-87",
            "batteryLevel": "93",
            **info,
        },
        "services": [
            {
                "serviceId": "Meter",
                "serviceType": "Meter",
                "serviceInfo": None,
                "data": {"flow": 12.5, "total": 48211, "alarm": False},
                "eventTime": "20260212T131415Z",
            },
            {
                "serviceId": "Battery",
                "serviceType": "Battery",
                "serviceInfo": None,
                "data": {"level": 93},
                "eventTime": "20260212T131415Z",
            },
        ],
    }


def devices_page(count: int) -> bytes:
    """Return a page of devices as the platform sends it."""
    page = {"totalCount": count, "pageNo": 0, "pageSize": count, "devices": [device(n) for n in range(count)]}
    return json.dumps(page).encode()
