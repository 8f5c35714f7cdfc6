"""The commands for a running emulator."""

from __future__ import annotations

import click

from iot_northbound.cli.calls.actions import Action
from iot_northbound.cli.command import Entry

ACTIONS = (
    Action(
        name="report",
        operation="report",
        help="let a device report data of a service",
        arguments=("service_id", "data"),
        done="{device_id} has reported",
    ),
    Action(
        name="script",
        operation="script",
        help="let a device answer commands and report by a script",
    ),
    Action(name="unscript", operation="unscript", help="remove a device's script", done="{device_id} has no script"),
    Action(
        name="online",
        operation="set_online",
        help="bring a device online, or take it offline (--no-online)",
        done="the status of {device_id} is set",
    ),
    Action(
        name="advance",
        operation="advance",
        help="move time forward; what becomes due on the way happens",
        arguments=("seconds",),
        done="the clock is moved forward by {seconds:g} s",
    ),
    Action(
        name="freeze",
        operation="freeze",
        help="stop the clock",
        done="the clock is stopped; `emulator thaw` lets it run again",
    ),
    Action(name="thaw", operation="thaw", help="let the clock run again", done="the clock runs"),
    Action(name="clock", operation="clock", help="show the platform's time"),
    Action(
        name="fault",
        operation="add_fault",
        help="let calls, pushes or packets fail on purpose",
        arguments=("kind",),
    ),
    Action(
        name="faults",
        operation="faults",
        help="list the faults, with how often each struck",
        columns=("id", "kind", "endpoint", "notifyType", "count", "struck"),
    ),
    Action(name="clear-faults", operation="clear_faults", help="remove all faults", done="no fault is left"),
    Action(
        name="journal",
        operation="journal",
        help="list the newest calls, pushes and messages of devices",
        columns=("seq", "kind", "method", "path", "notifyType", "status", "errorCode", "durationMs"),
    ),
    Action(name="calls", operation="calls", help="show how often each endpoint was called, and with which answers"),
    Action(
        name="console",
        operation="console_link",
        help="make a new link that opens the console page in a browser, once",
    ),
    Action(name="status", operation="health", help="show its addresses, and how much it stores"),
    Action(name="settings", operation="settings", help="show the settings of the platform"),
    Action(name="set", operation="change_settings", help="change settings of the platform", as_pairs=True),
    Action(
        name="add-devices",
        operation="add_devices",
        help="register many devices",
        arguments=("count",),
    ),
    Action(
        name="add-package",
        operation="add_package",
        help="add a package for upgrades: name, version, fileType, deviceType, model, manufacturerName",
        arguments=("package",),
    ),
    Action(name="snapshot", operation="snapshot", help="save the whole state under a name", done="{name} is saved"),
    Action(name="restore", operation="restore", help="go back to a saved state", done="{name} is restored"),
    Action(
        name="reset",
        operation="reset",
        help="forget all devices, commands, subscriptions and faults",
        done="the platform is empty",
    ),
)
"""Each is an operation of the control plane."""

CONTROLS = {each.name: Entry(f"{__name__}:{each.name}", each.help, "emulator") for each in ACTIONS}
"""The commands in `iot-northbound emulator`; each is made when it is used."""


def __getattr__(name: str) -> click.Command:
    for each in ACTIONS:
        if each.name == name:
            return each.command()
    raise AttributeError(name)
