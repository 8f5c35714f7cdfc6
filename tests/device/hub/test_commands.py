"""Commands that a hub executes, and their results on the way back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from iot_northbound import NorthApiException
from iot_northbound.device.hub import CommandResult, HubClient, HubCommand, Measure, Param, ServerMessage, ServerStatus
from tests.device.hub.parts import METER, Server, reset


def command(number: int, kind: str = "SET", **params: str) -> HubCommand:
    return HubCommand(str(number), kind, "lamp-1", tuple(Param(*each) for each in params.items()))


def results(server: Server) -> list[list[tuple[str, int]]]:
    return [[(of.command_id, of.result) for of in each.responses] for each in server.messages]


def ack(*commands: HubCommand) -> ServerMessage:
    return ServerMessage(ServerStatus.ACK, commands=commands)


def test_commands_are_executed_and_their_results_go_out_at_once(
    server: Server, connect: Callable[..., HubClient]
) -> None:
    server.steps = [ack(command(5, level="40"), command(6, "BLINK"), command(7, "DANCE")), ack()]
    hub = connect()
    heard = []

    @hub.on_command("SET")
    def set_level(asked: HubCommand) -> None:
        heard.append((asked.device_id, asked.values))

    @hub.on_command("BLINK")
    def blink(asked: HubCommand) -> int:
        return CommandResult.CONNECTION_ERROR

    hub.post(METER)
    assert heard == [("lamp-1", {"level": "40"})]
    assert hub.pending == 0
    hub.post(METER)
    assert results(server) == [[], [("5", 1), ("6", 6), ("7", 5)], []]


def test_a_function_that_fails_makes_a_result_and_a_line_in_the_log(
    server: Server, connect: Callable[..., HubClient], caplog: pytest.LogCaptureFixture
) -> None:
    server.steps = [ack(command(5)), ack()]
    hub = connect()

    @hub.on_command()
    def all_of_them(asked: HubCommand) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        hub.post()
    assert results(server) == [[], [("5", 7)]]
    assert "commands of type 'SET' failed" in caplog.text


def test_a_long_command_is_received_first_and_executed_later(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [ack(command(5)), ack()]
    hub = connect()
    hub.on_command()(lambda asked: CommandResult.RECEIVED)
    hub.post()
    hub.respond("5", CommandResult.EXECUTED)
    hub.post()
    assert results(server) == [[], [("5", 0)], [("5", 1)]]


def test_a_thread_of_the_handlers_may_be_faster_than_the_handler(
    server: Server, connect: Callable[..., HubClient]
) -> None:
    server.steps = [ack(command(5)), ack()]
    hub = connect()

    @hub.on_command()
    def begin(asked: HubCommand) -> CommandResult:
        thread = threading.Thread(target=hub.respond, args=(asked.command_id, CommandResult.EXECUTED))
        thread.start()
        thread.join()
        return CommandResult.RECEIVED

    hub.post()
    assert results(server) == [[], [("5", 1)]]


def test_a_command_that_comes_twice_before_its_result_is_executed_once(
    server: Server, connect: Callable[..., HubClient]
) -> None:
    server.steps = [ack(command(5), command(5)), ack()]
    hub = connect()
    heard: list[str] = []
    hub.on_command()(lambda asked: heard.append(asked.command_id))
    hub.post()
    assert heard == ["5"]


def test_commands_that_came_before_a_failure_are_executed(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [reset]
    hub = connect(attempts=1)
    heard: list[str] = []
    hub.on_command()(lambda asked: heard.append(asked.command_id))
    with pytest.raises(NorthApiException):
        hub.post()
    server.steps = [ack(command(5)), reset]
    with pytest.raises(NorthApiException):
        hub.post()
    assert heard == ["5"]
    server.seen.clear()
    server.steps = [ack()]
    hub.post()
    assert results(server) == [[], [("5", 1)]]  # the message under way has its content already


def test_results_that_cannot_go_out_wait_for_the_next_message(
    server: Server, connect: Callable[..., HubClient]
) -> None:
    server.steps = [ack(command(5)), reset]
    hub = connect(attempts=1)
    hub.on_command()(lambda asked: None)
    assert hub.post(METER).status == ServerStatus.ACK
    server.steps = [ack()]
    hub.post(METER)
    assert results(server) == [[], [("5", 1)], [("5", 1)], []]


def test_a_server_with_ever_new_commands_does_not_hold_a_post_for_ever(
    server: Server, connect: Callable[..., HubClient]
) -> None:
    server.steps = [ack(command(5))]
    hub = connect()
    hub.on_command()(lambda asked: None)
    hub.post()
    assert len(server.seen) == 101
    assert hub.pending == 1


def test_a_handler_may_post(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [ack(command(5)), ack()]
    hub = connect()

    @hub.on_command()
    def measure(asked: HubCommand) -> None:
        hub.post(METER)

    hub.post()
    assert results(server) == [[], [], [("5", 1)]]


def test_results_that_have_no_room_in_a_message_wait_for_the_next(
    server: Server, connect: Callable[..., HubClient]
) -> None:
    hub = connect()
    for number in range(900):
        hub.respond(str(number), 1)
    hub.post(*[Measure(f"m-{number}", {}) for number in range(500)])
    assert [len(each) for each in results(server)] == [450, 450]
    assert hub.pending == 0
