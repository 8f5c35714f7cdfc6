"""A call that was accepted: its result comes later, to the caller and to the observers."""

from collections.abc import Mapping
from typing import Any

from iot_northbound.device.agentlite.elements import Topic
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr
from iot_northbound.device.agentlite.events import Events
from iot_northbound.device.agentlite.message import IotaMessage
from iot_northbound.device.pending import Pending

LAST_COOKIE = 65_535


class Accepted(Pending[IotaMessage]):
    """The result of a call that was accepted; truthy, as the documented calls return true.

    `result` returns the message that the observers get, or raises AgentLiteError, whose `message` it is.

    Attributes:
        cookie: the number that the call was given; 0 if it was given none.
    """

    __slots__ = ("_events", "_topic", "cookie")

    def __init__(self, events: Events, topic: Topic, cookie: int | None = None) -> None:
        super().__init__(f"the result of the call ({topic})")
        self.cookie = checked_cookie(cookie)
        self._events, self._topic = events, topic

    def end(self, values: Mapping[Any, Any], error: AgentLiteError | None = None) -> None:
        """Tell the observers, then the caller. With an error, the caller gets that in place of the message."""
        if self.done():
            return
        message = IotaMessage(self._topic, values, self.cookie)
        self._events.tell(message)
        if error is None:
            self.succeed(message)
            return
        error.message = message
        self.fail(error)


def checked_cookie(cookie: int | None) -> int:
    """Return the cookie of a call; 0 for None and for 0, which the reference's samples give for no cookie.

    Raises:
        AgentLiteError: PARA; it is not a number up to 65535.
    """
    if cookie is None:
        return 0
    if not isinstance(cookie, int) or isinstance(cookie, bool) or not 0 <= cookie <= LAST_COOKIE:
        raise AgentLiteError(HwErr.PARA, f"cookie = {cookie!r}: give a whole number from 1 to {LAST_COOKIE}, or None")
    return cookie
