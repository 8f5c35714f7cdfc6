"""Spans of OpenTelemetry for each call, inside those of the application.

    python examples/tracing.py ~/.iot-northbound/emulator/profile.toml

It registers a meter, asks for it, asks for one that does not exist, deletes the
meter, and prints the spans. Needs the extra "otel":

    pip install 'iot-northbound[otel]'
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from iot_northbound import NorthApiClient, NotFoundError, load_profile
from iot_northbound.dto import RegDirectDeviceInDTO2
from iot_northbound.telemetry import tracing_hooks


class Printer(SpanExporter):
    """Prints each span on a line; an application has an exporter of OpenTelemetry."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            known = span.attributes or {}
            status = known.get("http.response.status_code", "")
            indent = "  " if span.parent else ""
            print(
                f"{indent}{span.name} {status} {known.get('error.type', '')}".rstrip()
            )
        return SpanExportResult.SUCCESS


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the spans of some calls.")
    parser.add_argument("profile", type=Path)
    options = parser.parse_args()

    provider = TracerProvider(resource=Resource.create({"service.name": "meters"}))
    provider.add_span_processor(SimpleSpanProcessor(Printer()))
    tracer = provider.get_tracer("examples.tracing")

    info, tls, http, shared = load_profile(options.profile)
    hooks = tracing_hooks(info, provider)
    with NorthApiClient(info, tls, http, shared, hooks=hooks) as client:
        with tracer.start_as_current_span("install a meter"):
            request = RegDirectDeviceInDTO2(node_id="meter-traced")
            meter = client.device_management.reg_direct_device(request)
            client.data_collection.query_single_device_info(meter.device_id)
        with tracer.start_as_current_span("look for a meter"):
            try:
                client.data_collection.query_single_device_info("no-such-meter")
            except NotFoundError as error:
                print(error)
        client.device_management.delete_direct_device(meter.device_id)
    provider.shutdown()


if __name__ == "__main__":
    main()
