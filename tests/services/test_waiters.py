from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound.dto import batch_process as batch
from iot_northbound.dto import device_upgrade as upgrade
from iot_northbound.dto import signal_delivery as signal
from iot_northbound.dto.common import Pagination
from iot_northbound.errors import InvalidArgumentError, WaitTimeoutError
from iot_northbound.services import BatchProcess, DeviceUpgrade, SignalDelivery
from iot_northbound.services.batch_process import TASK_ENDED as BATCH_TASK_ENDED
from iot_northbound.services.device_upgrade import TASK_ENDED as UPGRADE_TASK_ENDED
from iot_northbound.services.signal_delivery import CANCEL_TASK_ENDED, COMMAND_ENDED
from tests.services.fake import FakeClient


def commands(*states: tuple[str, str]) -> signal.QueryDeviceCommandOutDTO2:
    return signal.QueryDeviceCommandOutDTO2(
        pagination=Pagination(page_no=0, page_size=1000, total_size=len(states)),
        data=[
            signal.DeviceCommandRespV4(command_id=command_id, status=signal.CommandStatus(status))
            for command_id, status in states
        ],
    )


def cancel_tasks(*states: tuple[str, str]) -> signal.QueryDeviceCmdCancelTaskOutDTO2:
    return signal.QueryDeviceCmdCancelTaskOutDTO2(
        pagination=Pagination(page_no=0, page_size=100, total_size=len(states)),
        data=[
            signal.DeviceCommandCancelTaskRespV4(task_id=task_id, status=signal.CancelTaskStatus(status))
            for task_id, status in states
        ],
    )


def batch_task(status: str) -> batch.QueryOneTaskOutDTO:
    return batch.QueryOneTaskOutDTO(status=batch.BatchTaskStatus(status))


def upgrade_task(status: str) -> upgrade.QueryUpgradeTaskOutDTO:
    return upgrade.QueryUpgradeTaskOutDTO(status=upgrade.OperationStatus(status))


WAITERS: dict[str, tuple[Callable[[FakeClient, Any], Any], Callable[[str], Any], frozenset[str]]] = {
    "command": (
        lambda client, told: SignalDelivery(client).wait_for_device_command("c-1", "d-1", on_progress=told),
        lambda status: commands(("c-0", "SUCCESSFUL"), ("c-1", status)),
        COMMAND_ENDED,
    ),
    "cancel task": (
        lambda client, told: SignalDelivery(client).wait_for_device_cmd_cancel_task("t-1", on_progress=told),
        lambda status: cancel_tasks(("t-1", status)),
        CANCEL_TASK_ENDED,
    ),
    "batch task": (
        lambda client, told: BatchProcess(client).wait_for_batch_task("t-1", on_progress=told),
        batch_task,
        BATCH_TASK_ENDED,
    ),
    "upgrade task": (
        lambda client, told: DeviceUpgrade(client).wait_for_upgrade_task("o-1", on_progress=told),
        upgrade_task,
        UPGRADE_TASK_ENDED,
    ),
}


@pytest.mark.parametrize(("waiter", "final"), [(name, s) for name in WAITERS for s in sorted(WAITERS[name][2])])
def test_a_final_state_ends_the_wait(waiter: str, final: str) -> None:
    wait, answer, _ = WAITERS[waiter]
    client = FakeClient(answer("under way"), answer(final))
    told: list[Any] = []
    assert wait(client, told.append).status == final
    assert [state.status for state in told] == ["under way", final]
    assert len(client.sent) == 2


SPELLED = {
    "command": ["successful", "Failed", "FAIL", "SUCCESS", "timeout", "TIME_OUT", "Expired", "CANCELLED", "CANCEL"],
    "cancel task": ["success", "Failed", "fail", "SUCCESSFUL", "part_success", "PARTIAL_SUCCESS", "Part-Success"],
    "batch task": ["COMPLETE", "complete", "Completed", "TIMEOUT", "Time_Out"],
    "upgrade task": ["FAIL", "Fail", "FAILED", "SUCCESS", "Successful", "STOP", "stopped"],
}
UNDOCUMENTED = ["TIMEOUT", "timed_out", "expired", "canceled", "CANCEL", "stopped", "Completed", "finished", "aborted"]
"""Ends that not every one of the enumerations has."""


