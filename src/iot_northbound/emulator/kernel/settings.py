"""What a deployment of the platform may choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

Mode = Literal["immediate", "timed", "manual"]


@dataclass(slots=True)
class Settings:
    """What a deployment of the platform may choose. Times are seconds unless the name says otherwise."""

    token_lifetime: int = 3600
    refresh_token_lifetime: int = 30 * 86400
    flow_control: bool = False
    """Whether an application's calls are limited to `calls_a_minute` (1010009 beyond)."""
    calls_a_minute: int = 100
    verify_timeout: int = 180
    """Until a registered device has to show up, where its registration does not say."""
    abnormal_after: float | None = 25 * 3600
    """Silence after which a device counts as ABNORMAL; None for never."""
    offline_after: float | None = 49 * 3600
    """Silence after which a device counts as OFFLINE; None for never."""
    device_limit: int | None = None
    nonsecure_device_limit: int | None = None
    frozen_device_limit: int | None = None
    license_limit: int | None = None
    history_days: int = 90
    history_rows_a_device: int = 1000
    pending_commands_a_device: int = 20
    command_ack_timeout: float = 60.0
    """Until a sent command without acknowledgement is sent again, or ends as TIMEOUT."""
    command_answer_timeout: float = 300.0
    """Until an acknowledged command without an answer ends as TIMEOUT."""
    zombie_after: float = 7 * 86400
    """Since when a device has been silent that takes no commands any more (100612)."""
    group_limit: int = 1000
    unfinished_batch_tasks: int = 10
    upgrade_timeout: float = 3600.0
    """Until a device's upgrade without progress fails."""
    upgrade_retry_delay: float = 60.0
    push_retention: float = 86400.0
    """How long a push is repeated before it is dropped."""
    transitions: Mode = "immediate"
    """How devices' states move on by themselves: immediate, timed (after transition_delay), manual."""
    transition_delay: float = 1.0


class SomeSettings(TypedDict, total=False):
    """Some of the `Settings`, by name, for whoever changes a few of them."""

    token_lifetime: int
    refresh_token_lifetime: int
    flow_control: bool
    calls_a_minute: int
    verify_timeout: int
    abnormal_after: float | None
    offline_after: float | None
    device_limit: int | None
    nonsecure_device_limit: int | None
    frozen_device_limit: int | None
    license_limit: int | None
    history_days: int
    history_rows_a_device: int
    pending_commands_a_device: int
    command_ack_timeout: float
    command_answer_timeout: float
    zombie_after: float
    group_limit: int
    unfinished_batch_tasks: int
    upgrade_timeout: float
    upgrade_retry_delay: float
    push_retention: float
    transitions: Mode
    transition_delay: float
