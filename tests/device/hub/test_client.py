"""HubClient against servers that misbehave, over real TLS."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import (
    ClientClosedError,
    InvalidArgumentError,
    NorthApiException,
    NotAuthorizedError,
    NotFoundError,
    PlatformFailureError,
    TlsError,
    UnreadableAnswerError,
)
from iot_northbound.core.retry import Backoff
from iot_northbound.device.hub import (
    AddDevice,
    CommandResult,
    HubClient,
    HubCommand,
    HubMessage,
    Measure,
    Param,
    ServerMessage,
    ServerStatus,
)
from tests.certs import LOOPBACK_NAMES, Authority, server_context
from tests.clock import FakeClock, eventually
from tests.faulty_server import FaultyServer, Seen, Wire

TOKEN = "tok-5f1c"
METER = Measure("meter-1", {"power": 1})


class Server(FaultyServer):
    """Answers messages by steps, the last one for ever: an answer to encode, or a function that misbehaves."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context, self._answer)
        self.steps: list[ServerMessage | Callable[[Seen, Wire], Any]] = [ServerMessage(ServerStatus.ACK)]

    def _answer(self, seen: Seen, wire: Wire) -> Any:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if not isinstance(step, ServerMessage):
            return step(seen, wire)
        return 200, step.encode(), {"Content-Type": "text/xml"}

    @property
    def messages(self) -> list[HubMessage]:
        return [HubMessage.decode(each.body) for each in self.seen]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder, ca = tmp_path_factory.mktemp("hub"), Authority()
    (folder / "ca.pem").write_bytes(ca.pem)
    return server_context(ca.issue("server", LOOPBACK_NAMES), None, folder), folder / "ca.pem"


