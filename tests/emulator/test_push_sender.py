from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator.rules import notifications
from iot_northbound.emulator.server import Emulator
from iot_northbound.serving import Limits
from iot_northbound.serving.http import GuardedServer
from tests.clock import eventually
from tests.servers.process import free_port

from .conftest import Wire


class Receiver:
    """An application's receiver: it notes each push, and answers with the next of `statuses`, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.bodies: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        self.hold = threading.Event()
        self.hold.set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        while not self.hold.is_set():
            await asyncio.sleep(0.005)
        with self.changed:
            self.bodies.append(json.loads(body))
            status = self.statuses.pop(0) if self.statuses else 200
            self.changed.notify_all()
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def wait_for(self, count: int, timeout: float = 60.0) -> list[dict[str, Any]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.bodies) >= count, timeout), f"only {len(self.bodies)} came"
            return list(self.bodies)

    @contextmanager
    def serving(self, **tls: Any) -> Iterator[str]:
        with GuardedServer(self, limits=Limits(stop_grace=0.2), **tls) as server:
            yield f"{'https' if tls else 'http'}://localhost:{server.port}/cb"
            self.hold.set()


def push(emulator: Emulator, url: str, count: int = 1) -> None:
    """Queue pushes as the rules do, on the emulator's loop."""
    runtime = emulator._runtime
    assert runtime is not None

    def queue() -> None:
        for number in range(count):
            body = {"notifyType": "deviceDeleted", "deviceId": f"d{number}", "gatewayId": f"d{number}"}
            notifications.push(runtime.platform, emulator.app_id, url, body)

    runtime.from_any_thread(queue)


def pushes(emulator: Emulator) -> list[dict[str, Any]]:
    return emulator.control.journal(kind="push")


def test_a_change_made_by_a_call_reaches_its_subscriber(emulator: Emulator, wire: Wire) -> None:
    receiver = Receiver()
    with receiver.serving() as url:
        status, answer = wire.call(
            "POST", "/iocm/app/sub/v1.2.0/subscriptions", {"notifyType": "deviceAdded", "callbackUrl": url}
        )
        assert status in (200, 201), answer
        device_id = wire.register("node")
        (body,) = receiver.wait_for(1)
        assert (body["notifyType"], body["deviceId"]) == ("deviceAdded", device_id)
        eventually(lambda: emulator.control.pushes()["delivered"] == 1)
    (entry,) = pushes(emulator)
    assert (entry["notifyType"], entry["status"], entry["attempt"], entry["outcome"]) == (
        "deviceAdded", 200, 1, "delivered",
    )  # fmt: skip


def test_ten_thousand_pushes_arrive_once_each(emulator: Emulator) -> None:
    receiver = Receiver()
    with receiver.serving() as url:
        push(emulator, url, 10_000)
        bodies = receiver.wait_for(10_000, timeout=60)
        eventually(lambda: emulator.control.pushes()["waiting"] == 0)
    assert len(bodies) == 10_000
    assert len({body["deviceId"] for body in bodies}) == 10_000


def test_a_refused_push_comes_again_after_growing_pauses(emulator: Emulator) -> None:
    receiver = Receiver(500, 301, 204)
    emulator.control.freeze()
    with receiver.serving() as url:
        push(emulator, url)
        for attempt in range(1, 5):
            receiver.wait_for(attempt)
            eventually(lambda attempt=attempt: len(pushes(emulator)) == attempt)  # type: ignore[misc]
            if attempt < 4:
                emulator.control.advance(notifications.RETRY_SECONDS[attempt - 1] - 1)
                assert len(pushes(emulator)) == attempt
                emulator.control.advance(1)
    assert [(one["attempt"], one["status"], one["outcome"]) for one in pushes(emulator)] == [
        (1, 500, "waiting"), (2, 301, "waiting"), (3, 204, "waiting"), (4, 200, "delivered"),
    ]  # fmt: skip


