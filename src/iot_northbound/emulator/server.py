"""`Emulator`: the whole platform in this process or as a command, with its listeners, its home and its control."""

from __future__ import annotations

import shutil
import ssl
import tempfile
import weakref
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, Unpack

from iot_northbound.emulator.console.door import Door
from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.http import ControlApp
from iot_northbound.emulator.control.schema import check, schema_of
from iot_northbound.emulator.home import Home, RunningProfile, prepare
from iot_northbound.emulator.kernel.settings import Settings, SomeSettings
from iot_northbound.emulator.mqtt.codecs import Codec
from iot_northbound.emulator.mqtt.endpoint import MqttEndpoint
from iot_northbound.emulator.northbound import NorthboundApp, server_refusal
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.emulator_home import expanded
from iot_northbound.input_files import read_bytes
from iot_northbound.serving import BindError, GuardedListener, Limits, LoopService
from iot_northbound.serving.http import GuardedServer
from iot_northbound.serving.tls import set_checks

App = Callable[[dict[str, Any], Any, Any], Coroutine[Any, Any, None]]
DEVICE_PORTS = ("mqtt_port", "agentlite_port", "hub_port")


class Emulator(LoopService):
    """A platform to test against: `with Emulator() as platform: …`.

    It runs on a thread of its own (`start`/`stop` or the context manager) or in the foreground (`serve_forever`).
    Several emulators may run side by side. Those that share a folder share the application and the certificates. The
    `profile.toml` there leads to the one that was started first, and each later one has its own (`profile_path`).

    Args:
        host: Address of the northbound API. The certificate's names fit only addresses of this machine.
        port: Port of the northbound API; 0 takes a free one.
        control_port: Port of the control plane, on 127.0.0.1 only; 0 takes a free one; None: no control plane.
        mqtt_port: Port for devices that speak MQTT over TLS; 0 takes a free one; None: not opened.
        agentlite_port: Port for the binding and the children of AgentLite devices; 0 takes a free one; None: not
            opened.
        hub_port: Port for hubs that post XML; 0 takes a free one; None: not opened.
        codecs: The codecs of product models by productId; their devices use the `binary` topics.
        folder: Where certificates, application and profile are kept. None takes `home` in the data directory. Without
            a data directory it takes a temporary folder that is deleted with this object. It never uses the command's
            own home unless you name it.
        data_dir: Where the state is kept; None keeps it in memory.
        callback_ca: CA file (PEM) that receivers' certificates are checked against; None takes the emulator's own.
        callback_certificate: Certificate and key file (PEM) shown to receivers; None shows the emulator's own.
        strict_x509: Whether certificates of clients and receivers must keep every rule of RFC 5280. Off by
            default, since many certificates in use do not. It is the same on every Python version.
        limits: How much one peer may use.
        on_call: Called after each call of the API with its entry of the journal, on the emulator's own thread: it
            must not block.
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
        mqtt_port: int | None = None,
        agentlite_port: int | None = None,
        hub_port: int | None = None,
        codecs: Mapping[str, Codec] | None = None,
        folder: Path | str | None = None,
        data_dir: Path | str | None = None,
        callback_ca: Path | str | None = None,
        callback_certificate: tuple[Path | str, Path | str] | None = None,
        strict_x509: bool = False,
        limits: Limits | None = None,
        on_call: Callable[[Mapping[str, Any]], None] | None = None,
        **settings: Unpack[SomeSettings],
    ) -> None:
        known = SomeSettings.__annotations__
        if unknown := sorted(settings.keys() - known.keys()):
            raise TypeError(f"unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
        self._given = check(settings, schema_of(SomeSettings))
        self._host = host
        self._ports: dict[str, int | None] = {
            "port": port,
            "control_port": control_port,
            "mqtt_port": mqtt_port,
            "agentlite_port": agentlite_port,
            "hub_port": hub_port,
        }
        self._data_dir = expanded(data_dir) if data_dir is not None else None
        self._folder = expanded(folder) if folder is not None else self._data_dir and self._data_dir / "home"
        self._callback_ca, self._callback_certificate = callback_ca, callback_certificate
        self._strict_x509 = strict_x509
        # The machine of a test has one address, which may use every connection.
        self._limits = limits or Limits(stop_grace=3.0, connections_per_address=Limits().connections)
        self._on_call = on_call
        self._runtime: Runtime | None = None
        self._servers: list[GuardedListener] = []
        self._mqtt: MqttEndpoint | None = None
        self._codecs = dict(codecs or {})
        self._apps: dict[str, App] = {}
        self._profile: RunningProfile | None = None
        self.home: Home
        """The folder with the certificates and the profile; it exists once the emulator has started."""

    # --- addresses and names ---

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the northbound API."""
        return self._host, self._opened("port")

    @property
    def base_url(self) -> str:
        """Address of the northbound API as a URL without a path."""
        return f"https://{_in_url(self._host)}:{self._ports['port']}"

    @property
    def control_url(self) -> str | None:
        """Address of the control plane, or None without one."""
        port = self._ports["control_port"]
        return None if port is None else f"http://127.0.0.1:{port}"

    def console_link(self) -> str:
        """Return a new link that opens the console page in a browser, once. It may be called from any thread.

        Raises:
            RuntimeError: The emulator is not running, or has no control port.
        """
        self._opened("control_port")
        return self.control.launch_keys.link(str(self.control_url))

    @property
    def mqtt_address(self) -> tuple[str, int]:
        """Host and port for devices that speak MQTT.

        Raises:
            RuntimeError: It has no such port.
        """
        return self._host, self._opened("mqtt_port")

    @property
    def mqtt_url(self) -> str | None:
        """Address for devices that speak MQTT, or None if it has no such port."""
        return self._device_url("mqtts", "mqtt_port")

    @property
    def agentlite_url(self) -> str | None:
        """Address for AgentLite devices, or None if it has no such port."""
        return self._device_url("https", "agentlite_port")

    @property
    def hub_url(self) -> str | None:
        """Address for hubs that post XML, or None if it has no such port."""
        return self._device_url("https", "hub_port")

    @property
    def device_ca(self) -> Path:
        """The CA file (PEM) that devices check this server with."""
        return self.home.ca

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

    def control_for(self, app_id: str) -> Control:
        """Return the control plane of one application: what names no application is about this one.

        Raises:
            RuntimeError: The emulator is not running.
        """
        if self._runtime is None:
            raise RuntimeError("the emulator is not running")
        return Control(self._runtime, lambda: {**self._facts(), "app_id": app_id}, self._mqtt)

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
        # Bound before any state is touched: a port in use is the likeliest mistake.
        for setting, server in self._listeners():
            self._servers.append(server)
            try:
                _, port = server.bind()
            except BindError as error:
                if setting == "port":
                    raise
                where = f"this port is {setting} (--{setting.replace('_', '-')})"
                raise BindError(error.errno, f"{error.strerror}; {where}") from error
            self._ports[setting] = port
        runtime = Runtime(Settings(**self._given), self._callback_context(), self._data_dir)
        self._runtime = runtime
        runtime.journal.on_call = self._on_call
        await runtime.execute(lambda: runtime.add_own_application(self.home.app_id, self.home.secret))
        if self._mqtt is not None:
            self._mqtt.serve(runtime)
        self._control = Control(runtime, self._facts, self._mqtt)
        self._apps = {
            "port": NorthboundApp(runtime),
            "control_port": Door(ControlApp(self._control), lambda: self._console(runtime)),
            **self._device_apps(runtime),
        }
        self._profile = RunningProfile(
            self.home, self._reachable_host, self._opened("port"), self.device_ports, self.control_url
        )
        for server in self._servers:
            await server.open()

    async def aclose(self) -> None:
        """Answer the calls that have begun, write the pending changes, and close everything."""
        if self._runtime is not None:
            self._runtime.closing.set()
        if self._profile is not None:
            self._profile.withdraw()  # before the port is free: another emulator may take it, and the file's name too
            self._profile = None
        for server in self._servers:
            await server.aclose()
        self._servers, self._mqtt = [], None
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime.aclose()

    def _listeners(self) -> Iterator[tuple[str, GuardedListener]]:
        """Yield the listener of each port that is to be opened, with the name of the port's setting."""
        host, limits = self._host, self._limits
        mutual = self.home.server_context(strict_x509=self._strict_x509)
        app = self._app("port")
        yield (
            "port",
            GuardedServer(app, host, self._opened("port"), ssl_context=mutual, limits=limits, refusal=server_refusal),
        )
        if (port := self._ports["control_port"]) is not None:
            yield "control_port", GuardedServer(self._app("control_port"), "127.0.0.1", port, limits=limits)
        devices_tls = self.home.device_context()
        if (port := self._ports["mqtt_port"]) is not None:
            mqtt = MqttEndpoint(host, port, ssl_context=devices_tls, limits=limits, model_codecs=self._codecs)
            self._mqtt = mqtt
            yield "mqtt_port", mqtt
        for name in ("agentlite_port", "hub_port"):
            if (port := self._ports[name]) is not None:
                app = self._app(name)
                server = GuardedServer(app, host, port, ssl_context=devices_tls, limits=limits, refusal=server_refusal)
                yield name, server

    def _device_apps(self, runtime: Runtime) -> dict[str, App]:
        """Return the applications of the open ports for devices. Those of the others are not even imported."""
        apps: dict[str, App] = {}
        if self._ports["agentlite_port"] is not None:
            from iot_northbound.emulator.agentlite.app import AgentLiteApp

            apps["agentlite_port"] = AgentLiteApp(runtime, self._ports["mqtt_port"])
        if self._ports["hub_port"] is not None:
            from iot_northbound.emulator.hub.app import HubApp

            apps["hub_port"] = HubApp(runtime)
        return apps

    def _console(self, runtime: Runtime) -> App:
        """Return the console page. It is imported here, because most emulators are never looked at."""
        from iot_northbound.emulator.console.app import ConsoleApp

        return ConsoleApp(runtime, self._control, self._facts, self._mqtt, self._opened("control_port"))

    def _app(self, setting: str) -> App:
        """Return an application that serves as the one of this port does, which is made after its port is bound."""

        async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await self._apps[setting](scope, receive, send)

        return serve

    @property
    def _reachable_host(self) -> str:
        return "127.0.0.1" if self._host in ("0.0.0.0", "::", "") else self._host  # noqa: S104 - compared, not bound

    @property
    def device_ports(self) -> dict[str, int]:
        """The open ports for devices, by the names that a profile gives them."""
        return {name: port for name in DEVICE_PORTS if (port := self._ports[name]) is not None}

    def _device_url(self, scheme: str, setting: str) -> str | None:
        port = self._ports[setting]
        return None if port is None else f"{scheme}://{_in_url(self._host)}:{port}"

    def _opened(self, setting: str) -> int:
        port = self._ports[setting]
        if port is None:
            raise RuntimeError(f"the emulator has no such port; open one with Emulator({setting}=0)")
        return port

    def _facts(self) -> Mapping[str, Any]:
        return {
            "base_url": self.base_url,
            "control_url": self.control_url,
            "mqtt_url": self.mqtt_url,
            "agentlite_url": self.agentlite_url,
            "hub_url": self.hub_url,
            "app_id": self.app_id,
        }

    def _callback_context(self) -> ssl.SSLContext:
        ca = expanded(self._callback_ca) if self._callback_ca is not None else self.home.ca
        own = (self.home.folder / "client.pem", self.home.folder / "client.key")
        certificate, key = self._callback_certificate or own
        try:
            # Not ssl.create_default_context: how strictly that one checks depends on the Python version.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            for each in (ca, certificate, key):
                read_bytes(each, again=True)  # OpenSSL would read a device without end
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
