"""The content of an error body: its code and its description, in any of the forms that platforms and gateways use.

The platform uses ``error_code`` and ``error_desc``, also with HTTP 200, and its newer edition ``error_msg``. Gateways
use ``resultcode`` with ``resultmsg`` or ``resultdesc``, and frameworks and proxies ``message``, ``error`` and others.
Upper and lower case and underscores make no difference. A description that is not text is shown as JSON.
"""

import json
from typing import Any, NamedTuple

_PLATFORM_WORDS = (
    "errordesc",
    "errormsg",
    "errormessage",
    "errordescription",
    "errordetail",
    "errorreason",
    "resultmsg",
    "resultdesc",
    "resultmessage",
    "resultdescription",
    "errmsg",
    "errdesc",
)
_WORDS = (*_PLATFORM_WORDS, "message", "msg", "description", "desc", "detail", "details", "reason", "title")
_CODES = ("errorcode", "resultcode", "errcode", "code")
_INSIDE = ("error", "errors", "fault", "exception", "result")
"""The fields that can contain the code and the description one level below."""
_SUSPICIOUS = frozenset(_CODES[:3] + _INSIDE)
"""The fields that can make a success an error. Most successes do not have these fields."""
_DEEPEST = 3
_harmless: set[str] = set()
"""Names seen in successes that are not these fields, as they are spelled."""
_MOST_HARMLESS, _LONGEST_HARMLESS = 4096, 64


class Complaint(NamedTuple):
    """The code of an error body and its description; None if it is missing."""

    code: str | None
    words: str | None


_NONE = Complaint(None, None)


def find_complaint(value: Any, *, succeeded: bool) -> Complaint:
    """Return the error in a parsed body.

    A success counts as an error only if this is certain: it has an ``error_code`` other than zero, or another known
    code together with the platform's description; also one level below, or in the first item of a list.
    """
    return _of_success(value, _DEEPEST) if succeeded else _of_error(value, _DEEPEST)


def _of_success(value: Any, depth: int) -> Complaint:
    if value.__class__ is list:
        value = value[0] if value else None
    if value.__class__ is not dict or depth == 0 or _harmless.issuperset(value):
        return _NONE
    fields = _fields(value)
    if _SUSPICIOUS.isdisjoint(fields):
        if len(_harmless) < _MOST_HARMLESS:
            _harmless.update(name for name in value if len(name) <= _LONGEST_HARMLESS)
        return _NONE
    code = next((found for name, each in value.items() if _is_error_code(name) and (found := _code(each))), None)
    if code is None and any(name in fields for name in _PLATFORM_WORDS):
        code = _first(fields, _CODES, _code)
    if code is not None and code.strip("0") != "":  # some deployments send a zero with the data of a success
        return Complaint(code, _first(fields, _WORDS, _words))
    inner = (_of_success(fields.get(name), depth - 1) for name in _INSIDE)
    return next((each for each in inner if each.code is not None), _NONE)


def _is_error_code(name: str) -> bool:
    return name.strip().replace("-", "_").lower() == "error_code"


def _of_error(value: Any, depth: int) -> Complaint:
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict) or depth == 0:
        return _NONE
    fields = _fields(value)
    code, words = _first(fields, _CODES, _code), _first(fields, _WORDS, _words)
    for name in _INSIDE:
        if code is not None and words is not None:
            break
        inner = _of_error(fields.get(name), depth - 1)
        code, words = code or inner.code, words or inner.words
    if words is None:
        words = _first(fields, _INSIDE, _words)
    return Complaint(code, words)


def _fields(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object's fields by their names in lower case without underscores; of two equal names, the first."""
    fields: dict[str, Any] = {}
    for name, each in value.items():
        fields.setdefault(name.replace("_", "").replace("-", "").strip().lower(), each)
    return fields


def _first(fields: dict[str, Any], names: tuple[str, ...], read: Any) -> str | None:
    return next((found for name in names if (found := read(fields.get(name))) is not None), None)


def _code(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _words(value: Any) -> str | None:
    if value is None or value == {} or value == []:
        return None
    if isinstance(value, str):
        return value.strip() or None
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
