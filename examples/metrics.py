"""Figures of an application for Prometheus: its calls, its token, its inbox.

    python examples/metrics.py ~/.iot-northbound/emulator/profile.toml --port 9108

It lists the devices every few seconds and receives pushes, until Ctrl-C.
http://127.0.0.1:9108/metrics has the figures. Needs the extra "prometheus":

    pip install 'iot-northbound[prometheus]'
"""

import argparse
import threading
from contextlib import suppress
from pathlib import Path

from prometheus_client import start_http_server

from iot_northbound import NorthApiClient, NorthApiException, PushMessageReceiver
from iot_northbound.push import MemoryInbox
from iot_northbound.telemetry import PrometheusMetrics


def main() -> None:
    parser = argparse.ArgumentParser(description="Show figures to Prometheus.")
    parser.add_argument("profile", type=Path)
    parser.add_argument("--port", type=int, default=9108, help="0: a free one")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS")
    options = parser.parse_args()

    metrics = PrometheusMetrics()
    receiver = PushMessageReceiver(MemoryInbox())
    client = NorthApiClient.from_profile(options.profile, hooks=metrics.hooks)
    with receiver, client, suppress(KeyboardInterrupt):
        metrics.watch_client(client)
        metrics.watch_receiver(receiver)
        server, _ = start_http_server(options.port, addr="127.0.0.1")
        port = server.server_port
        print(f"figures at http://127.0.0.1:{port}/metrics", flush=True)
        while True:
            try:
                count = sum(1 for _ in client.data_collection.iter_devices())
                print(f"{count} devices", flush=True)
            except NorthApiException as error:
                print(error, flush=True)  # it is counted, with its code
            threading.Event().wait(options.every)


if __name__ == "__main__":
    main()
