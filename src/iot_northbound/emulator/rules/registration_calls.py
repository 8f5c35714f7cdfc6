"""Registering devices, renewing their keys, and their activation (reference 1.4.1, 1.4.2, 1.4.3, 1.4.7)."""

from __future__ import annotations

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import (
    Shape,
    boolean,
    integer,
    may,
    must,
    refuse,
    structure,
    text,
)
from iot_northbound.emulator.rules import (
    admission,
    binding,
    device_calls,
    device_logins,
    devices,
    models,
    protocols,
    registrations,
)
from iot_northbound.emulator.rules.devices import DEVICES

REMOVED = (401, "100025")
INVALID = (400, "50400")
MALFORMED = (400, "100007")
BAD_CODE = (400, "100003")
TIMEOUT = integer(0, 2147483647)
# A code that a device has to present cannot be empty or contain a blank.
VERIFY_CODE = text(1, 256, r"\S+")
_IDENTITY = [may(name, text()) for name in models.IDENTITY]
_NAME = may("name", text())
REGISTER = Shape(
    may("deviceInfo", structure(*_IDENTITY, _NAME)),
    may("endUserId", text()),
    may("imsi", text(1, 64)),
    may("isSecure", boolean),
    must("nodeId", text(1)),
    may("psk", registrations.PSK),
    may("timeout", TIMEOUT),
    may("verifyCode", VERIFY_CODE, BAD_CODE),
    may("productId", text()),
    invalid=INVALID,
    missing=MALFORMED,
    malformed=MALFORMED,
)
REGISTER_WITH_SECRET = Shape(
    must("deviceInfo", structure(must("nodeId", text(1)), *_IDENTITY, _NAME)),
    may("endUserId", text()),
    may("organization", text()),
    may("region", text()),
    may("timezone", text()),
    may("mqttConnect", boolean),
    may("productId", text()),
    may("secret", text(1)),
    invalid=INVALID,
    missing=MALFORMED,
    malformed=MALFORMED,
)
REFRESH_KEY = Shape(
    may("nodeId", text(1)),
    may("timeout", TIMEOUT),
    may("verifyCode", VERIFY_CODE, BAD_CODE),
    invalid=INVALID,
    malformed=MALFORMED,
)
REGISTRATION = "/iocm/app/reg/v1.1.0/deviceCredentials"


@route("1.4.1", "POST", REGISTRATION, removed_app=REMOVED)
def register(platform: Platform, call: Call) -> Answer:
    """Register a device that will present a verification code."""
    given = REGISTER.read(call.body)
    info, product = _identified(platform, call, given)
    if (known := devices.same_node(platform, given["nodeId"])) is not None:
        raise Refusal(400, "100416" if known["activated"] else "100426")
    _room_for(platform, call.app_id, secure=given.get("isSecure", False), used_up=(200, "103028"))
    row = devices.create(
        platform,
        call.app_id,
        given["nodeId"],
        **info,
        productId=product,
        endUser=given.get("endUserId"),
        imsi=given.get("imsi"),
        isSecure=given.get("isSecure", False),
        psk=given.get("psk") or platform.ids.hex(32),
        verifyCode=given.get("verifyCode") or platform.ids.hex(16),
        mustBind=True,
    )
    row = registrations.await_binding(platform, row, given.get("timeout", platform.settings.verify_timeout))
    return Answer(200, {name: row[name] for name in ("deviceId", "psk", "timeout", "verifyCode")})


@route("1.4.2", "POST", "/iocm/app/reg/v2.0.0/deviceCredentials")
def register_with_secret(platform: Platform, call: Call) -> Answer:
    """Register a device that will present a secret (MQTT); without `mqttConnect` it has to bind first, with a code."""
    given = REGISTER_WITH_SECRET.read(call.body)
    node_id = given["deviceInfo"].pop("nodeId")
    info, product = _identified(platform, call, given)
    if devices.same_node(platform, node_id) is not None:
        raise Refusal(400, "100426")
    _room_for(platform, call.app_id, secure=True, used_up=(500, "100412"))
    kept = {name: given.get(name) for name in ("organization", "region", "timezone", "mqttConnect")}
    code: Row = {"verifyCode": platform.ids.hex(16), "mustBind": True} if given.get("mqttConnect") is False else {}
    row = devices.create(
        platform,
        call.app_id,
        node_id,
        **info,
        **kept,
        **code,
        productId=product,
        endUser=given.get("endUserId"),
        psk=platform.ids.hex(32),
        secret=given.get("secret") or platform.ids.hex(20),
    )
    protocols.hint(platform, row, "1.4.2")
    return Answer(200, {name: row[name] for name in ("deviceId", "psk", "secret", "verifyCode") if name in row})


