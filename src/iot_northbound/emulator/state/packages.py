"""Version packages for upgrades (reference 1.10.1 to 1.10.3). They are uploaded by hand on a portal: here, `add`."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.state.kernel import Answer, Call, Platform, Refusal
from iot_northbound.emulator.state.routing import route, table
from iot_northbound.emulator.state.store import Row
from iot_northbound.emulator.state.values import Bad, Shape, integer, may, must, one_of, refuse, structure, text

PACKAGES = table("packages")
FILE_TYPES = ("firmwarePackage", "softwarePackage")

BAD_REQUEST = (400, "120015")
BAD_PAGE = (400, "123029")
NOT_FOUND = (404, "123002")
EVERYWHERE = {
    "1010005": "no token, an expired one, one ended by a newer login, or a foreign app_key",
    "1010009": "flow control switched on and its calls a minute used up",
}
"""What holds for every endpoint of 1.10."""
CODES: dict[tuple[str, str], str] = {
    **{(f"1.10.{n}", code): how for n in (1, 2, 3) for code, how in EVERYWHERE.items()},
    ("1.10.1", "120015"): "a query field breaks its rule, or a page is no number",
    ("1.10.1", "123029"): "pageNo is negative, or pageSize is not from 1 to 100",
    ("1.10.2", "120015"): "fileId has characters that no id has, or more than 256",
    ("1.10.2", "123002"): "no such package in this application",
    ("1.10.3", "120015"): "fileId has characters that no id has, or more than 256",
    ("1.10.3", "123002"): "no such package in this application",
}

IDENTIFIER = text(1, 256, "[A-Za-z0-9_.-]+")
_NUMBER = may("pageNo", integer(), BAD_REQUEST), may("pageSize", integer(), BAD_REQUEST)
QUERY = Shape(
    may("fileType", one_of(*FILE_TYPES)),
    *[may(name, text(0, 256)) for name in ("deviceType", "model", "manufacturerName", "version")],
    # The reference's URL has this spelling.
    may("manufactureName", text(0, 256)),
    *_NUMBER,
    invalid=BAD_REQUEST,
)
_FIELDS = (
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
        **dict.fromkeys(_FIELDS),
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


def page_of(given: Row) -> tuple[int, int]:
    """Return the page's number and size of a query of 1.10.

    Raises:
        Refusal: 400 123029, one is out of its range.
    """
    page_no, page_size = given.get("pageNo", 0), given.get("pageSize", 10)
    if page_no < 0:
        raise refuse(BAD_PAGE, "pageNo must be at least 0")
    if not 1 <= page_size <= 100:
        raise refuse(BAD_PAGE, "pageSize must be from 1 to 100")
    return page_no, page_size


def identifier(value: str) -> str:
    """Return an id from a path.

    Raises:
        Refusal: 400 120015, it cannot be one.
    """
    try:
        return str(IDENTIFIER(value))
    except Bad as bad:
        raise refuse(BAD_REQUEST, f"the id {bad}") from None


@route("1.10.1", "GET", "/iodm/northbound/v1.5.0/category")
def query_all(platform: Platform, call: Call) -> Answer:
    """Return a page of the packages that match all the filters, oldest first."""
    given = QUERY.read_query(call.query)
    page_no, page_size = page_of(given)
    maker = given.get("manufacturerName") or given.get("manufactureName")
    wanted = {name: given.get(name) for name in ("fileType", "deviceType", "model", "version")}
    wanted["manufacturerName"] = maker
    equal = {name: value for name, value in wanted.items() if value}
    found = platform.table(PACKAGES).where(appId=call.app_id, **equal)
    data = [_public(row) for row in found.slice(page_no * page_size, page_size)]
    return Answer(200, {"data": data, "pageNo": page_no, "pageSize": page_size, "totalCount": len(found)})


@route("1.10.2", "GET", "/iodm/northbound/v1.5.0/category/{fileId}")
def query_one(platform: Platform, call: Call) -> Answer:
    """Return one package."""
    return Answer(200, _public(_owned(platform, call)))


@route("1.10.3", "DELETE", "/iodm/northbound/v1.5.0/category/{fileId}")
def delete(platform: Platform, call: Call) -> Answer:
    """Delete a package; upgrades under way keep their version."""
    platform.table(PACKAGES).delete(_owned(platform, call)["fileId"])
    return Answer(200)


def _owned(platform: Platform, call: Call) -> Row:
    row = find(platform, call.app_id, identifier(call.ids[0]))
    if row is None:
        raise Refusal(*NOT_FOUND)
    return row


def _public(row: Row) -> Row:
    return {name: row[name] for name in _FIELDS}
