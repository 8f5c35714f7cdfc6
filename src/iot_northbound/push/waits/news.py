"""What a push says about a command or an upgrade that somebody may wait for."""

from __future__ import annotations

import attrs

from iot_northbound.core.fields import JsonObject
from iot_northbound.core.open_enum import OpenEnum

Topic = tuple[str, str]
"""What news are about: a word, and an id."""

ANY_COMMAND: Topic = ("commands", "")
"""The ends of commands that nobody waits for by themselves: those of batch tasks are among them."""


@attrs.frozen
class News:
    """What a push says.

    Attributes:
        topic: what it is about.
        is_end: whether it reports the end of something: of the command, or of one device's upgrade.
        status: the command's status.
        result: the command's result, as it was sent.
        size: about how much memory it takes, in bytes.
    """

    topic: Topic
    is_end: bool
    status: OpenEnum | None = None
    result: JsonObject | None = attrs.field(default=None, repr=False)
    size: int = 0


def about_command(command_id: str) -> Topic:
    """Return the topic of a command."""
    return "command", command_id


def about_upgrade(operation_id: str) -> Topic:
    """Return the topic of an upgrade task."""
    return "upgrade", operation_id
