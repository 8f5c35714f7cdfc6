"""The commands of ``iot-northbound devices`` for many devices: import, export, update and delete."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import attrs
import click

from iot_northbound.cli.calls.asking import yes_flag
from iot_northbound.cli.calls.fields import PAGES, fields_of, for_app, made, request_of
from iot_northbound.cli.calls.many import Many, many_options, run_job, written
from iot_northbound.cli.calls.verbs import WORDS
from iot_northbound.cli.command import Command, Option, refuse
from iot_northbound.cli.connection import path_of
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPORT = ("table", "json", "jsonl")


@click.command("import", cls=Command, short_help="register the devices in a file")
@click.argument("source", metavar="FILE")
@click.option("--mqtt", is_flag=True, help="devices that log in with a password over MQTT")
@click.option("--keep-existing", is_flag=True, help="a node id that is registered already is not a failure")
@for_app
@many_options
@pass_session(formats=_REPORT)
def import_devices(session: Session, many: Many, *, mqtt: bool, keep_existing: bool, for_app: str | None) -> Exit:
    """Register the devices in a CSV or JSON-lines FILE; - is the standard input.

    The header of a CSV file names the fields: nodeId, model, productId and so on. Codes and secrets of the new devices
    go into --results, by default FILE.results.csv.
    """
    if many.results is None and not many.dry_run:
        if many.source == "-":
            refuse("the rows come from the standard input: give --results FILE for the codes of the new devices")
        many = attrs.evolve(many, results=path_of(f"{many.source}.results.csv"))
    mode: Any = "secret" if mqtt else "code"
    return run_job(
        session,
        many,
        "register with secret" if mqtt else "register",
        lambda bulk: functools.partial(bulk.register, mode=mode, keep_existing=keep_existing, app_id=for_app),
    )


@click.command("update", cls=Command, short_help="change the devices in a file")
@click.argument("source", metavar="FILE")
@for_app
@many_options
@pass_session(formats=_REPORT)
def update(session: Session, many: Many, *, for_app: str | None) -> Exit:
    """Change the devices in a CSV or JSON-lines FILE: deviceId, and the fields to change; - is the standard input."""
    return run_job(session, many, "modify", lambda bulk: functools.partial(bulk.modify, app_id=for_app))


@click.command("delete", cls=Command, short_help="delete devices")
@click.argument("device_ids", nargs=-1)
@click.option("--from", "source", metavar="FILE", help="the devices in this file, by its column deviceId")
@click.option("--cascade/--no-cascade", default=None, help=WORDS["cascade"])
@for_app
@yes_flag
@many_options
@pass_session(formats=_REPORT)
def delete(
    session: Session,
    many: Many,
    device_ids: tuple[str, ...],
    *,
    cascade: bool | None,
    for_app: str | None,
    yes: bool,
) -> Exit:
    """Delete devices: some by their ids, or those in a file."""
    if bool(device_ids) == bool(many.source):
        refuse("give ids of devices, or --from FILE")
    return run_job(
        session,
        many,
        "delete",
        lambda bulk: functools.partial(bulk.delete, cascade=cascade, app_id=for_app),
        tuple(dict.fromkeys(device_ids)),
        question="delete {}",
        yes=yes,
    )


def export_command() -> click.Command:
    """Return `devices export`, with the filters of `devices list`."""
    from iot_northbound.dto.data_collection import QueryBatchDevicesInfoInDTO

    fields = tuple(fields_of(QueryBatchDevicesInfoInDTO))

    @pass_session(formats=())
    def export(session: Session, target: str, form: str, bom: bool, **given: Any) -> None:
        from iot_northbound.bulk.files import write_devices

        query = request_of(QueryBatchDevicesInfoInDTO, fields, given, None)
        devices: Iterator[Any] = session.client.data_collection.iter_devices(query)
        with written(target) as file:
            count = write_devices(file, devices, form, bom=bom)  # type: ignore[arg-type]  # click has checked the word
        session.output.note(f"{count:,} devices")

    parameters: list[click.Parameter] = [
        click.Argument(["target"], metavar="[FILE]", default="-"),
        Option(
            ["form", "--form"],
            type=click.Choice(("csv", "jsonl")),
            default="csv",
            show_default=True,
            help="the form of the file",
        ),
        Option(["bom", "--bom"], is_flag=True, help="begin with a byte order mark, so that Excel reads UTF-8"),
        *(field.parameter() for field in fields if field.spec.name not in PAGES),
    ]
    return made("export", "write devices into a file, or to the standard output", parameters, export)
