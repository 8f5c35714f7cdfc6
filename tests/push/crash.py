"""Post messages to a receiver that is killed again and again, and count the outcomes.

The receiver runs in a separate process with a durable inbox, and its handler appends each number to a file. The sender
behaves as the platform does: a message without an answer of 200 is posted again, to the next receiver.
"""

import http.client
import os
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
import os, sys
from iot_northbound.push import PushMessageReceiver, SqliteInbox

class Application(PushMessageReceiver):
    def handle_device_data_changed(self, body):
        os.write(handled, b"%d\\n" % self.event.raw["n"])

handled = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
server = Application(SqliteInbox(sys.argv[1])).server(port=0, drain=60)
server.serve_forever(lambda: print(server.address[1], flush=True))
"""


@attrs.frozen
class Outcome:
    answered: int
    lost: int
    """Answered, but never handled."""
    out_of_order: int
    """Handled after a message of the same device that was answered later."""
    handled_twice: int
    kills: int
    posted_again: int
    seconds: float


class Run:
    def __init__(self, folder: Path, messages: int, senders: int) -> None:
        self.folder, self.messages, self.senders = folder, messages, senders
        self.port = 0
        self.up = threading.Event()
        self.posted_again = 0
        self.process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        command = [sys.executable, "-c", RECEIVER, str(self.folder / "inbox"), str(self.folder / "handled")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.up.set()

    def end(self, number: int) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.up.clear()
        os.kill(self.process.pid, number)
        self.process.wait(120)
        self.process.stdout.close()

    def send(self, sender: int) -> None:
        connection, port = None, 0
        for number in range(sender, self.messages, self.senders):
            body = push_body("deviceDataChanged", {"n": number}, deviceId=f"d{sender}", requestId=f"r{number}")
            while True:
                self.up.wait(60)
                try:
                    if connection is None or port != self.port:
                        port = self.port
                        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                    connection.request("POST", ROUTE, body)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 200:
                        break
                except (OSError, http.client.HTTPException):
                    connection = None
                with self._lock:
                    self.posted_again += 1
        if connection is not None:
            connection.close()


def crash(folder: Path, messages: int, every: int, senders: int = 8) -> Outcome:
    """Post `messages`, kill the receiver after every `every` handled ones, and return the outcome."""
    run = Run(folder, messages, senders)
    handled = folder / "handled"
    started = time.monotonic()
    run.start()
    threads = [threading.Thread(target=run.send, args=(sender,), daemon=True) for sender in range(senders)]
    for thread in threads:
        thread.start()
    kills, mark = 0, every
    while any(thread.is_alive() for thread in threads):
        threads[0].join(0.01)
        # At least four characters per number: exact enough to decide when to kill next, and cheap.
        if handled.exists() and handled.stat().st_size // 5 >= mark:
            run.end(signal.SIGKILL)
            kills += 1
            mark = handled.stat().st_size // 5 + every
            run.start()
    run.end(signal.SIGTERM)
    numbers = [int(line) for line in handled.read_text().split()]
    times = Counter(numbers)
    late = 0
    latest: dict[int, int] = {}
    for number in dict.fromkeys(numbers):
        late += number < latest.get(number % senders, -1)
        latest[number % senders] = max(number, latest.get(number % senders, -1))
    return Outcome(
        answered=messages,
        lost=sum(number not in times for number in range(messages)),
        out_of_order=late,
        handled_twice=sum(count - 1 for count in times.values()),
        kills=kills,
        posted_again=run.posted_again,
        seconds=time.monotonic() - started,
    )
