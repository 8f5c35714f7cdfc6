"""What the platform pushes about messages, commands and events of devices, and of rules (section 1.6.7)."""

from typing import Any

from iot_northbound.core.fields import JsonObject, Timestamp, response
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import NotifyType


class ConfirmStatus(OpenEnum):
    """How far a message to a device has come."""

    SENT = "sent"
    DELIVERED = "delivered"
    EXECUTED = "executed"


class CommandResultCode(OpenEnum):
    """How far a command has come; platforms say SUCCESS or SUCCESSFUL, FAIL or FAILED."""

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
class MessageConfirmHeader(Received):
    """Which message a device acknowledges (section 1.6.7.10).

    Attributes:
        request_id: the message's id.
        from_: who acknowledges: /devices/{deviceId}, or a service below it.
        to: who sent the message.
        status: how far it has come.
        timestamp: when that was, UTC.
    """

    request_id: str | None = None
    from_: str | None = None
    to: str | None = None
    status: ConfirmStatus | None = None
    timestamp: Timestamp | None = None


@response
class NotifyMessageConfirmDTO(Received):
    """A device acknowledged a message (section 1.6.7.10).

    Attributes:
        notify_type: ``messageConfirm``.
        header: which message, and how far it has come.
        body: what the service's definition adds.
    """

    notify_type: NotifyType | None = None
    header: MessageConfirmHeader | None = None
    body: JsonObject | None = None


@response
class CommandRspHeader(Received):
    """Which command a device answers (section 1.6.7.11).

    Attributes:
        request_id: the command's id.
        from_: who answers: /devices/{deviceId}, or a service below it.
        to: who sent the command.
        device_id: the device.
        service_type: the type of the service the command belongs to.
        method: the answer's name, such as INVITE-RSP.
    """

    request_id: str | None = None
    from_: str | None = None
    to: str | None = None
    device_id: str | None = None
    service_type: str | None = None
    method: str | None = None


@response
class NotifyCommandRspDTO(Received):
    """A device answered a command (section 1.6.7.11).

    Attributes:
        notify_type: ``commandRsp``.
        header: which command.
        body: the answer.
    """

    notify_type: NotifyType | None = None
    header: CommandRspHeader | None = None
    body: JsonObject | None = None


@response
class DeviceEventHeader(Received):
    """What happened to a device, and when (section 2.3.5.10).

    Attributes:
        event_type: what happened.
        from_: who tells: /devices/{deviceId}, or a service below it.
        timestamp: when it was told, UTC.
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
class NotifyDeviceEventDTO(Received):
    """Something happened to a device (section 2.3.5.10).

    Attributes:
        notify_type: ``deviceEvent``.
        header: what and when.
        body: the event's own data.
    """

    notify_type: NotifyType | None = None
    header: DeviceEventHeader | None = None
    body: JsonObject | None = None


@response
class NBCommandResult(Received):
    """How far a command has come (section 1.6.7.12).

    Attributes:
        result_code: the command's status.
        result_detail: what the device answered: an object, text, or nothing.
    """

    result_code: CommandResultCode | None = None
    result_detail: Any = None


@response
class NotifyNBCCommandStatusChangedDTO(Received):
    """A command's status changed (section 1.6.7.12).

    It is pushed to the command's own callback URL and carries no ``notifyType``.

    Attributes:
        device_id: the device.
        command_id: the command.
        result: how far it has come.
    """

    device_id: str | None = None
    command_id: str | None = None
    result: NBCommandResult | None = None


@response
class Reason(Received):
    """A condition of a rule that came true (section 1.6.7.13).

    Attributes:
        satisfaction_time: when it came true, UTC.
        type: the kind of condition.
        id: the condition's id.
        info: what this kind of condition tells; any JSON.
        trans_info: what the rule's author wanted passed along; any JSON.
    """

    satisfaction_time: Timestamp | None = None
    type: str | None = None
    id: str | None = None
    info: Any = None
    trans_info: Any = None


@response
class ActionResult(Received):
    """What an action of a rule did (section 1.6.7.13).

    Attributes:
        type: the kind of action, such as DEVICE_CMD, SMS or EMAIL.
        id: the action's id.
        exception: what went wrong while it was prepared; instead of `result`.
        result: a status code and a body; instead of `exception`.
        info: what this kind of action tells; any JSON.
        trans_info: what the rule's author wanted passed along; any JSON.
    """

    type: str | None = None
    id: str | None = None
    exception: str | None = None
    result: Any = None
    info: Any = None
    trans_info: Any = None


@response
class NotifyRuleEventDTO(Received):
    """A rule fired (section 1.6.7.13).

    Attributes:
        notify_type: ``ruleEvent``.
        author: who made the rule.
        rule_id: the rule's id.
        rule_name: its name.
        logic: how its conditions are joined.
        reasons: the conditions that came true.
        trigger_time: when it fired, UTC.
        actions_results: what its actions did.
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