def test_after_ten_failures_in_a_row_a_receiver_rests_and_then_gets_everything(emulator: Emulator) -> None:
    receiver = Receiver(*[500] * notifications.FAILURES_BEFORE_REST)
    emulator.control.freeze()
    with receiver.serving() as url:
        push(emulator, url, notifications.FAILURES_BEFORE_REST)
        eventually(lambda: len(pushes(emulator)) == notifications.FAILURES_BEFORE_REST)
        push(emulator, url)
        emulator.control.advance(notifications.REST_SECONDS - 1)
        assert len(receiver.bodies) == notifications.FAILURES_BEFORE_REST
        emulator.control.advance(1)
        receiver.wait_for(2 * notifications.FAILURES_BEFORE_REST + 1)
        eventually(lambda: emulator.control.pushes()["waiting"] == 0)
    assert emulator.control.pushes()["delivered"] == notifications.FAILURES_BEFORE_REST + 1


def test_a_receiver_that_does_not_answer_fails_after_its_time(emulator: Emulator) -> None:
    receiver = Receiver()
    receiver.hold.clear()
    assert emulator._runtime is not None
    assert emulator._runtime.pushes.answer_seconds == 15
    emulator._runtime.pushes.answer_seconds = 0.2
    with receiver.serving() as url:
        push(emulator, url)
        eventually(lambda: len(pushes(emulator)) == 1)
    assert pushes(emulator)[0]["error"] == "no answer within 0.2 s"


def test_dead_and_stuck_receivers_do_not_delay_others(emulator: Emulator, wire: Wire) -> None:
    stuck, well = Receiver(), Receiver()
    stuck.hold.clear()
    with stuck.serving() as stuck_url, well.serving() as url, socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound, not listening: every connection is refused
        push(emulator, f"http://127.0.0.1:{dead.getsockname()[1]}/", 200)
        push(emulator, stuck_url, 200)
        push(emulator, url, 200)
        well.wait_for(200)
        assert wire.register("meanwhile")
        assert emulator.control.pushes()["waiting"] >= 399


def test_a_receiver_that_failed_is_tried_by_one_push_at_a_time(emulator: Emulator) -> None:
    receiver = Receiver(500)
    with receiver.serving() as url:
        push(emulator, url)
        receiver.wait_for(1)
        eventually(lambda: len(pushes(emulator)) == 1)
        receiver.hold.clear()
        push(emulator, url, 20)
        eventually(lambda: emulator.control.pushes()["underWay"] > 0)
        assert emulator.control.pushes()["underWay"] == 1
        receiver.hold.set()
        receiver.wait_for(21)


def test_the_receivers_certificate_is_checked_against_the_settable_ca(
    home_folder: Path, tmp_path: Path, emulator: Emulator
) -> None:
    receiver = Receiver()
    with receiver.serving(ssl_context=emulator.home.server_context()) as url:
        push(emulator, url)
        receiver.wait_for(1)
        with Emulator(folder=tmp_path) as stranger:
            push(stranger, url)
            eventually(lambda: len(pushes(stranger)) == 1)
            assert "not trusted" in pushes(stranger)[0]["error"]
        with Emulator(
            folder=tmp_path,
            callback_ca=emulator.home.ca,
            callback_certificate=(home_folder / "client.pem", home_folder / "client.key"),
        ) as friend:
            push(friend, url)
            receiver.wait_for(2)


