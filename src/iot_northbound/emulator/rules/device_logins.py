"""Logins of bound devices at the AgentLite port: tokens for what a gateway says about the devices behind it."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from iot_northbound.emulator.kernel.calls import Refusal
from iot_northbound.emulator.kernel.routing import on, table
from iot_northbound.emulator.rules import applications, binding, devices

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row

LOGINS = table("device_logins")
"""The last login of each device, by deviceId: a new one replaces it."""


def login(platform: Platform, app_id: str, device_id: str, secret: str) -> Row:
    """Log a device in; return its login: accessToken, refreshToken, mqttClientId, expires.

    Raises:
        Refusal: 100403 if there is no such device, 100208 for a wrong secret or application, 100410 if it has to bind
            first.
    """
    row = devices.find(platform, device_id)
    if row is None or row["parent"] is not None:
        raise Refusal(404, "100403")
    known = row.get("secret") or ""
    # Compared as bytes: compare_digest refuses text beyond ASCII.
    right = hmac.compare_digest(known.encode(), secret.encode()) and bool(known)
    if not right or row["appId"] != app_id or app_id not in platform.table(applications.APPLICATIONS):
        raise Refusal(401, "100208", "The deviceId, the appId and the secret do not fit together.")
    if row.get("mustBind"):
        raise Refusal(403, "100410", "The device is registered, but not bound; bind it first.")
    binding.settled(platform, row)
    return _grant(platform, device_id)


def renew(platform: Platform, refresh_token: str) -> Row:
    """Log a device in anew by its refresh token, which then is used up; return the login.

    Raises:
        Refusal: 401 100208 for a token that is unknown, used up or expired.
    """
    row = platform.table(LOGINS).where(refreshToken=refresh_token).first()
    if row is None or row["refreshExpires"] <= platform.now():
        raise Refusal(401, "100208", "The refresh token is unknown, used up or expired; log in again.")
    return _grant(platform, row["deviceId"])


def authenticated(platform: Platform, token: str | None) -> Row:
    """Return the row of the device that has an access token.

    Raises:
        Refusal: 403 1010005 for a token that is missing, unknown or expired.
    """
    row = None if token is None else platform.table(LOGINS).where(accessToken=token).first()
    if row is None or row["expires"] <= platform.now():
        raise Refusal(403, "1010005")
    return devices.need(platform, row["deviceId"])


def has_mqtt_client(platform: Platform, device_id: str, client_id: str) -> bool:
    """Return whether a login has given a device this MQTT client id."""
    row = platform.table(LOGINS).get(device_id)
    return row is not None and bool(row["mqttClientId"] == client_id)


@on("device_deleted")
def forget(platform: Platform, device: Row) -> None:
    """End the login of a deleted device."""
    platform.table(LOGINS).delete(device["deviceId"])


def _grant(platform: Platform, device_id: str) -> Row:
    logins, now, settings = platform.table(LOGINS), platform.now(), platform.settings
    former = logins.get(device_id) or {}
    return logins.put(
        device_id,
        {
            "deviceId": device_id,
            "accessToken": platform.ids.token(),
            "refreshToken": platform.ids.token(),
            # It stays the same, so that a connection made with it can be made again after the next login.
            "mqttClientId": former.get("mqttClientId") or platform.ids.hex(20),
            "expires": now + settings.token_lifetime,
            "refreshExpires": now + settings.refresh_token_lifetime,
            "seq": platform.next_seq(),
        },
    )
