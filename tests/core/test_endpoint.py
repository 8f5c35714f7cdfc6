"""An endpoint's path with ids in it."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound import InvalidArgumentError
from iot_northbound.core.endpoint import Endpoint

ONE = Endpoint("GET", "/devices/{device_id}", type(None), section="test")
TWO = Endpoint("POST", "/devices/{device_id}/services/{service_id}/send", type(None), section="test")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("d-1_~.x", "d-1_~.x"),
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("a?b#c&d", "a%3Fb%23c%26d"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("水表", "%E6%B0%B4%E8%A1%A8"),
        ("{device_id}", "%7Bdevice_id%7D"),
        ("...", "..."),
    ],
)
def test_an_id_stands_percent_encoded_in_its_place(value: str, path: str) -> None:
    assert ONE.url({"device_id": value}) == f"/devices/{path}"


@given(st.text(min_size=1))
def test_any_id_stays_one_step_of_the_path_or_is_refused(value: str) -> None:
    try:
        url = ONE.url({"device_id": value})
    except InvalidArgumentError:
        return
    head, _, last = url.rpartition("/")
    assert (head, unquote(last)) == ("/devices", value)
    assert last not in (".", "..", "")
    assert url.isascii()
    assert url.isprintable()


@pytest.mark.parametrize("value", ["", "  ", ".", "..", None, 5, b"d-1", "\ud800"])
def test_an_id_that_would_address_something_else_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ONE.url({"device_id": value})
    assert caught.value.error_code == "1007"
    assert "device_id" in caught.value.error_desc


def test_the_name_holds_no_ids() -> None:
    assert TWO.name == "POST /devices/{device_id}/services/{service_id}/send"
    assert TWO.places == ("device_id", "service_id")
    assert TWO.url({"service_id": "s", "device_id": "d"}) == "/devices/d/services/s/send"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_only_reads_are_repeatable_unless_told(method: str) -> None:
    assert Endpoint(method, "/x", type(None), section="test").repeatable == (method == "GET")
    assert Endpoint(method, "/x", type(None), section="test", repeatable=True).repeatable
