"""Make groups of devices, and say who belongs to them."""

from collections.abc import Iterator

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.dto.device_group_management import (
    CreateDeviceGroupInDTO,
    CreateDeviceGroupOutDTO,
    DeviceGroupWithDeviceListDTO,
    ModifyDeviceGroupInDTO,
    ModifyDeviceGroupOutDTO,
    QueryDeviceGroupMembersInDTO,
    QueryDeviceGroupMembersOutDTO,
    QueryDeviceGroupsInDTO,
    QueryDeviceGroupsOutDTO,
    QuerySingleDeviceGroupOutDTO,
)
from iot_northbound.services.base import Service
from iot_northbound.services.paging import Paged

CREATE = Endpoint(
    "POST",
    "/iocm/app/devgroup/v1.3.0/devGroups",
    CreateDeviceGroupOutDTO,
    takes=CreateDeviceGroupInDTO,
    section="1.9.1",
)
DELETE = Endpoint("DELETE", "/iocm/app/devgroup/v1.3.0/devGroups/{dev_group_id}", type(None), section="1.9.2")
MODIFY = Endpoint(
    "PUT",
    "/iocm/app/devgroup/v1.3.0/devGroups/{dev_group_id}",
    ModifyDeviceGroupOutDTO,
    takes=ModifyDeviceGroupInDTO,
    section="1.9.3",
    repeatable=True,
)
QUERY_GROUPS = Endpoint(
    "GET", "/iocm/app/devgroup/v1.3.0/devGroups", QueryDeviceGroupsOutDTO, takes=QueryDeviceGroupsInDTO, section="1.9.4"
)
QUERY_GROUP = Endpoint(
    "GET", "/iocm/app/devgroup/v1.3.0/devGroups/{dev_group_id}", QuerySingleDeviceGroupOutDTO, section="1.9.5"
)
QUERY_MEMBERS = Endpoint(
    "GET",
    "/iocm/app/dm/v1.2.0/devices/ids",
    QueryDeviceGroupMembersOutDTO,
    takes=QueryDeviceGroupMembersInDTO,
    section="1.9.6",
)
ADD_MEMBERS = Endpoint(
    "POST",
    "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices",
    DeviceGroupWithDeviceListDTO,
    takes=DeviceGroupWithDeviceListDTO,
    section="1.9.7",
)
DELETE_MEMBERS = Endpoint(
    "POST",
    "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices",
    type(None),
    takes=DeviceGroupWithDeviceListDTO,
    section="1.9.8",
)

GROUPS = Paged[QueryDeviceGroupsOutDTO, QuerySingleDeviceGroupOutDTO](
    items=lambda answer: answer.list_,
    total=lambda answer: answer.total_count,
    key=lambda group: group.id,
    page_size=100,
)
MEMBERS = Paged[QueryDeviceGroupMembersOutDTO, str](
    items=lambda answer: answer.device_ids,
    total=lambda answer: answer.total_count,
    key=lambda device_id: device_id,
    page_size=1000,
)


