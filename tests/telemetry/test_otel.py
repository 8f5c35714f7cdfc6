"""Spans as an exporter gets them, from real calls."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes, url_attributes
from opentelemetry.trace import SpanKind, StatusCode
from tests.clock import FakeClock

from iot_northbound import ClientInfo, ConnectionFailedError, NotFoundError, ResponseEvent
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.telemetry import tracing_hooks

READ: Endpoint[None] = Endpoint("GET", "/devices/{device_id}", type(None), section="test")
INFO = ClientInfo(platform_ip="platform.example", platform_port=8743, app_id="a", secret="s")
THROTTLED = (429, {"error_code": "1010009", "error_desc": "too fast"}, {"Retry-After": "2"})
MISSING = (404, {"error_code": "100403", "error_desc": "no such device"})


class Spans:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.hooks = tracing_hooks(INFO, self.provider)

    @property
    def ended(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()


@pytest.fixture
def spans() -> Spans:
    return Spans()


def call(client: Any) -> None:
    client.call(READ, {"device_id": "very-private-id"}, access_token="a-token-of-mine")


def test_each_attempt_is_a_span_inside_that_of_the_application(serve: Any, connect: Any, spans: Spans) -> None:
    server = serve(lambda seen, wire: THROTTLED if len(server.seen) == 1 else (200, {}))
    client = connect(server, hooks=spans.hooks, clock=FakeClock())
    with spans.provider.get_tracer("application").start_as_current_span("morning") as outer:
        call(client)
    first, second, _ = spans.ended
    assert [each.name for each in (first, second)] == ["GET /devices/{device_id}"] * 2
    assert {each.parent.span_id for each in (first, second) if each.parent} == {outer.get_span_context().span_id}
    assert {each.kind for each in (first, second)} == {SpanKind.CLIENT}
    assert first.attributes == {
        http_attributes.HTTP_REQUEST_METHOD: "GET",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 429,
        server_attributes.SERVER_ADDRESS: "platform.example",
        server_attributes.SERVER_PORT: 8743,
        url_attributes.URL_SCHEME: "https",
        "url.template": "/devices/{device_id}",
        error_attributes.ERROR_TYPE: "429",
        "iot_northbound.error_code": "1010009",
    }
    assert second.attributes
    assert second.attributes[http_attributes.HTTP_REQUEST_RESEND_COUNT] == 1
    assert error_attributes.ERROR_TYPE not in second.attributes
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)


def test_no_span_has_an_id_a_token_or_a_query(serve: Any, connect: Any, spans: Spans) -> None:
    server = serve(lambda seen, wire: MISSING)
    client = connect(server, hooks=spans.hooks)
    with pytest.raises(NotFoundError):
        client.call(READ, {"device_id": "very-private-id"}, query={"appId": "other-app"}, access_token="private-token")
    (span,) = spans.ended
    assert "private" not in span.to_json()
    assert "other-app" not in span.to_json()


def test_no_traceparent_is_sent(serve: Any, connect: Any, spans: Spans) -> None:
    server = serve(lambda seen, wire: (200, {}))
    with spans.provider.get_tracer("application").start_as_current_span("morning"):
        call(connect(server, hooks=spans.hooks))
    assert not [name for seen in server.seen for name in seen.headers if name.lower() in ("traceparent", "tracestate")]


def test_an_attempt_without_an_answer_is_an_error(serve: Any, connect: Any, spans: Spans) -> None:
    server = serve(lambda seen, wire: wire.close())
    client = connect(server, hooks=spans.hooks, max_attempts=1)
    with pytest.raises(ConnectionFailedError):
        call(client)
    span = spans.ended[0]
    assert span.attributes
    assert span.attributes[error_attributes.ERROR_TYPE] == "1003"
    assert http_attributes.HTTP_RESPONSE_STATUS_CODE not in span.attributes


@pytest.mark.parametrize(
    ("status", "code", "type_"),
    [
        (200, None, None),
        (200, "1010009", "1010009"),
        (200, "made-up", "_OTHER"),
        (500, "made-up", "500"),
        (None, None, "_OTHER"),
        (None, "1003", "1003"),
    ],
)
def test_the_type_of_an_error_is_one_of_few(spans: Spans, status: int | None, code: str | None, type_: Any) -> None:
    assert spans.hooks.after_response
    spans.hooks.after_response(ResponseEvent("GET /x", 1, status, code, 1.5))
    (span,) = spans.ended
    assert (span.attributes or {}).get(error_attributes.ERROR_TYPE) == type_
    assert span.end_time
    assert span.start_time
    assert span.end_time - span.start_time == 1_500_000_000
