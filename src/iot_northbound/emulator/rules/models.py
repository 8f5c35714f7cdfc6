"""Product models: they say which services, properties and commands a device has.

A model is a JSON object: productId, the five identifying fields, nodeType, and services in the form of the
answers of 1.5.5. Five ship with the emulator; others are added to an application.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import on, table
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import (
    Bad,
    Check,
    array,
    boolean,
    integer,
    may,
    must,
    one_of,
    structure,
    text,
)
from iot_northbound.emulator.rules import notification_bodies as bodies

MODELS = table("models")
_MISFITS = 10
IDENTITY = ("manufacturerId", "manufacturerName", "deviceType", "model", "protocolType")


def _number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Bad("must be a number")
    return value


def _bound(value: Any) -> str:
    # The platform writes bounds as text.
    return str(_number(value)) if not isinstance(value, str) else text()(value)


_VALUE = (
    must("dataType", text(1)),
    may("required", boolean),
    may("min", _bound),
    may("max", _bound),
    may("step", _number),
    may("maxLength", integer(0)),
    may("unit", text()),
    may("enumList", array(text())),
)
_PARA = structure(must("paraName", text(1)), *_VALUE)
_SERVICE = structure(
    must("serviceId", text(1)),
    may("serviceType", text(1)),
    may("option", text()),
    may("description", text(0, 10240)),
    may(
        "commands",
        array(
            structure(
                must("commandName", text(1)),
                may("paras", array(_PARA)),
                may("responses", array(structure(must("responseName", text(1)), may("paras", array(_PARA))))),
            )
        ),
    ),
    may("properties", array(structure(must("propertyName", text(1)), may("method", text(0, 16, "[RWE]*")), *_VALUE))),
)
MODEL: Check = structure(
    may("productId", text(1)),
    *[must(name, text(1)) for name in IDENTITY],
    may("nodeType", one_of("ENDPOINT", "GATEWAY")),
    must("services", array(_SERVICE, 1)),
    may("secret", text(1)),
)


@cache
def shipped() -> tuple[Row, ...]:
    """Return the models that ship with the emulator, checked."""
    folder = resources.files("iot_northbound.emulator") / "models"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    return tuple(MODEL(json.loads(file.read_text("utf-8"))) for file in files)


@on("start")
def load_shipped(platform: Platform) -> None:
    """Give the platform the shipped models; every application sees them."""
    for model in shipped():
        _keep(platform, model, None)


def add_model(platform: Platform, app_id: str, model: Any) -> Row:
    """Add a product model to an application, or replace its model of the same productId; return its row.

    Raises:
        ValueError: The model breaks its form; the text says where.
    """
    try:
        checked = MODEL(model)
    except Bad as bad:
        raise ValueError(f"this product model cannot be used: {bad}") from None
    known = checked.get("productId") in platform.table(MODELS)
    row = _keep(platform, checked, app_id)
    for kind in ("deviceCapabilitiesChanged",) if known else ("deviceCapabilitiesAdded", "deviceModelAdded"):
        platform.notify(app_id, kind, bodies.product_model(kind, app_id, row))
    return row


def delete_model(platform: Platform, product_id: str) -> None:
    """Delete a product model; its devices stay, without capabilities.

    Raises:
        KeyError: No model has this productId.
    """
    row = platform.table(MODELS)[product_id]
    platform.table(MODELS).delete(product_id)
    if row["appId"] is not None:
        for kind in ("deviceCapabilitiesDeleted", "deviceModelDeleted"):
            platform.notify(row["appId"], kind, bodies.product_model(kind, row["appId"], row))


def _keep(platform: Platform, model: Row, app_id: str | None) -> Row:
    product_id = model.get("productId") or platform.ids.hex(24)
    row = {"nodeType": "ENDPOINT", **model, "productId": product_id, "appId": app_id}
    known = platform.table(MODELS).get(product_id)
    if known is not None and {**row, "seq": known["seq"]} == known:
        return known
    return platform.table(MODELS).put(product_id, {**row, "seq": platform.next_seq()})


def by_id(platform: Platform, app_id: str, product_id: str | None) -> Row | None:
    """Return the application's model of this productId, or the shipped one, or None."""
    row = None if product_id is None else platform.table(MODELS).get(product_id)
    return row if row is not None and row["appId"] in (None, app_id) else None


def unknown_id(platform: Platform, app_id: str, product_id: str) -> str:
    """Return the text for a productId without a model: which ids are similar, or which exist."""
    known = [row["productId"] for row in platform.table(MODELS).rows.values() if row["appId"] in (None, app_id)]
    close = get_close_matches(product_id, known, n=3)
    told = f"similar are {', '.join(close)}" if close else f"there are {', '.join(known[:10]) or 'none'}"
    return f"no product model has productId {product_id!r}; {told}"


def match(platform: Platform, app_id: str, info: Mapping[str, Any]) -> Row | None:
    """Return the model that fits a device's identifying fields, or None.

    Manufacturer id and model must be given and fit. The other three must fit if they are given.
    """
    maker, name = info.get("manufacturerId"), info.get("model")
    if maker is None or name is None:
        return None
    for row in platform.table(MODELS).where(manufacturerId=maker, model=name):
        if row["appId"] in (None, app_id) and all(info.get(field) in (None, row[field]) for field in IDENTITY):
            return row
    return None


