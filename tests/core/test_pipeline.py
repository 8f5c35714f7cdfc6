"""A call's way: attempts, deadline, token, and that whatever comes back is a DTO or a NorthApiException."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.clock import FakeClock
from tests.endpoints import ALL, ids
from tests.faulty_server import Seen, Wire

from iot_northbound import (
    BadTokenError,
    ClientInfo,
    ConnectionFailedError,
    Hooks,
    HttpConfig,
    InvalidArgumentError,
    NorthApiClient,
    NorthApiException,
    NotFoundError,
    PlatformFailureError,
    ThrottledError,
    UnreadableAnswerError,
)
from iot_northbound.core.endpoint import Endpoint

BASE = "https://platform.example:8743"
INFO = ClientInfo(platform_ip="platform.example", app_id="app-0042", secret="sesame-Open-81")
READ: Endpoint[None] = Endpoint("GET", "/read", type(None), section="test")
WRITE: Endpoint[None] = Endpoint("POST", "/write", type(None), section="test")
THROTTLED = {"error_code": "1010009", "error_desc": "too fast"}
TOKEN = "a-token-of-the-caller"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield mocked


def make(clock: Any = None, **http: Any) -> NorthApiClient:
    rest = {"clock": clock} if clock else {}
    return NorthApiClient(INFO, http=HttpConfig(**http), **rest)


def answers(mock: responses.RequestsMock, endpoint: Endpoint[Any], *told: Any) -> None:
    """Register answers one after the other: (status, JSON) or (status, JSON, headers), or an exception."""
    for each in told:
        if isinstance(each, Exception):
            mock.add(endpoint.method, BASE + endpoint.path, body=each)
        else:
            status, body, *headers = each
            mock.add(endpoint.method, BASE + endpoint.path, json=body, status=status, headers=dict(*headers))


def call(client: NorthApiClient, endpoint: Endpoint[Any] = READ) -> Any:
    return client.call(endpoint, {}, access_token=TOKEN)


# -- repeats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", [READ, WRITE], ids=lambda each: each.method)
@pytest.mark.parametrize(
    "refusal",
    [
        (403, THROTTLED),
        (200, THROTTLED),
        (429, {}),
        (503, {"error_code": "100501", "error_desc": "busy"}),
    ],
    ids=str,
)
def test_what_was_refused_unread_is_repeated_for_every_endpoint(
    mock: responses.RequestsMock, clock: FakeClock, endpoint: Any, refusal: Any
) -> None:
    answers(mock, endpoint, refusal, refusal, (200, {}))
    assert call(make(clock), endpoint) is None
    assert len(mock.calls) == 3
    assert len(clock.slept) <= 2


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateways_failure_is_repeated_for_reads_only(
    mock: responses.RequestsMock, clock: FakeClock, status: int
) -> None:
    for endpoint in (READ, WRITE):
        answers(mock, endpoint, *[(status, {})] * 5)
    for endpoint, attempts in ((READ, 3), (WRITE, 1)):
        with pytest.raises(PlatformFailureError) as caught:
            call(make(clock), endpoint)
        assert caught.value.attempts == attempts
        assert caught.value.outcome_unknown == (endpoint is WRITE)


@pytest.mark.parametrize("told", [(404, {"error_code": "100403", "error_desc": "gone"}), (400, {}), (500, {})], ids=str)
def test_an_answer_is_final(mock: responses.RequestsMock, clock: FakeClock, told: Any) -> None:
    answers(mock, READ, told)
    with pytest.raises(NorthApiException) as caught:
        call(make(clock))
    assert (caught.value.attempts, caught.value.outcome_unknown) == (1, False)
    assert clock.slept == []


def test_the_number_of_attempts_is_the_configurations_or_the_calls(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    answers(mock, READ, *[(403, THROTTLED)] * 50)
    client = make(clock, max_attempts=5)
    for view, attempts in ((client, 5), (client.with_options(max_attempts=1), 1)):
        with pytest.raises(ThrottledError) as caught:
            call(view)
        assert caught.value.attempts == attempts


@pytest.mark.parametrize(("value", "pause"), [("7", 7.0), ("0", None)])
def test_retry_after_is_waited_for(
    mock: responses.RequestsMock, clock: FakeClock, value: str, pause: float | None
) -> None:
    answers(mock, WRITE, (503, {"error_code": "100501", "error_desc": "busy"}, {"Retry-After": value}), (200, {}))
    call(make(clock, backoff_base=0), WRITE)
    assert clock.slept == ([pytest.approx(pause)] if pause else [])


@pytest.mark.parametrize(("deadline", "value"), [(5.0, "5"), (None, "301"), (None, "9" * 400)])
def test_a_wait_past_the_deadline_or_past_all_reason_is_not_begun(
    mock: responses.RequestsMock, clock: FakeClock, deadline: float | None, value: str
) -> None:
    answers(mock, READ, (429, THROTTLED, {"Retry-After": value}))
    with pytest.raises(ThrottledError) as caught:
        call(make(clock, deadline=deadline))
    assert clock.slept == []
    assert caught.value.retry_after == min(float(value), 366 * 86400)


def test_the_deadline_counts_over_all_attempts(mock: responses.RequestsMock, clock: FakeClock) -> None:
    answers(mock, READ, *[(403, THROTTLED, {"Retry-After": "4"})] * 50)
    with pytest.raises(ThrottledError) as caught:
        call(make(clock, deadline=10, max_attempts=50, backoff_base=0))
    assert caught.value.attempts == 3
    assert caught.value.elapsed == pytest.approx(8)


def test_a_quota_stops_a_storm_of_repeats(mock: responses.RequestsMock, clock: FakeClock) -> None:
    answers(mock, READ, *[(403, THROTTLED)])
    client = make(clock, max_attempts=3)
    for _ in range(100):
        with pytest.raises(ThrottledError):
            call(client)
    assert len(mock.calls) == 100 + 100  # a call each, and a hundred repeats in all


def test_the_rate_limit_counts_each_attempt(mock: responses.RequestsMock, clock: FakeClock) -> None:
    answers(mock, READ, (403, THROTTLED), (200, {}))
    call(make(clock, calls_per_minute=1, deadline=None, backoff_base=0))
    assert sum(clock.slept) == pytest.approx(60.05)


def test_the_clients_own_limit_does_not_hide_that_an_attempt_may_have_arrived(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    put: Endpoint[None] = Endpoint("PUT", "/put", type(None), section="test", repeatable=True)
    answers(mock, put, (502, {}))
    with pytest.raises(ThrottledError) as caught:
        call(make(clock, calls_per_minute=1, deadline=30), put)
    assert caught.value.outcome_unknown
    assert caught.value.endpoint == put.name


def test_an_error_tells_endpoint_attempts_and_time_in_a_sentence(
    mock: responses.RequestsMock, clock: FakeClock
) -> None:
    answers(mock, READ, *[(429, THROTTLED, {"Retry-After": "2"})] * 3)
    with pytest.raises(ThrottledError) as caught:
        call(make(clock, backoff_base=0))
    error = caught.value
    assert (error.endpoint, error.attempts, error.elapsed) == ("GET /read", 3, pytest.approx(4))
    assert str(error).startswith("1010009 on GET /read (HTTP 429): too fast. Given up after 3 attempts in 4.0 s.")
    assert str(error).endswith(error.remedy)
    assert error.cause


# -- the token ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "  ", 5, b"x"])
def test_an_explicit_token_must_be_one(mock: responses.RequestsMock, token: Any) -> None:
    with pytest.raises(NorthApiException) as caught:
        make().call(READ, {}, access_token=token)
    assert caught.value.error_code == "1009"
    assert not mock.calls


def test_an_explicit_token_is_never_renewed(mock: responses.RequestsMock) -> None:
    answers(mock, WRITE, (401, {"error_code": "1010005", "error_desc": "bad"}))
    with pytest.raises(BadTokenError) as caught:
        call(make(), WRITE)
    assert len(mock.calls) == caught.value.attempts == 1


def test_without_timer_and_token_nothing_is_sent(mock: responses.RequestsMock) -> None:
    with pytest.raises(NorthApiException) as caught:
        make().call(READ, {})
    assert (caught.value.error_code, caught.value.endpoint, caught.value.attempts) == ("1009", "GET /read", 0)
    assert not mock.calls


# -- before anything is sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({"select": "\ud800"}, None),
        (None, {"text": "\ud800"}),
        (None, {"number": float("nan")}),
        (None, {"thing": object()}),
    ],
    ids=["query", "surrogate", "nan", "object"],
)
def test_what_cannot_be_written_is_refused_before_anything_is_sent(
    mock: responses.RequestsMock, query: Any, body: Any
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make().call(WRITE, {}, query=query, body=body, access_token=TOKEN)
    assert caught.value.error_code == "1007"
    assert not mock.calls


def test_a_body_that_contains_itself_is_refused(mock: responses.RequestsMock) -> None:
    body: dict[str, Any] = {}
    body["self"] = body
    with pytest.raises(InvalidArgumentError):
        make().call(WRITE, {}, body=body, access_token=TOKEN)


# -- whatever comes back -----------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
CODES = st.sampled_from(["100403", "1010005", "1010009", 50400, "", None, True, {}, "\ud800"]) | JSON
ERRORS = st.fixed_dictionaries(
    {}, optional={"error_code": CODES, "error_desc": JSON, "resultcode": CODES, "resultmsg": JSON}
)


def named(endpoint: Endpoint[Any]) -> st.SearchStrategy[Any]:
    """Return JSON with the endpoint's own field names, right and wrong types mixed."""
    from iot_northbound.core.fields import specs

    if endpoint.result is type(None):
        return JSON
    return st.fixed_dictionaries({}, optional={spec.wire: JSON for spec in specs(endpoint.result).values()})


