"""Messages to observers: one thread per agent calls them, one message after the other."""

import queue
import threading
from collections.abc import Callable
from typing import Protocol

from iot_northbound.core.failures import Log
from iot_northbound.device.agentlite.elements import Topic
from iot_northbound.device.agentlite.errors import AgentLiteError, HwErr
from iot_northbound.device.agentlite.message import IotaMessage
from iot_northbound.device.workers import started

log = Log("iot_northbound.device.agentlite")

Handler = Callable[[IotaMessage], object]


class MyObserver(Protocol):
    """What gets messages: any object with this method (7.2.1)."""

    def update(self, message: IotaMessage, /) -> object:
        """Take a message. It runs on the agent's thread for messages: what takes long delays the next ones."""
        ...


class _Listener:
    """A function with the events and the device that it wants to hear of."""

    def __init__(self, topics: frozenset[Topic], device_id: str | None, key: object, call: Handler) -> None:
        self.topics, self.device_id, self.key, self.call = topics, device_id, key, call

    def wants(self, message: IotaMessage) -> bool:
        return message.topic in self.topics and self.device_id in (None, message.device_id)


class Events:
    """Who hears which messages, and the thread that tells them. The thread begins with the first message."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._listeners: tuple[_Listener, ...] = ()
        self._lock = threading.Lock()
        self._messages: queue.SimpleQueue[IotaMessage | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def listen(self, topics: frozenset[Topic], key: object, call: Handler, device_id: str | None = None) -> None:
        """Call a function with each message of these events, and of this device if one is given."""
        with self._lock:
            self._listeners = (*self._listeners, _Listener(topics, device_id, key, call))

    def forget(self, topics: frozenset[Topic], key: object, device_id: str | None = None) -> None:
        """Call the function no more that came with this key for just these events.

        Raises:
            AgentLiteError: NOMATCH; there is none.
        """
        with self._lock:
            left = tuple(
                each
                for each in self._listeners
                if not (each.key == key and each.topics == topics and each.device_id == device_id)
            )
            if len(left) == len(self._listeners):
                raise AgentLiteError(HwErr.NOMATCH, "this observer is not registered here")
            self._listeners = left

    def tell(self, message: IotaMessage) -> None:
        """Queue a message for the observers."""
        with self._lock:
            if self._closed:
                return
            self._messages.put(message)
            if self._thread is None:  # if none can be started, the message waits until one can
                self._thread = started(self._run, f"{self._name}-messages")

    def close(self) -> None:
        """Return when all messages so far were told; tell no more."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._messages.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while (message := self._messages.get()) is not None:
            for each in self._listeners:
                if not each.wants(message):
                    continue
                try:
                    each.call(message)
                except BaseException:  # sys.exit() too: the other observers need the thread
                    log.exception("an observer of %s failed", message.topic)
