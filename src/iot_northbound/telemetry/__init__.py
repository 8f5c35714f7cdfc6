"""Figures for Prometheus and spans for OpenTelemetry, through the hooks of a client.

`PrometheusMetrics` needs the extra ``prometheus``, `tracing_hooks` the extra ``otel``.
"""

from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names

if TYPE_CHECKING:
    from iot_northbound.telemetry.otel import tracing_hooks as tracing_hooks
    from iot_northbound.telemetry.prometheus import PrometheusMetrics as PrometheusMetrics

__all__ = ["PrometheusMetrics", "tracing_hooks"]

if not TYPE_CHECKING:  # so that a type checker still refuses an unknown name
    __getattr__, __dir__ = lazy_names(__name__, {"PrometheusMetrics": "prometheus", "tracing_hooks": "otel"})
