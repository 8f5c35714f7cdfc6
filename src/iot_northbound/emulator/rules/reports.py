"""Reports of real devices, which cannot be told that something is wrong with them.

`devices.report_services` checks what a scripted device reports, or a test in its name, and refuses a report as a whole.
A real device has nobody to read a refusal, so here each entry of a report stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from iot_northbound.emulator.kernel.clock import parse_time
from iot_northbound.emulator.rules import devices, models

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform
    from iot_northbound.emulator.kernel.store import Row


def take(
    platform: Platform, device_id: str, entries: Iterable[Mapping[str, Any]], *, request_id: str | None = None
) -> list[str]:
    """Take what can be taken of a device's report, and return a sentence for each entry that was dropped.

    The device is then activated and online, even if nothing of its report could be taken.

    Args:
        platform: the platform.
        device_id: the device.
        entries: {serviceId, data, eventTime} each. An event time that is missing or has another form becomes the
            time at which the platform has received the report.
        request_id: what the pushes say as requestId.

    Raises:
        LookupError: There is no such device.
    """
    model = models.of_device(platform, devices.need(platform, device_id))
    good: list[Row] = []
    dropped: list[str] = []
    for entry in entries:
        fault = _fault(model, entry)
        if fault is None:
            service = None if model is None else models.find_service(model, entry["serviceId"])
            if model is not None and service is not None:
                models.hint_misfits(platform, model, service, entry["data"])
            good.append({"serviceId": entry["serviceId"], "data": entry["data"], "time": _time(entry.get("eventTime"))})
        else:
            dropped.append(fault)
    devices.take_report(platform, device_id, model, good, request_id)
    return dropped


def _fault(model: Row | None, entry: Mapping[str, Any]) -> str | None:
    service_id, data = entry.get("serviceId"), entry.get("data")
    if not isinstance(service_id, str) or not service_id:
        return "an entry has no serviceId, or one that is no text"
    if not isinstance(data, Mapping):
        return f"the data of service {service_id!r} are no JSON object"
    if model is not None and models.find_service(model, service_id) is None:
        known = [service["serviceId"] for service in model["services"]]
        close = get_close_matches(service_id, known, n=1)
        told = f"similar is {close[0]!r}" if close else f"it has {', '.join(known)}"
        return f"product model {model['productId']!r} has no service {service_id!r}; {told}"
    return None


def _time(text: Any) -> float | None:
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None
