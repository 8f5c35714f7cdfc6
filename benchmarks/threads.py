"""32 threads on one client, against 32 plain requests sessions, on the same server."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

from benchmarks.measure import alternate
from benchmarks.server import CALL, TOKEN, serve
from iot_northbound import ClientInfo, NorthApiClient, SSLConfig

THREADS, CALLS, ROUNDS = 32, 60, 7


def main() -> None:
    """Print calls per second, the ratio, and the number of opened connections."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)
    with serve() as bench:
        sessions = []
        for _ in range(THREADS):
            session = requests.Session()
            session.verify, session.cert = str(bench.home.ca), bench.cert
            session.headers["Authorization"] = f"Bearer {TOKEN['accessToken']}"
            sessions.append(session)
        tls = SSLConfig(self_cert_path=bench.cert[0], self_key_path=bench.cert[1], trust_ca_path=bench.home.ca)
        info = ClientInfo(platform_ip="127.0.0.1", platform_port=bench.port, app_id="app", secret="s3cret-s3cret")
        device_id = CALL.rpartition("/")[2]
        with NorthApiClient(info, tls) as client, ThreadPoolExecutor(THREADS) as pool:

            def theirs(number: int) -> None:
                for _ in range(CALLS):
                    sessions[number].get(bench.url).json()

            def ours(_: int) -> None:
                for _ in range(CALLS):
                    client.data_collection.query_single_device_info(device_id)

            def all_threads(work: Callable[[int], None]) -> Callable[[], object]:
                return lambda: list(pool.map(work, range(THREADS)))

            medians = alternate(
                {"requests, a session a thread": all_threads(theirs), "iot-northbound, one client": all_threads(ours)},
                ROUNDS,
                time.perf_counter,
            )
            base = medians["requests, a session a thread"]
            print(f"{THREADS} threads, calls per second (medians)")
            for name, seconds in medians.items():
                print(f"  {name:30} {THREADS * CALLS / seconds:7.0f} /s   x{base / seconds:.2f}")
            print(f"  connections opened by the client: {client.connections_opened}")
        for session in sessions:
            session.close()


if __name__ == "__main__":
    main()
