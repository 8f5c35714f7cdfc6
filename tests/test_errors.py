"""The exception family: chosen by meaning, readable, and able to travel."""

import copy
import json
import multiprocessing
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iot_northbound
from iot_northbound import NorthApiException, WaitTimeoutError, error_codes, errors
from iot_northbound.core.answers import Answer, read_answer
from iot_northbound.core.budget import RateLimit
from iot_northbound.core.slot_sources import OwnSlots
from iot_northbound.device import failures
from iot_northbound.dto import PostDeviceCommandOutDTO2
from iot_northbound.error_codes import explain
from iot_northbound.errors import SdkCode, class_for
from iot_northbound.services.calls import calls
from tests.clock import FakeClock
from tests.facts import BY_SECTION, ERROR_CODES

FAMILY = [
    cls
    for name, cls in vars(errors).items()
    if isinstance(cls, type) and issubclass(cls, NorthApiException) and not name.startswith("_")
]
DEVICE_FAMILY = [
    cls for cls in vars(failures).values() if isinstance(cls, type) and cls.__module__ == failures.__name__
]
DETAILS = {
    "http_status_code": 404,
    "http_reason_phrase": "Not Found",
    "http_message": "<html>",
    "endpoint": "GET /x/{y}",
    "attempts": 3,
    "elapsed": 1.5,
    "outcome_unknown": True,
    "retry_after": 2.0,
}


def test_the_whole_family_is_exported() -> None:
    assert len(FAMILY) > 12
    for cls in FAMILY:
        assert getattr(iot_northbound, cls.__name__) is cls


@pytest.mark.parametrize("cls", FAMILY)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_exception_survives_pickling_whole(cls: type[NorthApiException], protocol: int) -> None:
    error = cls("100403", "gone", **DETAILS)
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is cls
    assert vars(again) == vars(error)
    assert (str(again), repr(again), again.args) == (str(error), repr(error), error.args)


def test_the_last_state_of_a_wait_travels_too() -> None:
    state = PostDeviceCommandOutDTO2(command_id="c-1", status="SENT")
    error = WaitTimeoutError("1003", "not ended in 5 s", last_state=state, **DETAILS)
    assert pickle.loads(pickle.dumps(error)).last_state == state
    assert copy.copy(error).last_state is state


def _fail(code: str) -> None:
    raise class_for(code, 404)(code, "raised in another process", http_status_code=404)


def test_it_crosses_processes() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool, pytest.raises(errors.NotFoundError) as caught:
        pool.apply(_fail, ("100403",))
    assert (caught.value.error_code, caught.value.http_status_code) == ("100403", 404)


def test_an_applications_own_subclass_travels() -> None:
    error = Own("100403", "gone", **DETAILS)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is Own
    assert again.attempts == 3


class Own(errors.NotFoundError):
    pass


@pytest.mark.parametrize("code", ERROR_CODES)
def test_every_documented_code_has_class_cause_and_remedy(code: str) -> None:
    error = class_for(code, None)(code, "told")
    assert error.cause
    assert error.remedy
    assert str(error).endswith(error.remedy)


@pytest.mark.parametrize("code", [value for name, value in vars(SdkCode).items() if name.isupper()])
def test_every_code_of_the_sdk_says_what_to_do(code: str) -> None:
    assert explain(code)
    assert NorthApiException(code, "told").remedy


CODES = sorted({*error_codes.ERROR_CODES, *error_codes.SDK_CODES})
DETAILS_OF_CALLS = st.fixed_dictionaries(
    {"endpoint": st.none() | st.sampled_from([call.endpoint.name for call in calls()])},
    optional={
        "attempts": st.integers(0, 5),
        "outcome_unknown": st.booleans(),
        "http_status_code": st.none() | st.sampled_from([200, 400, 403, 500]),
    },
)


@given(
    code=st.sampled_from(CODES) | st.text(max_size=8),
    cls=st.sampled_from([*FAMILY, *DEVICE_FAMILY]),
    desc=st.text(max_size=40),
    likely=st.none() | st.tuples(st.text(min_size=1), st.text(min_size=1)),
    details=DETAILS_OF_CALLS,
)
def test_remedy_and_text_never_disagree(
    code: str, cls: Any, desc: str, likely: tuple[str, str] | None, details: dict[str, Any]
) -> None:
    error = cls(code, desc, likely=likely, **details)
    assert error.remedy in str(error)
    assert bool(error.cause) == bool(likely or cls._likely or explain(code))
    if likely is not None:
        assert (error.cause, error.remedy) == likely
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.remedy, again.cause) == (str(error), error.remedy, error.cause)