@pytest.mark.parametrize(("waiter", "final"), [(name, s) for name in WAITERS for s in SPELLED[name] + UNDOCUMENTED])
def test_a_final_state_ends_the_wait_however_it_is_spelled(waiter: str, final: str) -> None:
    wait, answer, _ = WAITERS[waiter]
    client = FakeClient(answer("under way"), answer(final))
    assert wait(client, None).status.casefold() == final.casefold()
    assert len(client.sent) == 2


@pytest.mark.parametrize(
    "status", ["PENDDING", "Pendding", "pending", "processing", "NEW", "stopping", "NOT_FAILED", ""]
)
def test_a_state_under_way_does_not_end_the_wait_however_it_is_spelled(status: str) -> None:
    for wait, answer, final in WAITERS.values():
        client = FakeClient(answer(status), answer(min(final)))
        wait(client, None)
        assert len(client.sent) == 2


def test_a_state_that_is_not_told_does_not_end_the_wait() -> None:
    client = FakeClient(upgrade.QueryUpgradeTaskOutDTO(), upgrade_task("FAIL"))
    assert DeviceUpgrade(client).wait_for_upgrade_task("o-1").status == "FAIL"


@pytest.mark.parametrize("waiter", WAITERS)
def test_every_documented_state_is_final_or_under_way(waiter: str) -> None:
    under_way = {
        "command": {"DEFAULT", "PENDING", "SENT", "DELIVERED"},
        "cancel task": {"WAITING", "RUNNING"},
        "batch task": {"Pending", "Running"},
        "upgrade task": {"wait", "processing"},
    }[waiter]
    documented = {
        "command": signal.CommandStatus,
        "cancel task": signal.CancelTaskStatus,
        "batch task": batch.BatchTaskStatus,
        "upgrade task": upgrade.OperationStatus,
    }[waiter]
    final = WAITERS[waiter][2]
    assert not final & under_way
    assert {str(member) for member in documented} <= final | under_way


@pytest.mark.parametrize("waiter", WAITERS)
def test_a_state_that_does_not_end_is_attached_to_the_timeout(waiter: str) -> None:
    wait, answer, _ = WAITERS[waiter]

    class Patient(FakeClient):
        def call(self, *args: Any, **rest: Any) -> Any:
            self.answers = [answer("under way")]
            return super().call(*args, **rest)

    client = Patient()
    with pytest.raises(WaitTimeoutError) as caught:
        wait(client, None)
    assert caught.value.last_state.status == "under way"
    assert caught.value.endpoint == client.sent[0].endpoint.name
    assert client.clock.slept == sorted(client.clock.slept[:-1]) + client.clock.slept[-1:]
    assert sum(client.clock.slept) == pytest.approx(caught.value.elapsed)


def test_a_command_is_looked_for_among_those_of_its_device() -> None:
    client = FakeClient(commands(("c-1", "EXPIRED")))
    SignalDelivery(client).wait_for_device_command("c-1", "d-1", app_id="other-app", access_token="given")
    (sent,) = client.sent
    assert (sent.query.device_id, sent.query.app_id, sent.access_token) == ("d-1", "other-app", "given")


def test_a_revocation_task_is_asked_for_by_its_id() -> None:
    client = FakeClient(cancel_tasks(("t-1", "SUCCESS")))
    SignalDelivery(client).wait_for_device_cmd_cancel_task("t-1", app_id="other-app")
    assert (client.sent[0].query.task_id, client.sent[0].query.app_id) == ("t-1", "other-app")


@pytest.mark.parametrize(
    "wait",
    [
        lambda client: SignalDelivery(client).wait_for_device_command("", "d-1"),
        lambda client: SignalDelivery(client).wait_for_device_command("c-1", ""),
        lambda client: SignalDelivery(client).wait_for_device_cmd_cancel_task(" "),
        lambda client: BatchProcess(client).wait_for_batch_task(""),
        lambda client: DeviceUpgrade(client).wait_for_upgrade_task(""),
    ],
)
def test_an_empty_id_is_refused_before_anything_is_sent(wait: Callable[[FakeClient], Any]) -> None:
    client = FakeClient()
    with pytest.raises(InvalidArgumentError):
        wait(client)
    assert client.sent == []
