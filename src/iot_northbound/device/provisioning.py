"""How a device that knows only the secret of its product model gets a secret of its own (seen in the field)."""

import json
from collections.abc import Callable
from typing import Any

from iot_northbound.core.clock import Clock
from iot_northbound.device import topics
from iot_northbound.device.credentials import DeviceCredentials, ProductCredentials
from iot_northbound.device.link import Link
from iot_northbound.device.mqtt import Subscription, Target
from iot_northbound.device.pending import Pending
from iot_northbound.device.queue import MemoryQueue, Message
from iot_northbound.device.session import Backoff, Outbox
from iot_northbound.errors import InvalidArgumentError, SdkCode, UnreadableAnswerError


def provision(
    target: Target,
    who: ProductCredentials,
    keep: Callable[[DeviceCredentials], object],
    *,
    clock: Clock,
    backoff: Backoff,
    timeout: float,
) -> DeviceCredentials:
    """Return the credentials that the platform gives the device. It confirms them after `keep` has returned.

    Raises:
        DeviceRefusedError: the platform refuses the product model or its secret.
        WaitTimeoutError: the credentials did not come in time.
        UnreadableAnswerError: what came contains none.
    """
    told: Pending[DeviceCredentials] = Pending("the secret of the device")
    outbox = Outbox(MemoryQueue(), who.id)
    link = Link(
        target,
        clock,
        backoff,
        outbox,
        changed=lambda state: None,
        connecting=lambda: None,
        received=lambda topic, payload: _read(payload, who.sign_type, told),
        is_busy=lambda: False,
    )
    link.subscriptions.append(Subscription(topics.secret_topic(who.product_id, who.node_id), 1, lambda *_: None))
    try:
        link.start()
        link.wait(timeout)
        found = told.result(timeout)
        keep(found)
        confirmed, _ = outbox.add(Message(topics.secret_taken_topic(who.product_id, who.node_id), b""))
        link.wake()
        confirmed.result(timeout)
    finally:
        link.close(0)
    return found


def _read(payload: bytes, sign_type: int, told: Pending[DeviceCredentials]) -> None:
    try:
        message: Any = json.loads(payload)
        if message["msgType"] != "cloudSendSecret":
            return
        told.succeed(DeviceCredentials(message["deviceid"], message["secret"], sign_type=sign_type))
    except (ValueError, RecursionError, TypeError, KeyError, InvalidArgumentError) as error:
        # Not the exception itself: its text could repeat a part of the secret.
        told.fail(
            UnreadableAnswerError(
                SdkCode.UNREADABLE, f"the platform sent no usable secret ({type(error).__name__}): ask its operator"
            )
        )
