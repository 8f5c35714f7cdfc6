"""The AgentLite port (8943) from the device's side: bind, login, and the devices behind a gateway.

The reference names the functions and the port, and no messages. The paths and bodies here were seen in the field, the
rest is ours (docs/device/gateways.md). So this talks only to an emulator of this package, unless it is told otherwise.
"""

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from threading import RLock
from typing import Any, Self
from urllib.parse import quote

import attrs

from iot_northbound._hide import hide
from iot_northbound.core.answers import Answer, is_bad_token, read_answer
from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.lenient import as_scalar
from iot_northbound.core.retry import AttemptFailed
from iot_northbound.core.transport import Timeouts, Transport
from iot_northbound.device import arguments
from iot_northbound.device.trust import in_device_words, policy_of
from iot_northbound.errors import (
    InvalidArgumentError,
    NorthApiException,
    NotAuthorizedError,
    SdkCode,
    UnreadableAnswerError,
)
from iot_northbound.ssl_config import SSLConfig

NOT_REGISTERED, CODE_EXPIRED, NO_SUCH_DEVICE = "100410", "100411", "100403"
"""Codes of the port: the first two were seen in the field."""
MANDATORY = ("nodeId", "manufacturerId", "deviceType", "model", "protocolType")
_MARK = "X-Iot-Northbound-Emulator"
_BIND = "/iocm/dev/reg/v1.1.0/bind"
_LOGIN = "/iocm/dev/sec/v1.1.0/login"
_REFRESH = "/iocm/dev/sec/v1.1.0/refreshToken"
_DEVICES = "/iocm/dev/dm/v1.1.0/devices"
_EXISTED = 1
_TOO_LARGE = 10**9
_PLACE = "the port for AgentLite (8943 by default)"


class UndocumentedWireError(NorthApiException):
    """The host is not an emulator of this package, and nobody documents what a platform takes on this port (1007)."""


@attrs.frozen(kw_only=True)
class Bound:
    """What binding gives a device.

    Attributes:
        device_id: its deviceId.
        app_id: its application.
        secret: its secret, for `DeviceCredentials` and for the login.
        addresses: every other text of the answer by its wire name, for example addrHAServer.
        mqtt_port: the port of the MQTT endpoint, if the platform says it; an emulator of this package does.
    """

    device_id: str
    app_id: str
    secret: str = attrs.field(repr=hide)
    addresses: Mapping[str, str] = attrs.field(factory=dict)
    mqtt_port: int | None = None


@attrs.frozen(kw_only=True)
class FieldLogin:
    """A login at the port.

    Attributes:
        access_token: what the calls about child devices show.
        refresh_token: gets new tokens, once.
        expires: when the access token ends, in seconds since the epoch; None if the platform does not say it.
        mqtt_client_id: the client id that the field's own AgentLite connects with.
    """

    access_token: str = attrs.field(repr=hide)
    refresh_token: str | None = attrs.field(repr=hide)
    expires: float | None
    mqtt_client_id: str | None


@attrs.frozen(kw_only=True)
class AddedChild:
    """A device behind a gateway.

    Attributes:
        device_id: its deviceId.
        node_id: its nodeId.
        existed: whether the gateway had it already.
    """

    device_id: str
    node_id: str
    existed: bool


