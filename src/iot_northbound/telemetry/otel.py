"""A span of OpenTelemetry for each attempt of a call."""

import time

from iot_northbound._extras import needs_extra
from iot_northbound._version import __version__
from iot_northbound.config import ClientInfo
from iot_northbound.core.hooks import Hooks, ResponseEvent
from iot_northbound.error_codes import explain

with needs_extra("otel"):
    from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider, get_tracer
    from opentelemetry.util.types import AttributeValue


def tracing_hooks(client_info: ClientInfo | None = None, tracer_provider: TracerProvider | None = None) -> Hooks:
    """Return hooks that make a span for each attempt, by the semantic conventions for HTTP clients.

    The name is method and path template, which has no ids; for the same reason there is no ``url.full``. A span is
    made when its attempt has ended, as a child of the span in which the call was made. A ``traceparent`` is not sent:
    hooks change no request, and the platform would not use it.

    Args:
        client_info: whose address the spans have; without it they have none.
        tracer_provider: where the spans go; by default the global provider.
    """
    tracer = get_tracer("iot_northbound", __version__, tracer_provider)
    server: dict[str, AttributeValue] = {}
    if client_info is not None:
        server = {"server.address": client_info.platform_ip, "server.port": client_info.platform_port}

    def answered(event: ResponseEvent) -> None:
        method, _, template = event.endpoint.partition(" ")
        attributes = {**server, "http.request.method": method, "url.scheme": "https", "url.template": template}
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if event.error_code is not None:
            attributes["iot_northbound.error_code"] = event.error_code
        failure = _failure(event)
        if failure is not None:
            attributes["error.type"] = failure
        ended = time.time_ns()
        span = tracer.start_span(
            event.endpoint,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=ended - int(event.elapsed * 1e9),
        )
        if failure is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    return Hooks(after_response=answered)


def _failure(event: ResponseEvent) -> str | None:
    """Return the type of a failed attempt: its status, or its code if the status says nothing; None if it worked."""
    if event.status is not None and event.status >= 400:
        return str(event.status)
    if event.error_code is not None and explain(event.error_code):
        return event.error_code
    return "_OTHER" if event.status is None or event.error_code is not None else None
