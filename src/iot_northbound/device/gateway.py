"""GatewayClient: a device that connects others to the platform."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from os import PathLike
from typing import Any, TypeVar

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.device import arguments, children
from iot_northbound.device.client import DeviceClient
from iot_northbound.device.commands import Commands, Handler
from iot_northbound.device.credentials import BY_DEVICE_ID, DeviceCredentials
from iot_northbound.device.field_http import AddedChild, FieldHttp
from iot_northbound.device.messages import Codec, NotACommandError
from iot_northbound.device.mqtt import Subscription
from iot_northbound.device.pending import Pending
from iot_northbound.device.queue import Message, Queue
from iot_northbound.device.session import Backoff, DeviceState
from iot_northbound.device.workers import Workers
from iot_northbound.errors import InvalidArgumentError, NorthApiException, NotFoundError
from iot_northbound.ssl_config import SSLConfig

log = logging.getLogger("iot_northbound.device")

H = TypeVar("H", bound=Handler)
_CHILD_THREADS = 4


class GatewayClient(DeviceClient):
    """A device with others behind it: it adds and removes them, reports for them and takes their commands.

    The reference has no messages for this. Those of the field are used, so it works with an emulator of this package,
    and with other platforms only if `field_wire` is given. What concerns the gateway itself is as for `DeviceClient`.

    After each connect the platform first gets the last status of each child, then what was queued.

    Args:
        credentials: the deviceId and the secret of the gateway.
        host: the platform's host name or address.
        port: the platform's port for devices.
        app_id: the gateway's application, as binding returns it.
        agentlite_port: the platform's port for AgentLite, which the calls about children go to.
        agentlite_host: the host of that port, if it is another one.
        field_wire: whether to try the field's messages with a platform that is not an emulator of this package.
        ca_path: as for `DeviceClient`, and so are all that follow.

    Raises:
        InvalidArgumentError: a value cannot be used (1007).
        TlsError: a certificate file cannot be used (1006).
        QueueError: the queue's file cannot be used.
    """

    def __init__(
        self,
        credentials: DeviceCredentials,
        host: str,
        port: int = 8883,
        *,
        app_id: str,
        agentlite_port: int = 8943,
        agentlite_host: str | None = None,
        field_wire: bool = False,
        ca_path: str | PathLike[str] | None = None,
        ssl_config: SSLConfig | None = None,
        codec: "str | Codec" = "json",
        keepalive: int = 120,
        queue: Queue | None = None,
        backoff: Backoff | None = None,
        clock: Clock = SYSTEM_CLOCK,
        handler_threads: int = 4,
        connect_timeout: float = 15.0,
        ack_timeout: float = 60.0,
    ) -> None:
        arguments.check(credentials, codec)
        if credentials.auth_type != BY_DEVICE_ID:
            raise InvalidArgumentError.of(
                "credentials", credentials.id[:80], "a gateway logs in with its deviceId, not with its nodeId"
            )
        self.field = FieldHttp(
            agentlite_host or host,
            agentlite_port,
            ca_path=ca_path,
            ssl_config=ssl_config,
            field_wire=field_wire,
            clock=clock,
        )
        """The platform's AgentLite port."""
        self.field.use(app_id, credentials.id, credentials.secret)
        super().__init__(
            credentials,
            host,
            port,
            ca_path=ca_path,
            ssl_config=ssl_config,
            codec=codec,
            keepalive=keepalive,
            queue=queue,
            backoff=backoff,
            clock=clock,
            handler_threads=handler_threads,
            hold=True,
            connect_timeout=connect_timeout,
            ack_timeout=ack_timeout,
        )
        self._wire = children.ChildWire()
        self._child_topic = children.command_topic(credentials.id)
        name = f"device-{credentials.id}-child"
        self._child_commands = Commands(self._wire, _CHILD_THREADS, self._answer_for_child, name)
        self._unbinders: list[Callable[[], object]] = []
        self._known = threading.Lock()
        self._statuses: dict[str, tuple[str, str]] = {}
        """The last status of each child."""
        self._restorer = Workers(1, f"{name}-status")
        self._turn = 0
        """Counts the connections: only the newest one's statuses may let the queue go on."""
        self._link.subscriptions.append(Subscription(children.listen_topic(credentials.id), 1, self._heard))

    def close(self, timeout: float = 5.0) -> None:
        """Disconnect, as `DeviceClient.close` says."""
        super().close(timeout)
        self._child_commands.close()
        self._restorer.close()
        self.field.close()

    # -- children ------------------------------------------------------------------------------------------------------

    def add_child(self, device_info: Mapping[str, Any]) -> AddedChild:
        """Add a device behind the gateway, and return its deviceId; one that it has already is returned with its id.

        Args:
            device_info: what it is, by the documented names: nodeId, manufacturerId, deviceType, model, protocolType
                and optional ones.

        Raises:
            UndocumentedWireError: the platform is not an emulator of this package.
            NorthApiException: the platform refuses it, or cannot be reached.
        """
        added = self.field.add_child(device_info)
        status, detail = device_info.get("status") or "ONLINE", device_info.get("statusDetail") or "NONE"
        with self._known:
            self._statuses[added.device_id] = status, detail
        return added

    def sync_children(self, device_infos: Iterable[Mapping[str, Any]]) -> list[AddedChild]:
        """Add several devices behind the gateway, all or none, and return them in this order.

        Raises:
            NorthApiException: as for `add_child`.
        """
        infos = list(device_infos)
        added = self.field.sync_children(infos)
        with self._known:
            for child, info in zip(added, infos, strict=True):
                self._statuses[child.device_id] = info.get("status") or "ONLINE", info.get("statusDetail") or "NONE"
        return added

    def update_child_status(self, child_id: str, status: str, status_detail: str = "NONE") -> None:
        """Tell the platform whether a child is connected: ONLINE or OFFLINE, and the documented detail.

        If the platform cannot be reached, it gets this status after the next connect.

        Raises:
            NotFoundError: the gateway has no such child (100403).
            NorthApiException: the platform refuses it, or cannot be reached.
        """
        with self._known:
            before = self._statuses.get(child_id)
            self._statuses[child_id] = status, status_detail
        try:
            self.field.update_child(child_id, status, status_detail)
        except NorthApiException as error:
            if error.http_status_code is not None or isinstance(error, InvalidArgumentError):  # it would not help again
                with self._known:
                    self._statuses.pop(child_id, None)
                    if before is not None and not isinstance(error, NotFoundError):
                        self._statuses[child_id] = before
            raise

    def remove_child(self, child_id: str) -> None:
        """Remove a device behind the gateway.

        Raises:
            NotFoundError: the gateway has no such child (100403).
            NorthApiException: the platform refuses it, or cannot be reached.
        """
        try:
            self.field.remove_child(child_id)
        except NotFoundError:
            self._forget(child_id)
            raise
        self._forget(child_id)

    def report_child(
        self,
        child_id: str,
        service_id: str,
        data: Mapping[str, Any],
        event_time: datetime | str | None = None,
        *,
        qos: int = 1,
    ) -> Pending[None]:
        """Report the data of one service of a child, in order with the gateway's own reports.

        Args:
            child_id: the child's deviceId.
            service_id: the service of its product model.
            data: its properties.
            event_time: when the data was collected: a datetime with a time zone, or text of UTC like 20260101T120000Z;
                None: now.
            qos: as for `report`.

        Raises:
            NorthApiException: as for `report`.
        """
        payload = children.report(child_id, service_id, data, event_time, self._clock.now())
        return self.publish(children.DATA_TOPIC, payload, qos)

    def on_child_command(self, service_id: str | None = None, method: str | None = None) -> Callable[[H], H]:
        """Decorate the function that handles these commands for children; `command.device_id` says for which child.

        Everything else is as for `on_command`.

        Raises:
            InvalidArgumentError: there is a handler for just these (1007).
        """

        def register(handler: H) -> H:
            self._child_commands.register(service_id, method, handler)
            return handler

        return register

    def on_unbind(self, function: Callable[[], object]) -> Callable[[], object]:
        """Call the function when the platform tells the gateway that it was deleted there.

        It then has to forget its credentials. The platform ends the connection and refuses the next one.
        """
        self._unbinders.append(function)
        return function

    # -- inside --------------------------------------------------------------------------------------------------------

    def _heard(self, topic: str, payload: bytes) -> None:
        if topic != self._child_topic:
            log.debug("a message on %s was dropped: nothing is known about it", topic)
        elif self._is_unbind(payload):
            for each in self._unbinders[:]:
                self._events.submit(each)
        else:
            self._child_commands.received(payload)

    def _is_unbind(self, payload: bytes) -> bool:
        try:
            command = self._wire.read(payload)
        except NotACommandError:
            return False  # the commands say why they drop it
        return command is not None and command.method == children.UNBIND

    def _answer_for_child(self, payload: bytes) -> Pending[None]:
        pending = self._outbox.add_urgent(Message(children.REPLY_TOPIC, payload))
        self._link.wake()
        return pending

    def _connecting(self) -> None:
        super()._connecting()
        self._child_commands.new_connection()

    def _is_busy(self) -> bool:
        return super()._is_busy() or bool(self._child_commands.open)

    def _changed(self, state: DeviceState) -> None:
        if state is DeviceState.CONNECTED:
            self._turn += 1
            self._outbox.held = True
            if not self._statuses or not self._restorer.submit(partial(self._restore, self._turn)):
                self.release()
        super()._changed(state)

    def _restore(self, turn: int) -> None:
        """Tell the platform the status of each child, and let the queue go on, whatever comes of it."""
        try:
            with self._known:
                statuses = list(self._statuses.items())
            for child_id, (status, detail) in statuses:
                if turn != self._turn or not self._tell(child_id, status, detail):
                    break
        finally:
            if turn == self._turn:
                self.release()

    def _tell(self, child_id: str, status: str, detail: str) -> bool:
        """Return whether the next child can be tried."""
        try:
            self.field.update_child(child_id, status, detail)
        except NotFoundError:
            self._forget(child_id)
            log.warning("the platform has no device %s behind the gateway %s any more", child_id, self.credentials.id)
        except NorthApiException as error:
            log.warning(
                "the status of the devices behind %s cannot be reported: %s", self.credentials.id, error.error_desc
            )
            return error.http_status_code is not None
        return True

    def _forget(self, child_id: str) -> None:
        with self._known:
            self._statuses.pop(child_id, None)
