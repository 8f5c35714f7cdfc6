"""Querying and deleting version packages (reference 1.10.1 to 1.10.3)."""

from __future__ import annotations

from iot_northbound.emulator.kernel.calls import Answer, Call, Refusal
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import codes, route
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.kernel.values import Bad, Shape, integer, may, one_of, refuse, text
from iot_northbound.emulator.rules import admission, packages
from iot_northbound.emulator.rules.packages import FIELDS, FILE_TYPES, IDENTIFIER, PACKAGES

BAD_REQUEST = (400, "120015")
BAD_PAGE = (400, "123029")
NOT_FOUND = (404, "123002")


_NUMBER = may("pageNo", integer(), BAD_REQUEST), may("pageSize", integer(), BAD_REQUEST)

QUERY = Shape(
    may("fileType", one_of(*FILE_TYPES)),
    *[may(name, text(0, 256)) for name in ("deviceType", "model", "manufacturerName", "version")],
    # The reference's URL has this spelling.
    may("manufactureName", text(0, 256)),
    *_NUMBER,
    invalid=BAD_REQUEST,
)


def page_of(given: Row) -> tuple[int, int]:
    """Return the page number and page size of a query of 1.10.

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
        Refusal: 400 120015, it has a form that no id has.
    """
    try:
        return str(IDENTIFIER(value))
    except Bad as bad:
        raise refuse(BAD_REQUEST, f"the id {bad}") from None


@route("1.10.1", "GET", "/iodm/northbound/v1.5.0/category")
def query_all(platform: Platform, call: Call) -> Answer:
    """Return a page of the packages that match all the filters, oldest first."""
    given = QUERY.read(call.query)
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
    """Delete a package; upgrades that have begun keep their version."""
    platform.table(PACKAGES).delete(_owned(platform, call)["fileId"])
    return Answer(200)


def _owned(platform: Platform, call: Call) -> Row:
    row = packages.find(platform, call.app_id, identifier(call.ids[0]))
    if row is None:
        raise Refusal(*NOT_FOUND)
    return row


def _public(row: Row) -> Row:
    return {name: row[name] for name in FIELDS}


_ONE = {
    "120015": "fileId has characters that no id has, or more than 256",
    "123002": "no such package in this application",
}
CODES = {
    **codes(("1.10.1", "1.10.2", "1.10.3"), admission.TOKEN),
    **codes(
        "1.10.1",
        {
            "120015": "a query field breaks its rule, or a page is not a number",
            "123029": "pageNo is negative, or pageSize is not from 1 to 100",
        },
    ),
    **codes(("1.10.2", "1.10.3"), _ONE),
}
