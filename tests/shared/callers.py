"""A process that makes calls within the limit until its time is over, and prints how long each waited."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from iot_northbound import ClientClosedError, HttpConfig, NorthApiClient, ThrottledError, load_profile


class Made(NamedTuple):
    """What one process did."""

    waits: list[float]
    """How many seconds each good call took."""
    refused: int
    """Calls that the platform refused."""


def start(**settings: Any) -> "subprocess.Popen[str]":
    """Start a process; the settings are those of `main`."""
    command = [sys.executable, "-m", "tests.shared.callers", json.dumps(settings)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


def made(processes: "Iterable[subprocess.Popen[str]]") -> list[Made]:
    """Return what each of the processes did, once they have ended."""
    told = [process.communicate(timeout=600)[0] for process in processes]
    return [Made(**json.loads(each)) for each in told if each]


def main(
    *, profile: str, shared: str, seconds: float, threads: int = 4, every: float = 0.0, bulk: bool = False, calls: int
) -> None:
    """Call until the time is over: one call after the other, or one every so many seconds."""
    info, tls, *_ = load_profile(profile)
    http = HttpConfig(calls_per_minute=calls, deadline=None, max_attempts=1)
    waits, refused = list[float](), list[float]()
    end = time.monotonic() + seconds

    def work(client: NorthApiClient) -> None:
        with client.bulk() if bulk else nullcontext():
            while (began := time.monotonic()) < end:
                try:
                    client.data_collection.query_batch_devices_info()
                    waits.append(time.monotonic() - began)
                except ThrottledError:
                    refused.append(time.monotonic())
                except ClientClosedError:
                    return
                time.sleep(every)

    with NorthApiClient(info, tls, http, shared=shared) as client:
        crew = [threading.Thread(target=work, args=[client], daemon=True) for _ in range(threads)]
        for each in crew:
            each.start()
        for each in crew:
            each.join(max(end - time.monotonic(), 0.0))
        sys.stdout.write(json.dumps(Made(waits.copy(), len(refused))._asdict()))
        sys.stdout.flush()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
