"""Pushes beside data: event messages of devices (2.3.5.10) and rules that fired (1.6.7.13).

The emulator has no rule engine; `fire_rule` pushes what a rule would have pushed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, models
from iot_northbound.emulator.rules import notification_bodies as bodies


def device_event(platform: Platform, device_id: str, service_id: str, event_type: str, body: Mapping[str, Any]) -> None:
    """Take a device's event message and push it as deviceEvent.

    Args:
        platform: the platform.
        device_id: the device; it is then activated and online.
        service_id: a service of its product model.
        event_type: what kind of event it is, 1 to 32 characters.
        body: what the device says.

    Raises:
        LookupError: There is no such device.
        ValueError: Its model has no such service, or the event type is too long or empty.
    """
    device = devices.need(platform, device_id)
    model = models.of_device(platform, device)
    if model is not None and models.find_service(model, service_id) is None:
        raise ValueError(f"device {device_id!r} has no service {service_id!r}")
    if not 1 <= len(event_type) <= 32:
        raise ValueError("event_type must have 1 to 32 characters")
    devices.set_online(platform, device_id)
    now = platform.now_text()
    sender = f"/devices/{device_id}/services/{service_id}"
    kind = devices.service_type(model, service_id)
    message = bodies.device_event(device_id, kind, event_type, sender, now, now, dict(body))
    platform.notify(device["appId"], "deviceEvent", message)


def fire_rule(
    platform: Platform,
    app_id: str,
    rule_id: str,
    rule_name: str,
    *,
    reasons: Sequence[Mapping[str, Any]],
    actions: Sequence[Mapping[str, Any]],
    logic: str | None = None,
) -> None:
    """Push what a rule of an application would push when it fires (ruleEvent).

    Args:
        platform: the platform.
        app_id: the application; it is the rule's author, too.
        rule_id: the rule.
        rule_name: its name.
        reasons: the conditions that were true: type, and optionally id, info, transInfo and satisfactionTime (now).
        actions: what was done: type, result or exception, and optionally id, info and transInfo.
        logic: how the conditions are joined: "and" or "or".
    """
    now = platform.now_text()
    held = [{"satisfactionTime": now, **reason} for reason in reasons]
    message = bodies.rule_event(app_id, rule_id, rule_name, held, now, actions, logic)
    platform.notify(app_id, "ruleEvent", message)
