"""What a deployment of the platform may choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict

from iot_northbound.emulator.kernel.limits import Items, Range

Mode = Literal["immediate", "timed", "manual"]
Seconds = Annotated[float, Range(0, 10 * 365 * 86_400)]
WholeSeconds = Annotated[int, Range(1, 1_000_000_000)]
Count = Annotated[int, Range(1, 1_000_000_000)]
Most = Annotated[int, Range(0, 1_000_000_000)]
Hours = Annotated[int, Range(0, 10_000)]
KeepAlive = Annotated[Sequence[Annotated[int, Range(0, 65_535)]], Items(2, 2)]


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
    mqtt_hour_tolerance: Hours = 0
    """How many hours the hour in an MQTT client id with signType 1 may be off (CONNACK 4 beyond)."""
    mqtt_keepalive: KeepAlive | None = None
    """The two bounds, in any order, of the keep-alive time of an MQTT device (CONNACK 2 beyond); None: no bounds."""
    mqtt_messages_per_second: Count | None = None
    """How many messages per second are read from one MQTT device; the others wait; None: any number."""
    mqtt_connections: Count = 20_000
    """How many MQTT connections there may be at a time (CONNACK 3 beyond)."""
    mqtt_model_secrets: bool = False
    """Whether a device may log in with the secret of its product model to get one of its own (authType 1)."""
    agentlite_mqtt_login: bool = False
    """Whether a device may log in over MQTT as AgentLite devices in the field do: with its secret in clear text."""
    hub_params: Mapping[str, str] = field(default_factory=dict)
    """For names of a hub's params that several services of a model have: which serviceId is meant."""
    hub_models: Mapping[str, str] = field(default_factory=dict)
    """Which product model (productId) a device has that a hub adds, by the deviceType that the hub sends."""


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
    mqtt_hour_tolerance: Hours
    mqtt_keepalive: KeepAlive | None
    mqtt_messages_per_second: Count | None
    mqtt_connections: Count
    mqtt_model_secrets: bool
    agentlite_mqtt_login: bool
    hub_params: Mapping[str, str]
    hub_models: Mapping[str, str]
