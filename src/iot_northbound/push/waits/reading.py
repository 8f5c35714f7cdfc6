"""Message -> news: what it says about a command or an upgrade. Loaded once somebody waits, because it needs DTOs."""

from __future__ import annotations

from typing import Any

from iot_northbound.core import wire
from iot_northbound.dto.message_notifications import NotifyNBCCommandStatusChangedDTO
from iot_northbound.dto.signal_delivery import CommandStatus
from iot_northbound.dto.upgrade_notifications import NotifyFwUpgradeResultDTO, NotifySwUpgradeResultDTO
from iot_northbound.push.parse import COMMAND_STATUS, Message
from iot_northbound.push.waits.news import News, about_command, about_upgrade
from iot_northbound.services.signal_delivery import COMMAND_ENDED
from iot_northbound.services.waiting import has_ended

_UPGRADE_RESULTS: dict[str, type[Any]] = {
    "swUpgradeResultNotify": NotifySwUpgradeResultDTO,
    "fwUpgradeResultNotify": NotifyFwUpgradeResultDTO,
}


def news_of(message: Message) -> News | None:
    """Return what a message says about a command or an upgrade; None if it says nothing about them."""
    try:
        if message.kind == COMMAND_STATUS:
            return _of_command(message)
        if (cls := _UPGRADE_RESULTS.get(message.kind)) is not None:
            operation = wire.structure(message.raw, cls).operation_id
            return News(about_upgrade(operation), True) if operation else None
    except wire.ShapeError:  # such a message goes to handle_unknown
        pass
    return None


def _of_command(message: Message) -> News | None:
    body = wire.structure(message.raw, NotifyNBCCommandStatusChangedDTO)
    if not body.command_id or body.result is None or not body.result.result_code:
        return None
    status, result = CommandStatus(body.result.result_code), message.raw.get("result")
    return News(
        about_command(body.command_id),
        has_ended(status, COMMAND_ENDED),
        status,
        result if isinstance(result, dict) else None,
        len(message.text) + 1_000,
    )
