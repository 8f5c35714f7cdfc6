"""The four jobs on a platform: results, errors, and rows whose answer was lost."""

from typing import Any

import pytest

from iot_northbound import (
    AlreadyExistsError,
    InvalidArgumentError,
    NorthApiClient,
    NotAuthorizedError,
    NotFoundError,
    QuotaReachedError,
    dto,
)
from iot_northbound.bulk import BulkProgress, BulkStoppedError
from iot_northbound.emulator import Emulator
from iot_northbound.services.authentication import LOGIN, REFRESH
from iot_northbound.services.device_management import DELETE, MODIFY, REGISTER, REGISTER_WITH_SECRET
from iot_northbound.services.signal_delivery import POST_COMMAND


def lamps(count: int, **rest: Any) -> list[dict[str, Any]]:
    return [{"nodeId": f"lamp-{number}", "timeout": 0, **rest} for number in range(count)]


def calls(platform: Emulator, endpoint: Any) -> int:
    name = endpoint.name.replace("device_id", "deviceId")
    return len(platform.control.journal(kind="call", endpoint=name))


def lose(platform: Emulator, endpoint: Any, when: str, count: int) -> None:
    """Let answers get lost: "before" the work is done, or "after" it."""
    name = endpoint.name.replace("device_id", "deviceId")
    platform.control.add_fault("reset", endpoint=name, when=when, count=count)  # type: ignore[arg-type]


def ids(client: NorthApiClient) -> dict[str, str]:
    found = client.data_collection.iter_devices()
    return {device.device_info.node_id: device.device_id for device in found}  # type: ignore[union-attr,misc]


def test_devices_are_registered_and_each_row_has_its_answer(client: NorthApiClient, platform: Emulator) -> None:
    seen: list[BulkProgress] = []
    report = client.bulk.register(lamps(30, verifyCode="hush-hush"), progress=seen.append)
    assert (len(report), len(report.done), len(report.failed), report.resumed) == (30, 30, 0, 0)
    assert [(result.row, result.key, result.ok) for result in report] == [
        (number + 1, f"lamp-{number}", True) for number in range(30)
    ]
    assert {result.key: result.value.device_id for result in report} == ids(client)
    first = next(iter(report.done))
    assert first.value.verify_code == "hush-hush"
    assert first.input == {"nodeId": "lamp-0", "timeout": 0}
    assert "hush" not in repr(first) + repr(report)
    assert seen[-1].done == seen[-1].total == 30
    assert [each.done for each in seen] == sorted(each.done for each in seen)


def test_secret_mode_returns_passwords(client: NorthApiClient) -> None:
    rows = [
        dto.RegDeviceWithSecretInDTO(
            device_info=dto.MqttDeviceInfoDTO(node_id="meter-1"), product_id="home-gateway-mqtt"
        ),
        {"nodeId": "meter-2", "productId": "home-gateway-mqtt", "secret": "hush-hush-hush"},
        {"productId": "home-gateway-mqtt"},
    ]
    first, second, third = client.bulk.register(rows, mode="secret")
    assert first.ok, first.error
    assert first.value.secret
    assert second.value.secret == "hush-hush-hush"
    assert "hush" not in repr(second)
    assert isinstance(third.error, InvalidArgumentError)
    with pytest.raises(InvalidArgumentError, match="'code' or 'secret'"):
        client.bulk.register(rows, mode="psk")  # type: ignore[call-overload]


def test_a_row_that_fails_does_not_end_the_job(client: NorthApiClient) -> None:
    client.device_management.reg_direct_device(dto.RegDirectDeviceInDTO2(node_id="lamp-1", timeout=0))
    rows = [*lamps(3), {"nodeId": "x", "tiemout": 1}, {"nodeId": "lamp-2"}, {"nodeId": "a", "productId": "none"}, 7]
    report = client.bulk.register(rows)
    assert [result.row for result in report.done] == [1, 3]
    errors = {result.row: result.error for result in report.failed}
    assert isinstance(errors[2], AlreadyExistsError)
    assert "did you mean timeout" in str(errors[4])
    assert "it is in row 3 already" in str(errors[5])
    assert isinstance(errors[6], NotFoundError)
    assert (errors[6].error_code, errors[6].http_status_code) == ("600002", errors[6].http_status_code)
    assert "a mapping" in str(errors[7])


