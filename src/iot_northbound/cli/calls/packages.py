"""``iot-northbound packages``: the version packages that devices can be upgraded with."""

from __future__ import annotations

from iot_northbound.cli.calls.verbs import Verb, Verbs

group = Verbs(
    "packages",
    "List, show and delete the packages that devices can be upgraded with.",
    (
        Verb(
            name="list",
            method="device_upgrade.iter_upgrade_packages",
            help="list packages",
            columns=("fileId", "name", "version", "fileType", "model"),
        ),
        Verb(name="show", method="device_upgrade.query_upgrade_package", help="show a package"),
        Verb(
            name="delete",
            method="device_upgrade.delete_upgrade_package",
            help="delete packages",
            deletes="package",
            done="{file_id} is deleted",
        ),
    ),
)
