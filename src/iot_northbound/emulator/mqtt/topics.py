"""Which topics a session may use, and for what.

Those under `/huawei/v1` are the reference's (8.2.1). The others, for devices behind a gateway and for a model's secret,
were seen in the field.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iot_northbound.emulator.mqtt.authenticate import Login

DATA, CHILD_DATA, CHILD_REPLY, SECRET_ACK = "data", "child data", "child reply", "secret ack"
"""What a device publishes."""
GATEWAY, SECRET = "gateway", "secret"
"""What a device subscribes to, besides the commands of its codec ("json" or "binary")."""

_CHILD_DATA: Final = "/cloud/signaltrans/v2/categories/data"
_CHILD_REPLY: Final = "/cloud/signaltrans/v2/categories/reply"
_COMPARED = 256
_MISTAKES = 20
"""How many wrong topics of one session are compared with the right ones."""
_DEVICE = re.compile(r"/?huawei/v1/devices/([^/]+)/(?:data|command)/(?:json|binary)")


class Topics:
    """The topics of one session.

    Attributes:
        up: The topics that the device may publish to, and what it publishes there.
        down: The topic filters that it may subscribe to, and the channel of each.
        to: The topic on which each channel's messages reach the device.
    """

    __slots__ = ("_mistakes", "_own", "down", "to", "up")

    def __init__(self, login: Login, codec: str) -> None:
        self._own = (login.name, login.device_id, login.node_id)
        self._mistakes: dict[str, str] = {}
        if login.product_id is not None:
            base = f"/huawei/v1/products/{login.product_id}/sn/{login.node_id}"
            self.up = {f"{base}/secretACK": SECRET_ACK}
            self.down = {f"{base}/secretNotify": SECRET}
            self.to = {SECRET: f"{base}/secretNotify"}
            return
        base = f"/huawei/v1/devices/{login.name}"
        gateway = f"/gws/{login.device_id}/signaltrans/v2/categories"
        self.up = {f"{base}/data/{codec}": DATA, _CHILD_DATA: CHILD_DATA, _CHILD_REPLY: CHILD_REPLY}
        self.to = {codec: f"{base}/command/{codec}", GATEWAY: f"{gateway}/command"}
        self.down = {**{topic: channel for channel, topic in self.to.items()}, f"{gateway}/#": GATEWAY}

    def is_foreign(self, topic: str) -> bool:
        """Return whether a topic belongs to another device."""
        found = _DEVICE.fullmatch(topic)
        return found is not None and found[1] not in self._own

    def mistake_in_publish(self, topic: str) -> str:
        """Return what is wrong with a topic that is none of `up`."""
        if topic in self.down:
            return f"{topic!r} is for messages to the device; it publishes to {', '.join(self.up)}"
        return self._nearest(topic, self.up)

    def mistake_in_subscribe(self, topic: str) -> str:
        """Return what is wrong with a topic filter that is none of `down`."""
        if topic in self.up:
            return f"{topic!r} is for messages of the device; commands come on {', '.join(self.to.values())}"
        return self._nearest(topic, self.down)

    def _nearest(self, topic: str, known: Iterable[str]) -> str:
        # The device chooses how often it makes how long a mistake, and a comparison is slow: so both are bounded.
        topic = topic[:_COMPARED]
        if topic not in self._mistakes and len(self._mistakes) < _MISTAKES:
            close = difflib.get_close_matches(topic, list(known), n=1, cutoff=0.5)
            told = f"the most similar one is {close[0]!r}" if close else f"there are {', '.join(known)}"
            self._mistakes[topic] = f"{topic!r} is not a topic of this device; {told}"
        return self._mistakes.get(topic, f"{topic!r} is not a topic of this device")