def test_devices_that_exist_can_be_kept(client: NorthApiClient, platform: Emulator) -> None:
    client.bulk.register(lamps(5))
    report = client.bulk.register(lamps(8), keep_existing=True)
    assert {result.key: result.value.device_id for result in report.done} == ids(client)
    assert [result.value.verify_code is None for result in report] == [True] * 5 + [False] * 3


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("mode", ["code", "secret"])
def test_registrations_without_an_answer_are_settled(
    client: NorthApiClient, platform: Emulator, when: str, mode: Any
) -> None:
    lose(platform, REGISTER if mode == "code" else REGISTER_WITH_SECRET, when, 4)
    rows = [{"nodeId": f"lamp-{number}", "productId": "home-gateway-mqtt"} for number in range(12)]
    report = client.bulk.register(rows, mode=mode)
    assert not list(report.failed)
    assert {result.key: result.value.device_id for result in report} == ids(client)
    code = [result.value.verify_code if mode == "code" else result.value.secret for result in report]
    assert code.count(None) == (4 if when == "after" else 0)


def test_an_old_device_is_not_taken_for_one_whose_registration_failed(
    client: NorthApiClient, platform: Emulator
) -> None:
    (gateway,) = client.bulk.register([{"nodeId": "gateway", "productId": "home-gateway-mqtt", "timeout": 0}])
    platform.control.add_sub_device(gateway.value.device_id, "lamp-0")
    lose(platform, REGISTER, "before", 1)
    (result,) = client.bulk.register(lamps(1))
    assert result.value.verify_code


def test_a_job_ends_when_there_is_no_room_and_says_what_was_done(client: NorthApiClient, platform: Emulator) -> None:
    platform.control.change_settings(license_limit=10)
    with pytest.raises(BulkStoppedError, match=r"103028.*the job stopped \(10 rows done, 0 failed\)") as caught:
        client.bulk.register(lamps(400))
    assert isinstance(caught.value.__cause__, QuotaReachedError)
    assert caught.value.remedy == caught.value.__cause__.remedy != ""
    assert len(caught.value.report.done) == 10
    assert calls(platform, REGISTER) < 30


def test_a_job_ends_when_the_login_is_refused(client: NorthApiClient, platform: Emulator) -> None:
    platform.control.add_fault("answer", endpoint=REGISTER.name, status=403, body={"resultcode": "1010005"})
    refusal = {"error_code": "100208", "error_desc": "no"}
    platform.control.add_fault("answer", endpoint=LOGIN.name, status=401, body=refusal)
    platform.control.add_fault("answer", endpoint=REFRESH.name, status=401, body=refusal)
    with pytest.raises(BulkStoppedError) as caught:
        client.bulk.register(lamps(400))
    assert isinstance(caught.value.__cause__, NotAuthorizedError)
    assert not list(caught.value.report)


def test_a_job_ends_without_a_token_and_on_a_closed_client(client: NorthApiClient) -> None:
    client.stop_timer()
    with pytest.raises(BulkStoppedError, match="1009"):
        client.bulk.register(lamps(400))
    client.close()
    with pytest.raises(BulkStoppedError, match="closed"):
        client.bulk.register(lamps(400))


def test_a_job_ends_after_too_many_failures(client: NorthApiClient, platform: Emulator) -> None:
    with pytest.raises(BulkStoppedError, match="more than 5 rows failed, the last one with: "):
        client.bulk.register(lamps(400, productId="none"), max_failures=5)
    assert calls(platform, REGISTER) < 40


