"""Receivers and workers in processes of their own over one PostgresInbox, and senders that behave as the platform does.

A sender posts a device's next message only when the one before was answered 200, so the order is known: each message
must be handled before the next one of its device. What is handled goes to one file, in order.
"""

import contextlib
import http.client
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import attrs

from iot_northbound.testing.messages import push_body

ROUTE = "/v1.0.0/messageReceiver"

RECEIVER = """
import sys
from iot_northbound.push import PushMessageReceiver

server = PushMessageReceiver(sys.argv[1], threads=0).server(port=0, drain=5)
server.serve_forever(lambda: print(server.address[1], flush=True))
"""

WORKER = """
import os, signal, sys
from iot_northbound.push import HandlerRetry, PushMessageReceiver

class Application(PushMessageReceiver):
    def handle_device_data_changed(self, body):
        number = self.event.raw["n"]
        if self.event.device == "poison":
            os.write(handled, b"begun %d\\n" % number)
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(handled, b"%d\\n" % number)

handled = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
receiver = Application(sys.argv[1], retry=HandlerRetry(attempts=int(sys.argv[3]))).start()
print("up", flush=True)
signal.sigwait({signal.SIGTERM})
receiver.stop(10)
"""


class Process:
    """A program that says one line when it is up."""

    def __init__(self, program: str, *arguments: str) -> None:
        command = [sys.executable, "-c", program, *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.said = self._process.stdout.readline().strip()

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it, also if it is frozen."""
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate(timeout=60)

    def wait(self) -> int:
        """Wait until it has ended by itself."""
        self._process.communicate(timeout=60)
        return self._process.returncode


@attrs.frozen
class Outcome:
    answered: int
    lost: int
    """Answered 200, but never handled."""
    out_of_order: int
    """Handled after a message of the same device that was sent later."""
    repeated: int
    kills: int
    posted_again: int
    seconds: float


class Fleet:
    """Some receivers and workers. Each of them can be killed; another one takes its place."""

    def __init__(self, url: str, folder: Path, receivers: int, workers: int) -> None:
        self.url, self.handled = url, folder / "handled"
        self.handled.touch()
        self.receivers = [Process(RECEIVER, url) for _ in range(receivers)]
        self.workers = [self.worker() for _ in range(workers)]
        self.posted_again = self.kills = 0
        self._lock = threading.Lock()

    def worker(self, attempts: int = 6) -> Process:
        return Process(WORKER, self.url, str(self.handled), str(attempts))

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        for each in (*self.receivers, *self.workers):
            with contextlib.suppress(ProcessLookupError):
                each.end()

    def kill_worker(self, position: int) -> None:
        self.workers[position].end()
        self.workers[position] = self.worker()
        self.kills += 1

    def kill_receiver(self, position: int) -> None:
        self.receivers[position].end()
        self.receivers[position] = Process(RECEIVER, self.url)
        self.kills += 1

    def post(self, device: str, number: int, connections: dict[str, http.client.HTTPConnection]) -> None:
        """Post a message until it is answered 200, each time to the next receiver."""
        body = push_body("deviceDataChanged", {"n": number}, deviceId=device, requestId=f"r{number}")
        turn = number
        while True:
            port = self.receivers[turn % len(self.receivers)].said
            connection = connections.get(port) or http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
            try:
                connection.request("POST", ROUTE, body)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    connections[port] = connection
                    return
            except (OSError, http.client.HTTPException):
                connection.close()
                connections.pop(port, None)
            turn += 1
            time.sleep(0.05)
            with self._lock:
                self.posted_again += 1

    def send(self, sender: int, senders: int, messages: int, devices: int) -> None:
        """Send the messages of a part of the devices, one after the other."""
        connections: dict[str, http.client.HTTPConnection] = {}
        for number in range(messages):
            if number % devices % senders == sender:
                self.post(f"d{number % devices}", number, connections)
        for each in connections.values():
            each.close()

    def numbers(self) -> list[int]:
        return [int(line) for line in self.handled.read_text().splitlines() if line.isdigit()]

    def run(
        self, messages: int, devices: int, senders: int = 16, kill_every: float = 0.0, kill_each: int = 0
    ) -> Outcome:
        """Send messages, and return what became of them.

        Meanwhile a receiver and a worker are killed: every so many seconds, or for each so many handled messages.
        """
        started = time.monotonic()
        threads = [
            threading.Thread(target=self.send, args=(sender, senders, messages, devices), daemon=True)
            for sender in range(senders)
        ]
        for thread in threads:
            thread.start()
        turn, killed_at = 0, started
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.02)
            late = kill_every and time.monotonic() >= killed_at + kill_every
            if late or (kill_each and len(self.numbers()) >= kill_each * (turn + 1)):
                self.kill_worker(turn % len(self.workers))
                self.kill_receiver(turn % len(self.receivers))
                turn, killed_at = turn + 1, time.monotonic()
        end = time.monotonic() + 60
        while time.monotonic() < end and len(set(self.numbers())) < messages:
            time.sleep(0.1)
        return self.outcome(messages, devices, time.monotonic() - started)

    def outcome(self, messages: int, devices: int, seconds: float) -> Outcome:
        numbers = self.numbers()
        times = Counter(numbers)
        late, latest = 0, dict[int, int]()
        for number in dict.fromkeys(numbers):
            late += number < latest.get(number % devices, -1)
            latest[number % devices] = max(number, latest.get(number % devices, -1))
        return Outcome(
            answered=messages,
            lost=sum(number not in times for number in range(messages)),
            out_of_order=late,
            repeated=sum(count - 1 for count in times.values()),
            kills=self.kills,
            posted_again=self.posted_again,
            seconds=seconds,
        )
