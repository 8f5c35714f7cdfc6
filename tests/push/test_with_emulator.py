"""Against the emulator's real pushes, HTTPS with certificates on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.client import NorthApiClient
from iot_northbound.dto import RegDirectDeviceInDTO2
from iot_northbound.emulator import Emulator
from iot_northbound.emulator.rules import notifications
from iot_northbound.push import Access, Event, InboxLimits, MemoryInbox, ReceiverServer, SqliteInbox
from iot_northbound.testing.messages import PUSH_KINDS, ROUTE_OF, push_message
from tests.clock import eventually
from tests.push.helpers import Recorder

Serve = Callable[..., str]

SECRET = "segment-only-the-platform-knows"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def emulator(home: Path) -> Iterator[Emulator]:
    with Emulator(folder=home) as running:
        yield running


@pytest.fixture
def serve(emulator: Emulator, tmp_path: Path) -> Iterator[Serve]:
    """Serve a receiver with the emulator's certificates; the platform must show its own. Return the URL to push to."""
    servers: list[ReceiverServer] = []

    def start(receiver: Recorder, path: str = "") -> str:
        server = receiver.server("localhost", 0, ssl=emulator.home.server_context(), drain=5).start()
        servers.append(server)
        return f"https://localhost:{server.address[1]}{path}"

    yield start
    for server in servers:
        server.stop()


def push(emulator: Emulator, url: str, *bodies: dict[str, Any]) -> None:
    """Let the platform push, as its rules do."""
    runtime = emulator._runtime
    assert runtime is not None
    platform = runtime.platform
    runtime.from_any_thread(lambda: [notifications.push(platform, emulator.app_id, url, body) for body in bodies])


def kinds(receiver: Eventful) -> list[str]:
    return sorted(event.kind for event in receiver.events)


class Eventful(Recorder):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.events: list[Event] = []

    def handle_body(self, body: str) -> None:
        self.events.append(self.event)
        super().handle_body(body)


def test_every_kind_arrives_over_tls_on_both_sides(emulator: Emulator, serve: Serve, tmp_path: Path) -> None:
    access = Access(path_secret=SECRET, networks=["127.0.0.0/8", "::1/128"])
    receiver = Eventful(SqliteInbox(tmp_path / "inbox"), access=access)
    url = serve(receiver, f"/{SECRET}")
    for kind in PUSH_KINDS:
        push(emulator, url + ROUTE_OF[kind], push_message(kind))
    receiver.log.wait_for(len(PUSH_KINDS))
    assert kinds(receiver) == sorted(PUSH_KINDS)
    assert all(event.problem is None for event in receiver.events)
    eventually(lambda: emulator.control.pushes()["delivered"] == len(PUSH_KINDS))


def test_the_platforms_messages_about_its_devices_are_understood(emulator: Emulator, serve: Serve) -> None:
    receiver = Eventful(MemoryInbox())
    url = serve(receiver, "/v1.0.0/messageReceiver")
    subscribed = ["deviceAdded", "deviceDataChanged", "deviceInfoChanged", "deviceDeleted"]
    with NorthApiClient.from_profile(emulator.profile_path) as client:
        client.subscription_management.ensure(url, subscribed)
        device_id = client.device_management.reg_direct_device(
            RegDirectDeviceInDTO2(node_id="meter", timeout=0)
        ).device_id
        client.device_management.delete_direct_device(device_id)
        eventually(lambda: {"deviceAdded", "deviceDeleted"} <= set(kinds(receiver)))
        assert {event.device for event in receiver.events} == {device_id}
        assert all(event.problem is None for event in receiver.events)
        client.subscription_management.ensure(url, [])


def test_what_a_full_inbox_refuses_comes_again(emulator: Emulator, serve: Serve) -> None:
    inbox = MemoryInbox(limits=InboxLimits(size=1))
    receiver = Eventful(inbox)
    url = serve(receiver, "/v1.0.0/messageReceiver")
    emulator.control.freeze()
    push(emulator, url, push_message("deviceAdded"))
    eventually(lambda: len(emulator.control.journal(kind="push")) == 1)
    assert emulator.control.journal(kind="push")[0]["status"] == 503
    inbox._ledger.limits = InboxLimits()
    emulator.control.advance(notifications.RETRY_SECONDS[0])
    receiver.log.wait_for(1)
    assert receiver.metrics().refused == {503: 1}


def test_after_the_platforms_rest_everything_arrives(emulator: Emulator, serve: Serve) -> None:
    inbox = MemoryInbox(limits=InboxLimits(size=1))
    receiver = Eventful(inbox)
    url = serve(receiver, "/v1.0.0/messageReceiver")
    emulator.control.freeze()
    count = notifications.FAILURES_BEFORE_REST
    push(emulator, url, *[push_message("deviceAdded", deviceId=f"d{number}") for number in range(count)])
    eventually(lambda: len(emulator.control.journal(kind="push")) == count)
    inbox._ledger.limits = InboxLimits()
    emulator.control.advance(notifications.REST_SECONDS)
    receiver.log.wait_for(count)
    assert {event.device for event in receiver.events} == {f"d{number}" for number in range(count)}


def test_doubled_pushes_are_handled_once(emulator: Emulator, serve: Serve) -> None:
    receiver = Eventful(MemoryInbox())
    url = serve(receiver, "/v1.0.0/messageReceiver")
    emulator.control.add_fault("push_double", notify_type="deviceDataChanged")
    push(emulator, url, *[push_message("deviceDataChanged", requestId=f"r{number}") for number in range(20)])
    eventually(lambda: receiver.metrics().duplicates == 20)
    eventually(lambda: receiver.metrics().handled == 20)
    assert len({event.raw["requestId"] for event in receiver.events}) == len(receiver.events) == 20


def test_delayed_and_shuffled_pushes_arrive_all(emulator: Emulator, serve: Serve) -> None:
    receiver = Eventful(MemoryInbox())
    url = serve(receiver, "/v1.0.0/messageReceiver")
    emulator.control.seed_faults(7)
    emulator.control.add_fault("push_delay", probability=0.3, seconds=0.05)
    emulator.control.add_fault("push_reorder", probability=0.3, seconds=0.1)
    bodies = [push_message("deviceDataChanged", requestId=f"r{number}") for number in range(100)]
    push(emulator, url, *bodies)
    receiver.log.wait_for(100)
    assert {event.raw["requestId"] for event in receiver.events} == {body["requestId"] for body in bodies}
