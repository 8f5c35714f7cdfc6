"""Makes the subscriptions match a desired set, and keeps the right ones."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from iot_northbound.core.fields import shown
from iot_northbound.dto.common import NotifyType
from iot_northbound.dto.subscription_management import (
    DeleteBatchSubInDTO,
    SubDeviceDataInDTO,
    SubDeviceManagementDataInDTO,
)
from iot_northbound.errors import AlreadyExistsError, InvalidArgumentError, NorthApiException, NotFoundError

if TYPE_CHECKING:
    from iot_northbound.services.subscription_management import SubscriptionManagement

MANAGEMENT_KINDS = frozenset(
    {
        NotifyType.SW_UPGRADE_STATE_CHANGE_NOTIFY,
        NotifyType.SW_UPGRADE_RESULT_NOTIFY,
        NotifyType.FW_UPGRADE_STATE_CHANGE_NOTIFY,
        NotifyType.FW_UPGRADE_RESULT_NOTIFY,
    }
)
"""Types with a subscription to management data (section 1.6.2)."""


@attrs.frozen
class SubscriptionChanges:
    """The result of `ensure`, by notification type."""

    kept: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    """Types of this receiver that are no longer wanted."""
    moved: Mapping[str, str]
    """Types that were pushed to another URL before, with this URL; they are also in `added`."""


def ensure(
    service: "SubscriptionManagement", receiver_url: str, kinds: Iterable[str], access_token: str | None
) -> SubscriptionChanges:
    """Subscribe to wanted types that are missing, and end subscriptions of this receiver that are not wanted.

    If the platform refuses a type, types that were pushed elsewhere and are not moved yet are pushed there again.
    """
    wanted = _wanted(receiver_url, kinds)
    kept, removed, moved = set[str](), list[str](), dict[str, str]()
    for subscription in list(service.iter_subscriptions(access_token=access_token)):
        kind, mine = str(subscription.notify_type), subscription.callback_url == receiver_url
        if kind in wanted and mine and kind not in kept:
            kept.add(kind)
        elif mine or kind in wanted:
            # A type has one URL per application: the old subscription must be deleted before the new one is made.
            try:
                service.delete_single_subscription(subscription.subscription_id or "", access_token=access_token)
            except NotFoundError:
                continue  # another program has just deleted it
            if mine:
                removed.append(kind)
            else:
                moved[kind] = subscription.callback_url or ""
    added = [kind for kind in wanted if kind not in kept]
    for position, kind in enumerate(added):
        try:
            subscribe(service, kind, receiver_url, access_token)
        except NorthApiException:
            for other in added[position:]:
                if other in moved:
                    with suppress(NorthApiException):  # the first error is the one to raise
                        subscribe(service, other, moved[other], access_token)
            raise
    return SubscriptionChanges(tuple(k for k in wanted if k in kept), tuple(added), tuple(removed), moved)


def _wanted(receiver_url: str, kinds: Iterable[str]) -> tuple[str, ...]:
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise InvalidArgumentError.of("kinds", shown(kinds), "it must be a list of notification types")
    wanted = tuple(dict.fromkeys(str(kind) for kind in kinds))
    if not isinstance(receiver_url, str) or not receiver_url.startswith(("http://", "https://")):
        raise InvalidArgumentError.of("receiver_url", shown(receiver_url), "it must be an http or https URL")
    return wanted


def subscribe(service: "SubscriptionManagement", kind: str, receiver_url: str, access_token: str | None = None) -> None:
    """Subscribe to one type. The type decides which of the two calls is made."""
    if kind not in MANAGEMENT_KINDS:
        service.sub_device_data(
            SubDeviceDataInDTO(notify_type=NotifyType(kind), callback_url=receiver_url), access_token=access_token
        )
        return
    dto = SubDeviceManagementDataInDTO(notify_type=NotifyType(kind), callback_url=receiver_url)
    try:
        service.sub_device_data(dto, access_token=access_token)
    except AlreadyExistsError:
        # Some platforms do not list management subscriptions, so this one may have another URL.
        service.delete_batch_subscriptions(DeleteBatchSubInDTO(notify_type=NotifyType(kind)), access_token=access_token)
        service.sub_device_data(dto, access_token=access_token)
