"""Subscriptions to what the platform pushes, and callback URLs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Bad
from iot_northbound.emulator.rules import notifications
from iot_northbound.emulator.rules.notifications import SUBSCRIPTIONS


def callback_url(value: Any) -> str:
    """Check a callback URL: http or https, with a host, at most 1024 characters."""
    if not isinstance(value, str) or len(value) > 1024 or any(ord(letter) <= 32 for letter in value):
        raise Bad("must be a URL of at most 1024 characters without blanks")
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise Bad("must be an http or https URL with a host, and a port from 1 to 65535 if it names one")
    return value


@on("application_removed")
def forget_application(platform: Platform, app_id: str) -> None:
    """Delete the subscriptions of a removed application, and those of others to its devices."""
    for field in ("owner", "appId"):
        for row in platform.table(SUBSCRIPTIONS).where(**{field: app_id}):
            delete(platform, row)
    notifications.drop(platform, appId=app_id)


def delete(platform: Platform, row: Row) -> None:
    """Delete a subscription, with what is queued for it."""
    platform.table(SUBSCRIPTIONS).delete(row["subscriptionId"])
    notifications.drop(platform, subscriptionId=row["subscriptionId"])


def find(platform: Platform, app_id: str, owner: str, kind: str, channel: str) -> Row | None:
    """Return the subscription of an application to a kind of push, or None."""
    return platform.table(SUBSCRIPTIONS).where(appId=app_id, owner=owner, notifyType=kind, channel=channel).first()


def hint_apart(platform: Platform, owner: str, url: str) -> None:
    """Log, once, that an application's callback URLs lead to more than one host and port.

    The real platform allows only one. The emulator does not refuse it: the reference has no code for this, and an
    application may move to another receiver, one kind after the other.
    """
    for row in platform.table(SUBSCRIPTIONS).where(owner=owner, channel="HTTP"):
        other = row["callbackUrl"]
        if _place(other) != _place(url):
            platform.hint(
                f"callbacks of {owner}",
                f"application {owner} has callback URLs at {_place(other)} and {_place(url)};"
                " a real platform allows only one host and port",
            )
            return


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def add(platform: Platform, app_id: str, owner: str, kind: str, url: str, channel: str) -> Row:
    """Add a subscription and return its row."""
    subscription_id = platform.ids.uuid()
    row: Row = {
        "subscriptionId": subscription_id,
        "appId": app_id,
        "owner": owner,
        "notifyType": kind,
        "callbackUrl": url,
        "channel": channel,
        "clientId": platform.ids.uuid() if channel == "MQTT" else None,
        "seq": platform.next_seq(),
    }
    return platform.table(SUBSCRIPTIONS).put(subscription_id, row)
