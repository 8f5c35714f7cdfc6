"""What may be repeated, when, and how often: the rules by themselves."""

import threading

import pytest

from iot_northbound import HttpConfig, NorthApiException
from iot_northbound.core.retry import Backoff, Outcome, RetryQuota, outcome_of
from iot_northbound.errors import class_for


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("1010009", 403, Outcome.REFUSED_UNREAD),
        ("1010009", 200, Outcome.REFUSED_UNREAD),
        ("101009", 400, Outcome.REFUSED_UNREAD),
        ("100501", 503, Outcome.REFUSED_UNREAD),
        ("1011", 429, Outcome.REFUSED_UNREAD),
        ("100501", 500, Outcome.FINAL),
        ("1011", 502, Outcome.UNKNOWN),
        ("1011", 503, Outcome.UNKNOWN),
        ("1011", 504, Outcome.UNKNOWN),
        ("1004", 200, Outcome.UNKNOWN),
        ("100001", 500, Outcome.FINAL),
        ("100403", 404, Outcome.FINAL),
        ("1010005", 403, Outcome.FINAL),
    ],
)
def test_an_answer_tells_what_became_of_its_request(code: str, status: int, outcome: Outcome) -> None:
    error = class_for(code, status)(code, "told", http_status_code=status)
    assert outcome_of(error) is outcome


def test_delays_are_drawn_from_nothing_to_a_doubling_end_with_a_cap() -> None:
    highest = Backoff(0.5, 20.0, lambda: 1.0)
    assert [highest.delay(failures, None) for failures in (1, 2, 3, 6, 7, 5000)] == [0.5, 1, 2, 16, 20, 20]
    assert Backoff(0.5, 20.0, lambda: 0.0).delay(9, None) == 0
    drawn = {Backoff(0.5, 20.0).delay(4, None) for _ in range(50)}
    assert len(drawn) > 40
    assert max(drawn) <= 4


def test_what_the_server_asks_to_wait_is_the_least() -> None:
    backoff = Backoff(0.5, 20.0, lambda: 1.0)
    assert backoff.delay(1, 7.0) == 7
    assert backoff.delay(5, 0.1) == 8


def test_the_delays_are_the_configurations_alone() -> None:
    with pytest.raises(TypeError):
        Backoff()  # type: ignore[call-arg]
    assert (HttpConfig().backoff_base, HttpConfig().backoff_cap) == (0.5, 20.0)


def test_the_quota_ends_a_storm_and_successes_fill_it_again() -> None:
    quota = RetryQuota(capacity=10, cost=5)
    assert [quota.take() for _ in range(4)] == [True, True, False, False]
    for _ in range(5):
        quota.give_back()
    assert [quota.take() for _ in range(2)] == [True, False]
    for _ in range(100):
        quota.give_back()
    assert [quota.take() for _ in range(3)] == [True, True, False]


def test_the_quota_counts_right_across_threads() -> None:
    quota = RetryQuota(capacity=500, cost=5)
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.extend(quota.take() for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert taken.count(True) == 100


def test_an_error_without_status_is_final() -> None:
    assert outcome_of(NorthApiException("1007", "an argument")) is Outcome.FINAL
