"""What AgentLite needs of the client below it: answers that come later, and a queue that waits after a connect."""

import json
from typing import Any

import pytest

from iot_northbound.device import LaterAnswer, MemoryQueue, Pending
from iot_northbound.device.commands import Commands
from iot_northbound.device.failures import ReportDroppedError
from iot_northbound.device.messages import JSON, CodecWire
from iot_northbound.device.queue import Message
from iot_northbound.device.session import Outbox
from tests.clock import eventually


class Answers:
    """Commands of one device, with what it has answered."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], Pending[None]]] = []
        self.later: list[LaterAnswer] = []
        self.commands = Commands(CodecWire(JSON), 1, self.answer, "test")
        self.commands.register(None, None, self.handle)

    def answer(self, payload: bytes) -> Pending[None]:
        pending: Pending[None] = Pending()
        self.sent.append((json.loads(payload), pending))
        return pending

    def handle(self, command: Any) -> LaterAnswer:
        later = LaterAnswer()
        self.later.append(later)
        return later

    def receive(self, mid: int | None) -> LaterAnswer:
        before = len(self.later)
        message = {"msgType": "cloudReq", "serviceId": "Lamp", "cmd": "SET", "paras": {}}
        self.commands.received(json.dumps(message if mid is None else {**message, "mid": mid}).encode())
        eventually(lambda: len(self.later) > before)
        return self.later[-1]


@pytest.fixture
def answers() -> Any:
    made = Answers()
    yield made
    made.commands.close()


def test_a_later_answer_goes_out_when_it_is_given_and_is_done_at_its_puback(answers: Answers) -> None:
    later = answers.receive(7)
    assert answers.sent == []
    later.give(3, {"level": 1})
    [(message, pending)] = answers.sent
    assert message == {"msgType": "deviceRsp", "mid": 7, "errcode": 3, "body": {"level": 1}}
    assert not later.sent.done()
    pending.succeed(None)
    assert later.sent.result(0) is None


def test_only_the_first_answer_counts(answers: Answers) -> None:
    later = answers.receive(7)
    later.give(0)
    later.give(1)
    assert [message["errcode"] for message, _ in answers.sent] == [0]


def test_an_answer_is_dropped_if_its_number_belongs_to_a_later_command(answers: Answers) -> None:
    earlier = answers.receive(7)
    answers.commands.new_connection()
    later = answers.receive(7)
    earlier.give(0)
    with pytest.raises(ReportDroppedError, match="another one"):
        earlier.sent.result(0)
    later.give(1)
    assert [message["errcode"] for message, _ in answers.sent] == [1]


def test_an_answer_to_a_command_without_a_number_is_done_and_not_sent(answers: Answers) -> None:
    later = answers.receive(None)
    later.give(0)
    assert later.sent.result(0) is None
    assert answers.sent == []


def test_a_held_queue_lets_only_answers_out_until_it_is_released_and_is_held_again_after_the_connection() -> None:
    outbox = Outbox(MemoryQueue(), "device-1", hold=True)
    outbox.add(Message("reports", b"1"))
    assert outbox.next() is None
    outbox.add_urgent(Message("answers", b"2"))
    answer = outbox.next()
    assert answer is not None
    assert answer.message.topic == "answers"
    outbox.held = False
    report = outbox.next()
    assert report is not None
    outbox.sent(1, report, 0)
    outbox.lost()
    assert outbox.next() is None
