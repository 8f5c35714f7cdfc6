"""A water meter on the platform: it reports its flow and has a valve that commands open and close.

iot-northbound emulator                     # in another terminal, or any platform with a profile
python examples/device.py <profile.toml> <device id> <file with the secret> [--reports 3] [--commands 0]
"""

import argparse
import threading
from pathlib import Path
from typing import Any

from iot_northbound.device import Command, CommandFailed, DeviceCredentials, DeviceSide


def main() -> None:
    parser = argparse.ArgumentParser(description="a water meter with a valve")
    parser.add_argument(
        "profile", type=Path, help="the profile with the table [devices]"
    )
    parser.add_argument("device_id")
    parser.add_argument(
        "secret_file", type=Path, help="a file that contains the secret of the device"
    )
    parser.add_argument(
        "--reports", type=int, default=3, help="how many reports to send"
    )
    parser.add_argument(
        "--commands", type=int, default=0, help="how many commands to wait for then"
    )
    args = parser.parse_args()

    credentials = DeviceCredentials(
        args.device_id, args.secret_file.read_text().strip()
    )
    device = DeviceSide.from_profile(args.profile).device(credentials)
    heard = threading.Semaphore(0)

    @device.on_command("WaterMeter", "SET_VALVE")
    def set_valve(command: Command) -> dict[str, Any]:
        heard.release()
        state = command.paras.get("state")
        if state not in ("OPEN", "CLOSED"):
            raise CommandFailed(1, {"error": "the valve knows only OPEN and CLOSED"})
        print(f"valve: {state}", flush=True)
        return {"valve": state}

    with device:
        print(f"connected: {device.credentials.id}", flush=True)
        for number in range(args.reports):
            device.report("WaterMeter", {"flowRate": 0.5 + number}).result(30)
            print(f"the platform has report {number + 1}", flush=True)
        for _ in range(args.commands):
            heard.acquire()


if __name__ == "__main__":
    main()
