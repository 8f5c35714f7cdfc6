"""1,000 devices from JSON to DTOs, against `json.loads` of the same bytes (and msgspec, as the fastest possible)."""

import json

import msgspec

from benchmarks.measure import alternate, devices_page
from iot_northbound.core import wire
from iot_northbound.dto.data_collection import QueryBatchDevicesInfoOutDTO


class _Device(msgspec.Struct):
    deviceId: str | None = None
    gatewayId: str | None = None
    nodeType: str | None = None
    createTime: str | None = None
    lastModifiedTime: str | None = None
    deviceInfo: dict | None = None
    services: list[dict] | None = None


class _Page(msgspec.Struct):
    totalCount: int
    devices: list[_Device]


def main() -> None:
    """Print seconds and ratios."""
    body = devices_page(1000)
    parsed = json.loads(body)
    text = body.decode()
    medians = alternate(
        {
            "json.loads": lambda: json.loads(text),
            "structure": lambda: wire.structure(parsed, QueryBatchDevicesInfoOutDTO),
            "loads + structure": lambda: wire.structure(json.loads(text), QueryBatchDevicesInfoOutDTO),
            "msgspec (half-typed)": lambda: msgspec.json.decode(body, type=_Page),
        },
        rounds=41,
    )
    base = medians["json.loads"]
    print(f"structuring 1,000 devices ({len(body):,} bytes), CPU medians")
    for name, seconds in medians.items():
        print(f"  {name:22} {seconds * 1000:7.2f} ms   x{seconds / base:.2f}")


if __name__ == "__main__":
    main()
