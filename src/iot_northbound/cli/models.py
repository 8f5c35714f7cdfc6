"""Who simulated devices are, and what they can report: from the platform, or from files."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iot_northbound.core.suggest import did_you_mean
from iot_northbound.core.textfiles import read_text
from iot_northbound.errors import InvalidArgumentError, SdkCode

if TYPE_CHECKING:
    from iot_northbound.client import NorthApiClient
    from iot_northbound.device import DeviceCredentials
    from iot_northbound.dto.device_capabilities import ServiceCapabilityDTO

Services = Sequence[Mapping[str, Any]]
"""The services of a product model, as its JSON has them."""

_REGISTERING = 8
"""Registrations at the same time."""


def register(client: NorthApiClient, product: str, count: int) -> Iterator[DeviceCredentials]:
    """Register new devices of a product, and return the credentials of each as soon as they are there.

    Raises:
        NorthApiException: the platform refuses one.
    """
    from iot_northbound.device import DeviceCredentials
    from iot_northbound.dto.device_management import MqttDeviceInfoDTO, RegDeviceWithSecretInDTO

    run_id = secrets.token_hex(4)

    def one(number: int) -> DeviceCredentials:
        device = MqttDeviceInfoDTO(node_id=f"sim-{run_id}-{number:06d}")
        wanted = RegDeviceWithSecretInDTO(device_info=device, product_id=product, mqtt_connect=True)
        made = client.device_management.reg_device_with_secret(wanted)
        if not made.secret:
            raise _wrong(f"the platform gave the device {made.device_id} no secret")
        return DeviceCredentials(made.device_id, made.secret)

    with ThreadPoolExecutor(_REGISTERING) as pool:
        try:
            yield from pool.map(one, range(count))
        finally:
            pool.shutdown(cancel_futures=True)


def services_of(client: NorthApiClient, device_id: str) -> Services:
    """Return the services of a device, as the platform knows them."""
    from iot_northbound.dto.device_capabilities import QueryDeviceCapabilitiesInDTO

    query = QueryDeviceCapabilitiesInDTO(device_id=device_id)
    answer = client.data_collection.query_device_capabilities(query)
    return [
        _as_model(service)
        for device in answer.device_capabilities or ()
        for service in device.service_capabilities or ()
    ]


def _as_model(service: ServiceCapabilityDTO) -> dict[str, Any]:
    """Return a service of the platform's answer as a product model's JSON has it."""

    def described(value: Any, **name: Any) -> dict[str, Any]:
        return name | {
            "dataType": value.data_type,
            "min": value.min,
            "max": value.max,
            "step": value.step,
            "maxLength": value.max_length,
            "enumList": value.enum_list,
        }

    return {
        "serviceId": service.service_id,
        "properties": [
            described(each, propertyName=each.property_name, method=each.method) for each in service.properties or ()
        ],
        "commands": [
            {
                "commandName": command.command_name,
                "responses": [
                    {"paras": [described(each, paraName=each.para_name) for each in response.paras or ()]}
                    for response in command.responses or ()
                ],
            }
            for command in service.commands or ()
        ],
    }


def known_services(name: str) -> Services:
    """Return the services of a model that is in a file, or comes with the emulator.

    Raises:
        InvalidArgumentError: there is none of this name, or the file is no model (1007).
    """
    path = Path(name)
    if path.exists() and not path.is_dir():
        return _services_in(path)
    known: dict[str, Services] = {}
    for file in files("iot_northbound").joinpath("emulator", "models").iterdir():
        if file.name.endswith(".json"):
            model = json.loads(file.read_text(encoding="utf-8"))
            known[model["productId"]] = model["services"]
    if name not in known:
        raise _wrong(
            f"there is no file and no built-in model {name!r}{did_you_mean(name, list(known))} "
            f"(built in: {', '.join(sorted(known))})"
        )
    return known[name]


def _services_in(file: Path) -> Services:
    try:
        services: Services = json.loads(read_text(file))["services"]
        if not all(isinstance(each, dict) for each in services):
            raise TypeError
    except OSError as error:
        raise _wrong(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _wrong(f"{file} is not a product model in JSON, with a list of services") from None
    return services


def _wrong(what: str) -> InvalidArgumentError:
    return InvalidArgumentError(SdkCode.INVALID_ARGUMENT, what)
