"""An answer read: the JSON value of a success, or the right NorthApiException.

The platform's errors come in three shapes, on any status: ``error_code``/``error_desc`` from the platform (on HTTP 200
too), ``resultcode``/``resultmsg`` from the gateway in front, and whatever a proxy in between sends.
"""

import json
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from iot_northbound.core.redact import redact
from iot_northbound.core.redirects import explain_redirect
from iot_northbound.errors import BadTokenError, NorthApiException, SdkCode, UnreadableAnswerError, class_for

BAD_TOKEN_CODES = frozenset({"1010005", "101005"})
_SHOWN = 2000
"""Characters of a body that an exception holds."""
_LONGEST_SECRET = 512


class Answer(NamedTuple):
    """An HTTP answer, read to its end."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def charset(self) -> str:
        """The declared charset; UTF-8 where none is."""
        content_type = self.headers.get("Content-Type", "")
        return content_type.partition("charset=")[2].split(";")[0].strip(" \"'") or "utf-8"

    def text(self, limit: int | None = None) -> str:
        """Return the body, or that many bytes of it, as text in its declared charset, else UTF-8; never fails."""
        body = self.body[:limit]
        try:
            return body.decode(self.charset, "replace")
        except (LookupError, ValueError):
            return body.decode("utf-8", "replace")

    def retry_after(self, now: float) -> float | None:
        """Return the seconds the server asks to wait, or None."""
        value = self.headers.get("Retry-After")
        if not value:
            return None
        try:
            return max(float(value), 0.0) if value.strip().isdigit() else _seconds_until(value, now)
        except (TypeError, ValueError, OverflowError):
            return None


def _seconds_until(date: str, now: float) -> float:
    return max(parsedate_to_datetime(date).timestamp() - now, 0.0)


_NOT_JSON = object()


def _parse(answer: Answer) -> Any:
    try:
        try:
            text = answer.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = answer.body.decode(answer.charset)
        return json.loads(text)
    except (ValueError, LookupError, RecursionError):
        return _NOT_JSON


def shown(answer: Answer, secrets: tuple[str, ...], length: int = _SHOWN) -> str | None:
    """Return the beginning of an answer's body as an exception may show it; None where it is empty."""
    return _cleared(answer.text(8 * length), secrets, length) or None


def _cleared(text: str, secrets: tuple[str, ...], length: int = _SHOWN) -> str:
    # Cleared before it is cut: half a secret would not be found. So what stands near the end of a cut is left out.
    cleared = redact(text[: 2 * length], secrets)
    if len(text) > 2 * length:
        cleared = cleared[:-_LONGEST_SECRET]
    return cleared[:length]


def _code_of(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def read_answer(answer: Answer, now: Callable[[], float], secrets: Callable[[], tuple[str, ...]]) -> Any:
    """Return the JSON value of a successful answer; None where it has no body.

    Args:
        answer: the answer, read to its end.
        now: returns seconds since the epoch, for a Retry-After that names a date.
        secrets: returns the values that no exception's text may show.

    Raises:
        NorthApiException: the answer tells of an error, in any of its shapes.
        UnreadableAnswerError: a success whose body is not JSON (1004).
    """
    value = _parse(answer) if answer.body.strip() else None
    if isinstance(value, dict):
        code = _code_of(value.get("error_code"))
        desc = value.get("error_desc")
        if code is None:
            code = _code_of(value.get("resultcode"))
            desc = value.get("resultmsg")
            if code is not None and answer.status < 300 and "resultmsg" not in value:
                code = None
        if code is not None and not (answer.status < 300 and code.strip("0") == ""):
            # A zero beside data is how some deployments say success.
            raise _failure(answer, code, desc, now(), secrets())
    if 200 <= answer.status < 300:
        if value is _NOT_JSON:
            raise UnreadableAnswerError(
                SdkCode.UNREADABLE, "a success came with a body that is not JSON", **_details(answer, now(), secrets())
            )
        return value
    raise _without_code(answer, value, now(), secrets())


def _details(answer: Answer, now: float, secrets: tuple[str, ...]) -> dict[str, Any]:
    return {
        "http_status_code": answer.status,
        "http_reason_phrase": answer.reason,
        "http_message": shown(answer, secrets),
        "retry_after": answer.retry_after(now),
    }


def _failure(answer: Answer, code: str, desc: Any, now: float, secrets: tuple[str, ...]) -> NorthApiException:
    text = _cleared(desc, secrets) if isinstance(desc, str) and desc.strip() else "the platform gave no description"
    details = _details(answer, now, secrets) | {"http_message": None}
    return class_for(code, answer.status)(code, text, **details)


def _without_code(answer: Answer, value: Any, now: float, secrets: tuple[str, ...]) -> NorthApiException:
    details = _details(answer, now, secrets)
    redirect = explain_redirect(answer.status, answer.headers)
    if redirect is not None:
        code = SdkCode.NOT_JSON if value is None or value is _NOT_JSON else SdkCode.JSON_WITHOUT_CODE
        return class_for("", answer.status)(code, redirect, **details)
    if answer.status == 401:
        code = SdkCode.NOT_JSON if value is _NOT_JSON else SdkCode.JSON_WITHOUT_CODE
        return BadTokenError(code, "the platform refused the call's credentials without an error code", **details)
    if answer.status == 403:
        return class_for("", 403)(
            SdkCode.FORBIDDEN_WITHOUT_CODE, "the platform forbade the call without an error code", **details
        )
    if value is _NOT_JSON:
        return class_for("", answer.status)(
            SdkCode.NOT_JSON, f"HTTP {answer.status} came with a body that is not the platform's JSON", **details
        )
    if value is None:
        return class_for("", answer.status)(SdkCode.NOT_JSON, f"HTTP {answer.status} came without a body", **details)
    return class_for("", answer.status)(
        SdkCode.JSON_WITHOUT_CODE, f"HTTP {answer.status} came with JSON that has no error_code", **details
    )


def is_bad_token(error: NorthApiException) -> bool:
    """Tell whether the platform refused the call because of its token, unread."""
    if error.error_code in BAD_TOKEN_CODES:
        return True
    return error.http_status_code == 401 and isinstance(error, BadTokenError)
