"""Make groups of devices, and change their members."""

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

    In every method `access_app_id` names the application that authorised this one and owns the group. Leave it out for
    your own groups. `access_token` replaces the client's token.
    """

    def create_device_group(
        self, cdg_in_dto: CreateDeviceGroupInDTO, *, access_token: str | None = None
    ) -> CreateDeviceGroupOutDTO:
        """Make a device group and return it with its id.

        The name has 1 to 50 letters and digits. `max_dev_num` 0 means no limit. The devices in `device_ids` join at
        once. The platform makes the id, and ignores a given one.

        Raises:
            AlreadyExistsError: the name is taken (100602).
            QuotaReachedError: no more groups can be created, or there are too many devices (100607, 100609).
            InvalidArgumentError: a field breaks its rule (1007), or the platform refuses it (50400).

        Reference: section 1.9.1.
        """
        return self._call(CREATE, body=cdg_in_dto, access_token=access_token)

    def delete_device_group(
        self, dev_group_id: str, *, access_app_id: str | None = None, access_token: str | None = None
    ) -> None:
        """Delete a device group. Its devices stay.

        Raises:
            NotFoundError: no such group (100603), also if an earlier try deleted it and its answer was lost.

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

        Give `max_dev_num` with every change: if it is left out, the platform uses 0, and the group no longer has a
        limit. The name must also be given, even if it stays the same.

        Raises:
            NotFoundError: no such group (100603).
            AlreadyExistsError: the new name is taken (100602).
            QuotaReachedError: the group has more devices than the new limit (100601).
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
        """Return one page of the groups that fit the query, or all of them if it has no `page_no`.

        A page has 1 group if no size is given. Page numbers start at 0. `iter_device_groups` reads all pages.

        Raises:
            NotAuthorizedError: another application owns the groups, and has not authorised this one (100217).

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
        """Yield every group that fits the query, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (100). You may delete the groups that you get.

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

        A page has up to 1,000 ids, 10 if no size is given. Page numbers start at 0. `iter_device_group_members` reads
        all pages. The group's id and `access_app_id` are fields of the query DTO.

        Raises:
            NotFoundError: no such group (100603, which the reference does not list here).
            NotAuthorizedError: another application owns the group, and has not authorised this one (100217).

        The reference also lists 107001, 107002 and 107003. They are about services and properties, which this call does
        not have.

        Reference: section 1.9.6.
        """
        return self._call(QUERY_MEMBERS, query=qdgm_in_dto, access_token=access_token)

    def iter_device_group_members(
        self, qdgm_in_dto: QueryDeviceGroupMembersInDTO, *, access_token: str | None = None
    ) -> Iterator[str]:
        """Yield the id of every device of a group, each once. Pages are read when they are needed.

        It begins at the query's `page_no` (0) with its `page_size` (1,000). You may remove the devices that you get.

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
        """Add up to 1,000 devices to a group and return the added ones.

        Raises:
            NotFoundError: no such group (100603).
            QuotaReachedError: the group is full (100601).
            InvalidArgumentError: there are more than 1,000 devices (1007), or the platform refuses them (100604,
                50400).

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
        """Remove up to 1,000 devices from a group. The devices themselves stay.

        Raises:
            NotFoundError: no such group (100603).
            InvalidArgumentError: there are more than 1,000 devices (1007), or the platform refuses them (100604,
                50400).

        The reference also lists 100601 (the group is full), which cannot happen when devices are removed.

        Reference: section 1.9.8.
        """
        self._call(DELETE_MEMBERS, body=dgwdl_dto, query={"accessAppId": access_app_id}, access_token=access_token)
