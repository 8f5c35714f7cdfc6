"""HubClient: a hub that posts measures and executes the commands that come back."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from os import PathLike
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from iot_northbound.core.answers import Answer
from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.failures import Log
from iot_northbound.core.retry import AttemptFailed, Backoff, Outcome
from iot_northbound.core.signal_safe import Flag
from iot_northbound.core.transport import Timeouts, Transport
from iot_northbound.device.hub.codes import CommandResult, ServerStatus
from iot_northbound.device.hub.messages import (
    AddDevice,
    CommandResponse,
    HubCommand,
    HubMessage,
    Measure,
    ServerMessage,
)
from iot_northbound.device.trust import in_device_words, policy_of
from iot_northbound.errors import (
    ClientClosedError,
    InvalidArgumentError,
    NorthApiException,
    NotAuthorizedError,
    NotFoundError,
    PlatformFailureError,
    SdkCode,
    UnreadableAnswerError,
)
from iot_northbound.ssl_config import SSLConfig

log = Log("iot_northbound.device.hub")

CommandHandler = Callable[[HubCommand], CommandResult | int | None]
"""Executes a command and returns its result; None means EXECUTED."""

_BACKOFF = Backoff(base=0.5, cap=30.0)
_PATH = "/deviceio/ml"
_PLACE = "the port for hubs"
_ROUNDS = 100
"""How many messages with results follow a message at once, if each answer has new commands."""
_LONGEST_SEQ = 10**19
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses that say nothing of the message."""
_REFUSALS: dict[ServerStatus, type[NorthApiException]] = {
    ServerStatus.ERR_FORMAT: InvalidArgumentError,
    ServerStatus.UNKNOWN: NotFoundError,
    ServerStatus.UNAUTHORIZED: NotAuthorizedError,
}


class _Waiting(NamedTuple):
    """What a message will have; its number and the results come when it is sent."""

    measures: tuple[Measure, ...]
    adds: tuple[AddDevice, ...]


class _UnderWay(NamedTuple):
    message: HubMessage
    content: bytes


