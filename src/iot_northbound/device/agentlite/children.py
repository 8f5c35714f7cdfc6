"""Calls about the devices behind a gateway, one after the other on one thread."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from iot_northbound.device.agentlite.calls import Accepted
from iot_northbound.device.agentlite.elements import HubIE, Topic
from iot_northbound.device.agentlite.enums import DeviceStatus, HubResult, StatusDetail
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr
from iot_northbound.device.agentlite.events import Events
from iot_northbound.device.agentlite.info import IotaDeviceInfo
from iot_northbound.device.agentlite.reasons import converted, hub_result_of
from iot_northbound.device.agentlite.store import Stored
from iot_northbound.device.field_http import NO_SUCH_DEVICE
from iot_northbound.device.gateway import GatewayClient
from iot_northbound.device.workers import Workers
from iot_northbound.errors import NorthApiException

log = logging.getLogger("iot_northbound.device.agentlite")

_Values = Mapping[HubIE, Any]


class Children:
    """The devices behind the gateway of one login.

    Args:
        who: the gateway.
        client: its client.
        events: where results go.
        gone: called if the platform does not know the gateway.
        name: the name of the thread.
    """

    def __init__(
        self, who: Stored, client: GatewayClient, events: Events, gone: Callable[[], object], name: str
    ) -> None:
        self._who, self._client, self._events, self._gone = who, client, events, gone
        self._worker = Workers(1, f"{name}-children")
        self._lock = threading.Lock()
        self._calls: list[Accepted] = []

    def add(self, info: IotaDeviceInfo, cookie: int | None) -> Accepted:
        """Add a device."""

        def run() -> _Values:
            added = self._client.add_child(info.wire())
            result = HubResult.DEVICE_EXISTS if added.existed else HubResult.SUCCESS
            return {HubIE.RESULT: result, HubIE.DEVICEID: added.device_id}

        return self._begin(Topic.ADDDEV_RSP, cookie, None, run)

    def remove(self, device_id: str, cookie: int | None) -> Accepted:
        """Remove a device."""

        def run() -> _Values:
            self._client.remove_child(device_id)
            return {HubIE.RESULT: HubResult.SUCCESS, HubIE.DEVICEID: device_id}

        return self._begin(Topic.RMVDEV_RSP, cookie, device_id, run)

    def update(self, device_id: str, status: DeviceStatus, detail: StatusDetail, cookie: int | None) -> Accepted:
        """Send the status of a device; the client sends it again after each connect."""

        def run() -> _Values:
            self._client.update_child_status(device_id, status, detail)
            return {HubIE.RESULT: HubResult.SUCCESS, HubIE.DEVICEID: device_id}

        return self._begin(Topic.DEVSTATUS_RSP, cookie, device_id, run)

    def close(self) -> None:
        """Run no more calls; those that have no result fail."""
        self._worker.close()
        with self._lock:
            left, self._calls = self._calls, []
        for each in left:
            each.end({HubIE.RESULT: HubResult.DEVICE_FAILED}, AgentLiteError(HwErr.NOEND, "the device was logged out"))

    def is_known(self) -> bool:
        """Return whether the platform's AgentLite port knows the gateway; True if it cannot be asked."""
        try:
            self._client.field.login(self._who.app_id, self._who.device_id, self._who.secret)
        except NorthApiException as error:
            return error.error_code != NO_SUCH_DEVICE
        return True

    def _begin(self, topic: Topic, cookie: int | None, device_id: str | None, run: Callable[[], _Values]) -> Accepted:
        call = Accepted(self._events, topic, cookie)
        if not self._worker.submit(lambda: self._run(call, device_id, run)):
            raise AgentLiteError(HwErr.OVERFLOW, "too many calls about child devices wait: wait for their results")
        with self._lock:
            self._calls = [*(each for each in self._calls if not each.done()), call]
        return call

    def _run(self, call: Accepted, device_id: str | None, run: Callable[[], _Values]) -> None:
        try:
            call.end(run())
        except NorthApiException as error:
            log.warning("a call about a child device has failed: %s", error)
            result = hub_result_of(error)
            if result is HubResult.DEVICE_NOTEXIST and not self.is_known():
                result = HubResult.DEVICE_FAILED
                self._gone()
            call.end({HubIE.RESULT: result, HubIE.DEVICEID: device_id}, converted(error))