@pytest.mark.parametrize("section", BY_SECTION)
def test_each_documented_error_of_each_call_ends_with_its_remedy(section: str) -> None:
    for documented in BY_SECTION[section]["errors"]:
        body = json.dumps({"error_code": documented["code"], "error_desc": "told"}).encode()
        with pytest.raises(NorthApiException) as caught:
            read_answer(Answer(documented["http"], "", {}, body), lambda: 0.0, lambda: ())
        assert caught.value.remedy == error_codes.ERROR_CODES[documented["code"]].remedy
        assert str(caught.value).endswith(f": told. {caught.value.remedy}")


def test_the_clients_own_limit_is_not_blamed_on_the_platform() -> None:
    limit = RateLimit(1, clock := FakeClock(), OwnSlots(clock))
    with limit.slot(until=None):
        pass
    with pytest.raises(errors.ThrottledError) as caught, limit.slot(until=clock.monotonic() + 5):
        pass
    assert str(caught.value) == (
        "1010009: the client's own limit of 1 calls per minute allows this call only after its deadline. Give the call "
        "a longer deadline, call less often, or raise calls_per_minute if the platform allows it."
    )
    assert "The platform was not asked" in caught.value.cause


@pytest.mark.parametrize(
    ("code", "status", "cls"),
    [
        ("100403", 200, errors.NotFoundError),
        ("100426", 400, errors.AlreadyExistsError),
        ("100208", 401, errors.NotAuthorizedError),
        ("1010005", 403, errors.BadTokenError),
        ("101005", 403, errors.BadTokenError),
        ("1010009", 403, errors.ThrottledError),
        ("101009", 403, errors.ThrottledError),
        ("103028", 403, errors.QuotaReachedError),
        ("999999", 404, errors.NotFoundError),
        ("999999", 409, errors.AlreadyExistsError),
        ("999999", 500, errors.PlatformFailureError),
        ("999999", 599, errors.PlatformFailureError),
        ("999999", 418, NorthApiException),
        ("999999", None, NorthApiException),
    ],
)
def test_the_class_follows_the_code_then_the_status(code: str, status: int | None, cls: Any) -> None:
    assert class_for(code, status) is cls


def test_the_sentence_tells_what_where_how_often_and_what_to_do() -> None:
    text = str(errors.NotFoundError("100403", "The device is not there.", **DETAILS))
    assert text.startswith("100403 on GET /x/{y} (HTTP 404): The device is not there. Given up after 3 attempts in 1.5")
    assert "may have had an effect" in text
    assert ".." not in text


def test_an_unknown_code_gives_a_sentence_all_the_same() -> None:
    error = NorthApiException("987654", "something new")
    assert (str(error), error.cause, error.remedy) == ("987654: something new.", "", "")


def test_a_wait_that_took_too_long_is_not_blamed_on_the_network() -> None:
    error = WaitTimeoutError("1003", "command c-1 has not ended within 5 s", attempts=4, elapsed=5.04)
    assert str(error) == ("1003: command c-1 has not ended within 5 s. Looked 4 times in 5.0 s. Wait again, or longer.")
    assert "more time" in error.cause


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (errors.RequestTimeoutError, SdkCode.NO_ANSWER),
        (errors.RequestTimeoutError, SdkCode.UNREADABLE),
        (errors.ConnectionFailedError, SdkCode.NO_ANSWER),
        (errors.TlsError, SdkCode.NO_ANSWER),
        (errors.ClientClosedError, SdkCode.CLIENT_INTERNAL),
        (WaitTimeoutError, SdkCode.NO_ANSWER),
    ],
)
def test_where_failures_share_a_code_the_class_tells_cause_and_remedy(cls: Any, code: str) -> None:
    error, shared = cls(code, "told"), NorthApiException(code, "told")
    assert error.cause not in ("", shared.cause)
    assert error.remedy not in ("", shared.remedy)
    if cls is not errors.TlsError:
        assert "certificate" not in error.remedy


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidArgumentError.of("timeout", "-1", "it must be a number of seconds, 0 or more"),
        errors.InvalidArgumentError(SdkCode.CLIENT_INFO, "ClientInfo.secret is missing: give it"),
        errors.InvalidArgumentError(SdkCode.BLANK_IN_CREDENTIALS, "ClientInfo.secret holds a blank: remove it"),
        errors.TlsError(SdkCode.TLS, "trust.pem does not exist: correct the path"),
        errors.TlsError(SdkCode.NO_ANSWER, "We refused the server's certificate: it has expired"),
    ],
    ids=lambda error: error.error_code,
)
def test_a_message_that_says_what_to_do_is_not_followed_by_a_second_one(error: NorthApiException) -> None:
    assert str(error) == f"{error.error_code}: {error.error_desc}."
    assert error.remedy
