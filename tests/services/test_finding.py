"""Devices by node id, and registrations that may be there already, also after a lost answer."""

from typing import Any

import pytest

from iot_northbound import AlreadyExistsError, InvalidArgumentError, NorthApiException, NotFoundError, dto
from iot_northbound.dto import QueryBatchDevicesInfoOutDTO, QuerySingleDeviceInfoOutDTO
from iot_northbound.services import DeviceManagement
from tests.services.fake import FakeClient

TAKEN = AlreadyExistsError("100426", "The node id is taken.", http_status_code=400)
REFUSED = InvalidArgumentError("50400", "no", http_status_code=400)


def lost() -> NorthApiException:
    return NorthApiException("1003", "no answer", outcome_unknown=True)


def device(id: str, node_id: str | None, gateway_id: str | None = None) -> QuerySingleDeviceInfoOutDTO:
    info = dto.DeviceInfo(node_id=node_id) if node_id else None
    return QuerySingleDeviceInfoOutDTO(device_id=id, gateway_id=gateway_id or id, device_info=info)


def page(*devices: QuerySingleDeviceInfoOutDTO, total: int | None = None) -> QueryBatchDevicesInfoOutDTO:
    return QueryBatchDevicesInfoOutDTO(total_count=len(devices) if total is None else total, devices=list(devices))


def over(*answers: Any) -> tuple[DeviceManagement, FakeClient]:
    client = FakeClient(*answers)
    return DeviceManagement(client), client


LAMP = dto.RegDirectDeviceInDTO2(node_id="lamp-7")


def test_a_device_is_found_on_the_first_page_that_has_it() -> None:
    first = page(*[device(f"d{number}", f"n{number}") for number in range(250)], total=600)
    second = page(device("other", None), device("wanted", "lamp-7"), total=600)
    devices, client = over(first, second)
    assert devices.find_device("lamp-7", gateway_id="gw", app_id="theirs").device_id == "wanted"
    assert [sent.query.page_no for sent in client.sent] == [0, 1]
    assert {(sent.query.gateway_id, sent.query.app_id, sent.query.page_size) for sent in client.sent} == {
        ("gw", "theirs", 250)
    }


def test_a_device_behind_a_gateway_is_found_too() -> None:
    devices, _ = over(page(device("child", "lamp-7", "gw")))
    assert devices.find_device("lamp-7").device_id == "child"


def test_a_node_id_that_no_device_has_is_told() -> None:
    devices, _ = over(page(device("a", "lamp-70")))
    with pytest.raises(NotFoundError, match="no device has the node id 'lamp-7'"):
        devices.find_device("lamp-7")


@pytest.mark.parametrize("node_id", ["", None, 7])
def test_what_is_no_node_id_is_refused_without_a_call(node_id: Any) -> None:
    devices, client = over()
    with pytest.raises(InvalidArgumentError, match="node_id"):
        devices.find_device(node_id)
    assert client.sent == []


def test_a_new_device_is_registered_with_one_call() -> None:
    devices, client = over(dto.RegDirectDeviceOutDTO(device_id="d1", verify_code="code-1"))
    made = devices.ensure_device(LAMP, app_id="theirs", access_token="token")
    assert (made.device_id, made.verify_code) == ("d1", "code-1")
    assert [(sent.query, sent.access_token) for sent in client.sent] == [({"appId": "theirs"}, "token")]


@pytest.mark.parametrize("failure", [TAKEN, AlreadyExistsError("100416", "bound", http_status_code=400), lost()])
def test_a_device_that_is_there_comes_with_its_id_only(failure: NorthApiException) -> None:
    devices, _ = over(failure, page(device("child", "lamp-7", "gw"), device("d1", "lamp-7")))
    assert devices.ensure_device(LAMP) == dto.RegDirectDeviceOutDTO(device_id="d1")


def test_a_registration_without_an_answer_that_did_not_happen_is_made_again() -> None:
    wanted = dto.RegDeviceWithSecretInDTO(device_info=dto.MqttDeviceInfoDTO(node_id="lamp-7"))
    devices, client = over(lost(), page(), dto.RegDeviceWithSecretOutDTO(device_id="d2", secret="pass-word"))
    assert devices.ensure_device(wanted).secret == "pass-word"
    assert [sent.endpoint.method for sent in client.sent] == ["POST", "GET", "POST"]


def test_the_first_request_may_arrive_after_the_look() -> None:
    devices, _ = over(lost(), page(), TAKEN, page(device("d1", "lamp-7")))
    assert devices.ensure_device(LAMP).device_id == "d1"


def test_a_registration_that_gets_no_answer_twice_stays_unknown() -> None:
    devices, client = over(lost(), page(), lost(), page())
    with pytest.raises(NorthApiException) as caught:
        devices.ensure_device(LAMP)
    assert caught.value.outcome_unknown
    assert len(client.sent) == 4


def test_a_device_of_another_application_is_told_as_it_is() -> None:
    devices, _ = over(TAKEN, page(device("d1", "lamp-8")))
    with pytest.raises(AlreadyExistsError, match="100426"):
        devices.ensure_device(LAMP)


def test_any_other_failure_is_told_at_once() -> None:
    devices, client = over(REFUSED)
    with pytest.raises(InvalidArgumentError, match="50400"):
        devices.ensure_device(LAMP)
    assert len(client.sent) == 1
