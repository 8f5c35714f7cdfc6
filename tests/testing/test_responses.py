"""Every documented call without a server, by a real client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import responses
from tests.emulator.conformance.test_samples import SAMPLES, departures
from tests.endpoints import ids
from tests.facts import BY_SECTION, ERROR_CODES

from iot_northbound import (
    ConnectionFailedError,
    InvalidArgumentError,
    NorthApiClient,
    NorthApiException,
    NotFoundError,
    services,
)
from iot_northbound.core import wire
from iot_northbound.dto import QuerySingleDeviceInfoOutDTO, RegDirectDeviceInDTO2
from iot_northbound.services import DataCollection, DeviceManagement
from iot_northbound.services.calls import Call, calls
from iot_northbound.testing.documented import documented
from iot_northbound.testing.factories import make
from iot_northbound.testing.responses import error, offline_client, register

every_call = pytest.mark.parametrize("call", calls(), ids=lambda call: call.name)
DEVICE = make(RegDirectDeviceInDTO2)


@pytest.fixture
def client() -> Iterator[NorthApiClient]:
    with responses.mock, offline_client() as made:
        yield made


def send(client: NorthApiClient, call: Call) -> Any:
    request = documented()[call.section].request
    if call.endpoint.method in ("GET", "DELETE"):
        return client.call(call.endpoint, ids(call.endpoint), query=request)
    return client.call(call.endpoint, ids(call.endpoint), body=None if call.request is None else make(call.request))


@every_call
def test_a_call_is_answered_as_documented(client: NorthApiClient, call: Call) -> None:
    known, fact = documented()[call.section], BY_SECTION[call.section]
    assert known.status == fact["success_status"]
    assert list(departures(SAMPLES[call.section].get("answer", "null"), known.answer)) == []
    register(call.section)
    result = send(client, call)
    if known.answer is None:
        assert result is None or not attrs.asdict(result, filter=lambda _, value: value is not None)
    else:
        assert result == wire.structure(known.answer, call.result)
        assert wire.lost_part(result) is None


@every_call
def test_every_documented_error_reaches_the_application(client: NorthApiClient, call: Call) -> None:
    known = documented()[call.section]
    listed = {code: fact["http"] for code, fact in ERROR_CODES.items() if call.section in fact["endpoints"]}
    assert known.errors.keys() == listed.keys()
    once = client.with_options(max_attempts=1)
    for code, status in known.errors.items():
        assert status in listed[code]
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            if call.endpoint.authorized:
                register("get_auth_token", mock=mock)
            error(call.section, code, mock=mock)
            with pytest.raises(NorthApiException) as caught:
                send(once, call)
        assert (caught.value.error_code, caught.value.http_status_code) == (code, status)


def test_an_answer_is_changed_by_wire_names_or_given_as_a_dto(client: NorthApiClient) -> None:
    register(DeviceManagement.reg_direct_device, deviceId="meter-7")
    register(client.device_management.reg_direct_device, deviceId="meter-8")
    register("query_single_device_info", make(QuerySingleDeviceInfoOutDTO, device_id="meter-9"))
    counted = register("1.4.7", {"deviceId": "meter-10", "activated": False})
    made = [client.device_management.reg_direct_device(DEVICE).device_id for _ in range(3)]
    assert made == ["meter-7", "meter-8", "meter-8"]
    assert client.data_collection.query_single_device_info("any").device_id == "meter-9"
    assert client.device_management.query_device_status("any").activated is False
    assert counted.call_count == 1


def test_an_answer_can_be_for_one_device_only(client: NorthApiClient) -> None:
    register(DataCollection.query_single_device_info, ids={"device_id": "a/b"}, deviceId="a/b")
    error(DataCollection.query_single_device_info, "100403", ids={"device_id": "gone"})
    assert client.data_collection.query_single_device_info("a/b").device_id == "a/b"
    with pytest.raises(NotFoundError):
        client.data_collection.query_single_device_info("gone")
    with pytest.raises(ConnectionFailedError):
        client.with_options(max_attempts=1).data_collection.query_single_device_info("other")


def test_an_undocumented_error_needs_a_status(client: NorthApiClient) -> None:
    error("query_single_device_info", "999999", status=418)
    with pytest.raises(NorthApiException) as caught:
        client.data_collection.query_single_device_info("any")
    assert (caught.value.error_code, caught.value.http_status_code) == ("999999", 418)


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (lambda: register("reg_direct_devise"), "no such call.*did you mean reg_direct_device"),
        (lambda: register(DataCollection.iter_devices), "no such call"),
        (lambda: register(len), "no such call"),
        (lambda: register("reg_direct_device", device_id="x"), "no such field; did you mean deviceId"),
        (lambda: register("delete_direct_device", deviceId="x"), "no such field"),
        (lambda: register("reg_direct_device", {}, deviceId="x"), "give an answer or changes"),
        (lambda: register("delete_direct_device", ids={"device": "x"}), "no such place; did you mean device_id"),
        (lambda: error("reg_direct_device", "100217x"), "is not documented to answer it .its codes: 100001, "),
    ],
)
def test_a_mistake_is_refused_in_words(mistake: Any, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told) as caught:
        mistake()
    assert caught.value.error_code == "1007"


def test_the_client_without_a_server_shows_no_secret(client: NorthApiClient) -> None:
    assert "secret-of" not in repr(client) + repr(client.client_info)
    assert all(hasattr(client, each.name.partition(".")[0]) for each in calls())
    assert services.__all__


@responses.activate
def test_a_call_without_an_answer_is_named() -> None:
    with offline_client() as client, pytest.raises(ConnectionFailedError) as failed:
        client.device_management.query_device_status("meter-7")
    assert (
        "No answer is registered for GET /iocm/app/reg/v1.1.0/deviceCredentials/{device_id}"
        in failed.value.__notes__[0]
    )
