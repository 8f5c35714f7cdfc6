"""``iot-northbound commands``: send commands to devices, follow and revoke them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import click

from iot_northbound.cli.calls.asking import confirm, count_of, yes_flag
from iot_northbound.cli.calls.fields import columns_of, valid
from iot_northbound.cli.calls.many import Many, many_options, run_job
from iot_northbound.cli.calls.values import Json, dotted, pairs
from iot_northbound.cli.calls.verbs import Verb, Verbs
from iot_northbound.cli.calls.watching import WATCH_FORMATS, Seen, every_option, timeout_option, watch
from iot_northbound.cli.command import refuse
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit

_COLUMNS = ("commandId", "command.serviceId", "command.method", "status", "creationTime")
_WAIT = 300.0

group = Verbs(
    "commands",
    "Send commands to devices, follow and revoke them.",
    (
        Verb(
            name="list",
            method="signal_delivery.iter_device_commands",
            help="list commands",
            columns=_COLUMNS,
        ),
        Verb(
            name="cancel-tasks",
            method="signal_delivery.iter_device_cmd_cancel_tasks",
            help="list the tasks of `cancel --all-of`",
            columns=("taskId", "deviceId", "status", "totalCount"),
        ),
    ),
)


@group.command("send", short_help="send a command to a device")
@click.argument("device_id")
@click.argument("command", metavar="SERVICE.METHOD")
@click.argument("paras", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--paras", "more", type=Json(), help="parameters as a JSON object, or @FILE")
@click.option("--expire-time", type=click.IntRange(0), metavar="SECONDS", help="until it expires; 0 sends it at once")
@click.option("--max-retransmit", type=click.IntRange(0, 3), help="how often it is repeated, 0 to 3")
@click.option("--callback-url", metavar="URL", help="where changes of its status are pushed to")
@click.option(
    "--wait",
    type=click.FloatRange(0),
    is_flag=False,
    flag_value=_WAIT,
    metavar="[SECONDS]",
    help=f"wait for its end, {_WAIT:g} s if no time is given",
)
@pass_session()
def send(
    session: Session,
    device_id: str,
    command: str,
    paras: tuple[str, ...],
    more: Any,
    wait: float | None,
    **options: Any,
) -> int:
    """Send a command to a device, as in `commands send DEVICE Valve.SET position=20 --wait 30`.

    A value that is JSON is sent as JSON, any other one as text: 20 is a number, '"20"' and on are texts. With --wait
    the command ends when its command has ended, with status 0 only if the device was successful.
    """
    from iot_northbound.dto.common import CommandDTOV4
    from iot_northbound.dto.signal_delivery import PostDeviceCommandInDTO2

    service, method = dotted(command, "SERVICE.METHOD")
    given = parameters(paras, more)
    request = valid(
        lambda: PostDeviceCommandInDTO2(
            device_id=device_id,
            command=CommandDTOV4(service_id=service, method=method, paras=given),
            **options,
        )
    )
    delivery = session.client.signal_delivery
    sent = delivery.post_device_command(request)
    if wait is None:
        session.output.item(sent)
        return Exit.DONE
    told: Any = None

    def tell(now: Any) -> None:
        nonlocal told
        if now.status != told:
            told = now.status
            session.output.note(f"command {now.command_id} is {now.status}")

    tell(sent)
    ended = delivery.wait_for_device_command(sent.command_id, device_id, timeout=wait, on_progress=tell)
    session.output.item(ended)
    return Exit.DONE if succeeded(ended) else Exit.FAILED


def parameters(texts: tuple[str, ...], more: Any) -> dict[str, Any]:
    """Return the parameters of a command: `key=value` arguments, and a JSON object."""
    if more is not None and not isinstance(more, Mapping):
        refuse("--paras: this must be a JSON object")
    return {**(more or {}), **pairs(texts)}


def succeeded(command: Any) -> bool:
    """Return whether a command has ended with success, in any spelling of platforms."""
    return command.status is not None and command.status.canonical == "SUCCESSFUL"


@group.command("send-many", short_help="send the commands in a file")
@click.argument("source", metavar="FILE")
@click.option("--resend-unknown", is_flag=True, help="send a command again whose answer was lost; it may arrive twice")
@many_options
@pass_session(formats=("table", "json", "jsonl"))
def send_many(session: Session, many: Many, *, resend_unknown: bool) -> int:
    """Send the commands in a CSV or JSON-lines FILE; - is the standard input.

    The header of a CSV file names the fields: deviceId, serviceId, method, paras (as JSON), expireTime.
    """
    return run_job(
        session,
        many,
        "send commands",
        lambda bulk: functools.partial(bulk.send_commands, resend_unknown=resend_unknown),
    )


@group.command("watch", short_help="watch the commands of a device until all have ended")
@click.argument("device_id")
@click.argument("command_ids", nargs=-1)
@timeout_option
@every_option
@pass_session(formats=WATCH_FORMATS)
def watch_commands(
    session: Session, device_id: str, command_ids: tuple[str, ...], timeout: float | None, every: float
) -> int:
    """Watch the commands of a device, or some of them, until all have ended; status 0 only if all were successful."""
    from iot_northbound.dto.signal_delivery import QueryDeviceCommandInDTO2
    from iot_northbound.services.signal_delivery import COMMAND_ENDED
    from iot_northbound.services.waiting import has_ended

    query = valid(lambda: QueryDeviceCommandInDTO2(device_id=device_id))

    def look() -> Seen:
        found = tuple(
            each
            for each in session.client.signal_delivery.iter_device_commands(query)
            if not command_ids or each.command_id in command_ids
        )
        complete = len(found) == len(set(command_ids)) if command_ids else True
        return Seen(found, complete and all(has_ended(each.status, COMMAND_ENDED) for each in found))

    what = f"the commands of {device_id}"
    seen = watch(session, look, key="commandId", columns=_COLUMNS, what=what, timeout=timeout, every=every)
    if not seen.rows:
        session.output.note("nothing found")
    return Exit.DONE if all(map(succeeded, seen.rows)) else Exit.FAILED


@group.command("cancel", short_help="revoke commands that were not sent yet")
@click.argument("command_ids", nargs=-1)
@click.option("--all-of", metavar="DEVICE", help="revoke all commands of this device")
@yes_flag
@pass_session()
def cancel(session: Session, command_ids: tuple[str, ...], all_of: str | None, yes: bool) -> int:
    """Revoke commands that were not sent yet: some, or with --all-of all of a device."""
    from iot_northbound.dto.signal_delivery import CreateDeviceCmdCancelTaskInDTO, UpdateDeviceCommandInDTO

    if bool(command_ids) == bool(all_of):
        refuse("give ids of commands, or --all-of DEVICE")
    delivery = session.client.signal_delivery
    if all_of:
        request = valid(lambda: CreateDeviceCmdCancelTaskInDTO(device_id=all_of))
        confirm(f"revoke all commands of {all_of}", yes=yes)
        task = delivery.create_device_cmd_cancel_task(request)
        session.output.item(delivery.wait_for_device_cmd_cancel_task(task.task_id))
        return Exit.DONE
    confirm(f"revoke {count_of(len(command_ids), 'command')}", yes=yes or len(command_ids) == 1)
    revoked = [
        delivery.update_device_command(UpdateDeviceCommandInDTO(status="CANCELED"), each)
        for each in dict.fromkeys(command_ids)
    ]
    session.output.rows(revoked, columns_of(_COLUMNS))
    return Exit.DONE


@group.command("invoke", short_help="call a service of a device and do not wait for a state")
@click.argument("device_id")
@click.argument("command", metavar="SERVICE.METHOD")
@click.argument("paras", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--paras", "more", type=Json(), help="parameters as a JSON object, or @FILE")
@click.option("--mode", default="ACK", show_default=True, help="ACK or NOACK: whether the device acknowledges")
@click.option("--to-type", help="GATEWAY or CLOUD: who gets it; GATEWAY by default")
@click.option("--callback-url", metavar="URL", help="where each status of the call is pushed to")
@pass_session()
def invoke(session: Session, device_id: str, command: str, paras: tuple[str, ...], more: Any, **header: Any) -> None:
    """Call a service of a device (section 1.7.7). Its answer comes as a push, with the request id of this answer."""
    from iot_northbound.dto.signal_delivery import CommandDTO2, CommandNA2CloudHeader

    service, method = dotted(command, "SERVICE.METHOD")
    body = parameters(paras, more)
    request = valid(lambda: CommandDTO2(header=CommandNA2CloudHeader(method=method, **header), body=body))
    session.output.item(session.client.signal_delivery.invoke_device_service(device_id, service, request))
