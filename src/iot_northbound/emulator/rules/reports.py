"""Reports of real devices, which cannot be told that something is wrong with them.

`devices.report_services` checks what a scripted device reports, or a test in its name, and refuses a report as a whole.
A real device has nobody to read a refusal, so here each entry of a report stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        service_id, data = entry.get("serviceId"), entry.get("data")
        if not isinstance(service_id, str) or not service_id:
            dropped.append("an entry has no serviceId, or one that is not text")
        elif not isinstance(data, Mapping):
            dropped.append(f"the data of service {service_id!r} are not a JSON object")
        elif model is None:
            good.append({"serviceId": service_id, "data": data, "time": _time(entry.get("eventTime"))})
        elif (service := models.find_service(model, service_id)) is None:
            dropped.append(models.unknown_service(model, service_id))
        else:
            models.hint_misfits(platform, model, service, data)
            good.append({"serviceId": service_id, "data": data, "time": _time(entry.get("eventTime"))})
    devices.take_report(platform, device_id, model, good, request_id)
    return dropped


def _time(text: Any) -> float | None:
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None