@pytest.fixture
def server(tls: tuple[ssl.SSLContext, Path]) -> Iterator[Server]:
    with Server(tls[0]) as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connect(server: Server, tls: tuple[ssl.SSLContext, Path]) -> Iterator[Callable[..., HubClient]]:
    made: list[HubClient] = []

    def make(**rest: Any) -> HubClient:
        options = {"ca_path": str(tls[1]), "backoff": Backoff(0.0, 0.0), **rest}
        made.append(HubClient("hub-1", TOKEN, f"https://127.0.0.1:{server.port}", **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def reset(seen: Seen, wire: Wire) -> None:
    wire.reset()


def test_a_post_is_as_it_is_seen_in_the_field(server: Server, connect: Callable[..., HubClient]) -> None:
    hub = connect(first_seq=41)
    answer = hub.post(METER, adds=[AddDevice("meter-1", 11)])
    assert answer == ServerMessage(ServerStatus.ACK)
    [seen] = server.seen
    assert (seen.method, seen.target) == ("POST", "/deviceio/ml")
    assert (seen.headers["content-type"], seen.headers["ppcauthorization"]) == ("text/xml", f'esp token="{TOKEN}"')
    assert server.messages == [HubMessage("hub-1", 41, (METER,), (AddDevice("meter-1", 11),))]


def test_numbers_go_up_and_one_connection_is_enough(server: Server, connect: Callable[..., HubClient]) -> None:
    hub = connect(first_seq=1)
    for _ in range(3):
        hub.post(METER)
    hub.add("meter-2", 12)
    assert [each.seq for each in server.messages] == [1, 2, 3, 4]
    assert server.connections == 1


def test_a_hub_that_starts_again_does_not_repeat_its_last_number(
    server: Server, connect: Callable[..., HubClient], clock: FakeClock
) -> None:
    connect(clock=clock).post()
    clock.advance(5)
    connect(clock=clock).post()
    first, second = server.messages
    assert (first.seq, second.seq) == (1_770_000_000, 1_770_000_005)


def test_after_err_the_same_message_goes_out_again_later(
    server: Server, connect: Callable[..., HubClient], clock: FakeClock
) -> None:
    server.steps = [ServerMessage(ServerStatus(each)) for each in ("ERR", "ERR", "ACK")]
    hub = connect(clock=clock, backoff=Backoff(1.0, 30.0, lambda: 1.0))
    thread = threading.Thread(target=hub.post, args=(METER,))
    thread.start()
    for wait in (1.0, 2.0):
        eventually(lambda: clock.waits == [pytest.approx(wait)])  # noqa: B023 - it is called at once
        clock.advance(wait)
    thread.join(20)
    assert len(server.seen) == 3
    assert len({each.body for each in server.seen}) == 1


def half(seen: Seen, wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<s2h")
    wire.close()


def alien(seen: Seen, wire: Wire) -> Any:
    return 200, b"<html/>"


def another(seen: Seen, wire: Wire) -> Any:
    return 200, ServerMessage(ServerStatus.ACK, 3).encode()


def busy(seen: Seen, wire: Wire) -> Any:
    return 503, b"busy"


@pytest.mark.parametrize("lost", [reset, half, alien, another, busy])
def test_a_lost_answer_makes_the_same_message_go_out_again(
    server: Server, connect: Callable[..., HubClient], lost: Callable[[Seen, Wire], Any]
) -> None:
    server.steps = [lost, lost, ServerMessage(ServerStatus.ACK)]
    assert connect().post(METER).status == ServerStatus.ACK
    assert len(server.seen) == 3
    assert len({each.body for each in server.seen}) == 1


def test_a_message_without_an_answer_is_kept_and_goes_out_first(
    server: Server, connect: Callable[..., HubClient]
) -> None:
    server.steps = [reset]
    hub = connect(attempts=2, first_seq=1)
    for measure in (METER, Measure("meter-2", {"power": 2})):
        with pytest.raises(NorthApiException) as caught:
            hub.post(measure)
        assert (caught.value.error_code, caught.value.attempts) == ("1003", 2)
    assert hub.pending == 2
    server.seen.clear()
    server.steps = [ServerMessage(ServerStatus.ACK)]
    hub.post()
    assert [(each.seq, [of.device_id for of in each.measures]) for each in server.messages] == [
        (1, ["meter-1"]),
        (2, ["meter-2"]),
        (3, []),
    ]
    assert hub.pending == 0


def test_the_oldest_waiting_message_is_dropped_and_counted(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [reset]
    hub = connect(attempts=1, keep=2)
    for number in range(5):
        with pytest.raises(NorthApiException):
            hub.post(Measure(f"meter-{number}", {}))
    assert (hub.dropped, hub.pending) == (2, 3)
    server.seen.clear()
    server.steps = [ServerMessage(ServerStatus.ACK)]
    hub.post()
    # The first one was under way all the time.
    assert [[of.device_id for of in each.measures] for each in server.messages] == [["meter-0"], ["meter-4"], []]


@pytest.mark.parametrize(
    ("status", "kind", "kept"),
    [
        ("ERR_FORMAT", InvalidArgumentError, 0),
        ("UNKNOWN", NotFoundError, 1),
        ("UNAUTHORIZED", NotAuthorizedError, 1),
        ("LATER", UnreadableAnswerError, 1),
    ],
)
def test_a_refusal_is_raised_at_once(
    server: Server, connect: Callable[..., HubClient], status: str, kind: type[NorthApiException], kept: int
) -> None:
    server.steps = [ServerMessage(ServerStatus(status))]
    hub = connect()
    with pytest.raises(kind, match=status) as caught:
        hub.post(METER)
    assert (caught.value.error_code, len(server.seen), hub.pending) == (status, 1, kept)
    assert ServerStatus(status).meaning in str(caught.value)


def test_an_err_that_stays_is_raised_in_the_end(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [ServerMessage(ServerStatus.ERR)]
    hub = connect(attempts=3)
    with pytest.raises(PlatformFailureError, match="ERR") as caught:
        hub.post(METER)
    assert (caught.value.attempts, len(server.seen), hub.pending) == (3, 3, 1)


def test_another_http_status_is_raised(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [lambda seen, wire: (404, b"no")]
    with pytest.raises(UnreadableAnswerError, match=r"HTTP status 404.*/deviceio/ml") as caught:
        connect().post(METER)
    assert caught.value.http_status_code == 404
    assert len(server.seen) == 1


def test_a_server_that_sends_byte_by_byte_is_given_up(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [lambda seen, wire: wire.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2_000)]
    with pytest.raises(NorthApiException) as caught:
        connect(timeout=0.2, attempts=1).post(METER)
    assert caught.value.error_code == "1003"


def test_a_server_that_is_not_trusted_hears_nothing(server: Server, connect: Callable[..., HubClient]) -> None:
    with pytest.raises(TlsError):
        connect(ca_path=None).post(METER)
    assert server.seen == []


def test_while_a_user_watches_the_interval_is_shorter(server: Server, connect: Callable[..., HubClient]) -> None:
    server.steps = [ServerMessage(ServerStatus.CONT), ServerMessage(ServerStatus.ACK)]
    hub = connect(interval=60, watch_interval=2)
    assert (hub.watching, hub.interval) == (False, 60)
    hub.post(METER)
    assert (hub.watching, hub.interval) == (True, 2)
    hub.post(METER)
    assert (hub.watching, hub.interval) == (False, 60)


# --- commands ---


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


def test_many_threads_post_each_message_once(server: Server, connect: Callable[..., HubClient]) -> None:
    hub = connect(first_seq=0)

    def post(number: int) -> None:
        for each in range(5):
            hub.post(Measure(f"m-{number}-{each}", {}))

    threads = [threading.Thread(target=post, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [each.seq for each in server.messages] == list(range(250))
    names = [each.measures[0].device_id for each in server.messages]
    assert len(set(names)) == 250
    assert [each for each in names if each.startswith("m-7-")] == [f"m-7-{each}" for each in range(5)]


# --- its making and its end ---


def test_close_ends_a_post_that_waits(server: Server, connect: Callable[..., HubClient], clock: FakeClock) -> None:
    server.steps = [ServerMessage(ServerStatus.ERR)]
    hub = connect(clock=clock, backoff=Backoff(1_000.0, 1_000.0, lambda: 1.0))
    caught: list[NorthApiException] = []

    def post() -> None:
        with pytest.raises(ClientClosedError) as error:
            hub.post(METER)
        caught.append(error.value)

    thread = threading.Thread(target=post)
    thread.start()
    eventually(lambda: clock.waits)
    hub.close()
    thread.join(20)
    assert caught
    with pytest.raises(ClientClosedError):
        hub.post(METER)


def test_the_token_is_shown_nowhere(
    server: Server, connect: Callable[..., HubClient], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), connect() as hub:
        hub.post(METER)
        server.steps = [ServerMessage(ServerStatus.UNAUTHORIZED)]
        with pytest.raises(NotAuthorizedError) as caught:
            hub.post(METER)
    shown = f"{hub!r}{caught.value}{caught.value!r}{caught.value.__cause__}{caplog.text}"
    assert "hub-1" in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"hub_id": ""}, "not empty"),
        ({"hub_id": "a\x00"}, "XML has no character"),
        ({"token": ""}, "printable ASCII"),
        ({"token": 'a"b'}, "printable ASCII"),
        ({"token": "a\r\nb"}, "printable ASCII"),
        ({"url": "http://127.0.0.1"}, "https://host:port"),
        ({"url": "127.0.0.1:80"}, "https://host:port"),
        ({"url": "https://h:65536"}, "https://host:port"),
        ({"url": "https://h:x"}, "https://host:port"),
        ({"url": "https://[::1"}, "https://host:port"),
        ({"url": 80}, "https://host:port"),
        ({"hub_id": 3}, "hub_id"),
        ({"token": None}, "token"),
        ({"keep": "x"}, "keep"),
        ({"url": "https://me:pw-81@127.0.0.1"}, "no user"),
        ({"attempts": 0}, "whole number from 1"),
        ({"keep": 0}, "whole number from 1"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(wrong: dict[str, Any], why: str) -> None:
    given = {"hub_id": "hub-1", "token": TOKEN, "url": "https://127.0.0.1", **wrong}
    with pytest.raises(InvalidArgumentError, match=why) as caught:
        HubClient(**given)
    assert "pw-81" not in str(caught.value)
    assert 'a"b' not in str(caught.value)


def test_a_message_that_is_too_long_never_waits(server: Server, connect: Callable[..., HubClient]) -> None:
    hub = connect()
    with pytest.raises(InvalidArgumentError, match="at most 65536"):
        hub.post(Measure("d", {"a": "x" * 65_536}))
    hub.post(METER)
    assert len(server.seen) == 1