class HubClient:
    """A hub: it posts measures to a server, and executes the commands in the server's answers.

    A message keeps its number (seq) until the server has answered it, so that a message whose answer was lost is not
    taken twice. Messages go out one after the other, in the order of the posts. It may be used by several threads.

    Args:
        hub_id: The hub's id. On the emulator it is the node id of a registered gateway.
        token: The hub's token. On the emulator it is the secret of that gateway.
        url: The server, as in ``https://host:port``; without a path it is ``/deviceio/ml``.
        ca_path: The CA that the server's certificate must come from; None: the system's trust store.
        ssl_config: All other settings of TLS, in place of `ca_path`.
        interval: Seconds between two messages of a hub that nobody watches. See the attribute `interval`.
        watch_interval: Seconds between two messages while a user is watching.
        timeout: How long one attempt may take, in seconds.
        attempts: How often a message is sent, at most, within one `post`.
        backoff: How long to wait between two attempts.
        keep: How many messages wait for the server, at most. For one more, the oldest is dropped.
        first_seq: The number of the first message; by default the seconds since 1970, so that a hub that is started
            again does not use its last number twice.
        clock: The time.

    Raises:
        InvalidArgumentError: the hub id, the token or the URL cannot be used (1007).
        TlsError: the file of the CA cannot be used (1006).
    """

    def __init__(
        self,
        hub_id: str,
        token: str,
        url: str,
        *,
        ca_path: str | PathLike[str] | None = None,
        ssl_config: SSLConfig | None = None,
        interval: float = 60.0,
        watch_interval: float = 2.0,
        timeout: float = 10.0,
        attempts: int = 5,
        backoff: Backoff = _BACKOFF,
        keep: int = 1_000,
        first_seq: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not isinstance(hub_id, str) or not hub_id:
            raise InvalidArgumentError.of("hub_id", repr(hub_id)[:80], "it must be text, not empty")
        HubMessage(hub_id).encode()
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or '"' in token or not token:
            raise InvalidArgumentError.of("token", "***", "it must be printable ASCII without quotation marks")
        if ca_path is not None and ssl_config is not None:
            raise InvalidArgumentError.of("ca_path", repr(ca_path), "give it, or ssl_config, but not both")
        for name, number in (("attempts", attempts), ("keep", keep)):
            if not isinstance(number, int) or number < 1:
                raise InvalidArgumentError.of(name, repr(number)[:80], "it must be a whole number from 1")
        base, self._path = _split(url)
        self.hub_id = hub_id
        self.watching = False
        """Whether a user is watching: the last answer was CONT."""
        self.dropped = 0
        """How many messages were dropped because too many waited."""
        self._headers = {"Content-Type": "text/xml", "PPCAuthorization": f'esp token="{token}"'}
        self._policy = policy_of(ca_path, ssl_config)
        self._transport = Transport(base, self._policy, pool_size=1)
        self._interval, self._watch_interval = interval, watch_interval
        self._timeout, self._attempts, self._backoff, self._keep = timeout, attempts, backoff, keep
        self._clock = clock
        self._seq = count(int(clock.now()) if first_seq is None else first_seq)
        self._handlers: dict[str | None, CommandHandler] = {}
        self._waiting: deque[_Waiting] = deque()
        self._responses: dict[str, CommandResponse] = {}
        self._open: set[str] = set()
        self._under_way: _UnderWay | None = None
        self._turn = threading.Lock()
        """Held by the thread that sends."""
        self._lock = threading.Lock()
        """Held for a moment, around what the handlers' threads change too."""
        self._closed = Flag()

    def __repr__(self) -> str:
        return f"<HubClient {self.hub_id!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a post that waits for its next attempt ends at once. What is not sent is lost."""
        self._closed.set()
        self._transport.close()

    @property
    def interval(self) -> float:
        """After how many seconds the next message should follow; fewer while a user is watching."""
        return self._watch_interval if self.watching else self._interval

    @property
    def pending(self) -> int:
        """How many messages and results of commands wait for the server."""
        return len(self._waiting) + len(self._responses) + (self._under_way is not None)

    def on_command(self, type: str | None = None) -> Callable[[CommandHandler], CommandHandler]:
        """Decorate the function that executes the commands of a type, or all others.

        It is called in the thread of the `post` that the command came with. What it returns is the command's result:
        None means EXECUTED, and an exception means FAILED. A function that returns RECEIVED calls `respond` later.
        A command without a function is answered with NOT_SUPPORTED.

        Args:
            type: The type; None: all types without a function of their own.
        """

        def keep(function: CommandHandler) -> CommandHandler:
            self._handlers[type] = function
            return function

        return keep

    def respond(self, command_id: str, result: CommandResult | int) -> None:
        """Give the result of a command that was answered with RECEIVED. It goes out with the next `post`."""
        response = CommandResponse(command_id, CommandResult(result))
        with self._lock:
            self._responses[response.command_id] = response

    def add(self, device_id: str, device_type: str | int) -> ServerMessage:
        """Tell the server of a device behind the hub. See `post`."""
        return self.post(adds=[AddDevice(device_id, str(device_type))])

    def post(self, *measures: Measure, adds: Iterable[AddDevice] = ()) -> ServerMessage:
        """Send measures, new devices and all results that wait; execute the commands in the answer; return the answer.

        The results of these commands go out at once, in a message of their own. Without measures and devices, it asks
        for commands.

        If it fails because no answer came, the message is kept, and the next `post` sends it first. The server then
        takes it once, also if it was the answer that was lost.

        Args:
            measures: What was measured.
            adds: Devices to add. They are added before the measures are read.

        Raises:
            InvalidArgumentError: the message is too long (1007). Or the server says ERR_FORMAT, and the message is
                dropped.
            NotFoundError: the server says UNKNOWN. The message is kept.
            NotAuthorizedError: the server says UNAUTHORIZED. The message is kept.
            PlatformFailureError: the server says ERR, each time. The message is kept.
            UnreadableAnswerError: what came is not an answer of such a server (1004). The message is kept.
            NorthApiException: no answer came (1003), or the TLS connection failed. The message is kept.
        """
        waiting = _Waiting(measures, tuple(adds))
        HubMessage(self.hub_id, _LONGEST_SEQ, *waiting).encode()  # one that cannot be sent shall not wait
        answer = self._post(waiting)
        for _ in range(_ROUNDS):
            if not self._responses:
                break
            try:
                self._post(_Waiting((), ()))
            except NorthApiException as error:  # the measures were taken; the next post tells what is wrong
                log.info("the results of commands of hub %s wait for its next message: %s", self.hub_id, error)
                break
        return answer

    # --- sending ---

    def _post(self, waiting: _Waiting) -> ServerMessage:
        """Send all that waits and then this, execute the commands in the answers, and return the last answer."""
        answers: list[ServerMessage] = []
        try:
            with self._turn:
                self._waiting.append(waiting)
                if len(self._waiting) > self._keep:
                    self._waiting.popleft()
                    self.dropped += 1
                self._send_all(answers)
        finally:  # an answer that came before a failure has commands too
            for answer in answers:
                for command in answer.commands:
                    self._execute(command)
        return answers[-1]

    def _send_all(self, answers: list[ServerMessage]) -> None:
        while self._under_way is not None or self._waiting:
            if self._under_way is None:
                self._under_way = self._next()
            under_way = self._under_way
            try:
                answer = self._exchange(under_way)
            except InvalidArgumentError:  # the server will never take it
                self._done(under_way.message)
                raise
            self._done(under_way.message)
            self.watching = answer.status == ServerStatus.CONT
            answers.append(answer)

    def _done(self, message: HubMessage) -> None:
        """Forget the message under way, and the results in it."""
        self._under_way = None
        with self._lock:
            for response in message.responses:
                if self._responses.get(response.command_id) == response:
                    del self._responses[response.command_id]

    def _next(self) -> _UnderWay:
        """Return the next message: it has the results that wait, as many as there is room for."""
        waiting = self._waiting.popleft()
        with self._lock:
            results = tuple(self._responses.values())
        seq = next(self._seq)
        while True:
            message = HubMessage(self.hub_id, seq, *waiting, results)
            try:
                return _UnderWay(message, message.encode())
            except InvalidArgumentError:
                results = results[: len(results) // 2]

    def _exchange(self, under_way: _UnderWay) -> ServerMessage:
        """Send a message until the server has taken it."""
        attempt = 0
        while True:
            attempt += 1
            if self._closed.is_set():
                raise ClientClosedError(SdkCode.CLIENT_INTERNAL, "the hub client is closed")
            try:
                return self._attempt(under_way)
            except AttemptFailed as failed:
                error = failed.error
                error.attempts = attempt
                if failed.outcome is Outcome.FINAL or attempt >= self._attempts:
                    raise error from failed.__cause__
                if not failed.reused:
                    self._clock.wait(self._closed, self._backoff.delay(attempt, error.retry_after))

    def _attempt(self, under_way: _UnderWay) -> ServerMessage:
        """Send a message once.

        Raises:
            AttemptFailed: the server has not taken it. If that is final, another attempt would not help.
        """
        headers = {**self._headers, "Content-Length": str(len(under_way.content))}
        timeouts, until = Timeouts(self._timeout, self._timeout), self._clock.monotonic() + self._timeout
        try:
            got = self._transport.send("POST", self._path, headers, under_way.content, timeouts, until)
        except AttemptFailed as failed:
            failed.error = in_device_words(failed.error, self._policy, _PLACE)
            raise
        if got.status != 200:
            raise AttemptFailed(self._alien(got), Outcome.UNKNOWN if got.status in _TRY_AGAIN else Outcome.FINAL)
        try:
            answer = ServerMessage.decode(got.body)
        except UnreadableAnswerError as error:
            raise AttemptFailed(error, Outcome.UNKNOWN) from None
        if answer.seq is not None and answer.seq != under_way.message.seq:
            desc = f"the answer is that to message {answer.seq} and not to {under_way.message.seq}"
            raise AttemptFailed(UnreadableAnswerError(SdkCode.UNREADABLE, desc), Outcome.UNKNOWN)
        if not answer.status.taken:
            again = answer.status == ServerStatus.ERR
            raise AttemptFailed(self._refusal(answer.status), Outcome.UNKNOWN if again else Outcome.FINAL)
        return answer

    def _refusal(self, status: ServerStatus) -> NorthApiException:
        kind = PlatformFailureError if status == ServerStatus.ERR else _REFUSALS.get(status, UnreadableAnswerError)
        return kind(str(status)[:40], f"the server refused a message of hub {self.hub_id!r}: {status.meaning}")

    def _alien(self, got: Answer) -> NorthApiException:
        desc = f"the answer has HTTP status {got.status} and not 200; is {self._path} the right path?"
        return UnreadableAnswerError(
            SdkCode.UNREADABLE,
            desc,
            http_status_code=got.status,
            http_reason_phrase=got.reason,
            retry_after=got.retry_after(self._clock.now()),
        )

    # --- commands ---

    def _execute(self, command: HubCommand) -> None:
        command_id = command.command_id
        with self._lock:
            if command_id in self._open or command_id in self._responses:
                return  # it came a second time before its result went out
            self._open.add(command_id)
        result = None
        try:
            result = CommandResponse(command_id, self._result(command))
        finally:
            with self._lock:
                self._open.discard(command_id)
                if result is not None:
                    self._responses.setdefault(command_id, result)  # a thread of the handler's may have been faster

    def _result(self, command: HubCommand) -> CommandResult:
        handler = self._handlers.get(command.type) or self._handlers.get(None)
        if handler is None:
            log.warning("hub %s has no function for commands of type %r", self.hub_id, command.type)
            return CommandResult.NOT_SUPPORTED
        try:
            result = handler(command)
            return CommandResult.EXECUTED if result is None else CommandResult(result)
        except Exception:
            log.exception("the function for commands of type %r failed", command.type)
            return CommandResult.FAILED


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and bool(parts.hostname)
    except (ValueError, TypeError, AttributeError):
        usable = False
    if not usable:
        raise InvalidArgumentError.of("url", "***", "it must be like https://host:port")
    try:
        has_port = parts.port != 0
    except ValueError:  # it is not a number, or too large
        has_port = False
    if not has_port:
        raise InvalidArgumentError.of("url", "***", "its port must be a whole number from 1 to 65535")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise InvalidArgumentError.of("url", "***", "it must have no user, query or fragment")
    path = parts.path if parts.path.strip("/") else _PATH
    return f"https://{parts.netloc}", path
