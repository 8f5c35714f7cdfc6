"""An answer as the JSON value of a success, or as the right NorthApiException."""

import json
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from iot_northbound.core.charsets import any_text, json_text
from iot_northbound.core.complaints import find_complaint
from iot_northbound.core.redact import redact
from iot_northbound.core.redirects import explain_redirect
from iot_northbound.errors import BadTokenError, NorthApiException, SdkCode, UnreadableAnswerError, class_for

BAD_TOKEN_CODES = frozenset({"1010005", "101005"})
_SHOWN = 2000
"""How many characters of a body an exception keeps."""
_LONGEST_SECRET = 512
_LONGEST_PAUSE = 366 * 86400.0
"""Seconds; no system can sleep for as long as a header can say."""
LONGEST_CODE = 64
"""The longest error code that is shown whole, in characters; the platform's have six or seven."""


class Answer(NamedTuple):
    """An HTTP answer, read to its end."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The header of that name; empty if there is none."""
        return self.headers.get("Content-Type") or ""

    def text(self, limit: int | None = None) -> str:
        """Return the body, or its first bytes, as text; what is no text is replaced. It never fails."""
        return any_text(self.body[:limit], self.content_type)

    def retry_after(self, now: float) -> float | None:
        """Return how many seconds the server asks to wait, a year at most, or None."""
        value = self.headers.get("Retry-After")
        if not value:
            return None
        try:
            seconds = float(value) if value.strip().isdigit() else _seconds_until(value, now)
        except (TypeError, ValueError, OverflowError):
            return None
        return min(max(seconds, 0.0), _LONGEST_PAUSE)


def _seconds_until(date: str, now: float) -> float:
    return parsedate_to_datetime(date).timestamp() - now


_NOT_JSON = object()


def _parse(answer: Answer) -> Any:
    try:
        return json.loads(json_text(answer.body, answer.content_type))
    except (ValueError, RecursionError):
        return _NOT_JSON


def shown(answer: Answer, secrets: tuple[str, ...], length: int = _SHOWN) -> str | None:
    """Return the beginning of an answer's body for an exception; None if it is empty."""
    return cleared(answer.text(8 * length), secrets, length) or None


def cleared(text: str | None, secrets: tuple[str, ...], length: int = _SHOWN) -> str:
    """Return the beginning of a peer's text for an exception: without secrets, and not too long."""
    # Secrets are removed before the text is cut, because half a secret cannot be found. So the end of a cut is left
    # out.
    text = text or ""
    clean = redact(text[: 2 * length + _LONGEST_SECRET], secrets)
    if len(text) > 2 * length + _LONGEST_SECRET:
        clean = clean[:-_LONGEST_SECRET]
    return clean[:length]


def read_answer(answer: Answer, now: Callable[[], float], secrets: Callable[[], tuple[str, ...]]) -> Any:
    """Return the JSON value of a successful answer; None if it has no body.

    Args:
        answer: the whole answer.
        now: returns seconds since the epoch, for a Retry-After that names a date.
        secrets: returns the values that no exception's text may show.

    Raises:
        NorthApiException: the answer reports an error, in any form.
        UnreadableAnswerError: a success whose body is not JSON (1004).
    """
    value = _parse(answer) if answer.body.strip() else None
    succeeded = 200 <= answer.status < 300
    complaint = find_complaint(value, succeeded=succeeded)
    if complaint.code is None and succeeded and value is not _NOT_JSON:
        return value
    hidden = secrets()
    details: dict[str, Any] = {
        "http_status_code": answer.status,
        "http_reason_phrase": cleared(answer.reason, hidden),
        "http_message": shown(answer, hidden),
        "retry_after": answer.retry_after(now()),
    }
    words = cleared(complaint.words, hidden)
    if complaint.code is not None:
        details["http_message"] = None if words else details["http_message"]
        code = cleared(complaint.code, hidden, LONGEST_CODE)
        raise class_for(code, answer.status)(code, words or "the platform gave no description", **details)
    if succeeded:
        raise UnreadableAnswerError(SdkCode.UNREADABLE, "a success came with a body that is not JSON", **details)
    raise _without_code(answer, value, words, details)


def _without_code(answer: Answer, value: Any, words: str, details: dict[str, Any]) -> NorthApiException:
    status, says = answer.status, f": {words}" if words else ""
    if (redirect := explain_redirect(status, answer.headers)) is not None:
        code = SdkCode.NOT_JSON if value is None or value is _NOT_JSON else SdkCode.JSON_WITHOUT_CODE
        return class_for("", status)(code, redirect, **details)
    if status == 401:
        code = SdkCode.NOT_JSON if value is _NOT_JSON else SdkCode.JSON_WITHOUT_CODE
        desc = f"the platform refused the call's credentials without an error code{says}"
        return BadTokenError(code, desc, **details)
    kind = class_for("", status)
    if status == 403:
        desc = f"the platform forbade the call without an error code{says}"
        return kind(SdkCode.FORBIDDEN_WITHOUT_CODE, desc, **details)
    if value is _NOT_JSON:
        return kind(SdkCode.NOT_JSON, f"HTTP {status} came with a body that is not the platform's JSON", **details)
    if value is None:
        return kind(SdkCode.NOT_JSON, f"HTTP {status} came without a body", **details)
    return kind(SdkCode.JSON_WITHOUT_CODE, f"HTTP {status} came with JSON that has no error_code{says}", **details)


def is_bad_token(error: NorthApiException) -> bool:
    """Return whether the platform refused the call because of its token, without reading the request."""
    if error.error_code in BAD_TOKEN_CODES:
        return True
    return error.http_status_code == 401 and isinstance(error, BadTokenError)
