"""Subscriptions to notifications of the platform (section 1.6)."""

from typing import Annotated, Literal

from iot_northbound.core.fields import Range, Text, Wire, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import NotifyType, NotifyTypeIn, Page


class Channel(OpenEnum):
    """How notifications are sent to the application; HTTP by default."""

    HTTP = "HTTP"
    MQTT = "MQTT"


ChannelIn = Channel | Literal["HTTP", "MQTT"]
"""A `Channel` in a request, or its text."""
UpgradeNotifyTypeIn = (
    NotifyType
    | Literal[
        "swUpgradeStateChangeNotify", "swUpgradeResultNotify", "fwUpgradeStateChangeNotify", "fwUpgradeResultNotify"
    ]
)
"""A `NotifyType` of an upgrade in a request, or its text."""


@request
class SubDeviceDataInDTO(JsonForm):
    """A subscription to notifications about devices (section 1.6.1).

    Attributes:
        notify_type: the type of notification; see `NotifyType`.
        callback_url: the URL to which it is pushed, with the port; up to 1,024 characters.
        app_id: the application that owns the devices or rules; up to 256 characters.
        channel: see `Channel`; up to 32 characters.
    """

    notify_type: NotifyTypeIn
    callback_url: Annotated[str, Text.up_to(1024)]
    app_id: Annotated[str | None, Text.up_to(256)] = None
    channel: Annotated[ChannelIn | None, Text.up_to(32)] = None


@request
class SubDeviceManagementDataInDTO(JsonForm):
    """A subscription to the progress of upgrades (section 1.6.2).

    Attributes:
        notify_type: one of the four upgrade types; see `NotifyType`.
        callback_url: the URL to which it is pushed, with the port.
    """

    notify_type: UpgradeNotifyTypeIn
    # Written as in the vendor's own SDK, with a lower-case u.
    callback_url: Annotated[str, Wire("callbackurl", also=("callbackUrl",))]


@response
class SubscriptionDTO(Received, JsonForm):
    """A subscription (sections 1.6.1, 1.6.3 and 1.6.4).

    Attributes:
        subscription_id: the subscription's id.
        notify_type: the type of notification.
        callback_url: the URL to which it is pushed.
        client_ids: the MQTT clients, if the channel is MQTT.
    """

    subscription_id: str | None = None
    notify_type: NotifyType | None = None
    callback_url: str | None = None
    client_ids: list[str] | None = None


@request
class QueryBatchSubInDTO(JsonForm):
    """Which subscriptions to list (section 1.6.4).

    Attributes:
        app_id: the application that owns the devices or rules; up to 256 characters.
        notify_type: only this type; see `NotifyType`. Up to 256 characters.
        page_no: the page, from 0.
        page_size: subscriptions per page, 1 or more; 10 by default.
    """

    app_id: Annotated[str | None, Text.up_to(256)] = None
    notify_type: Annotated[NotifyTypeIn | None, Text.up_to(256)] = None
    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(1)] = None


@response
class QueryBatchSubOutDTO(Page):
    """A page of subscriptions (section 1.6.4).

    Attributes:
        subscriptions: the page's subscriptions.
    """

    subscriptions: list[SubscriptionDTO] | None = None


@request
class DeleteBatchSubInDTO(JsonForm):
    """Which subscriptions to delete; by default all of them (section 1.6.6).

    Attributes:
        app_id: the application that owns the devices or rules; up to 256 characters.
        notify_type: only this type; see `NotifyType`. Up to 256 characters.
        callback_url: only those with this URL; up to 256 characters.
        channel: only this one; HTTP by default; see `Channel`. Up to 32 characters.
    """

    app_id: Annotated[str | None, Text.up_to(256)] = None
    notify_type: Annotated[NotifyTypeIn | None, Text.up_to(256)] = None
    callback_url: Annotated[str | None, Text.up_to(256)] = None
    channel: Annotated[ChannelIn | None, Text.up_to(32)] = None


__all__ = [
    "Channel",
    "ChannelIn",
    "DeleteBatchSubInDTO",
    "QueryBatchSubInDTO",
    "QueryBatchSubOutDTO",
    "SubDeviceDataInDTO",
    "SubDeviceManagementDataInDTO",
    "SubscriptionDTO",
    "UpgradeNotifyTypeIn",
]
