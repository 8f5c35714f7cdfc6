"""Several processes of one application, on the embedded platform, which is in a process of its own.

A process makes calls in threads until the time is over, and writes down what happened. It can be told to kill itself
between the platform's answer and the moment at which the token is stored, which is the worst moment.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from iot_northbound import BadTokenError, HttpConfig, NorthApiClient, NorthApiException, load_profile
from iot_northbound.core.shared_tokens import SharedTokens

LOGIN = "POST /iocm/app/sec/v1.1.0/login"
REFRESH = "POST /iocm/app/sec/v1.1.0/refreshToken"


class Told(NamedTuple):
    """What one process says at its end."""

    good: int
    failed: dict[str, int]
    slowest: float


def processes(count: int, **settings: Any) -> "list[subprocess.Popen[str]]":
    """Start processes; settings: profile, shared, threads, seconds, pause, secret, kill_at, forbidden, limit."""
    command = [sys.executable, "-m", "tests.shared.fleet", json.dumps(settings)]
    root = str(Path(__file__).parents[2])
    return [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root})
        for _ in range(count)
    ]


def told(process: "subprocess.Popen[str]") -> Told | None:
    """Return what a process said at its end; None if it killed itself."""
    out, _ = process.communicate(timeout=180)
    if process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0, out
    return Told(**json.loads(out.splitlines()[-1]))


def main(
    *,
    profile: str,
    shared: str,
    threads: int = 4,
    seconds: float = 5.0,
    pause: float = 0.01,
    secret: str | None = None,
    kill_at: int = 0,
    forbidden: bool = False,
    limit: int | None = None,
) -> None:
    """Call until the time is over, and print what happened."""
    import attrs

    info, tls, _, _ = load_profile(profile)
    if secret is not None:
        info = attrs.evolve(info, secret=secret)
    if kill_at:
        kill_at_the_worst_moment(kill_at)
    good, failed, slowest = Counter[str](), Counter[str](), [0.0]
    client = NorthApiClient(info, tls, HttpConfig(calls_per_minute=limit), shared)
    end = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < end:
            started = time.monotonic()
            try:
                client.data_collection.query_batch_devices_info()
                good["calls"] += 1
            except NorthApiException as error:
                failed[f"{type(error).__name__} {error.error_code}"] += 1
            slowest[0] = max(slowest[0], time.monotonic() - started)
            time.sleep(pause)

    def try_forbidden() -> None:
        while time.monotonic() < end:
            try:
                client.data_collection.query_device_capabilities()
            except BadTokenError:
                time.sleep(pause)

    while True:
        try:
            client.start_timer()
            break
        except NorthApiException as error:
            failed[f"{type(error).__name__} {error.error_code}"] += 1
            if time.monotonic() > end:
                break
            time.sleep(0.05)
    crew = [threading.Thread(target=work) for _ in range(threads)]
    crew += [threading.Thread(target=try_forbidden)] if forbidden else []
    for each in crew:
        each.start()
    for each in crew:
        each.join()
    client.close()
    sys.stdout.write(json.dumps(Told(good["calls"], dict(failed), slowest[0])._asdict()))


def kill_at_the_worst_moment(number: int) -> None:
    """Kill this process after the platform has answered its renewal with this number, before the token is stored."""
    keep = SharedTokens._keep
    renewals = [0]

    def dying(self: SharedTokens, *arguments: Any) -> bool:
        renewals[0] += 1
        if renewals[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return keep(self, *arguments)

    SharedTokens._keep = dying  # type: ignore[method-assign]


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
