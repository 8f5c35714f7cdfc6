"""The receiver of what the platform pushes; each name is loaded when it is first asked for."""

from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names

if TYPE_CHECKING:
    from iot_northbound.push.access import ROUTE, Access, Peer
    from iot_northbound.push.adopt import Adopted, adopt_file
    from iot_northbound.push.duplicates import DuplicateWindow
    from iot_northbound.push.events import Event
    from iot_northbound.push.inbox import (
        DeadLetter,
        Inbox,
        InboxConfigError,
        InboxError,
        InboxFullError,
        InboxInUseError,
        InboxLimits,
        InboxStats,
        Leased,
        MessageGoneError,
        Sink,
    )
    from iot_northbound.push.inboxes import open_inbox
    from iot_northbound.push.inboxes.leases import LeaseFigures
    from iot_northbound.push.inboxes.postgres import PostgresInbox
    from iot_northbound.push.memory_inbox import MemoryInbox
    from iot_northbound.push.metrics import Metrics
    from iot_northbound.push.parse import COMMAND_STATUS, Message
    from iot_northbound.push.receiver import PushMessageReceiver
    from iot_northbound.push.reply import Reply
    from iot_northbound.push.retry import HandlerRetry
    from iot_northbound.push.server import ReceiverServer
    from iot_northbound.push.sinks.kafka import KafkaSink
    from iot_northbound.push.sqlite_inbox import SqliteInbox
    from iot_northbound.push.tls import server_context

_ROOMS = {
    "COMMAND_STATUS": "parse",
    "ROUTE": "access",
    "Access": "access",
    "Adopted": "adopt",
    "DeadLetter": "inbox",
    "DuplicateWindow": "duplicates",
    "Event": "events",
    "HandlerRetry": "retry",
    "Inbox": "inbox",
    "InboxConfigError": "inbox",
    "InboxError": "inbox",
    "InboxFullError": "inbox",
    "InboxInUseError": "inbox",
    "InboxLimits": "inbox",
    "InboxStats": "inbox",
    "KafkaSink": "sinks.kafka",
    "LeaseFigures": "inboxes.leases",
    "Leased": "inbox",
    "MessageGoneError": "inbox",
    "MemoryInbox": "memory_inbox",
    "Message": "parse",
    "Metrics": "metrics",
    "Peer": "access",
    "PostgresInbox": "inboxes.postgres",
    "PushMessageReceiver": "receiver",
    "ReceiverServer": "server",
    "Sink": "inbox",
    "Reply": "reply",
    "SqliteInbox": "sqlite_inbox",
    "adopt_file": "adopt",
    "open_inbox": "inboxes",
    "server_context": "tls",
}


if not TYPE_CHECKING:  # so that a type checker still refuses an unknown name
    __getattr__, __dir__ = lazy_names(__name__, _ROOMS)

__all__ = [
    "COMMAND_STATUS",
    "ROUTE",
    "Access",
    "Adopted",
    "DeadLetter",
    "DuplicateWindow",
    "Event",
    "HandlerRetry",
    "Inbox",
    "InboxConfigError",
    "InboxError",
    "InboxFullError",
    "InboxInUseError",
    "InboxLimits",
    "InboxStats",
    "KafkaSink",
    "LeaseFigures",
    "Leased",
    "MemoryInbox",
    "Message",
    "MessageGoneError",
    "Metrics",
    "Peer",
    "PostgresInbox",
    "PushMessageReceiver",
    "ReceiverServer",
    "Reply",
    "Sink",
    "SqliteInbox",
    "adopt_file",
    "open_inbox",
    "server_context",
]
