"""Rolls an upgrade out to the devices of a group, and shows how far it is.

    python examples/upgrade_rollout.py

It starts a platform with its own certificates in a temporary folder, on which some street lamps of a group take new
firmware. First a few of them get it. If all of these succeed, the others follow. Pushes move the progress bars; if none
came, a look at the platform now and then would.
"""

import argparse
import tempfile
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from iot_northbound import NorthApiClient, PushMessageReceiver
from iot_northbound.dto import (
    CreateDeviceGroupInDTO,
    CreateUpgradeTaskInDTO,
    DeviceGroupWithDeviceListDTO,
    NotifyFwUpgradeResultDTO,
    NotifyType,
    OperateDevices,
    OperatePolicy,
    OperationStatus,
    QueryUpgradeTaskOutDTO,
)
from iot_northbound.emulator import Emulator
from iot_northbound.push import MemoryInbox

KINDS = (NotifyType.FW_UPGRADE_STATE_CHANGE_NOTIFY, NotifyType.FW_UPGRADE_RESULT_NOTIFY)
LAMP = {
    "deviceType": "StreetLamp",
    "model": "LF-LED60",
    "manufacturerName": "Lumenfeld Lighting",
}


class Rollout(PushMessageReceiver):
    """Upgrades the groups one after the other, and counts the results that are pushed."""

    def __init__(self, client: NorthApiClient, progress: Progress) -> None:
        super().__init__(MemoryInbox())
        self.client, self.progress = client, progress
        self.results = Counter[str]()

    def handle_fw_upgrade_result(self, body: NotifyFwUpgradeResultDTO) -> None:
        self.results[str(body.status)] += 1

    def upgrade(self, group: str, file_id: str, size: int) -> QueryUpgradeTaskOutDTO:
        """Upgrade a group, and return its task when it has ended."""
        bar = self.progress.add_task(f"group {group}", total=size)
        task = CreateUpgradeTaskInDTO(
            file_id=file_id,
            targets=OperateDevices(
                device_groups=[group],
                device_type=LAMP["deviceType"],
                model=LAMP["model"],
                manufacturer_name=LAMP["manufacturerName"],
            ),
            policy=OperatePolicy(execute_type="now"),
        )
        return self.upgrades.send(
            self.client,
            task,
            kind="firmware",
            timeout=600,
            on_progress=lambda state: self.show(bar, state),
        )

    def show(self, bar: TaskID, task: QueryUpgradeTaskOutDTO) -> None:
        """Move a progress bar."""
        counts = task.sta_result
        if counts is not None:
            done = (
                (counts.success or 0)
                + (counts.fail or 0)
                + (counts.timeout or 0)
                + (counts.stop or 0)
            )
            self.progress.update(bar, completed=done, total=counts.total)


def make_group(client: NorthApiClient, name: str, lamps: list[str]) -> None:
    group = client.device_group_management.create_device_group(
        CreateDeviceGroupInDTO(name=name)
    ).id
    client.device_group_management.add_devices_to_group(
        DeviceGroupWithDeviceListDTO(dev_group_id=group, device_ids=lamps)
    )


def roll_out(platform: Emulator, count: int, stubborn: int, console: Console) -> bool:
    """Play it on a running platform; return whether every lamp took the upgrade."""
    platform.control.add_devices(count, product_id="street-lamp-nb", prefix="lamp")
    package = {
        "name": "lamp-firmware",
        "version": "V2.1",
        "fileType": "firmwarePackage",
        **LAMP,
    }
    file_id = platform.control.add_package(package)["fileId"]
    with (
        NorthApiClient.from_profile(platform.profile_path) as client,
        Progress(
            TextColumn("{task.description:16}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f}"),
            TimeElapsedColumn(),
            console=console,
        ) as progress,
    ):
        rollout = Rollout(client, progress)
        lamps = [
            device.device_id or "" for device in client.data_collection.iter_devices()
        ]
        for number, lamp in enumerate(lamps):
            platform.control.script(
                lamp, answer="fail" if number < stubborn else "success", after=0.1
            )
        groups = {
            "first": lamps[: count // 10 or 1],
            "others": lamps[count // 10 or 1 :],
        }
        for name, members in groups.items():
            make_group(client, name, members)
        with rollout.server(
            "localhost", 0, ssl=platform.home.server_context()
        ) as server:
            client.subscription_management.ensure(server.url, KINDS)
            for name, members in groups.items():
                task = rollout.upgrade(name, file_id, len(members))
                console.print(f"group {name}: {task.status}")
                if task.status != OperationStatus.SUCCESS:
                    console.print("the roll-out stops here")
                    return False
    console.print(
        f"all {count} lamps have the new firmware; pushed so far: {dict(rollout.results)}"
    )
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description="Roll an upgrade out by group.")
    parser.add_argument(
        "--lamps", type=int, default=30, help="how many lamps there are"
    )
    parser.add_argument(
        "--stubborn", type=int, default=0, help="how many of them refuse the upgrade"
    )
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="iot-northbound-rollout-") as folder,
        Emulator(folder=folder, port=0) as platform,
    ):
        platform.control.change_settings(transitions="timed", transition_delay=0.1)
        if not roll_out(platform, given.lamps, given.stubborn, Console()):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
