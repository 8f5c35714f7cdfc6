"""CPU of a kept-alive call over mutual TLS, whole and typed, against `requests.Session().get().json()`."""

import os

import requests

from benchmarks.measure import alternate
from benchmarks.server import CALL, TOKEN, serve
from iot_northbound import ClientInfo, NorthApiClient, SSLConfig

ROUNDS, CALLS = 31, 100


def main() -> None:
    """Print microseconds, ratios, and how many connections 1,000 calls open."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)  # the peer's session would prefer them to its own CA
    with serve() as bench:
        session = requests.Session()
        session.verify, session.cert = str(bench.home.ca), bench.cert
        session.headers["Authorization"] = f"Bearer {TOKEN['accessToken']}"
        session.headers["app_key"] = "app"
        tls = SSLConfig(self_cert_path=bench.cert[0], self_key_path=bench.cert[1], trust_ca_path=bench.home.ca)
        info = ClientInfo(platform_ip="127.0.0.1", platform_port=bench.port, app_id="app", secret="s3cret-s3cret")
        with NorthApiClient(info, tls) as client, session:
            device_id = CALL.rpartition("/")[2]

            def peer() -> None:
                for _ in range(CALLS):
                    session.get(bench.url).json()

            def ours() -> None:
                for _ in range(CALLS):
                    client.data_collection.query_single_device_info(device_id)

            medians = alternate({"requests.Session().get().json()": peer, "iot-northbound, typed": ours}, ROUNDS)
            base = medians["requests.Session().get().json()"]
            print("a kept-alive call over mutual TLS, CPU medians")
            for name, seconds in medians.items():
                print(f"  {name:32} {seconds / CALLS * 1e6:7.0f} us   x{seconds / base:.2f}")
            before = client.connections_opened
            for _ in range(1000):
                client.data_collection.query_single_device_info(device_id)
            print(f"  1,000 further calls opened {client.connections_opened - before} connections (total {before})")


if __name__ == "__main__":
    main()
