"""The receiver, as a type checker sees it: `make check` reads this with mypy and pyright; nothing runs it."""

from typing import assert_type

from iot_northbound import PushMessageReceiver
from iot_northbound.dto import NotifyDeviceAddedDTO, NotifyDeviceDeletedDTO, NotifyDeviceEventDTO
from iot_northbound.push import DeadLetter, Reply

receiver = PushMessageReceiver()


@receiver.on(NotifyDeviceAddedDTO)
def added(body: NotifyDeviceAddedDTO) -> None: ...


@receiver.on(NotifyDeviceAddedDTO, NotifyDeviceEventDTO)
def both(body: NotifyDeviceAddedDTO | NotifyDeviceEventDTO) -> None: ...


@receiver.on(NotifyDeviceAddedDTO, NotifyDeviceEventDTO, NotifyDeviceDeletedDTO)
def three(body: NotifyDeviceAddedDTO | NotifyDeviceEventDTO | NotifyDeviceDeletedDTO) -> None: ...


@receiver.on(NotifyDeviceDeletedDTO)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
def wrong(body: NotifyDeviceAddedDTO) -> None: ...


receiver.on("deviceAdded")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


class Lights(PushMessageReceiver):
    def handle_device_added(self, body: NotifyDeviceAddedDTO) -> None: ...

    def handle_device_deleted(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, body: NotifyDeviceAddedDTO
    ) -> None: ...


with Lights() as lights:
    assert_type(lights, Lights)
    assert_type(lights.receive(b"{}"), Reply)
    assert_type(lights.dead_letters(), list[DeadLetter])
