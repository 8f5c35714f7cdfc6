"""``iot-northbound batch``: one command for many devices."""

from __future__ import annotations

from typing import Any

import click

from iot_northbound.cli.calls.commands import parameters
from iot_northbound.cli.calls.fields import valid
from iot_northbound.cli.calls.values import Json, dotted
from iot_northbound.cli.calls.verbs import Verb, Verbs
from iot_northbound.cli.calls.watching import WATCH_FORMATS, Seen, every_option, timeout_option, watch
from iot_northbound.cli.command import refuse
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit

_DETAILS = ("param.deviceId", "status", "error", "output")

group = Verbs(
    "batch",
    "Run one command for many devices.",
    (
        Verb(name="show", method="batch_process.query_one_task", help="show a batch task"),
        Verb(
            name="details",
            method="batch_process.iter_task_details",
            help="list the devices of a batch task, with their results",
            arguments=("task_id",),
            columns=_DETAILS,
        ),
    ),
)


@group.command("create", short_help="create a batch task")
@click.argument("name")
@click.argument("command", metavar="SERVICE.METHOD")
@click.argument("paras", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--paras", "more", type=Json(), help="parameters as a JSON object, or @FILE")
@click.option("--device", "devices", multiple=True, metavar="ID", help="for this device; repeatable")
@click.option(
    "--group", "groups", multiple=True, metavar="NAME", help="for the devices of the group with this name; repeatable"
)
@click.option(
    "--group-id", "group_ids", multiple=True, metavar="ID", help="the same by its id, which `groups` shows; repeatable"
)
@click.option("--device-type", help="for the devices of this type, with --manufacturer-id and --model")
@click.option("--manufacturer-id", help="their manufacturer")
@click.option("--model", help="their model")
@click.option("--location", "device_location", help="for the devices at this location")
@click.option("--all", "everywhere", is_flag=True, help="for all devices")
@click.option(
    "--timeout", type=click.IntRange(10, 2880), default=60, show_default=True, metavar="MINUTES", help="until it ends"
)
@click.option("--max-retransmit", type=click.IntRange(0, 3), help="how often the command is repeated, 0 to 3")
@click.option("--callback-url", metavar="URL", help="where results are pushed to")
@pass_session()
def create(session: Session, name: str, command: str, paras: tuple[str, ...], more: Any, **given: Any) -> None:
    """Create a task that sends a command to many devices, as in `batch create night Valve.SET position=0 --group west`.

    The NAME of a task is unique. Say in one way which devices it is for: some, groups, a type, a location, or all.
    """
    from iot_northbound.dto.batch_process import BatchTaskCreateInDTO2, DeviceCmdParam
    from iot_northbound.dto.common import CommandDTO

    service, method = dotted(command, "SERVICE.METHOD")
    body = parameters(paras, more)
    timeout = given.pop("timeout")
    chosen = _devices(**{key: given.pop(key) for key in ("devices", "groups", "group_ids", "everywhere")}, **given)
    app_id = session.client.client_info.app_id
    request = valid(
        lambda: BatchTaskCreateInDTO2(
            app_id=app_id,
            timeout=timeout,
            task_name=name,
            task_type="DeviceCmd",
            param=DeviceCmdParam(command=CommandDTO(service_id=service, method=method, paras=body), **(given | chosen)),
        )
    )
    session.output.item(session.client.batch_process.create_batch_task(request))


def _devices(
    devices: tuple[str, ...], groups: tuple[str, ...], group_ids: tuple[str, ...], *, everywhere: bool, **more: Any
) -> dict[str, Any]:
    """Return how a task chooses its devices; end the command unless that is said in one way."""
    ways: list[tuple[Any, dict[str, Any]]] = [
        (devices, {"type": "DeviceList", "device_list": list(devices)}),
        (groups, {"type": "GroupList", "group_list": list(groups)}),
        (group_ids, {"type": "GroupIdList", "group_list": list(group_ids)}),
        (more["device_type"], {"type": "DeviceType"}),
        (more["device_location"], {"type": "DeviceArea"}),
        (everywhere, {"type": "Broadcast"}),
    ]
    chosen = [way for given, way in ways if given]
    if len(chosen) != 1:
        refuse("give one of --device, --group, --group-id, --device-type, --location and --all")
    return chosen[0]


@group.command("watch", short_help="watch a batch task until it has ended")
@click.argument("task_id")
@timeout_option
@every_option
@pass_session(formats=WATCH_FORMATS)
def watch_task(session: Session, task_id: str, timeout: float | None, every: float) -> int:
    """Watch a batch task and its devices until it has ended; status 0 only if every device was successful."""
    from iot_northbound.dto.batch_process import QueryTaskDetailsInDTO
    from iot_northbound.services.batch_process import TASK_ENDED
    from iot_northbound.services.waiting import has_ended

    query = valid(lambda: QueryTaskDetailsInDTO(task_id=task_id))
    batch = session.client.batch_process
    last: Any = None

    def look() -> Seen:
        nonlocal last
        last = batch.query_one_task(task_id)
        title = f"{last.task_name}: {last.status}, {last.success_cnt} of {last.total_cnt} devices successful"
        return Seen(tuple(batch.iter_task_details(query)), has_ended(last.status, TASK_ENDED), title)

    watch(
        session,
        look,
        key="param.deviceId",
        columns=_DETAILS,
        what=f"batch task {task_id}",
        timeout=timeout,
        every=every,
    )
    return Exit.DONE if last.success_cnt == last.total_cnt else Exit.FAILED