STATUS = st.integers(200, 599)
TYPES = st.sampled_from(
    ["application/json", "text/html; charset=gbk", "application/json; charset=nonsense", "", "x; charset=utf-16", "é"]
)
CLIENT = make(max_attempts=1)
ENDPOINTS = st.sampled_from(list(ALL.values()))


def check_answer(endpoint: Endpoint[Any], status: int, body: bytes, content_type: str) -> None:
    with responses.RequestsMock() as mocked:
        path = endpoint.url(ids(endpoint))
        mocked.add(endpoint.method, BASE + path, body=body, status=status, content_type=content_type)
        outcome: Any
        try:
            outcome = CLIENT.call(endpoint, ids(endpoint), access_token=TOKEN if endpoint.authorized else None)
        except NorthApiException as error:
            outcome = error
    assert repr(outcome)
    assert str(outcome)
    if isinstance(outcome, NorthApiException):
        assert outcome.endpoint == endpoint.name
    else:
        assert 200 <= status < 300
        assert isinstance(outcome, endpoint.result)


QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUIET
@given(ENDPOINTS.flatmap(lambda e: st.tuples(st.just(e), JSON | ERRORS | named(e))), STATUS | st.just(200), TYPES)
def test_any_json_becomes_a_dto_or_a_north_api_exception(drawn: Any, status: int, content_type: str) -> None:
    endpoint, value = drawn
    check_answer(endpoint, status, json.dumps(value).encode(), content_type)


