"""Importing devices with `client.bulk.register` against a bare loop of requests with as many threads.

Both take turns on an emulator in a separate process. The bare loop keeps the device ids in a dict; the import checks
its rows, keeps a journal on disk, and has a result per row. ``--memory ROWS`` prints the memory of a dry run.
"""

import itertools
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import requests

from benchmarks.platform_process import Platform
from iot_northbound import MemoryTokenStore, NorthApiClient

DEVICES, THREADS, ROUNDS = 10_000, 8, 5
PATH = "/iocm/app/reg/v1.1.0/deviceCredentials"


def rows(name: str, count: int) -> Iterator[dict[str, Any]]:
    """Yield rows as they come from a file."""
    for number in range(count):
        yield {"nodeId": f"{name}-{number}", "timeout": "0", "productId": "street-lamp-nb"}


def bare(platform: Platform, name: str, count: int) -> dict[str, str]:
    """Return the ids of devices that a loop over requests.post registers."""
    made: dict[str, str] = {}
    todo = rows(name, count)
    lock = threading.Lock()
    url = f"https://localhost:{platform.port}{PATH}"

    def work() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(platform.home / "ca.pem")
            session.cert = (str(platform.home / "client.pem"), str(platform.home / "client.key"))
            session.headers.update(platform.headers)
            while True:
                with lock:
                    row = next(todo, None)
                if row is None:
                    return
                answer = session.post(url, json=row | {"timeout": int(row["timeout"])})
                answer.raise_for_status()
                made[row["nodeId"]] = answer.json()["deviceId"]

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


def main() -> None:
    """Print devices per second of both, and the ratio of each round."""
    each = DEVICES // ROUNDS
    rates: dict[str, list[float]] = {"a bare loop of requests": [], "client.bulk.register": []}
    cpu: dict[str, list[float]] = {name: [] for name in rates}
    with tempfile.TemporaryDirectory() as folder, Platform(Path(folder)) as platform:
        store = MemoryTokenStore()
        client = NorthApiClient.from_profile(platform.home / "profile.toml", token_store=store)
        client.start_timer()
        grant = store.load()
        assert grant is not None
        platform.headers["Authorization"] = f"Bearer {grant.access_token}"  # the newest login ended the one before
        bare(platform, "warm", 200)
        for number in range(ROUNDS):
            begun, used = time.perf_counter(), time.process_time()
            assert len(bare(platform, f"bare{number}", each)) == each
            rates["a bare loop of requests"].append(each / (time.perf_counter() - begun))
            cpu["a bare loop of requests"].append((time.process_time() - used) / each)
            journal = Path(folder) / f"journal-{number}"
            begun, used = time.perf_counter(), time.process_time()
            report = client.bulk.register(rows(f"bulk{number}", each), journal=journal, threads=THREADS)
            rates["client.bulk.register"].append(each / (time.perf_counter() - begun))
            cpu["client.bulk.register"].append((time.process_time() - used) / each)
            assert len(report.done) == each, report
        client.close()
    print(f"registering {DEVICES:,} devices each with {THREADS} threads, {ROUNDS} rounds by turns")
    for name, found in rates.items():
        print(f"  {name:26} {median(found):7.0f} devices per second, {median(cpu[name]) * 1e6:5.0f} us of CPU each")
    ratios = [ours / theirs for theirs, ours in zip(*rates.values(), strict=True)]
    print(f"  ratio x{median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")


def memory(count: int) -> None:
    """Print the peak of Python's memory in a job of so many rows, checked and noted but not sent."""
    with tempfile.TemporaryDirectory() as folder, Platform(Path(folder)) as platform:
        client = NorthApiClient.from_profile(platform.home / "profile.toml")
        client.bulk.register(rows("a", 10), dry_run=True)
        tracemalloc.start()
        begun = time.perf_counter()
        report = client.bulk.register(rows("a", count), dry_run=True)
        seconds, peak = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        read = sum(1 for _ in itertools.islice(report, count))
        print(f"  {count:,} rows, {read:,} results: {seconds:.0f} s")
        print(f"  at most {peak / 1e6:.1f} MB of Python objects, {resident / 1e6:.0f} MB resident in the end")
        client.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        memory(int(sys.argv[2]))
    else:
        main()
