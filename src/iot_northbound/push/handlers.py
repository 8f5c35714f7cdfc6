"""The methods that an application overrides: one per kind of message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iot_northbound.core.fields import JsonObject
    from iot_northbound.dto import (
        NotifyBindDeviceDTO,
        NotifyCommandRspDTO,
        NotifyDeviceAddedDTO,
        NotifyDeviceCapabilitiesAddedDTO,
        NotifyDeviceCapabilitiesChangedDTO,
        NotifyDeviceCapabilitiesDeletedDTO,
        NotifyDeviceDataChangedDTO,
        NotifyDeviceDatasChangedDTO,
        NotifyDeviceDeletedDTO,
        NotifyDeviceDesiredStatusChangedDTO,
        NotifyDeviceEventDTO,
        NotifyDeviceInfoChangedDTO,
        NotifyDeviceModelAddedDTO,
        NotifyDeviceModelDeletedDTO,
        NotifyFwUpgradeResultDTO,
        NotifyFwUpgradeStateChangedDTO,
        NotifyMessageConfirmDTO,
        NotifyNBCCommandStatusChangedDTO,
        NotifyRuleEventDTO,
        NotifyServiceInfoChangedDTO,
        NotifySwUpgradeResultDTO,
        NotifySwUpgradeStateChangedDTO,
    )


class Handlers:
    """The methods that a receiver calls, each with the message's DTO. Here they do nothing.

    `PushMessageReceiver.event` has what the DTO has no field for. A method that raises is called again later, so it
    must be safe to call it twice with the same message.
    """

    def handle_body(self, body: str) -> None:
        """A message came, of any kind. It gets the text as it came, before the method of the kind is called.

        The plain text ``push success.``, with which some platforms test a callback URL, comes only here.
        """

    def handle_unknown(self, body: JsonObject) -> None:
        """A message came that fits no kind: its type is unknown, or a field is not as the reference describes.

        `PushMessageReceiver.event` has the reason in `problem`.
        """

    def handle_device_added(self, body: NotifyDeviceAddedDTO) -> None:
        """A device was registered (2.3.5.1)."""

    def handle_bind_device(self, body: NotifyBindDeviceDTO) -> None:
        """A device was bound, or was not bound in time (2.3.5.2)."""

    def handle_device_info_changed(self, body: NotifyDeviceInfoChangedDTO) -> None:
        """What the platform knows about a device changed, for example its status (2.3.5.3)."""

    def handle_device_data_changed(self, body: NotifyDeviceDataChangedDTO) -> None:
        """A device reported data of one service (2.3.5.4)."""

    def handle_device_datas_changed(self, body: NotifyDeviceDatasChangedDTO) -> None:
        """A device reported data of several services at once (2.3.5.5)."""

    def handle_service_info_changed(self, body: NotifyServiceInfoChangedDTO) -> None:
        """A device's service changed, for example its muted commands (2.3.5.6)."""

    def handle_device_deleted(self, body: NotifyDeviceDeletedDTO) -> None:
        """A device was deleted (2.3.5.7)."""

    def handle_message_confirm(self, body: NotifyMessageConfirmDTO) -> None:
        """A device, or its gateway, confirmed a message (2.3.5.8)."""

    def handle_command_rsp(self, body: NotifyCommandRspDTO) -> None:
        """A device answered a command (2.3.5.9)."""

    def handle_device_event(self, body: NotifyDeviceEventDTO) -> None:
        """A device reported an event (2.3.5.10)."""

    def handle_device_model_added(self, body: NotifyDeviceModelAddedDTO) -> None:
        """A product model was added (2.3.5.11)."""

    def handle_device_model_deleted(self, body: NotifyDeviceModelDeletedDTO) -> None:
        """A product model was deleted (2.3.5.12)."""

    def handle_device_desired_status_changed(self, body: NotifyDeviceDesiredStatusChangedDTO) -> None:
        """The desired values of a device's shadow were sent to the device, or could not be sent (2.3.5.13)."""

    def handle_sw_upgrade_state_changed(self, body: NotifySwUpgradeStateChangedDTO) -> None:
        """A software upgrade reached its next state (2.3.5.14)."""

    def handle_sw_upgrade_result(self, body: NotifySwUpgradeResultDTO) -> None:
        """A software upgrade ended (2.3.5.15)."""

    def handle_fw_upgrade_state_changed(self, body: NotifyFwUpgradeStateChangedDTO) -> None:
        """A firmware upgrade reached its next state (2.3.5.16)."""

    def handle_fw_upgrade_result(self, body: NotifyFwUpgradeResultDTO) -> None:
        """A firmware upgrade ended (2.3.5.17)."""

    def handle_nbc_command_state_changed(self, body: NotifyNBCCommandStatusChangedDTO) -> None:
        """A command's status changed; such a message has no ``notifyType`` (2.3.5.18)."""

    def handle_device_capabilities_added(self, body: NotifyDeviceCapabilitiesAddedDTO) -> None:
        """A product's service capabilities were added (1.6.7.7)."""

    def handle_device_capabilities_changed(self, body: NotifyDeviceCapabilitiesChangedDTO) -> None:
        """A product's service capabilities changed (1.6.7.6)."""

    def handle_device_capabilities_deleted(self, body: NotifyDeviceCapabilitiesDeletedDTO) -> None:
        """A product's service capabilities were deleted (1.6.7.8)."""

    def handle_rule_event(self, body: NotifyRuleEventDTO) -> None:
        """A rule was triggered (1.6.7.13)."""


METHODS: Mapping[str, str] = {
    "NotifyDeviceAddedDTO": "handle_device_added",
    "NotifyBindDeviceDTO": "handle_bind_device",
    "NotifyDeviceInfoChangedDTO": "handle_device_info_changed",
    "NotifyDeviceDataChangedDTO": "handle_device_data_changed",
    "NotifyDeviceDatasChangedDTO": "handle_device_datas_changed",
    "NotifyServiceInfoChangedDTO": "handle_service_info_changed",
    "NotifyDeviceDeletedDTO": "handle_device_deleted",
    "NotifyMessageConfirmDTO": "handle_message_confirm",
    "NotifyCommandRspDTO": "handle_command_rsp",
    "NotifyDeviceEventDTO": "handle_device_event",
    "NotifyDeviceModelAddedDTO": "handle_device_model_added",
    "NotifyDeviceModelDeletedDTO": "handle_device_model_deleted",
    "NotifyDeviceDesiredStatusChangedDTO": "handle_device_desired_status_changed",
    "NotifySwUpgradeStateChangedDTO": "handle_sw_upgrade_state_changed",
    "NotifySwUpgradeResultDTO": "handle_sw_upgrade_result",
    "NotifyFwUpgradeStateChangedDTO": "handle_fw_upgrade_state_changed",
    "NotifyFwUpgradeResultDTO": "handle_fw_upgrade_result",
    "NotifyNBCCommandStatusChangedDTO": "handle_nbc_command_state_changed",
    "NotifyDeviceCapabilitiesAddedDTO": "handle_device_capabilities_added",
    "NotifyDeviceCapabilitiesChangedDTO": "handle_device_capabilities_changed",
    "NotifyDeviceCapabilitiesDeletedDTO": "handle_device_capabilities_deleted",
    "NotifyRuleEventDTO": "handle_rule_event",
}
"""Which method gets which DTO; one name differs, as in the Java SDK."""


def method_for(cls: type[Any]) -> str:
    """Return the name of the method that gets the messages of a DTO class."""
    return METHODS[cls.__name__]