class DeviceGroupManagement(Service):
    """Device groups and their members.

    In every method `access_app_id` names the application that authorised this one and owns the group; leave it out
    for groups of your own. `access_token` overrides the token the client manages.
    """

    def create_device_group(
        self, cdg_in_dto: CreateDeviceGroupInDTO, *, access_token: str | None = None
    ) -> CreateDeviceGroupOutDTO:
        """Make a device group and return it with its id.

        The name is 1 to 50 letters and digits; `max_dev_num` 0 sets no limit. Devices named in `device_ids` join
        at once. The platform makes the id; it does not use one that is given.

        Raises:
            AlreadyExistsError: the name is taken (100602).
            QuotaReachedError: no more groups can be made, or too many devices are named (100607, 100609).
            InvalidArgumentError: a field breaks its rule (1007), or the platform refuses it (50400).

        Reference: section 1.9.1.
        """
        return self._call(CREATE, body=cdg_in_dto, access_token=access_token)

    def delete_device_group(
        self, dev_group_id: str, *, access_app_id: str | None = None, access_token: str | None = None
    ) -> None:
        """Delete a device group; its devices stay.

        Raises:
            NotFoundError: no such group (100603), also where an earlier try deleted it unheard.

        Reference: section 1.9.2.
        """
        self._call(DELETE, query={"accessAppId": access_app_id}, access_token=access_token, dev_group_id=dev_group_id)

    def modify_device_group(
        self,
        mdg_in_dto: ModifyDeviceGroupInDTO,
        dev_group_id: str,
        *,
        access_app_id: str | None = None,
        access_token: str | None = None,
    ) -> ModifyDeviceGroupOutDTO:
        """Change a group's name, description or limit and return the group.

        Give `max_dev_num` with every change: if it is left out, the platform takes 0, and the group has no limit any
        more. The name has to be given too, if only the old one.

        Raises:
            NotFoundError: no such group (100603).
            AlreadyExistsError: the new name is taken (100602).
            QuotaReachedError: the group holds more devices than the new limit (100601).
            InvalidArgumentError: a field breaks its rule (1007), or the platform refuses it (50400).

        Reference: section 1.9.3.
        """
        return self._call(
            MODIFY,
            body=mdg_in_dto,
            query={"accessAppId": access_app_id},
            access_token=access_token,
            dev_group_id=dev_group_id,
        )

    def query_device_groups(
        self, qdg_in_dto: QueryDeviceGroupsInDTO | None = None, *, access_token: str | None = None
    ) -> QueryDeviceGroupsOutDTO:
        """Return one page of the groups that fit the query; all of them where it names no `page_no`.

        1 a page where no size is given; pages count from 0. `iter_device_groups` reads them all.

        Raises:
            NotAuthorizedError: the groups are another application's, which has not authorised this one (100217).

        Reference: section 1.9.4.
        """
        return self._call(
            QUERY_GROUPS,
            query=QueryDeviceGroupsInDTO() if qdg_in_dto is None else qdg_in_dto,
            access_token=access_token,
        )

    def iter_device_groups(
        self, qdg_in_dto: QueryDeviceGroupsInDTO | None = None, *, access_token: str | None = None
    ) -> Iterator[QuerySingleDeviceGroupOutDTO]:
        """Yield every group that fits the query, each once, page after page as they are wanted.

        Begins at the query's `page_no` (0) with its `page_size` (100). Deleting what one is given is fine.

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.9.4.
        """
        return GROUPS.walk(
            lambda page: self.query_device_groups(page, access_token=access_token),
            QueryDeviceGroupsInDTO() if qdg_in_dto is None else qdg_in_dto,
        )

    def query_single_device_group(
        self, dev_group_id: str, *, access_app_id: str | None = None, access_token: str | None = None
    ) -> QuerySingleDeviceGroupOutDTO:
        """Return one group with its limit and its present number of devices.

        Raises:
            NotFoundError: no such group (100603).

        Reference: section 1.9.5.
        """
        return self._call(
            QUERY_GROUP, query={"accessAppId": access_app_id}, access_token=access_token, dev_group_id=dev_group_id
        )

    def query_device_group_members(
        self, qdgm_in_dto: QueryDeviceGroupMembersInDTO, *, access_token: str | None = None
    ) -> QueryDeviceGroupMembersOutDTO:
        """Return one page of the ids of a group's devices.

        Up to 1,000 per page, 10 if no size is given; pages count from 0. `iter_device_group_members` reads them all.
        The group's id and `access_app_id` are fields of the query DTO.

        Raises:
            NotFoundError: no such group (100603, which the reference leaves out here).
            NotAuthorizedError: the group is another application's, which has not authorised this one (100217).

        The reference also lists 107001, 107002 and 107003. They are about services and properties, which this call does
        not name.

        Reference: section 1.9.6.
        """
        return self._call(QUERY_MEMBERS, query=qdgm_in_dto, access_token=access_token)

    def iter_device_group_members(
        self, qdgm_in_dto: QueryDeviceGroupMembersInDTO, *, access_token: str | None = None
    ) -> Iterator[str]:
        """Yield the id of every device of a group, each once, page after page as they are wanted.

        Begins at the query's `page_no` (0) with its `page_size` (1,000). Removing the devices one is given is fine.

        Raises:
            UnreadableAnswerError: pages repeat although there should be more (1004).

        Reference: section 1.9.6.
        """
        return MEMBERS.walk(lambda page: self.query_device_group_members(page, access_token=access_token), qdgm_in_dto)

    def add_devices_to_group(
        self,
        dgwdl_dto: DeviceGroupWithDeviceListDTO,
        *,
        access_app_id: str | None = None,
        access_token: str | None = None,
    ) -> DeviceGroupWithDeviceListDTO:
        """Put up to 1,000 devices into a group and return those that were put there.

        Raises:
            NotFoundError: no such group (100603).
            QuotaReachedError: the group is full (100601).
            InvalidArgumentError: over 1,000 devices are named (1007), or the platform refuses them (100604, 50400).

        Reference: section 1.9.7.
        """
        return self._call(ADD_MEMBERS, body=dgwdl_dto, query={"accessAppId": access_app_id}, access_token=access_token)

    def delete_devices_from_group(
        self,
        dgwdl_dto: DeviceGroupWithDeviceListDTO,
        *,
        access_app_id: str | None = None,
        access_token: str | None = None,
    ) -> None:
        """Take up to 1,000 devices out of a group; the devices themselves stay.

        Raises:
            NotFoundError: no such group (100603).
            InvalidArgumentError: over 1,000 devices are named (1007), or the platform refuses them (100604, 50400).

        The reference also lists 100601 (the group is full), which cannot come of taking devices out.

        Reference: section 1.9.8.
        """
        self._call(DELETE_MEMBERS, body=dgwdl_dto, query={"accessAppId": access_app_id}, access_token=access_token)
