"""What the bulk jobs do with one row, and how a row whose outcome is unknown is settled."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from iot_northbound.bulk.rows import request_of, visible
from iot_northbound.core import wire
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import check_id, request, specs
from iot_northbound.dto.device_management import (
    ModifyDeviceInforInDTO,
    RegDeviceWithSecretInDTO,
    RegDeviceWithSecretOutDTO,
    RegDirectDeviceInDTO2,
    RegDirectDeviceOutDTO,
)
from iot_northbound.dto.signal_delivery import PostDeviceCommandInDTO2, PostDeviceCommandOutDTO2
from iot_northbound.errors import (
    AlreadyExistsError,
    ClientClosedError,
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiException,
    NotAuthorizedError,
    NotFoundError,
    RequestTimeoutError,
    SdkCode,
    SharedStateError,
    TlsError,
)
from iot_northbound.services import finding
from iot_northbound.services.base import Caller
from iot_northbound.services.device_management import DELETE, MODIFY, REGISTER, REGISTER_WITH_SECRET, DeviceManagement
from iot_northbound.services.signal_delivery import POST_COMMAND, SignalDelivery

T = TypeVar("T")
Registration = RegDirectDeviceInDTO2 | RegDeviceWithSecretInDTO
EVERY_ROW = (
    NotAuthorizedError,
    ClientClosedError,
    ConnectionFailedError,
    RequestTimeoutError,
    SharedStateError,
    TlsError,
)
"""Errors that the next row would get as well."""
EVERY_ROW_CODES = frozenset({SdkCode.NO_TOKEN, "100412", "103028", "103026"})
"""The same by code: the client has no token; the application or the platform has no room for another device."""


class Client(Caller, Protocol):
    """What a bulk job needs of a client."""

    @property
    def device_management(self) -> DeviceManagement:
        """The calls for devices."""
        ...

    @property
    def signal_delivery(self) -> SignalDelivery:
        """The calls for commands."""
        ...


class Read(NamedTuple):
    """A row that was read."""

    request: Any
    key: str
    body: bytes
    """All that the row says, to notice changes."""
    shown: Mapping[str, Any]
    """The row with the names of JSON, without secrets."""


class Job(ABC, Generic[T]):
    """One kind of job.

    Attributes:
        name: its name in the journal.
        endpoint: the call that it makes for each row.
        one_per_key: whether two rows with the same key are a mistake.
        settles: whether a row whose outcome is unknown can be settled, and need not be told as unknown.
    """

    name: str
    endpoint: Endpoint[Any]
    one_per_key = True
    settles = True

    def __init__(self, client: Client, app_id: str | None) -> None:
        self.client = client
        self.app_id = app_id

    @abstractmethod
    def read(self, row: Any) -> Read:
        """Return a row as a request.

        Raises:
            InvalidArgumentError: it cannot be sent (1007).
        """

    @abstractmethod
    def send(self, request: Any) -> T:
        """Make the call of one row."""

    def value(self, data: Any) -> T:
        """Return an answer that was kept as JSON."""
        return wire.structure(data, self.endpoint.result)  # type: ignore[no-any-return]  # a T

    def concerns_every_row(self, error: NorthApiException) -> bool:
        """Return whether the next row would fail in the same way."""
        login = error.endpoint is not None and error.endpoint != self.endpoint.name
        return login or isinstance(error, EVERY_ROW) or error.error_code in EVERY_ROW_CODES

    def exists(self, error: NorthApiException, *, doubtful: bool) -> bool:
        """Return whether the error says that what was asked for is there, so that it has to be looked up."""
        return False

    def has_happened(self, error: NorthApiException) -> bool:
        """Return whether the error, after a try with an unknown outcome, says that this try was a success."""
        return False

    def look_up(self, keys: Sequence[str], go_on: Callable[[], bool]) -> Iterator[tuple[str, T]]:
        """Yield which of these keys are done, with their values."""
        return iter(())


class Register(Job[Any]):
    """Registers devices. A device with the node id of an uncertain row is the one that the row registered."""

    def __init__(self, client: Client, app_id: str | None, *, secret_mode: bool, keep_existing: bool) -> None:
        super().__init__(client, app_id)
        self._secret_mode = secret_mode
        self._keep_existing = keep_existing
        self.name = "register with secret" if secret_mode else "register"
        self.endpoint = REGISTER_WITH_SECRET if secret_mode else REGISTER

    def read(self, row: Any) -> Read:
        """Return a row as a request."""
        dto: Registration
        if self._secret_mode:
            dto = request_of(RegDeviceWithSecretInDTO, row)
            if dto.device_info is None:
                raise InvalidArgumentError.of("RegDeviceWithSecretInDTO.device_info", "None", "it names the device")
            key = dto.device_info.node_id
        else:
            dto = request_of(RegDirectDeviceInDTO2, row)
            key = dto.node_id
        return Read(dto, key, wire.encode_body(dto), visible(dto))

    def send(self, request: Any) -> Any:
        """Make the call of one row."""
        devices = self.client.device_management
        if self._secret_mode:
            return devices.reg_device_with_secret(request, app_id=self.app_id)
        return devices.reg_direct_device(request, app_id=self.app_id)

    def exists(self, error: NorthApiException, *, doubtful: bool) -> bool:
        """Return whether the device has to be looked up."""
        return isinstance(error, AlreadyExistsError) and (doubtful or self._keep_existing)

    def look_up(self, keys: Sequence[str], go_on: Callable[[], bool]) -> Iterator[tuple[str, Any]]:
        """Yield the node ids that are registered, with the ids of their devices."""
        made = RegDeviceWithSecretOutDTO if self._secret_mode else RegDirectDeviceOutDTO
        devices = itertools.takewhile(lambda _: go_on(), finding.walk(self.client, app_id=self.app_id))
        for node_id, device in finding.registered(devices, keys):
            if device.device_id:
                yield node_id, made(device_id=device.device_id)


@request
class Deletion:
    """A row of a deletion, as a mapping.

    Attributes:
        device_id: the device.
    """

    device_id: str


@request
class Modification(ModifyDeviceInforInDTO):
    """A row of a modification, as a mapping: the changes with the device.

    Attributes:
        device_id: the device.
    """

    device_id: str


class Delete(Job[None]):
    """Deletes devices. A device that is not there any more after an uncertain try is deleted."""

    name = "delete"
    endpoint = DELETE

    def __init__(self, client: Client, app_id: str | None, *, cascade: bool | None) -> None:
        super().__init__(client, app_id)
        self._cascade = cascade

    def read(self, row: Any) -> Read:
        """Return a row as a request."""
        if isinstance(row, Mapping):
            row = request_of(Deletion, row)
        device_id = check_id("device_id", getattr(row, "device_id", row))
        return Read(device_id, device_id, wire.encode_body({"deviceId": device_id}), {"deviceId": device_id})

    def send(self, request: str) -> None:
        """Make the call of one row."""
        self.client.device_management.delete_direct_device(request, self._cascade, app_id=self.app_id)

    def has_happened(self, error: NorthApiException) -> bool:
        """Return whether the device is gone."""
        return isinstance(error, NotFoundError)


class Modify(Job[None]):
    """Changes devices. The same change twice is one change, so an uncertain row is sent again."""

    name = "modify"
    endpoint = MODIFY

    def read(self, row: Any) -> Read:
        """Return a row as a request."""
        if isinstance(row, Mapping):
            whole = request_of(Modification, row)
            fields = {name: getattr(whole, name) for name in specs(ModifyDeviceInforInDTO)}
            device_id, changes = whole.device_id, ModifyDeviceInforInDTO(**fields)
        elif isinstance(row, tuple) and len(row) == 2:
            device_id, changes = row[0], request_of(ModifyDeviceInforInDTO, row[1])
        else:
            raise InvalidArgumentError.of(
                "the row", f"a {type(row).__name__}", "it must be a mapping or a pair (device_id, changes)"
            )
        check_id("device_id", device_id)
        body = wire.encode_body({"deviceId": device_id, "changes": wire.to_json(changes)})
        return Read((device_id, changes), device_id, body, {"deviceId": device_id, **visible(changes)})

    def send(self, request: tuple[str, ModifyDeviceInforInDTO]) -> None:
        """Make the call of one row."""
        device_id, changes = request
        self.client.device_management.modify_device_info(changes, device_id, app_id=self.app_id)


class SendCommands(Job[PostDeviceCommandOutDTO2]):
    """Sends commands. Nothing says whether an uncertain one was taken, so it is reported as unknown."""

    name = "send commands"
    endpoint = POST_COMMAND
    one_per_key = False

    def __init__(self, client: Client, app_id: str | None, *, resend_unknown: bool) -> None:
        super().__init__(client, app_id)
        self.settles = resend_unknown

    def read(self, row: Any) -> Read:
        """Return a row as a request."""
        dto = request_of(PostDeviceCommandInDTO2, row)
        return Read(dto, dto.device_id, wire.encode_body(dto), visible(dto))

    def send(self, request: PostDeviceCommandInDTO2) -> PostDeviceCommandOutDTO2:
        """Make the call of one row."""
        return self.client.signal_delivery.post_device_command(request, app_id=self.app_id)
