"""Sends commands and waits for their ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from iot_northbound.core.fields import check_id, specs
from iot_northbound.core.times import is_platform_time
from iot_northbound.dto.signal_delivery import (
    DeviceCommandRespV4,
    PostDeviceCommandInDTO2,
    PostDeviceCommandOutDTO2,
    QueryDeviceCommandInDTO2,
)
from iot_northbound.errors import InvalidArgumentError, NorthApiException
from iot_northbound.push.waits.client import Client
from iot_northbound.push.waits.news import News, Topic, about_command
from iot_northbound.push.waits.wait import Answers, Subject, changed, rank
from iot_northbound.services.signal_delivery import COMMAND_ENDED, QUERY_COMMANDS
from iot_northbound.services.waiting import PASSING, QUICK, Polling, has_ended

if TYPE_CHECKING:
    from iot_northbound.push.waits.engine import Waits
    from iot_northbound.push.waits.waiting import Waiting

BESIDE_PUSHES = Polling(start=5.0, factor=2.0, cap=60.0)
"""For commands whose changes are pushed: 5, 15, 35, 75, 135 … seconds after their beginning."""
STEPS = ("DEFAULT", "PENDING", "SENT", "DELIVERED")
"""The states before the end, in order. Pushes of them can arrive in another order."""
PAGE = 1_000

Told = Callable[[DeviceCommandRespV4], object] | None


@attrs.define(eq=False)
class Command:
    """A command that is to be sent, or was sent.

    Attributes:
        client: sends it, and looks.
        dto: what to send; None if it was sent before.
        id, device_id: the command and its device.
        app_id, access_token: as in `SignalDelivery`.
        since: when the platform made it.
    """

    client: Client
    dto: PostDeviceCommandInDTO2 | None
    device_id: str
    app_id: str | None
    access_token: str | None = attrs.field(repr=False)
    id: str = ""
    since: str | None = None
    endpoint: str = QUERY_COMMANDS.name

    @property
    def what(self) -> str:
        """It in words."""
        return f"command {self.id}" if self.id else "a command that was not sent yet"

    @property
    def topic(self) -> Topic:
        """Its own news."""
        return about_command(self.id)

    @property
    def company(self) -> Hashable:
        """Commands that one query can list."""
        return Command, self.client, self.app_id, self.access_token

    def is_given_up(self) -> bool:
        """Return whether the client is closed."""
        return self.client.is_closed

    def begin(self) -> DeviceCommandRespV4 | None:
        """Send it, if it was not sent before."""
        if self.dto is None:
            return None
        made = self.client.signal_delivery.post_device_command(
            self.dto, app_id=self.app_id, access_token=self.access_token
        )
        self.id, self.dto = made.command_id, None
        created = made.creation_time
        if created is not None and is_platform_time(created):
            self.since = f"{created[:15]}Z"  # without milliseconds, which not every platform accepts in a query
        return DeviceCommandRespV4(**{name: getattr(made, name) for name in specs(PostDeviceCommandOutDTO2)})

    def after(self, state: DeviceCommandRespV4 | None, news: News) -> DeviceCommandRespV4 | None:
        """Return the state with what a push says."""
        if state is None:
            state = DeviceCommandRespV4(command_id=self.id, device_id=self.device_id)
        elif not news.is_end and rank(news.status, STEPS) < rank(state.status, STEPS):
            return None
        return changed(state, status=news.status, result=news.result if news.is_end else state.result)

    def remaining(self, state: DeviceCommandRespV4 | None) -> int:
        """Return 0: a push reports the state."""
        return 0

    def has_ended(self, state: DeviceCommandRespV4) -> bool:
        """Return whether it has ended."""
        return has_ended(state.status, COMMAND_ENDED)

    def look(self, company: Iterable[Subject[Any]], answers: Answers) -> None:
        """Read the commands of a period in one query, if that is shorter; else those of each device."""
        commands = [each for each in company if isinstance(each, Command)]
        devices = {each.device_id for each in commands}
        recent = [each for each in commands if each.since is not None]
        if len(devices) > 1 and recent and self._sweep(recent, answers, PAGE * max(1, len(devices) // 2)):
            return
        rest = defaultdict[str, list[Command]](list)
        for each in commands:
            if each not in answers:
                rest[each.device_id].append(each)
        for device_id, of_device in rest.items():
            try:
                self._read(QueryDeviceCommandInDTO2(device_id=device_id, app_id=self.app_id), of_device, answers)
            except NorthApiException as error:
                answers.update(dict.fromkeys(of_device, error))

    def _sweep(self, recent: list[Command], answers: Answers, most: int) -> bool:
        """Read the commands since the oldest one, but not more than so many; return whether no other query helps."""
        since = min(each.since for each in recent if each.since is not None)
        query = QueryDeviceCommandInDTO2(start_time=since, app_id=self.app_id)
        try:
            self._read(query, recent, answers, most)
        except PASSING as error:
            answers.update({each: error for each in recent if each not in answers})
            return True
        except NorthApiException:
            return False  # this platform may not list the commands of all devices
        return False

    def _read(
        self, query: QueryDeviceCommandInDTO2, wanted: Iterable[Command], answers: Answers, most: int | None = None
    ) -> None:
        missing = defaultdict[str, list[Command]](list)
        for each in wanted:
            missing[each.id].append(each)  # several may wait for the same command
        found = self.client.signal_delivery.iter_device_commands(query, access_token=self.access_token)
        for state in islice(found, most):
            answers.update(dict.fromkeys(missing.pop(state.command_id or "", ()), state))
            if not missing:
                return


class Commands:
    """Sends commands, and returns their final states as soon as they are pushed.

    A command is pushed to its own `callback_url`. If it has none, it gets that of the receiver. The final state has the
    status and result of the push; its times are those of the last answer to a call.

    If no push comes, one thread looks at the platform for all commands together: 5 seconds after the beginning, then
    less and less often, at most once a minute. Without a callback URL it looks after 1 second, later every 30. These
    looks are bulk calls. A push that arrives at another process is not seen here; a look then finds the end.

    Handlers get every push all the same, perhaps a little later than the wait ends.
    """

    def __init__(self, receiver: Waiting, waits: Waits) -> None:
        self._receiver, self._waits = receiver, waits

    def send(
        self,
        client: Client,
        pdc_in_dto: PostDeviceCommandInDTO2,
        *,
        timeout: float = 300.0,
        on_progress: Told = None,
        polling: Polling | None = None,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> DeviceCommandRespV4:
        """Send a command, wait until it has ended, and return it: SUCCESSFUL, FAILED, TIMEOUT, EXPIRED or CANCELED.

        An end is not always a success: look at `status`. It can be called in a handler. In a coroutine it blocks the
        event loop; use `submit` there.

        Args:
            client: sends the command, and looks if no push comes.
            pdc_in_dto: the command.
            timeout: seconds from the answer to the call; `math.inf` for as long as it takes.
            on_progress: gets the command at its beginning and after each change, on a thread that all waits share: it
                must return soon. An exception of it ends the wait, not the command.
            polling: when to look; None as described above.
            app_id: the application that authorised this one and owns the device.
            access_token: replaces the client's token.

        Raises:
            WaitTimeoutError: it has not ended in time (1003); `last_state` is the last state.
            WaitStoppedError: the receiver was stopped, or the client was closed (1001); `last_state` too.
            NorthApiException: the command was refused, or a look failed for good. See `post_device_command`.
            RuntimeError: it was called in an `on_progress`, or in the callback of a future.

        Reference: section 1.7.1.
        """
        command, polling = self._command(client, pdc_in_dto, polling, app_id, access_token)
        return self._waits.run(command, timeout, polling, on_progress)

    def submit(
        self,
        client: Client,
        pdc_in_dto: PostDeviceCommandInDTO2,
        *,
        timeout: float = 300.0,
        on_progress: Told = None,
        polling: Polling | None = None,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> Future[DeviceCommandRespV4]:
        """Do the same as `send` in the background, and return at once. Coroutines await it with `asyncio.wrap_future`.

        A wait occupies no thread. Eight threads make the calls.

        Cancelling the future ends the wait, not the command: `update_device_command` revokes that. If the command was
        not sent yet, it will not be sent.

        Arguments and errors are those of `send`; only a wrong argument, and a receiver that was stopped, raise here.
        """
        command, polling = self._command(client, pdc_in_dto, polling, app_id, access_token)
        return self._waits.submit(command, timeout, polling, on_progress)

    def follow(
        self,
        client: Client,
        command_id: str,
        device_id: str,
        *,
        timeout: float = 300.0,
        on_progress: Told = None,
        polling: Polling | None = None,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> Future[DeviceCommandRespV4]:
        """Wait for a command that was sent before, for example by a process that has ended; return a future.

        The first look is made at once. The rest is as in `submit`.
        """
        check_id("command_id", command_id)
        command = Command(client, None, check_id("device_id", device_id), app_id, access_token, command_id)
        return self._waits.submit(command, timeout, polling or BESIDE_PUSHES, on_progress)

    def _command(
        self,
        client: Client,
        dto: PostDeviceCommandInDTO2,
        polling: Polling | None,
        app_id: str | None,
        access_token: str | None,
    ) -> tuple[Command, Polling]:
        if not isinstance(dto, PostDeviceCommandInDTO2):
            rule = "it must be a PostDeviceCommandInDTO2"
            raise InvalidArgumentError.of("the request", f"a {type(dto).__name__}", rule)
        if dto.callback_url is None and self._receiver.callback_url is not None:
            dto = changed(dto, callback_url=self._receiver.callback_url)
        if polling is None:
            polling = QUICK if dto.callback_url is None else BESIDE_PUSHES
        return Command(client, dto, dto.device_id, app_id, access_token), polling
