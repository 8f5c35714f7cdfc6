"""``iot-northbound upgrades``: upgrade the software and firmware of devices."""

from __future__ import annotations

from typing import Any

import click

from iot_northbound.cli.calls.fields import valid
from iot_northbound.cli.calls.values import Time
from iot_northbound.cli.calls.verbs import Verb, Verbs
from iot_northbound.cli.calls.watching import WATCH_FORMATS, Seen, every_option, timeout_option, watch
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit

_PARTS = ("deviceId", "status", "detailInfo")

group = Verbs(
    "upgrades",
    "Upgrade the software and firmware of devices.",
    (
        Verb(
            name="list",
            method="device_upgrade.iter_upgrade_tasks",
            help="list upgrades",
            columns=("operationId", "operateType", "status", "staResult.success", "staResult.total", "createTime"),
        ),
        Verb(name="show", method="device_upgrade.query_upgrade_task", help="show an upgrade"),
        Verb(
            name="details",
            method="device_upgrade.iter_upgrade_sub_tasks",
            help="list the devices of an upgrade, with their states",
            columns=_PARTS,
        ),
    ),
)


@group.command("start", short_help="start an upgrade")
@click.argument("file_id", metavar="PACKAGE")
@click.option("--device", "devices", multiple=True, metavar="ID", help="upgrade this device; repeatable, 256 at most")
@click.option(
    "--group", "device_groups", multiple=True, metavar="NAME", help="upgrade the group with this name; repeatable"
)
@click.option("--device-type", help="which devices of the groups: their type")
@click.option("--model", help="which devices of the groups: their model")
@click.option("--manufacturer-name", help="which devices of the groups: their manufacturer")
@click.option("--when-online", is_flag=True, help="upgrade each device when it comes online")
@click.option("--from", "start_time", type=Time(), help="do it in a window that begins then")
@click.option("--until", "end_time", type=Time(), help="and ends then, more than five minutes later")
@click.option("--retries", type=click.IntRange(1, 5), help="how often a failed device is tried again, 1 to 5")
@pass_session()
def start(session: Session, file_id: str, **given: Any) -> None:
    """Upgrade devices or groups with a package. The package says whether it is software or firmware."""
    from iot_northbound.dto.device_upgrade import CreateUpgradeTaskInDTO, FileType, OperateDevices

    policy = _policy(**{key: given.pop(key) for key in ("when_online", "start_time", "end_time", "retries")})
    targets: dict[str, Any] = {
        name: (list(value) or None) if isinstance(value, tuple) else value for name, value in given.items()
    }
    request = valid(lambda: CreateUpgradeTaskInDTO(file_id=file_id, targets=OperateDevices(**targets), policy=policy))
    upgrade = session.client.device_upgrade
    is_firmware = upgrade.query_upgrade_package(file_id).file_type == FileType.FIRMWARE_PACKAGE
    begin = upgrade.create_firmware_upgrade_task if is_firmware else upgrade.create_software_upgrade_task
    session.output.item(begin(request))


def _policy(*, when_online: bool, start_time: str | None, end_time: str | None, retries: int | None) -> Any:
    from iot_northbound.dto.device_upgrade import OperatePolicy

    custom = start_time is not None or end_time is not None
    kind: Any = "custom" if custom else "device_online" if when_online else "now"
    return valid(
        lambda: OperatePolicy(
            execute_type=kind,
            start_time=start_time,
            end_time=end_time,
            retry_type=True if retries else None,
            retry_times=retries,
        )
    )


@group.command("watch", short_help="watch an upgrade until it has ended")
@click.argument("operation_id")
@timeout_option
@every_option
@pass_session(formats=WATCH_FORMATS)
def watch_upgrade(session: Session, operation_id: str, timeout: float | None, every: float) -> int:
    """Watch an upgrade and its devices until it has ended; status 0 only if it was successful."""
    from iot_northbound.services.device_upgrade import TASK_ENDED
    from iot_northbound.services.waiting import has_ended

    upgrade = session.client.device_upgrade
    last: Any = None

    def look() -> Seen:
        nonlocal last
        last = upgrade.query_upgrade_task(operation_id)
        counts = last.sta_result
        done = f", {counts.success} of {counts.total} devices successful" if counts is not None else ""
        rows = tuple(upgrade.iter_upgrade_sub_tasks(None, operation_id))
        return Seen(rows, has_ended(last.status, TASK_ENDED), f"{operation_id}: {last.status}{done}")

    what = f"upgrade {operation_id}"
    watch(session, look, key="subOperationId", columns=_PARTS, what=what, timeout=timeout, every=every)
    return Exit.DONE if last.status.canonical == "success" else Exit.FAILED
