"""The calls of the AgentLite port: what each takes and answers.

The reference names the functions and the port, and no paths. The paths, the bodies of bind and login, and the codes
100410 and 100411 were seen in the field. The bodies for devices behind a gateway and all statuses are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from iot_northbound.emulator.kernel.calls import Answer, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Shape, array, boolean_text, may, must, one_of, structure, text
from iot_northbound.emulator.rules import binding, device_logins, devices

MALFORMED = (400, "50400")
BAD_FIELD = (400, "100022")
ADDED, EXISTS = 0, 1
"""What became of a device that a gateway adds."""

_STATUS = one_of("ONLINE", "OFFLINE", fold=True)
_DETAIL = one_of(*dict.fromkeys((*devices.ONLINE_DETAILS, *devices.OFFLINE_DETAILS)), fold=True)
_OPTIONAL = (
    "name", "description", "manufacturerName", "mac", "location", "swVersion", "fwVersion", "hwVersion", "bridgeId",
    "productId",
)  # fmt: skip
INFO = structure(
    must("nodeId", text(1)),
    *[must(name, text(1)) for name in ("manufacturerId", "deviceType", "model", "protocolType")],
    *[may(name, text()) for name in _OPTIONAL],
    may("status", _STATUS),
    may("statusDetail", _DETAIL),
    may("mute", boolean_text),
)
BIND = Shape(must("verifyCode", text(1)), must("deviceInfo", INFO), invalid=BAD_FIELD, malformed=MALFORMED)
LOGIN = Shape(
    must("appId", text(1)), must("deviceId", text(1)), must("secret", text(1)), invalid=BAD_FIELD, malformed=MALFORMED
)
REFRESH = Shape(must("refreshToken", text(1)), invalid=BAD_FIELD, malformed=MALFORMED)
ADD = Shape(must("deviceInfo", INFO), invalid=BAD_FIELD, malformed=MALFORMED)
SYNC = Shape(must("deviceInfos", array(INFO, 1, 1_000)), invalid=BAD_FIELD, malformed=MALFORMED)
STATUS = Shape(must("status", _STATUS), must("statusDetail", _DETAIL), invalid=BAD_FIELD, malformed=MALFORMED)


@dataclass(slots=True)
class FieldCall:
    """One call: `host` and `mqtt_port` are where its sender finds the MQTT endpoint, `child` is the id in its path."""

    body: Any
    token: str | None
    host: str
    mqtt_port: int | None
    child: str = ""
    device_id: str | None = None
    """The device that called, as soon as it is known; for the journal."""


Rule = Callable[[Platform, FieldCall], Answer]


def bind(platform: Platform, call: FieldCall) -> Answer:
    """Bind a device that was registered with a verification code."""
    given = BIND.read(call.body)
    info = given["deviceInfo"]
    row = binding.bind(platform, given["verifyCode"], info["nodeId"], _described(info))
    call.device_id = row["deviceId"]
    known = {name: row[name] for name in ("deviceId", "appId", "secret")}
    return Answer(200, {**known, **_addresses(call)})


def login(platform: Platform, call: FieldCall) -> Answer:
    """Log a bound device in."""
    given = LOGIN.read(call.body)
    call.device_id = given["deviceId"]
    granted = device_logins.login(platform, given["appId"], given["deviceId"], given["secret"])
    return _granted(platform, call, granted)


def refresh(platform: Platform, call: FieldCall) -> Answer:
    """Return new tokens for a refresh token, which then is used up."""
    granted = device_logins.renew(platform, REFRESH.read(call.body)["refreshToken"])
    call.device_id = granted["deviceId"]
    return _granted(platform, call, granted)


def add_child(platform: Platform, call: FieldCall) -> Answer:
    """Add a device behind the gateway; one that it has already is described anew and answered with its id."""
    gateway = _gateway(platform, call)
    row, outcome = _add(platform, gateway, ADD.read(call.body)["deviceInfo"])
    return Answer(200, {"deviceId": row["deviceId"], "result": outcome})


def sync_children(platform: Platform, call: FieldCall) -> Answer:
    """Add several devices behind the gateway, all or none; those that it does not name stay."""
    gateway = _gateway(platform, call)
    added = [_add(platform, gateway, info) for info in SYNC.read(call.body)["deviceInfos"]]
    named = [
        {"nodeId": row["nodeId"], "deviceId": row["deviceId"], "result": outcome} for row, outcome in added
    ]  # fmt: skip
    return Answer(200, {"devices": named})


def update_child(platform: Platform, call: FieldCall) -> Answer:
    """Take the status of a device behind the gateway."""
    gateway = _gateway(platform, call)
    given = STATUS.read(call.body)
    _set_status(platform, _child(platform, gateway, call.child), given)
    return Answer(200, {"deviceId": call.child})


def remove_child(platform: Platform, call: FieldCall) -> Answer:
    """Remove a device behind the gateway."""
    gateway = _gateway(platform, call)
    devices.remove_sub_device(platform, gateway["deviceId"], _child(platform, gateway, call.child)["deviceId"])
    return Answer(204)


_CHILDREN = "/iocm/dev/dm/v1.1.0/devices"
PATHS: Mapping[str, Mapping[str, Rule]] = {
    "/iocm/dev/reg/v1.1.0/bind": {"POST": bind},
    "/iocm/dev/sec/v1.1.0/login": {"POST": login},
    "/iocm/dev/sec/v1.1.0/refreshToken": {"POST": refresh},
    _CHILDREN: {"POST": add_child},
    f"{_CHILDREN}/sync": {"POST": sync_children},
}
OF_CHILD: Mapping[str, Rule] = {"PUT": update_child, "DELETE": remove_child}
CHILD_TEMPLATE = f"{_CHILDREN}/{{deviceId}}"

Found = tuple[str, Mapping[str, Rule], str]


def find(path: str) -> Found | None:
    """Return a path's template, its rules by method, and the device id in it; None if there is no such path.

    One slash at the end makes no difference.
    """
    path = path.removesuffix("/")
    if path in PATHS:
        return path, PATHS[path], ""
    head, slash, child = path.rpartition("/")
    if head == _CHILDREN and slash and child:
        return CHILD_TEMPLATE, OF_CHILD, unquote(child)
    return None


def _addresses(call: FieldCall) -> Row:
    # The field's two names hold addresses; the port is ours, because an emulator rarely has 8883.
    return {"addrHAServer": call.host, "addrLVSServer": call.host, "mqttPort": call.mqtt_port}


def _granted(platform: Platform, call: FieldCall, granted: Row) -> Answer:
    tokens = {name: granted[name] for name in ("accessToken", "refreshToken", "mqttClientId")}
    timeout = str(platform.settings.token_lifetime)
    return Answer(200, {"tokenType": "bearer", "timeout": timeout, **tokens, **_addresses(call)})


def _gateway(platform: Platform, call: FieldCall) -> Row:
    row = device_logins.authenticated(platform, call.token)
    call.device_id = row["deviceId"]
    return row


def _child(platform: Platform, gateway: Row, device_id: str) -> Row:
    row = devices.find(platform, device_id)
    if row is None or row["parent"] != gateway["deviceId"]:
        raise Refusal(404, "100403", "This gateway has no device of this id behind it.")
    return row


def _described(info: Row) -> Row:
    return {name: value for name, value in info.items() if name not in ("nodeId", "status", "statusDetail")}


def _add(platform: Platform, gateway: Row, info: Row) -> tuple[Row, int]:
    gateway_id, node_id = gateway["deviceId"], info["nodeId"]
    row = devices.sub_device(platform, gateway_id, node_id)
    outcome = ADDED if row is None else EXISTS
    if row is None:
        row = devices.add_sub_device(platform, gateway_id, node_id, **_described(info))
    else:
        binding.described(platform, row["deviceId"], _described(info))
    if "status" in info:
        _set_status(platform, row, info)
    return devices.need(platform, row["deviceId"]), outcome


def _set_status(platform: Platform, row: Row, given: Row) -> None:
    act = devices.set_online if given["status"] == "ONLINE" else devices.set_offline
    act(platform, row["deviceId"], given.get("statusDetail"))
