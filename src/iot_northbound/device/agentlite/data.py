"""Reports, answers and messages of one login, over the device's MQTT connection."""

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from iot_northbound.device.agentlite.calls import Accepted
from iot_northbound.device.agentlite.elements import DataIE, Topic
from iot_northbound.device.agentlite.enums import DataResult
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr
from iot_northbound.device.agentlite.events import Events
from iot_northbound.device.agentlite.message import IotaMessage
from iot_northbound.device.agentlite.reasons import converted
from iot_northbound.device.commands import FAILED, LaterAnswer
from iot_northbound.device.gateway import GatewayClient
from iot_northbound.device.messages import Command
from iot_northbound.device.pending import Pending
from iot_northbound.errors import NorthApiException

log = logging.getLogger("iot_northbound.device.agentlite")

_MOST_OPEN = 1_000
"""Commands that may wait for an answer; with more, the oldest can be answered no longer."""


class Data:
    """What the device of one login says and hears."""

    def __init__(self, client: GatewayClient, events: Events) -> None:
        self._client, self._events = client, events
        self._own = client.credentials.id
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], LaterAnswer] = {}
        client.on_command()(self._command)
        client.on_child_command()(self._command)

    def report(self, device_id: str, service_id: str, values: dict[str, Any], cookie: int | None) -> Accepted:
        """Report data of the device or of one behind it."""
        call = Accepted(self._events, Topic.DATA_REPORT_RSP, cookie)
        if device_id == self._own:
            sent = _asked(lambda: self._client.report(service_id, values))
        else:
            sent = _asked(lambda: self._client.report_child(device_id, service_id, values))
        return self._ends_with(call, sent, device_id)

    def answer(self, device_id: str, request_id: str, values: dict[str, Any], cookie: int | None) -> Accepted:
        """Answer a command."""
        call = Accepted(self._events, Topic.DATA_REPORT_RSP, cookie)
        errcode = values.pop("errcode", 0)
        if type(errcode) is not int:
            raise AgentLiteError(HwErr.PARA, f"errcode = {errcode!r}: give a whole number; 0 means success")
        with self._lock:
            later = self._open.pop((device_id, request_id), None)
        if later is None:
            raise AgentLiteError(
                HwErr.NOMATCH,
                f"request_id = {request_id!r}: no command to {device_id} with this id waits for an answer",
            )
        later.give(errcode, values)
        return self._ends_with(call, later.sent, device_id)

    def publish(self, topic: str, payload: bytes, qos: int, cookie: int | None) -> Accepted:
        """Publish bytes."""
        call = Accepted(self._events, Topic.MQTT_PUB_RSP, cookie)
        return self._ends_with(call, _asked(lambda: self._client.publish(topic, payload, qos)), None)

    def subscribe(self, topic: str, qos: int, cookie: int | None) -> Accepted:
        """Subscribe to a topic."""
        call = Accepted(self._events, Topic.MQTT_SUB_RSP, cookie)
        return self._ends_with(call, _asked(lambda: self._client.subscribe(topic, self._received, qos)), None)

    def _received(self, topic: str, payload: bytes) -> None:
        self._events.tell(IotaMessage(Topic.MQTT_DATA_RECV, {DataIE.MSGTOPIC: topic, DataIE.MSGCONTENT: payload}))

    def _ends_with(self, call: Accepted, sent: Pending[None], device_id: str | None) -> Accepted:
        def ended(sent: Pending[None]) -> None:
            error = sent.exception()
            result = DataResult.SUCCESS if error is None else DataResult.FAILED
            call.end({DataIE.RESULT: result, DataIE.DEVICEID: device_id}, None if error is None else converted(error))

        sent.add_done_callback(ended)
        return call

    def _command(self, command: Command) -> LaterAnswer:
        later = LaterAnswer()
        device_id = command.device_id or self._own
        request_id = None if command.mid is None else str(command.mid)
        if request_id is not None:
            with self._lock:
                self._open.pop((device_id, request_id), None)  # the platform gave the number to another command
                self._open[device_id, request_id] = later
                dropped = [self._open.pop(next(iter(self._open))) for _ in range(len(self._open) - _MOST_OPEN)]
            for each in dropped:
                log.warning("more than %d commands wait for an answer: the oldest is answered as failed", _MOST_OPEN)
                each.give(FAILED, {"error": "no answer"})
        self._events.tell(
            IotaMessage(
                Topic.COMMAND_RECEIVE,
                {
                    DataIE.REQUESTID: request_id,
                    DataIE.DEVICEID: device_id,
                    DataIE.SERVICEID: command.service_id,
                    DataIE.METHOD: command.method,
                    DataIE.CMDCONTENT: json.dumps(command.paras, ensure_ascii=False),
                },
            )
        )
        return later


def _asked(ask: Callable[[], Pending[None]]) -> Pending[None]:
    """Return what the client below returns, and raise what it raises as an AgentLiteError."""
    try:
        return ask()
    except NorthApiException as error:
        raise converted(error) from None
