"""Say what the platform should push, and to which URL."""

from collections.abc import Iterable, Iterator
from typing import overload

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.dto.common import NotifyTypeIn
from iot_northbound.dto.subscription_management import (
    DeleteBatchSubInDTO,
    QueryBatchSubInDTO,
    QueryBatchSubOutDTO,
    SubDeviceDataInDTO,
    SubDeviceManagementDataInDTO,
    SubscriptionDTO,
)
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.services.base import Service
from iot_northbound.services.paging import Paged
from iot_northbound.services.subscribing import SubscriptionChanges, ensure

SUBSCRIBE = Endpoint(
    "POST",
    "/iocm/app/sub/v1.2.0/subscriptions",
    SubscriptionDTO,
    takes=SubDeviceDataInDTO,
    section="1.6.1",
    success=201,
    may_be_empty=True,
)
SUBSCRIBE_MANAGEMENT = Endpoint(
    "POST", "/iodm/app/sub/v1.1.0/subscribe", type(None), takes=SubDeviceManagementDataInDTO, section="1.6.2"
)
QUERY = Endpoint("GET", "/iocm/app/sub/v1.2.0/subscriptions/{subscription_id}", SubscriptionDTO, section="1.6.3")
QUERY_BATCH = Endpoint(
    "GET", "/iocm/app/sub/v1.2.0/subscriptions", QueryBatchSubOutDTO, takes=QueryBatchSubInDTO, section="1.6.4"
)
DELETE = Endpoint(
    "DELETE", "/iocm/app/sub/v1.2.0/subscriptions/{subscription_id}", type(None), section="1.6.5", success=204
)
DELETE_BATCH = Endpoint(
    "DELETE", "/iocm/app/sub/v1.2.0/subscriptions", type(None), takes=DeleteBatchSubInDTO, section="1.6.6", success=204
)

SUBSCRIPTIONS = Paged[QueryBatchSubOutDTO, SubscriptionDTO](
    items=lambda answer: answer.subscriptions,
    total=lambda answer: answer.total_count,
    key=lambda subscription: subscription.subscription_id,
    page_size=100,
)


