"""Subscriptions to what the platform pushes (section 1.6)."""

from typing import Annotated

from iot_northbound.core.fields import Range, Text, Wire, request, response
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import NotifyType, Page


class Channel(OpenEnum):
    """The way notifications take to the application; the platform takes HTTP."""

    HTTP = "HTTP"
    MQTT = "MQTT"


@request
class SubDeviceDataInDTO:
    """A subscription to what devices do (section 1.6.1).

    Attributes:
        notify_type: what to be told about; see `NotifyType`.
        callback_url: where it is pushed to, port included; up to 1,024 characters.
        app_id: the application the devices or rules belong to; up to 256 characters.
        channel: see `Channel`; up to 32 characters.
    """

    notify_type: str
    callback_url: Annotated[str, Text.up_to(1024)]
    app_id: Annotated[str | None, Text.up_to(256)] = None
    channel: Annotated[str | None, Text.up_to(32)] = None


@request
class SubDeviceManagementDataInDTO:
    """A subscription to how upgrades go (section 1.6.2).

    Attributes:
        notify_type: one of the four upgrade types; see `NotifyType`.
        callback_url: where it is pushed to, port included.
    """

    notify_type: str
    # Sent as the vendor's own SDK sends it, with a lower-case u.
    callback_url: Annotated[str, Wire("callbackurl", also=("callbackUrl",))]


@response
class SubscriptionDTO(Received):
    """A subscription (sections 1.6.1, 1.6.3 and 1.6.4).

    Attributes:
        subscription_id: the subscription's id.
        notify_type: what it tells about.
        callback_url: where it is pushed to.
        client_ids: the MQTT clients, for a subscription of the channel MQTT.
    """

    subscription_id: str | None = None
    notify_type: NotifyType | None = None
    callback_url: str | None = None
    client_ids: list[str] | None = None


@request
class QueryBatchSubInDTO:
    """Which subscriptions to list (section 1.6.4).

    Attributes:
        app_id: the application the devices or rules belong to; up to 256 characters.
        notify_type: only this type; see `NotifyType`. Up to 256 characters.
        page_no: the page, from 0.
        page_size: subscriptions a page, 1 or more; the platform takes 10.
    """

    app_id: Annotated[str | None, Text.up_to(256)] = None
    notify_type: Annotated[str | None, Text.up_to(256)] = None
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
class DeleteBatchSubInDTO:
    """Which subscriptions to delete; all of them where nothing is given (section 1.6.6).

    Attributes:
        app_id: the application the devices or rules belong to; up to 256 characters.
        notify_type: only this type; see `NotifyType`. Up to 256 characters.
        callback_url: only those pushed there; up to 256 characters.
        channel: only this one, HTTP where none is given; see `Channel`. Up to 32 characters.
    """

    app_id: Annotated[str | None, Text.up_to(256)] = None
    notify_type: Annotated[str | None, Text.up_to(256)] = None
    callback_url: Annotated[str | None, Text.up_to(256)] = None
    channel: Annotated[str | None, Text.up_to(32)] = None


__all__ = [
    "Channel",
    "DeleteBatchSubInDTO",
    "QueryBatchSubInDTO",
    "QueryBatchSubOutDTO",
    "SubDeviceDataInDTO",
    "SubDeviceManagementDataInDTO",
    "SubscriptionDTO",
]
