"""Who may connect: the client id, the user name and the password of a CONNECT (8.2.2).

The reference says only that a wrong login is refused. The codes are those of newer editions and of the field. A peer
never hears more than the code. The true reason is in the journal, and a likely mistake is in the log, once.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from iot_northbound.emulator.rules import applications, device_logins, devices, provisioning

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row
    from iot_northbound.emulator.mqtt.packets import Connect

LONGEST_CLIENT_ID = 256
BAD_CLIENT_ID, BUSY, BAD_CREDENTIALS, NOT_ALLOWED = 2, 3, 4, 5
BAD_VERSION = 1
"""The codes of a CONNACK."""

DEVICE_ID, MODEL_SECRET, NODE_ID = "0", "1", "2"
"""The values of authType."""
_CHECKS_HOUR = "1"
_STAND_IN = secrets.token_hex(10)
"""The secret of devices that do not exist, so that a refusal takes the same time for them."""


@dataclass(frozen=True, slots=True)
class Login:
    """An accepted CONNECT.

    Attributes:
        device_id: The device.
        name: What it is called in its topics: the id that it logged in with.
        node_id: Its nodeId.
        product_id: With authType 1, the product whose secret it has presented: it may only fetch a secret of its own.
    """

    device_id: str
    name: str
    node_id: str
    product_id: str | None = None


class Refused(Exception):
    """Raised when a CONNECT is refused.

    Attributes:
        code: What the CONNACK says.
        reason: The true reason, for the journal.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def password_of(secret: str, stamp: str) -> bytes:
    """Return the password for a secret and a time stamp."""
    return hmac.digest(stamp.encode(), secret.encode(), "sha256").hex().encode()


def authenticate(platform: Platform, connect: Connect) -> Login:
    """Return the login of a CONNECT.

    Raises:
        Refused: With the code for the peer, and the reason for the journal.
    """
    bounds = platform.settings.mqtt_keepalive
    if bounds is not None and not min(bounds) <= connect.keep_alive <= max(bounds):
        text = f"the keep-alive is {connect.keep_alive}; setting mqtt_keepalive allows {min(bounds)} to {max(bounds)}"
        raise Refused(BAD_CLIENT_ID, text)
    if len(connect.client_id) > LONGEST_CLIENT_ID:
        raise Refused(BAD_CLIENT_ID, f"the client id has {len(connect.client_id)} characters, more than 256")
    if platform.settings.agentlite_mqtt_login and "_" not in connect.client_id:
        return _agentlite(platform, connect)
    parts = connect.client_id.rsplit("_", 3)
    if len(parts) != 4 or not parts[0]:
        raise Refused(BAD_CLIENT_ID, "the client id is not {id}_{authType}_{signType}_{timestamp}")
    name, kind, sign, stamp = parts
    if kind not in (DEVICE_ID, MODEL_SECRET, NODE_ID):
        raise Refused(BAD_CLIENT_ID, f"authType is {kind!r}: it must be 0 (deviceId), 1 (model) or 2 (nodeId)")
    if sign not in ("0", _CHECKS_HOUR):
        raise Refused(BAD_CLIENT_ID, f"signType is {sign!r}: it must be 0 or 1")
    if not (len(stamp) == 10 and stamp.isascii() and stamp.isdecimal()):
        raise Refused(BAD_CLIENT_ID, f"the time stamp is {stamp!r}: it must be ten digits, the UTC hour as YYYYMMDDHH")
    hour = stamp if sign == _CHECKS_HOUR else None
    if kind == MODEL_SECRET:
        return _by_model(platform, connect, name, stamp, hour)
    row = _find(platform, name, kind)
    _check(platform, connect, None if row is None else row.get("secret"), name, stamp, hour)
    if row is None:  # not reached: the stand-in's password is not known to anyone
        raise Refused(BAD_CREDENTIALS, "unknown device")
    return _allowed(platform, row, name)


def _find(platform: Platform, name: str, kind: str) -> Row | None:
    by_device, by_node = devices.find(platform, name), devices.same_node(platform, name)
    row, other = (by_device, by_node) if kind == DEVICE_ID else (by_node, by_device)
    if row is None and other is not None:
        right = "2 for a nodeId" if kind == DEVICE_ID else "0 for a deviceId"
        platform.hint(f"mqtt auth {name}", f"MQTT: {name!r} logs in with authType {kind}; authType must be {right}")
    return row


