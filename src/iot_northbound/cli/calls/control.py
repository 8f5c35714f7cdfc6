"""The control plane of a running emulator, asked over HTTP."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from iot_northbound.core.textfiles import read_text
from iot_northbound.emulator_home import emulator_home

_WITHIN = 300.0
"""Seconds for an answer: a long time may have to pass on the platform (`advance`)."""


class ControlPlaneError(OSError):
    """The control plane refuses, or cannot be asked; the text says why."""


class ControlPlane:
    """Asks the control plane at one address."""

    def __init__(self, url: str) -> None:
        import requests

        self._url = url.rstrip("/")
        self._shown = _without_user(self._url)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands before a port of this machine

    def ask(self, method: str, path: str, ids: Mapping[str, str], fields: Mapping[str, Any]) -> Any:
        """Return the answer of an operation.

        Args:
            method: GET, POST and so on.
            path: Path with places in braces.
            ids: What goes into the places.
            fields: The fields of the query of a GET, and of the body of another method.

        Raises:
            ControlPlaneError: It refuses, or nobody answers.
        """
        import requests

        url = self._url + path.format_map({name: quote(value, safe="") for name, value in ids.items()})
        reads = method == "GET"
        try:
            answer = self._session.request(
                method,
                url,
                params=fields if reads else None,
                json=fields if fields and not reads else None,
                timeout=_WITHIN,
                allow_redirects=False,
            )
            value = answer.json() if answer.content else None
        except (requests.exceptions.JSONDecodeError, RecursionError):
            raise self._stranger() from None
        except (requests.exceptions.RequestException, ValueError):
            raise ControlPlaneError(
                f"no emulator answers at {self._shown}: start `iot-northbound emulator`, or give its --control URL"
            ) from None
        if HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return value
        if not isinstance(value, dict) or not isinstance(value.get("error"), str):
            raise self._stranger()
        raise ControlPlaneError(value["error"])

    def _stranger(self) -> ControlPlaneError:
        return ControlPlaneError(f"what answers at {self._shown} is not the control plane of an emulator")


def _without_user(url: str) -> str:
    """Return a URL without its user, who may have a password.

    Raises:
        ControlPlaneError: It is not a URL of a control plane.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        known = False
    if not known:
        # Not the text: it may contain a password.
        raise ControlPlaneError("the URL of the control plane must be like http://127.0.0.1:8744: see --control")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def control_plane(url: str | None, home: str | None) -> ControlPlane:
    """Return the control plane at a URL, or that of the emulator that has this home.

    Raises:
        ControlPlaneError: The home does not say where it is.
    """
    return ControlPlane(url if url is not None else _url_in(home))


def _url_in(home: str | None) -> str:
    try:
        profile = emulator_home(home) / "profile.toml"
    except ValueError as error:
        raise ControlPlaneError(str(error)) from None
    if not profile.is_file():
        raise ControlPlaneError(f"there is no {profile}: start `iot-northbound emulator`, or give --control URL")
    return _read(profile)


def _read(profile: Path) -> str:
    try:
        url = tomllib.loads(read_text(profile)).get("control", {}).get("url")
    except (OSError, ValueError, AttributeError):
        raise ControlPlaneError(f"{profile} cannot be read as a profile of the emulator") from None
    if not isinstance(url, str):
        raise ControlPlaneError(f"the emulator of {profile} has no control plane: start it without --no-control")
    return url
