"""AgentLite: one device or gateway, with the functions of chapters 5 to 7."""

from __future__ import annotations

import logging
import logging.handlers
import os
import threading
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar

import attrs

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.device.agentlite.binder import Binder
from iot_northbound.device.agentlite.c_names import CNames
from iot_northbound.device.agentlite.calls import Accepted
from iot_northbound.device.agentlite.config import BIND_PORT, MQTT_PORT, BindConfig, LoginConfig
from iot_northbound.device.agentlite.elements import Topic
from iot_northbound.device.agentlite.enums import AlgType, LoginReason, MsgType
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr, StoreError
from iot_northbound.device.agentlite.events import Events, Handler
from iot_northbound.device.agentlite.info import IotaDeviceInfo
from iot_northbound.device.agentlite.link import Link
from iot_northbound.device.agentlite.reasons import converted
from iot_northbound.device.agentlite.services import BindService, DataTransService, HubService, LoginService
from iot_northbound.device.agentlite.store import Store, Stored
from iot_northbound.device.credentials import DeviceCredentials
from iot_northbound.device.field_http import Bound, FieldHttp
from iot_northbound.device.gateway import GatewayClient
from iot_northbound.device.queue import Queue
from iot_northbound.device.session import Backoff
from iot_northbound.errors import NorthApiException
from iot_northbound.ssl_config import SSLConfig

log = logging.getLogger("iot_northbound.device.agentlite")

H = TypeVar("H", bound=Handler)
LOG_FILE = "agentlite.log"
LOG_BYTES = 1_000_000
"""The size at which the log file is put aside, and a new one begins."""


