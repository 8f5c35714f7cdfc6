"""Forwards pushes to an application on this machine."""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
import click

from iot_northbound.cli.calls.values import ParamType

if TYPE_CHECKING:
    from iot_northbound.cli.posting import Poster
    from iot_northbound.push import Event

_WITHIN = 15.0
"""Seconds for the application's answer, as many as the platform gives a receiver."""


class ForwardUrl(ParamType):
    """The URL of an application."""

    name = "URL"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it, if it is an http or https URL."""
        try:
            parts = urlsplit(value)
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known or not value.isascii() or not value.isprintable() or " " in value:
            # Not the value: it may contain a password.
            self.fail("this must be a URL such as http://localhost:3000/pushes", param, ctx)
        return value


class NotTakenError(Exception):
    """The application did not take a push."""


@attrs.frozen
class Forwarded:
    """What became of a push.

    Attributes:
        status: the status of the application's answer; None if there was none.
        ms: milliseconds until then.
        error: why there was no answer.
    """

    status: int | None
    ms: float
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the application has taken it."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def words(self) -> str:
        """The answer for a person."""
        return self.error or f"{self.status} in {self.ms:.0f} ms"


class Forwarder:
    """Posts pushes to one URL: the body as it came, with its content type.

    Args:
        url: where to.
        within: seconds for the answer.
    """

    def __init__(self, url: str, within: float = _WITHIN) -> None:
        self._url, self._within = url, within
        self._own = threading.local()

    def forward(self, event: Event) -> Forwarded:
        """Return what the application has answered."""
        started = time.monotonic()
        status, error = self._post(event)
        return Forwarded(status, round((time.monotonic() - started) * 1000, 1), error)

    def _post(self, event: Event) -> tuple[int | None, str | None]:
        import requests

        from iot_northbound.cli.posting import TooLateError

        kind = "text/plain; charset=utf-8" if event.is_probe else "application/json; charset=utf-8"
        body = event.text.encode("utf-8", "surrogatepass")
        try:
            return self._poster.post(self._url, body, {"Content-Type": kind}, self._within), None
        except (TooLateError, requests.exceptions.ReadTimeout):
            return None, f"no answer within {self._within:g} s"
        except requests.exceptions.ConnectionError as failure:
            timed_out = isinstance(failure, requests.exceptions.Timeout)
            return None, "no connection in time" if timed_out else "no connection, or a broken one"
        except (requests.exceptions.RequestException, OSError, ValueError):
            return None, "an answer that is not HTTP"

    @property
    def _poster(self) -> Poster:
        """The connections of this thread."""
        from iot_northbound.cli.posting import Poster

        poster: Poster | None = getattr(self._own, "poster", None)
        if poster is None:
            poster = self._own.poster = Poster()
        return poster
