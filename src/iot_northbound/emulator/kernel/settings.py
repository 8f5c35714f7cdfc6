"""What a deployment of the platform may choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from iot_northbound.emulator.kernel.limits import Range

Mode = Literal["immediate", "timed", "manual"]
Seconds = Annotated[float, Range(0, 10 * 365 * 86_400)]
WholeSeconds = Annotated[int, Range(1, 1_000_000_000)]
Count = Annotated[int, Range(1, 1_000_000_000)]
Most = Annotated[int, Range(0, 1_000_000_000)]


@dataclass(slots=True)
class Settings:
    """What a deployment of the platform may choose. Times are seconds unless the name says otherwise."""

    token_lifetime: WholeSeconds = 3600
    """How long an access token is good."""
    refresh_token_lifetime: WholeSeconds = 30 * 86400
    """How long a refresh token is good."""
    flow_control: bool = False
    """Whether the calls of an application are limited to `calls_per_minute` (1010009 beyond)."""
    calls_per_minute: Count = 100
    """How many calls an application may make per minute if `flow_control` is on."""
    verify_timeout: Most = 180
    """How long a registered device may take to connect if its registration does not say; 0: no limit."""
    abnormal_after: Seconds | None = 25 * 3600
    """How long a device may be silent before it is ABNORMAL; None: it never becomes ABNORMAL."""
    offline_after: Seconds | None = 49 * 3600
    """How long a device may be silent before it is OFFLINE; None: it never becomes OFFLINE."""
    device_limit: Most | None = None
    """How many devices an application may have (100412 beyond); None: any number."""
    nonsecure_device_limit: Most | None = None
    """How many devices of an application may be not secure (100441 beyond); None: any number."""
    frozen_device_limit: Most | None = None
    """How many devices of an application may be frozen (500004 beyond); None: any number."""
    license_limit: Most | None = None
    """How many devices the whole platform may have (103028 beyond, 103026 if it is 0); None: any number."""
    history_days: Annotated[int, Range(0, 10_000)] = 90
    """For how many days reported and desired data are kept if the device does not say."""
    history_rows_per_device: Count = 1000
    """How many reported data, and how many desired ones, are kept per device."""
    pending_commands_per_device: Count = 20
    """How many commands may wait for a device (100223 beyond)."""
    command_ack_timeout: Seconds = 60.0
    """How long a sent command waits for its acknowledgement. Then it is sent again, or ends as TIMEOUT."""
    command_answer_timeout: Seconds = 300.0
    """How long an acknowledged command waits for its answer. Then it ends as TIMEOUT."""
    zombie_after: Seconds = 7 * 86400
    """How long a device may be silent before it takes no more commands (100612)."""
    group_limit: Count = 1000
    """How many device groups an application may have (100607 beyond)."""
    unfinished_batch_tasks: Count = 10
    """How many batch tasks of an application may be unfinished (105001 beyond)."""
    upgrade_timeout: Seconds = 3600.0
    """How long an upgrade of a device may make no progress before it fails."""
    upgrade_retry_delay: Seconds = 60.0
    """How long after a failed upgrade of a device the next attempt begins."""
    push_retention: Seconds = 86400.0
    """How long a push is repeated before it is dropped."""
    transitions: Mode = "immediate"
    """How steps of devices and tasks happen: immediate, timed (after their delay), or manual (when released)."""
    transition_delay: Seconds = 1.0
    """How long a step of a task takes if `transitions` is timed."""


class SomeSettings(TypedDict, total=False):
    """Some of the `Settings` by name, for calls that change a few of them."""

    token_lifetime: WholeSeconds
    refresh_token_lifetime: WholeSeconds
    flow_control: bool
    calls_per_minute: Count
    verify_timeout: Most
    abnormal_after: Seconds | None
    offline_after: Seconds | None
    device_limit: Most | None
    nonsecure_device_limit: Most | None
    frozen_device_limit: Most | None
    license_limit: Most | None
    history_days: Annotated[int, Range(0, 10_000)]
    history_rows_per_device: Count
    pending_commands_per_device: Count
    command_ack_timeout: Seconds
    command_answer_timeout: Seconds
    zombie_after: Seconds
    group_limit: Count
    unfinished_batch_tasks: Count
    upgrade_timeout: Seconds
    upgrade_retry_delay: Seconds
    push_retention: Seconds
    transitions: Mode
    transition_delay: Seconds
