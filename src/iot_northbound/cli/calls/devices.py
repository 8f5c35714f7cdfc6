"""``iot-northbound devices``: register, list, change and delete devices, and read their data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from iot_northbound.cli.calls.device_files import delete, export_command, import_devices, update
from iot_northbound.cli.calls.fields import columns_of, for_app, valid
from iot_northbound.cli.calls.values import dotted, pairs
from iot_northbound.cli.calls.verbs import Verb, Verbs
from iot_northbound.cli.context import Session, pass_session

group = Verbs(
    "devices",
    "Register, list, change and delete devices, and read their data.",
    (
        Verb(
            name="list",
            method="data_collection.iter_devices",
            help="list devices",
            columns=("deviceId", "deviceInfo.nodeId", "deviceInfo.name", "deviceInfo.status", "createTime"),
        ),
        Verb(name="show", method="data_collection.query_single_device_info", help="show a device with its latest data"),
        Verb(
            name="register",
            method="device_management.reg_direct_device",
            help="register a device that logs in with a verification code",
        ),
        Verb(
            name="register-mqtt",
            method="device_management.reg_device_with_secret",
            help="register a device that logs in with a password over MQTT",
            defaults={"mqtt_connect": True},
        ),
        Verb(
            name="ensure",
            method="device_management.ensure_device",
            help="register a device, or show the id of the one that has its node id",
        ),
        Verb(
            name="modify",
            method="device_management.modify_device_info",
            help="change the data of a device; what is not given stays",
            done="{device_id} is changed",
        ),
        Verb(
            name="refresh-key",
            method="device_management.refresh_device_key",
            help="give a device a new verification code, or a new node id",
        ),
        Verb(
            name="status",
            method="device_management.query_device_status",
            help="show whether a device has ever logged in",
        ),
        Verb(
            name="history",
            method="data_collection.iter_device_data_history",
            help="list what a device has reported",
            arguments=("device_id",),
            defaults={"gateway_id": "{device_id}"},
            columns=("timestamp", "serviceId", "data"),
        ),
        Verb(
            name="desired-history",
            method="data_collection.iter_device_desired_history",
            help="list the desired values that a device was given",
            arguments=("device_id",),
            defaults={"gateway_id": "{device_id}"},
            columns=("timestamp", "serviceId", "desired"),
        ),
    ),
)

for _command in (import_devices, export_command(), update, delete):
    group.add_command(_command)


@group.command("find", short_help="find a device by its node id")
@click.argument("node_id")
@pass_session()
def find(session: Session, node_id: str) -> None:
    """Show the device that has a node id, for example an IMEI."""
    session.output.item(session.client.device_management.find_device(node_id))


@group.command("capabilities", short_help="show the services of a device, with their properties and commands")
@click.argument("device_id")
@for_app
@pass_session()
def capabilities(session: Session, device_id: str, for_app: str | None) -> None:
    """Show the services of a device, with their properties and commands: as rows, or as JSON as the platform has it."""
    from iot_northbound.dto.device_capabilities import QueryDeviceCapabilitiesInDTO

    query = QueryDeviceCapabilitiesInDTO(device_id=device_id, app_id=for_app)
    answer = session.client.data_collection.query_device_capabilities(query)
    if session.output.form in ("json", "jsonl"):
        session.output.item(answer)
    else:
        session.output.rows(_parts(answer), columns_of(("service", "kind", "name", "type", "access", "values")))


def _parts(answer: Any) -> Iterator[dict[str, Any]]:
    """Yield each property, and each command with its parameters, as a row."""
    for service in (each for device in answer.device_capabilities or () for each in device.service_capabilities or ()):
        head = {"service": service.service_id}
        for each in service.properties or ():
            access = {"access": each.method, "type": each.data_type, "values": _values(each)}
            yield {**head, "kind": "property", "name": each.property_name, **access}
        for command in service.commands or ():
            yield {**head, "kind": "command", "name": command.command_name}
            for each in command.paras or ():
                name = f"{command.command_name} {each.para_name}"
                yield {**head, "kind": "parameter", "name": name, "type": each.data_type, "values": _values(each)}


def _values(each: Any) -> str:
    """Return which values are allowed, in words."""
    if each.enum_list:
        return ", ".join(each.enum_list)
    limits = f"{each.min or ''} to {each.max or ''}".strip() if each.min or each.max else ""
    return f"{limits} {each.unit or ''}".strip()


@group.command("shadow", short_help="show the shadow of a device, or set desired values in it")
@click.argument("device_id")
@click.argument("desired", nargs=-1, metavar="[SERVICE.PROPERTY=VALUE]...")
@for_app
@pass_session()
def shadow(session: Session, device_id: str, desired: tuple[str, ...], for_app: str | None) -> None:
    """Show the shadow of a device: the reported and the desired values.

    With SERVICE.PROPERTY=VALUE the desired values are set first. The platform sends them when the device is online. A
    value that is JSON is sent as JSON, any other one as text.
    """
    from iot_northbound.dto.device_management import ModifyDeviceShadowInDTO, ServiceDesiredDTO

    service = session.client.device_management
    wanted: dict[str, dict[str, Any]] = {}
    for name, value in pairs(desired).items():
        service_id, property_name = dotted(name, "SERVICE.PROPERTY=VALUE")
        wanted.setdefault(service_id, {})[property_name] = value
    if wanted:
        request = valid(
            lambda: ModifyDeviceShadowInDTO(
                service_desireds=[
                    ServiceDesiredDTO(service_id=service_id, desired=values) for service_id, values in wanted.items()
                ]
            )
        )
        service.modify_device_shadow(request, device_id, app_id=for_app)
    session.output.item(service.query_device_shadow(device_id, app_id=for_app))
