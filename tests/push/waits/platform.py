"""A platform in memory for the waits, and waits whose steps a test makes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from iot_northbound.core.clock import Clock
from iot_northbound.core.times import Timestamp
from iot_northbound.dto import (
    BatchTaskCreateInDTO2,
    BatchTaskCreateOutDTO,
    BatchTaskStatus,
    CommandDTOV4,
    CommandStatus,
    CreateUpgradeTaskInDTO,
    CreateUpgradeTaskOutDTO,
    DeviceCommandRespV4,
    OperationStaResult,
    OperationStatus,
    PostDeviceCommandInDTO2,
    PostDeviceCommandOutDTO2,
    QueryDeviceCommandInDTO2,
    QueryOneTaskOutDTO,
    QueryUpgradeTaskOutDTO,
)
from iot_northbound.errors import NotFoundError
from iot_northbound.push import Message
from iot_northbound.push.parse import parse
from iot_northbound.push.waits.engine import Waits
from iot_northbound.push.waits.wait import Wait
from iot_northbound.testing.messages import push_body


def command_push(command_id: str, status: str, **rest: Any) -> Message:
    return parse(push_body("commandStatusChanged", commandId=command_id, result={"resultCode": status, **rest}), 0.0)


def upgrade_push(operation_id: str, kind: str = "fwUpgradeResultNotify") -> Message:
    return parse(push_body(kind, operationId=operation_id), 0.0)


def request(device_id: str = "d1", **rest: Any) -> PostDeviceCommandInDTO2:
    command = CommandDTOV4(service_id="Valve", method="SET", paras={"open": True})
    return PostDeviceCommandInDTO2(device_id=device_id, command=command, **rest)


def batch_request(**param: Any) -> BatchTaskCreateInDTO2:
    param = {"type": "DeviceList", "deviceList": ["d1"], "command": {}, **param}
    return BatchTaskCreateInDTO2(app_id="a", timeout=10, task_name="t", task_type="DeviceCmd", param=param)


@attrs.define(eq=False)
class Platform:
    """The client of a platform whose answers a test sets; it notes every call."""

    is_closed: bool = False
    during: Callable[[str], object] = attrs.field(default=lambda command_id: None)
    """Called with a new command's id before the answer to its POST comes."""
    at_look: Callable[[], object] = attrs.field(default=lambda: None)
    """Called during each look."""
    error: Exception | None = None
    """What every look raises."""
    unreadable: set[str | None] = attrs.field(factory=set)
    """The devices whose commands cannot be read; None for those of all devices."""
    commands: dict[str, DeviceCommandRespV4] = attrs.field(factory=dict)
    sent: list[Any] = attrs.field(factory=list)
    looks: list[Any] = attrs.field(factory=list)
    task: QueryOneTaskOutDTO = attrs.field(factory=QueryOneTaskOutDTO)
    upgrade: QueryUpgradeTaskOutDTO = attrs.field(factory=QueryUpgradeTaskOutDTO)
    ids: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    @property
    def signal_delivery(self) -> Any:
        return self

    batch_process = device_upgrade = signal_delivery

    def post_device_command(self, dto: PostDeviceCommandInDTO2, **_: Any) -> PostDeviceCommandOutDTO2:
        self.sent.append(dto)
        command_id = f"c{next(self.ids)}"
        made: dict[str, Any] = {
            "command_id": command_id,
            "device_id": dto.device_id,
            "callback_url": dto.callback_url,
            "status": CommandStatus("PENDING"),
            "creation_time": Timestamp("20260212T121212517Z"),
        }
        self.commands[command_id] = DeviceCommandRespV4(**made)
        self.during(command_id)
        return PostDeviceCommandOutDTO2(**made)

    def move(self, command_id: str, status: str) -> None:
        command = self.commands[command_id]
        command.status = CommandStatus(status)
        self.commands[command_id] = attrs.evolve(command)  # type: ignore[misc]

    def iter_device_commands(self, query: QueryDeviceCommandInDTO2, **_: Any) -> Iterator[DeviceCommandRespV4]:
        self._look(query)
        if query.device_id in self.unreadable:
            raise NotFoundError("100418", "no such device")
        for each in list(self.commands.values()):
            if query.device_id in (None, each.device_id):
                yield each

    def create_batch_task(self, dto: BatchTaskCreateInDTO2, **_: Any) -> BatchTaskCreateOutDTO:
        self.sent.append(dto)
        return BatchTaskCreateOutDTO(task_id="t1")

    def query_one_task(self, task_id: str, **_: Any) -> QueryOneTaskOutDTO:
        self._look(task_id)
        return self.task

    def batch(self, status: str, total: int, complete: int) -> None:
        status_ = BatchTaskStatus(status)
        self.task = QueryOneTaskOutDTO(task_id="t1", status=status_, total_cnt=total, complete_cnt=complete)

    def create_firmware_upgrade_task(self, dto: CreateUpgradeTaskInDTO, **_: Any) -> CreateUpgradeTaskOutDTO:
        self.sent.append(("firmware", dto))
        return CreateUpgradeTaskOutDTO(operation_id="o1")

    def create_software_upgrade_task(self, dto: CreateUpgradeTaskInDTO, **_: Any) -> CreateUpgradeTaskOutDTO:
        self.sent.append(("software", dto))
        return CreateUpgradeTaskOutDTO(operation_id="o1")

    def query_upgrade_task(self, operation_id: str, **_: Any) -> QueryUpgradeTaskOutDTO:
        self._look(operation_id)
        return self.upgrade

    def upgraded(self, status: str, **counts: Any) -> None:
        result = OperationStaResult(**counts)
        self.upgrade = QueryUpgradeTaskOutDTO(operation_id="o1", status=OperationStatus(status), sta_result=result)

    def _look(self, what: Any) -> None:
        self.looks.append(what)
        self.at_look()
        if self.error is not None:
            raise self.error


class ByHand(Waits):
    """Waits without threads: a test makes each of their steps, in any order."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)

    def _thread(self, name: str, work: Callable[..., None], *args: Any) -> None:
        """Start none."""

    def begin(self) -> bool:
        """Let one submitted wait begin; return whether there was one."""
        if self._begins.empty():
            return False
        begin = self._begins.get()
        assert begin is not None
        begin()
        return True

    def settle(self) -> float:
        return self._settle()

    def look(self) -> bool:
        """Let the thread that looks make one look; return whether there was one to make."""
        if self._looks.empty():
            return False
        waits = self._looks.get()
        assert waits is not None
        queue = type(self._looks)()
        queue.put(waits)
        queue.put(None)
        self._look_on(queue)
        return True

    def all_steps(self) -> None:
        """Do everything that there is to do now."""
        more = True
        while more:
            more = self.begin()
            self.settle()
            more = self.look() or more
        self.settle()

    @property
    def is_empty(self) -> bool:
        return not (self.count or self._board.listens or self._board.early_size or self._board._waits)

    def only(self) -> Wait[Any]:
        (wait,) = self._open
        return wait