def _check(platform: Platform, connect: Connect, secret: str | None, user: str, stamp: str, hour: str | None) -> None:
    """Check user name, password and hour; all refusals take the same steps.

    Raises:
        Refused: One of them is wrong.
    """
    given = connect.password or b""
    known = _STAND_IN if secret is None else secret
    right = password_of(known, stamp)
    same = hmac.compare_digest(right, given)
    capital = hmac.compare_digest(right, given.lower())
    swapped = hmac.compare_digest(password_of(stamp, known), given)
    off = 0 if hour is None else _hours_off(platform, hour)
    if secret is None:
        raise Refused(BAD_CREDENTIALS, "unknown device, or one without a secret")
    if same and connect.user_name == user and off is not None and abs(off) <= platform.settings.mqtt_hour_tolerance:
        return
    if connect.user_name != user:
        mistake = reason = f"the user name is not {user!r}, the id in the client id"
    elif same and off is None:
        mistake = reason = f"the time stamp {stamp} is not a date and hour"
    elif same:
        reason = f"the time stamp {stamp} is {off:+d} hours off the platform's hour"
        mistake = f"{reason}, which is UTC; a device that takes its local time makes this mistake"
    elif capital:
        mistake = reason = "the password is right, but in capital letters: it must be lower-case hex"
    elif swapped:
        mistake = reason = "the password has key and message swapped: the time stamp is the key"
    elif connect.password is None:
        mistake = reason = "there is no password"
    else:
        raise Refused(BAD_CREDENTIALS, "wrong password")
    platform.hint(f"mqtt password {user}", f"MQTT: the login of {user!r} is refused: {mistake}")
    raise Refused(BAD_CREDENTIALS, reason)


def _hours_off(platform: Platform, stamp: str) -> int | None:
    """Return how many hours a stamp is ahead of the platform's hour; None if it names no hour."""
    try:
        hour = datetime.strptime(stamp, "%Y%m%d%H").replace(tzinfo=UTC)
    except ValueError:
        return None
    now = datetime.fromtimestamp(platform.now(), UTC).replace(minute=0, second=0, microsecond=0)
    return (hour - now) // timedelta(hours=1)


def _allowed(platform: Platform, row: Row, name: str) -> Login:
    if row["appId"] not in platform.table(applications.APPLICATIONS):
        raise Refused(NOT_ALLOWED, "its application was removed")
    if row["parent"] is not None:
        raise Refused(NOT_ALLOWED, "it is connected through a gateway")
    if row.get("mustBind"):
        platform.hint(
            f"mqtt bind {name}",
            f"MQTT: {name!r} was registered with mqttConnect false: it must be bound by its verifyCode first",
        )
        raise Refused(NOT_ALLOWED, "it was registered with mqttConnect false, and is not bound")
    return Login(row["deviceId"], name, row["nodeId"])


def _agentlite(platform: Platform, connect: Connect) -> Login:
    """Return the login of an AgentLite device as seen in the field: its secret in clear text."""
    name = connect.user_name or ""
    row = devices.find(platform, name)
    secret = None if row is None else row.get("secret")
    same = hmac.compare_digest((secret or _STAND_IN).encode(), connect.password or b"")
    if row is None or secret is None or not same:
        raise Refused(BAD_CREDENTIALS, "AgentLite: unknown device or wrong secret")
    if not device_logins.has_mqtt_client(platform, name, connect.client_id):
        raise Refused(BAD_CREDENTIALS, "AgentLite: the client id is not the mqttClientId of its login at port 8943")
    return _allowed(platform, row, name)


def _by_model(platform: Platform, connect: Connect, head: str, stamp: str, hour: str | None) -> Login:
    """Return the login of a device that has only its product's secret yet (authType 1; seen in the field)."""
    if not platform.settings.mqtt_model_secrets:
        raise Refused(NOT_ALLOWED, "authType 1 needs the setting mqtt_model_secrets")
    product_id = connect.user_name or ""
    node_id = head.removeprefix(f"{product_id}_")
    if not product_id or node_id == head or not node_id:
        raise Refused(BAD_CREDENTIALS, "the client id does not begin with the user name (productId) and a nodeId")
    model = provisioning.model(platform, product_id)
    _check(platform, connect, None if model is None else model["secret"], product_id, stamp, hour)
    if model is None or (row := provisioning.device(platform, model, node_id)) is None:
        raise Refused(NOT_ALLOWED, "its nodeId belongs to a device of another product or with a secret of its own")
    return Login(row["deviceId"], node_id, node_id, product_id)
