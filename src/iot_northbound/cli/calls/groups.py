"""``iot-northbound groups``: make groups of devices, and change their members."""

from __future__ import annotations

from iot_northbound.cli.calls.verbs import Verb, Verbs

group = Verbs(
    "groups",
    "Make groups of devices, and change their members.\n\n"
    "These commands take a group's id, which `create` and `list` show. "
    "`batch create --group` and `upgrades start --group` take its name.",
    (
        Verb(
            name="list",
            method="device_group_management.iter_device_groups",
            help="list groups",
            columns=("id", "name", "curDevNum", "maxDevNum", "description"),
        ),
        Verb(name="show", method="device_group_management.query_single_device_group", help="show a group"),
        Verb(
            name="create",
            method="device_group_management.create_device_group",
            help="make a group",
            arguments=("name",),
            left_out=frozenset({"id"}),
        ),
        Verb(
            name="modify",
            method="device_group_management.modify_device_group",
            help="change name, description and limit of a group; without --max-dev-num it has no limit afterwards",
        ),
        Verb(
            name="delete",
            method="device_group_management.delete_device_group",
            help="delete groups; their devices stay",
            deletes="group",
            done="{dev_group_id} is deleted",
        ),
        Verb(
            name="members",
            method="device_group_management.iter_device_group_members",
            help="list the devices of a group",
            arguments=("dev_group_id",),
            columns=("deviceId",),
        ),
        Verb(
            name="add",
            method="device_group_management.add_devices_to_group",
            help="add devices to a group",
            arguments=("dev_group_id", "device_ids…"),
        ),
        Verb(
            name="remove",
            method="device_group_management.delete_devices_from_group",
            help="remove devices from a group",
            arguments=("dev_group_id", "device_ids…"),
            done="the devices are no longer in {dev_group_id}",
        ),
    ),
)
