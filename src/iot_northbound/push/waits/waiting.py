"""The part of a receiver that sends commands and starts tasks, and waits for their ends."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iot_northbound.core.clock import Clock
from iot_northbound.push import arguments
from iot_northbound.push.waits.engine import Waits

if TYPE_CHECKING:
    from iot_northbound.push.waits.commands import Commands
    from iot_northbound.push.waits.tasks import Tasks, Upgrades


class Waiting:
    """What a receiver offers to whoever waits."""

    def __init__(self, clock: Clock, callback_url: str | None) -> None:
        self._waits = Waits(clock)
        self.callback_url = callback_url

    @property
    def callback_url(self) -> str | None:
        """The URL under which the platform reaches this receiver; None if it is not known."""
        return self._callback_url

    @callback_url.setter
    def callback_url(self, url: str | None) -> None:
        arguments.check("callback_url", url, str, type(None))
        self._callback_url = url

    @cached_property
    def commands(self) -> Commands:
        """Sends commands and waits for their ends, which are pushed."""
        from iot_northbound.push.waits.commands import Commands

        return Commands(self, self._waits)

    @cached_property
    def tasks(self) -> Tasks:
        """Starts batch tasks and waits for their ends; pushes say when to look."""
        from iot_northbound.push.waits.tasks import Tasks

        return Tasks(self, self._waits)

    @cached_property
    def upgrades(self) -> Upgrades:
        """Starts upgrade tasks and waits for their ends; pushes say when to look."""
        from iot_northbound.push.waits.tasks import Upgrades

        return Upgrades(self._waits)