class AgentLite(CNames):
    """One device, with what the reference calls the AgentLite (chapters 5 to 7). Several may live side by side.

    Its services are `bind_service`, `login_service`, `hub_service` and `data_trans_service`. All methods can be called
    from any thread; observers are called on one thread of the agent, one message after the other.

    Args:
        work_path: a folder that exists, for the stored credentials; one agent at a time may use it.
        log_path: a folder that exists, for the log file `agentlite.log`. None: only the loggers of Python get the log.
        alg_type: how the stored credentials are encrypted.
        bind_config: where to bind.
        login_config: who logs in, and where.
        ca_path: the file with the CA of the platform. None: the system's trust store.
        ssl_config: more about TLS, in place of `ca_path`.
        queue: makes the queue in which reports wait while the device is not connected, such as
            `lambda: SqliteQueue(path)`. None: 1,000 of them in memory.
        backoff: makes the rule how long to wait between two attempts to connect.
        keepalive: seconds after which a silent connection is tested.
        field_wire: whether to bind and manage child devices at a host that is not an emulator of this package. The
            reference does not say how; this uses what was seen in the field.
        clock: the time; for tests.

    Raises:
        AgentLiteError: FILEOPEN; a path cannot be used, or another agent uses `work_path`. PARA; another argument.
    """

    def __init__(
        self,
        work_path: str | PathLike[str],
        log_path: str | PathLike[str] | None = None,
        *,
        alg_type: AlgType | int = AlgType.AES_256_GCM,
        bind_config: BindConfig | None = None,
        login_config: LoginConfig | None = None,
        ca_path: str | PathLike[str] | None = None,
        ssl_config: SSLConfig | None = None,
        queue: Callable[[], Queue] | None = None,
        backoff: Callable[[], Backoff] | None = None,
        keepalive: int = 120,
        field_wire: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.set_alg_type(alg_type)
        self.bind_config = bind_config or BindConfig()
        self.login_config = login_config or LoginConfig()
        self._tls: dict[str, Any] = {"ca_path": ca_path, "ssl_config": ssl_config}
        self._queue, self._backoff, self._keepalive = queue, backoff, keepalive
        self._field_wire, self._clock = field_wire, clock
        folder = _folder("work_path", work_path)
        self._log_file = None if log_path is None else _log_file(_folder("log_path", log_path))
        try:
            self._store = Store(folder)
        except BaseException:
            self._close_log()
            raise
        self._name = f"agentlite-{folder.name}"
        self.events = Events(self._name)
        self._binder = Binder(self.events, self._store, clock, self._name)
        self._lock = threading.RLock()
        self._link: Link | None = None
        self._closed = False
        self.bind_service = BindService(self)
        self.login_service = LoginService(self)
        self.hub_service = HubService(self)
        self.data_trans_service = DataTransService(self)

    def __repr__(self) -> str:
        return f"<AgentLite {self._name}: {'closed' if self._closed else 'open'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alg_type(self) -> AlgType:
        """How a bind encrypts the credentials that it stores."""
        return self._alg_type

    def set_alg_type(self, alg_type: AlgType | int) -> bool:
        """Set how a bind encrypts the credentials that it stores, and return True as the documented call does.

        Raises:
            AgentLiteError: PARA; there is no such type.
        """
        try:
            self._alg_type = AlgType.of(alg_type)
        except ValueError as error:
            raise AgentLiteError(HwErr.PARA, f"alg_type = {error}") from None
        return True

    # -- events --------------------------------------------------------------------------------------------------------

    def on(self, event: Topic | MsgType | str, device_id: str | None = None) -> Callable[[H], H]:
        """Decorate a function that is called with each message of an event, and of one device if one is given.

        Args:
            event: the event; a type of messages or any documented name of a broadcast means it too.
            device_id: hear only of this device.

        Raises:
            AgentLiteError: NOMATCH; there is no such event. CALLBACK; it does not decorate a function.
        """
        topic = Topic.of(event)

        def register(handler: H) -> H:
            if not callable(handler):
                raise AgentLiteError(HwErr.CALLBACK, f"on() must decorate a function, not {type(handler).__name__}")
            self.events.listen(frozenset({topic}), handler, handler, device_id)
            return handler

        return register

    # -- life ----------------------------------------------------------------------------------------------------------

    @classmethod
    def init(cls, work_path: str, log_path: str | None = None, context: object = None) -> Self:
        """Return an agent, as the documented call makes one; Android's context is not used."""
        return cls(work_path, log_path)

    def close(self) -> None:
        """Log out, end a bind, tell the observers what is left, and leave the work path. Closing twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            link = self._link
        if link is not None:
            link.end(LoginReason.NULL)
            link.join()
        self._binder.close()
        self.events.close()
        self._store.close()
        self._close_log()

    destroy = close
    IOTA_Destroy = close
    setAlgType = set_alg_type
    HW_SetAlgType = set_alg_type

    def _close_log(self) -> None:
        if self._log_file is not None:
            log.removeHandler(self._log_file)
            self._log_file.close()

    # -- what the services ask for -------------------------------------------------------------------------------------

    def begin_bind(self, verify_code: str, device_info: IotaDeviceInfo) -> Accepted:
        """Do what `BindService.bind` says."""
        if not isinstance(verify_code, str) or not verify_code:
            raise AgentLiteError(HwErr.PARA, "verify_code: give a text that is not empty")
        if not isinstance(device_info, IotaDeviceInfo):
            raise AgentLiteError(HwErr.PARA, f"device_info: give an IotaDeviceInfo, not {type(device_info).__name__}")
        with self._lock:
            self._check_open()
            if self._link is not None:
                raise AgentLiteError(HwErr.STATE, "the device is logged in: log out before you bind it")
            addr, port = self.bind_config.addr, self.bind_config.port
            if addr is None:
                raise AgentLiteError(HwErr.STATE, "bind_config.addr is not set: it is the platform's host")
            return self._binder.bind(
                self._http(addr, port),
                verify_code,
                device_info,
                self.alg_type,
                lambda bound: _stored(bound, addr, port),
            )

    def begin_login(self) -> Accepted:
        """Do what `LoginService.login` says."""
        with self._lock:
            self._check_open()
            if self._link is not None:
                raise AgentLiteError(HwErr.STATE, "the device is logged in already")
            who = self._who()
            try:
                client = GatewayClient(
                    DeviceCredentials(who.device_id, who.secret),
                    who.mqtt_addr,
                    who.mqtt_port,
                    app_id=who.app_id,
                    agentlite_host=who.iocm_addr,
                    agentlite_port=who.iocm_port,
                    field_wire=self._field_wire,
                    keepalive=self._keepalive,
                    queue=None if self._queue is None else self._queue(),
                    backoff=None if self._backoff is None else self._backoff(),
                    clock=self._clock,
                    **self._tls,
                )
            except NorthApiException as error:
                raise converted(error) from None
            self._link = Link(who, client, self.events, self._ended, self._name)
            self._link.start()
            return self._link.login

    def begin_logout(self) -> Accepted:
        """Do what `LoginService.logout` says."""
        link = self.link()
        link.end(LoginReason.NULL)
        return link.logout

    def link(self) -> Link:
        """Return what exists between login and logout.

        Raises:
            AgentLiteError: STATE; the device is not logged in. NOTLOAD; the agent is closed.
        """
        with self._lock:
            self._check_open()
            if self._link is None or self._link.reason is not None:
                raise AgentLiteError(HwErr.STATE, "the device is not logged in: call login() first")
            return self._link

    def _check_open(self) -> None:
        if self._closed:
            raise AgentLiteError(HwErr.NOTLOAD, "the agent is closed: make a new AgentLite")

    def _ended(self, link: Link, reason: LoginReason) -> None:
        with self._lock:
            if self._link is link:
                self._link = None
        if reason is LoginReason.DEVICE_RMVED:
            try:
                self._store.delete()
            except StoreError as error:
                log.error("the platform has deleted the device, but %s", error.error_desc)

    def _http(self, addr: str, port: int) -> FieldHttp:
        try:
            return FieldHttp(addr, port, field_wire=self._field_wire, clock=self._clock, **self._tls)
        except NorthApiException as error:
            raise converted(error) from None

    def _who(self) -> Stored:
        config = self.login_config
        stored = self._store.load()
        if stored is not None and config.device_id in (None, stored.device_id):
            known = attrs.asdict(stored)
        else:
            known = {"iocm_addr": config.mqtt_addr, "iocm_port": BIND_PORT, "mqtt_addr": config.iocm_addr}
        values = {name: value for name, value in attrs.asdict(config).items() if value is not None}
        known = {"mqtt_port": MQTT_PORT, **known, **values}
        for name in ("device_id", "app_id", "secret", "mqtt_addr", "iocm_addr"):
            if known.get(name) is None:
                raise AgentLiteError(HwErr.STATE, f"login_config.{name} is not set, and no bind has stored it")
        return Stored(**known)


def _stored(bound: Bound, addr: str, port: int) -> Stored:
    iocm_addr = bound.addresses.get("addrHAServer") or addr
    return Stored(
        device_id=bound.device_id,
        app_id=bound.app_id,
        secret=bound.secret,
        iocm_addr=iocm_addr,
        iocm_port=port,
        mqtt_addr=bound.addresses.get("addrLVSServer") or iocm_addr,
        mqtt_port=bound.mqtt_port or MQTT_PORT,
    )


def _folder(name: str, value: str | PathLike[str]) -> Path:
    try:
        path = Path(value).resolve()
    except (TypeError, ValueError, OSError):
        raise AgentLiteError(HwErr.PARA, f"{name} = {value!r}: give the path of a folder") from None
    if not path.is_dir():
        raise AgentLiteError(HwErr.FILEOPEN, f"{name} = {str(value)!r}: it is not an existing folder: create it")
    return path


def _log_file(folder: Path) -> logging.Handler:
    path = folder / LOG_FILE
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    except OSError as error:
        raise AgentLiteError(HwErr.FILEOPEN, f"{path} cannot be written: {error.strerror}") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return handler


BaseService = AgentLite
"""Java's and Android's name: `BaseService.init` makes an agent, which has `destroy` and `setAlgType`."""
IOTA_Init = AgentLite
"""C's name."""