class FieldHttp:
    """The AgentLite port of one platform, for one device. Any thread may use it; the calls of a thread take turns.

    Args:
        host: name or address of the platform.
        port: its AgentLite port.
        ca_path: file with the CA that the platform's certificate is checked against. None: the system's CAs.
        ssl_config: everything about TLS, in place of `ca_path`.
        field_wire: whether to use these messages with a host that is not an emulator of this package too.
        timeout: seconds for one call.
        clock: the time.

    Raises:
        TlsError: the CA file cannot be used (1006).
        InvalidArgumentError: both `ca_path` and `ssl_config` are given, or the address is none (1007).
    """

    def __init__(
        self,
        host: str,
        port: int = 8943,
        *,
        ca_path: str | PathLike[str] | None = None,
        ssl_config: SSLConfig | None = None,
        field_wire: bool = False,
        timeout: float = 30.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        arguments.check_place(host, port, ca_path, ssl_config)
        self._policy = policy_of(ca_path, ssl_config)
        name = f"[{host}]" if ":" in host and not host.startswith("[") else host
        self._where = f"{name}:{port}"
        self._transport = Transport(f"https://{self._where}", self._policy, pool_size=2)
        self._known = field_wire
        self._timeout, self._clock = timeout, clock
        self._lock = RLock()  # a renewal must not run twice: a refresh token is good once
        self._credentials: tuple[str, str, str] | None = None
        self._login: FieldLogin | None = None

    def __repr__(self) -> str:
        return f"<FieldHttp {self._where}>"

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- binding and login ---

    def bind(self, verify_code: str, device_info: Mapping[str, Any]) -> Bound:
        """Bind the device once and return its id and secret.

        Args:
            verify_code: the verification code of its registration (1.4.1).
            device_info: what it is, by the documented names: nodeId, manufacturerId, deviceType, model, protocolType
                and optional ones.

        Raises:
            UndocumentedWireError: the host is not an emulator of this package.
            NorthApiException: 100410 if it is not registered with this code, 100411 if the code has expired.
        """
        if not isinstance(verify_code, str) or not verify_code:
            raise InvalidArgumentError.of("verify_code", "***", "it must be text, not empty")
        body = {"verifyCode": verify_code, "deviceInfo": checked_info(device_info)}
        answer = self._call("POST", _BIND, body, secrets=(verify_code,))
        device_id, app_id, secret = (_text(answer, name) for name in ("deviceId", "appId", "secret"))
        if device_id is None or app_id is None or secret is None:
            raise _unreadable("bind", "deviceId, appId and secret")
        own = ("deviceId", "appId", "secret")
        addresses = {name: text for name, text in answer.items() if isinstance(text, str) and name not in own}
        port = _whole(answer, "mqttPort")
        return Bound(device_id=device_id, app_id=app_id, secret=secret, addresses=addresses, mqtt_port=port)

    def use(self, app_id: str, device_id: str, secret: str) -> None:
        """Keep what the login needs, for the first call about child devices to log in by itself.

        Raises:
            InvalidArgumentError: a value is not text, or empty (1007).
        """
        for name, value in (("app_id", app_id), ("device_id", device_id), ("secret", secret)):
            if not isinstance(value, str) or not value:
                raise InvalidArgumentError.of(name, "***", "it must be text, not empty")
        with self._lock:
            self._credentials, self._login = (app_id, device_id, secret), None

    def login(self, app_id: str, device_id: str, secret: str) -> FieldLogin:
        """Log the device in, and keep what later logins need.

        Raises:
            UndocumentedWireError: the host is not an emulator of this package.
            NotFoundError: the device does not exist (100403).
            NotAuthorizedError: the secret or the application is wrong (100208).
        """
        self.use(app_id, device_id, secret)
        with self._lock:
            body = {"appId": app_id, "deviceId": device_id, "secret": secret}
            self._login = self._granted(self._call("POST", _LOGIN, body, secrets=(secret,)))
            return self._login

    def refresh(self) -> FieldLogin:
        """Get new tokens; if the refresh token is not good any more, log in again.

        Raises:
            InvalidArgumentError: there was no login (1007).
            NorthApiException: the platform refuses the login.
        """
        with self._lock:
            if self._credentials is None:
                raise InvalidArgumentError.of("refresh", "it", "log in before")
            token = None if self._login is None else self._login.refresh_token
            self._login = None
            if token is not None:
                try:
                    answer = self._call("POST", _REFRESH, {"refreshToken": token}, secrets=(token,))
                    self._login = self._granted(answer)
                except NotAuthorizedError:
                    pass
            return self._login or self.login(*self._credentials)

    def _granted(self, answer: dict[str, Any]) -> FieldLogin:
        token, lasts = _text(answer, "accessToken"), _whole(answer, "timeout")
        if token is None or any(not "!" <= each <= "~" for each in token):
            raise _unreadable("login", "accessToken")
        return FieldLogin(
            access_token=token,
            refresh_token=_text(answer, "refreshToken"),
            expires=None if lasts is None else self._clock.now() + lasts,
            mqtt_client_id=_text(answer, "mqttClientId"),
        )

    # --- devices behind the gateway ---

    def add_child(self, device_info: Mapping[str, Any]) -> AddedChild:
        """Add a device behind the gateway; one that it has already is returned with its id.

        Raises:
            InvalidArgumentError: a mandatory field is missing (1007), or the platform does not accept one.
            NorthApiException: the platform refuses it.
        """
        info = checked_info(device_info)
        return _added(self._as_gateway("POST", _DEVICES, {"deviceInfo": info}), info["nodeId"])

    def sync_children(self, device_infos: Iterable[Mapping[str, Any]]) -> list[AddedChild]:
        """Add several devices behind the gateway, all or none, and return them in this order.

        Raises:
            InvalidArgumentError: a mandatory field is missing (1007), or the platform does not accept one.
            NorthApiException: the platform refuses it.
        """
        infos = [checked_info(each) for each in device_infos]
        answer = self._as_gateway("POST", f"{_DEVICES}/sync", {"deviceInfos": infos})
        found = answer.get("devices")
        devices = found if isinstance(found, list) else [found]
        by_node = {_text(each, "nodeId"): each for each in devices if isinstance(each, dict)}
        return [_added(by_node.get(info["nodeId"], {}), info["nodeId"]) for info in infos]

    def update_child(self, device_id: str, status: str, status_detail: str = "NONE") -> None:
        """Tell the platform the status of a device behind the gateway: ONLINE or OFFLINE, and the documented detail.

        Raises:
            NotFoundError: the gateway has no such device (100403).
            NorthApiException: the platform refuses it.
        """
        self._as_gateway("PUT", _child(device_id), {"status": status, "statusDetail": status_detail})

    def remove_child(self, device_id: str) -> None:
        """Remove a device behind the gateway.

        Raises:
            NotFoundError: the gateway has no such device (100403).
            NorthApiException: the platform refuses it.
        """
        self._as_gateway("DELETE", _child(device_id), None)

    def _as_gateway(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        with self._lock:
            login = self._login
            if login is None or (login.expires is not None and login.expires <= self._clock.now()):
                login = self.refresh()
        try:
            return self._call(method, path, body, token=login.access_token)
        except NorthApiException as error:
            if not is_bad_token(error):
                raise
        with self._lock:
            # Another thread may have got a new token meanwhile.
            login = self._login if self._login not in (None, login) else self.refresh()
        assert login is not None  # noqa: S101 - refresh has just set it
        return self._call(method, path, body, token=login.access_token)

    # --- one call ---

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        token: str | None = None,
        secrets: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        self._check_host()
        headers = {"Accept": "application/json"}
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
            headers["Content-Length"] = str(len(content))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
            secrets = (*secrets, token)
        value = read_answer(self._send(method, path, headers, content), self._clock.now, lambda: secrets)
        if value is not None and not isinstance(value, dict):
            raise _unreadable(path, "a JSON object")
        return value or {}

    def _check_host(self) -> None:
        """Ask the host what it is, before it is told a secret."""
        if self._known:
            return
        answer = self._send("GET", _BIND, {"Accept": "application/json"}, None)
        if answer.headers.get(_MARK) is None:
            raise UndocumentedWireError(
                SdkCode.INVALID_ARGUMENT,
                f"{self._where} is not an emulator of iot-northbound, and the reference documents no messages for "
                "bind, login and child devices; pass field_wire=True to try those that were seen in the field",
            )
        self._known = True

    def _send(self, method: str, path: str, headers: dict[str, str], content: bytes | None) -> Answer:
        timeouts = Timeouts(self._timeout, self._timeout)
        until = self._clock.monotonic() + self._timeout
        try:
            return self._transport.send(method, path, headers, content, timeouts, until)
        except AttemptFailed as failed:
            if not failed.reused:
                raise in_device_words(failed.error, self._policy, _PLACE) from failed.__cause__
        try:  # the platform had closed the kept connection; a new one is tried at once
            return self._transport.send(method, path, headers, content, timeouts, until)
        except AttemptFailed as failed:
            raise in_device_words(failed.error, self._policy, _PLACE) from failed.__cause__


def checked_info(device_info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the device information for the wire, without fields that are None.

    Raises:
        InvalidArgumentError: a mandatory field is missing or no text (1007).
    """
    if not isinstance(device_info, Mapping):
        raise InvalidArgumentError.of("device_info", type(device_info).__name__, "it must be a mapping of fields")
    for name in MANDATORY:
        if not isinstance(device_info.get(name), str) or not device_info[name]:
            rule = f"a device needs {', '.join(MANDATORY)}, each as text"
            raise InvalidArgumentError.of(f"device_info[{name!r}]", repr(device_info.get(name))[:80], rule)
    return {str(name): value for name, value in device_info.items() if value is not None}


def _added(answer: Mapping[str, Any], node_id: str) -> AddedChild:
    device_id = _text(answer, "deviceId")
    if device_id is None:
        raise _unreadable("devices", "deviceId")
    return AddedChild(device_id=device_id, node_id=node_id, existed=_whole(answer, "result") == _EXISTED)


def _child(device_id: str) -> str:
    if not isinstance(device_id, str) or not device_id:
        raise InvalidArgumentError.of("device_id", repr(device_id)[:80], "it must be text, not empty")
    return f"{_DEVICES}/{quote(device_id, safe='')}"


def _text(answer: Mapping[str, Any], name: str) -> str | None:
    """Return a field as text, if it is text or a number."""
    value = answer.get(name)
    found: str | None = None if isinstance(value, bool) else as_scalar(value, str)
    return found or None


def _whole(answer: Mapping[str, Any], name: str) -> int | None:
    """Return a field as a whole number, if it is one, or is one in digits."""
    found: int | None = as_scalar(answer.get(name), int)
    return found if found is not None and abs(found) < _TOO_LARGE else None


def _unreadable(call: str, what: str) -> UnreadableAnswerError:
    return UnreadableAnswerError(SdkCode.UNREADABLE, f"the answer to {call} has no {what}")