class SubscriptionManagement(Service):
    """Subscriptions: a notification type and the URL it is pushed to.

    All callback URLs of an application have the same host and port. `access_token` replaces the client's token.
    """

    @overload
    def sub_device_data(
        self, sdd_in_dto: SubDeviceDataInDTO, *, owner_flag: str | None = None, access_token: str | None = None
    ) -> SubscriptionDTO: ...

    @overload
    def sub_device_data(self, sdd_in_dto: SubDeviceManagementDataInDTO, *, access_token: str | None = None) -> None: ...

    def sub_device_data(
        self,
        sdd_in_dto: SubDeviceDataInDTO | SubDeviceManagementDataInDTO,
        *,
        owner_flag: str | None = None,
        access_token: str | None = None,
    ) -> SubscriptionDTO | None:
        """Subscribe to one type of notification and return the subscription.

        A `SubDeviceDataInDTO` subscribes to devices and their reports. `owner_flag` says who owns the callback URL:
        ``"false"`` the authorising application, ``"true"`` the authorised one. A `SubDeviceManagementDataInDTO`
        subscribes to the progress of upgrades. It has no `owner_flag`, and the method returns None.

        Raises:
            AlreadyExistsError: there is already a subscription for this type (100227). A subscription to management
                data gets the new URL instead.
            InvalidArgumentError: the DTO is of another type or breaks a rule (1007), or the platform refuses the
                callback URL (100222) or another field (100228).
            NotAuthorizedError: the platform did not get the application's key (100229).
            PlatformFailureError: the platform could not set up the pushes (100244).

        Reference: sections 1.6.1 and 1.6.2.
        """
        if isinstance(sdd_in_dto, SubDeviceDataInDTO):
            return self._call(SUBSCRIBE, body=sdd_in_dto, query={"ownerFlag": owner_flag}, access_token=access_token)
        if not isinstance(sdd_in_dto, SubDeviceManagementDataInDTO):
            raise InvalidArgumentError.of(
                "sdd_in_dto",
                type(sdd_in_dto).__name__,
                "it must be a SubDeviceDataInDTO or a SubDeviceManagementDataInDTO",
            )
        if owner_flag is not None:
            raise InvalidArgumentError.of(
                "owner_flag", repr(owner_flag), "a subscription to management data has no owner_flag"
            )
        return self._call(SUBSCRIBE_MANAGEMENT, body=sdd_in_dto, access_token=access_token)

    def query_single_subscription(
        self, subscription_id: str, *, app_id: str | None = None, access_token: str | None = None
    ) -> SubscriptionDTO:
        """Return one subscription. `app_id` names the application that authorised this one.

        Raises:
            NotFoundError: no such subscription (100225, which the reference does not list here).

        Reference: section 1.6.3.
        """
        return self._call(QUERY, query={"appId": app_id}, access_token=access_token, subscription_id=subscription_id)

    def query_batch_subscriptions(
        self, qbs_in_dto: QueryBatchSubInDTO | None = None, *, access_token: str | None = None
    ) -> QueryBatchSubOutDTO:
        """Return one page of the subscriptions that fit the query, or all of them if it has no `page_no`.

        A page has 10 subscriptions if no size is given. Page numbers start at 0. `iter_subscriptions` reads all pages.

        Raises:
            InvalidArgumentError: the query finds too much (100224): read pages, or only one type.

        Reference: section 1.6.4.
        """
        return self._call(
            QUERY_BATCH, query=QueryBatchSubInDTO() if qbs_in_dto is None else qbs_in_dto, access_token=access_token
        )

    def iter_subscriptions(
        self, qbs_in_dto: QueryBatchSubInDTO | None = None, *, access_token: str | None = None
    ) -> Iterator[SubscriptionDTO]:
        """Yield every subscription that fits the query, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (100). You may delete the subscriptions that you
        get.

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.6.4.
        """
        return SUBSCRIPTIONS.walk(
            lambda page: self.query_batch_subscriptions(page, access_token=access_token),
            QueryBatchSubInDTO() if qbs_in_dto is None else qbs_in_dto,
        )

    def delete_single_subscription(
        self, subscription_id: str, *, app_id: str | None = None, access_token: str | None = None
    ) -> None:
        """Delete one subscription. `app_id` names the application that authorised this one.

        Raises:
            NotFoundError: no such subscription (100225), also if an earlier try deleted it and its answer was lost.

        Reference: section 1.6.5.
        """
        self._call(DELETE, query={"appId": app_id}, access_token=access_token, subscription_id=subscription_id)

    def delete_batch_subscriptions(
        self, dbs_in_dto: DeleteBatchSubInDTO | None = None, *, access_token: str | None = None
    ) -> None:
        """Delete the subscriptions with this type, this callback URL, or both; without an argument, all of them.

        Without a `channel` those pushed over HTTP are deleted, with MQTT only those of MQTT.

        Raises:
            NotFoundError: nothing fits (100225).

        Reference: section 1.6.6.
        """
        self._call(
            DELETE_BATCH, query=DeleteBatchSubInDTO() if dbs_in_dto is None else dbs_in_dto, access_token=access_token
        )

    def ensure(
        self, receiver_url: str, kinds: Iterable[NotifyTypeIn | str], *, access_token: str | None = None
    ) -> SubscriptionChanges:
        """Make the subscriptions of one receiver exactly the wanted ones, and return what has changed.

        Subscriptions that are right do not change. The platform allows one URL per type, so a wanted type that is
        pushed elsewhere is moved to this receiver: its subscription is deleted and made again. If the platform refuses
        the new URL, the old subscription is restored. Pushes that wait for the old URL may be lost. Unwanted
        subscriptions of this receiver are deleted; those of other receivers stay. A second call changes nothing, so an
        application can call this method at each start.

        Args:
            receiver_url: the callback URL, http or https.
            kinds: notification types, as text or `NotifyType`. An empty list ends all subscriptions of this receiver.
            access_token: replaces the client's token.

        Raises:
            InvalidArgumentError: the URL is not valid (1007), or the platform refuses it (100222).

        Reference: sections 1.6.1 to 1.6.6.
        """
        return ensure(self, receiver_url, kinds, access_token)
