"""Device groups and their members (section 1.9)."""

from typing import Annotated

from iot_northbound.core.fields import Items, Range, Text, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.received import Received
from iot_northbound.dto.common import Page


@request
class CreateDeviceGroupInDTO(JsonForm):
    """A group to create (section 1.9.1).

    Attributes:
        name: letters and digits; 1 to 50 characters.
        description: up to 1,024 characters.
        app_id: another application that granted access; up to 50 characters.
        max_dev_num: how many devices it can have; 0 (the default) means any number.
        device_ids: its first members.
        id: a field of the Java SDK; 1 to 50 characters. The platform makes the group's id itself, so leave this one out
            and read `id` of the answer. The embedded platform ignores it.
    """

    name: Annotated[str, Text(1, 50)]
    description: Annotated[str | None, Text.up_to(1024)] = None
    app_id: Annotated[str | None, Text.up_to(50)] = None
    max_dev_num: Annotated[int | None, Range(0)] = None
    device_ids: list[str] | None = None
    id: Annotated[str | None, Text(1, 50)] = None


@response
class _Group(Received, JsonForm):
    """The fields of a group in every answer.

    Attributes:
        name: the group's name.
        description: its description.
        id: the group's id.
        app_id: the application it belongs to.
        max_dev_num: how many devices it can have; 0 means any number.
        cur_dev_num: how many devices it has.
    """

    name: str | None = None
    description: str | None = None
    id: str | None = None
    app_id: str | None = None
    max_dev_num: int | None = None
    cur_dev_num: int | None = None


@response
class CreateDeviceGroupOutDTO(_Group):
    """A new group (section 1.9.1).

    Attributes:
        device_ids: its first members.
    """

    id: str
    device_ids: list[str] | None = None


@request
class ModifyDeviceGroupInDTO(JsonForm):
    """The changes to a group (section 1.9.3).

    Attributes:
        name: letters and digits; 1 to 50 characters.
        description: up to 1,024 characters.
        max_dev_num: how many devices it can have; 0 means any number, and the platform uses 0 if it is left out.
    """

    name: Annotated[str, Text(1, 50)]
    description: Annotated[str | None, Text.up_to(1024)] = None
    max_dev_num: Annotated[int | None, Range(0)] = None


@response
class ModifyDeviceGroupOutDTO(_Group):
    """A changed group (section 1.9.3)."""


@request
class QueryDeviceGroupsInDTO(JsonForm):
    """Which groups to list (section 1.9.4).

    Attributes:
        access_app_id: another application that granted access; by default the client's own.
        page_no: the page, from 0.
        page_size: groups per page; 1 by default.
        name: only groups with this name.
    """

    access_app_id: str | None = None
    page_no: Annotated[int | None, Range(0)] = None
    page_size: int | None = None
    name: str | None = None


@response
class QuerySingleDeviceGroupOutDTO(_Group):
    """A group (sections 1.9.4 and 1.9.5).

    Attributes:
        creator: the user who created it.
    """

    creator: str | None = None


@response
class QueryDeviceGroupsOutDTO(Page):
    """A page of groups (section 1.9.4).

    Attributes:
        list_: the page's groups.
    """

    list_: list[QuerySingleDeviceGroupOutDTO] | None = None


@request
class QueryDeviceGroupMembersInDTO(JsonForm):
    """Which members of a group to list (section 1.9.6).

    Attributes:
        dev_group_id: the group.
        access_app_id: another application that granted access; by default the client's own.
        page_no: the page, from 0.
        page_size: members per page, at most 1,000; 10 by default.
    """

    dev_group_id: str
    access_app_id: str | None = None
    page_no: Annotated[int | None, Range(0)] = None
    page_size: Annotated[int | None, Range(high=1000)] = None


@response
class QueryDeviceGroupMembersOutDTO(Page):
    """A page of a group's members (section 1.9.6).

    Attributes:
        device_ids: the page's members.
    """

    device_ids: list[str] | None = None


@request
class DeviceGroupWithDeviceListDTO(Received, JsonForm):
    """A group with devices to add or to remove; also the answer to adding (sections 1.9.7 and 1.9.8).

    Attributes:
        dev_group_id: the group; 1 to 50 characters.
        device_ids: the devices, at most 1,000.
    """

    dev_group_id: Annotated[str, Text(1, 50)]
    device_ids: Annotated[list[str], Items(0, 1000)]


__all__ = [
    "CreateDeviceGroupInDTO",
    "CreateDeviceGroupOutDTO",
    "DeviceGroupWithDeviceListDTO",
    "ModifyDeviceGroupInDTO",
    "ModifyDeviceGroupOutDTO",
    "QueryDeviceGroupMembersInDTO",
    "QueryDeviceGroupMembersOutDTO",
    "QueryDeviceGroupsInDTO",
    "QueryDeviceGroupsOutDTO",
    "QuerySingleDeviceGroupOutDTO",
]
