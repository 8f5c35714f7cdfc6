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
    import requests

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

        kind = "text/plain; charset=utf-8" if event.is_probe else "application/json; charset=utf-8"
        try:
            with self._session.post(
                self._url,
                event.text.encode("utf-8", "surrogatepass"),
                headers={"Content-Type": kind},
                timeout=self._within,
                allow_redirects=False,
                stream=True,  # nobody reads the body of the answer
            ) as answer:
                return answer.status_code, None
        except requests.exceptions.ConnectionError as failure:
            timed_out = isinstance(failure, requests.exceptions.Timeout)
            return None, "no connection in time" if timed_out else "no connection, or a broken one"
        except requests.exceptions.Timeout:
            return None, f"no answer within {self._within:g} s"
        except (requests.exceptions.RequestException, OSError, ValueError):
            return None, "an answer that is not HTTP"

    @property
    def _session(self) -> requests.Session:
        """The connections of this thread."""
        import requests

        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = requests.Session()
            session.trust_env = False  # no proxy stands before an application of this machine
        return session
