"""Devices behind a gateway: calls of the AgentLite port, one after the other on one thread."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from iot_northbound.device.agentlite.calls import Accepted
from iot_northbound.device.agentlite.elements import HubIE, Topic
from iot_northbound.device.agentlite.enums import DeviceStatus, HubResult, StatusDetail
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr
from iot_northbound.device.agentlite.events import Events
from iot_northbound.device.agentlite.info import IotaDeviceInfo
from iot_northbound.device.agentlite.reasons import converted, hub_result_of
from iot_northbound.device.agentlite.store import Stored
from iot_northbound.device.field_http import NO_SUCH_DEVICE, FieldHttp
from iot_northbound.device.workers import Workers
from iot_northbound.errors import ConnectionFailedError, NorthApiException, RequestTimeoutError, TlsError

log = logging.getLogger("iot_northbound.device.agentlite")

_NO_ANSWER = (ConnectionFailedError, RequestTimeoutError, TlsError)


@attrs.define(eq=False)
class _Status:
    """The last status of a device, and the call that waits for its result."""

    status: DeviceStatus
    detail: StatusDetail
    call: Accepted | None
    sent: bool = False


class Children:
    """The devices behind the gateway of one login.

    Args:
        who: the gateway.
        http: the platform's AgentLite port.
        events: where results go.
        gone: called if the platform does not know the gateway.
        name: the name of the thread.
    """

    def __init__(self, who: Stored, http: FieldHttp, events: Events, gone: Callable[[], object], name: str) -> None:
        self._who, self._http, self._events, self._gone = who, http, events, gone
        self._worker = Workers(1, f"{name}-children")
        self._lock = threading.Lock()
        self._statuses: dict[str, _Status] = {}
        self._calls: list[Accepted] = []
        self._connected = self._logged_in = False

    def add(self, info: IotaDeviceInfo, cookie: int | None) -> Accepted:
        """Add a device."""
        call = self._call(Topic.ADDDEV_RSP, cookie)

        def run() -> Mapping[HubIE, Any]:
            added = self._http.add_child(info.wire())
            result = HubResult.DEVICE_EXISTS if added.existed else HubResult.SUCCESS
            return {HubIE.RESULT: result, HubIE.DEVICEID: added.device_id}

        self._submit(lambda: self._run(call, None, run))
        return call

    def remove(self, device_id: str, cookie: int | None) -> Accepted:
        """Remove a device."""
        call = self._call(Topic.RMVDEV_RSP, cookie)

        def run() -> Mapping[HubIE, Any]:
            self._http.remove_child(device_id)
            with self._lock:
                self._statuses.pop(device_id, None)
            return {HubIE.RESULT: HubResult.SUCCESS, HubIE.DEVICEID: device_id}

        self._submit(lambda: self._run(call, device_id, run))
        return call

    def update(self, device_id: str, status: DeviceStatus, detail: StatusDetail, cookie: int | None) -> Accepted:
        """Send the status of a device, or keep it for the next connection."""
        call = self._call(Topic.DEVSTATUS_RSP, cookie)
        with self._lock:
            earlier, self._statuses[device_id] = self._statuses.get(device_id), _Status(status, detail, call)
            connected = self._connected
        if earlier is not None and not earlier.sent and earlier.call is not None:
            dropped = AgentLiteError(HwErr.DROP, "a later status of the device took its place before it was sent")
            earlier.call.end({HubIE.RESULT: HubResult.DEVICE_FAILED, HubIE.DEVICEID: device_id}, dropped)
        if connected:
            self._submit(lambda: self._push(device_id))
        return call

    def connected(self, then: Callable[[], object]) -> None:
        """Send the last status of each device, as the reference recommends after a connection; then call `then`."""
        with self._lock:
            self._connected = True
            for each in self._statuses.values():
                each.sent = False

        def run() -> None:
            try:
                for device_id in list(self._statuses):
                    if not self._push(device_id):
                        return  # no answer: the next connection brings the next attempt
            finally:
                then()

        if not self._worker.submit(run):
            then()

    def disconnected(self) -> None:
        """Keep statuses from here on for the next connection."""
        with self._lock:
            self._connected = False

    def close(self) -> None:
        """Run no more calls; those that have no result fail."""
        self._worker.close()
        self._http.close()
        with self._lock:
            left, self._calls = self._calls, []
        for each in left:
            each.end({HubIE.RESULT: HubResult.DEVICE_FAILED}, AgentLiteError(HwErr.NOEND, "the device was logged out"))

    def known_to_the_platform(self) -> bool:
        """Return whether the platform's AgentLite port knows the gateway; True if it cannot be asked."""
        try:
            self._http.login(self._who.app_id, self._who.device_id, self._who.secret)
        except NorthApiException as error:
            return error.error_code != NO_SUCH_DEVICE
        return True

    def _call(self, topic: Topic, cookie: int | None) -> Accepted:
        call = Accepted(self._events, topic, cookie)
        with self._lock:
            self._calls = [*(each for each in self._calls if not each.done()), call]
        return call

    def _submit(self, job: Callable[[], object]) -> None:
        if not self._worker.submit(job):
            raise AgentLiteError(HwErr.OVERFLOW, "too many calls about child devices wait: wait for their results")

    def _push(self, device_id: str) -> bool:
        """Send the last status of a device if it was not sent; return False if the platform does not answer."""
        with self._lock:
            last = self._statuses.get(device_id)
            if last is None or last.sent:
                return True
            last.sent = True
            call, last.call = last.call, None

        def run() -> Mapping[HubIE, Any]:
            self._http.update_child(device_id, last.status, last.detail)
            return {HubIE.RESULT: HubResult.SUCCESS, HubIE.DEVICEID: device_id}

        error = self._run(call, device_id, run)
        if error is not None and error.error_code == NO_SUCH_DEVICE:
            with self._lock:
                if self._statuses.get(device_id) is last:
                    del self._statuses[device_id]
        return not isinstance(error, _NO_ANSWER)

    def _run(
        self, call: Accepted | None, device_id: str | None, run: Callable[[], Mapping[HubIE, Any]]
    ) -> NorthApiException | None:
        """Run a call of the port and end the caller's with its result; return the error, if there was one."""
        error: NorthApiException | None = None
        values: Mapping[HubIE, Any] = {}
        try:
            if not self._login():
                error = AgentLiteError(HwErr.AUTH, "the platform does not know the gateway any more")
            else:
                values = run()
        except NorthApiException as failed:
            error = failed
        if error is not None:
            log.warning("a call about a child device has failed: %s", error)
            values = {HubIE.RESULT: hub_result_of(error), HubIE.DEVICEID: device_id}
        if call is not None:
            call.end(values, None if error is None else converted(error))
        return error

    def _login(self) -> bool:
        """Log the gateway in at the port if it is not; return False if the platform does not know the gateway."""
        if self._logged_in:
            return True
        try:
            self._http.login(self._who.app_id, self._who.device_id, self._who.secret)
        except NorthApiException as error:
            if error.error_code != NO_SUCH_DEVICE:
                raise
            self._gone()
            return False
        self._logged_in = True
        return True
