"""The platform's times: UTC text such as 20260212T121212Z, with milliseconds on newer deployments."""

import re
from datetime import UTC, datetime

_FORM = re.compile(r"(\d{8}T\d{6})(\d{3})?Z", re.ASCII)


class Timestamp(str):
    """A time as the platform wrote it; `datetime` is the same time as a datetime."""

    __slots__ = ()

    @property
    def datetime(self) -> datetime:
        """The time as an aware datetime in UTC.

        Raises:
            ValueError: the text is not a time in the platform's form.
        """
        return parse_time(self)


def parse_time(text: str) -> datetime:
    """Return a platform time as an aware datetime in UTC.

    Accepts ``yyyyMMddTHHmmssZ`` and ``yyyyMMddTHHmmssSSSZ``.

    Raises:
        ValueError: the text has another form, or there is no such time.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a platform time: expected yyyyMMddTHHmmssZ, with or without milliseconds")
    moment = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    return moment.replace(microsecond=int(match[2]) * 1000) if match[2] else moment


def is_platform_time(text: str) -> bool:
    """Return whether `parse_time` can read the text."""
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def format_time(moment: datetime) -> str:
    """Return an aware datetime as the platform's text, with milliseconds only if they are not zero.

    Raises:
        ValueError: the datetime has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a platform time needs a datetime with a time zone")
    moment = moment.astimezone(UTC)
    millis = moment.microsecond // 1000
    return f"{moment:%Y%m%dT%H%M%S}{millis:03d}Z" if millis else f"{moment:%Y%m%dT%H%M%S}Z"
