"""Durable puts: SqliteInbox, and PostgresInbox with a server of its own on the same disk, in turn.

32 threads put messages of 500 devices, and each waits until its message is safe. A second process with a receiver puts
as well in the last row, because the locks that keep the order cost something only then.

    python -m benchmarks.inbox
"""

import itertools
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.servers import run_postgres

from iot_northbound.push import Message, PostgresInbox, SqliteInbox
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body

PRODUCERS = 32
MESSAGES = 10_000
ROUNDS = 3
_numbers = itertools.count()


def _messages(count: int, sender: str) -> list[Message]:
    ids = [next(_numbers) for _ in range(count)]
    return [
        parse(
            push_body("deviceDataChanged", deviceId=f"device-{each % 500}", requestId=f"{sender}-{each}"), time.time()
        )
        for each in ids
    ]


def puts(inbox: SqliteInbox | PostgresInbox, sender: str = "a") -> tuple[float, float]:
    """Return messages per second, and the 99th percentile of the time that a put takes."""
    messages = iter(_messages(MESSAGES, sender))
    lock, waits = threading.Lock(), list[float]()

    def produce() -> None:
        own = []
        while True:
            with lock:
                message = next(messages, None)
            if message is None:
                break
            began = time.perf_counter()
            assert inbox.put(message).result(30)
            own.append(time.perf_counter() - began)
        with lock:
            waits.extend(own)

    threads = [threading.Thread(target=produce) for _ in range(PRODUCERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return MESSAGES / (time.perf_counter() - began), sorted(waits)[int(0.99 * MESSAGES)]


def _row(name: str, rates: list[tuple[float, float]], base: float) -> float:
    rate = sorted(each for each, _ in rates)[len(rates) // 2]
    late = sorted(each for _, each in rates)[len(rates) // 2]
    print(f"  {name:52} {rate:7,.0f}/s   {rate / (base or rate):4.2f} of SQLite   p99 {late * 1e3:6.1f} ms", flush=True)
    return rate


def main() -> None:
    """Print the comparison."""
    print(f"durable puts, {PRODUCERS} producers, median of {ROUNDS} rounds")
    with run_postgres(settings=()) as server, tempfile.TemporaryDirectory() as folder:
        rates: dict[str, list[tuple[float, float]]] = {"sqlite": [], "postgres": [], "two": []}
        for number in range(ROUNDS):
            sqlite = SqliteInbox(Path(folder) / f"{number}.sqlite3")
            sqlite.start(lambda _id, _device: None)
            rates["sqlite"].append(puts(sqlite))
            sqlite.stop()
            postgres = PostgresInbox(server.url, schema=f"round_{number}")
            postgres.start(None)
            rates["postgres"].append(puts(postgres))
            command = [sys.executable, "-m", "benchmarks.inbox", "put", server.url, f"round_{number}"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
                assert other.stdout is not None
                other.stdout.readline()
                mine = puts(postgres, "b")
                rate, late = map(float, other.stdout.readline().split())
            rates["two"].append((mine[0] + rate, max(mine[1], late)))
            postgres.stop()
        base = _row("SqliteInbox", rates["sqlite"], 0)
        _row("PostgresInbox, one receiver", rates["postgres"], base)
        _row("PostgresInbox, two receivers together", rates["two"], base)


def _put(url: str, schema: str) -> None:
    inbox = PostgresInbox(url, schema=schema)
    inbox.start(None)
    print("up", flush=True)
    print(*puts(inbox, "c"))
    inbox.stop()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["put", url, schema]:
            _put(url, schema)
        case _:
            main()
