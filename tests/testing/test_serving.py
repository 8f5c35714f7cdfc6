"""The fixtures that serve applications and receive pushes, used as an application's tests use them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import requests
from fastapi import FastAPI
from flask import Flask

from iot_northbound import InvalidArgumentError, NorthApiClient
from iot_northbound.dto import NotifyDeviceDataChangedDTO, NotifyDeviceDeletedDTO
from iot_northbound.push import MemoryInbox, PushMessageReceiver
from iot_northbound.testing import serving
from iot_northbound.testing.devices import IotDevices
from iot_northbound.testing.platform import IotPlatform
from iot_northbound.testing.receiving import PushReceiver
from iot_northbound.testing.serving import ServeApp

DATA = {"totalVolume": 1.5}


@pytest.mark.parametrize(("hangs_at", "told"), [(1, "has not started within"), (2, "has not ended within")])
def test_an_application_that_hangs_fails_the_test_and_does_not_hold_it_up(
    iot_platform: IotPlatform, monkeypatch: pytest.MonkeyPatch, hangs_at: int, told: str
) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    let_go = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        loops.append(asyncio.get_running_loop())
        for turn, answer in enumerate(("startup", "shutdown"), 1):
            await receive()
            if turn == hangs_at:
                await let_go.wait()
            await send({"type": f"lifespan.{answer}.complete"})

    def use() -> None:
        with ServeApp(iot_platform.server_context) as serve:
            if hangs_at == 1:
                monkeypatch.setattr(serving, "PATIENCE", 0.2)
            serve(app)
            monkeypatch.setattr(serving, "PATIENCE", 0.2)

    with pytest.raises(RuntimeError, match=told):
        use()
    loops[0].call_soon_threadsafe(let_go.set)


def flask_app() -> Any:
    app = Flask("application")
    app.get("/")(lambda: "flask")
    return app


def fastapi_app(**options: Any) -> Any:
    app = FastAPI(**options)

    @app.get("/")
    def hello() -> str:
        return "fastapi"

    return app


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(("make", "told"), [(flask_app, "flask"), (fastapi_app, '"fastapi"')])
def test_an_application_answers_on_a_real_port_until_the_test_ends(
    iot_platform: IotPlatform, make: Any, told: str, tls: bool
) -> None:
    with ServeApp(iot_platform.server_context) as serve:
        served = serve(make(), tls=tls)
        silent = socket.create_connection(("127.0.0.1", served.port))
        assert requests.get(served.url, verify=str(iot_platform.ca), timeout=60).text == told
        if tls:
            with pytest.raises(requests.exceptions.SSLError):
                requests.get(served.url, timeout=60)
        silent.close()
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(served.url, timeout=60)


def test_an_asgi_application_is_started_and_ended(iot_platform: IotPlatform) -> None:
    happened = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        happened.append("start")
        yield
        happened.append("end")

    with ServeApp(iot_platform.server_context) as serve:
        serve(fastapi_app(lifespan=lifespan))
        assert happened == ["start"]
    assert happened == ["start", "end"]


def test_an_application_that_does_not_start_is_said(serve_app: ServeApp) -> None:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    with pytest.raises(RuntimeError, match="failed to start; the log of the test has its traceback"):
        serve_app(fastapi_app(lifespan=lifespan))


@pytest.mark.parametrize("wrong", [3, lambda: None, "app:app"])
def test_what_is_no_application_is_refused(serve_app: ServeApp, wrong: Any) -> None:
    with pytest.raises(TypeError, match="is not an application: it must take"):
        serve_app(wrong)


@pytest.mark.parametrize("adapter", ["wsgi", "asgi"])
def test_the_platform_pushes_to_an_application_under_test(
    serve_app: ServeApp, iot_platform: IotPlatform, north_client: NorthApiClient, iot_device: IotDevices, adapter: str
) -> None:
    stored = []
    with PushMessageReceiver(MemoryInbox()) as receiver:
        receiver.on(NotifyDeviceDataChangedDTO)(lambda body: stored.append(body.device_id))
        served = serve_app(getattr(receiver, adapter), tls=True)
        north_client.subscription_management.ensure(f"{served.url}/v1.0.0/messageReceiver", ["deviceDataChanged"])
        meter = iot_device()
        meter.report("WaterMeter", DATA)
        iot_platform.wait_idle(60)
    assert stored == [meter.device_id]


def test_pushes_are_waited_for_one_after_the_other(
    push_receiver: PushReceiver, north_client: NorthApiClient, iot_device: IotDevices
) -> None:
    push_receiver.subscribe(north_client, NotifyDeviceDataChangedDTO, "deviceDeleted")
    one, other = iot_device(), iot_device.mqtt()
    one.report("WaterMeter", DATA)
    other.client.report("WaterMeter", DATA)
    found = [push_receiver.wait_for("deviceDataChanged", 60).body.device_id for _ in range(2)]
    assert sorted(found) == sorted([one.device_id, other.device_id])
    with pytest.raises(TimeoutError, match=r"no deviceDataChanged came .* came: deviceDataChanged, deviceDataChanged"):
        push_receiver.wait_for("deviceDataChanged", 0)
    for device in (one, other):
        north_client.device_management.delete_direct_device(device.device_id)
    wanted = push_receiver.wait_for(NotifyDeviceDeletedDTO, 60, where=lambda event: event.device == other.device_id)
    assert wanted.body.device_id == other.device_id
    assert len(push_receiver.wait_idle(60)) == 4
    with pytest.raises(InvalidArgumentError, match="did you mean deviceDataChanged"):
        push_receiver.wait_for("deviceDataChange")


def test_handlers_have_run_when_the_receiver_is_idle_and_a_failed_one_is_a_dead_letter(
    push_receiver: PushReceiver, north_client: NorthApiClient, iot_device: IotDevices
) -> None:
    @push_receiver.receiver.on(NotifyDeviceDataChangedDTO)
    def fail(_: NotifyDeviceDataChangedDTO) -> None:
        raise ValueError("not today")

    push_receiver.subscribe(north_client, "deviceDataChanged")
    iot_device().report("WaterMeter", DATA)
    assert [event.kind for event in push_receiver.wait_idle(60)] == ["deviceDataChanged"]
    assert len(push_receiver.receiver.dead_letters()) == 1


def test_a_receiver_that_is_down_is_named_when_the_platform_does_not_become_idle(
    iot_platform: IotPlatform, north_client: NorthApiClient, iot_device: IotDevices
) -> None:
    iot_platform.control.freeze()
    north_client.subscription_management.ensure("https://127.0.0.1:9/in", ["deviceDataChanged"])
    iot_device().report("WaterMeter", DATA)
    with pytest.raises(TimeoutError, match=r"after 0 s 1 pushes still wait"):
        iot_platform.wait_idle(0)


@pytest.mark.asyncio
async def test_an_asyncio_test_serves_an_application_and_receives_pushes(
    push_receiver: PushReceiver, serve_app: ServeApp, north_client: NorthApiClient, iot_device: IotDevices
) -> None:
    served = serve_app(fastapi_app())
    answer = await asyncio.to_thread(requests.get, served.url, timeout=60)
    assert answer.json() == "fastapi"
    await asyncio.to_thread(push_receiver.subscribe, north_client, "deviceDataChanged")
    iot_device().report("WaterMeter", DATA)
    event = await asyncio.to_thread(push_receiver.wait_for, "deviceDataChanged", 60)
    assert event.body.service.data == DATA


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_test_of_anyio_does_so_too(push_receiver: PushReceiver, serve_app: ServeApp) -> None:
    context = ssl.create_default_context()
    assert context.check_hostname
    assert serve_app(flask_app()).port > 0
    assert await asyncio.to_thread(push_receiver.wait_idle) == []
