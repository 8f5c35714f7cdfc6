"""The platform of one test: the session's emulator, emptied, with applications of the test's own."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import attrs

from iot_northbound._hide import hide
from iot_northbound.client import NorthApiClient
from iot_northbound.config import ClientInfo, HttpConfig, Settings
from iot_northbound.emulator import Control, Emulator
from iot_northbound.ssl_config import SSLConfig

_LOOK = 0.002
"""Seconds between two looks at the platform's queue of pushes."""


@contextlib.contextmanager
def emulator_for(folder: Path, options: Mapping[str, Any]) -> Iterator[Emulator]:
    """Run an emulator on free ports, for devices too."""
    with Emulator(**{"mqtt_port": 0, "agentlite_port": 0, "hub_port": 0, "folder": folder, **options}) as emulator:
        yield emulator


@attrs.frozen(eq=False)
class IotApplication:
    """An application that the platform knows, and all that a program needs to be it.

    Attributes:
        app_id: Its id.
        secret: Its secret.
    """

    app_id: str
    secret: str = attrs.field(repr=hide)
    _emulator: Emulator = attrs.field(repr=False)
    _files: contextlib.ExitStack = attrs.field(repr=False)

    @property
    def settings(self) -> Settings:
        """The configuration of its clients: ``NorthApiClient(*iot_application.settings)``."""
        host, port = self._emulator.address
        home = self._emulator.home
        return Settings(
            ClientInfo(platform_ip=host, platform_port=port, app_id=self.app_id, secret=self.secret),
            SSLConfig(
                self_cert_path=home.folder / "client.pem",
                self_key_path=home.folder / "client.key",
                trust_ca_path=home.ca,
            ),
            HttpConfig(),
        )

    @property
    def profile_path(self) -> Path:
        """A profile (TOML) for programs that read one. It has the ports for devices too, and is there for the test."""
        path = self._emulator.home.folder / f"profile-{self.app_id}.toml"
        if not path.exists():
            own = replace(self._emulator.home, app_id=self.app_id, secret=self.secret)
            host, port = self._emulator.address
            own.write_profile(host, port, path, self._emulator.device_ports)
            self._files.callback(path.unlink, missing_ok=True)
        return path

    @property
    def environ(self) -> dict[str, str]:
        """The variables ``IOT_NORTHBOUND_…`` for a program that is configured by its environment."""
        (host, port), home = self._emulator.address, self._emulator.home
        values = {
            "platform_ip": host,
            "platform_port": port,
            "app_id": self.app_id,
            "secret": self.secret,
            "self_cert_path": home.folder / "client.pem",
            "self_key_path": home.folder / "client.key",
            "trust_ca_path": home.ca,
        }
        return {f"IOT_NORTHBOUND_{name.upper()}": str(value) for name, value in values.items()}

    @property
    def control(self) -> Control:
        """The platform's control plane for this application: devices, models and packages that it adds are its own."""
        return self._emulator.control_for(self.app_id)

    def client(self, http: HttpConfig | None = None, **options: Any) -> NorthApiClient:
        """Return a client for a ``with`` statement. The options are those of `NorthApiClient`.

        A second client of the same application ends the token of the first one, as on the platform.
        """
        info, tls, *_ = self.settings
        return NorthApiClient(info, tls, http, **options)


class IotPlatform:
    """An empty platform for one test.

    Args:
        emulator: The running emulator. It is emptied at the start and at the end of the ``with`` block.
    """

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._files = contextlib.ExitStack()

    @cached_property
    def application(self) -> IotApplication:
        """The test's own application, which `north_client` is logged in as."""
        return self._new()

    @cached_property
    def control(self) -> Control:
        """What a test does behind the API's back, for the test's own application."""
        return self.application.control

    @property
    def base_url(self) -> str:
        """Address of the northbound API."""
        return self.emulator.base_url

    @property
    def ca(self) -> Path:
        """The CA file (PEM) that the platform's certificates are checked with, and those of receivers."""
        return self.emulator.home.ca

    def add_application(self) -> IotApplication:
        """Return a new application, for which the test's own application may act."""
        made = self._new()
        self.control.authorise(made.app_id, self.application.app_id)
        return made

    def server_context(self, *, ask: bool = False) -> ssl.SSLContext:
        """Return the TLS context of a server on this machine that the platform may push to.

        Args:
            ask: Whether the server demands a certificate of its clients. The platform has one.
        """
        return self.emulator.home.server_context() if ask else self.emulator.home.device_context()

    def wait_idle(self, timeout: float = 10.0) -> None:
        """Return when no push waits and none is being sent.

        Raises:
            TimeoutError: Pushes were still there; the text says how many.
        """
        ends = time.monotonic() + timeout
        while (pushes := self.control.pushes())["waiting"] or pushes["underWay"]:
            if time.monotonic() >= ends:
                raise TimeoutError(f"after {timeout:g} s {pushes['waiting']} pushes still wait: {self._last_failure()}")
            time.sleep(_LOOK)

    def _last_failure(self) -> str:
        failed = [entry for entry in self.control.journal(kind="push", limit=100) if entry["error"]]
        if not failed:
            return "none of the last ones failed, so they are still being sent, or the platform's clock is frozen"
        return f"the last failure is {failed[-1]['error']} ({failed[-1]['url']})"

    def _new(self) -> IotApplication:
        made = self.emulator.control.add_application()
        return IotApplication(made["appId"], made["secret"], self.emulator, self._files)

    def __repr__(self) -> str:
        return f"<IotPlatform {self.base_url}>"

    def __enter__(self) -> Self:
        self.emulator.control.start_over()
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()
        self.emulator.control.start_over()
