"""What the platform pushes about upgrades (section 1.6.7)."""

from iot_northbound.core.fields import response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.open_enum import OpenEnum
from iot_northbound.core.received import Received
from iot_northbound.dto.common import NotifyType


class SwUpgradeState(OpenEnum):
    """The state of a software upgrade of a device."""

    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    UPDATING = "updating"
    IDLE = "idle"


class FwUpgradeStep(OpenEnum):
    """The state of a firmware upgrade of a device: idle, downloading, downloaded, updating."""

    IDLE = "0"
    DOWNLOADING = "1"
    DOWNLOADED = "2"
    UPDATING = "3"


class UpgradeResult(OpenEnum):
    """The result of an upgrade."""

    SUCCESS = "SUCCESS"
    FAIL = "FAIL"


@response
class _UpgradeNotification(Received, JsonForm):
    """Something happened in the upgrade of a device.

    Attributes:
        notify_type: what happened.
        device_id: the device.
        app_id: the application it belongs to.
        operation_id: the upgrade task.
        sub_operation_id: the subtask of the device.
    """

    notify_type: NotifyType | None = None
    device_id: str | None = None
    app_id: str | None = None
    operation_id: str | None = None
    sub_operation_id: str | None = None


@response
class _UpgradeResultNotification(_UpgradeNotification):
    """The upgrade of a device has ended.

    Attributes:
        cur_version: the version it has now.
        target_version: the version it should have.
        source_version: the version it had.
        upgrade_time: how long it took.
    """

    cur_version: str | None = None
    target_version: str | None = None
    source_version: str | None = None
    upgrade_time: str | None = None


@response
class NotifySwUpgradeStateChangedDTO(_UpgradeNotification):
    """The state of a software upgrade has changed: ``swUpgradeStateChangeNotify`` (section 1.6.7.15).

    Attributes:
        sw_upgrade_state: downloading, downloaded, updating or idle.
    """

    sw_upgrade_state: SwUpgradeState | None = None


@response
class NotifySwUpgradeResultDTO(_UpgradeResultNotification):
    """A software upgrade of a device has ended: ``swUpgradeResultNotify`` (section 1.6.7.16).

    Attributes:
        sw_upgrade_result: SUCCESS or FAIL.
        result_desc: the result in words.
        error_code: the device's own error code.
        description: what the error means.
    """

    sw_upgrade_result: UpgradeResult | None = None
    result_desc: str | None = None
    error_code: str | None = None
    description: str | None = None


@response
class NotifyFwUpgradeStateChangedDTO(_UpgradeNotification):
    """The state of a firmware upgrade has changed: ``fwUpgradeStateChangeNotify`` (section 1.6.7.17).

    Attributes:
        step: 0 idle, 1 downloading, 2 downloaded, 3 updating; see `FwUpgradeStep`.
        step_desc: the step in words.
    """

    step: FwUpgradeStep | None = None
    step_desc: str | None = None


@response
class NotifyFwUpgradeResultDTO(_UpgradeResultNotification):
    """A firmware upgrade of a device has ended: ``fwUpgradeResultNotify`` (section 1.6.7.18).

    Attributes:
        status: SUCCESS or FAIL.
        status_desc: the result in words.
    """

    status: UpgradeResult | None = None
    status_desc: str | None = None


__all__ = [
    "FwUpgradeStep",
    "NotifyFwUpgradeResultDTO",
    "NotifyFwUpgradeStateChangedDTO",
    "NotifySwUpgradeResultDTO",
    "NotifySwUpgradeStateChangedDTO",
    "SwUpgradeState",
    "UpgradeResult",
]
