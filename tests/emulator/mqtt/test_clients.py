"""Clients that nobody here wrote: they get in, report, receive and answer, and are refused as they should be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import aiomqtt
import gmqtt
import paho.mqtt.client as paho
import pytest

from iot_northbound.emulator import Emulator
from tests.clock import eventually
from tests.emulator.conftest import Wire
from tests.mosquitto import found, needs_mosquitto

from . import wire as w
from .asking import command_status, history, journal, send_command
from .wire import Device

WRONG = "0" * 64


class Login:
    """What a client of a library needs."""

    def __init__(self, emulator: Emulator, device: Device) -> None:
        stamp = w.stamp_now()
        self.host, self.port = "localhost", emulator.mqtt_address[1]
        self.client_id = f"{device.device_id}_0_1_{stamp}"
        self.user, self.password = device.device_id, w.password(device.secret, stamp)
        self.ca = str(emulator.device_ca)
        self.tls = ssl.create_default_context(cafile=self.ca)


@pytest.fixture
def login(emulator: Emulator, device: Device) -> Login:
    return Login(emulator, device)


def answer_to(payload: bytes) -> bytes:
    return json.dumps({"msgType": "deviceRsp", "mid": json.loads(payload)["mid"], "errcode": 0, "body": {}}).encode()


# --- mosquitto's clients ---


def mosquitto(program: str, login: Login, *arguments: str, password: str | None = None) -> list[str]:
    where = ["-h", login.host, "-p", str(login.port), "--cafile", login.ca, "-i", login.client_id]
    return [str(found(program)), *where, "-u", login.user, "-P", password or login.password, *arguments]


@needs_mosquitto("mosquitto_pub")
@pytest.mark.parametrize("arguments", [[], ["-V", "mqttv31"], ["-r"], ["--will-topic", "t", "--will-payload", "x"]])
def test_mosquitto_pub_reports(login: Login, wire: Wire, device: Device, arguments: list[str]) -> None:
    command = mosquitto("mosquitto_pub", login, *arguments, "-q", "1", "-t", device.data, "-m", w.message().decode())
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(history(wire, device)) == 1


@needs_mosquitto("mosquitto_pub")
@pytest.mark.parametrize(
    ("password", "arguments", "code"), [(WRONG, [], 4), (None, ["-V", "5"], 132), (None, ["-q", "2"], 7)]
)
def test_mosquitto_pub_is_refused(login: Login, password: str | None, arguments: list[str], code: int) -> None:
    command = mosquitto("mosquitto_pub", login, "-t", "t", "-m", "x", *arguments, password=password)
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == code


@needs_mosquitto("mosquitto_sub")
def test_mosquitto_sub_receives_a_command(login: Login, wire: Wire, device: Device) -> None:
    send_command(wire, device)
    command = mosquitto("mosquitto_sub", login, "-C", "1", "-W", "60", "-q", "1", "-t", device.command)
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cmd"] == "PERMIT_JOIN"


@needs_mosquitto("mosquitto_sub")
def test_mosquitto_sub_may_not_listen_to_everything(login: Login) -> None:
    command = mosquitto("mosquitto_sub", login, "-W", "60", "-t", "#")
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert "denied" in done.stderr


# --- paho ---


@pytest.fixture
def with_paho(login: Login) -> Iterator[Callable[..., tuple[paho.Client, queue.Queue[Any]]]]:
    started: list[paho.Client] = []

    def start(password: str | None = None, **options: Any) -> tuple[paho.Client, queue.Queue[Any]]:
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=options.pop("client_id", login.client_id),
            reconnect_on_failure=False,
            **options,
        )
        client.tls_set_context(login.tls)
        client.username_pw_set(login.user, password or login.password)
        heard: queue.Queue[Any] = queue.Queue()
        client.on_connect = lambda _1, _2, _3, reason, _4: heard.put(reason.value)
        client.on_message = lambda _1, _2, message: heard.put(message)
        client.on_subscribe = lambda _1, _2, _3, codes, _4: heard.put([code.value for code in codes])
        client.connect(login.host, login.port)
        client.loop_start()
        started.append(client)
        return client, heard

    yield start
    for each in started:
        each.disconnect()
        each.loop_stop()


def test_paho_reports_receives_and_answers(with_paho: Any, wire: Wire, device: Device) -> None:
    client, heard = with_paho()
    assert heard.get(timeout=30) == 0
    client.subscribe([(device.command, 1), ("#", 1)])
    assert heard.get(timeout=30) == [1, 128]
    client.publish(device.data, w.message(), qos=1).wait_for_publish(30)
    assert len(history(wire, device)) == 1
    command_id = send_command(wire, device)
    message = heard.get(timeout=30)
    client.publish(device.data, answer_to(message.payload), qos=1).wait_for_publish(30)
    assert command_status(wire, device, command_id)[0] == "SUCCESSFUL"


@pytest.mark.parametrize(
    ("password", "options", "reason"),
    [(WRONG, {}, 134), (None, {"client_id": "odd"}, 133), (None, {"protocol": paho.MQTTv5}, 132)],
)
def test_paho_hears_why_it_is_refused(
    with_paho: Any, password: str | None, options: dict[str, Any], reason: int
) -> None:
    _, heard = with_paho(password, **options)
    assert heard.get(timeout=30) == reason


# --- clients on asyncio ---


def test_aiomqtt_reports_receives_and_answers(login: Login, wire: Wire, device: Device) -> None:
    async def talk() -> None:
        options: dict[str, Any] = {"identifier": login.client_id, "username": login.user, "tls_context": login.tls}
        async with aiomqtt.Client(login.host, login.port, password=login.password, **options) as client:
            await client.subscribe(device.command, qos=1)
            await client.publish(device.data, w.message(), qos=1)
            command_id = await asyncio.to_thread(send_command, wire, device)
            message = await anext(client.messages)
            await client.publish(device.data, answer_to(message.payload), qos=1)
        assert (await asyncio.to_thread(command_status, wire, device, command_id))[0] == "SUCCESSFUL"

    asyncio.run(asyncio.wait_for(talk(), 60))
    assert len(history(wire, device)) == 1


def test_aiomqtt_is_refused_with_a_wrong_password(login: Login) -> None:
    async def talk() -> None:
        options: dict[str, Any] = {"identifier": login.client_id, "username": login.user, "tls_context": login.tls}
        async with aiomqtt.Client(login.host, login.port, password=WRONG, **options):
            pass

    with pytest.raises(aiomqtt.MqttError, match="Bad user name or password"):
        asyncio.run(asyncio.wait_for(talk(), 60))


def test_gmqtt_falls_back_to_3_1_1_and_reports_receives_and_answers(login: Login, wire: Wire, device: Device) -> None:
    async def talk() -> None:
        client = gmqtt.Client(login.client_id)
        client.set_auth_credentials(login.user, login.password)
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        subscribed = asyncio.Event()

        async def on_message(_1: Any, _2: str, payload: bytes, _3: int, _4: Any) -> int:
            await heard.put(payload)
            return 0

        client.set_config({"reconnect_delay": 0})
        client.on_message = on_message
        client.on_subscribe = lambda *_: subscribed.set()
        await client.connect(login.host, login.port, ssl=login.tls)
        client.subscribe(device.command, qos=1)
        await subscribed.wait()
        client.publish(device.data, w.message(), qos=1)
        command_id = await asyncio.to_thread(send_command, wire, device)
        client.publish(device.data, answer_to(await heard.get()), qos=1)
        await asyncio.to_thread(eventually, lambda: command_status(wire, device, command_id)[0] == "SUCCESSFUL")
        await client.disconnect()

    asyncio.run(asyncio.wait_for(talk(), 60))
    assert len(history(wire, device)) == 1
    assert [each["outcome"][:14] for each in journal(wire.emulator, "CONNECT")] == ["refused with 1", "accepted, as c"]


def test_gmqtt_is_refused_with_a_wrong_password(login: Login) -> None:
    async def talk() -> None:
        client = gmqtt.Client(login.client_id)
        client.set_auth_credentials(login.user, WRONG)
        client.set_config({"reconnect_retries": 0})
        try:
            await client.connect(login.host, login.port, ssl=login.tls, version=4)
        finally:
            with contextlib.suppress(Exception):
                await client.disconnect()

    with pytest.raises(gmqtt.mqtt.handler.MQTTConnectError):
        asyncio.run(asyncio.wait_for(talk(), 60))


def test_a_client_certificate_is_not_asked_for_and_no_error(emulator: Emulator, device: Device) -> None:
    context = ssl.create_default_context(cafile=str(emulator.device_ca))
    context.load_cert_chain(emulator.home.folder / "client.pem", emulator.home.folder / "client.key")
    raw = socket.create_connection(emulator.mqtt_address, timeout=10)
    with context.wrap_socket(raw, server_hostname="localhost") as own:
        own.sendall(device.connect())
        assert own.recv(4) == w.ACCEPTED
