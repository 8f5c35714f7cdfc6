"""What the platform pushes about messages, commands and events of devices, and about rules (section 1.6.7)."""

from typing import Any

from iot_northbound.core.fields import JsonObject, Timestamp, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import NotifyType


class ConfirmStatus(OpenEnum):
    """The state of a message to a device."""

    SENT = "sent"
    DELIVERED = "delivered"
    EXECUTED = "executed"


class CommandResultCode(OpenEnum):
    """The state of a command; platforms use SUCCESS or SUCCESSFUL, FAIL or FAILED."""

    SENT = "SENT"
    DELIVERED = "DELIVERED"
    SUCCESS = "SUCCESS"
    SUCCESSFUL = "SUCCESSFUL"
    FAIL = "FAIL"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    TIMEOUT = "TIMEOUT"
    CANCELED = "CANCELED"


@response
class MessageConfirmHeader(Received, JsonForm):
    """Which message a device acknowledges (section 1.6.7.10).

    Attributes:
        request_id: the message's id.
        from_: the sender: /devices/{deviceId}, or a service below it.
        to: the sender of the message.
        status: its state.
        timestamp: the time of the acknowledgement, UTC.
    """

    request_id: str | None = None
    from_: str | None = None
    to: str | None = None
    status: ConfirmStatus | None = None
    timestamp: Timestamp | None = None


@response
class NotifyMessageConfirmDTO(Received, JsonForm):
    """A device has acknowledged a message (section 1.6.7.10).

    Attributes:
        notify_type: ``messageConfirm``.
        header: the message and its state.
        body: further data that the service defines.
    """

    notify_type: NotifyType | None = None
    header: MessageConfirmHeader | None = None
    body: JsonObject | None = None


@response
class CommandRspHeader(Received, JsonForm):
    """Which command a device answers (section 1.6.7.11).

    Attributes:
        request_id: the command's id.
        from_: the sender: /devices/{deviceId}, or a service below it.
        to: the sender of the command.
        device_id: the device.
        service_type: the type of the command's service.
        method: the answer's name, for example INVITE-RSP.
    """

    request_id: str | None = None
    from_: str | None = None
    to: str | None = None
    device_id: str | None = None
    service_type: str | None = None
    method: str | None = None


@response
class NotifyCommandRspDTO(Received, JsonForm):
    """A device has answered a command (section 1.6.7.11).

    Attributes:
        notify_type: ``commandRsp``.
        header: the command.
        body: the answer.
    """

    notify_type: NotifyType | None = None
    header: CommandRspHeader | None = None
    body: JsonObject | None = None


@response
class DeviceEventHeader(Received, JsonForm):
    """What happened to a device, and when (section 2.3.5.10).

    Attributes:
        event_type: what happened.
        from_: the sender: /devices/{deviceId}, or a service below it.
        timestamp: when it was sent, UTC.
        event_time: when it happened, UTC.
        device_id: the device.
        service_type: the type of the service.
    """

    event_type: str | None = None
    from_: str | None = None
    timestamp: Timestamp | None = None
    event_time: Timestamp | None = None
    device_id: str | None = None
    service_type: str | None = None


@response
class NotifyDeviceEventDTO(Received, JsonForm):
    """Something has happened to a device (section 2.3.5.10).

    Attributes:
        notify_type: ``deviceEvent``.
        header: what happened and when.
        body: the event's own data.
    """

    notify_type: NotifyType | None = None
    header: DeviceEventHeader | None = None
    body: JsonObject | None = None


@response
class NBCommandResult(Received, JsonForm):
    """The state of a command (section 1.6.7.12).

    Attributes:
        result_code: the command's status.
        result_detail: the device's answer: an object, text, or nothing.
    """

    result_code: CommandResultCode | None = None
    result_detail: Any = None


@response
class NotifyNBCCommandStatusChangedDTO(Received, JsonForm):
    """The status of a command has changed (section 1.6.7.12).

    It is pushed to the command's own callback URL and has no ``notifyType``.

    Attributes:
        device_id: the device.
        command_id: the command.
        result: its state.
    """

    device_id: str | None = None
    command_id: str | None = None
    result: NBCommandResult | None = None


@response
class Reason(Received, JsonForm):
    """A condition of a rule that has become true (section 1.6.7.13).

    Attributes:
        satisfaction_time: when it became true, UTC.
        type: the kind of condition.
        id: the condition's id.
        info: the data of this kind of condition; any JSON.
        trans_info: data of the rule's author; any JSON.
    """

    satisfaction_time: Timestamp | None = None
    type: str | None = None
    id: str | None = None
    info: Any = None
    trans_info: Any = None


@response
class ActionResult(Received, JsonForm):
    """The result of an action of a rule (section 1.6.7.13).

    Attributes:
        type: the kind of action, for example DEVICE_CMD, SMS or EMAIL.
        id: the action's id.
        exception: what went wrong while it was prepared; instead of `result`.
        result: a status code and a body; instead of `exception`.
        info: the data of this kind of action; any JSON.
        trans_info: data of the rule's author; any JSON.
    """

    type: str | None = None
    id: str | None = None
    exception: str | None = None
    result: Any = None
    info: Any = None
    trans_info: Any = None


@response
class NotifyRuleEventDTO(Received, JsonForm):
    """A rule was triggered (section 1.6.7.13).

    Attributes:
        notify_type: ``ruleEvent``.
        author: the user who made the rule.
        rule_id: the rule's id.
        rule_name: its name.
        logic: how its conditions are combined.
        reasons: the conditions that became true.
        trigger_time: when it was triggered, UTC.
        actions_results: the results of its actions.
    """

    notify_type: NotifyType | None = None
    author: str | None = None
    rule_id: str | None = None
    rule_name: str | None = None
    logic: str | None = None
    reasons: list[Reason] | None = None
    trigger_time: Timestamp | None = None
    actions_results: list[ActionResult] | None = None


__all__ = [
    "ActionResult",
    "CommandResultCode",
    "CommandRspHeader",
    "ConfirmStatus",
    "DeviceEventHeader",
    "MessageConfirmHeader",
    "NBCommandResult",
    "NotifyCommandRspDTO",
    "NotifyDeviceEventDTO",
    "NotifyMessageConfirmDTO",
    "NotifyNBCCommandStatusChangedDTO",
    "NotifyRuleEventDTO",
    "Reason",
]
