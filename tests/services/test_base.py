import inspect
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

import attrs
import pytest

from iot_northbound import dto, services
from iot_northbound.core.fields import check_id
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.testing.factories import make
from tests.services.fake import FakeClient


def calls() -> Iterator[tuple[str, str, str]]:
    """Yield service, method and request argument of every method that takes a request DTO."""
    for service in services.__all__:
        for name, method in inspect.getmembers(getattr(services, service), inspect.isfunction):
            if name.startswith("_"):
                continue
            for argument, parameter in inspect.signature(method).parameters.items():
                kinds = get_args(parameter.annotation) or (parameter.annotation,)
                if any(attrs.has(kind) and "DTO" in kind.__name__ for kind in kinds if isinstance(kind, type)):
                    yield service, name, argument


@pytest.mark.parametrize("request_", [{"nodeId": "n-1"}, {}, [], 0, "", dto.CommandDTOV4, "text"])
@pytest.mark.parametrize(("service", "name", "argument"), list(calls()))
def test_a_request_of_another_type_is_refused_before_it_is_sent(
    service: str, name: str, argument: str, request_: Any
) -> None:
    client = FakeClient()
    method = getattr(getattr(services, service)(client), name)
    wrong = make(request_) if inspect.isclass(request_) else request_
    others = {
        each.name: "x"
        for each in inspect.signature(method).parameters.values()
        if each.default is inspect.Parameter.empty and each.name != argument
    }
    with pytest.raises(InvalidArgumentError) as refused:
        list(method(**{argument: wrong}, **others))  # iterators ask when they are read
    assert refused.value.error_code == "1007"
    assert "DTO" in refused.value.error_desc
    assert type(wrong).__name__ in refused.value.error_desc
    assert client.sent == []


def test_a_request_that_must_be_given_cannot_be_none() -> None:
    client = FakeClient()
    with pytest.raises(InvalidArgumentError, match="it must be a RegDirectDeviceInDTO2"):
        services.DeviceManagement(client).reg_direct_device(None)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="it must be a QueryDeviceDataHistoryInDTO"):
        services.DataCollection(client).query_device_data_history(None)  # type: ignore[arg-type]
    assert client.sent == []


@pytest.mark.parametrize("wrong", [5, 1.5, b"a", ["a"], {"a": 1}, object(), datetime(2026, 2, 12)])
def test_a_single_value_of_another_type_is_refused_before_it_is_sent(wrong: Any) -> None:
    client = FakeClient()
    for call in (
        lambda: services.DataCollection(client).query_single_device_info("d-1", app_id=wrong),
        lambda: services.DeviceGroupManagement(client).query_single_device_group("g-1", access_app_id=wrong),
    ):
        with pytest.raises(InvalidArgumentError, match=rf"app_id = a {type(wrong).__name__}: it must be text"):
            call()
    assert client.sent == []


@pytest.mark.parametrize("wrong", [None, 5, b"d", pytest.param(10**5000, id="huge")])
def test_an_id_of_another_type_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"device_id = .*: it must be text"):
        check_id("device_id", wrong)


def test_there_are_such_methods_in_every_service() -> None:
    assert {service for service, _, _ in calls()} == set(services.__all__)
