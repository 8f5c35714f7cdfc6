"""Version packages for upgrades. On a real platform they are uploaded on a portal; here, with `add`."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import table
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Bad, may, must, one_of, structure, text

PACKAGES = table("packages")
FILE_TYPES = ("firmwarePackage", "softwarePackage")


IDENTIFIER = text(1, 256, "[A-Za-z0-9_.-]+")
FIELDS = (
    "fileId",
    "name",
    "version",
    "fileType",
    "deviceType",
    "model",
    "manufacturerName",
    "protocolType",
    "description",
    "date",
    "uploadTime",
)
_PACKAGE = structure(
    may("fileId", IDENTIFIER),
    must("name", text(1, 256)),
    must("version", text(1, 256)),
    must("fileType", one_of(*FILE_TYPES)),
    *[must(name, text(1, 256)) for name in ("deviceType", "model", "manufacturerName")],
    may("protocolType", text(1, 256)),
    may("description", text(0, 2048)),
    may("date", text(0, 32)),
)


def add(platform: Platform, app_id: str, package: Any) -> Row:
    """Add a version package to an application and return its row.

    Args:
        platform: the platform.
        app_id: the application.
        package: name, version, fileType (firmwarePackage or softwarePackage), deviceType, model, manufacturerName;
            optionally fileId, protocolType, description and date.

    Raises:
        ValueError: The package breaks its form, or another one has its fileId.
    """
    try:
        given = _PACKAGE(package)
    except Bad as bad:
        raise ValueError(f"this version package cannot be used: {bad}") from None
    file_id = given.get("fileId") or platform.ids.hex(24)
    if file_id in platform.table(PACKAGES):
        raise ValueError(f"there is a version package {file_id!r} already")
    uploaded = platform.now_text()
    row = {
        **dict.fromkeys(FIELDS),
        "protocolType": "CoAP",
        "date": f"{uploaded[:4]}-{uploaded[4:6]}-{uploaded[6:8]}",
        **given,
        "fileId": file_id,
        "uploadTime": uploaded,
        "appId": app_id,
        "seq": platform.next_seq(),
    }
    return platform.table(PACKAGES).put(file_id, row)


def find(platform: Platform, app_id: str, file_id: str) -> Row | None:
    """Return an application's package, or None."""
    row = platform.table(PACKAGES).get(file_id)
    return row if row is not None and row["appId"] == app_id else None
