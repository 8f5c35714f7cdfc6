"""Figures as Prometheus reads them, from real calls and a real receiver."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.clock import FakeClock

from iot_northbound import Hooks, NotFoundError, PushMessageReceiver, ResponseEvent
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.push import InboxError, MemoryInbox
from iot_northbound.telemetry import PrometheusMetrics

READ: Endpoint[None] = Endpoint("GET", "/devices/{device_id}", type(None), section="test")
NAME = "GET /devices/{device_id}"
THROTTLED = (429, {"error_code": "1010009", "error_desc": "too fast"}, {"Retry-After": "2"})
MISSING = (404, {"error_code": "100403", "error_desc": "no such device"})


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what Prometheus would read, by name and the values of its labels in the order of their names."""
    text = generate_latest(registry).decode()
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    made = {(each.name, tuple(value for _, value in sorted(each.labels.items()))): each.value for each in found}
    assert len(made) == len(found)
    return made


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_attempts_are_counted_by_call_status_and_code(serve: Any, connect: Any, registry: CollectorRegistry) -> None:
    answers = [THROTTLED, (200, {}), MISSING]
    server = serve(lambda seen, wire: answers[len(server.seen) - 1])
    client = connect(server, hooks=PrometheusMetrics(registry).hooks, clock=FakeClock())
    client.call(READ, {"device_id": "very-private-id"}, access_token="t")
    with pytest.raises(NotFoundError):
        client.call(READ, {"device_id": "very-private-id"}, access_token="t")
    read = samples(registry)
    assert read["iot_northbound_attempts_total", ("1010009", NAME, "429")] == 1
    assert read["iot_northbound_attempts_total", ("", NAME, "200")] == 1
    assert read["iot_northbound_attempts_total", ("100403", NAME, "404")] == 1
    assert read["iot_northbound_retries_total", (NAME,)] == 1
    assert read["iot_northbound_attempt_seconds_count", (NAME,)] == 3
    assert "private" not in str(read)


def test_a_hostile_platform_cannot_make_labels_without_end(registry: CollectorRegistry) -> None:
    hook = PrometheusMetrics(registry).hooks.after_response
    assert hook
    for number in range(100):
        hook(ResponseEvent(NAME, 1, 400, f"made-up-{number}", 0.1))
    hook(ResponseEvent(NAME, 1, None, "1003", 0.1))
    attempts = {labels: value for (name, labels), value in samples(registry).items() if name.endswith("attempts_total")}
    assert attempts == {("other", NAME, "400"): 100, ("1003", NAME, "none"): 1}


def test_clients_show_their_token_and_their_limit(serve: Any, connect: Any, registry: CollectorRegistry) -> None:
    server = serve(lambda seen, wire: (200, {}))
    metrics = PrometheusMetrics(registry)
    for name in ("one", "two"):
        client = connect(server, calls_per_minute=10, clock=FakeClock())
        metrics.watch_client(client, name)
        client.call(READ, {"device_id": "d"}, access_token="t")
    metrics.watch_client(connect(server), "without a limit")
    read = samples(registry)
    assert read["iot_northbound_limit_taken_total", ("one",)] == 1
    assert read["iot_northbound_limit_taken_total", ("two",)] == 1
    assert read["iot_northbound_limit_processes", ("one",)] == 1
    assert read["iot_northbound_connections_opened_total", ("one",)] == 1
    assert read["iot_northbound_token_renewals_total", ("one",)] == 0
    assert ("iot_northbound_limit_taken_total", ("without a limit",)) not in read


def test_receivers_show_their_inbox_also_before_and_after_they_run(registry: CollectorRegistry) -> None:
    metrics = PrometheusMetrics(registry)
    receiver = PushMessageReceiver(MemoryInbox())
    metrics.watch_receiver(receiver)
    assert samples(registry)["iot_northbound_inbox_depth", ("receiver",)] == 0
    with receiver:
        receiver.receive(json.dumps({"notifyType": "deviceDeleted", "deviceId": "d"}))
        receiver.receive("no JSON")
    read = samples(registry)
    assert read["iot_northbound_pushes_accepted_total", ("receiver",)] == 1
    assert read["iot_northbound_pushes_refused_total", ("receiver", "400")] == 1
    assert read["iot_northbound_pushes_handled_total", ("receiver",)] == 1


def test_hooks_together_call_all_even_if_one_fails() -> None:
    seen: list[Any] = []

    def fails(event: Any) -> None:
        raise RuntimeError("a mistake of the application")

    both = Hooks.together(Hooks(after_response=fails), Hooks(after_response=seen.append, on_retry=seen.append))
    event = ResponseEvent(NAME, 1, 200, None, 0.1)
    assert both.after_response
    both.after_response(event)
    assert seen == [event]
    assert both.before_request is None
    assert Hooks.together(Hooks(), Hooks()) == Hooks()


def test_a_receiver_whose_inbox_is_away_takes_no_other_figures_with_it(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: Any) -> None:
        raise InboxError("not-a-real-password")

    metrics = PrometheusMetrics(registry)
    good, bad = PushMessageReceiver(MemoryInbox()), PushMessageReceiver(MemoryInbox())
    metrics.watch_receiver(bad, "bad")
    metrics.watch_receiver(good, "good")
    monkeypatch.setattr(bad, "metrics", lambda: away(bad))
    assert ("iot_northbound_inbox_depth", ("good",)) in samples(registry)
    assert "the figures of bad cannot be read: InboxError" in caplog.text
    assert "not-a-real" not in caplog.text
