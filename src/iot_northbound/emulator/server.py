"""`Emulator`: the whole platform in this process or as a command, with its listeners, its home and its control."""

from __future__ import annotations

import shutil
import ssl
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, Unpack

from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.http import ControlApp
from iot_northbound.emulator.control.schema import check, schema_of
from iot_northbound.emulator.home import Home, RunningProfile, prepare
from iot_northbound.emulator.kernel.settings import Settings, SomeSettings
from iot_northbound.emulator.northbound import NorthboundApp, server_refusal
from iot_northbound.emulator.rules import applications
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.emulator_home import expanded
from iot_northbound.serving import BindError, Limits, LoopService
from iot_northbound.serving.http import GuardedServer
from iot_northbound.serving.tls import set_checks


class Emulator(LoopService):
    """A platform to test against: `with Emulator() as platform: …`.

    It runs on a thread of its own (`start`/`stop` or the context manager) or in the foreground (`serve_forever`).
    Several emulators may run side by side. Those that share a folder share the application and the certificates. The
    `profile.toml` there leads to the one that was started first, and each later one has its own (`profile_path`).

    Args:
        host: Address of the northbound API. The certificate's names fit only addresses of this machine.
        port: Port of the northbound API; 0 takes a free one.
        control_port: Port of the control plane, on 127.0.0.1 only; 0 takes a free one; None: no control plane.
        folder: Where certificates, application and profile are kept. None takes `home` in the data directory. Without
            a data directory it takes a temporary folder that is deleted with this object. It never uses the command's
            own home unless you name it.
        data_dir: Where the state is kept; None keeps it in memory.
        callback_ca: CA file (PEM) that receivers' certificates are checked against; None takes the emulator's own.
        callback_certificate: Certificate and key file (PEM) shown to receivers; None shows the emulator's own.
        strict_x509: Whether certificates of clients and receivers must keep every rule of RFC 5280. Off by
            default, since many certificates in use do not. It is the same on every Python version.
        limits: How much one peer may use.
        settings: Some of the platform's settings by name; `Settings` lists them all.

    Raises:
        TypeError: A setting is unknown.
        InvalidArgument: A setting is out of its range, or of another type.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        control_port: int | None = 0,
        folder: Path | str | None = None,
        data_dir: Path | str | None = None,
        callback_ca: Path | str | None = None,
        callback_certificate: tuple[Path | str, Path | str] | None = None,
        strict_x509: bool = False,
        limits: Limits | None = None,
        **settings: Unpack[SomeSettings],
    ) -> None:
        known = SomeSettings.__annotations__
        if unknown := sorted(settings.keys() - known.keys()):
            raise TypeError(f"unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
        self._given = check(settings, schema_of(SomeSettings))
        self._host, self._port, self._control_port = host, port, control_port
        self._data_dir = expanded(data_dir) if data_dir is not None else None
        self._folder = expanded(folder) if folder is not None else self._data_dir and self._data_dir / "home"
        self._callback_ca, self._callback_certificate = callback_ca, callback_certificate
        self._strict_x509 = strict_x509
        # The machine of a test has one address, which may use every connection.
        self._limits = limits or Limits(stop_grace=3.0, connections_per_address=Limits().connections)
        self._runtime: Runtime | None = None
        self._servers: list[GuardedServer] = []
        self._profile: RunningProfile | None = None
        self.home: Home
        """The folder with the certificates and the profile; it exists once the emulator has started."""

    # --- addresses and names ---

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the northbound API."""
        return self._host, self._port

    @property
    def base_url(self) -> str:
        """Address of the northbound API as a URL without a path."""
        return f"https://{_in_url(self._host)}:{self._port}"

    @property
    def control_url(self) -> str | None:
        """Address of the control plane, or None without one."""
        return None if self._control_port is None else f"http://127.0.0.1:{self._control_port}"

    @property
    def profile_path(self) -> Path:
        """The TOML profile a client can be made from."""
        return self._profile.path if self._profile is not None else self.home.profile

    @property
    def app_id(self) -> str:
        """Id of the application that was made at the first start."""
        return self.home.app_id

    @property
    def secret(self) -> str:
        """Secret of that application."""
        return self.home.secret

    @property
    def control(self) -> Control:
        """The control plane as an object, for any thread except the emulator's own."""
        if self._runtime is None:
            raise RuntimeError("the emulator is not running")
        return self._control

    def __repr__(self) -> str:
        return f"<Emulator {self.base_url} {'running' if self._runtime else 'stopped'}>"

    # --- start and end ---

    def start(self) -> Self:
        """Run on a background thread; return when it answers calls.

        Raises:
            BindError: A port cannot be used.
            DataDirError: The data directory cannot be used.
        """
        return super().start()

    async def open(self) -> None:
        """Start on the running loop; return when it answers calls."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="iot-northbound-emulator-"))
            # Not at the stop: if this emulator is started again, it has the same application and certificates.
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self.home = prepare(self._folder)
        northbound = GuardedServer(
            self._serve_northbound,
            self._host,
            self._port,
            ssl_context=self.home.server_context(strict_x509=self._strict_x509),
            limits=self._limits,
            refusal=server_refusal,
        )
        self._servers = [northbound]
        _, self._port = northbound.bind()  # before any state is touched: a port in use is the likeliest mistake
        if self._control_port is not None:
            control = GuardedServer(self._serve_control, "127.0.0.1", self._control_port, limits=self._limits)
            self._servers.append(control)
            try:
                _, self._control_port = control.bind()
            except BindError as error:
                where = "the control plane's port is control_port (--control-port)"
                raise BindError(error.errno, f"{error.strerror}; {where}") from error
        runtime = Runtime(Settings(**self._given), self._callback_context(), self._data_dir)
        self._runtime = runtime
        await runtime.execute(
            lambda: applications.add_application(runtime.platform, self.home.app_id, self.home.secret)
        )
        self._control = Control(runtime, self._facts)
        self._northbound_app = NorthboundApp(runtime)
        self._control_app = ControlApp(self._control)
        host = "127.0.0.1" if self._host in ("0.0.0.0", "::", "") else self._host  # noqa: S104
        self._profile = RunningProfile(self.home, host, self._port)
        for server in self._servers:
            await server.open()

    async def aclose(self) -> None:
        """Answer the calls that have begun, write the pending changes, and close everything."""
        if self._runtime is not None:
            self._runtime.closing.set()
        for server in self._servers:
            await server.aclose()
        self._servers = []
        if self._profile is not None:
            self._profile.withdraw()
            self._profile = None
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime.aclose()

    async def _serve_northbound(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self._northbound_app(scope, receive, send)

    async def _serve_control(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self._control_app(scope, receive, send)

    def _facts(self) -> Mapping[str, Any]:
        return {"base_url": self.base_url, "control_url": self.control_url, "app_id": self.app_id}

    def _callback_context(self) -> ssl.SSLContext:
        ca = expanded(self._callback_ca) if self._callback_ca is not None else self.home.ca
        own = (self.home.folder / "client.pem", self.home.folder / "client.key")
        certificate, key = self._callback_certificate or own
        try:
            # Not ssl.create_default_context: how strictly that one checks depends on the Python version.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_verify_locations(ca)
            set_checks(context, strict_x509=self._strict_x509)
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(
                f"the callbacks' TLS cannot be set up from {ca}, {certificate} and {key}: {error}"
            ) from error
        return context


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