class TestASubscriptionThatEndsOrMovesWhileAPushIsOnItsWay:
    """The push is held by a fault until a later one has passed; meanwhile its subscription changes."""

    KIND = "fwUpgradeResultNotify"

    def subscribe(self, wire: Wire, url: str) -> None:
        status, _ = wire.call("POST", "/iodm/app/sub/v1.1.0/subscribe", {"notifyType": self.KIND, "callbackUrl": url})
        assert status == 200

    def hold_one(self, emulator: Emulator) -> None:
        runtime = emulator._runtime
        assert runtime is not None
        emulator.control.add_fault("push_reorder", count=1, seconds=60)
        body = {"notifyType": self.KIND, "deviceId": "held"}
        runtime.from_any_thread(lambda: runtime.platform.notify(emulator.app_id, self.KIND, body))
        eventually(lambda: emulator.control.pushes()["underWay"] == 1)

    def test_it_is_not_sent_when_the_subscription_has_been_deleted(self, emulator: Emulator, wire: Wire) -> None:
        receiver = Receiver()
        with receiver.serving() as url:
            self.subscribe(wire, url)
            self.hold_one(emulator)
            assert wire.call("DELETE", "/iocm/app/sub/v1.2.0/subscriptions")[0] == 204
            push(emulator, url)
            eventually(lambda: emulator.control.pushes()["delivered"] == 1)
            eventually(lambda: emulator.control.pushes()["underWay"] == 0)
        assert [body["deviceId"] for body in receiver.bodies] == ["d0"]
        assert len(pushes(emulator)) == 1

    @pytest.mark.parametrize(("status", "outcome"), [(200, "delivered"), (503, "dropped")])
    def test_the_count_and_the_journal_say_the_same_when_the_receiver_answers_after_the_deletion(
        self, emulator: Emulator, wire: Wire, status: int, outcome: str
    ) -> None:
        receiver = Receiver(status)
        receiver.hold.clear()
        with receiver.serving() as url:
            self.subscribe(wire, url)
            runtime = emulator._runtime
            assert runtime is not None
            runtime.from_any_thread(
                lambda: runtime.platform.notify(emulator.app_id, self.KIND, {"notifyType": self.KIND})
            )
            eventually(lambda: bool(runtime.platform.pushes_under_way))
            assert wire.call("DELETE", "/iocm/app/sub/v1.2.0/subscriptions")[0] == 204
            receiver.hold.set()
            eventually(lambda: len(pushes(emulator)) == 1)
        (entry,) = pushes(emulator)
        assert (entry["status"], entry["outcome"]) == (status, outcome)
        counts = {"queued": 1, "delivered": 0, "dropped": 0, "waiting": 0, "underWay": 0}
        eventually(lambda: emulator.control.pushes() == counts | {outcome: 1})

    def test_it_goes_to_the_new_url_when_the_subscription_has_moved(self, emulator: Emulator, wire: Wire) -> None:
        old, new = Receiver(), Receiver()
        with old.serving() as old_url, new.serving() as new_url:
            self.subscribe(wire, old_url)
            self.hold_one(emulator)
            self.subscribe(wire, new_url)
            push(emulator, old_url)
            assert [body["deviceId"] for body in new.wait_for(1)] == ["held"]
        assert [body["deviceId"] for body in old.bodies] == ["d0"]


class TestFaults:
    def test_a_lost_push_counts_as_delivered_and_never_comes(self, emulator: Emulator) -> None:
        receiver = Receiver()
        emulator.control.add_fault("push_lost", count=1)
        with receiver.serving() as url:
            push(emulator, url, 2)
            eventually(lambda: emulator.control.pushes()["delivered"] == 2)
        assert len(receiver.bodies) == 1
        lost, sent = sorted(pushes(emulator), key=lambda one: one["fault"] is None)
        assert (lost["fault"], lost["outcome"], lost["status"]) == ("push_lost", "lost", None)
        assert (sent["fault"], sent["outcome"], sent["status"]) == (None, "delivered", 200)

    def test_a_doubled_push_comes_twice(self, emulator: Emulator) -> None:
        receiver = Receiver()
        emulator.control.add_fault("push_double", notify_type="deviceDeleted")
        with receiver.serving() as url:
            push(emulator, url)
            first, second = receiver.wait_for(2)
        assert first == second

    def test_a_reordered_push_comes_after_a_later_one(self, emulator: Emulator) -> None:
        receiver = Receiver()
        emulator.control.add_fault("push_reorder", count=1, seconds=20)
        with receiver.serving() as url:
            push(emulator, url, 2)
            assert [body["deviceId"] for body in receiver.wait_for(2)] == ["d1", "d0"]

    def test_a_delayed_push_comes_late(self, emulator: Emulator) -> None:
        receiver = Receiver()
        emulator.control.add_fault("push_delay", count=1, seconds=0.2)
        started = time.monotonic()
        with receiver.serving() as url:
            push(emulator, url)
            receiver.wait_for(1)
        assert time.monotonic() - started >= 0.2


def test_undelivered_pushes_are_sent_after_a_restart(home_folder: Path, tmp_path: Path) -> None:
    receiver, port = Receiver(), free_port()
    with Emulator(folder=home_folder, data_dir=tmp_path) as first:
        push(first, f"http://localhost:{port}/cb", 3)
        eventually(lambda: len(pushes(first)) == 3)
        assert first.control.pushes()["waiting"] == 3
    with (
        GuardedServer(receiver, port=port),
        Emulator(folder=home_folder, data_dir=tmp_path) as second,
    ):
        second.control.advance(notifications.RETRY_SECONDS[0])
        assert len(receiver.wait_for(3)) == 3
