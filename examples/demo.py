"""A tour on the embedded platform: checks, devices, groups, a batch command, an upgrade, pushes.

    python examples/demo.py

It starts a platform with its own certificates in a temporary folder, and runs BasicTest and the quickstart. Then it
plays an evening in a small town: a receiver listens over HTTPS, street lamps join a group, one batch command dims
all of them, one upgrade gives them new firmware, and the platform pushes every step. At the end real devices close the
loop: they report and answer over MQTT. Nothing is left behind.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from iot_northbound import (
    BasicTest,
    NorthApiClient,
    Polling,
    PushMessageReceiver,
    load_profile,
)
from iot_northbound.dto import (
    BatchTaskCreateInDTO2,
    CreateDeviceGroupInDTO,
    CreateUpgradeTaskInDTO,
    DeviceGroupWithDeviceListDTO,
    NotifyType,
    OperateDevices,
    OperatePolicy,
    QueryDeviceGroupMembersInDTO,
    QueryOneTaskOutDTO,
    QueryUpgradeTaskOutDTO,
)
from iot_northbound.emulator import Emulator
from iot_northbound.push import MemoryInbox, server_context

sys.path.insert(0, str(Path(__file__).parent))
from closed_loop import closed_loop
from quickstart import delete, register

LAMPS = 20
QUICK = Polling(start=0.1, factor=1.2, cap=0.5)
KINDS = (
    NotifyType.DEVICE_ADDED,
    NotifyType.DEVICE_DATA_CHANGED,
    NotifyType.DEVICE_DELETED,
    NotifyType.FW_UPGRADE_STATE_CHANGE_NOTIFY,
    NotifyType.FW_UPGRADE_RESULT_NOTIFY,
)
console = Console()


class Listener(PushMessageReceiver):
    """Counts the messages per kind."""

    def __init__(self) -> None:
        super().__init__(MemoryInbox())
        self.seen = Counter[str]()
        self.changed = threading.Condition()

    def handle_body(self, body: str) -> None:
        with self.changed:
            self.seen[self.event.kind] += 1
            self.changed.notify_all()

    def wait_for(self, kind: str, count: int, timeout: float = 20.0) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: self.seen[kind] >= count, timeout):
                raise SystemExit(
                    f"only {self.seen[kind]} of {count} {kind} pushes arrived in {timeout:.0f} s"
                )


def dim_all(
    client: NorthApiClient, progress: Progress, bar: TaskID
) -> QueryOneTaskOutDTO:
    command = {"serviceId": "Lamp", "method": "SET_BRIGHTNESS", "paras": {"value": 30}}
    made = client.batch_process.create_batch_task(
        BatchTaskCreateInDTO2(
            app_id=client.client_info.app_id,
            task_name="dim the town",
            task_type="DeviceCmd",
            timeout=10,
            param={"type": "GroupList", "groupList": ["town"], "command": command},
        )
    )

    def show(task: QueryOneTaskOutDTO) -> None:
        progress.update(
            bar, completed=task.complete_cnt or 0, total=task.total_cnt or LAMPS
        )

    return client.batch_process.wait_for_batch_task(
        made.task_id, timeout=20, on_progress=show, polling=QUICK
    )


def upgrade_all(
    client: NorthApiClient, file_id: str, progress: Progress, bar: TaskID
) -> QueryUpgradeTaskOutDTO:
    made = client.device_upgrade.create_firmware_upgrade_task(
        CreateUpgradeTaskInDTO(
            file_id=file_id,
            targets=OperateDevices(
                device_groups=["town"],
                device_type="StreetLamp",
                model="LF-LED60",
                manufacturer_name="Lumenfeld Lighting",
            ),
            policy=OperatePolicy(execute_type="now"),
        )
    )

    def show(task: QueryUpgradeTaskOutDTO) -> None:
        if task.sta_result is not None:
            done = (task.sta_result.success or 0) + (task.sta_result.fail or 0)
            progress.update(bar, completed=done, total=task.sta_result.total or LAMPS)

    return client.device_upgrade.wait_for_upgrade_task(
        made.operation_id, timeout=20, on_progress=show, polling=QUICK
    )


def evening_in_town(platform: Emulator) -> None:
    listener = Listener()
    tls = server_context(
        platform.home.folder / "server.pem", platform.home.folder / "server.key"
    )
    with (
        listener.server(port=0, ssl=tls) as server,
        NorthApiClient(*load_profile(platform.profile_path)) as client,
        Progress(
            TextColumn("{task.description:28}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f}"),
            TimeElapsedColumn(),
            console=console,
        ) as progress,
    ):
        url = f"https://127.0.0.1:{server.address[1]}/v1.0.0/messageReceiver"
        changes = client.subscription_management.ensure(url, KINDS)
        console.print(
            f"receiver at {url}, subscribed to {len(changes.added)} kinds of push"
        )

        lamps = register(client, LAMPS, progress=progress)
        for lamp in lamps:
            platform.control.script(lamp, answer="success", after=0.2)
        group = client.device_group_management.create_device_group(
            CreateDeviceGroupInDTO(name="town")
        ).id
        client.device_group_management.add_devices_to_group(
            DeviceGroupWithDeviceListDTO(dev_group_id=group, device_ids=lamps)
        )
        members = list(
            client.device_group_management.iter_device_group_members(
                QueryDeviceGroupMembersInDTO(dev_group_id=group)
            )
        )
        console.print(f"group 'town' has {len(members)} members")

        for lamp in progress.track(lamps, description="lamps report"):
            platform.control.report(lamp, "Lamp", {"brightness": 100, "power": 58.5})
        dimmed = dim_all(
            client, progress, progress.add_task("batch command", total=LAMPS)
        )
        console.print(
            f"batch command: {dimmed.success_cnt} of {dimmed.total_cnt} succeeded"
        )
        if dimmed.success_cnt != LAMPS:
            raise SystemExit("not every lamp was dimmed")

        package = platform.control.add_package(
            {
                "name": "lamp-firmware",
                "version": "V2.1",
                "fileType": "firmwarePackage",
                "deviceType": "StreetLamp",
                "model": "LF-LED60",
                "manufacturerName": "Lumenfeld Lighting",
            }
        )
        upgraded = upgrade_all(
            client,
            package["fileId"],
            progress,
            progress.add_task("firmware upgrade", total=LAMPS),
        )
        console.print(f"firmware upgrade: {upgraded.status}")
        if upgraded.status != "success":
            raise SystemExit("the upgrade failed")

        listener.wait_for("fwUpgradeResultNotify", LAMPS)
        delete(client, lamps, progress=progress)
        client.device_group_management.delete_device_group(group)
        listener.wait_for("deviceDeleted", LAMPS)
        client.subscription_management.ensure(url, [])
    console.print("pushes received over HTTPS:")
    for kind, count in sorted(listener.seen.items()):
        console.print(f"  {count:4} {kind}")


def main() -> None:
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="iot-northbound-demo-") as folder,
        Emulator(folder=folder, mqtt_port=0, agentlite_port=0) as platform,
    ):
        console.rule("the embedded platform")
        console.print(
            f"{platform.base_url}, control plane {platform.control_url}, own certificates"
        )
        console.rule("BasicTest")
        profile = load_profile(platform.profile_path)
        info = profile.client_info
        report = BasicTest.begin_basic_test(
            info.platform_ip,
            info.platform_port,
            info.app_id,
            info.secret,
            profile.ssl_config,
        )
        if not report.passed:
            raise SystemExit(1)
        console.rule("quickstart: 200 devices")
        quickstart = Path(__file__).with_name("quickstart.py")
        subprocess.run([sys.executable, quickstart, platform.profile_path], check=True)
        console.rule("an evening in town")
        evening_in_town(platform)
        console.rule("the closed loop: devices over MQTT")
        closed_loop(platform, console)
    console.rule(f"done in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
