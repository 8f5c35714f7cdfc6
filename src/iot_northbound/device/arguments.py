"""Arguments that cannot be used, refused by name."""

import math
from typing import Any

from iot_northbound.device.credentials import DeviceCredentials
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.ssl_config import SSLConfig

_LONGEST_TOPIC = 65_535
_LARGEST_PAYLOAD = 268_435_455 - _LONGEST_TOPIC - 4
_LONGEST_KEEPALIVE = 65_535


def check(credentials: object, codec: object) -> None:
    """Check who a device is, and how it speaks.

    Raises:
        InvalidArgumentError: a value cannot be used (1007).
    """
    if not isinstance(credentials, DeviceCredentials):
        raise _bad("credentials", type(credentials).__name__, "they must be DeviceCredentials")
    if isinstance(codec, str) and codec != "json":
        raise _bad("codec", codec, 'it must be "json", or an object with encode and decode')
    if not isinstance(codec, str) and not all(callable(getattr(codec, name, None)) for name in ("encode", "decode")):
        raise _bad("codec", type(codec).__name__, "it has no methods encode and decode")


def check_parts(queue: object, backoff: object) -> None:
    """Check what keeps the reports of a device, and how it waits.

    Raises:
        InvalidArgumentError: a value cannot be used (1007).
    """
    if queue is not None and not all(callable(getattr(queue, name, None)) for name in ("open", "add", "remove")):
        raise _bad("queue", type(queue).__name__, "it must be a MemoryQueue or a SqliteQueue")
    if backoff is not None and not callable(getattr(backoff, "delay", None)):
        raise _bad("backoff", type(backoff).__name__, "it must be a Backoff")


def check_place(host: object, port: object, ca_path: object, ssl_config: object) -> None:
    """Check where a device connects to.

    Raises:
        InvalidArgumentError: a value cannot be used (1007).
    """
    if not isinstance(host, str) or not host or any(each in host for each in "/?#@ \t\r\n\0"):
        raise _bad("host", host, "it must be a host name or an address, without a scheme")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65_536:
        raise _bad("port", port, "it must be a whole number from 1 to 65535")
    if not isinstance(ssl_config, SSLConfig | None):
        raise _bad("ssl_config", type(ssl_config).__name__, "it must be an SSLConfig")
    if ca_path is not None and ssl_config is not None:
        raise _bad("ca_path", ca_path, "ssl_config is given too: set its trust_ca_path instead")


def check_numbers(*, keepalive: Any, handler_threads: Any, connect_timeout: Any, ack_timeout: Any) -> None:
    """Check the numbers of a device.

    Raises:
        InvalidArgumentError: one cannot be used (1007).
    """
    if not _is_whole(keepalive) or not 0 <= keepalive <= _LONGEST_KEEPALIVE:
        raise _bad("keepalive", keepalive, f"it must be whole seconds up to {_LONGEST_KEEPALIVE}; 0 means no pings")
    if not _is_whole(handler_threads) or not 1 <= handler_threads <= 1_000:
        raise _bad("handler_threads", handler_threads, "it must be a whole number from 1 to 1000")
    for name, value in (("connect_timeout", connect_timeout), ("ack_timeout", ack_timeout)):
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise _bad(name, value, "it must be seconds, more than 0")


def check_topic(topic: Any, *, wildcards: bool) -> None:
    """Check a topic.

    Raises:
        InvalidArgumentError: it cannot be used (1007).
    """
    if not isinstance(topic, str) or not topic:
        raise _bad("topic", topic, "it must be text, not empty")
    try:
        size = len(topic.encode())
    except UnicodeEncodeError:
        raise _bad("topic", topic, "UTF-8 cannot express it") from None
    if size > _LONGEST_TOPIC or "\0" in topic:
        raise _bad("topic", topic, f"it must have at most {_LONGEST_TOPIC} bytes, and no NUL")
    levels = topic.split("/")
    if not wildcards and ("#" in topic or "+" in topic):
        raise _bad("topic", topic, "a message goes to one topic: leave out # and +")
    if any("#" in each and (each != "#" or at != len(levels) - 1) for at, each in enumerate(levels)):
        raise _bad("topic", topic, "# must be the last level, alone")
    if any("+" in each and each != "+" for each in levels):
        raise _bad("topic", topic, "+ must be a level, alone")


def check_qos(qos: Any) -> None:
    """Check a quality of service.

    Raises:
        InvalidArgumentError: it is not 0 or 1 (1007).
    """
    if not _is_whole(qos) or qos not in (0, 1):
        raise _bad("qos", qos, "it must be 1 (confirmed) or 0; the platform does not support 2")


def payload(value: Any) -> bytes:
    """Return the bytes of a payload.

    Raises:
        InvalidArgumentError: it is not bytes, or longer than a packet can be (1007).
    """
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _bad("payload", type(value).__name__, "it must be bytes")
    if len(found := bytes(value)) > _LARGEST_PAYLOAD:
        raise _bad("payload", f"{len(found)} bytes", f"a packet takes at most {_LARGEST_PAYLOAD}")
    return found


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bad(name: str, value: object, rule: str) -> InvalidArgumentError:
    return InvalidArgumentError.of(name, (value if isinstance(value, str) else repr(value))[:80], rule)
