"""Threads call a server that fails in every way, for a minute: nothing hangs, nothing is lost, no POST comes twice.

``python -m benchmarks.soak [seconds] [threads]``. It has the same server and rules as
tests/test_token_renewal.py, but runs longer.
"""

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faulty_server import APP_ID, SECRET, Desk, FaultyServer, Seen, Wire, message

from iot_northbound import BadTokenError, ClientInfo, HttpConfig, NorthApiClient, NorthApiException, SSLConfig
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.emulator.home import prepare

WRITE: Endpoint[None] = Endpoint("POST", "/write", type(None), section="soak")
READ: Endpoint[None] = Endpoint("GET", "/read", type(None), section="soak")
DEADLINE = 5.0


def _truncate(wire: Wire) -> None:
    wire.send(message(200, {"x": 1}, {"Content-Length": "400"}))
    wire.close()


def _overlong(wire: Wire) -> None:
    wire.send(message(200, {"x": 1}) + message(200, {"error_code": "100403", "error_desc": "forged"}) * 400)


def _garbage(wire: Wire) -> None:
    wire.send(b"\x00\x01 this is no HTTP\r\n\r\n")
    wire.close()


def _stall(wire: Wire) -> None:
    wire.hold(7)


def _throttle(wire: Wire) -> None:
    wire.send(message(429, {"error_code": "1010009", "error_desc": "too fast"}, {"Retry-After": "0"}))


BEFORE: list[Callable[[Wire], None]] = [Wire.reset, Wire.close, _throttle]
"""Faults of a request that the server did not execute."""
AFTER: list[Callable[[Wire], None]] = [Wire.reset, Wire.close, _truncate, _overlong, _garbage, _stall]
"""Faults of the answer to a request that the server executed."""


class _Ledger:
    """What arrived, and what the callers got."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.arrived: Counter[int] = Counter()
        self.outcomes: dict[int, str] = {}
        self.slowest = 0.0
        self.next = 0

    def number(self) -> int:
        with self.lock:
            self.next += 1
            return self.next

    def handler(self, seen: Seen, wire: Wire) -> Any:
        chance = random.random()
        if chance < 0.04:
            random.choice(BEFORE)(wire)
            return None
        if seen.method == "POST":
            with self.lock:
                self.arrived[int(seen.body[len(b'{"number":') : -1])] += 1
        if chance < 0.08:
            # A stall costs its thread seconds, so it is rare.
            random.choices(AFTER, [4, 4, 4, 4, 4, 1])[0](wire)
            return None
        return 200, {}


def _work(client: NorthApiClient, desk: Desk, ledger: _Ledger, until: float) -> None:
    while time.monotonic() < until:
        number = ledger.number()
        started = time.monotonic()
        try:
            client.call(WRITE, {}, body={"number": number})
            outcome = "done"
        except BadTokenError:
            outcome = "refused"
        except NorthApiException as error:
            outcome = "unknown" if error.outcome_unknown else f"not sent: {type(error).__name__} {error.error_code}"
        ledger.slowest = max(ledger.slowest, time.monotonic() - started)
        ledger.outcomes[number] = outcome
        if number % 500 == 0:
            desk.revoke()
        if number % 3 == 0:
            try:
                client.call(READ, {})
            except NorthApiException:
                continue


def main(seconds: float = 60, threads: int = 32) -> None:
    """Run it and print the outcome; the exit status is 1 if something was lost, came twice or hung."""
    ledger = _Ledger()
    desk = Desk(ledger.handler)
    with tempfile.TemporaryDirectory() as folder:
        home = prepare(Path(folder))
        tls = SSLConfig(
            self_cert_path=home.folder / "client.pem",
            self_key_path=home.folder / "client.key",
            trust_ca_path=home.ca,
        )
        server = FaultyServer(home.server_context(), desk)
        info = ClientInfo(platform_ip="127.0.0.1", platform_port=server.port, app_id=APP_ID, secret=SECRET)
        http = HttpConfig(deadline=DEADLINE, read_timeout=2, backoff_base=0.05)
        with server, NorthApiClient(info, tls, http) as client:
            until = time.monotonic() + seconds
            working = [threading.Thread(target=_work, args=(client, desk, ledger, until)) for _ in range(threads)]
            for thread in working:
                thread.start()
            for thread in working:
                thread.join(seconds + 30)
            hung = sum(thread.is_alive() for thread in working)
            opened = client.connections_opened
    totals = Counter(ledger.outcomes.values())
    doubled = [number for number, times in ledger.arrived.items() if times > 1]
    lost = [number for number, what in ledger.outcomes.items() if what == "done" and number not in ledger.arrived]
    wrong = [
        number
        for number, what in ledger.outcomes.items()
        if what not in ("done", "unknown") and number in ledger.arrived
    ]
    print(f"{threads} threads, {seconds:.0f} s: {ledger.next} writes, {opened} connections, {desk.logins} logins")
    for what, count in totals.most_common():
        print(f"  {what:40} {count}")
    print(f"  slowest call {ledger.slowest:.2f} s (deadline {DEADLINE:.0f} s); hanging threads: {hung}")
    print(f"  done but not arrived: {len(lost)}; arrived twice: {len(doubled)}; arrived, but 'not sent': {len(wrong)}")
    if lost or doubled or wrong or hung or ledger.slowest > DEADLINE + 1:
        sys.exit(1)


if __name__ == "__main__":
    main(*(float(each) for each in sys.argv[1:2]), *(int(each) for each in sys.argv[2:3]))
