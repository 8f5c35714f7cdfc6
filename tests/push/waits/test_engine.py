"""The waits with their threads, on a receiver that gets real requests."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, wait
from typing import Any

import pytest

from iot_northbound.errors import WaitStoppedError
from iot_northbound.push import HandlerRetry, MemoryInbox, PushMessageReceiver
from iot_northbound.testing.messages import push_body
from tests.clock import FakeClock, eventually
from tests.push.helpers import PATIENCE
from tests.push.waits.platform import Platform, batch_request, request


def pushed(receiver: PushMessageReceiver, command_id: str, status: str = "SUCCESSFUL") -> None:
    body = push_body("commandStatusChanged", commandId=command_id, result={"resultCode": status})
    assert receiver.receive(body).status == 200


def waiting_threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name.startswith("iot-northbound-wait-")}


@pytest.fixture
def receiver() -> Any:
    before = waiting_threads()
    with PushMessageReceiver(MemoryInbox(), clock=FakeClock(), callback_url="https://na.example/") as receiver:
        yield receiver
    eventually(lambda: waiting_threads() <= before)


def test_send_returns_what_is_pushed_during_the_call(receiver: PushMessageReceiver) -> None:
    platform = Platform(during=lambda command_id: pushed(receiver, command_id))
    assert receiver.commands.send(platform, request()).status == "SUCCESSFUL"


def test_a_thousand_waits_occupy_ten_threads(receiver: PushMessageReceiver) -> None:
    before, platform = waiting_threads(), Platform()
    futures = [receiver.commands.submit(platform, request()) for _ in range(1_000)]
    eventually(lambda: len(platform.sent) == 1_000)
    assert len(waiting_threads() - before) == 10
    for number in range(1, 1_001):
        pushed(receiver, f"c{number}")
    assert {future.result(PATIENCE).status for future in futures} == {"SUCCESSFUL"}
    assert platform.looks == []


def test_handlers_get_the_push_too_and_a_failed_one_does_not_lose_the_wait() -> None:
    class Failing(PushMessageReceiver):
        def handle_nbc_command_state_changed(self, body: Any) -> None:
            raise ValueError("broken")

    with Failing(MemoryInbox(), retry=HandlerRetry(attempts=1)) as receiver:
        platform = Platform(during=lambda command_id: pushed(receiver, command_id))
        assert receiver.commands.send(platform, request()).status == "SUCCESSFUL"
        eventually(lambda: len(receiver.dead_letters()) == 1)


def test_a_handler_may_send_and_wait() -> None:
    done = Future[Any]()
    platform = Platform()

    class Application(PushMessageReceiver):
        def handle_device_added(self, body: Any) -> None:
            done.set_result(self.commands.send(platform, request(body.device_id)))

    with Application(MemoryInbox(), threads=1) as receiver:
        platform.during = lambda command_id: pushed(receiver, command_id)
        receiver.receive(push_body("deviceAdded", deviceId="d7"))
        assert done.result(PATIENCE).device_id == "d7"


def test_coroutines_await_it_and_a_cancelled_one_ends_its_wait(receiver: PushMessageReceiver) -> None:
    platform = Platform()

    async def application() -> Any:
        def submit() -> asyncio.Future[Any]:
            return asyncio.wrap_future(receiver.commands.submit(platform, request()))

        first, second = submit(), submit()
        while len(platform.sent) < 2:
            await asyncio.sleep(0)
        second.cancel()
        pushed(receiver, "c1")
        pushed(receiver, "c2")
        finished, _ = await asyncio.wait([first, second])
        return sorted(each.cancelled() for each in finished)

    assert asyncio.run(application()) == [False, True]
    eventually(lambda: receiver._waits.count == 0)


def test_send_in_on_progress_is_refused_because_it_would_wait_for_itself(receiver: PushMessageReceiver) -> None:
    platform = Platform()

    def again(_: Any) -> None:
        receiver.commands.send(platform, request())

    with pytest.raises(RuntimeError, match="use submit"):
        receiver.commands.send(platform, request(), on_progress=again)


def test_an_interrupted_send_leaves_no_wait(receiver: PushMessageReceiver) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        receiver.commands.send(Platform(during=interrupt), request())
    assert receiver._waits.count == 0
    assert not receiver._waits._board.listens


def test_the_stop_wakes_whoever_waits_and_a_start_makes_it_work_again(receiver: PushMessageReceiver) -> None:
    platform = Platform()
    futures: list[Future[Any]] = [receiver.commands.submit(platform, request()) for _ in range(20)]
    futures += [receiver.tasks.submit(platform, batch_request()) for _ in range(20)]
    receiver.stop()
    assert not wait(futures, PATIENCE).not_done
    assert {type(each.exception()) for each in futures} == {WaitStoppedError}
    with pytest.raises(WaitStoppedError):
        receiver.commands.send(platform, request())
    receiver.start()
    platform.during = lambda command_id: pushed(receiver, command_id)
    assert receiver.commands.send(platform, request()).status == "SUCCESSFUL"


def test_a_stop_in_a_callback_does_not_wait_for_itself(receiver: PushMessageReceiver) -> None:
    platform = Platform()
    stopped = threading.Event()

    def stop(_: Any) -> None:
        receiver.stop()
        stopped.set()

    future = receiver.commands.submit(platform, request())
    future.add_done_callback(stop)
    eventually(lambda: platform.sent)
    eventually(lambda: receiver._waits._board._waits)
    pushed(receiver, "c1")
    assert stopped.wait(PATIENCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_child_the_waits_of_the_parent_end_and_new_ones_work(receiver: PushMessageReceiver) -> None:
    platform = Platform()
    future = receiver.commands.submit(platform, request())
    called: list[int] = []
    future.add_done_callback(lambda _: called.append(os.getpid()))
    eventually(lambda: receiver._waits._board._waits)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            error = future.exception(PATIENCE)
            assert isinstance(error, WaitStoppedError)
            assert "this process was forked" in str(error)
            assert called == []
            in_child = PushMessageReceiver(MemoryInbox(), callback_url="https://na.example/").start()
            platform.during = lambda command_id: pushed(in_child, command_id)
            assert in_child.commands.send(platform, request()).status == "SUCCESSFUL"
            again = receiver.commands.submit(platform, request())
            receiver._waits.stop()
            assert isinstance(again.exception(PATIENCE), WaitStoppedError)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    pushed(receiver, "c1")
    assert future.result(PATIENCE).status == "SUCCESSFUL"
    assert called == [os.getpid()]


def test_fifty_threads_submit_cancel_and_push_at_the_same_time(receiver: PushMessageReceiver) -> None:
    platform = Platform(during=lambda command_id: pushed(receiver, command_id, "SENT"))
    futures: list[Future[Any]] = []

    def work(number: int) -> None:
        for turn in range(10):
            future = receiver.commands.submit(platform, request(f"d{number}"))
            futures.append(future)
            if turn % 5 == 4:
                future.cancel()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)
    alive = [each for each in futures if not each.cancelled()]
    eventually(lambda: len(platform.sent) >= len(alive) and receiver._waits._begins.empty())
    for command_id in list(platform.commands):
        pushed(receiver, command_id)
    assert {each.result(PATIENCE).status for each in alive} == {"SUCCESSFUL"}
    eventually(lambda: receiver._waits.count == 0 and not receiver._waits._board.listens)
