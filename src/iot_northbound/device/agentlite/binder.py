"""Binding: six attempts at most, 30 seconds apart (5.2.2.4, 6.2.2.4, 7.2.2.4)."""

import threading
from collections.abc import Callable
from typing import Protocol

from iot_northbound.core.clock import Clock
from iot_northbound.core.failures import Log
from iot_northbound.core.signal_safe import Flag
from iot_northbound.device.agentlite.calls import Accepted
from iot_northbound.device.agentlite.elements import BindIE, Topic
from iot_northbound.device.agentlite.enums import AlgType, BindResult
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr, StoreError
from iot_northbound.device.agentlite.events import Events
from iot_northbound.device.agentlite.info import IotaDeviceInfo
from iot_northbound.device.agentlite.store import Store, Stored
from iot_northbound.device.field_http import CODE_EXPIRED, NOT_REGISTERED, Bound, UndocumentedWireError
from iot_northbound.device.workers import started
from iot_northbound.errors import NorthApiException

log = Log("iot_northbound.device.agentlite")

ATTEMPTS = 6
INTERVAL = 30.0
"""Seconds between two attempts."""
PATIENCE = 2.0
"""Seconds in which a close waits for an attempt that goes on."""


class BindPort(Protocol):
    """The platform's port for binding."""

    def bind(self, verify_code: str, device_info: dict[str, str], /) -> Bound:
        """Bind once."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class Binder:
    """Binds the device of one agent, and stores what the platform gives."""

    def __init__(self, events: Events, store: Store, clock: Clock, name: str) -> None:
        self._events, self._store, self._clock, self._name = events, store, clock, name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._call: Accepted | None = None
        self._stop = Flag()
        self._given_up = False

    def bind(
        self,
        port: BindPort,
        verify_code: str,
        info: IotaDeviceInfo,
        alg_type: AlgType,
        stored: Callable[[Bound], Stored],
    ) -> Accepted:
        """Begin to bind.

        Raises:
            AgentLiteError: OVERTIMES; six attempts have failed before. STATE; a bind is under way. ERR; the system has
                no more threads.
        """
        call = Accepted(self._events, Topic.BINDDEVICE_RSP)

        def run() -> None:
            try:
                self._run(port, verify_code, info, alg_type, stored, call)
            except Exception:
                log.exception("the bind has failed")
                call.end({BindIE.RESULT: BindResult.FAILED}, AgentLiteError(HwErr.ERR, "the bind has failed"))
            finally:
                port.close()

        with self._lock:
            if self._given_up:
                raise AgentLiteError(
                    HwErr.OVERTIMES, f"{ATTEMPTS} attempts to bind have failed: make a new AgentLite to try again"
                )
            if self._call is not None and not self._call.done():
                raise AgentLiteError(HwErr.STATE, "a bind is under way: wait for its result")
            self._thread = started(run, f"{self._name}-bind")
            if self._thread is None:
                raise AgentLiteError(HwErr.ERR, "the system has no thread for the bind")
            self._call = call
        return call

    def close(self) -> None:
        """End a bind that is under way; its call fails."""
        self._stop.set()
        if (thread := self._thread) is not None and thread is not threading.current_thread():
            thread.join(PATIENCE)
        if self._call is not None:
            self._call.end({BindIE.RESULT: BindResult.FAILED}, AgentLiteError(HwErr.NOEND, "the agent was closed"))

    def _run(
        self,
        port: BindPort,
        verify_code: str,
        info: IotaDeviceInfo,
        alg_type: AlgType,
        stored: Callable[[Bound], Stored],
        call: Accepted,
    ) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            if self._stop.is_set() or (attempt > 1 and self._clock.wait(self._stop, INTERVAL)):
                return
            try:
                bound = stored(port.bind(verify_code, info.wire()))
            except UndocumentedWireError as error:
                call.end({BindIE.RESULT: BindResult.FAILED}, AgentLiteError(HwErr.NOTSUPPORT, str(error)))
                return
            except NorthApiException as error:
                result = _result_of(error)
                log.warning("attempt %d of %d to bind has failed: %s", attempt, ATTEMPTS, error)
                if result is BindResult.VERIFICATION_CODE_EXPIRED:  # waiting does not help
                    call.end({BindIE.RESULT: result}, AgentLiteError(HwErr.AUTH, str(error)))
                    return
                last = result, error
                call.so_far = (
                    f"attempt {attempt} of {ATTEMPTS} has failed with {error.error_code} ({error.error_desc}). "
                    f"The bind goes on: an attempt each {INTERVAL:g} s"
                )
            else:
                self._bound(bound, alg_type, call)
                return
        result, failure = last
        self._given_up = True
        call.end(
            {BindIE.RESULT: result},
            AgentLiteError(HwErr.OVERTIMES, f"{ATTEMPTS} attempts to bind have failed, the last one with: {failure}"),
        )

    def _bound(self, bound: Stored, alg_type: AlgType, call: Accepted) -> None:
        if call.done():  # the agent was closed, and another one may have the work path
            return
        failure: StoreError | None = None
        try:
            self._store.save(bound, alg_type)
        except StoreError as error:
            failure = StoreError(error.code, f"the device is bound, but {error.error_desc}")
            log.error("%s", failure)
        call.end(
            {
                BindIE.RESULT: BindResult.SUCCESS,
                BindIE.DEVICEID: bound.device_id,
                BindIE.DEVICESECRET: bound.secret,
                BindIE.APPID: bound.app_id,
                BindIE.IOCM_ADDR: bound.iocm_addr,
                BindIE.IOCM_PORT: bound.iocm_port,
                BindIE.MQTT_ADDR: bound.mqtt_addr,
                BindIE.MQTT_PORT: bound.mqtt_port,
                BindIE.LVS_ADDR: bound.mqtt_addr,
            },
            failure,
        )


def _result_of(error: NorthApiException) -> BindResult:
    if error.error_code == NOT_REGISTERED:
        return BindResult.DEVICE_NOT_BOUND
    return BindResult.VERIFICATION_CODE_EXPIRED if error.error_code == CODE_EXPIRED else BindResult.FAILED