def test_a_dry_run_checks_all_rows_without_a_call(client: NorthApiClient, platform: Emulator, journal: Any) -> None:
    rows = [*lamps(3), {"nodeId": "lamp-1"}, {"nodeId": "x" * 257}]
    report = client.bulk.register(rows, dry_run=True, journal=journal)
    assert [result.ok for result in report] == [True, True, True, False, False]
    assert calls(platform, REGISTER) == 0
    assert not journal.exists()


def test_devices_are_deleted_also_while_they_are_listed(client: NorthApiClient, platform: Emulator) -> None:
    client.bulk.register(lamps(12))
    lose(platform, DELETE, "after", 3)
    lose(platform, DELETE, "before", 3)
    report = client.bulk.delete(client.data_collection.iter_devices(dto.QueryBatchDevicesInfoInDTO(page_size=5)))
    assert len(report.done) == 12
    assert ids(client) == {}
    report = client.bulk.delete(["gone", {"deviceId": "gone-too"}, {"device_id": "gone"}, "", {"id": 1}, None, ".."])
    errors = [result.error for result in report]
    assert isinstance(errors[0], NotFoundError)
    assert isinstance(errors[1], NotFoundError)
    assert "in row 1 already" in str(errors[2])
    assert all(isinstance(error, InvalidArgumentError) for error in errors[3:])


def test_devices_are_changed_by_pairs_and_mappings(client: NorthApiClient, platform: Emulator) -> None:
    report = client.bulk.register(lamps(3))
    one, two, three = (result.value.device_id for result in report)
    lose(platform, MODIFY, "after", 1)
    rows = [
        (one, dto.ModifyDeviceInforInDTO(name="a", psk="12ab34cd")),
        {"deviceId": two, "name": "b"},
        (three, {"name": "c"}),
        (three, {"nmae": "c"}),
        three,
    ]
    report = client.bulk.modify(rows)
    assert [result.ok for result in report] == [True, True, True, False, False]
    names = {device.device_id: device.device_info.name for device in client.data_collection.iter_devices()}  # type: ignore[union-attr]
    assert names == {one: "a", two: "b", three: "c"}
    assert next(iter(report)).input == {"deviceId": one, "name": "a"}


def command(device_id: str, brightness: int = 5) -> dict[str, Any]:
    return {"deviceId": device_id, "serviceId": "Lamp", "method": "SET_BRIGHTNESS", "paras": {"value": brightness}}


def test_a_command_whose_answer_was_lost_is_told_and_not_sent_again(client: NorthApiClient, platform: Emulator) -> None:
    platform.control.add_devices(4, product_id="street-lamp-nb")
    targets = sorted(ids(client).values())
    lose(platform, POST_COMMAND, "after", 1)
    report = client.bulk.send_commands([command(each) for each in [*targets, targets[0]]], threads=1)
    first, *others = report
    assert first.error is not None
    assert first.error.outcome_unknown
    assert all(result.ok for result in others), [result.error for result in others]
    assert all(result.value.command_id for result in others)
    assert len(list(client.signal_delivery.iter_device_commands(dto.QueryDeviceCommandInDTO2()))) == 5
    lose(platform, POST_COMMAND, "after", 1)
    report = client.bulk.send_commands([command(targets[0])], resend_unknown=True)
    assert len(report.done) == 1
    assert len(list(client.signal_delivery.iter_device_commands(dto.QueryDeviceCommandInDTO2()))) == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rows": "lamp"}, "rows"),
        ({"rows": 7}, "rows"),
        ({"rows": [], "threads": 0}, "threads"),
        ({"rows": [], "threads": True}, "threads"),
        ({"rows": [], "max_failures": -1}, "max_failures"),
        ({"rows": [], "journal": 7}, "journal"),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused_by_name(
    client: NorthApiClient, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        client.bulk.register(**arguments)


def test_no_rows_are_an_empty_report(client: NorthApiClient) -> None:
    report = client.bulk.register(iter(()))
    assert (len(report), list(report), bool(report.failed)) == (0, [], False)
