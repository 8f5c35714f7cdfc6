"""kill -9 at any moment: every answered change is there afterwards."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from iot_northbound.emulator.push_sender import PER_DESTINATION
from tests.emulator.test_push_sender import Receiver

ROUNDS = 5
WRITERS = 4



class Client:
    def __init__(self, facts: dict[str, Any], home: Path) -> None:
        context = ssl.create_default_context(cafile=str(home / "ca.pem"))
        context.load_cert_chain(home / "client.pem", home / "client.key")
        port = int(facts["url"].rpartition(":")[2])
        self.connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=60)
        self.headers = {"app_key": facts["appId"], "Content-Type": "application/json"}

    def login(self, secret: str) -> str:
        form = urlencode({"appId": self.headers["app_key"], "secret": secret})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", "/iocm/app/sec/v1.1.0/login", form, kind)
        return str(json.loads(self.connection.getresponse().read())["accessToken"])

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None


class Ledger:
    """The devices that the emulator has answered to have registered, and to have deleted."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.gone: set[str] = set()
        self.unsure: set[str] = set()
        self.lock = threading.Lock()
        self.answered = 0


def write(client: Client, ledger: Ledger, name: str, enough: threading.Event) -> None:
    dice = random.Random(name)
    number = 0
    mine: list[str] = []
    while True:
        number += 1
        victim = dice.choice(mine) if mine and dice.random() < 0.3 else None
        try:
            if victim is None:
                body = {"nodeId": f"{name}-{number}", "timeout": 0}
                status, answer = client.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", body)
                assert status == 200, answer
                with ledger.lock:
                    ledger.there.add(answer["deviceId"])
                mine.append(answer["deviceId"])
            else:
                with ledger.lock:  # until it is answered, either outcome is right
                    ledger.there.discard(victim)
                    ledger.unsure.add(victim)
                status, answer = client.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{victim}")
                assert status == 204, answer
                mine.remove(victim)
                with ledger.lock:
                    ledger.unsure.discard(victim)
                    ledger.gone.add(victim)
        except (OSError, http.client.HTTPException):
            return  # killed during the call
        with ledger.lock:
            ledger.answered += 1
            if ledger.answered >= 40:
                enough.set()


def start(home: Path, data: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    folders = ("--home", str(home), "--data-dir", str(data))
    process = subprocess.Popen(
        [sys.executable, "-m", "iot_northbound", "emulator", "--port", "0", "--no-control", "--json", *folders],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the emulator did not start"
    return process, json.loads(line)


@pytest.mark.timeout(120)
def test_an_emulator_killed_under_load_has_lost_nothing_that_it_answered(tmp_path: Path) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    ledger = Ledger()
    secret = token = ""
    dice = random.Random(1)
    for round_ in range(ROUNDS + 1):
        process, facts = start(home, data)
        with process:
            secret = facts["secret"] or secret
            client = Client(facts, home)
            client.headers["Authorization"] = f"Bearer {token}"
            if token:  # issued before the kill, so it is valid after it
                there: set[str] = set()
                for page in range(1_000):
                    status, answer = client.call("GET", f"/iocm/app/dm/v1.4.0/devices?pageNo={page}&pageSize=250")
                    assert status == 200, answer
                    if not answer["devices"]:
                        break
                    there |= {device["deviceId"] for device in answer["devices"]}
                assert ledger.there <= there, f"round {round_} lost {len(ledger.there - there)}"
                assert not ledger.gone & there, f"round {round_}: deleted devices are back"
            if round_ == ROUNDS:
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0
                break
            token = client.login(secret)
            enough = threading.Event()
            writers = []
            for number in range(WRITERS):
                writer = Client(facts, home)
                writer.headers["Authorization"] = f"Bearer {token}"
                ledger.answered = 0
                arguments = (writer, ledger, f"{round_}-{number}", enough)
                writers.append(threading.Thread(target=write, args=arguments))
            for thread in writers:
                thread.start()
            assert enough.wait(60)
            threading.Event().wait(dice.random() * 0.05)  # the moment of the kill is to be any
            process.kill()
            for thread in writers:
                thread.join(60)
                assert not thread.is_alive()
    assert len(ledger.there) > ROUNDS * 10


@pytest.mark.timeout(120)
def test_killed_with_pushes_in_its_queue_it_sends_them_after_the_restart(tmp_path: Path) -> None:
    home, data = tmp_path / "home", tmp_path / "data"
    receiver = Receiver()
    receiver.hold.clear()  # nothing is answered before the kill
    made: set[str] = set()
    with receiver.serving() as url:
        process, facts = start(home, data)
        with process:
            client = Client(facts, home)
            client.headers["Authorization"] = f"Bearer {client.login(facts['secret'])}"
            wanted = {"notifyType": "deviceAdded", "callbackUrl": url}
            assert client.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", wanted)[0] == 201
            for number in range(40):
                body = {"nodeId": f"n{number}", "timeout": 0}
                status, answer = client.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", body)
                assert status == 200, answer
                made.add(answer["deviceId"])
            process.kill()
        receiver.hold.set()
        process, _ = start(home, data)
        with process:
            # Those that were being sent at the kill come twice: the emulator could not know that they had arrived.
            came = [body["deviceId"] for body in receiver.wait_for(40, 30)]
            while set(came) != made:
                came = [body["deviceId"] for body in receiver.wait_for(len(came) + 1, 30)]
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        assert len(receiver.bodies) <= len(made) + PER_DESTINATION
