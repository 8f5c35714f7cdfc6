"""The programs of docs/observability.md."""

# --8<-- [start:hooks]
from collections import Counter

from iot_northbound import (
    Hooks,
    NorthApiClient,
    RequestEvent,
    ResponseEvent,
    RetryEvent,
)

counts: Counter[tuple[str, int | None]] = Counter()


def before(event: RequestEvent) -> None:
    print("->", event.endpoint, "attempt", event.attempt)


def after(event: ResponseEvent) -> None:
    counts[event.endpoint, event.status] += 1
    print("<-", event.status, event.error_code, f"{event.elapsed * 1000:.1f} ms")


def again(event: RetryEvent) -> None:
    print("again in", event.delay, "s:", event.reason)


hooks = Hooks(before_request=before, after_response=after, on_retry=again)
with NorthApiClient.from_profile(
    "~/.iot-northbound/emulator/profile.toml", hooks=hooks
) as client:
    client.data_collection.query_batch_devices_info()
# --8<-- [end:hooks]


# --8<-- [start:logging]
import logging

logging.basicConfig(level=logging.INFO)
logging.getLogger("iot_northbound").setLevel(logging.DEBUG)  # bodies, without secrets
# --8<-- [end:logging]


# --8<-- [start:secrets]
from iot_northbound import ClientInfo

info = ClientInfo(
    platform_ip="platform.example", app_id="demo", secret="not-a-real-one"
)
assert "not-a-real-one" not in repr(info)
assert info.secret == "not-a-real-one"
# --8<-- [end:secrets]


# --8<-- [start:prometheus]
from prometheus_client import start_http_server

from iot_northbound import NorthApiClient
from iot_northbound.telemetry import PrometheusMetrics

metrics = PrometheusMetrics()
with NorthApiClient.from_profile(
    "~/.iot-northbound/emulator/profile.toml", hooks=metrics.hooks
) as client:
    metrics.watch_client(client)
    server, _ = start_http_server(0, addr="127.0.0.1")  # 0: a free port
    print(f"figures at http://127.0.0.1:{server.server_port}/metrics")
    client.data_collection.query_batch_devices_info()
# --8<-- [end:prometheus]


# --8<-- [start:opentelemetry]
from iot_northbound import Hooks, NorthApiClient, load_profile
from iot_northbound.telemetry import tracing_hooks

info, tls, http, shared = load_profile("~/.iot-northbound/emulator/profile.toml")
both = Hooks.together(metrics.hooks, tracing_hooks(info))
with NorthApiClient(info, tls, http, shared, hooks=both) as client:
    client.data_collection.query_batch_devices_info()
# --8<-- [end:opentelemetry]