@QUIET
@given(ENDPOINTS, STATUS, st.binary(max_size=200), TYPES)
def test_any_bytes_become_a_dto_or_a_north_api_exception(
    endpoint: Endpoint[Any], status: int, body: bytes, content_type: str
) -> None:
    check_answer(endpoint, status, body, content_type)


@pytest.mark.parametrize("section", ALL)
@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[]", b'"x"', b"{", b"<html>"], ids=repr)
def test_every_endpoint_stands_the_plainest_odd_answers(section: str, body: bytes) -> None:
    check_answer(ALL[section], ALL[section].success, body, "application/json")


def test_one_odd_device_does_not_make_a_page_unreadable(mock: responses.RequestsMock) -> None:
    endpoint = ALL["1.5.2"]
    odd = {"deviceInfo": {"nodeId": "n", "signalStrength": -87, "mac": {"a": 1}}}
    answers(mock, endpoint, (200, {"totalCount": "2", "devices": [{"deviceId": "d"}, odd]}))
    page = call(make(), endpoint)
    assert (page.total_count, page.devices[0].device_id) == (2, "d")
    info = page.devices[1].device_info
    assert (info.node_id, info.signal_strength, info.mac, info.unknown_fields) == ("n", "-87", None, {"mac": {"a": 1}})


def test_a_wrong_type_is_told_by_its_path_in_wire_names(mock: responses.RequestsMock) -> None:
    endpoint = ALL["1.5.2"]
    answers(mock, endpoint, (200, [{"totalCount": 1}]))
    with pytest.raises(UnreadableAnswerError) as caught:
        call(make(), endpoint)
    error = caught.value
    assert "$ should be an object, not a list" in error.error_desc
    assert (error.error_code, error.endpoint, error.http_status_code) == ("1004", endpoint.name, 200)
    assert not error.outcome_unknown


def test_an_unreadable_answer_to_a_post_says_that_it_may_have_taken_effect(mock: responses.RequestsMock) -> None:
    endpoint = ALL["1.4.1"]
    answers(mock, endpoint, (200, {"deviceId": {"id": 5}}))
    with pytest.raises(UnreadableAnswerError, match="deviceId should be text, not an object") as caught:
        call(make(), endpoint)
    assert caught.value.outcome_unknown
    assert len(mock.calls) == 1


def test_an_error_on_http_200_is_one(mock: responses.RequestsMock) -> None:
    mock.add("PUT", BASE + ALL["1.4.4"].url(ids(ALL["1.4.4"])), json={"error_code": 100403, "error_desc": "gone"})
    with pytest.raises(NotFoundError):
        make().call(ALL["1.4.4"], ids(ALL["1.4.4"]), body={}, access_token=TOKEN)


def test_what_the_adapter_raises_is_wrapped(mock: responses.RequestsMock) -> None:
    """An address nobody mocked: `responses` raises requests' ConnectionError."""
    with pytest.raises(ConnectionFailedError) as caught:
        call(make(max_attempts=1))
    assert caught.value.error_code == "1003"


def test_the_debug_log_tells_each_exchange_on_one_readable_line(
    mock: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()
    mock.add("POST", f"{BASE}/write", body='{"id": "d-1",\n "secret": "hidden-thing"}', status=201)
    mock.add("GET", f"{BASE}/read", body=b"")
    with caplog.at_level(logging.DEBUG, "iot_northbound"):
        client.call(WRITE, {}, body={"nodeId": "n-1", "psk": "aabbccdd"}, access_token=TOKEN)
        client.call(READ, {}, query={"pageNo": 0, "token": "hidden-thing", "name": "Zähler"}, access_token=TOKEN)
    assert [record.getMessage() for record in caplog.records] == [
        'POST /write [MainThread] sent {"nodeId":"n-1","psk":"***"}, answered 201 {"id": "d-1",\\n "secret": "***"}',
        "GET /read?pageNo=0&token=***&name=Z%C3%A4hler [MainThread] answered 200 ",
    ]


def test_hooks_are_told_the_template_and_never_the_id(mock: responses.RequestsMock) -> None:
    told: list[str] = []
    client = NorthApiClient(INFO, hooks=Hooks(before_request=lambda event: told.append(event.endpoint)))
    mock.add("GET", f"{BASE}/things/t-1", json={})
    by_id: Endpoint[None] = Endpoint("GET", "/things/{thing_id}", type(None), section="test")
    client.call(by_id, {"thing_id": "t-1"}, query={"pageNo": 0}, access_token=TOKEN)
    assert told == ["GET /things/{thing_id}"]


def test_a_gateway_that_reads_the_declared_charset_reads_every_name(serve: Any, connect: Any) -> None:
    def echo(seen: Seen, wire: Wire) -> Any:
        kind, _, charset = seen.headers["content-type"].partition("; charset=")
        names.append((kind, json.loads(seen.body.decode(charset or "latin-1"))["name"]))
        return 200, {}

    names: list[tuple[str, str]] = []
    client = connect(serve(echo))
    for name in ("水表 №7", "Zähler", "\U0001f6b0", "plain"):
        client.call(WRITE, {}, body={"name": name}, access_token="given")
        assert names.pop() == ("application/json", name)