def _identified(platform: Platform, call: Call, given: Row) -> tuple[Row, str | None]:
    info, product = given.get("deviceInfo", {}), given.get("productId")
    if product is not None:
        if models.by_id(platform, call.app_id, product) is None:
            raise refuse((403, "600002"), models.unknown_id(platform, call.app_id, product))
    elif "deviceInfo" in given and not info.get("model"):
        raise refuse(INVALID, "deviceInfo needs model if no productId is given")
    return info, product


def _room_for(platform: Platform, app_id: str, *, secure: bool, used_up: tuple[int, str]) -> None:
    settings, table = platform.settings, platform.table(DEVICES)
    if settings.license_limit is not None and len(table) >= settings.license_limit:
        raise Refusal(*((500, "103026") if settings.license_limit == 0 else used_up))
    if settings.device_limit is not None and len(table.where(appId=app_id)) >= settings.device_limit:
        raise Refusal(500, "100412")
    if not secure:
        registrations.room_for_nonsecure(platform, app_id)


@route("1.4.3", "PUT", REGISTRATION + "/{deviceId}", removed_app=REMOVED)
def refresh_key(platform: Platform, call: Call) -> Answer:
    """Give a device a new code, and a new node id if one is given; it has to connect for the first time again."""
    given = REFRESH_KEY.read(call.body)
    row = device_calls.of_call(platform, call)
    if not row["activated"]:
        raise Refusal(400, "100610")
    if devices.is_online(row):
        raise Refusal(400, "100611")
    node_id: str = given.get("nodeId") or row["nodeId"]
    other = devices.same_node(platform, node_id)
    if other is not None and other["deviceId"] != row["deviceId"]:
        raise Refusal(400, "100426")
    row = devices.changed(
        platform,
        row["deviceId"],
        nodeId=node_id,
        verifyCode=given.get("verifyCode") or platform.ids.hex(16),
        activated=False,
        status="INACTIVE",
        statusDetail="NOT_ACTIVE",
        **binding.begun_again(row),
    )
    device_logins.forget(platform, row)
    row = registrations.await_binding(platform, row, given.get("timeout", platform.settings.verify_timeout))
    return Answer(200, {"verifyCode": row["verifyCode"], "timeout": row["timeout"]})


@route("1.4.7", "GET", REGISTRATION + "/{deviceId}")
def activation_status(platform: Platform, call: Call) -> Answer:
    """Return whether a device has ever connected."""
    row = device_calls.of_call(platform, call, foreign="100403")
    return Answer(200, {"deviceId": row["deviceId"], "activated": row["activated"], "name": row.get("name")})


_CODE = {"100003": "verifyCode is empty, too long or has a blank"}
_REGISTER = {
    "100001": "fault: the platform has one internal error, 50252",
    "100007": "the body is not a JSON object, or nodeId is missing",
    "100203": "appId names no application (403); the 500 only by fault injection",
    "100412": "the application has device_limit devices",
    "100426": "nodeId is that of another device",
    "103026": "the license_limit is 0",
    "50400": "a field breaks its length, range or form",
    "600002": "productId names no product",
}
_REMOVED = {"100025": "the caller's own application was removed after its login"}
CODES = {
    **codes(("1.4.1", "1.4.2", "1.4.3", "1.4.7"), admission.GUARDED),
    **codes(
        "1.4.1",
        _REGISTER,
        _REMOVED,
        _CODE,
        {
            "100416": "nodeId is that of a device that is already bound",
            "100441": "the application has nonsecure_device_limit devices that are not secure",
            "103028": "the license_limit is used up",
        },
    ),
    **codes("1.4.2", _REGISTER),
    **codes(
        "1.4.3",
        _REMOVED,
        _CODE,
        {
            "100007": "the body is not a JSON object",
            "100403": "deviceId names no device",
            "100418": "deviceId names a device of another application",
            "100426": "nodeId is that of another device",
            "100610": "the device has not been activated",
            "100611": "the device is online",
            "50400": "a field breaks its length, range or form",
        },
    ),
    **codes("1.4.7", {"100403": "deviceId names no device of the application"}),
}