def hint_nearest(platform: Platform, device: Row) -> None:
    """Log which model is the most similar to a device without a model, and how they differ."""

    def alike(row: Row, names: tuple[str, ...]) -> int:
        return sum(str(device.get(name) or "").casefold() == row[name].casefold() for name in names)

    rows = [
        row
        for row in platform.table(MODELS).rows.values()
        if row["appId"] in (None, device["appId"]) and alike(row, ("manufacturerId", "manufacturerName", "model"))
    ]
    if not rows:
        return
    nearest = max(rows, key=lambda row: alike(row, IDENTITY))
    apart = [
        f"{name} {nearest[name]!r} (the device: {'none' if device.get(name) is None else repr(device[name])})"
        for name in IDENTITY
        if device.get(name) != nearest[name] and (device.get(name) is not None or name in ("manufacturerId", "model"))
    ]
    platform.hint(
        f"model {[device.get(name) for name in IDENTITY]}",
        f"device {device['deviceId']} has no product model and so no services; the most similar model is"
        f" {nearest['productId']!r}, which has {', '.join(apart)}",
    )


def hint_misfits(platform: Platform, model: Row, service: Row, data: Mapping[str, Any]) -> None:
    """Log the values of a report that the model does not know or allow; the report is taken nevertheless.

    A report with very many of them is worth a few hints only.
    """
    left = _MISFITS
    for name, value in data.items():
        rule = find_property(service, name)
        fault = "is not a property of this service" if rule is None else fault_of(rule, value)
        if fault is not None:
            if (left := left - 1) < 0:
                break
            where = f"{model['productId']!r}, service {service['serviceId']!r}"
            platform.hint(
                f"report {where} {name} {fault}", f"a report does not fit product model {where}: {name} {fault}"
            )


def of_device(platform: Platform, device: Row) -> Row | None:
    """Return a device's product model, or None."""
    return by_id(platform, device["appId"], device.get("productId"))


def find_service(model: Row, service_id: str) -> Row | None:
    """Return a model's service, or None."""
    for service in model["services"]:
        if service["serviceId"] == service_id:
            found: Row = service
            return found
    return None


def unknown_service(model: Row, service_id: str) -> str:
    """Return the text for a serviceId that a model does not have: which one is similar, or which there are."""
    known = [service["serviceId"] for service in model["services"]]
    close = get_close_matches(service_id, known, n=1)
    told = f"similar is {close[0]!r}" if close else f"it has {', '.join(known)}"
    return f"product model {model['productId']!r} has no service {service_id!r}; {told}"


def service_type(model: Row | None, service_id: str) -> str:
    """Return the type of a service: its model's, or its id."""
    service = None if model is None else find_service(model, service_id)
    found: str = service_id if service is None else service.get("serviceType", service_id)
    return found


def find_command(model: Row, service_id: str, name: str) -> Row | None:
    """Return a command of a model's service, or None."""
    service = find_service(model, service_id)
    commands = service.get("commands", ()) if service else ()
    return next((command for command in commands if command["commandName"] == name), None)


def command_names(model: Row, service_id: str) -> list[str]:
    """Return the names of a service's commands."""
    return [command["commandName"] for command in (find_service(model, service_id) or {}).get("commands", ())]


def find_property(service: Row, name: str) -> Row | None:
    """Return a property of a service, or None."""
    for each in service.get("properties", ()):
        if each["propertyName"] == name:
            found: Row = each
            return found
    return None


def faults_in(paras: list[Row], given: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the parameters of a command, according to its model."""
    names = [para["paraName"] for para in paras]
    for name in given:
        if name not in names:
            yield f"{name} is not a parameter of this command, which takes {', '.join(names) or 'none'}"
    for para in paras:
        value = given.get(para["paraName"])
        if value is None:
            if para.get("required"):
                yield f"{para['paraName']} is missing"
        elif fault := fault_of(para, value):
            yield f"{para['paraName']} {fault}"


_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "integer": (int,),
    "long": (int,),
    "decimal": (int, float),
    "double": (int, float),
    "string": (str,),
    "datetime": (str,),
    "enum": (str,),
    "boolean": (bool,),
    "jsonobject": (dict,),
    "array": (list,),
    "string list": (list,),
}


def fault_of(rule: Row, value: Any) -> str | None:
    """Return what is wrong with the value of a property or parameter, or None. Unknown data types allow all values."""
    kinds = _TYPES.get(rule["dataType"].lower())
    if kinds is None:
        return None
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return f"must be of type {rule['dataType']}"
    if isinstance(value, str):
        if (longest := rule.get("maxLength")) and len(value) > longest:
            return f"must have at most {longest} characters"
        if (allowed := rule.get("enumList")) and value not in allowed:
            return f"must be one of {', '.join(allowed)}"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if rule.get("min") and value < float(rule["min"]):
            return f"must be at least {rule['min']}"
        if rule.get("max") and value > float(rule["max"]):
            return f"must be at most {rule['max']}"
    return None
