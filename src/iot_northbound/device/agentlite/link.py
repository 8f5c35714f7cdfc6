"""One login: the device's MQTT connection, its children, and the events about them."""

import threading
from collections.abc import Callable

from iot_northbound.device.agentlite.calls import Accepted
from iot_northbound.device.agentlite.children import Children
from iot_northbound.device.agentlite.data import Data
from iot_northbound.device.agentlite.elements import LoginIE, Topic
from iot_northbound.device.agentlite.enums import LoginReason
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr
from iot_northbound.device.agentlite.events import Events
from iot_northbound.device.agentlite.message import IotaMessage
from iot_northbound.device.agentlite.reasons import reason_of
from iot_northbound.device.agentlite.store import Stored
from iot_northbound.device.gateway import GatewayClient
from iot_northbound.device.session import DeviceState

PATIENCE = 5.0
"""Seconds in which a logout still sends what waits. Nothing waits for a login that the platform has ended."""


class Link:
    """What exists between login and logout.

    Args:
        who: the device, and where it connects to.
        client: its client.
        events: where messages go.
        ended: called with the reason when the login has ended, before the observers hear of it.
        name: the name of its threads.
    """

    def __init__(
        self,
        who: Stored,
        client: GatewayClient,
        events: Events,
        ended: Callable[["Link", LoginReason], object],
        name: str,
    ) -> None:
        self._client, self._events, self._ended = client, events, ended
        self.login = Accepted(events, Topic.LOGIN_CONNECTED)
        self.logout = Accepted(events, Topic.LOGIN_DISCONNECT)
        self.children = Children(who, client, events, lambda: self.end(LoginReason.DEVICE_NOEXIST), name)
        self.data = Data(client, events)
        self.reason: LoginReason | None = None
        """Why the login ends; None while it does not."""
        self._lock = threading.Lock()
        self._ending = threading.Thread(target=self._end, name=f"{name}-end", daemon=True)
        client.on_state(self._moved)
        client.on_unbind(lambda: self.end(LoginReason.DEVICE_RMVED))

    def start(self) -> None:
        """Begin to connect."""
        self._client.start(wait=False)

    def end(self, reason: LoginReason) -> None:
        """End the login with this reason, on a thread of its own. If it ends already, that goes on."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
        self._ending.start()

    def join(self) -> None:
        """Return when the login has ended."""
        if self._ending is not threading.current_thread():
            self._ending.join()

    def _end(self) -> None:
        reason = self.reason or LoginReason.NULL
        self._client.close(PATIENCE if reason is LoginReason.NULL else 0.0)
        self.children.close()
        if reason is LoginReason.DEVICE_RMVED:
            self._events.tell(IotaMessage(Topic.UNBIND_DEVICE))
        self._ended(self, reason)
        self.logout.end({LoginIE.REASON: reason})
        code = HwErr.NOEND if reason is LoginReason.NULL else HwErr.AUTH
        self.login.fail(AgentLiteError(code, f"the login has ended: {reason.meaning}"))

    def _moved(self, state: DeviceState) -> None:
        if self.reason is not None:
            return
        if state is DeviceState.CONNECTED:
            message = IotaMessage(Topic.LOGIN_CONNECTED, {LoginIE.REASON: LoginReason.NULL})
            self._events.tell(message)
            self.login.succeed(message)
        elif state is DeviceState.WAITING:
            reason = reason_of(self._client.last_error)
            self._events.tell(IotaMessage(Topic.LOGIN_DISCONNECT, {LoginIE.REASON: reason}))
        elif state is DeviceState.REFUSED:
            reason = reason_of(self._client.last_error)
            if reason is LoginReason.AUTH_FAILED and not self.children.is_known():
                reason = LoginReason.DEVICE_NOEXIST
            self.end(reason)
